"""How well predicted scores agree with targets while training goes on."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ppaint_distill.data import FloatArray, IntArray, TrainingData
from ppaint_stats.columns import CATEGORY, DIMENSION

MIN_ITEMS = 3
"""Fewest items of which a correlation is taken."""


def measure(data: TrainingData, rows: IntArray, predicted: npt.ArrayLike) -> pd.DataFrame:
    """Compare predicted scores with targets in each category and dimension.

    Parameters
    ----------
    data
        Training data.
    rows
        Rows that were predicted.
    predicted
        Scores, shape (rows, dimensions).

    Returns
    -------
    DataFrame
        Columns ``category, dimension, n_items, srcc, plcc, mae``. Correlations are nan with fewer than `MIN_ITEMS`
        items, and where targets or predictions are all equal.
    """
    predicted = np.asarray(predicted, dtype=np.float64)
    names = np.array([data.categories[row] for row in rows], dtype=object)
    table = []
    for category in dict.fromkeys(names):
        for place, dimension in enumerate(data.dimensions):
            kept = (names == category) & ~np.isnan(data.scores[rows, place])
            if kept.any():
                target, score = data.scores[rows, place][kept], predicted[kept, place]
                srcc, plcc = correlate_ranks(target, score), correlate(target, score)
                mae = float(np.abs(target - score).mean())
                table.append((category, dimension, int(kept.sum()), srcc, plcc, mae))
    return pd.DataFrame(table, columns=[CATEGORY, DIMENSION, "n_items", "srcc", "plcc", "mae"])


def average(table: pd.DataFrame) -> dict[str, float]:
    """Average the measures over categories and dimensions that have them.

    Parameters
    ----------
    table
        What `measure` returned.

    Returns
    -------
    dict
        ``srcc``, ``plcc``, ``mae``; nan where no cell has any.
    """
    return {name: float(table[name].mean()) if len(table) else float("nan") for name in ("srcc", "plcc", "mae")}


def correlate(x: FloatArray, y: FloatArray) -> float:
    """Return Pearson's correlation.

    Parameters
    ----------
    x, y
        Values.

    Returns
    -------
    float
        nan if there are fewer than `MIN_ITEMS`, or if all are equal.

    Examples
    --------
    >>> round(correlate(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.5])), 3)
    0.998
    """
    if len(x) < MIN_ITEMS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def correlate_ranks(x: FloatArray, y: FloatArray) -> float:
    """Return Spearman's correlation, equal values having their mean rank.

    Parameters
    ----------
    x, y
        Values.

    Returns
    -------
    float
        As `correlate`.

    Examples
    --------
    >>> correlate_ranks(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.5]))
    1.0
    """
    return correlate(
        np.asarray(pd.Series(x).rank(), dtype=np.float64), np.asarray(pd.Series(y).rank(), dtype=np.float64)
    )
