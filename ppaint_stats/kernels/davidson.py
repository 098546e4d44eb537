r"""Davidson's model of paired comparisons with ties: probabilities, likelihood, derivatives.

With :math:`d = \lambda_A - \lambda_B + \delta` and :math:`\eta = \log\nu`,

.. math:: P(A) : P(TIE) : P(B) = e^{d/2} : e^{\eta} : e^{-d/2}

(Davidson 1970; order effect after Davidson & Beaver 1977, with the tie term at the geometric mean of the *shifted*
strengths). The log-likelihood is a linear function of :math:`(\lambda, \eta, \delta)` minus a log-sum-exp, hence
concave.
"""

from dataclasses import dataclass

import numpy as np

from ppaint_stats.typing import FloatArray, IntArray


@dataclass(frozen=True)
class PairCounts:
    """Outcomes counted by pair of items.

    Parameters
    ----------
    a, b
        Item codes of shape (pairs,); ``a`` was shown first where the order is kept.
    wins_a, ties, wins_b
        Counts (or sums of weights) of shape (pairs,).
    n_items
        Number of items; codes run from 0 to ``n_items - 1``.
    """

    a: IntArray
    b: IntArray
    wins_a: FloatArray
    ties: FloatArray
    wins_b: FloatArray
    n_items: int

    @property
    def total(self) -> FloatArray:
        """Judgments of each pair."""
        return self.wins_a + self.ties + self.wins_b

    def keep(self, mask: np.ndarray) -> "PairCounts":
        """Keep the pairs where ``mask`` holds."""
        return PairCounts(
            self.a[mask], self.b[mask], self.wins_a[mask], self.ties[mask], self.wins_b[mask], self.n_items
        )


def count_pairs(
    a: IntArray, b: IntArray, outcome: IntArray, weight: FloatArray | None, n_items: int, *, keep_order: bool
) -> PairCounts:
    """Sum judgments by pair.

    Parameters
    ----------
    a, b
        Item codes, shape (judgments,).
    outcome
        0 where A is preferred, 1 for a tie, 2 where B is preferred.
    weight
        Weight of each judgment; None counts each once.
    n_items
        Number of items.
    keep_order
        Whether (a, b) and (b, a) stay apart, as an order effect needs; otherwise each pair is turned so that a < b.
    """
    outcome = np.asarray(outcome)
    if not keep_order:
        swap = a > b
        a, b = np.where(swap, b, a), np.where(swap, a, b)
        outcome = np.where(swap, 2 - outcome, outcome)
    # one sort of a combined key finds the pairs, their outcomes and the sums
    key = (a.astype(np.int64) * n_items + b) * 3 + outcome
    if weight is None:
        keys, sums = np.unique(key, return_counts=True)
    else:
        keys, inverse = np.unique(key, return_inverse=True)
        sums = np.bincount(inverse, weights=weight, minlength=len(keys))
    pair_of_key, outcome_of_key = keys // 3, keys % 3
    first = np.r_[True, pair_of_key[1:] != pair_of_key[:-1]] if len(keys) else np.zeros(0, dtype=bool)
    index, pairs = np.cumsum(first) - 1, pair_of_key[first]
    table = np.zeros((3, len(pairs)))
    table[outcome_of_key, index] = sums
    return PairCounts(pairs // n_items, pairs % n_items, table[0], table[1], table[2], n_items)


def outcome_probabilities(d: FloatArray, log_nu: float | FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Probabilities of A, TIE and B at differences ``d``; ``log_nu = -inf`` is the Bradley-Terry model.

    Examples
    --------
    >>> import numpy as np
    >>> p_a, p_tie, p_b = outcome_probabilities(np.array([0.0, 2.0]), np.log(1.0))
    >>> p_a.round(4), p_tie.round(4), p_b.round(4)
    (array([0.3333, 0.6652]), array([0.3333, 0.2447]), array([0.3333, 0.09  ]))
    """
    x, z = _scaled(d, log_nu)
    likelier, rarer = 1 / z, x * x / z
    return np.where(d > 0, likelier, rarer), np.exp(log_nu) * x / z, np.where(d > 0, rarer, likelier)


def _scaled(d: FloatArray, log_nu: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    """X = exp(-|d| / 2) and the normaliser divided by exp(|d| / 2): one exponential, never an overflow."""
    x = np.exp(-np.abs(d) / 2)
    return x, 1 + x * (x + np.exp(log_nu))


@dataclass(frozen=True)
class PairTerms:
    """Log-likelihood of a :class:`PairCounts` and its derivatives per pair.

    ``score_*`` are first derivatives, ``info_*`` negative second derivatives, each of shape (pairs,). ``third`` and
    ``third_nu`` are the derivatives of ``info_dd`` with respect to d and log nu.
    """

    loglik: float
    score_d: FloatArray
    score_nu: FloatArray
    info_dd: FloatArray
    info_dn: FloatArray
    info_nn: FloatArray
    third: FloatArray
    third_nu: FloatArray


def pair_terms(pairs: PairCounts, d: FloatArray, log_nu: float, *, third: bool = False) -> PairTerms:
    """Log-likelihood and derivatives at differences ``d``: the cumulants of a three-point distribution.

    The log-likelihood is the sum of counts times log probabilities, without a multinomial constant.
    """
    n = pairs.total
    x, z = _scaled(d, log_nu)
    p_t = np.exp(log_nu) * x / z
    decided = 1 - p_t
    mean = np.copysign((1 - x * x) / (2 * z), d)
    var = decided / 4 - mean**2
    balance = (pairs.wins_a - pairs.wins_b) / 2
    loglik = balance @ d - n @ (np.abs(d) / 2 + np.log(z))
    if np.isfinite(log_nu):
        loglik += pairs.ties.sum() * log_nu
    empty = np.zeros(0)
    return PairTerms(
        loglik=float(loglik),
        score_d=balance - n * mean,
        score_nu=pairs.ties - n * p_t,
        info_dd=n * var,
        info_dn=-n * mean * p_t,
        info_nn=n * p_t * decided,
        third=n * mean * (0.25 - 0.75 * decided + 2 * mean**2) if third else empty,
        third_nu=n * p_t * (mean**2 - var) if third else empty,
    )


def scatter_pairs(pairs: PairCounts, values: FloatArray) -> FloatArray:
    """Sum signed pair values by item: plus at ``a``, minus at ``b`` (the transposed incidence matrix)."""
    n = pairs.n_items
    return np.bincount(pairs.a, weights=values, minlength=n) - np.bincount(pairs.b, weights=values, minlength=n)
