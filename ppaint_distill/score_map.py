"""From strengths to the rating scale: a sigmoid through anchors, or one by convention."""

import warnings
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ppaint_distill.reference import Pool
from ppaint_distill.targets import Cell
from ppaint_stats.calibrate import SigmoidCalibration, fit_sigmoid
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import CalibrationWarning, DataError
from ppaint_stats.scale import RatingScale
from ppaint_stats.typing import FloatArray

MIN_ANCHORS = 2
FEW_ANCHORS = 5
"""Fewer anchors warn."""

PRIOR_REACH = 1.96
PRIOR_SHARE = 0.9
"""Without anchors, this many prior sds above the pool's mean stand at this share of the scale."""


@dataclass(frozen=True)
class ScoreMap:
    """The map of one cell.

    Parameters
    ----------
    calibration
        The sigmoid.
    map_se
        Standard error of the map by the jackknife over anchors, averaged over the pool's images, in rating units; nan
        with fewer than three anchors.
    """

    calibration: SigmoidCalibration
    map_se: float

    def describe(self) -> dict[str, object]:
        """Return the map as a table's row."""
        return {**asdict(self.calibration), "map_se": self.map_se}


def map_cell(pool: Pool, cell: Cell, anchors: pd.DataFrame | None, scale: RatingScale) -> ScoreMap:
    """Make the map of one cell.

    Parameters
    ----------
    pool
        The pool.
    cell
        Category and dimension.
    anchors
        Pool images with known scores; None takes the map by convention.
    scale
        Ends of the rating scale.

    Returns
    -------
    ScoreMap
        The map.
    """
    items = pool.items(*cell)
    strength = pool.draws[cell].mean(axis=0)
    if anchors is None:
        sd = float(pool.parameter_draws[cell]["prior_sd"].mean())
        width = PRIOR_REACH * sd / float(np.log(PRIOR_SHARE / (1 - PRIOR_SHARE)))
        nan = float("nan")
        return ScoreMap(SigmoidCalibration(0.0, width, 0.0, scale.low, scale.high, nan, 0, at_bound=False), nan)
    score = _select_anchors(anchors, cell, items, scale)
    fit = fit_sigmoid(strength, score, low=scale.low, high=scale.high, bend=False)
    known = np.flatnonzero(np.isfinite(score))
    where = f"the score anchors of {cell}"
    if fit.at_bound:
        warnings.warn(
            f"{where} do not rise with the judge's strengths: the map to the rating scale is all but flat",
            CalibrationWarning,
            stacklevel=3,
        )
    elif len(known) < FEW_ANCHORS:
        warnings.warn(
            f"{where} are {len(known)}: the map to the rating scale is poorly determined",
            CalibrationWarning,
            stacklevel=3,
        )
    return ScoreMap(fit, _leave_out(strength, score, known, scale))


def _leave_out(strength: FloatArray, score: FloatArray, known: np.ndarray, scale: RatingScale) -> float:
    """Jackknife standard error of the map at the pool's strengths, averaged over them."""
    n = len(known)
    if n < MIN_ANCHORS + 1:
        return float("nan")
    mapped = []
    for left in known:
        kept = score.copy()
        kept[left] = np.nan
        mapped.append(fit_sigmoid(strength, kept, low=scale.low, high=scale.high, bend=False).apply(strength))
    return float(np.sqrt((n - 1) * np.var(mapped, axis=0)).mean())


def _select_anchors(anchors: pd.DataFrame, cell: Cell, items: pd.Index, scale: RatingScale) -> FloatArray:
    """Score of each pool image, nan where it is no anchor."""
    missing = [name for name in (ITEM, "score") if name not in anchors]
    if missing:
        raise DataError(f"anchors lack the columns {missing}; they have {[str(c) for c in anchors.columns]}")
    rows = anchors
    for name, value in zip((CATEGORY, DIMENSION), cell, strict=True):
        if name in rows:
            rows = rows[rows[name].astype(str) == value]
    names = rows[ITEM].astype(str)
    place = items.get_indexer(pd.Index(names))
    strange = names[place < 0].tolist()
    if strange:
        raise DataError(f"anchors of {cell}: {strange[:10]} are not in the pool")
    twice = names[names.duplicated()].unique().tolist()
    if twice:
        raise DataError(f"anchors of {cell}: {twice[:10]} occur more than once")
    values = pd.to_numeric(rows["score"], errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~((values >= scale.low) & (values <= scale.high))
    if wrong.any():
        raise DataError(
            f"anchors of {cell}, column 'score': {rows['score'][wrong].tolist()[:10]}; from {scale.low:g} to "
            f"{scale.high:g} is allowed"
        )
    if len(values) < MIN_ANCHORS:
        raise DataError(f"{cell} has {len(values)} score anchors; at least {MIN_ANCHORS} are needed, or none anywhere")
    score = np.full(len(items), np.nan)
    score[place] = values
    return score
