"""Coordinates to sample in: those that judgments inform one by one, where no rater has a taste to be sampled."""

from dataclasses import dataclass

import numpy as np

from ppaint_stats.joint.parameters import Layout
from ppaint_stats.kernels.joint.data import NAMES, JointData
from ppaint_stats.typing import FloatArray, IntArray


@dataclass(frozen=True)
class Habit:
    """A habit of raters, its logarithms heavy-tailed and with mean 0, as it stands in the flat vector.

    Parameters
    ----------
    places
        Its coordinates in ``basis``, whose last vector is the constant one.
    basis
        Orthonormal, shape (rater, rater).
    share
        Share of each rater's judgments that is in each dimension, shape (rater, dimension).
    """

    places: IntArray
    basis: FloatArray
    share: FloatArray


@dataclass(frozen=True)
class Coordinates:
    """Coordinates in which judgments inform each rater's habits apart from all else.

    Comparisons say how far items lie apart in units of a rater's sharpness, ratings how far in units of a rater's
    discrimination. The items' spread, the slope between the protocols and the raters' means, by which sharpness and
    discrimination are normed, each take part in all of these, and raters who answer without noise or at random move
    the means far. With F the factor of the items' covariance and f_d the logarithm of the length of its row d, both on
    the scale of ratings by a rater of discrimination 1 before norming, and l_d the logarithm of a slope to the scale of
    a rater of sharpness 1 before norming, what is sampled is

    - F and l,
    - log a_r + sum_d w_rd f_d, for a rater of discrimination a before norming, w_rd the rater's share in dimension d,
    - log e_r + sum_d w_rd (f_d - l_d), for a rater of sharpness e before norming.

    Without entries nothing is changed.

    Parameters
    ----------
    diagonal, slope
        Places of the factor's diagonal, by its logarithms, and of log h.
    lower, lower_row
        Places of the factor's entries below the diagonal, and the row of each.
    sharpness, discrimination
        The raters' habits; None where they are as in the model.
    """

    diagonal: IntArray
    slope: IntArray
    lower: IntArray
    lower_row: IntArray
    sharpness: Habit | None = None
    discrimination: Habit | None = None

    def to_model(self, sampled: FloatArray) -> FloatArray:
        """Turn sampled vectors, on the last axis, into the parameters of the model."""
        if not len(self.slope):
            return sampled
        x = sampled.copy()
        log_length = 0.5 * np.log(self._square_lengths(sampled))
        slope = sampled[..., self.slope]
        rated = self._norm(sampled, x, self.discrimination, log_length)
        compared = self._norm(sampled, x, self.sharpness, log_length - slope)
        x[..., self.slope] = slope + rated - compared
        shift = compared - slope
        x[..., self.diagonal] += shift
        x[..., self.lower] *= np.exp(shift[..., self.lower_row])
        return x

    def pull_back(
        self, sampled: FloatArray, x: FloatArray, value: float, gradient: FloatArray
    ) -> tuple[float, FloatArray]:
        """Turn log density and gradient at the model's parameters ``x`` into those by the sampled vector."""
        if not len(self.slope):
            return value, gradient
        out = gradient.copy()
        by_slope = gradient[self.slope]
        by_shift = gradient[self.diagonal].copy()
        np.add.at(by_shift, self.lower_row, gradient[self.lower] * x[self.lower] + 1.0)
        by_rated = self._norm_back(gradient, out, self.discrimination, by_slope.sum())
        by_compared = self._norm_back(gradient, out, self.sharpness, by_shift.sum() - by_slope.sum())
        out[self.slope] = by_slope - by_shift - by_compared
        # The shift of each row, from the diagonal's: the model's coordinates less the sampled ones.
        shift = x[self.diagonal] - sampled[self.diagonal]
        by_length = (by_rated + by_compared) / self._square_lengths(sampled)
        out[self.diagonal] = gradient[self.diagonal] + by_length * np.exp(2 * sampled[self.diagonal])
        stretched = gradient[self.lower] * np.exp(shift[self.lower_row])
        out[self.lower] = stretched + by_length[self.lower_row] * sampled[self.lower]
        return value + float(shift[self.lower_row].sum()), out

    def _square_lengths(self, sampled: FloatArray) -> FloatArray:
        """Squared length of each row of the factor."""
        squares = np.exp(2 * sampled[..., self.diagonal])
        for place, row in zip(self.lower, self.lower_row, strict=True):
            squares[..., row] += sampled[..., place] ** 2
        return squares

    @staticmethod
    def _norm(sampled: FloatArray, x: FloatArray, habit: Habit | None, by_dimension: FloatArray) -> FloatArray:
        """Write a habit's coordinates in the model, and return its mean before norming, with an axis of length 1."""
        if habit is None:
            return np.zeros((*sampled.shape[:-1], 1))
        raw = sampled[..., habit.places] - by_dimension @ habit.share.T
        x[..., habit.places] = raw @ habit.basis
        return np.asarray(raw.mean(axis=-1, keepdims=True))

    @staticmethod
    def _norm_back(gradient: FloatArray, out: FloatArray, habit: Habit | None, by_mean: float) -> FloatArray:
        """Write the gradient by a habit's sampled coordinates, and return that by what was taken off by dimension."""
        if habit is None:
            return np.zeros(1)
        by_raw = habit.basis @ gradient[habit.places] + by_mean / len(habit.places)
        out[habit.places] = by_raw
        return np.asarray(-by_raw @ habit.share)


def find_coordinates(data: JointData, layout: Layout) -> Coordinates:
    """Choose the coordinates: others than the model's where raters compare but none has a taste to be sampled.

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
    starts, n = layout.starts, data.n_dimensions
    row, column = np.tril_indices(n)
    places = starts[NAMES.index("item_cov")] + np.arange(len(row))
    below = row > column

    weight = data.pair_weight if len(data.pair_weight) else np.ones(len(data.pair_a))
    compared = np.add.reduceat(weight, data.pair_run[:-1])

    def find_habit(
        name: str, basis: FloatArray, rater: IntArray, dimension: IntArray, weight: FloatArray
    ) -> Habit | None:
        if name not in layout.parameters or not layout.parameters[name].centred:
            return None
        share = np.zeros((len(basis), n))
        np.add.at(share, (rater, dimension), weight)
        at = starts[NAMES.index(name)] + np.arange(len(basis))
        return Habit(at, basis, share / share.sum(axis=1, keepdims=True))

    return Coordinates(
        diagonal=places[~below],
        slope=starts[NAMES.index("log_slope")] + np.arange(n),
        lower=places[below],
        lower_row=row[below].astype(np.int64),
        sharpness=find_habit("sharpness", data.sharpness_basis, data.run_rater, data.run_group % n, compared),
        discrimination=find_habit(
            "discrimination", data.discrimination_basis, data.rating_rater, data.rating_dimension,
            np.ones(len(data.rating_rater)),
        ),
    )  # fmt: skip
