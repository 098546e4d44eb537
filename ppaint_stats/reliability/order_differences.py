"""Differences between protocols of statistics that follow from the mean rank correlation, shrunk on its scale."""

from collections.abc import Mapping

import numpy as np

from ppaint_stats.kernels.jackknife import Spread
from ppaint_stats.kernels.orders import expect_leave_one_out, expect_split_half
from ppaint_stats.reliability.estimate import Estimate, shrink_interval

MAX_STRETCH = 2.0
"""Largest factor between a difference and what raters who all correlate alike would give."""

EXPECTED = {"rank_leave_one_out": expect_leave_one_out, "rank_split_half": expect_split_half}
"""What panels of m raters give, by statistic. W is linear in the mean rank correlation and needs no translation."""


def shrink_order_difference(
    name: str, found: Mapping[str, Estimate], correlation: Mapping[str, Estimate], spread: Spread | None
) -> Estimate:
    r"""Shrink the replicates of a difference between two protocols' agreement of orders.

    Parameters
    ----------
    name
        A statistic of `EXPECTED`.
    found
        Its ``ratings, preferences, difference`` with paired replicates.
    correlation
        The same of the mean rank correlation.
    spread
        Of the difference of mean rank correlations.

    Returns
    -------
    Estimate
        The difference, as `shrink_interval` returns it.

    Notes
    -----
    Both statistics rise with the mean rank correlation :math:`\bar\rho` of two raters, steeply where it is small and
    hardly where it is large. Their replicates are skewed: shrinking differences around the point would take across 0 an
    end of the interval that lies on the other side for :math:`\bar\rho`, and call one fact decided and open at
    once. With f(r) the statistic of a panel whose raters all correlate by r, the difference varies as
    :math:`f(\bar\rho_P + k (\bar\rho_P^* - \bar\rho_P)) - f(\bar\rho_R + k (\bar\rho_R^* - \bar\rho_R))` does,
    with replicates :math:`\bar\rho^*` and the factor k of the difference in :math:`\bar\rho`. Where both panels are
    of one size, each replicate has the sign that it has for :math:`\bar\rho`. Raters do not all correlate alike:
    replicates are stretched, by at most 2 or 1/2, to the difference that was found.

    The factor is that of :math:`\bar\rho` because it is so in the case that matters, that of two equal protocols:
    near it the difference is that of :math:`\bar\rho` times a constant.
    """
    difference = found["difference"]
    expected = EXPECTED[name]
    if spread is None or difference.draws is None or np.isnan(difference.lower):
        return shrink_interval(difference, spread)
    middle, moved = [], []
    for side in ("preferences", "ratings"):
        point, draws, m = correlation[side].estimate, correlation[side].draws, found[side].n_raters
        if draws is None:  # never: a spread comes from replicates
            return shrink_interval(difference, spread)
        lowest = -1 / (m - 1)  # the least that m raters can all correlate by; a mean over some of them may be less
        middle.append(float(expected(np.array([max(point, lowest)]), m)[0]))
        moved.append(expected(np.clip(point + spread.shrinkage * (draws - point), lowest, 1.0), m))
    plain = middle[0] - middle[1]
    stretch = np.clip(difference.estimate / plain, 1 / MAX_STRETCH, MAX_STRETCH) if plain else 1.0
    shrunk = stretch * (moved[0] - moved[1])
    return shrink_interval(difference, spread, shrunk=np.where(np.isnan(difference.draws), np.nan, shrunk))
