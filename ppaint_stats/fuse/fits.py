"""What a fusion of one cell returns, and the scale score that the fusions share."""

from dataclasses import dataclass, field

import numpy as np

from ppaint_stats.calibrate import SigmoidCalibration, fit_sigmoid
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fuse.cells import Cell
from ppaint_stats.kernels.additive import AdditiveFit
from ppaint_stats.kernels.shrink import estimate_spread
from ppaint_stats.typing import FloatArray


@dataclass(frozen=True)
class CellFit:
    """Scores of one cell.

    Parameters
    ----------
    latent
        Scores on the method's own scale, shape (items,).
    score
        Scores on the rating scale, shape (items,); the latent scores where there is no rating.
    covariance
        Covariance of the latent scores given these raters, from the curvature of the objective, shape (items, items);
        that of the scores where there is no calibration.
    parameters
        Estimates and diagnostics of the method, by name.
    calibration
        Map from latent to score; None if the score needs none.
    converged
        Whether every iteration met its tolerance.
    state
        What a refit on nearly the same data may start from.
    """

    latent: FloatArray
    score: FloatArray
    covariance: FloatArray
    parameters: dict[str, float]
    calibration: SigmoidCalibration | None
    converged: bool
    state: object = field(repr=False, default=None)


def calibrate_latent(
    cell: Cell, latent: FloatArray, ratings: AdditiveFit, *, bend: bool = True
) -> SigmoidCalibration | None:
    """Fit the map from latent scores to a cell's rating scores; None without ratings."""
    if not cell.has_ratings:
        return None
    weight = np.bincount(cell.rated, weights=cell.rating_weight, minlength=cell.n_items)
    if (weight > 0).sum() < 2:
        raise ArgumentError(
            f"{cell.name}: {(weight > 0).sum()} item is rated, and the map to the rating scale needs 2; rate more, "
            "or drop the ratings for latent scores"
        )
    return fit_sigmoid(latent, ratings.item, low=cell.low, high=cell.high, weight=weight, bend=bend)


def fit_ratings_cell(cell: Cell, *, shrink: bool) -> CellFit:
    r"""Score a cell by its ratings alone.

    The score is the item effect of the additive model; with ``shrink`` its best linear prediction,
    :math:`\bar r + (r_i - \bar r)\,\omega^2 / (\omega^2 + s_i^2)` with :math:`\omega` by maximum likelihood.
    """
    ratings = cell.fit_ratings()
    centre = float(ratings.item.mean())
    known = bool(np.isfinite(ratings.item_se).all())
    # one rating per item and rater leaves no residual: then nothing tells noise from differences between items
    se = ratings.item_se if known else np.full(cell.n_items, float(np.std(ratings.item)))
    latent = ratings.item - centre
    spread = estimate_spread(latent, se)
    keep = np.ones(cell.n_items)
    if shrink and known:
        keep = np.divide(spread**2, spread**2 + se**2, out=np.ones(cell.n_items), where=spread**2 + se**2 > 0)
    latent = keep * latent
    return CellFit(
        latent=latent,
        score=np.clip(centre + latent, cell.low, cell.high),
        covariance=np.diag(keep * se**2),
        parameters={
            "rating_sd": ratings.error_sd,
            "strength_sd": spread,
            "rating_share": float(keep.mean()),
            "rating_components": float(ratings.n_components),
        },
        calibration=None,
        converged=True,
    )
