r"""Are ranks uniform? Simultaneous bands of their empirical distribution function, exactly.

Of n ranks among the values 0 to K - 1 let :math:`C_j` be the number below j. Under uniformity
:math:`C_j \sim \text{Bin}(n, j / K)` at each j, and a band holds all of them at once: it takes at every j the values
whose two-sided tail probability exceeds one and the same :math:`\gamma` (Sailynoja, Burkner & Vehtari 2022). The
probability that no :math:`C_j` leaves a band is computed, not simulated: counts of uniform ranks are independent
Poisson counts given that they sum to n, so that it is a chain of convolutions.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from ppaint_stats.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class RankBand:
    """Band of the numbers of ranks below 1, 2, ..., K - 1, and the probability that all are inside, ends included."""

    lower: IntArray
    upper: IntArray
    coverage: float


def count_below(ranks: IntArray, n_values: int) -> IntArray:
    """Count the ranks below 1, 2, ..., ``n_values`` - 1.

    Parameters
    ----------
    ranks
        Ranks from 0 to ``n_values`` - 1.
    n_values
        Number of values that a rank can have: one more than the draws that it is a rank among.

    Returns
    -------
    ndarray of shape (n_values - 1,)
        Counts.
    """
    return np.cumsum(np.bincount(ranks, minlength=n_values))[:-1]


def band_ranks(n: int, n_values: int, *, prob: float = 0.95) -> RankBand:
    """Find the narrowest such band that uniform ranks stay inside with at least the probability asked for.

    Parameters
    ----------
    n
        Number of ranks.
    n_values
        Number of values that a rank can have.
    prob
        Probability.

    Returns
    -------
    RankBand
        The band. Counts are whole numbers, so that its coverage is a little above ``prob``.

    Examples
    --------
    >>> band = band_ranks(20, 4)
    >>> band.lower.tolist(), band.upper.tolist(), round(band.coverage, 3)
    ([1, 5, 11], [9, 15, 19], 0.958)
    """
    tails = _tails(n, n_values)
    levels = np.unique(tails)
    low, high = -1, len(levels) - 1  # the band above levels[low] covers enough, that above levels[high] does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _cover(*_band(tails, levels[middle]), n) >= prob else (low, middle)
    lower, upper = _band(tails, levels[low] if low >= 0 else -1.0)
    return RankBand(lower, upper, _cover(lower, upper, n))


def judge_uniformity(ranks: IntArray, n_values: int) -> float:
    """Test whether ranks are uniform.

    Parameters
    ----------
    ranks
        Independent ranks from 0 to ``n_values`` - 1.
    n_values
        Number of values that a rank can have.

    Returns
    -------
    float
        Probability that uniform ranks leave the band that the farthest of these counts stands just outside of.
    """
    tails = _tails(len(ranks), n_values)
    counts = count_below(ranks, n_values)
    farthest = tails[np.arange(len(counts)), counts].min()
    lower, upper = _band(tails, farthest)
    return 1.0 if (lower > upper).any() else max(1.0 - _cover(lower, upper, len(ranks)), 0.0)


@lru_cache(maxsize=8)
def _tails(n: int, n_values: int) -> FloatArray:
    """Two-sided tail probability of every count (columns) below every value (rows)."""
    share = np.arange(1, n_values)[:, None] / n_values
    count = np.arange(n + 1)
    below, above = stats.binom.cdf(count, n, share), stats.binom.sf(count - 1, n, share)
    return np.asarray(np.minimum(2 * np.minimum(below, above), 1.0))


def _band(tails: FloatArray, level: float) -> tuple[IntArray, IntArray]:
    """Counts whose tail probability exceeds a level; an empty range where none does."""
    inside = tails > level * (1 + 1e-9)  # both tails of one half should tie, and do so but for rounding
    lower = np.argmax(inside, axis=1)
    upper = tails.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    return np.where(inside.any(axis=1), lower, 1), np.where(inside.any(axis=1), upper, 0)


def _cover(lower: IntArray, upper: IntArray, n: int) -> float:
    """Probability that the counts of n uniform ranks stay inside a band, its ends included."""
    if (lower > upper).any():
        return 0.0
    step = stats.poisson.pmf(np.arange(n + 1), n / (len(lower) + 1))
    weight = np.zeros(n + 1)
    weight[0] = 1.0
    for low, high in zip(lower, upper, strict=True):
        weight = np.convolve(weight, step)[: n + 1]
        weight[:low] = weight[high + 1 :] = 0.0
    return float(weight @ step[::-1] / stats.poisson.pmf(n, n))
