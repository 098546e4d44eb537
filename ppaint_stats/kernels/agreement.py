r"""Krippendorff's alpha from value counts, with weights of items and raters.

A unit (item) matters only through how often each value occurs in it. Units with the same counts form one pattern, and
a resample of units is a vector of pattern weights. Where raters have weights too, patterns keep apart which rater
gave which value.

With item weights i and rater weights w, a pair of judgments (u, r), (v, s) has the weight

.. math:: \left(i_u i_v - \delta_{uv} i_u (i_u - 1)\right) \left(w_r w_s - \delta_{rs} w_r (w_r - 1)\right),

which is how many pairs of copies there are once pairs of different copies of one item, and pairs of different copies of
one rater, are struck out. Observed disagreement is the mean over pairs of distinct raters inside a unit, averaged
over units with the weights :math:`i_u W_u`, :math:`W_u = \sum_{r \in u} w_r` (as many judgments as the unit holds);
expected disagreement is the mean over all pairs of judgments. All weights 1 give Krippendorff's alpha.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from ppaint_stats.kernels.bootstrap import Weights, split_replicates
from ppaint_stats.typing import FloatArray, IntArray

type Level = Literal["nominal", "ordinal", "interval", "ratio"]


@dataclass(frozen=True)
class UnitPatterns:
    """Distinct patterns of ratings.

    Parameters
    ----------
    levels
        The values that occur in units with at least two ratings, rising, shape (values,).
    codes
        Position in ``levels`` of each rating of each pattern, ``len(levels)`` where it is missing, shape (patterns,
        raters).
    unit
        Pattern of each unit, -1 for units with fewer than two ratings, shape (units,).
    multiplicity
        Units of each pattern, shape (patterns,).
    """

    levels: FloatArray
    codes: IntArray
    unit: IntArray
    multiplicity: IntArray

    @property
    def counts(self) -> FloatArray:
        """How often each value occurs in each pattern, shape (patterns, values)."""
        return count_values(self.codes, np.ones(self.codes.shape[1]), len(self.levels))


def find_patterns(values: FloatArray, *, keep_raters: bool) -> UnitPatterns:
    """Find the distinct patterns of a table of ratings.

    Parameters
    ----------
    values
        Ratings, shape (raters, units), nan where missing.
    keep_raters
        Whether it matters which rater gave which value.
    """
    pairable = (~np.isnan(values)).sum(axis=0) >= 2
    table = values[:, pairable]
    present = ~np.isnan(table)
    levels = np.unique(table[present])
    size = len(levels) + 1
    codes = np.where(present, np.searchsorted(levels, table), size - 1)
    if not keep_raters:
        codes = np.sort(codes, axis=0)
    key, top = np.zeros(codes.shape[1], dtype=np.int64), 1
    for row in codes:
        if top > 2**62 // size:  # renumber before the key overflows
            found, key = np.unique(key, return_inverse=True)
            top = len(found)
        key, top = key * size + row, top * size
    _, first, pattern, multiplicity = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    unit = np.full(values.shape[1], -1, dtype=np.int64)
    unit[pairable] = pattern
    return UnitPatterns(levels, np.ascontiguousarray(codes[:, first].T), unit, np.asarray(multiplicity, dtype=np.int64))


def weigh_patterns(patterns: UnitPatterns, item_weights: Weights) -> tuple[FloatArray, FloatArray]:
    """Sum i and i^2 - i over the units of each pattern, both of shape (replicates, patterns)."""
    used = np.flatnonzero(patterns.unit >= 0)
    shape = (len(patterns.multiplicity), len(patterns.unit))
    members = sp.csr_matrix((np.ones(len(used)), (patterns.unit[used], used)), shape=shape)
    single = np.empty((len(item_weights), shape[0]))
    double = np.empty_like(single)
    for rows in split_replicates(len(item_weights), shape[1]):
        weight = item_weights[rows].T.astype(float)
        single[rows] = (members @ weight).T
        double[rows] = (members @ (weight * (weight - 1))).T
    return single, double


def weighted_alpha(
    values: FloatArray, item_weights: Weights, rater_weights: Weights | None, *, level: Level
) -> FloatArray:
    """Krippendorff's alpha for each row of weights.

    Parameters
    ----------
    values
        Ratings, shape (raters, items), nan where missing.
    item_weights, rater_weights
        Whole numbers, shapes (replicates, items) and (replicates, raters); None or all 1 for raters is faster.
    level
        Metric of disagreement.

    Returns
    -------
    array
        Shape (replicates,), nan where alpha is undefined: no pair of raters in any unit, or a single value.
    """
    vary = rater_weights is not None and bool((rater_weights != 1).any())
    patterns = find_patterns(values, keep_raters=vary)
    single, double = weigh_patterns(patterns, item_weights)
    return alpha_of_patterns(patterns, single, double, rater_weights if vary else None, level=level)


def alpha_of_patterns(
    patterns: UnitPatterns, single: FloatArray, double: FloatArray, rater_weights: Weights | None, *, level: Level
) -> FloatArray:
    """Krippendorff's alpha for sums ``single`` of i and ``double`` of i^2 - i over the units of each pattern."""
    if rater_weights is None:
        return _alpha_of_counts(patterns, single, double, level)
    distance = _ratio_distance(patterns.levels) if level == "ratio" else None
    rows = zip(single, double, rater_weights.astype(float), strict=True)
    return np.array([_alpha_with_raters(patterns, *row, level, distance) for row in rows])


def count_values(codes: IntArray, rater_weight: FloatArray, n_values: int) -> FloatArray:
    """Weighted counts of values in each row of codes (``n_values`` is missing), shape (rows, values)."""
    n, size = len(codes), n_values + 1
    cell = np.arange(n)[:, None] * size + codes
    weight = np.broadcast_to(rater_weight, codes.shape).ravel()
    return np.bincount(cell.ravel(), weights=weight, minlength=n * size).reshape(n, size)[:, :-1]


def _alpha_of_counts(patterns: UnitPatterns, single: FloatArray, double: FloatArray, level: Level) -> FloatArray:
    """All raters have the weight 1: everything is a matrix product over patterns."""
    counts = patterns.counts
    m = counts.sum(axis=1)
    margin = single @ counts
    total = margin.sum(axis=1)
    scores = _scores(patterns.levels, margin, level)
    distance = _ratio_distance(patterns.levels) if level == "ratio" else None
    expected = _pair_sums(margin, level, scores, distance)
    if level == "ordinal" and scores is not None:  # ranks change from resample to resample
        observed = np.empty(len(single))
        for rows in split_replicates(len(single), len(m)):
            first, second = counts @ scores[rows].T, counts @ (scores[rows] ** 2).T
            inside = 2 * (m[:, None] * second - first**2)
            observed[rows] = np.einsum("bp,pb->b", single[rows] / (m - 1), inside)
            expected[rows] -= np.einsum("bp,pb->b", double[rows], inside)
    else:
        inside = _pair_sums(counts, level, scores, distance)
        observed = single @ (inside / (m - 1))
        expected = expected - double @ inside
    pairs = total**2 - double @ m**2 - total
    return _one_minus_ratio(observed, total, expected, pairs, (margin > 0).sum(axis=1))


def _alpha_with_raters(
    patterns: UnitPatterns,
    single: FloatArray,
    double: FloatArray,
    w: FloatArray,
    level: Level,
    distance: FloatArray | None,
) -> float:
    """One replicate with rater weights."""
    codes, n_values = patterns.codes, len(patterns.levels)
    present = codes < n_values
    judgments, squares = present @ w, present @ w**2
    pairs = judgments**2 - squares
    usable = pairs > 0  # at least two distinct raters of the resample judged the unit
    single, double = single * usable, double * usable
    by_rater = np.stack([np.bincount(row, weights=single, minlength=n_values + 1)[:-1] for row in codes.T])
    margin = w @ by_rater
    total = float(margin.sum())
    scores = _scores(patterns.levels, margin, level)
    if scores is not None:
        padded = np.append(scores, 0.0)
        inside = 2 * (judgments * ((padded**2)[codes] @ w) - (padded[codes] @ w) ** 2)
    else:
        inside = _pair_sums(count_values(codes, w, n_values), level, scores, distance)
    share = np.divide(judgments, pairs, out=np.zeros(len(pairs)), where=usable)
    copies = w**2 - w
    expected = _pair_sums(margin, level, scores, distance) - double @ inside
    expected = expected - copies @ _pair_sums(by_rater, level, scores, distance)
    all_pairs = total**2 - double @ judgments**2 - copies @ by_rater.sum(axis=1) ** 2
    all_pairs += double @ (present @ copies) - total
    observed = single @ (share * inside)
    values = np.asarray((margin > 0).sum())
    return float(_one_minus_ratio(observed, total, expected, all_pairs, values))


def _scores(levels: FloatArray, margin: FloatArray, level: Level) -> FloatArray | None:
    """Scores whose squared differences are the metric: values, or midranks among all pairable values (ordinal).

    The ordinal metric is (sum of margins from c to k, less half of both ends) squared, which is the squared
    difference of midranks. They are centred and scaled, so that sums of squares keep their digits.
    """
    if level == "interval":
        return (levels - levels.mean()) / (np.ptp(levels) or 1.0) if len(levels) else levels
    if level == "ordinal":
        total = np.maximum(margin.sum(axis=-1, keepdims=True), 1.0)
        return np.asarray((np.cumsum(margin, axis=-1) - margin / 2) / total - 0.5)
    return None


def _pair_sums(counts: FloatArray, level: Level, scores: FloatArray | None, distance: FloatArray | None) -> FloatArray:
    """Sum the metric over all ordered pairs of values with these counts, shape (..., values) -> (...)."""
    if scores is not None:
        first, second = (counts * scores).sum(axis=-1), (counts * scores**2).sum(axis=-1)
        return np.asarray(2 * (counts.sum(axis=-1) * second - first**2))
    if level == "nominal":
        return np.asarray(counts.sum(axis=-1) ** 2 - (counts**2).sum(axis=-1))
    if distance is None:
        message = "the ratio level needs its distances"
        raise ValueError(message)
    return np.asarray((counts * (counts @ distance)).sum(axis=-1))


def _ratio_distance(levels: FloatArray) -> FloatArray:
    """((c - k) / (c + k))^2, shape (values, values); 0 on the diagonal."""
    total = levels[:, None] + levels[None, :]
    gap = levels[:, None] - levels[None, :]
    return np.divide(gap, total, out=np.zeros_like(gap), where=gap != 0) ** 2


def _one_minus_ratio(
    observed: FloatArray, total: FloatArray | float, expected: FloatArray, pairs: FloatArray, n_values: IntArray
) -> FloatArray:
    """1 - D_o / D_e; nan where fewer than two values are left."""
    fine = np.asarray((n_values >= 2) & (expected > 0) & (pairs > 0))
    top, bottom = np.asarray(observed * pairs), np.asarray(expected * total)
    return np.asarray(1 - np.divide(top, bottom, out=np.full(fine.shape, np.nan), where=fine))
