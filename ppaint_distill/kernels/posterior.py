r"""Posteriors of strengths on a lattice, given opponents of known strength: exact but for the lattice's step.

All items share one lattice of strengths with the step of the tables of :mod:`ppaint_distill.kernels.answers`, so that
an opponent's contribution is one stretch of one table row, between whose points it lies at the same place everywhere:
two multiplications and additions for a point.
"""

import math

import numba
import numpy as np

from ppaint_stats.typing import FloatArray, IntArray

DEPTH = 18.0
"""A point of the lattice counts if its log density lies within this of the maximum."""

SD_POINTS = 801
"""Points of the lattice for the logarithm of the strengths' sd."""

MAX_EDGE = 1e-4
"""Largest probability density at a window's ends, against its maximum, before the window is widened."""


@numba.njit(error_model="numpy", inline="always")
def _log_density(
    value: FloatArray,
    first: int,
    meets: IntArray,
    pattern: IntArray,
    begin: int,
    end: int,
    strength: FloatArray,
    table: FloatArray,
    low: float,
    table_low: float,
    step: float,
    prior_mean: float,
    prior_sd: float,
) -> float:
    """Fill ``value`` with the log density at the lattice points ``first, first + 1, ...``; returns its maximum."""
    for g in range(len(value)):
        z = (low + (first + g) * step - prior_mean) / prior_sd
        value[g] = -0.5 * z * z
    for c in range(begin, end):
        place = (low - strength[meets[c]] - table_low) / step + first
        k = math.floor(place)
        part = place - k
        row = table[pattern[c], k : k + len(value) + 1]
        for g in range(len(value)):
            value[g] += row[g] + part * (row[g + 1] - row[g])
    return float(value.max())


@numba.njit(error_model="numpy", inline="always")
def _draw(value: FloatArray, uniform: float) -> float:
    """Draw from a density that is linear between lattice points; the place in steps. ``value`` is not normalised."""
    total = 0.0
    for g in range(1, len(value)):
        total += value[g - 1] + value[g]
    rest = uniform * total
    for g in range(1, len(value)):
        piece = value[g - 1] + value[g]
        if rest < piece or g == len(value) - 1:
            a, slope = value[g - 1], value[g] - value[g - 1]
            # a t + slope t^2 / 2 = rest / 2, in the form that is stable for either sign of the slope
            root = math.sqrt(max(a * a + slope * rest, 0.0))
            return float(g - 1 + min(rest / max(a + root, 1e-300), 1.0))
        rest -= piece
    return 0.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def find_windows(
    meets: IntArray,
    pattern: IntArray,
    offset: IntArray,
    strength: FloatArray,
    table: FloatArray,
    low: float,
    table_low: float,
    step: float,
    n_points: int,
    prior_mean: float,
    prior_sd: float,
) -> IntArray:
    """Lattice points, first and last, between which each item's density lies for one draw of the opponents."""
    windows = np.empty((len(offset) - 1, 2), dtype=np.int64)
    value = np.empty(n_points)
    for i in range(len(offset) - 1):
        top = _log_density(
            value, 0, meets, pattern, offset[i], offset[i + 1], strength, table, low, table_low, step, prior_mean,
            prior_sd,
        )  # fmt: skip
        begin, end = 0, n_points - 1
        while value[begin] < top - DEPTH:
            begin += 1
        while value[end] < top - DEPTH:
            end -= 1
        windows[i, 0], windows[i, 1] = begin, end
    return windows


@numba.njit(cache=True, nogil=True, error_model="numpy")
def sample_posteriors(
    items: IntArray,
    meets: IntArray,
    pattern: IntArray,
    offset: IntArray,
    strength: FloatArray,
    table: FloatArray,
    low: float,
    table_low: float,
    step: float,
    prior_mean: FloatArray,
    prior_sd: FloatArray,
    windows: IntArray,
    place: IntArray,
    uniform: FloatArray,
    density: FloatArray,
    draws: FloatArray,
    edge: FloatArray,
) -> None:
    """Posterior of each item for each draw of the opponents: one draw from it, and the mixture over all.

    Parameters
    ----------
    items
        Items to do; the arrays below hold all of them.
    meets, pattern
        Opponent and pattern of answers of each comparison; those of item i are ``offset[i]`` to ``offset[i + 1]``.
    strength
        Opponents' strengths, shape (draws, opponents).
    table
        Log-likelihoods, shape (draws, patterns, points), from ``table_low`` on.
    low, step
        The lattice of strengths.
    prior_mean, prior_sd
        Shape (draws,).
    windows
        Shape (items, 2), of :func:`find_windows`.
    place
        Where an item's window begins in ``density``.
    uniform
        Random numbers, shape (draws, items).
    density
        To it the normalised densities of all draws are added.
    draws
        Filled, shape (draws, items).
    edge
        Raised to the largest density at the ends of the window, against its maximum.
    """
    for s in range(len(strength)):
        for i in items:
            first, n = windows[i, 0], windows[i, 1] - windows[i, 0] + 1
            value = np.empty(n)
            top = _log_density(
                value, first, meets, pattern, offset[i], offset[i + 1], strength[s], table[s], low, table_low, step,
                prior_mean[s], prior_sd[s],
            )  # fmt: skip
            total = 0.0
            for g in range(n):
                value[g] = math.exp(value[g] - top)
                total += value[g]
            edge[i] = max(edge[i], value[0], value[n - 1])
            for g in range(n):
                density[place[i] + g] += value[g] / total
            draws[s, i] = low + (first + _draw(value, uniform[s, i])) * step


@numba.njit(cache=True, nogil=True, error_model="numpy")
def summarise_densities(
    density: FloatArray,
    place: IntArray,
    windows: IntArray,
    low: float,
    step: float,
    mapped: FloatArray,
    tails: FloatArray,
) -> FloatArray:
    """Mean and sd of the strength, mean and sd of its image under a map, and two quantiles; shape (items, 6).

    ``mapped`` holds the map at the points of the lattice, ``tails`` the two probabilities.
    """
    found = np.empty((len(place), 6))
    for i in range(len(place)):
        first, n = windows[i, 0], windows[i, 1] - windows[i, 0] + 1
        total = mean = image = 0.0
        for g in range(n):
            w = density[place[i] + g]
            total += w
            mean += w * (first + g)
            image += w * mapped[first + g]
        mean /= total
        image /= total
        spread = image_spread = 0.0
        for g in range(n):
            w = density[place[i] + g]
            spread += w * (first + g - mean) ** 2
            image_spread += w * (mapped[first + g] - image) ** 2
        found[i, 0], found[i, 1] = low + mean * step, math.sqrt(spread / total) * step
        found[i, 2], found[i, 3] = image, math.sqrt(image_spread / total)
        value = density[place[i] : place[i] + n]
        found[i, 4] = low + (first + _draw(value, tails[0])) * step
        found[i, 5] = low + (first + _draw(value, tails[1])) * step
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def sweep_strengths(
    strength: FloatArray,
    meets: IntArray,
    pattern: IntArray,
    offset: IntArray,
    table: FloatArray,
    table_low: float,
    step: float,
    log_sd: float,
    log_sd_prior: tuple[float, float],
    reach: FloatArray,
    uniform: FloatArray,
) -> float:
    """Gibbs sweeps: each strength in turn is drawn from its exact conditional posterior, given all else; then their sd.

    Parameters
    ----------
    strength
        Changed in place, shape (items,).
    meets, pattern, offset, table, table_low, step
        As for :func:`sample_posteriors`, with the items themselves as opponents; ``table`` of one draw.
    log_sd
        Logarithm of the sd of the strengths, whose mean is 0, at the start.
    log_sd_prior
        Mean and sd of the prior of ``log_sd``.
    reach
        Half the width of each item's lattice, around the value with which the sweeps begin.
    uniform
        Random numbers, shape (sweeps, items + 1).

    Returns
    -------
    float
        ``log_sd`` at the end.
    """
    n_items = len(strength)
    centre = strength.copy()
    mean, sd = log_sd_prior
    grid = np.empty(SD_POINTS)
    for t in range(len(uniform)):
        for i in range(n_items):
            n = 2 * math.ceil(reach[i] / step) + 1
            value = np.empty(n)
            low = centre[i] - (n // 2) * step
            top = _log_density(
                value, 0, meets, pattern, offset[i], offset[i + 1], strength, table, low, table_low, step, 0.0,
                math.exp(log_sd),
            )  # fmt: skip
            for g in range(n):
                value[g] = math.exp(value[g] - top)
            strength[i] = low + _draw(value, uniform[t, i]) * step
        squares = (strength * strength).sum()
        width = 10 * sd / (SD_POINTS - 1)
        for g in range(SD_POINTS):
            at = mean - 5 * sd + g * width
            grid[g] = -n_items * at - 0.5 * squares * math.exp(-2 * at) - 0.5 * ((at - mean) / sd) ** 2
        top = grid.max()
        for g in range(SD_POINTS):
            grid[g] = math.exp(grid[g] - top)
        log_sd = mean - 5 * sd + _draw(grid, uniform[t, n_items]) * width
    return log_sd
