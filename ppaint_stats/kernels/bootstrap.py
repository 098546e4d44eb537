"""Resampling of items and raters as weights: how often each of them was drawn."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from ppaint_stats.typing import FloatArray, IntArray

type Resample = Literal["both", "items"]

type Weights = IntArray | FloatArray
"""Whole numbers: how often each item, or each rater, was drawn in each replicate."""

RESAMPLES: tuple[str, ...] = get_args(Resample.__value__)
"""What may be resampled: items and raters, or items alone (these raters are the only ones in question)."""

CHUNK = 2_000_000
"""Numbers that one chunk of replicates may hold in a working array (16 MB)."""


def draw_weights(
    n_items: int, n_raters: int, n_boot: int, rng: np.random.Generator, resample: Resample = "both"
) -> tuple[IntArray, IntArray]:
    """Draw multinomial resamples of items and of raters.

    Parameters
    ----------
    n_items, n_raters
        How many there are.
    n_boot
        Replicates.
    rng
        Source of the draws. Items are drawn before raters: the same source gives the same items with ``"both"`` and
        with ``"items"``.
    resample
        ``"both"`` draws items and raters, ``"items"`` gives every rater the weight 1.

    Returns
    -------
    item_weights, rater_weights
        Whole numbers of shapes (n_boot, n_items) and (n_boot, n_raters); rows sum to n_items and n_raters.

    Notes
    -----
    A statistic of pairs counts a pair of raters r != s with the weight w_r w_s, and a pair of items a != b with the
    weight w_a w_b. Copies of one rater, or of one item, therefore never form a pair: they would agree perfectly.

    Examples
    --------
    >>> items, raters = draw_weights(4, 3, 2, np.random.default_rng(1))
    >>> items.shape, raters.shape, items.sum(axis=1).tolist(), raters.sum(axis=1).tolist()
    ((2, 4), (2, 3), [4, 4], [3, 3])
    """
    item_weights = draw_counts(n_items, n_boot, rng)
    if resample == "items":
        return item_weights, np.ones((n_boot, n_raters), dtype=np.int64)
    return item_weights, draw_counts(n_raters, n_boot, rng)


def draw_counts(n: int, n_boot: int, rng: np.random.Generator) -> IntArray:
    """Draw n things out of n with replacement and count each, shape (n_boot, n)."""
    counts = np.empty((n_boot, n), dtype=np.int64)
    for row in range(n_boot):
        counts[row] = np.bincount(rng.integers(n, size=n), minlength=n)
    return counts


def draw_pattern_weights(multiplicity: IntArray, n_boot: int, rng: np.random.Generator) -> FloatArray:
    """Draw resamples of units of which only the pattern matters.

    Parameters
    ----------
    multiplicity
        How many units have each pattern, shape (patterns,).
    n_boot
        Replicates.
    rng
        Source of the draws.

    Returns
    -------
    array
        Units of each pattern in each resample, shape (n_boot, patterns): multinomial, so that a million units with a
        hundred patterns cost a hundred draws.
    """
    total = int(multiplicity.sum())
    if total == 0:
        return np.zeros((n_boot, len(multiplicity)))
    if len(multiplicity) > total / 4:  # binomial draws cost more than drawing the units themselves
        label = np.repeat(np.arange(len(multiplicity)), multiplicity)
        drawn = np.empty((n_boot, len(multiplicity)))
        for row in range(n_boot):
            drawn[row] = np.bincount(label[rng.integers(total, size=total)], minlength=len(multiplicity))
        return drawn
    return rng.multinomial(total, multiplicity / total, size=n_boot).astype(float)


def split_replicates(n_boot: int, width: int) -> Iterator[slice]:
    """Cut replicates into chunks such that an array (replicates, width) stays small."""
    step = max(1, CHUNK // max(1, width))
    for start in range(0, n_boot, step):
        yield slice(start, min(start + step, n_boot))
