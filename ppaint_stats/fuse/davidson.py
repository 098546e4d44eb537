"""Anchored Davidson fusion."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from ppaint_stats.arguments import check_positive
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fuse.cells import Cell
from ppaint_stats.fuse.engine import Interval, fuse_cells
from ppaint_stats.fuse.fits import CellFit, calibrate_latent, fit_ratings_cell
from ppaint_stats.fusion import Fusion
from ppaint_stats.kernels.additive import AdditiveFit
from ppaint_stats.kernels.anchored import (
    AnchoredFit,
    AnchoredProblem,
    estimate_design_effect,
    find_slow_directions,
    fit_anchored,
)
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, Protocols, RandomSeed, Target

type Discount = Literal["unshared", "all", "none"]

SLOW_DIRECTIONS = 5
"""Slowest directions of a comparison graph along which strengths have a spread of their own."""


@dataclass(frozen=True)
class AnchoredCell:
    """Anchored Davidson fit of one cell with what led to it; ``discount`` is by what the comparisons were divided."""

    fit: AnchoredFit
    ratings: AdditiveFit
    centre: float
    design_effect: float
    discount: float
    anchor_precision: FloatArray
    prior: FloatArray
    rating_weight: float

    def noise_covariance(self) -> FloatArray:
        """Covariance of the strengths given these raters: the judgments' noise, and the doubt that shrinkage leaves.

        With H the Hessian, L the information of the comparisons and D their discount, the mode solves
        H lambda = L lambda / D + pull of the ratings: comparisons are weighed down by D, but their own noise is only L;
        likewise ratings of weight w pull with w times the variance that their information would have.
        """
        inverse, anchor = self.fit.covariance, np.diag(self.anchor_precision)
        comparisons = np.linalg.inv(inverse) - anchor - self.prior
        middle = comparisons / self.discount + self.rating_weight * anchor + self.prior
        return np.asarray(inverse @ middle @ inverse)

    def rating_share(self) -> float:
        """The ratings' share of the information on an item, averaged over items."""
        return float((self.anchor_precision * np.diag(self.fit.covariance)).mean())


def fit_anchored_cell(
    cell: Cell,
    *,
    rating_weight: float = 1.0,
    order_effect: bool = True,
    discount: Discount = "unshared",
    start: AnchoredCell | None = None,
) -> AnchoredCell:
    """Fit the anchored Davidson model to a cell, design effect included."""
    ratings = cell.fit_ratings()
    rating, se = ratings.item, np.nan_to_num(ratings.item_se, nan=0.0)
    centre = float(np.nanmean(rating)) if cell.has_ratings else 0.0
    weight = rating_weight if cell.uses_ratings else 0.0
    pairs = cell.count_pairs(keep_order=order_effect)
    problem = AnchoredProblem(
        pairs=pairs,
        slow=find_slow_directions(pairs, cell.components(), count=SLOW_DIRECTIONS),
        rating=rating - centre if cell.uses_ratings else np.full(cell.n_items, np.nan),
        rating_se=se,
        rating_weight=weight,
        order_effect=order_effect and len(cell.a) > 0,
        design_effect=1.0 if start is None else start.discount,
    )
    fit = fit_anchored(problem, start=None if start is None else start.fit)
    effect, share = 1.0, share_to_discount(cell, discount)
    for _ in range(4 if bool((cell.pair_rater >= 0).all()) else 0):
        effect = estimate_design_effect(cell.a, cell.b, cell.outcome, cell.pair_weight, cell.pair_rater, fit)
        applied = 1 + share * (effect - 1)
        if abs(applied / problem.design_effect - 1) < 0.02:
            break
        problem = replace(problem, design_effect=applied)
        fit = fit_anchored(problem, start=fit)
    at = fit.parameters
    variance = at.rating_sd**2 + problem.rating_se**2
    precision = np.where(problem.rated, weight * at.slope**2 / variance, 0.0)
    return AnchoredCell(
        fit=fit,
        ratings=ratings,
        centre=centre,
        design_effect=effect,
        discount=problem.design_effect,
        anchor_precision=precision,
        prior=problem.prior_precision(at),
        rating_weight=weight,
    )


def share_to_discount(cell: Cell, discount: Discount) -> float:
    """Share of the comparisons whose raters' tastes the ratings do not share.

    What one person's comparisons have in common, the taste, is in that person's ratings too: it cannot be averaged
    out by trusting the ratings more. Only comparisons by other people than the raters are worth less than they seem
    when they are weighed against ratings. Without ratings there is nothing to weigh.
    """
    if discount == "none" or not cell.uses_ratings:
        return 0.0
    if discount == "all":
        return 1.0
    apart = ~np.isin(cell.pair_rater, cell.raters()[0])
    return float(cell.pair_weight[apart].sum() / cell.pair_weight.sum())


def fuse_davidson(
    study: Study,
    *,
    interval: Interval = "auto",
    interval_prob: float = 0.9,
    target: Target = "population",
    protocols: Protocols = "both",
    rating_weight: float = 1.0,
    order_effect: bool = True,
    discount: Discount = "unshared",
    bend: bool = True,
    n_boot: int = 200,
    random_seed: RandomSeed = 0,
    progressbar: bool = False,
) -> Fusion:
    r"""Fuse ratings and preferences by the anchored Davidson model.

    Parameters
    ----------
    study
        Ratings and preferences.
    interval
        Kind of interval: "jackknife" leaves out one rater at a time, "bootstrap" reweights raters and items, "hessian"
        speaks of these raters only (too narrow for a claim about experts), "none". By default ("auto") the
        jackknife, for ``target="panel"`` the Hessian.
    interval_prob
        Probability of the intervals.
    target
        "population": the score that other raters of this kind would give; "panel": that of these raters; "relative":
        the score minus its category's mean.
    protocols
        "both", or one of "ratings" and "preferences": then the other likelihood is dropped. With "preferences" ratings
        serve only to map the strengths to the scale.
    rating_weight
        Multiplies the log-likelihood of the ratings; 1 keeps the estimated weight, 0 fits preferences only.
    order_effect
        Whether an effect of the first position is estimated.
    discount
        Which comparisons count for less than independent ones when they are weighed against the ratings: "unshared",
        those by people who did not rate (the others' tastes are in the ratings as well); "all"; "none".
    bend
        Whether the map to the rating scale may bend; False is the plain sigmoid.
    n_boot
        Samples of the bootstrap.
    random_seed
        Seed of everything random.
    progressbar
        Whether a bar shows the progress.

    Returns
    -------
    Fusion
        Scores with intervals. ``parameters`` holds, per category and dimension, ``slope`` (beta), ``rating_sd`` (tau),
        ``strength_sd`` (omega), ``slow_sd``, ``log_nu``, ``order_effect``, ``design_effect``, ``discount`` (what the
        comparisons' log-likelihood was divided by), ``rating_share`` (the ratings' mean share of the information on an
        item), and both log-likelihoods.

    Raises
    ------
    DisconnectedGraphError
        If nothing links some items to the others.
    ArgumentError
        If an argument is not allowed or the interval cannot be had.

    Notes
    -----
    Per category and dimension, with r the item effects of the two-way additive model of the ratings, s their standard
    errors (Davidson 1970; Laplace's method integrates the strengths out and all parameters maximise the result),

    .. math::

       r_i - \bar r \sim N(\beta\lambda_i, \tau^2 + s_i^2), \quad \lambda_i \sim N(0, \omega^2), \quad
       P(A) : P(TIE) : P(B) = e^{d/2} : \nu : e^{-d/2}, \quad d = \lambda_A - \lambda_B + \delta .

    The log-likelihood of the comparisons is divided by 1 + q (D - 1), with D their rater-sandwich design effect and q
    the share that ``discount`` names.

    The slowest directions of the comparison graph have a spread of their own, ``slow_sd``: in a design that pairs
    neighbours of a first order they carry the items' trend, of which each comparison tells little. The score is the
    strength on the rating scale by :func:`ppaint_stats.fit_sigmoid`.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> fusion = ps.fuse_davidson(sim.study)
    >>> fusion.scores.columns[:9].tolist()
    ['category', 'dimension', 'item', 'score', 'sd', 'lower', 'upper', 'rank', 'latent']
    >>> bool(fusion.scores["score"].between(1, 5).all())
    True
    """
    if discount not in get_args(Discount.__value__):
        raise ArgumentError(f"discount={discount!r} is not one of {list(get_args(Discount.__value__))}")
    if rating_weight != 0:
        check_positive("rating_weight", rating_weight)
    # without ratings in the likelihood this is a fit of preferences, with the same demands on the graph
    protocols = "preferences" if rating_weight == 0 and protocols == "both" else protocols

    def fit(cell: Cell, start: CellFit | None) -> CellFit:
        if not len(cell.a) or (cell.uses_ratings and (cell.outcome == 1).all()):  # nothing but ties orders no item
            return fit_ratings_cell(cell, shrink=True)
        state = start.state if start is not None and isinstance(start.state, AnchoredCell) else None
        anchored = fit_anchored_cell(
            cell, rating_weight=rating_weight, order_effect=order_effect, discount=discount, start=state
        )
        return _score_cell(cell, anchored, bend=bend)

    return fuse_cells(
        study, fit, method="davidson", interval=interval, interval_prob=interval_prob, target=target,
        protocols=protocols, n_boot=n_boot, random_seed=random_seed, progressbar=progressbar,
        settings={"rating_weight": rating_weight, "order_effect": order_effect, "discount": discount, "bend": bend},
    )  # fmt: skip


def _score_cell(cell: Cell, anchored: AnchoredCell, *, bend: bool) -> CellFit:
    fit = anchored.fit
    calibration = calibrate_latent(cell, fit.strength, anchored.ratings, bend=bend)
    at = fit.parameters
    return CellFit(
        latent=fit.strength,
        score=fit.strength if calibration is None else calibration.apply(fit.strength),
        covariance=anchored.noise_covariance(),
        parameters={
            "slope": at.slope if cell.uses_ratings else float("nan"),
            "rating_sd": at.rating_sd if cell.uses_ratings else float("nan"),
            "strength_sd": at.strength_sd,
            "slow_sd": at.slow_sd,
            "log_nu": at.log_nu,
            "order_effect": at.order_effect,
            "design_effect": anchored.design_effect,
            "discount": anchored.discount,
            "rating_share": anchored.rating_share(),
            "loglik_preferences": fit.loglik_preferences,
            "loglik_ratings": fit.loglik_ratings,
            "log_marginal": fit.marginal,
            "rating_components": float(anchored.ratings.n_components),
        },
        calibration=calibration,
        converged=fit.converged,
        state=anchored,
    )
