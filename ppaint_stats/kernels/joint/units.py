"""Utilities of raters with a taste of their own, forward and backward, one unit, a rater in a category, at a time."""

import numba
import numpy as np

from ppaint_stats.kernels.densities import rows_logp
from ppaint_stats.kernels.joint.data import TASTE, UTILITY
from ppaint_stats.kernels.joint.matrices import add_to, flatten, multiply, multiply_transposed, view_rows
from ppaint_stats.kernels.joint.tastes import center_cells, factor_patterns, factor_patterns_back


@numba.njit(error_model="numpy", inline="always")
def units_forward(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    x, data, theta, consensus, log_e, log_spread, factor, inverse,
    utility, gradient, by_factor, by_consensus, by_theta, by_log_e, by_log_spread,
):  # fmt: skip
    """Utilities of every unit, on the scale of its rater's preferences; the prior of rich ones and its gradient."""
    n_dims, total = data.n_dimensions, 0.0
    raw = x[data.at[TASTE] : data.at[TASTE + 1]]
    factors = factor_patterns(factor, data.pattern_size, data.pattern_dimension)
    for j in range(len(data.unit_category)):
        row, end = data.unit_row[j], data.unit_row[j + 1]
        n = end - row
        items, own_utility = data.row_item[row:end], utility[row:end]
        r, p = data.unit_taste[j], data.unit_preference[j]
        scale, spread = np.exp(log_e[p]) if p >= 0 else 1.0, np.exp(log_spread[r])
        if not data.unit_rich[j]:
            _draw_tastes(data, row, raw, factors, own_utility)
            center_cells(data.row_pattern[row:end], data.pattern_size, data.pattern_dimension, own_utility)
            for i in range(n):
                for d in range(n_dims):
                    own_utility[i, d] = scale * (theta[items[i], d] + spread * own_utility[i, d])
            continue
        basis = view_rows(data.basis, data.unit_basis[j], n, n - 1)
        first = data.at[UTILITY] + data.unit_column[j] * n_dims
        own = view_rows(x, first, n - 1, n_dims)
        add_to(flatten(own_utility), flatten(multiply(basis, own)))
        start = data.contrast_start[data.unit_category[j]]
        if data.unit_full[j]:
            centre, by_centre = consensus[start : start + n - 1], by_consensus[start : start + n - 1]
        else:
            centre = multiply_transposed(basis, _level_items(items, theta, scale, own_utility))
            by_centre = np.zeros((n - 1, n_dims))
        value, by_e, by_spread = _rich_prior(
            own, centre, scale, spread, factor, inverse, by_factor, by_centre, view_rows(gradient, first, n - 1, n_dims)
        )
        total += value
        by_log_spread[r] += by_spread
        if p >= 0:
            by_log_e[p] += by_e
        if not data.unit_full[j]:
            _scatter_rows(multiply(basis, by_centre), items, 1.0, by_theta)
    return total


@numba.njit(error_model="numpy", inline="always")
def units_backward(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    x, data, theta, log_e, log_spread, factor, utility, by_utility,
    gradient, by_factor, by_theta, by_log_e, by_log_spread,
):  # fmt: skip
    """Gradient by every unit's utilities turned into that by its parameters."""
    n_dims = data.n_dimensions
    raw, by_raw = x[data.at[TASTE] : data.at[TASTE + 1]], gradient[data.at[TASTE] : data.at[TASTE + 1]]
    factors = factor_patterns(factor, data.pattern_size, data.pattern_dimension)
    by_factors = np.zeros(factors.shape)
    for j in range(len(data.unit_category)):
        row, end = data.unit_row[j], data.unit_row[j + 1]
        n = end - row
        items, flow = data.row_item[row:end], by_utility[row:end]
        r, p = data.unit_taste[j], data.unit_preference[j]
        scale, spread = np.exp(log_e[p]) if p >= 0 else 1.0, np.exp(log_spread[r])
        by_e = 0.0
        if not data.unit_rich[j]:
            by_taste = np.zeros((n, n_dims))
            for i in range(n):
                for d in range(n_dims):
                    by_taste[i, d] = scale * spread * flow[i, d]
                    by_e += flow[i, d] * utility[row + i, d]
                    by_log_spread[r] += flow[i, d] * (utility[row + i, d] - scale * theta[items[i], d])
            center_cells(data.row_pattern[row:end], data.pattern_size, data.pattern_dimension, by_taste)
            _draw_tastes_back(data, row, raw, factors, by_taste, by_raw, by_factors)
            _scatter_rows(flow, items, scale, by_theta)
        else:
            basis = view_rows(data.basis, data.unit_basis[j], n, n - 1)
            first = data.at[UTILITY] + data.unit_column[j] * n_dims
            add_to(flatten(view_rows(gradient, first, n - 1, n_dims)), flatten(multiply_transposed(basis, flow)))
            if not data.unit_full[j]:
                by_e = _level_items_back(items, theta, scale, flow, by_theta)
        if p >= 0:
            by_log_e[p] += by_e
    factor_patterns_back(factor, factors, by_factors, data.pattern_size, data.pattern_dimension, by_factor)


@numba.njit(error_model="numpy", inline="always")
def _draw_tastes(data, row, raw, factors, taste):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Fill the tastes of a unit, whose first row is ``row``, from independent standard normal cells."""
    for i in range(len(taste)):
        k, start = data.row_pattern[row + i], data.row_taste[row + i]
        for a in range(data.pattern_size[k]):
            value = 0.0
            for b in range(a + 1):
                value += factors[k, a, b] * raw[start + b]
            taste[i, data.pattern_dimension[k, a]] = value


@numba.njit(error_model="numpy", inline="always")
def _draw_tastes_back(data, row, raw, factors, by_taste, by_raw, by_factors):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn the gradient by a unit's tastes into that by its cells and by the factors of the patterns; adds to both."""
    for i in range(len(by_taste)):
        k, start = data.row_pattern[row + i], data.row_taste[row + i]
        for a in range(data.pattern_size[k]):
            step = by_taste[i, data.pattern_dimension[k, a]]
            for b in range(a + 1):
                by_raw[start + b] += factors[k, a, b] * step
                by_factors[k, a, b] += step * raw[start + b]


@numba.njit(error_model="numpy", inline="always")
def _rich_prior(own, centre, scale, spread, factor, inverse, by_factor, by_centre, by_own):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Prior of utilities that are sampled as such, and its gradient by the logarithms of scale and spread."""
    m, n_dims = own.shape
    deviation = np.zeros((m, n_dims))
    for i in range(m):
        for d in range(n_dims):
            deviation[i, d] = own[i, d] / (scale * spread) - centre[i, d] / spread
    total, by_deviation = rows_logp(deviation, factor, inverse, by_factor)
    by_e = by_spread = -1.0 * m * n_dims
    for i in range(m):
        for d in range(n_dims):
            step = by_deviation[i, d] / spread
            by_centre[i, d] -= step
            by_own[i, d] += step / scale
            by_e -= step / scale * own[i, d]
            by_spread -= by_deviation[i, d] * deviation[i, d]
    return total - m * n_dims * np.log(scale * spread), by_e, by_spread


@numba.njit(error_model="numpy", inline="always")
def _level_items(items, theta, scale, utility):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Consensus of some of a category's items, whose mean, which their contrasts lack, is added to the utilities."""
    n, n_dims = len(items), theta.shape[1]
    here = np.zeros((n, n_dims))
    for d in range(n_dims):
        level = 0.0
        for i in range(n):
            here[i, d] = theta[items[i], d]
            level += here[i, d] / n
        for i in range(n):
            utility[i, d] += scale * level
    return here


@numba.njit(error_model="numpy", inline="always")
def _level_items_back(items, theta, scale, flow, by_theta):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn the gradient by the utilities into that by their mean; returns that by the logarithm of the scale."""
    n, by_e = len(items), 0.0
    for d in range(theta.shape[1]):
        level, by_level = 0.0, 0.0
        for i in range(n):
            level += theta[items[i], d] / n
            by_level += scale * flow[i, d]
        for i in range(n):
            by_theta[items[i], d] += by_level / n
        by_e += level * by_level
    return by_e


@numba.njit(error_model="numpy")
def _scatter_rows(rows, items, weight, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Add weighted rows to the rows of their items."""
    for i in range(len(items)):
        for d in range(rows.shape[1]):
            out[items[i], d] += weight * rows[i, d]
