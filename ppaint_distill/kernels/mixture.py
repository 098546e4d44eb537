"""Posteriors of many new images, integrated over the joint draws of a pool, on all cores and in bounded memory."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ppaint_distill.kernels.answers import tabulate_answers
from ppaint_distill.kernels.posterior import MAX_EDGE, find_windows, sample_posteriors, summarise_densities
from ppaint_stats.typing import FloatArray, IntArray

CHUNK = 256
"""Images that one thread does at a time: their densities stay in the cache."""

TABLE_BYTES = 2**26
"""Tables of as many draws as fit are held at once."""

STEPS = (0.02, 0.1)
"""Smallest and largest step of the lattice; it is a fifth of a typical posterior sd."""

INFORMATION = 0.2
"""What one pair tells about a strength near its opponent's, roughly: 1 / variance."""

PRIOR_REACH = 6.5
"""The lattice reaches this many prior sds from the prior's mean."""


@dataclass(frozen=True)
class Comparisons:
    """Comparisons of new images with the pool, image by image.

    Parameters
    ----------
    meets
        Position of the pool image, shape (comparisons,).
    pattern
        Pattern of the answers, seen from the new image.
    offset
        Image i has the comparisons ``offset[i]`` to ``offset[i + 1]``.
    patterns
        Of :func:`ppaint_distill.kernels.answers.find_patterns`.
    """

    meets: IntArray
    pattern: IntArray
    offset: IntArray
    patterns: FloatArray


@dataclass(frozen=True)
class PoolSample:
    """Joint draws of a pool: strengths of shape (draws, images), the rest of shape (draws,)."""

    strength: FloatArray
    prior_mean: FloatArray
    prior_sd: FloatArray
    log_nu: FloatArray
    order_effect: FloatArray
    order_correlation: FloatArray


@dataclass(frozen=True)
class _Lattice:
    low: float
    step: float
    n_points: int
    differences: FloatArray

    @classmethod
    def around(cls, pool: PoolSample, n_comparisons: int) -> "_Lattice":
        """Lattice that holds every new image's strength, and the differences to all opponents."""
        step = float(np.clip(0.2 / np.sqrt(INFORMATION * n_comparisons), *STEPS))
        low = float((pool.prior_mean - PRIOR_REACH * pool.prior_sd).min())
        high = float((pool.prior_mean + PRIOR_REACH * pool.prior_sd).max())
        low, high = min(low, float(pool.strength.min())), max(high, float(pool.strength.max()))
        n = int(np.ceil((high - low) / step)) + 1
        below, reach = float(pool.strength.max()), float(np.ptp(pool.strength))
        points = np.arange(n + int(np.ceil(reach / step)) + 3, dtype=np.float64)
        return cls(low, step, n, np.asarray(low - below + step * points))


def integrate_pool(
    comparisons: Comparisons,
    pool: PoolSample,
    *,
    apply: Callable[[FloatArray], FloatArray],
    tails: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Posterior of each new image's strength, integrated over the pool's draws.

    Parameters
    ----------
    comparisons, pool
        The data, and what is known of the opponents.
    apply
        Map from strengths to scores.
    tails
        Probabilities of the lower and the upper quantile.
    rng
        Source of randomness.

    Returns
    -------
    summaries
        Shape (images, 6): mean and sd of the strength, mean and sd of the score, lower and upper quantile of the
        strength.
    draws
        Strengths, shape (draws, images).

    Notes
    -----
    Memory grows with the images times (draws + points of a posterior, some hundreds), and not with the comparisons.
    """
    lattice = _Lattice.around(pool, int(np.diff(comparisons.offset).max()))
    n_draws, n_images = len(pool.strength), len(comparisons.offset) - 1
    draws = np.empty((n_draws, n_images))
    # each image's uniforms are spread evenly over the draws, in random order
    uniform = rng.permuted(np.tile(np.arange(n_draws)[:, None], (1, n_images)), axis=0) + rng.random(draws.shape)
    uniform /= n_draws
    summaries = np.empty((n_images, 6))
    mapped = apply(np.asarray(lattice.low + lattice.step * np.arange(lattice.n_points, dtype=np.float64)))
    windows = _first_windows(comparisons, pool, lattice)
    todo = np.arange(n_images)
    while len(todo):
        width = windows[todo, 1] - windows[todo, 0] + 1
        place = np.zeros(n_images, dtype=np.int64)
        place[todo] = np.cumsum(width) - width
        density, edge = np.zeros(int(width.sum())), np.zeros(n_images)
        _run(comparisons, pool, lattice, todo, (windows, place, uniform, density, draws, edge))
        summaries[todo] = summarise_densities(
            density, place[todo], windows[todo], lattice.low, lattice.step, mapped, np.array(tails)
        )
        full = (windows[:, 0] == 0) & (windows[:, 1] == lattice.n_points - 1)
        todo = todo[(edge[todo] > MAX_EDGE) & ~full[todo]]
        windows[todo] = _widen(windows[todo], windows[todo, 1] - windows[todo, 0], lattice)
    return summaries, draws


def _first_windows(comparisons: Comparisons, pool: PoolSample, lattice: _Lattice) -> IntArray:
    """Windows at the mean pool, widened by what the pool's error may move them."""
    table = tabulate_answers(
        lattice.differences, comparisons.patterns, log_nu=float(pool.log_nu.mean()),
        order_effect=float(pool.order_effect.mean()), correlation=float(pool.order_correlation.mean()),
    )  # fmt: skip
    windows = find_windows(
        comparisons.meets, comparisons.pattern, comparisons.offset, pool.strength.mean(axis=0), table, lattice.low,
        lattice.differences[0], lattice.step, lattice.n_points, float(pool.prior_mean.mean()),
        float(pool.prior_sd.mean()),
    )  # fmt: skip
    margin = 2 * float(pool.strength.std(axis=0).max()) / lattice.step
    return _widen(windows, np.full(len(windows), int(np.ceil(margin))), lattice)


def _widen(windows: IntArray, margin: IntArray, lattice: _Lattice) -> IntArray:
    low, high = windows[:, 0] - margin, windows[:, 1] + margin
    return np.stack([np.maximum(low, 0), np.minimum(high, lattice.n_points - 1)], axis=1)


def _run(
    comparisons: Comparisons,
    pool: PoolSample,
    lattice: _Lattice,
    todo: IntArray,
    filled: tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray, FloatArray],
) -> None:
    """Do some images for all draws; images are independent, so that the number of threads changes nothing."""
    import joblib

    windows, place, uniform, density, draws, edge = filled
    size = 8 * len(comparisons.patterns) * len(lattice.differences)
    block = max(1, min(len(pool.strength), TABLE_BYTES // size))
    chunks = [todo[k : k + CHUNK] for k in range(0, len(todo), CHUNK)]

    def tabulate(s: int) -> FloatArray:
        return tabulate_answers(
            lattice.differences, comparisons.patterns, log_nu=float(pool.log_nu[s]),
            order_effect=float(pool.order_effect[s]), correlation=float(pool.order_correlation[s]),
        )  # fmt: skip

    with ThreadPoolExecutor(joblib.cpu_count()) as threads:
        for start in range(0, len(pool.strength), block):
            rows = slice(start, min(start + block, len(pool.strength)))
            tables = np.stack(list(threads.map(tabulate, range(rows.start, rows.stop))))

            def do(items: IntArray, rows: slice = rows, tables: FloatArray = tables) -> None:
                sample_posteriors(
                    items, comparisons.meets, comparisons.pattern, comparisons.offset, pool.strength[rows], tables,
                    lattice.low, lattice.differences[0], lattice.step, pool.prior_mean[rows], pool.prior_sd[rows],
                    windows, place, uniform[rows], density, draws[rows], edge,
                )  # fmt: skip

            list(threads.map(do, chunks))
