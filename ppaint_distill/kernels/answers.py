r"""Likelihood of what a judge answered about one pair of images, shown in one order or in both.

Each single answer follows Davidson's model: P(A) : P(TIE) : P(B) = exp(d/2) : nu : exp(-d/2) with
:math:`d = \lambda_A - \lambda_B + \delta`. The two orders of one pair are no independent witnesses: a judge's taste in
this pair enters both, and a judge without any randomness repeats itself but for the first position's advantage. Their
answers are therefore joined by a Gaussian copula with correlation :math:`\rho`: the answer about i and j falls where a
normal variable

.. math:: z = \sqrt\rho\,e + \sqrt{1 - \rho}\,\varepsilon

lies between thresholds that give Davidson's probabilities; e belongs to the pair, :math:`\varepsilon` to the order.
:math:`\rho = 0` makes the orders independent, :math:`\rho \to 1` counts both as one. Every single answer has Davidson's
probabilities whatever :math:`\rho` is, so that :math:`\rho` is the share of an answer's noise that both orders share.
Votes, which repeat a question, are such answers too: each has an :math:`\varepsilon` of its own, and all share e.

The log-likelihood depends on a pair's strengths through their difference alone: it is tabulated once for every pattern
of answers.
"""

import math

import numba
import numpy as np
from scipy.special import ndtri

from ppaint_stats.kernels.davidson import outcome_probabilities
from ppaint_stats.typing import FloatArray, IntArray

MAX_CORRELATION = 0.98
"""Largest correlation between the two orders: beyond, the likelihood of two differing answers has corners."""

REACH = 9.0
"""Quadrature over the pair's variable e runs from -REACH to REACH."""

SMALLEST = 1e-300


def find_patterns(weights: FloatArray) -> tuple[FloatArray, IntArray]:
    """Distinct patterns of answers, and the pattern of each pair.

    Parameters
    ----------
    weights
        Shape (pairs, 6): weights, or numbers, of (first wins, tie, first loses) with the first item of the pair shown
        first, then the same three, still seen from the first item, with it shown second.

    Returns
    -------
    patterns
        Shape (patterns, 6).
    code
        Shape (pairs,).
    """
    patterns, code = np.unique(np.round(weights, 9), axis=0, return_inverse=True)
    return patterns, np.asarray(code.reshape(-1), dtype=np.int64)


def mirror_weights(weights: FloatArray) -> FloatArray:
    """The same answers seen from the pair's other item."""
    return np.ascontiguousarray(weights[:, ::-1])


def tabulate_answers(
    d: FloatArray, patterns: FloatArray, *, log_nu: float, order_effect: float, correlation: float
) -> FloatArray:
    """Log-likelihood of each pattern at each difference of strengths.

    Parameters
    ----------
    d
        Differences, first item minus second, shape (points,).
    patterns
        Of :func:`find_patterns`.
    log_nu, order_effect, correlation
        Of the judge.

    Returns
    -------
    array
        Shape (patterns, points).
    """
    rho = min(max(correlation, 0.0), MAX_CORRELATION)
    limits = np.empty((4, len(d)))
    for k, shift in enumerate((order_effect, -order_effect)):
        win, tie, lose = outcome_probabilities(d + shift, log_nu)
        # each threshold from the tail in which it is exact
        with np.errstate(divide="ignore"):
            limits[2 * k] = np.where(lose < 0.5, ndtri(lose), -ndtri(win + tie))
            limits[2 * k + 1] = np.where(win < 0.5, -ndtri(win), ndtri(lose + tie))
    step = min(0.5, 0.7 * math.sqrt((1 - rho) / max(rho, 1e-9)))
    n = math.ceil(REACH / step)
    nodes: FloatArray = step * np.arange(-n, n + 1, dtype=np.float64)
    mass = np.exp(-(nodes**2) / 2)
    exponents, place = np.unique(patterns, return_inverse=True)
    place = place.reshape(patterns.shape).astype(np.int64)
    mass /= mass.sum()
    return np.asarray(_tabulate(limits, exponents, place, nodes, mass, math.sqrt(rho), math.sqrt(1 - rho)))


@numba.njit(error_model="numpy", inline="always")
def _tail(x: float) -> float:
    return 0.5 * math.erfc(x * 0.7071067811865476)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _tabulate(
    limits: FloatArray,
    exponents: FloatArray,
    place: IntArray,
    nodes: FloatArray,
    mass: FloatArray,
    shared: float,
    own: float,
) -> FloatArray:
    n_patterns, n_points = len(place), limits.shape[1]
    table = np.empty((n_patterns, n_points))
    p = np.empty(6)
    power = np.ones((6, len(exponents)))  # patterns are many, and their exponents few
    total = np.empty(n_patterns)
    for k in range(n_points):
        total[:] = 0.0
        for q in range(len(nodes)):
            for order in range(2):
                low = (limits[2 * order, k] - shared * nodes[q]) / own
                high = (limits[2 * order + 1, k] - shared * nodes[q]) / own
                lose, win = _tail(-low), _tail(high)
                p[3 * order], p[3 * order + 2] = win, lose
                p[3 * order + 1] = _tail(low) - win if low > 0 else _tail(-high) - lose
            for j in range(6):
                for u in range(len(exponents)):
                    if exponents[u] == 1.0:
                        power[j, u] = p[j]
                    elif exponents[u] > 0.0:
                        power[j, u] = max(p[j], SMALLEST) ** exponents[u]
            for m in range(n_patterns):
                product = mass[q]
                for j in range(6):
                    product *= power[j, place[m, j]]
                total[m] += product
        for m in range(n_patterns):
            table[m, k] = math.log(max(total[m], SMALLEST))
    return table
