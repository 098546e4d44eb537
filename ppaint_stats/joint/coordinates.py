"""Coordinates to sample in: those that judgments inform one by one, where no rater has a taste to be sampled."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from ppaint_stats.columns import OUTCOMES
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.kernels.joint.coordinates import pull_gradient, turn_draws
from ppaint_stats.kernels.joint.data import JointData
from ppaint_stats.typing import FloatArray, IntArray


class Habit(NamedTuple):
    """A habit of raters, its logarithms with mean 0 and no normal tails, as it stands in the flat vector.

    Attributes
    ----------
    places
        Its coordinates in ``basis``, whose last vector is the constant one; none where they are as in the model.
    basis
        Orthonormal, shape (rater, rater).
    share
        Share of each rater's judgments that is in each dimension, shape (rater, dimension).
    """

    places: IntArray
    basis: FloatArray
    share: FloatArray


class TieHabit(NamedTuple):
    """The raters' tie habits as they stand in the flat vector, and how they grow with sharpness.

    Attributes
    ----------
    places
        Their places, one for each rater; none where they are as in the model, as they are wherever sharpness is.
    log_growth
        Logarithm of q_r: a very sharp rater keeps a share of ties if log nu is q times sharpness and items' spread.
    """

    places: IntArray
    log_growth: FloatArray


class Coordinates(NamedTuple):
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
      The share is (ties + 1/2) / (comparisons + 1), over all dimensions.

    Without entries nothing is changed.

    Attributes
    ----------
    diagonal, slope
        Places of the factor's diagonal, by its logarithms, and of log h.
    lower, lower_row
        Places of the factor's entries below the diagonal, and the row of each.
    sharpness, discrimination, ties
        The raters' habits.
    """

    diagonal: IntArray
    slope: IntArray
    lower: IntArray
    lower_row: IntArray
    sharpness: Habit
    discrimination: Habit
    ties: TieHabit

    @property
    def changed(self) -> bool:
        """Whether anything is sampled in other coordinates than the model's."""
        return len(self.slope) > 0

    def to_model(self, sampled: FloatArray) -> FloatArray:
        """Turn sampled vectors, on the last axis, into the parameters of the model."""
        if not self.changed:
            return sampled
        rows = np.ascontiguousarray(sampled).reshape(-1, sampled.shape[-1])
        return np.asarray(turn_draws(rows, self).reshape(sampled.shape))

    def pull_back(
        self, sampled: FloatArray, x: FloatArray, value: float, gradient: FloatArray
    ) -> tuple[float, FloatArray]:
        """Turn log density and gradient at the model's parameters ``x`` into those by the sampled vector."""
        if not self.changed:
            return value, gradient
        log_jacobian, pulled = pull_gradient(sampled, x, gradient, self)
        return value + log_jacobian, pulled


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
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    no_habit = Habit(none, np.zeros((0, 0)), np.zeros((0, 0)))
    no_ties = TieHabit(none, nothing)
    if "log_slope" not in layout.parameters or not len(data.plain_item) or len(data.unit_category):
        return Coordinates(none, none, none, none, no_habit, no_habit, no_ties)
    n = data.n_dimensions
    row, column = np.tril_indices(n)
    entries = layout.places("item_cov")
    below = row > column

    weight = data.pair_weight if len(data.pair_weight) else np.ones(len(data.pair_a))
    compared = np.add.reduceat(weight, data.pair_run[:-1])
    tied = np.add.reduceat(weight * (data.pair_outcome == OUTCOMES.index("TIE")), data.pair_run[:-1])

    def find_habit(name: str, basis: FloatArray, rater: IntArray, dimension: IntArray, weight: FloatArray) -> Habit:
        if not _is_centred(name, layout):
            return no_habit
        share = np.zeros((len(basis), n))
        np.add.at(share, (rater, dimension), weight)
        return Habit(layout.places(name), basis, share / share.sum(axis=1, keepdims=True))

    def find_ties() -> TieHabit:
        if not (_is_centred("tie_rater", layout) and len(sharpness.places)):
            return no_ties
        places = layout.places("tie_rater")
        n_compared, n_tied = (np.bincount(data.run_rater, values, len(places)) for values in (compared, tied))
        return TieHabit(places, find_log_growth((n_tied + 0.5) / (n_compared + 1)))

    rated = np.ones(len(data.rating_rater))
    sharpness = find_habit("sharpness", data.sharpness_basis, data.run_rater, data.run_group % n, compared)
    discrimination = find_habit(
        "discrimination", data.discrimination_basis, data.rating_rater, data.rating_dimension, rated
    )
    return Coordinates(
        diagonal=entries[~below],
        slope=layout.places("log_slope"),
        lower=entries[below],
        lower_row=row[below].astype(np.int64),
        sharpness=sharpness,
        discrimination=discrimination,
        ties=find_ties(),
    )


def find_log_growth(share: FloatArray) -> FloatArray:
    """Logarithm of how log nu grows with sharpness times the items' spread, by shares of ties strictly in (0, 1)."""
    return np.asarray(np.log(ndtri((1 + share) / 2) / np.sqrt(2)))


def _is_centred(name: str, layout: Layout) -> bool:
    return name in layout.parameters and layout.parameters[name].centred
