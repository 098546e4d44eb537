"""Coordinates to sample in: where ratings tell the items' spread better than comparisons do, it is on their scale."""

from dataclasses import dataclass

import numpy as np

from ppaint_stats.joint.parameters import Layout
from ppaint_stats.kernels.joint.data import NAMES, JointData
from ppaint_stats.typing import FloatArray, IntArray


@dataclass(frozen=True)
class Coordinates:
    """Where the items' covariance factor and the rating slopes stand in the flat vector.

    The sampled factor is diag(h) L, on the scale of the ratings, which it takes together with the slopes h to that of
    the preferences, L. Row d of the factor belongs to dimension d. Without entries nothing is changed.

    Parameters
    ----------
    diagonal, slope
        Places of the factor's diagonal, by its logarithms, and of log h.
    lower, lower_row
        Places of the factor's entries below the diagonal, and the row of each.
    """

    diagonal: IntArray
    slope: IntArray
    lower: IntArray
    lower_row: IntArray

    def to_model(self, sampled: FloatArray) -> FloatArray:
        """Turn sampled vectors, on the last axis, into the parameters of the model."""
        if not len(self.slope):
            return sampled
        x = sampled.copy()
        log_slope = sampled[..., self.slope]
        x[..., self.diagonal] -= log_slope
        x[..., self.lower] *= np.exp(-log_slope[..., self.lower_row])
        return x

    def pull_back(self, x: FloatArray, value: float, gradient: FloatArray) -> tuple[float, FloatArray]:
        """Turn log density and gradient at the model's parameters into those by the sampled vector."""
        if not len(self.slope):
            return value, gradient
        log_slope = x[self.slope]
        by_slope = -gradient[self.diagonal]
        np.subtract.at(by_slope, self.lower_row, gradient[self.lower] * x[self.lower] + 1.0)
        gradient[self.slope] += by_slope
        gradient[self.lower] *= np.exp(-log_slope[self.lower_row])
        return value - float(log_slope[self.lower_row].sum()), gradient


def find_coordinates(data: JointData, layout: Layout) -> Coordinates:
    """Choose the coordinates: on the scale of ratings where raters compare but none has a taste to be sampled.

    Comparisons then say little of how far items lie apart, and ratings, in the product of slope and spread, much.

    Parameters
    ----------
    data
        The study.
    layout
        Its parameters.

    Returns
    -------
    Coordinates
        The coordinates.
    """
    none = np.zeros(0, dtype=np.int64)
    if "log_slope" not in layout.parameters or not len(data.plain_item) or len(data.unit_category):
        return Coordinates(none, none, none, none)
    starts = layout.starts
    row, column = np.tril_indices(data.n_dimensions)
    places = starts[NAMES.index("item_cov")] + np.arange(len(row))
    below = row > column
    return Coordinates(
        diagonal=places[~below],
        slope=starts[NAMES.index("log_slope")] + np.arange(data.n_dimensions),
        lower=places[below],
        lower_row=row[below].astype(np.int64),
    )
