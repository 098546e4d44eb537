"""The change of coordinates that may stand between the sampler and the joint density, and its gradient.

``c`` are the :class:`ppaint_stats.joint.coordinates.Coordinates`, where the formulas stand.
"""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, error_model="numpy")
def turn_draws(sampled, c):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn sampled vectors, one a row, into the parameters of the model."""
    n = len(c.slope)
    x = sampled.copy()
    for k in range(len(sampled)):
        own, out = sampled[k], x[k]
        by_rated = 0.5 * np.log(_square_lengths(own, c))
        by_compared = by_rated.copy()
        for d in range(n):
            by_compared[d] -= own[c.slope[d]]
        rated = _norm(own, c.discrimination, by_rated, out)
        compared = _norm(own, c.sharpness, by_compared, out)
        for d in range(n):
            slope = own[c.slope[d]]
            out[c.slope[d]] = slope + rated - compared
            out[c.diagonal[d]] += compared - slope
        for i in range(len(c.lower)):
            out[c.lower[i]] *= np.exp(compared - own[c.slope[c.lower_row[i]]])
        for r in range(len(c.ties.places)):
            grown = np.exp(own[c.sharpness.places[r]] + c.ties.log_growth[r])
            out[c.ties.places[r]] += np.hypot(1.0, grown) - 1.0
    return x


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pull_gradient(sampled, x, gradient, c):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log Jacobian at a sampled vector, and the gradient by it of the density with that Jacobian.

    ``x`` and ``gradient`` are the model's parameters and the gradient by them.
    """
    n = len(c.slope)
    out = gradient.copy()
    log_jacobian, by_slopes, by_shifts = 0.0, 0.0, 0.0
    by_shift = np.zeros(n)
    for d in range(n):
        by_shift[d] = gradient[c.diagonal[d]]
        by_slopes += gradient[c.slope[d]]
    for i in range(len(c.lower)):
        by_shift[c.lower_row[i]] += gradient[c.lower[i]] * x[c.lower[i]] + 1.0
    for d in range(n):
        by_shifts += by_shift[d]
    by_length = _norm_back(gradient, c.discrimination, by_slopes, n, out)
    by_compared = _norm_back(gradient, c.sharpness, by_shifts - by_slopes, n, out)
    squares = _square_lengths(sampled, c)
    for d in range(n):
        by_length[d] = (by_length[d] + by_compared[d]) / squares[d]
        out[c.slope[d]] = gradient[c.slope[d]] - by_shift[d] - by_compared[d]
        out[c.diagonal[d]] = gradient[c.diagonal[d]] + by_length[d] * np.exp(2 * sampled[c.diagonal[d]])
    for i in range(len(c.lower)):
        row = c.lower_row[i]
        # The shift of each row, from the diagonal's: the model's coordinates less the sampled ones.
        shift = x[c.diagonal[row]] - sampled[c.diagonal[row]]
        out[c.lower[i]] = gradient[c.lower[i]] * np.exp(shift) + by_length[row] * sampled[c.lower[i]]
        log_jacobian += shift
    for r in range(len(c.ties.places)):
        grown = np.exp(sampled[c.sharpness.places[r]] + c.ties.log_growth[r])
        out[c.sharpness.places[r]] += gradient[c.ties.places[r]] * grown * (grown / np.hypot(1.0, grown))
    return log_jacobian, out


@numba.njit(error_model="numpy")
def _square_lengths(own, c):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Squared length of each row of the factor of the items' covariance."""
    squares = np.zeros(len(c.diagonal))
    for d in range(len(c.diagonal)):
        squares[d] = np.exp(2 * own[c.diagonal[d]])
    for i in range(len(c.lower)):
        squares[c.lower_row[i]] += own[c.lower[i]] ** 2
    return squares


@numba.njit(error_model="numpy")
def _norm(own, habit, by_dimension, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Write a habit's coordinates in the model, and return its mean before norming."""
    n = len(habit.places)
    mean = 0.0
    for r in range(n):
        out[habit.places[r]] = 0.0
    for r in range(n):
        raw = own[habit.places[r]]
        for d in range(len(by_dimension)):
            raw -= habit.share[r, d] * by_dimension[d]
        mean += raw / n
        for k in range(n):
            out[habit.places[k]] += raw * habit.basis[r, k]
    return mean


@numba.njit(error_model="numpy")
def _norm_back(gradient, habit, by_mean, n_dimensions, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Write the gradient by a habit's sampled coordinates, and return that by what was taken off by dimension."""
    n = len(habit.places)
    by_dimension = np.zeros(n_dimensions)
    for r in range(n):
        by_raw = by_mean / n
        for k in range(n):
            by_raw += habit.basis[r, k] * gradient[habit.places[k]]
        out[habit.places[r]] = by_raw
        for d in range(n_dimensions):
            by_dimension[d] -= by_raw * habit.share[r, d]
    return by_dimension
