r"""Joint posterior of a pool's strengths and of the judge's parameters, from comparisons within the pool.

.. math::

   \lambda_i \sim N(0, \sigma^2), \qquad \text{answers about a pair} \sim
   \text{copula of two Davidson answers}(\lambda_i - \lambda_j; \nu, \delta, \rho)

(:mod:`ppaint_distill.kernels.answers`). The four parameters :math:`\eta = (\log\sigma, \log\nu, \delta, \zeta)`,
:math:`\rho = 0.98 / (1 + e^{-\zeta})`, have wide normal priors, so that none of them is ever infinite. Given
:math:`\eta` strengths are integrated out by Laplace's method; :math:`\eta` is normal around the maximum of the result.
A draw takes :math:`\eta`, then strengths from their own Laplace approximation *at that* :math:`\eta`, then some Gibbs
sweeps over exact conditionals of strengths and sigma, which mend the skewness that a normal approximation misses.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import joblib
import numpy as np
from scipy.interpolate import CubicSpline
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from ppaint_distill.kernels.answers import MAX_CORRELATION, mirror_weights, tabulate_answers
from ppaint_distill.kernels.posterior import sweep_strengths
from ppaint_stats.typing import FloatArray, IntArray

PRIOR_MEAN = np.array([0.7, -1.0, 0.0, 0.0])
PRIOR_SD = np.array([0.8, 2.0, 3.0, 1.5])
"""Of log sigma, log nu, delta and zeta: spreads of 0.4 to 10, ties from few to most, correlations of all sizes."""

COARSE = (0.1, 0.2)
"""Step of the tables of the fit, which splines interpolate: where both orders share most of their noise, and else."""

FINE = (0.02, 0.1)
"""Smallest and largest step of the lattices of the sweeps; it is a fifth of the smallest sd."""

N_SWEEPS = 12


@dataclass(frozen=True)
class PoolProblem:
    """Pairs within a pool.

    Parameters
    ----------
    a, b
        Item codes, shape (pairs,).
    patterns, code
        Patterns of answers and the pattern of each pair, of :func:`ppaint_distill.kernels.answers.find_patterns`, seen
        from ``a``.
    n_items
        Number of items.
    correlation
        A fixed correlation of the two orders; None estimates it.
    """

    a: IntArray
    b: IntArray
    patterns: FloatArray
    code: IntArray
    n_items: int
    correlation: float | None = None


@dataclass(frozen=True)
class PoolDraws:
    """Joint draws: strengths of shape (draws, items), parameters of shape (draws,)."""

    strength: FloatArray
    sd: FloatArray
    log_nu: FloatArray
    order_effect: FloatArray
    correlation: FloatArray
    converged: bool


@dataclass(frozen=True)
class _Mode:
    strength: FloatArray
    factor: FloatArray
    marginal: float


class _Laplace:
    """Laplace approximation of the strengths, for any parameters; remembers the last mode as the next start."""

    def __init__(self, problem: PoolProblem) -> None:
        self.problem = problem
        self.last = np.zeros(problem.n_items)
        self.groups = [np.flatnonzero(problem.code == m) for m in range(len(problem.patterns))]

    def rho(self, eta: FloatArray) -> float:
        fixed = self.problem.correlation
        return float(MAX_CORRELATION / (1 + np.exp(-eta[3]))) if fixed is None else fixed

    def find_mode(self, eta: FloatArray) -> _Mode:
        """Newton's method for the strengths; the marginal log density includes the priors of the parameters."""
        problem, n, precision = self.problem, self.problem.n_items, float(np.exp(-2 * eta[0]))
        reach = min(10 + 8 * np.exp(eta[0]), 90.0)
        rho = self.rho(eta)
        step = COARSE[0] if rho > 0.8 else COARSE[1]
        grid = np.arange(-np.ceil(reach / step), np.ceil(reach / step) + 1) * step
        table = tabulate_answers(grid, problem.patterns, log_nu=eta[1], order_effect=eta[2], correlation=rho)
        spline = CubicSpline(grid, table, axis=1)
        bent = spline.derivative(2)
        slope = spline.derivative(1)

        def evaluate(at: FloatArray) -> tuple[float, FloatArray, FloatArray]:
            d = at[problem.a] - at[problem.b]
            inside = np.clip(d, grid[0], grid[-1])
            out = np.empty((3, len(d)))
            for m, rows in enumerate(self.groups):
                x = inside[rows]
                out[:, rows] = spline(x)[m], slope(x)[m], bent(x)[m]
            out[0] += out[1] * (d - inside)
            value = out[0].sum() - precision * (at @ at) / 2
            return float(value), out[1], np.where(d == inside, np.maximum(-out[2], 0.0), 0.0)

        at = self.last
        value, score, weight = evaluate(at)
        for _ in range(60):
            gradient = np.bincount(problem.a, score, n) - np.bincount(problem.b, score, n) - precision * at
            factor = self.factorise(weight, precision)
            move = cho_solve((factor, True), gradient)
            if gradient @ move < 1e-10:
                break
            size = 1.0
            while True:
                trial = at + size * move
                found = evaluate(trial)
                if found[0] >= value - 1e-12 * abs(value) or size < 1e-6:
                    break
                size /= 2
            at, (value, score, weight) = trial, found
        self.last = at
        factor = self.factorise(weight, precision)
        marginal = value - n * eta[0] - float(np.log(np.diag(factor)).sum())
        prior = -0.5 * float((((eta - PRIOR_MEAN) / PRIOR_SD) ** 2).sum())
        return _Mode(at, factor, marginal + prior)

    def factorise(self, weight: FloatArray, precision: float) -> FloatArray:
        problem, n = self.problem, self.problem.n_items
        off = np.bincount(problem.a * n + problem.b, -weight, n * n).reshape(n, n)
        dense = off + off.T
        dense[np.diag_indices(n)] = precision - dense.sum(axis=1)
        return np.asarray(cholesky(dense, lower=True, overwrite_a=True, check_finite=False))


def draw_pool(problem: PoolProblem, *, n_draws: int, rng: np.random.Generator) -> PoolDraws:
    """Draw strengths and parameters from their joint posterior.

    Parameters
    ----------
    problem
        The comparisons.
    n_draws
        Number of draws.
    rng
        Source of randomness.

    Returns
    -------
    PoolDraws
        The draws.
    """
    laplace = _Laplace(problem)

    def minus_marginal(eta: FloatArray) -> float:
        return -laplace.find_mode(eta).marginal

    def gradient(eta: FloatArray) -> FloatArray:
        moves = 0.01 * np.eye(4)
        return np.array([(minus_marginal(eta + move) - minus_marginal(eta - move)) / 0.02 for move in moves])

    limits = list(zip(PRIOR_MEAN - 5 * PRIOR_SD, PRIOR_MEAN + 5 * PRIOR_SD, strict=True))
    found = minimize(
        minus_marginal, _start(problem), jac=gradient, method="L-BFGS-B", bounds=limits,
        options={"maxiter": 60, "ftol": 1e-8, "gtol": 1e-3},
    )  # fmt: skip
    covariance = _invert(_differentiate_twice(minus_marginal, found.x))
    etas = found.x + rng.standard_normal((n_draws, 4)) @ np.linalg.cholesky(covariance).T
    noise = rng.standard_normal((n_draws, problem.n_items))
    uniform = rng.random((n_draws, N_SWEEPS, problem.n_items + 1))
    start, neighbours = laplace.find_mode(found.x).strength, _list_neighbours(problem)
    rows = zip(etas, noise, uniform, strict=True)
    with ThreadPoolExecutor(joblib.cpu_count()) as threads:
        drawn = list(threads.map(lambda row: _draw_once(problem, neighbours, start, *row), rows))
    strength = np.stack([row[0] for row in drawn])
    return PoolDraws(
        strength=strength,
        sd=np.exp([row[1] for row in drawn]),
        log_nu=etas[:, 1],
        order_effect=etas[:, 2],
        correlation=np.array([laplace.rho(eta) for eta in etas]),
        converged=bool(found.success),
    )


def _draw_once(
    problem: PoolProblem,
    neighbours: tuple[IntArray, IntArray, IntArray, FloatArray],
    start: FloatArray,
    eta: FloatArray,
    noise: FloatArray,
    uniform: FloatArray,
) -> tuple[FloatArray, float]:
    """Draw strengths and the logarithm of their sd: Laplace's approximation for given parameters, then sweeps."""
    laplace = _Laplace(problem)
    laplace.last = start
    mode = laplace.find_mode(eta)
    strength = mode.strength + solve_triangular(mode.factor, noise, lower=True, trans="T", check_finite=False)
    inverse = solve_triangular(mode.factor, np.eye(problem.n_items), lower=True, check_finite=False)
    sd = np.sqrt((inverse**2).sum(axis=0))
    step = float(np.clip(sd.min() / 5, *FINE))
    width = 2 * float((np.abs(strength) + 8 * sd).max()) + 2 * step
    grid = np.arange(-np.ceil(width / step), np.ceil(width / step) + 2) * step
    meets, pattern, offset, patterns = neighbours
    table = tabulate_answers(grid, patterns, log_nu=eta[1], order_effect=eta[2], correlation=laplace.rho(eta))
    prior = (float(PRIOR_MEAN[0]), float(PRIOR_SD[0]))
    log_sd = sweep_strengths(
        strength, meets, pattern, offset, table, grid[0], step, float(eta[0]), prior, 8 * sd, uniform
    )
    return strength, float(log_sd)


def _start(problem: PoolProblem) -> FloatArray:
    """Start from the share of ties and the first position's share of what was decided."""
    counts = problem.patterns[problem.code].sum(axis=0) + 0.5
    ties = (counts[1] + counts[4]) / counts.sum()
    first, second = counts[0] + counts[5], counts[2] + counts[3]
    start = np.array([0.7, np.log(2 * ties / (1 - ties)), 0.7 * np.log(first / second), 0.0])
    return np.asarray(np.clip(start, PRIOR_MEAN - 2 * PRIOR_SD, PRIOR_MEAN + 2 * PRIOR_SD))


def _list_neighbours(problem: PoolProblem) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Each item's opponents and patterns of answers seen from itself, one item after the other."""
    both = np.concatenate([problem.patterns, mirror_weights(problem.patterns)])
    item = np.concatenate([problem.a, problem.b])
    order = np.argsort(item, kind="stable")
    meets = np.concatenate([problem.b, problem.a])[order]
    pattern = np.concatenate([problem.code, problem.code + len(problem.patterns)])[order]
    offset = np.concatenate([[0], np.cumsum(np.bincount(item, minlength=problem.n_items))])
    return meets, pattern, offset.astype(np.int64), both


def _differentiate_twice(function: Callable[[FloatArray], float], at: FloatArray, *, step: float = 0.05) -> FloatArray:
    """Hessian by central differences."""
    n, hessian = len(at), np.empty((len(at), len(at)))
    moves = step * np.eye(n)
    middle = function(at)
    for i in range(n):
        hessian[i, i] = (function(at + moves[i]) - 2 * middle + function(at - moves[i])) / step**2
        for j in range(i):
            up, down = moves[i] + moves[j], moves[i] - moves[j]
            mixed = function(at + up) + function(at - up) - function(at + down) - function(at - down)
            hessian[i, j] = hessian[j, i] = mixed / (4 * step**2)
    return hessian


def _invert(precision: FloatArray) -> FloatArray:
    """Covariance of the parameters; no direction is wider than its prior allows."""
    values, vectors = np.linalg.eigh(PRIOR_SD[:, None] * precision * PRIOR_SD)
    scaled = (vectors / np.maximum(values, 1.0)) @ vectors.T
    return np.asarray(PRIOR_SD[:, None] * scaled * PRIOR_SD)
