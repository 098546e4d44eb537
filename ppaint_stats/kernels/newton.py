r"""Maximum likelihood of Davidson's model by sparse Newton steps.

The unknowns are the strengths and, jointly, log nu and the order effect. Each step solves the bordered system through
the Laplacian of the comparison graph; the likelihood is concave, so that halving a step that does not improve
suffices for convergence from anywhere.
"""

from dataclasses import dataclass

import numpy as np

from ppaint_stats.kernels.davidson import PairCounts, PairTerms, pair_terms, scatter_pairs
from ppaint_stats.kernels.laplacian import Laplacian
from ppaint_stats.typing import FloatArray, IntArray

FLAT_VARIANCE = 1e6
"""Variance of log nu or of the order effect beyond which the likelihood has no maximum but rises for ever: where Newton
stops on such a slope the information is below its tolerance, and a single judgment already carries far more."""


@dataclass(frozen=True)
class MaximumLikelihood:
    """Maximum of the (penalised) likelihood; standard errors of ``strength`` are against ``reference`` if given.

    ``unbounded`` says of log nu and of the order effect whether the likelihood rises for ever along them.
    """

    strength: FloatArray
    strength_se: FloatArray
    log_nu: float
    log_nu_se: float
    order_effect: float
    order_effect_se: float
    loglik: float
    iterations: int
    converged: bool
    unbounded: tuple[bool, bool] = (False, False)


def fit_maximum_likelihood(
    pairs: PairCounts,
    component: IntArray,
    *,
    order_effect: bool = False,
    penalty: float = 0.0,
    reference: int | None = None,
    standard_errors: bool = True,
    max_iter: int = 100,
    tol: float = 1e-9,
) -> MaximumLikelihood:
    """Maximise the likelihood of Davidson's model.

    Parameters
    ----------
    pairs
        Counts; with ``order_effect`` they must keep the order of presentation.
    component
        Component of each item, shape (items,): strengths sum to zero in each unless ``penalty`` is positive. Every
        component must be strongly connected by wins and ties, or the maximum does not exist.
    order_effect
        Whether the first-position effect delta is estimated (else 0).
    penalty
        Subtracts ``penalty / 2 * sum(strength**2)``.
    reference
        Item from which standard errors are measured; the strengths themselves are returned as they are.
    standard_errors
        Whether they are computed.
    max_iter, tol
        Newton stops when the squared length of a step in standard-error units falls below ``tol``.
    """
    border = _Border(pairs, order_effect=order_effect)
    graph = Laplacian(pairs.a, pairs.b, pairs.n_items, component, ridge=penalty)
    strength, extra = np.zeros(pairs.n_items), border.start
    terms = border.terms(strength, extra)
    value = terms.loglik
    converged, iteration = False, 0
    unbounded = np.zeros(2, dtype=bool)
    while iteration < max_iter and not converged:
        iteration += 1
        graph.set_weights(terms.info_dd)
        gradient = scatter_pairs(pairs, terms.score_d) - penalty * strength
        columns, corner, slope = border.system(terms)
        # an inexact solve is enough: the next gradient is exact, and convergence is judged from it
        solved = graph.solve(np.column_stack([gradient, columns]), rtol=1e-4)
        move_extra = np.zeros(2)
        if border.free.any():
            schur = corner - columns.T @ solved[:, 1:]
            covariance = np.linalg.inv(schur)
            move_extra[border.free] = covariance @ (slope - columns.T @ solved[:, 0])
            unbounded[border.free] = np.diag(covariance) > FLAT_VARIANCE
        move = solved[:, 0] - solved[:, 1:] @ move_extra[border.free]
        decrement = float(gradient @ move + slope @ move_extra[border.free])
        converged, size = decrement < tol, 1.0
        while True:
            next_strength, next_extra = strength + size * move, extra + size * move_extra
            terms = border.terms(next_strength, next_extra)
            trial = terms.loglik - penalty / 2 * float(next_strength @ next_strength)
            if trial >= value - 1e-12 * abs(value) or size < 1e-8:
                break
            size /= 2
        strength, extra, value = next_strength, next_extra, trial
    strength_se, extra_se = np.full(pairs.n_items, np.nan), np.full(2, np.nan)
    if standard_errors:
        graph.set_weights(terms.info_dd)
        strength_se, extra_se = _standard_errors(graph, border, terms, reference)
    return MaximumLikelihood(
        strength=strength,
        strength_se=strength_se,
        log_nu=float(extra[0]),
        log_nu_se=float(extra_se[0]),
        order_effect=float(extra[1]),
        order_effect_se=float(extra_se[1]),
        loglik=terms.loglik,
        iterations=iteration,
        converged=converged,
        unbounded=(bool(unbounded[0]), bool(unbounded[1])),
    )


class _Border:
    """The parameters beside the strengths: (log nu, order effect), each free or fixed."""

    def __init__(self, pairs: PairCounts, *, order_effect: bool) -> None:
        self.pairs = pairs
        ties, total = pairs.ties.sum(), pairs.total.sum()
        self.free = np.array([ties > 0, order_effect])
        self.start = np.array([np.log(2 * ties / (total - ties)) if ties > 0 else -np.inf, 0.0])

    def terms(self, strength: FloatArray, extra: FloatArray) -> PairTerms:
        d = strength[self.pairs.a] - strength[self.pairs.b] + extra[1]
        return pair_terms(self.pairs, d, extra[0])

    def system(self, terms: PairTerms) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Border columns (n, k), corner (k, k) and gradient (k,) of the free parameters."""
        columns = np.column_stack([scatter_pairs(self.pairs, terms.info_dn), scatter_pairs(self.pairs, terms.info_dd)])
        mixed = terms.info_dn.sum()
        corner = np.array([[terms.info_nn.sum(), mixed], [mixed, terms.info_dd.sum()]])
        slope = np.array([terms.score_nu.sum(), terms.score_d.sum()])
        return columns[:, self.free], corner[np.ix_(self.free, self.free)], slope[self.free]


def _standard_errors(
    graph: Laplacian, border: _Border, terms: PairTerms, reference: int | None
) -> tuple[FloatArray, FloatArray]:
    """Standard errors from the inverse of the whole information matrix, border included."""
    columns, corner, _ = border.system(terms)
    unit = np.zeros((graph.n, 0 if reference is None else 1))
    if reference is not None:
        unit[reference] = 1.0
    solved = graph.solve(np.column_stack([columns, unit]))
    through, column = solved[:, : columns.shape[1]], solved[:, columns.shape[1] :]
    variance = graph.inverse_diagonal()
    if reference is not None:  # contrasts; undefined across components, where no comparison links the two
        variance = variance + variance[reference] - 2 * column[:, 0]
        variance[graph.component != graph.component[reference]] = np.nan
        variance[reference] = 0.0
        through = through - through[reference]
    extra_se = np.full(2, np.nan)
    if border.free.any():
        covariance = np.linalg.inv(corner - columns.T @ solved[:, : columns.shape[1]])
        variance = variance + np.einsum("ij,jk,ik->i", through, covariance, through)
        extra_se[border.free] = np.sqrt(np.diag(covariance))
    return np.sqrt(np.maximum(variance, 0)), extra_se
