"""Utilities of raters with a taste of their own, forward and backward, one unit, a rater in a category, at a time."""

import numba
import numpy as np

from ppaint_stats.kernels.densities import correlate_rows, correlate_rows_back, rows_logp
from ppaint_stats.kernels.joint.data import TASTE, UTILITY
from ppaint_stats.kernels.joint.matrices import add_to, flatten, multiply, multiply_transposed, view_rows


@numba.njit(error_model="numpy", inline="always")
def units_forward(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    x, data, theta, consensus, log_e, log_spread, factor, inverse,
    utility, gradient, by_factor, by_consensus, by_theta, by_log_e, by_log_spread,
):  # fmt: skip
    """Utilities of every unit, on the scale of its rater's preferences; the prior of rich ones and its gradient."""
    n_dims, total = data.n_dimensions, 0.0
    for j in range(len(data.unit_category)):
        row, end = data.unit_row[j], data.unit_row[j + 1]
        n = end - row
        items, own_utility = data.row_item[row:end], utility[row:end]
        basis = view_rows(data.basis, data.unit_basis[j], n, n - 1)
        r, p = data.unit_taste[j], data.unit_preference[j]
        scale, spread = np.exp(log_e[p]) if p >= 0 else 1.0, np.exp(log_spread[r])
        if not data.unit_rich[j]:
            raw = view_rows(x, data.at[TASTE] + data.unit_column[j] * n_dims, n - 1, n_dims)
            _add_taste(multiply(basis, correlate_rows(raw, factor)), items, theta, scale, spread, own_utility)
            continue
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
    for j in range(len(data.unit_category)):
        row, end = data.unit_row[j], data.unit_row[j + 1]
        n = end - row
        items, flow = data.row_item[row:end], by_utility[row:end]
        basis = view_rows(data.basis, data.unit_basis[j], n, n - 1)
        r, p = data.unit_taste[j], data.unit_preference[j]
        scale, spread = np.exp(log_e[p]) if p >= 0 else 1.0, np.exp(log_spread[r])
        projected = multiply_transposed(basis, flow)
        by_e = 0.0
        if not data.unit_rich[j]:
            first = data.at[TASTE] + data.unit_column[j] * n_dims
            raw, by_raw = view_rows(x, first, n - 1, n_dims), np.zeros((n - 1, n_dims))
            for i in range(n - 1):
                for d in range(n_dims):
                    projected[i, d] *= scale * spread
            correlate_rows_back(raw, factor, projected, by_raw, by_factor)
            add_to(flatten(view_rows(gradient, first, n - 1, n_dims)), flatten(by_raw))
            by_log_spread[r] += _inner_product(by_raw, raw)
            _scatter_rows(flow, items, scale, by_theta)
            by_e = _inner_product(flow, utility[row:end])
        else:
            first = data.at[UTILITY] + data.unit_column[j] * n_dims
            add_to(flatten(view_rows(gradient, first, n - 1, n_dims)), flatten(projected))
            if not data.unit_full[j]:
                by_e = _level_items_back(items, theta, scale, flow, by_theta)
        if p >= 0:
            by_log_e[p] += by_e


@numba.njit(error_model="numpy", inline="always")
def _add_taste(taste, items, theta, scale, spread, utility):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Fill the utilities of a unit whose taste is sampled."""
    for i in range(len(items)):
        for d in range(theta.shape[1]):
            utility[i, d] = scale * (theta[items[i], d] + spread * taste[i, d])


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


@numba.njit(error_model="numpy")
def _inner_product(a, b):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Sum of the products of two matrices' entries."""
    total = 0.0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            total += a[i, j] * b[i, j]
    return total
