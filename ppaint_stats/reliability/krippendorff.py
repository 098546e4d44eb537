"""Krippendorff's alpha of ratings."""

from typing import Any, get_args

import numpy as np

from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.kernels.agreement import Level, UnitPatterns, alpha_of_patterns, find_patterns, weigh_patterns
from ppaint_stats.kernels.bootstrap import Resample, draw_counts, draw_pattern_weights
from ppaint_stats.reliability.estimate import Estimate, check_bootstrap, draw_bootstrap, summarise
from ppaint_stats.reliability.rating_matrix import read_rating_matrix
from ppaint_stats.seeds import split_seed
from ppaint_stats.typing import FloatArray, RandomSeed

LEVELS: tuple[str, ...] = get_args(Level.__value__)
PATTERN_LIMIT = 50_000_000
"""Items times replicates above which resamples are drawn by patterns of ratings, item by item below."""


def krippendorff_alpha(
    data: Any,
    *,
    level: Level = "ordinal",
    n_boot: int = 0,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
) -> Estimate:
    r"""Estimate Krippendorff's alpha.

    Parameters
    ----------
    data : DataFrame or array-like
        A table with ``item, rater, rating`` of one category and dimension, or an array of raters x items with nan
        (None, blank) where a rating is missing. Text categories are allowed with ``level="nominal"``.
    level : {"ordinal", "nominal", "interval", "ratio"}
        Metric of disagreement.
    n_boot : int
        Bootstrap replicates; 0 gives no interval.
    random_seed : int or numpy.random.SeedSequence or None
        Seed of the bootstrap.
    interval_prob : float
        Probability of the percentile interval.
    resample : {"both", "items"}
        Resample items and raters, or items alone (these raters are the only ones in question).

    Returns
    -------
    Estimate
        ``probability_below(0.667)`` and ``probability_below(0.8)`` use the replicates. Counts are those of items with
        at least two ratings; others cannot disagree, are ignored, and counted in ``reason``. nan with a reason where
        no item has two ratings, or all ratings are equal.

    Raises
    ------
    DataError
        If the ratings are not fit for the level, or not one per item and rater.
    ArgumentError
        If an argument has a value that is not allowed.

    Notes
    -----
    :math:`\alpha = 1 - D_o / D_e`: the mean metric distance of two ratings of one item, over that of any two ratings
    (Krippendorff 2011; Hayes and Krippendorff 2007). A resample enters through weights: copies of one rater, or of
    one item, never form a pair (:mod:`ppaint_stats.kernels.agreement`).

    Above 50 million items times replicates, resamples are drawn by pattern of ratings, which takes a different path
    through the random numbers; the few pairs of copies of one item are then struck out in expectation.

    Examples
    --------
    >>> ratings = [[1, 2, 3, 3, 2, 1, 4, 1, 2], [1, 2, 3, 3, 2, 2, 4, 1, 2], [None, 3, 3, 3, 2, 3, 4, 2, 2]]
    >>> krippendorff_alpha(ratings, level="ordinal")
    Estimate(krippendorff_alpha ordinal 0.7520)
    >>> found = krippendorff_alpha(ratings, n_boot=500, random_seed=1)
    >>> found.lower < found.estimate < found.upper, found.probability_below(0.5) < 0.5
    (True, True)
    """
    if level not in LEVELS:
        raise ArgumentError(f"level={level!r} is not allowed: one of {', '.join(map(repr, LEVELS))} is")
    check_bootstrap(n_boot, random_seed, interval_prob, resample)
    matrix = read_rating_matrix(data, text=level == "nominal")
    if level == "ratio" and bool((matrix.values < 0).any()):
        low = float(np.nanmin(matrix.values))
        raise DataError(f"ratings: {low:g} is below 0; a ratio level has no negative values. Use level='interval'")
    whole = find_patterns(matrix.values, keep_raters=False)
    ones = np.ones((1, matrix.values.shape[1]), dtype=np.int64)
    value = float(alpha_of_patterns(whole, *weigh_patterns(whole, ones), None, level=level)[0])
    draws = None
    if n_boot and not np.isnan(value):
        patterns = whole if resample == "items" else find_patterns(matrix.values, keep_raters=True)
        draws = _draw_alpha(patterns, level, n_boot, random_seed, resample)
    used = matrix.present[:, whole.unit >= 0]
    n_alone = int((matrix.present.sum(axis=0) == 1).sum())
    reason = f"{n_alone:,} item{'s' if n_alone > 1 else ''} with a single rating ignored" if n_alone else ""
    if used.shape[1] == 1 and not np.isnan(value):
        alone = "one item: its raters disagree as much as any two ratings do, and alpha is 0 whatever they are"
        reason = f"{alone}; {reason}" if reason else alone
    if np.isnan(value):
        reason = "all ratings are equal: nothing to agree on" if used.any() else "no item has ratings by two raters"
    return summarise(
        f"krippendorff_alpha {level}",
        value,
        draws,
        n_items=used.shape[1],
        n_raters=int(used.any(axis=1).sum()),
        n_judgments=int(used.sum()),
        interval_prob=interval_prob,
        resample=resample,
        reason=reason,
    )


def _draw_alpha(
    patterns: UnitPatterns, level: Level, n_boot: int, random_seed: RandomSeed, resample: Resample
) -> FloatArray:
    """Replicates of alpha."""
    n_items, n_raters = len(patterns.unit), patterns.codes.shape[1]
    if n_items * n_boot <= PATTERN_LIMIT:
        items, raters = draw_bootstrap(n_items, n_raters, n_boot=n_boot, random_seed=random_seed, resample=resample)
        single, double = weigh_patterns(patterns, items[1:])
        raters = raters[1:]
    else:
        rng = np.random.default_rng(split_seed(random_seed, 1)[0])
        n_alone = int((patterns.unit < 0).sum())
        single = draw_pattern_weights(np.append(patterns.multiplicity, n_alone), n_boot, rng)[:, :-1]
        double = single * (single - 1) / patterns.multiplicity  # expectation of the sum of i^2 - i given that of i
        raters = draw_counts(n_raters, n_boot, rng)
    return alpha_of_patterns(patterns, single, double, raters if resample == "both" else None, level=level)
