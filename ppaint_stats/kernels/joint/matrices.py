"""Views and products of matrices, each compiled once: all of them are C-contiguous, vectors are one column wide."""

import numba
import numpy as np


@numba.njit(error_model="numpy")
def view_rows(flat, first, n_rows, n_columns):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Part of a flat array as a matrix, not copied."""
    return flat[first : first + n_rows * n_columns].reshape((n_rows, n_columns))


@numba.njit(error_model="numpy")
def flatten(matrix):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Entries of a matrix row by row, not copied."""
    return matrix.reshape(matrix.size)


@numba.njit(error_model="numpy")
def multiply(a, b):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Matrix product a b."""
    out = np.zeros((a.shape[0], b.shape[1]))
    np.dot(a, b, out)
    return out


@numba.njit(error_model="numpy")
def multiply_transposed(a, b):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Matrix product a' b."""
    out = np.zeros((a.shape[1], b.shape[1]))
    np.dot(a.T, b, out)
    return out


@numba.njit(error_model="numpy")
def add_to(target, values):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Add to a flat array in place; ``+=`` of arrays takes seconds to compile."""
    for i in range(len(values)):
        target[i] += values[i]


@numba.njit(error_model="numpy")
def expand_contrasts(rows, basis, category_basis, item_start):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Contrasts of every category to items; ``basis`` holds all bases, flat."""
    n_dims = rows.shape[1]
    out = np.zeros((item_start[-1], n_dims))
    for c in range(len(category_basis)):
        first, last = item_start[c], item_start[c + 1]
        n = last - first
        part = multiply(view_rows(basis, category_basis[c], n, n - 1), rows[first - c : last - c - 1])
        add_to(flatten(out[first:last]), flatten(part))
    return out


@numba.njit(error_model="numpy")
def contract_items(values, basis, category_basis, item_start, rows):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn a gradient by the items into one by the contrasts of every category; adds to ``rows``."""
    for c in range(len(category_basis)):
        first, last = item_start[c], item_start[c + 1]
        n = last - first
        part = multiply_transposed(view_rows(basis, category_basis[c], n, n - 1), values[first:last])
        add_to(flatten(rows[first - c : last - c - 1]), flatten(part))
