r"""Sequential Elo ratings over many random orders, compiled.

One comparison moves both items by :math:`K (S - E)` with :math:`E = 1 / (1 + 10^{-(R_A + \delta - R_B)/400})` and S =
1, 1/2, 0 for A, TIE, B. An anchored item also plays virtual draws against a fixed opponent that stands at the item's
own start value: ``anchor`` of them in each pass, spread evenly over its comparisons. Passes repeat over the same order
with K / (1 + pass).
"""

from dataclasses import dataclass
from itertools import pairwise

import numba
import numpy as np

from ppaint_stats.typing import FloatArray, IntArray

ELO_PER_LOGIT = 400 / float(np.log(10))
"""Elo points in one unit of a logistic strength."""


@dataclass(frozen=True)
class EloRun:
    """Mean rating over orders, its Monte Carlo standard error, the mean after each pass, whether it became stable."""

    rating: FloatArray
    monte_carlo_se: FloatArray
    trace: FloatArray
    passes: int
    converged: bool


def run_elo(
    a: IntArray,
    b: IntArray,
    score: FloatArray,
    weight: FloatArray,
    start: FloatArray,
    anchor: FloatArray,
    *,
    order_effect: float = 0.0,
    k: float = 32.0,
    n_orders: int = 200,
    max_passes: int = 50,
    tol: float = 0.5,
    random_seed: np.random.SeedSequence | int | None = None,
) -> EloRun:
    """Play the comparisons in ``n_orders`` random orders and average.

    Parameters
    ----------
    a, b
        Item codes, shape (comparisons,); ``a`` was shown first.
    score
        1, 0.5 or 0 for A, TIE, B.
    weight
        Multiplies K, shape (comparisons,).
    start
        Start values in Elo points, shape (items,).
    anchor
        Virtual draws per item and pass, shape (items,).
    order_effect
        Advantage of the first position in Elo points.
    k, n_orders, max_passes
        Step of the first pass, number of orders, largest number of passes.
    tol
        Passes end when no item's mean rating has moved by more than ``tol`` Elo points in the last one.
    random_seed
        Seed of the orders.
    """
    sequence = random_seed if isinstance(random_seed, np.random.SeedSequence) else np.random.SeedSequence(random_seed)
    seeds = sequence.generate_state(n_orders, dtype=np.uint64)
    per_game = _spread_anchor(a, b, weight, anchor)
    ratings = np.tile(start, (n_orders, 1))
    orders = _shuffle(len(a), seeds)
    trace, converged, done = [start], False, 0
    while done < max_passes and not converged:
        _play(a, b, score, weight, start, per_game, order_effect, k / (1 + done), orders, ratings)
        done += 1
        trace.append(ratings.mean(axis=0))
        converged = float(np.abs(trace[-1] - trace[-2]).max(initial=0.0)) < tol
    se = ratings.std(axis=0, ddof=1) / np.sqrt(n_orders) if n_orders > 1 else np.full(len(start), np.nan)
    return EloRun(trace[-1], se, np.array(trace), done, converged)


def trace_elo(
    a: IntArray,
    b: IntArray,
    score: FloatArray,
    weight: FloatArray,
    start: FloatArray,
    anchor: FloatArray,
    *,
    order_effect: float = 0.0,
    k: float = 32.0,
    n_orders: int = 10,
    n_passes: int = 1,
    n_points: int = 100,
    random_seed: np.random.SeedSequence | int | None = None,
) -> tuple[IntArray, FloatArray]:
    """Play the comparisons as `run_elo` does, and keep the ratings on the way.

    Parameters
    ----------
    a, b, score, weight, start, anchor, order_effect, k, n_orders, random_seed
        As for `run_elo`.
    n_passes
        Passes over each order.
    n_points
        Points of each pass at which the ratings are kept.

    Returns
    -------
    tuple of ndarray
        Comparisons played at each point, the first 0, and the ratings there, shape (points, orders, items).
    """
    sequence = random_seed if isinstance(random_seed, np.random.SeedSequence) else np.random.SeedSequence(random_seed)
    orders = _shuffle(len(a), sequence.generate_state(n_orders, dtype=np.uint64))
    per_game = _spread_anchor(a, b, weight, anchor)
    ratings = np.tile(start, (n_orders, 1))
    stops = np.unique(np.linspace(0, len(a), n_points + 1).round().astype(int))
    played, kept = [0], [ratings.copy()]
    for done in range(n_passes):
        for low, high in pairwise(stops.tolist()):
            part = np.ascontiguousarray(orders[:, low:high])
            _play(a, b, score, weight, start, per_game, order_effect, k / (1 + done), part, ratings)
            played.append(done * len(a) + high)
            kept.append(ratings.copy())
    return np.array(played), np.array(kept)


def _spread_anchor(a: IntArray, b: IntArray, weight: FloatArray, anchor: FloatArray) -> FloatArray:
    """Virtual draws of each item per game that it plays."""
    n = len(anchor)
    games = np.bincount(a, weights=weight, minlength=n) + np.bincount(b, weights=weight, minlength=n)
    return np.divide(anchor, games, out=np.zeros(n), where=games > 0)


@numba.njit(cache=True, parallel=True)
def _shuffle(n: int, seeds: np.ndarray) -> np.ndarray:  # pragma: no cover - compiled
    """One permutation per seed, by Fisher-Yates on a splitmix64 stream: the same on any number of threads."""
    orders = np.empty((len(seeds), n), dtype=np.int32)
    for run in numba.prange(len(seeds)):
        state = seeds[run]
        order = orders[run]
        for i in range(n):
            order[i] = i
        for i in range(n - 1, 0, -1):
            state += np.uint64(0x9E3779B97F4A7C15)
            z = state
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
            j = np.int64(z % np.uint64(i + 1))
            order[i], order[j] = order[j], order[i]
    return orders


@numba.njit(cache=True, parallel=True, fastmath=True)
def _play(a, b, score, weight, start, per_game, order_effect, k, orders, ratings):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """One pass over every order, in place."""
    rate = np.log(10.0) / 400.0
    most = 4.0 / rate  # a larger step of the virtual draws would overshoot the start value, and swing ever wider
    for run in numba.prange(len(orders)):
        rating = ratings[run]
        for step in range(orders.shape[1]):
            game = orders[run, step]
            i, j = a[game], b[game]
            gain = k * weight[game]
            surprise = score[game] - 1.0 / (1.0 + np.exp(-rate * (rating[i] + order_effect - rating[j])))
            pull_i = min(gain * per_game[i], most) * (0.5 - 1.0 / (1.0 + np.exp(-rate * (rating[i] - start[i]))))
            pull_j = min(gain * per_game[j], most) * (0.5 - 1.0 / (1.0 + np.exp(-rate * (rating[j] - start[j]))))
            rating[i] += gain * surprise + pull_i
            rating[j] += pull_j - gain * surprise
