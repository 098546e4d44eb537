"""The ratings in the joint density: severity, discrimination, thresholds or noise, lapses, what sets ratings apart.

A rating's latent is a line in the utility, ``slope * (shrink * utility + gap) + offset``. Slope, offset and shrink
belong to a group, a rater in a category; the gap, between what ratings and preferences follow, to an item and a
dimension.
"""

import numba
import numpy as np

from ppaint_stats.kernels.densities import HEAVY, correlate_rows, correlate_rows_back
from ppaint_stats.kernels.joint.data import (
    CATEGORY_LEVEL,
    DISCREPANCY,
    DISCRIMINATION,
    LOG_DISCRIMINATION_SD,
    LOG_GAP,
    LOG_NOISE,
    LOG_NOISE_MEAN,
    LOG_NOISE_SD,
    LOG_SEVERITY_DIMENSION_SD,
    LOG_SEVERITY_SD,
    LOG_SLOPE,
    PROTOCOL_CORRELATION,
    SEVERITY,
    SEVERITY_RATER,
    THRESHOLD_CENTRE,
)
from ppaint_stats.kernels.joint.habits import (
    around,
    around_back,
    habit,
    habit_back,
    lapses,
    lapses_back,
    within,
    within_back,
)
from ppaint_stats.kernels.joint.matrices import (
    add_to,
    contract_items,
    expand_contrasts,
    flatten,
    multiply,
    multiply_transposed,
    view_rows,
)
from ppaint_stats.kernels.judgments import normal_logp, ordinal_logp


@numba.njit(error_model="numpy", inline="always")
def ratings_logp(x, data, utility, theta, item_factor, by_utility, by_theta, by_item_factor, by_log_e, log_e, gradient):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Ratings, and the habits that only they show: severity, discrimination, thresholds or noise."""
    n_dims, at, centred = data.n_dimensions, data.at, data.centred
    n_contrasts = data.panel_basis.shape[1]
    n_categories = len(data.level_basis)

    # Effects of raters and categories, and the lines that they make.
    total, log_a = habit(x, at, centred, DISCRIMINATION, LOG_DISCRIMINATION_SD, data.discrimination_basis, HEAVY)
    zero = np.zeros(1)
    value, rater = around(x, at, centred, SEVERITY_RATER, LOG_SEVERITY_SD, zero)
    total += value
    value, contrast = within(x, at, centred, SEVERITY, LOG_SEVERITY_DIMENSION_SD, rater, n_dims)
    total += value
    severity = multiply(data.panel_basis, contrast.reshape((n_contrasts, n_dims)))
    level = multiply(data.level_basis, view_rows(x, at[CATEGORY_LEVEL], n_categories - 1, n_dims))
    log_h = x[at[LOG_SLOPE] : at[LOG_SLOPE + 1]]
    slope, offset, shrink = _draw_lines(
        data.group_rater, data.group_category, data.group_preference, log_h, log_a, log_e, severity, level
    )
    gap = np.zeros(theta.shape)
    extra = np.zeros(theta.shape)
    if at[DISCREPANCY + 1] > at[DISCREPANCY]:
        raw = view_rows(x, at[DISCREPANCY], theta.shape[0] - n_categories, n_dims)
        rows = correlate_rows(raw, item_factor)
        extra = expand_contrasts(rows, data.basis, data.category_basis, data.item_start)
        total += _part_ways(x, at[PROTOCOL_CORRELATION], theta, extra, gap)

    # Likelihood.
    latent, eta = _follow_lines(
        flatten(utility), flatten(gap), slope, offset, shrink,
        data.rating_place, data.rating_item, data.rating_dimension, data.rating_group,
    )  # fmt: skip
    value, by_eta = _judgments_logp(x, data, eta, gradient)
    total += value

    # Backward.
    by_slope, by_offset, by_shrink = np.zeros(slope.shape), np.zeros(slope.shape), np.zeros(len(shrink))
    by_gap = np.zeros(theta.shape)
    _follow_lines_back(
        by_eta, latent, flatten(utility), slope, shrink,
        data.rating_place, data.rating_item, data.rating_dimension, data.rating_group,
        flatten(by_utility), flatten(by_gap), by_slope, by_offset, by_shrink,
    )  # fmt: skip
    by_log_h = gradient[at[LOG_SLOPE] : at[LOG_SLOPE + 1]]
    by_log_a, by_severity, by_level = np.zeros(len(log_a)), np.zeros(severity.shape), np.zeros(level.shape)
    _draw_lines_back(
        data.group_rater, data.group_category, data.group_preference, by_slope, by_offset, by_shrink,
        by_log_h, by_log_a, by_log_e, by_severity, by_level,
    )  # fmt: skip
    habit_back(
        x, at, centred, DISCRIMINATION, LOG_DISCRIMINATION_SD, data.discrimination_basis, HEAVY, by_log_a, gradient
    )
    add_to(
        gradient[at[CATEGORY_LEVEL] : at[CATEGORY_LEVEL + 1]], flatten(multiply_transposed(data.level_basis, by_level))
    )
    flow = flatten(multiply_transposed(data.panel_basis, by_severity))
    by_rater = within_back(x, at, centred, SEVERITY, LOG_SEVERITY_DIMENSION_SD, rater, flow, gradient)
    around_back(x, at, centred, SEVERITY_RATER, LOG_SEVERITY_SD, zero, by_rater, np.zeros(1), gradient)
    if at[DISCREPANCY + 1] > at[DISCREPANCY]:
        by_extra = np.zeros(theta.shape)
        _part_ways_back(x, at[PROTOCOL_CORRELATION], theta, extra, by_gap, by_theta, by_extra, gradient)
        raw = view_rows(x, at[DISCREPANCY], theta.shape[0] - n_categories, n_dims)
        by_raw = view_rows(gradient, at[DISCREPANCY], theta.shape[0] - n_categories, n_dims)
        by_rows = np.zeros(raw.shape)
        contract_items(by_extra, data.basis, data.category_basis, data.item_start, by_rows)
        correlate_rows_back(raw, item_factor, by_rows, by_raw, by_item_factor)
    return total


@numba.njit(error_model="numpy", inline="always")
def _draw_lines(group_rater, group_category, group_preference, log_h, log_a, log_e, severity, level):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Slope, offset and shrink of each group; shrink takes the scale of a rater's preferences to that of utilities."""
    n, n_dims = len(group_rater), level.shape[1]
    slope, offset, shrink = np.zeros((n, n_dims)), np.zeros((n, n_dims)), np.zeros(n)
    for g in range(n):
        r, c, p = group_rater[g], group_category[g], group_preference[g]
        shrink[g] = np.exp(-log_e[p]) if p >= 0 else 1.0
        for d in range(n_dims):
            slope[g, d] = np.exp(log_a[r] + (log_h[d] if len(log_h) else 0.0))
            offset[g, d] = level[c, d] - severity[r, d]
    return slope, offset, shrink


@numba.njit(error_model="numpy", inline="always")
def _draw_lines_back(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    group_rater, group_category, group_preference, by_slope, by_offset, by_shrink,
    by_log_h, by_log_a, by_log_e, by_severity, by_level,
):  # fmt: skip
    """Turn the gradient by the logarithms of slope and shrink and by the offset into that by the effects."""
    for g in range(len(group_rater)):
        r, c, p = group_rater[g], group_category[g], group_preference[g]
        if p >= 0:
            by_log_e[p] -= by_shrink[g]
        for d in range(by_slope.shape[1]):
            if len(by_log_h):
                by_log_h[d] += by_slope[g, d]
            by_log_a[r] += by_slope[g, d]
            by_severity[r, d] -= by_offset[g, d]
            by_level[c, d] += by_offset[g, d]


@numba.njit(error_model="numpy", inline="always")
def _follow_lines(utility, gap, slope, offset, shrink, place, item, dimension, group):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """What each rating follows, on the scale of utilities, and its latent."""
    n = len(place)
    latent, eta = np.zeros(n), np.zeros(n)
    for i in range(n):
        g, d = group[i], dimension[i]
        latent[i] = utility[place[i]] * shrink[g] + gap[item[i]]
        eta[i] = slope[g, d] * latent[i] + offset[g, d]
    return latent, eta


@numba.njit(error_model="numpy", inline="always")
def _follow_lines_back(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    by_eta, latent, utility, slope, shrink, place, item, dimension, group,
    by_utility, by_gap, by_slope, by_offset, by_shrink,
):  # fmt: skip
    """Turn the gradient by the latents into that by utilities, gaps, offsets, logarithms of slopes and of shrink."""
    for i in range(len(by_eta)):
        g, d, k = group[i], dimension[i], place[i]
        step = by_eta[i] * slope[g, d]
        by_utility[k] += step * shrink[g]
        by_shrink[g] += step * shrink[g] * utility[k]
        by_gap[item[i]] += step
        by_slope[g, d] += step * latent[i]
        by_offset[g, d] += by_eta[i]


@numba.njit(error_model="numpy", inline="always")
def _part_ways(x, first, theta, extra, gap):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Fill the gap between what ratings and preferences follow, (rho - 1) theta + sqrt(1 - rho^2) extra.

    Returns the log density of rho, which is uniform on (-1, 1): on the unconstrained scale, that of the logistic map.
    """
    total = 0.0
    for d in range(theta.shape[1]):
        rho = np.tanh(0.5 * x[first + d])
        away = np.sqrt(1.0 - rho * rho)
        total += np.log(0.25 * (1.0 - rho * rho))
        for i in range(theta.shape[0]):
            gap[i, d] = (rho - 1.0) * theta[i, d] + away * extra[i, d]
    return total


@numba.njit(error_model="numpy", inline="always")
def _part_ways_back(x, first, theta, extra, by_gap, by_theta, by_extra, gradient):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn the gradient by the gap into that by what it is made of; adds rho's own."""
    for d in range(theta.shape[1]):
        rho = np.tanh(0.5 * x[first + d])
        away = np.sqrt(1.0 - rho * rho)
        by_rho = 0.0
        for i in range(theta.shape[0]):
            by_theta[i, d] += by_gap[i, d] * (rho - 1.0)
            by_extra[i, d] += by_gap[i, d] * away
            by_rho += by_gap[i, d] * (theta[i, d] - rho / away * extra[i, d])
        gradient[first + d] += by_rho * 0.5 * (1.0 - rho * rho) - rho


@numba.njit(error_model="numpy", inline="always")
def _judgments_logp(x, data, eta, gradient):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Ratings given their latents: the thresholds or the noise, and lapses. Returns the gradient by the latents."""
    n_dims, at, centred = data.n_dimensions, data.at, data.centred
    centre = x[at[THRESHOLD_CENTRE] : at[THRESHOLD_CENTRE + 1]]
    by_centre = gradient[at[THRESHOLD_CENTRE] : at[THRESHOLD_CENTRE + 1]]
    lapse = lapses(x, at, data.rating_lapse)
    if data.n_gaps >= 0:
        log_gap = view_rows(x, at[LOG_GAP], n_dims, data.n_gaps)
        total, by_eta, by_kappa, by_lapse = ordinal_logp(
            eta, _thresholds(centre, log_gap), lapse, data.rating_dimension, data.rating_rater, data.rating_level
        )
        _thresholds_back(log_gap, by_kappa, by_centre, view_rows(gradient, at[LOG_GAP], n_dims, data.n_gaps))
    else:
        mean = x[at[LOG_NOISE_MEAN] : at[LOG_NOISE_MEAN] + 1]
        total, log_noise = around(x, at, centred, LOG_NOISE, LOG_NOISE_SD, mean)
        for i in range(len(eta)):
            eta[i] += centre[data.rating_dimension[i]]
        value, by_eta, by_noise, by_lapse = normal_logp(
            eta, log_noise, lapse, data.rating_rater, data.rating_answer, data.rating_chance
        )
        total += value
        for i in range(len(eta)):
            by_centre[data.rating_dimension[i]] += by_eta[i]
        by_mean = gradient[at[LOG_NOISE_MEAN] : at[LOG_NOISE_MEAN] + 1]
        around_back(x, at, centred, LOG_NOISE, LOG_NOISE_SD, mean, by_noise, by_mean, gradient)
    lapses_back(at, data.rating_lapse, by_lapse, gradient)
    return total, by_eta


@numba.njit(error_model="numpy", inline="always")
def _thresholds(centre, log_gap):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Thresholds: cumulated gaps, moved so that their mean is the centre."""
    n_dims, n = log_gap.shape
    kappa = np.zeros((n_dims, n + 1))
    for d in range(n_dims):
        mean = 0.0
        for k in range(n):
            kappa[d, k + 1] = kappa[d, k] + np.exp(log_gap[d, k])
            mean += kappa[d, k + 1] / (n + 1.0)
        for k in range(n + 1):
            kappa[d, k] += centre[d] - mean
    return kappa


@numba.njit(error_model="numpy", inline="always")
def _thresholds_back(log_gap, by_kappa, by_centre, by_log_gap):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn the gradient by the thresholds into that by the centre and the gaps; adds to both."""
    n_dims, n = log_gap.shape
    for d in range(n_dims):
        all_of_it = 0.0
        for k in range(n + 1):
            all_of_it += by_kappa[d, k]
        by_centre[d] += all_of_it
        above = all_of_it
        for k in range(n):
            above -= by_kappa[d, k]  # gradient of what lies above gap k
            by_log_gap[d, k] += np.exp(log_gap[d, k]) * (above - all_of_it * (n - k) / (n + 1.0))
