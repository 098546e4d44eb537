"""Coordinates to sample in: those that judgments inform one by one, where no rater has a taste to be sampled."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from ppaint_stats.columns import OUTCOMES
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
class TieHabit:
    """The raters' tie habits as they stand in the flat vector, and how they grow with sharpness.

    Parameters
    ----------
    places
        Their places, one for each rater.
    log_growth
        Logarithm of q_r: a very sharp rater keeps a share of ties if log nu is q times sharpness and items' spread.
    """

    places: IntArray
    log_growth: FloatArray

    def shift(self, log_spread: FloatArray) -> FloatArray:
        """Log nu that keeps a rater's share of ties, less that of a rater who compares at random.

        ``log_spread`` is the logarithm of the items' spread in units of the rater's sharpness, shape (..., rater).
        """
        return np.asarray(np.hypot(1.0, np.exp(log_spread + self.log_growth)) - 1.0)

    def shift_slope(self, log_spread: FloatArray) -> FloatArray:
        """Derivative of the shift."""
        grown = np.exp(log_spread + self.log_growth)
        return np.asarray(grown * (grown / np.hypot(1.0, grown)))


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
    - s_r = log e_r + sum_d w_rd (f_d - l_d), for a rater of sharpness e before norming,
    - log nu_r + 1 - sqrt(1 + (q_r exp s_r)^2): comparisons tell a rater's share of ties, and the sharper a rater is,
      the larger nu must be to keep it. Differences of two items have a standard deviation of about sqrt(2) exp s_r, and
      a sharp rater calls those up to 2 log nu_r ties: q_r is the two-sided normal quantile of that share over sqrt(2).

    Without entries nothing is changed.

    Parameters
    ----------
    diagonal, slope
        Places of the factor's diagonal, by its logarithms, and of log h.
    lower, lower_row
        Places of the factor's entries below the diagonal, and the row of each.
    sharpness, discrimination
        The raters' habits; None where they are as in the model.
    ties
        The raters' tie habits; None where they are as in the model, as they are wherever sharpness is.
    """

    diagonal: IntArray
    slope: IntArray
    lower: IntArray
    lower_row: IntArray
    sharpness: Habit | None = None
    discrimination: Habit | None = None
    ties: TieHabit | None = None

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
        if self.ties is not None and self.sharpness is not None:
            x[..., self.ties.places] += self.ties.shift(sampled[..., self.sharpness.places])
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
        if self.ties is not None and self.sharpness is not None:
            slope = self.ties.shift_slope(sampled[self.sharpness.places])
            out[self.sharpness.places] += gradient[self.ties.places] * slope
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

    sharpness = find_habit("sharpness", data.sharpness_basis, data.run_rater, data.run_group % n, compared)
    return Coordinates(
        diagonal=places[~below],
        slope=starts[NAMES.index("log_slope")] + np.arange(n),
        lower=places[below],
        lower_row=row[below].astype(np.int64),
        sharpness=sharpness,
        discrimination=find_habit(
            "discrimination", data.discrimination_basis, data.rating_rater, data.rating_dimension,
            np.ones(len(data.rating_rater)),
        ),
        ties=None if sharpness is None else _find_ties(data, layout, weight, compared),
    )  # fmt: skip


def _find_ties(data: JointData, layout: Layout, weight: FloatArray, compared: FloatArray) -> TieHabit | None:
    if "tie_rater" not in layout.parameters or not layout.parameters["tie_rater"].centred:
        return None
    places = layout.starts[NAMES.index("tie_rater")] + np.arange(layout.parameters["tie_rater"].size)
    tied = np.add.reduceat(weight * (data.pair_outcome == OUTCOMES.index("TIE")), data.pair_run[:-1])
    n, n_tied = (np.bincount(data.run_rater, of_run, len(places)) for of_run in (compared, tied))
    share = (n_tied + 0.5) / (n + 1)
    return TieHabit(places, np.log(norm.ppf((1 + share) / 2) / np.sqrt(2)))
