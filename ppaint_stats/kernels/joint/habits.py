"""Habits of raters: lapses, those that sum to zero over raters, hierarchies around a mean or around other habits.

``x`` holds all parameters, ``at`` where each begins, ``centred`` which hierarchies are centred; ``name`` and ``scale``
are the parameter and the logarithm of its spread. The backward functions add to ``gradient``.
"""

import numba
import numpy as np

from ppaint_stats.kernels.densities import NORMAL, hierarchy, hierarchy_back
from ppaint_stats.kernels.joint.data import LAPSE
from ppaint_stats.kernels.joint.matrices import add_to, flatten, multiply, multiply_transposed


@numba.njit(error_model="numpy")
def lapses(x, at, rater):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Logit of the probability of a lapse of each of some raters."""
    values = np.zeros(len(rater))
    for i in range(len(rater)):
        values[i] = x[at[LAPSE] + rater[i]]
    return values


@numba.njit(error_model="numpy")
def lapses_back(at, rater, by_values, gradient):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn the gradient by those logits into that by the parameters."""
    for i in range(len(rater)):
        gradient[at[LAPSE] + rater[i]] += by_values[i]


@numba.njit(error_model="numpy")
def habit(x, at, centred, name, scale, basis, tails):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log density of a habit that sums to zero over raters, and its values.

    ``x`` holds its coordinates in ``basis``. With a square basis the last one is the raters' mean, which judgments do
    not see and the prior of tails that are not normal needs.
    """
    n = at[name + 1] - at[name]
    if not n:
        return 0.0, np.zeros(len(basis))
    own = x[at[name] : at[name + 1]].reshape((n, 1))
    whole = basis.shape[0] == basis.shape[1]
    if whole:
        own = multiply(basis, own)
    values, total = hierarchy(flatten(own), np.zeros(1), x[at[scale]], centred[name] == 1, tails)
    if whole:
        return total, _subtract_mean(values)
    return total, flatten(multiply(basis, values.reshape((n, 1))))


@numba.njit(error_model="numpy")
def habit_back(x, at, centred, name, scale, basis, tails, by_values, gradient):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn the gradient by the values into one by the coordinates and the spread."""
    n = at[name + 1] - at[name]
    if not n:
        return
    own = x[at[name] : at[name + 1]].reshape((n, 1))
    whole = basis.shape[0] == basis.shape[1]
    by_own = np.zeros((n, 1))
    if whole:
        own = multiply(basis, own)
        flow = _subtract_mean(by_values)
    else:
        flow = flatten(multiply_transposed(basis, by_values.reshape((len(by_values), 1))))
    gradient[at[scale]] += hierarchy_back(
        flatten(own), np.zeros(1), x[at[scale]], centred[name] == 1, tails, flow, flatten(by_own), np.zeros(1)
    )
    if whole:
        by_own = multiply_transposed(basis, by_own)
    add_to(gradient[at[name] : at[name + 1]], flatten(by_own))


@numba.njit(error_model="numpy")
def _subtract_mean(values):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    mean = 0.0
    for value in values:
        mean += value / len(values)
    out = np.zeros(len(values))
    for i in range(len(values)):
        out[i] = values[i] - mean
    return out


@numba.njit(error_model="numpy")
def around(x, at, centred, name, scale, mean):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log density of a normal hierarchy around ``mean``, and its values."""
    values, total = hierarchy(x[at[name] : at[name + 1]], mean, x[at[scale]], centred[name] == 1, NORMAL)
    return total, values


@numba.njit(error_model="numpy")
def around_back(x, at, centred, name, scale, mean, by_values, by_mean, gradient):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn the gradient by the values into one by the parameters; adds to ``by_mean`` as well."""
    first, last = at[name], at[name + 1]
    gradient[at[scale]] += hierarchy_back(
        x[first:last], mean, x[at[scale]], centred[name] == 1, NORMAL, by_values, gradient[first:last], by_mean
    )


@numba.njit(error_model="numpy")
def within(x, at, centred, name, scale, parent, n):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log density and values of ``n`` habits within each of ``parent``; those of a study without them equal it."""
    if at[name + 1] > at[name]:
        return around(x, at, centred, name, scale, parent)
    values = np.zeros(len(parent) * n)
    for i in range(len(values)):
        values[i] = parent[i // n]
    return 0.0, values


@numba.njit(error_model="numpy")
def within_back(x, at, centred, name, scale, parent, by_values, gradient):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn the gradient by the values into one by the parameters; returns that by ``parent``."""
    by_parent = np.zeros(len(parent))
    if at[name + 1] > at[name]:
        around_back(x, at, centred, name, scale, parent, by_values, by_parent, gradient)
        return by_parent
    n = len(by_values) // max(len(parent), 1)
    for i in range(len(by_values)):
        by_parent[i // n] += by_values[i]
    return by_parent
