"""Parameters of the joint model in their flat order, and what its density needs besides them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ppaint_stats.typing import FloatArray, IntArray

NAMES = (
    "lapse",
    "item_cov",
    "consensus",
    "taste_cov",
    "log_taste_spread_sd",
    "taste_spread",
    "utility",
    "taste",
    "log_sharpness_sd",
    "sharpness",
    "tie_mean",
    "log_tie_sd",
    "tie_rater",
    "log_tie_dimension_sd",
    "log_nu",
    "position_mean",
    "log_position_sd",
    "position",
    "log_slope",
    "log_discrimination_sd",
    "discrimination",
    "log_severity_sd",
    "severity_rater",
    "log_severity_dimension_sd",
    "severity",
    "category_level",
    "threshold_centre",
    "log_gap",
    "log_noise_mean",
    "log_noise_sd",
    "log_noise",
    "protocol_correlation",
    "discrepancy",
)
"""Parameters in the order in which they stand in the flat vector; those that a study has no use for have length 0."""

(
    LAPSE,
    ITEM_COV, CONSENSUS, TASTE_COV, LOG_TASTE_SPREAD_SD, TASTE_SPREAD, UTILITY, TASTE, LOG_SHARPNESS_SD, SHARPNESS,
    TIE_MEAN, LOG_TIE_SD, TIE_RATER, LOG_TIE_DIMENSION_SD, LOG_NU, POSITION_MEAN, LOG_POSITION_SD, POSITION, LOG_SLOPE,
    LOG_DISCRIMINATION_SD, DISCRIMINATION, LOG_SEVERITY_SD, SEVERITY_RATER, LOG_SEVERITY_DIMENSION_SD, SEVERITY,
    CATEGORY_LEVEL, THRESHOLD_CENTRE, LOG_GAP, LOG_NOISE_MEAN, LOG_NOISE_SD, LOG_NOISE, PROTOCOL_CORRELATION,
    DISCREPANCY,
) = np.arange(len(NAMES))  # fmt: skip
# NumPy's integers: called with a Python constant, a function would be compiled once more for each value of it.

NO_TIES = -30.0
"""Log nu where no comparison is a tie."""


class JointData(NamedTuple):
    """What the density needs besides the parameters; see :func:`ppaint_stats.joint.density.prepare_data`."""

    n_dimensions: int
    at: IntArray  # start of each parameter, and the total length
    normal_mean: FloatArray  # parameters with a plain normal prior: mean and sd; sd 0 for the others
    normal_sd: FloatArray
    eta: float
    item_prior: FloatArray  # log median, log sd
    taste_prior: FloatArray
    centred: IntArray  # by parameter: whether a hierarchy is centred
    item_start: IntArray  # of each category, among the items
    contrast_start: IntArray  # of each category, among the contrasts
    basis: FloatArray  # all distinct bases, flat
    category_basis: IntArray  # start of each category's basis
    unit_basis: IntArray
    unit_row: IntArray  # first row of each unit, and the number of their rows
    unit_column: IntArray  # first row of each rich unit in ``utility``
    unit_category: IntArray
    unit_taste: IntArray
    unit_preference: IntArray
    unit_full: IntArray
    unit_rich: IntArray
    row_item: IntArray
    plain_rater: IntArray  # rows of those who compare without a taste, after the consensus
    plain_item: IntArray
    row_pattern: IntArray  # which dimensions a row of a poor unit holds; -1 for a rich one
    row_taste: IntArray  # its first cell in ``taste``
    pattern_size: IntArray
    pattern_dimension: IntArray  # shape (patterns, dimensions): those that it holds come first
    pair_a: NDArray[np.int32]  # places in the flat utilities; small types, since large studies are read from memory
    pair_b: NDArray[np.int32]
    pair_outcome: NDArray[np.int8]
    pair_weight: FloatArray  # empty where each stands for one comparison
    pair_run: IntArray  # where each run of comparisons by one rater in one dimension starts, and their number
    run_group: IntArray  # (rater, dimension)
    run_rater: IntArray
    rating_place: IntArray
    rating_item: IntArray  # place in the flat consensus
    rating_dimension: IntArray
    rating_group: IntArray  # (rater, category)
    rating_rater: IntArray
    rating_level: IntArray
    rating_answer: FloatArray
    rating_chance: FloatArray  # density of each answer under a lapse; on ordinal scales empty
    preference_lapse: IntArray  # place of each rater who compares, and of each who rates, in ``lapse``
    rating_lapse: IntArray
    group_rater: IntArray
    group_category: IntArray
    group_preference: IntArray
    sharpness_basis: FloatArray  # contrasts, and last the mean, shape (raters, raters)
    spread_basis: FloatArray  # contrasts, shape (raters, raters - 1)
    discrimination_basis: FloatArray
    panel_basis: FloatArray  # contrasts between the raters of each panel
    level_basis: FloatArray  # contrasts between categories
    n_gaps: int
