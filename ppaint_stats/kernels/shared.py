"""Rank correlations under item weights, and under exchanges of the items of one side."""

import numpy as np
from scipy import stats

from ppaint_stats.typing import FloatArray

LEAST_ITEMS = 3
"""Items from which on a rank correlation is reported."""


def weighted_spearman(x: FloatArray, y: FloatArray, weight: FloatArray) -> FloatArray:
    """Spearman's correlation for item multiplicities.

    Parameters
    ----------
    x, y
        Scores, shape (items,); items that one of them lacks are left out.
    weight
        Multiplicities, shape (samples, items).

    Returns
    -------
    ndarray of shape (samples,)
        Correlations of midranks; nan where fewer than three items are left or all are equal.
    """
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < LEAST_ITEMS:
        return np.full(len(weight), np.nan)
    w = weight[:, known]
    total = w.sum(axis=1, keepdims=True)
    a, b = (_weighted_midranks(values[known], w) for values in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = (ranks - (w * ranks).sum(axis=1, keepdims=True) / total for ranks in (a, b))
        scale = np.sqrt((w * a**2).sum(axis=1) * (w * b**2).sum(axis=1))
        return np.where(scale > 1e-9, (w * a * b).sum(axis=1) / scale, np.nan)


def _weighted_midranks(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Midranks, shape (samples, items), in samples that hold each item ``weight`` times."""
    _, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    tied = np.add.reduceat(weight[:, order], starts, axis=1)
    return np.asarray((np.cumsum(tied, axis=1) - tied / 2)[:, place])


def standardise_ranks(values: FloatArray) -> FloatArray:
    """Ranks with mean 0 and length 1, so that a product of two is Spearman's correlation; nan if all are equal."""
    ranks = stats.rankdata(values)
    ranks = ranks - ranks.mean()
    length = float(np.linalg.norm(ranks))
    return np.asarray(ranks / length) if length > 0 else np.full(len(ranks), np.nan)
