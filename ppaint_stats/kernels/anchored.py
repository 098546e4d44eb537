r"""Anchored Davidson: comparisons and rating scores of one cell in a single marginal likelihood.

.. math::

   r_i \sim N(\beta\lambda_i,\; \tau^2 + s_i^2), \qquad \lambda_i \sim N(0, \omega^2), \qquad
   \text{comparisons} \sim \text{Davidson}(\lambda, \nu, \delta)^{1/D}

The strengths are integrated out by Laplace's method and :math:`(\beta, \tau, \omega, \nu, \delta)` maximise the
result, so that the weight of the ratings against the comparisons is estimated. D is the design effect: comparisons by
one rater share that rater's taste, and count for less than independent ones. Gradients are exact, the third
derivatives of the log-determinant included.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import minimize

from ppaint_stats.kernels.davidson import PairCounts, PairTerms, pair_terms, scatter_pairs
from ppaint_stats.typing import FloatArray, IntArray

LOG_2PI = float(np.log(2 * np.pi))

SLOW_ITEMS = 10
"""Items that a component of the comparison graph needs for each of its slow directions."""


@dataclass(frozen=True)
class AnchoredParameters:
    """Parameters above the strengths.

    ``slope`` is beta, ``rating_sd`` tau, ``strength_sd`` omega, ``slow_sd`` the prior sd along slow directions.
    """

    slope: float
    rating_sd: float
    strength_sd: float
    log_nu: float
    order_effect: float
    slow_sd: float = 1.0


@dataclass(frozen=True)
class AnchoredFit:
    """Mode and covariance of the strengths at the maximising parameters, with each part of the objective.

    ``loglik_preferences`` is not divided by the design effect.
    """

    strength: FloatArray
    covariance: FloatArray
    parameters: AnchoredParameters
    loglik_preferences: float
    loglik_ratings: float
    marginal: float
    converged: bool


@dataclass(frozen=True)
class AnchoredProblem:
    """Data of one cell.

    Parameters
    ----------
    pairs
        Comparisons, in order of presentation where ``order_effect`` holds.
    rating, rating_se
        Centred rating scores and their standard errors, shape (items,); nan marks an item without ratings.
    rating_weight
        Multiplies the log-likelihood of the ratings.
    design_effect
        Divides the log-likelihood of the comparisons.
    order_effect
        Whether delta is estimated.
    slow
        Orthonormal directions, shape (items, k), along which strengths have a prior sd of their own; see
        :func:`find_slow_directions`.
    """

    pairs: PairCounts
    rating: FloatArray
    rating_se: FloatArray
    rating_weight: float = 1.0
    design_effect: float = 1.0
    order_effect: bool = True
    slow: FloatArray | None = None

    @property
    def directions(self) -> FloatArray:
        """``slow``, with no column where there is none."""
        return np.zeros((self.pairs.n_items, 0)) if self.slow is None else self.slow

    def prior_precision(self, at: AnchoredParameters) -> FloatArray:
        """Precision matrix of the strengths' prior, shape (items, items)."""
        outer = self.directions @ self.directions.T
        return np.asarray((np.eye(len(outer)) - outer) / at.strength_sd**2 + outer / at.slow_sd**2)

    @property
    def rated(self) -> np.ndarray:
        """Items that carry a rating score with a positive weight."""
        return np.isfinite(self.rating) & (self.rating_weight > 0)


class _Laplace:
    """Laplace approximation of the marginal log-likelihood, with its gradient; remembers the last mode."""

    def __init__(self, problem: AnchoredProblem, start: FloatArray) -> None:
        self.problem, self.mode = problem, start
        self.n = problem.pairs.n_items
        pairs = problem.pairs
        self._flat = np.concatenate([pairs.a * self.n + pairs.b, pairs.b * self.n + pairs.a])
        self._flat = np.concatenate([self._flat, pairs.a * (self.n + 1), pairs.b * (self.n + 1)])
        self.slow = problem.directions
        self.weight = np.where(problem.rated, problem.rating_weight, 0.0)
        self.r = np.where(problem.rated, problem.rating, 0.0)
        self.s2 = np.where(problem.rated, problem.rating_se, 1.0) ** 2

    def evaluate(self, at: AnchoredParameters) -> tuple[float, FloatArray]:
        """Marginal log-likelihood and its gradient by (beta, log tau, log omega, log nu, delta, log slow sd)."""
        strength, terms, inverse, log_det = self.find_mode(at)
        v = at.rating_sd**2 + self.s2
        miss = self.r - at.slope * strength
        value = self.objective(at, strength, terms) - log_det / 2 + self.n * LOG_2PI / 2
        c, w, pairs = 1 / self.problem.design_effect, self.weight, self.problem.pairs
        tau2, omega2 = at.rating_sd**2, at.strength_sd**2
        diagonal, slow = np.diag(inverse), self.slow.T @ strength
        slow_trace = (self.slow * (inverse @ self.slow)).sum()
        along = diagonal[pairs.a] + diagonal[pairs.b] - 2 * inverse[pairs.a, pairs.b]
        explicit = np.array(
            [
                (w * miss * strength / v).sum(),
                (w * (miss**2 / v - 1) / v).sum() * tau2,
                (strength @ strength - slow @ slow) / omega2 - (self.n - len(slow)),
                c * terms.score_nu.sum(),
                c * terms.score_d.sum(),
                slow @ slow / at.slow_sd**2 - len(slow),
            ]
        )
        trace = np.array(
            [
                (diagonal * 2 * w * at.slope / v).sum(),
                -(diagonal * 2 * w * at.slope**2 / v**2).sum() * tau2,
                -2 * (diagonal.sum() - slow_trace) / omega2,
                c * (terms.third_nu * along).sum(),
                c * (terms.third * along).sum(),
                -2 * slow_trace / at.slow_sd**2,
            ]
        )
        mixed = np.column_stack(
            [
                w * (self.r - 2 * at.slope * strength) / v,
                -2 * w * at.slope * miss / v**2 * tau2,
                2 * (strength - self.slow @ slow) / omega2,
                -c * scatter_pairs(pairs, terms.info_dn),
                -c * scatter_pairs(pairs, terms.info_dd),
                2 * (self.slow @ slow) / at.slow_sd**2,
            ]
        )
        through_mode = (inverse @ scatter_pairs(pairs, c * terms.third * along)) @ mixed
        return value, explicit - (trace + through_mode) / 2

    def find_mode(self, at: AnchoredParameters) -> tuple[FloatArray, PairTerms, FloatArray, float]:
        """Newton's method for the strengths; returns them with the inverse Hessian and its log-determinant."""
        c, w, pairs = 1 / self.problem.design_effect, self.weight, self.problem.pairs
        v = at.rating_sd**2 + self.s2
        prior = self.problem.prior_precision(at)
        anchor = w * at.slope**2 / v
        strength = self.mode
        terms = self.terms(at, strength)
        value = self.objective(at, strength, terms)
        for _ in range(100):
            gradient = c * scatter_pairs(pairs, terms.score_d) + w * at.slope * self.r / v
            gradient -= anchor * strength + prior @ strength
            factor = self.factorise(c * terms.info_dd, anchor, prior)
            move = lapack.dpotrs(factor, gradient, lower=1)[0]
            decrement = float(gradient @ move)
            if decrement < 1e-14:
                break
            size = 1.0
            while True:
                trial = strength + size * move
                terms = self.terms(at, trial)
                next_value = self.objective(at, trial, terms)
                if next_value >= value - 1e-12 * abs(value) or size < 1e-8:
                    break
                size /= 2
            strength, value = trial, next_value
        self.mode = strength
        factor = self.factorise(c * terms.info_dd, anchor, prior)
        lower = lapack.dpotri(factor, lower=1)[0]
        inverse = np.tril(lower) + np.tril(lower, -1).T
        return strength, terms, inverse, 2 * float(np.log(np.diag(factor)).sum())

    def terms(self, at: AnchoredParameters, strength: FloatArray) -> PairTerms:
        pairs = self.problem.pairs
        return pair_terms(pairs, strength[pairs.a] - strength[pairs.b] + at.order_effect, at.log_nu, third=True)

    def objective(self, at: AnchoredParameters, strength: FloatArray, terms: PairTerms) -> float:
        """Log joint density of data and strengths."""
        slow = self.slow.T @ strength
        fast = strength @ strength - slow @ slow
        prior = -(self.n - len(slow)) * np.log(at.strength_sd) - fast / (2 * at.strength_sd**2)
        prior -= len(slow) * np.log(at.slow_sd) + slow @ slow / (2 * at.slow_sd**2) + self.n * LOG_2PI / 2
        return float(terms.loglik / self.problem.design_effect + self.rating_loglik(at, strength) + prior)

    def rating_loglik(self, at: AnchoredParameters, strength: FloatArray) -> float:
        v = at.rating_sd**2 + self.s2
        miss = self.r - at.slope * strength
        return float(-(self.weight * (miss**2 / v + np.log(v) + LOG_2PI)).sum() / 2)

    def factorise(self, edge: FloatArray, diagonal: FloatArray, prior: FloatArray) -> FloatArray:
        weights = np.concatenate([-edge, -edge, edge, edge])
        flat = np.bincount(self._flat, weights=weights, minlength=self.n * self.n).astype(float, copy=False)
        dense = flat.reshape(self.n, self.n) + prior
        dense[np.diag_indices(self.n)] += diagonal
        return np.asarray(lapack.dpotrf(dense.T, lower=1, overwrite_a=1)[0])


def fit_anchored(
    problem: AnchoredProblem, *, start: AnchoredFit | None = None, fixed: AnchoredParameters | None = None
) -> AnchoredFit:
    """Maximise the marginal likelihood (or, with ``fixed`` parameters, only find the mode of the strengths).

    The marginal likelihood can have two maxima where comparisons say little: one in which the strengths follow the
    comparisons, one in which they follow the ratings. Where the first search ends without the ratings, a second one
    begins near them.
    """
    zero = np.zeros(problem.pairs.n_items)
    if fixed is not None:
        return _finish(_Laplace(problem, zero), fixed, converged=True)
    if start is not None:
        return _search(problem, start.parameters, start.strength)
    found = _search(problem, _start_parameters(problem, 1.0), zero)
    if not problem.rated.any() or found.parameters.rating_sd < np.std(problem.rating[problem.rated]) / 2:
        return found  # the strengths explain the ratings: there is no other maximum to look for
    other = _search(problem, _start_parameters(problem, 0.3), zero)
    return other if other.marginal > found.marginal else found


def _search(problem: AnchoredProblem, first: AnchoredParameters, strength: FloatArray) -> AnchoredFit:
    laplace = _Laplace(problem, strength)
    ties = problem.pairs.ties.sum() > 0
    rated = bool(problem.rated.any())
    spread = float(np.nanstd(problem.rating[problem.rated])) if rated else 1.0
    spread = spread if spread > 0 else 1.0
    free = np.array([rated, rated, True, ties, problem.order_effect, problem.directions.shape[1] > 0])
    tiny = np.log(1e-3)
    bounds = [
        (0.0, None), (np.log(spread) + tiny, np.log(spread) + 2), (tiny, 4.0), (-20.0, 20.0), (-20.0, 20.0),
        (tiny, 6.0),
    ]  # fmt: skip
    at0 = np.array(
        [
            first.slope,
            np.log(max(first.rating_sd, spread / 5)),  # at tau = 0 the slope by log tau is 0: a start there stays there
            np.log(first.strength_sd),
            first.log_nu if ties else 0.0,
            first.order_effect if problem.order_effect else 0.0,
            np.log(first.slow_sd),
        ]
    )

    def unpack(x: FloatArray) -> AnchoredParameters:
        full = at0.copy()
        full[free] = x
        return AnchoredParameters(
            slope=float(full[0]),
            rating_sd=float(np.exp(full[1])),
            strength_sd=float(np.exp(full[2])),
            log_nu=float(full[3]) if ties else -np.inf,
            order_effect=float(full[4]),
            slow_sd=float(np.exp(full[5])),
        )

    def negative(x: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = laplace.evaluate(unpack(x))
        return -value, -gradient[free]

    limits = [bound for bound, use in zip(bounds, free, strict=True) if use]
    lows = [-np.inf if low is None else low for low, _ in limits]
    highs = [np.inf if high is None else high for _, high in limits]
    found = minimize(
        negative, np.clip(at0[free], lows, highs), jac=True, method="L-BFGS-B", bounds=limits,
        options={"maxiter": 200, "ftol": 1e-10, "gtol": 1e-5},
    )  # fmt: skip
    return _finish(laplace, unpack(found.x), converged=bool(found.success))


def find_slow_directions(pairs: PairCounts, component: IntArray, *, count: int) -> FloatArray:
    """Find the directions that a comparison graph informs least, shape (items, directions).

    In a locally dense design each item meets its neighbours in a first order, so that the strengths rise along the
    graph's slowest eigenvectors: these carry the trend, and are no random draw among all directions. A common variance
    would shrink just them, since comparisons tell so little of each; so they have a variance of their own. They are
    the ``count`` slowest eigenvectors of the graph's Laplacian beside the constant one, in each component that has
    :data:`SLOW_ITEMS` items for each.
    """
    n = pairs.n_items
    laplacian = np.zeros((n, n))
    np.add.at(laplacian, (pairs.a, pairs.b), -pairs.total)
    laplacian += laplacian.T
    laplacian[np.diag_indices(n)] -= laplacian.sum(axis=1)
    found = []
    for group in np.flatnonzero(np.bincount(component) >= SLOW_ITEMS):
        members = np.flatnonzero(component == group)
        keep = min(count, len(members) // SLOW_ITEMS)
        vectors = np.linalg.eigh(laplacian[np.ix_(members, members)])[1][:, 1 : keep + 1]
        column = np.zeros((n, keep))
        column[members] = vectors
        found.append(column)
    return np.concatenate(found, axis=1) if found else np.zeros((n, 0))


def estimate_design_effect(
    pairs_a: IntArray,
    pairs_b: IntArray,
    outcome: IntArray,
    weight: FloatArray,
    rater: IntArray,
    fit: AnchoredFit,
) -> float:
    r"""Design effect of comparisons that cluster by rater, at least 1.

    The ratio of traces of the rater-sandwich covariance :math:`H^{-1} J H^{-1}` and of its model-based value
    :math:`H^{-1} L H^{-1}`, with L the information of the comparisons, :math:`H = L + \omega^{-2} I` and J the summed
    squares of the raters' score vectors around their mean share, times R / (R - 1).
    """
    n, at = len(fit.strength), fit.parameters
    raters, code = np.unique(rater, return_inverse=True)
    if len(raters) < 2:
        return 1.0
    d = fit.strength[pairs_a] - fit.strength[pairs_b] + at.order_effect
    counts = PairCounts(pairs_a, pairs_b, weight * (outcome == 0), weight * (outcome == 1), weight * (outcome == 2), n)
    terms = pair_terms(counts, d, at.log_nu)
    shape = len(raters) * n
    score = np.bincount(code * n + pairs_a, weights=terms.score_d, minlength=shape)
    score -= np.bincount(code * n + pairs_b, weights=terms.score_d, minlength=shape)
    by_rater = score.reshape(len(raters), n)
    share = np.bincount(code, weights=weight) / weight.sum()
    by_rater = by_rater - share[:, None] * by_rater.sum(axis=0)
    information = np.zeros((n, n))
    np.add.at(information, (pairs_a, pairs_b), -terms.info_dd)
    information += information.T
    information[np.diag_indices(n)] -= information.sum(axis=1)
    bread = np.linalg.inv(information + np.eye(n) / at.strength_sd**2)
    model = np.trace(bread @ information @ bread)
    sandwich = ((bread @ by_rater.T) ** 2).sum() * len(raters) / (len(raters) - 1)
    return float(max(sandwich / model, 1.0)) if model > 0 else 1.0


def _start_parameters(problem: AnchoredProblem, strength_sd: float) -> AnchoredParameters:
    pairs = problem.pairs
    ties, total = pairs.ties.sum(), pairs.total.sum()
    spread = float(np.std(problem.rating[problem.rated])) if problem.rated.any() else 0.0
    decided = max(total - ties, 1e-9)
    return AnchoredParameters(
        slope=spread / strength_sd,
        rating_sd=max(spread, 1e-6) / 3,
        strength_sd=strength_sd,
        log_nu=float(np.clip(np.log(2 * ties / decided), -5, 5)) if ties > 0 else -np.inf,
        order_effect=0.0,
        slow_sd=2 * strength_sd,
    )


def _finish(laplace: _Laplace, at: AnchoredParameters, *, converged: bool) -> AnchoredFit:
    strength, terms, inverse, log_det = laplace.find_mode(at)
    marginal = laplace.objective(at, strength, terms) - log_det / 2 + laplace.n * LOG_2PI / 2
    return AnchoredFit(
        strength=strength,
        covariance=inverse,
        parameters=replace(at),
        loglik_preferences=terms.loglik,
        loglik_ratings=laplace.rating_loglik(at, strength),
        marginal=marginal,
        converged=converged,
    )
