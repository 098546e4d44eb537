"""Tastes that are sampled cell by cell: covariances of the dimensions that a row holds, means over a rater's items.

The dimensions that a row holds are its pattern. ``size`` is the number of dimensions of each pattern, ``dimension``
which they are.
"""

import numba
import numpy as np


@numba.njit(error_model="numpy")
def factor_patterns(factor, size, dimension):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Lower triangular factors of the covariances that ``factor`` gives the dimensions of each pattern."""
    n = factor.shape[0]
    out = np.zeros((len(size), n, n))
    for k in range(len(size)):
        for a in range(size[k]):
            for b in range(a + 1):
                value = 0.0
                for j in range(n):
                    value += factor[dimension[k, a], j] * factor[dimension[k, b], j]
                for j in range(b):
                    value -= out[k, a, j] * out[k, b, j]
                out[k, a, b] = np.sqrt(value) if a == b else value / out[k, b, b]
    return out


@numba.njit(error_model="numpy")
def factor_patterns_back(factor, factors, by_factors, size, dimension, by_factor):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn the gradient by the patterns' factors into that by the one they come from; adds to the latter.

    Each step of the factorisation is undone in reverse, as in algorithmic differentiation (Murray 2016,
    arXiv:1602.07527). ``by_factors`` is used up.
    """
    n = factor.shape[0]
    for k in range(len(size)):
        for a in range(size[k] - 1, -1, -1):
            for b in range(a, -1, -1):
                if a == b:
                    step = 0.5 * by_factors[k, a, a] / factors[k, a, a]
                else:
                    step = by_factors[k, a, b] / factors[k, b, b]
                    by_factors[k, b, b] -= step * factors[k, a, b]
                for j in range(b):
                    by_factors[k, a, j] -= step * factors[k, b, j]
                    by_factors[k, b, j] -= step * factors[k, a, j]
                first, second = dimension[k, a], dimension[k, b]
                for j in range(n):
                    by_factor[first, j] += step * factor[second, j]
                    by_factor[second, j] += step * factor[first, j]


@numba.njit(error_model="numpy")
def center_cells(pattern, size, dimension, values):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Subtract from the values of a rater's cells their mean in each dimension, in place."""
    n_dims = values.shape[1]
    mean, count = np.zeros(n_dims), np.zeros(n_dims)
    for i in range(len(pattern)):
        for a in range(size[pattern[i]]):
            d = dimension[pattern[i], a]
            mean[d] += values[i, d]
            count[d] += 1.0
    for i in range(len(pattern)):
        for a in range(size[pattern[i]]):
            d = dimension[pattern[i], a]
            values[i, d] -= mean[d] / count[d]
