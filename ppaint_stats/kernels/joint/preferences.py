"""The preferences in the joint density: comparisons, ties, the advantage of the first position, lapses."""

import numba
import numpy as np

from ppaint_stats.kernels.joint.data import (
    LOG_NU,
    LOG_POSITION_SD,
    LOG_TIE_DIMENSION_SD,
    LOG_TIE_SD,
    NO_TIES,
    POSITION,
    POSITION_MEAN,
    TIE_MEAN,
    TIE_RATER,
)
from ppaint_stats.kernels.joint.habits import around, around_back, lapses, lapses_back, within, within_back
from ppaint_stats.kernels.joint.matrices import add_to, flatten
from ppaint_stats.kernels.judgments import davidson_logp


@numba.njit(error_model="numpy", inline="always")
def preferences_logp(x, data, utility, by_utility, gradient):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Comparisons, and the habits that only they show: ties and the advantage of the first position."""
    n_dims, at, centred = data.n_dimensions, data.at, data.centred
    middle = x[at[POSITION_MEAN] : at[POSITION_MEAN] + 1]
    total, position = around(x, at, centred, POSITION, LOG_POSITION_SD, middle)
    ties = at[TIE_RATER + 1] > at[TIE_RATER]
    tie_mean, tie_rater = np.zeros(0), np.zeros(0)
    if ties:
        tie_mean = x[at[TIE_MEAN] : at[TIE_MEAN] + 1]
        value, tie_rater = around(x, at, centred, TIE_RATER, LOG_TIE_SD, tie_mean)
        total += value
        value, log_nu = within(x, at, centred, LOG_NU, LOG_TIE_DIMENSION_SD, tie_rater, n_dims)
        total += value
    else:
        log_nu = np.zeros(len(position) * n_dims)
        for i in range(len(log_nu)):
            log_nu[i] = NO_TIES

    lapse = lapses(x, at, data.preference_lapse)
    value, by_v, by_nu, by_position, by_lapse = davidson_logp(
        flatten(utility), log_nu, position, lapse, data.pair_a, data.pair_b, data.pair_outcome, data.pair_weight,
        data.pair_run, data.run_group, data.run_rater,
    )  # fmt: skip
    total += value

    add_to(flatten(by_utility), by_v)
    lapses_back(at, data.preference_lapse, by_lapse, gradient)
    by_middle = gradient[at[POSITION_MEAN] : at[POSITION_MEAN] + 1]
    around_back(x, at, centred, POSITION, LOG_POSITION_SD, middle, by_position, by_middle, gradient)
    if ties:
        by_rater = within_back(x, at, centred, LOG_NU, LOG_TIE_DIMENSION_SD, tie_rater, by_nu, gradient)
        by_mean = gradient[at[TIE_MEAN] : at[TIE_MEAN] + 1]
        around_back(x, at, centred, TIE_RATER, LOG_TIE_SD, tie_mean, by_rater, by_mean, gradient)
    return total
