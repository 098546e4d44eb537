r"""Agreement of several raters' orders of the same items, in many resamples of items and raters at once.

Orders enter through rank correlations of pairs of distinct raters alone, whatever the units of their scores: a rating
of 1 to 5 and a log-worth are treated alike. (`kernels.panels` has panels' means in the units of the ratings.)
"""

import numpy as np

from ppaint_stats.kernels.bootstrap import split_replicates
from ppaint_stats.kernels.panels import choose_splits
from ppaint_stats.kernels.rank_agreement import (
    RankMoments,
    correlation_matrix,
    kendall_w_from_moments,
    mean_rank_correlation,
    pair_weights,
    rank_moments,
)
from ppaint_stats.typing import FloatArray, IntArray

MAX_SPLITS = 50
"""Splits of raters into halves; all of them where there are no more."""


def split_raters(n_raters: int, rng: np.random.Generator) -> FloatArray:
    """Splits of raters into halves, shape (splits, raters): 1 in the first half, 0 in the second."""
    if n_raters < 2:
        return np.zeros((0, n_raters))
    return choose_splits(n_raters, MAX_SPLITS, rng)[0].astype(np.float64)


def describe_orders(
    scores: FloatArray, item_weights: IntArray, rater_weights: IntArray, splits: FloatArray
) -> dict[str, FloatArray]:
    r"""Statistics of the agreement of orders by name, each of shape (replicates,), nan where undefined.

    Parameters
    ----------
    scores
        Shape (raters, items), nan where a rater gave none.
    item_weights, rater_weights
        Shapes (replicates, items) and (replicates, raters).
    splits
        Of :func:`split_raters`.

    Notes
    -----
    ``kendall_w``: :math:`W = ((m - 1) \bar c / \bar v + 1) / m` with the mean covariance of ranks over pairs of
    distinct raters, weight w_r w_s, and their mean variance; on complete scores and with all weights 1 it is
    Kendall's W, corrected for ties. ``mean_srcc``: mean rank correlation over pairs of distinct raters.
    ``leave_one_out``: mean correlation of a rater's ranks with the mean of the others' standardised ranks.
    ``split_half``: mean correlation of the mean standardised ranks of two halves of the raters, stepped up by
    Spearman & Brown's :math:`2r / (1 + |r|)`.
    """
    n_boot, n_raters, n_items = len(item_weights), len(scores), scores.shape[1]
    found = {name: np.full(n_boot, np.nan) for name in ("kendall_w", "mean_srcc", "leave_one_out", "split_half")}
    if n_raters < 2 or n_items < 2:
        return found
    for rows in split_replicates(n_boot, n_raters * max(n_raters, n_items)):
        moments = rank_moments(scores, item_weights[rows])
        w = rater_weights[rows].astype(np.float64)
        parts = _summarise(moments, w, splits)
        for name, values in parts.items():
            found[name][rows] = values
    return found


def _summarise(moments: RankMoments, w: FloatArray, splits: FloatArray) -> dict[str, FloatArray]:
    n_raters = w.shape[1]
    correlation = correlation_matrix(moments)
    known = ~np.isnan(correlation) & ~np.eye(n_raters, dtype=np.bool_)
    weight = np.where(known, pair_weights(w), 0.0)
    product = weight * np.where(known, correlation, 0.0)
    mean = mean_rank_correlation(moments, w)
    size = known.any(axis=2).sum(axis=1).astype(np.float64)
    return {
        "kendall_w": kendall_w_from_moments(moments, w, n_raters, tie_corrected=True),
        "mean_srcc": mean,
        "leave_one_out": _leave_one_out(product, weight, w, mean, size),
        "split_half": _split_half(product, weight, mean, splits),
    }


def _leave_one_out(
    product: FloatArray, weight: FloatArray, w: FloatArray, mean: FloatArray, size: FloatArray
) -> FloatArray:
    """Mean over raters r of the correlation of z_r with the mean of the other z, of which there are size - 1."""
    ours, all_ours = product.sum(axis=2), weight.sum(axis=2)
    others = product.sum(axis=(1, 2))[:, None] - 2 * ours
    all_others = weight.sum(axis=(1, 2))[:, None] - 2 * all_ours
    among = np.where(all_others > 0, _ratio(others, all_others), mean[:, None])
    each = _correlate_with_mean(_ratio(ours, all_ours), 1.0, np.ones(1), size[:, None] - 1, among)
    share = np.where(np.isnan(each), 0.0, w)
    return _ratio((share * np.nan_to_num(each)).sum(axis=1), share.sum(axis=1))


def _split_half(product: FloatArray, weight: FloatArray, mean: FloatArray, splits: FloatArray) -> FloatArray:
    """Mean over splits of the correlation of the two halves' mean z, stepped up to all raters."""

    def average(x: FloatArray, y: FloatArray) -> FloatArray:  # over rater pairs, one in x and one in y
        total = np.einsum("brs,kr,ks->bk", product, x, y, optimize=True)
        return _ratio(total, np.einsum("brs,kr,ks->bk", weight, x, y, optimize=True))

    first, second = splits, 1 - splits
    inside = [average(half, half) for half in (first, second)]
    filled = [np.where(np.isnan(x), mean[:, None], x) for x in inside]
    sizes = [half.sum(axis=1) for half in (first, second)]
    r = _correlate_with_mean(average(first, second), sizes[0], filled[0], sizes[1], filled[1])
    defined = ~np.isnan(r)
    half = _ratio(np.where(defined, r, 0.0).sum(axis=1), defined.sum(axis=1).astype(np.float64))
    return np.asarray(2 * half / (1 + np.abs(half)))  # mirrored below 0, where the formula would run off to infinity


def expect_leave_one_out(rho: FloatArray, n_raters: int) -> FloatArray:
    """``leave_one_out`` of a panel whose raters all correlate alike, rising from rho = -1 / (n_raters - 1) to 1."""
    return _correlate_with_mean(rho, 1.0, np.ones(1), n_raters - 1.0, rho)


def expect_split_half(rho: FloatArray, n_raters: int) -> FloatArray:
    """``split_half`` of a panel whose raters all correlate alike, rising from rho = -1 / (n_raters - 1) to 1."""
    first = n_raters // 2
    half = _correlate_with_mean(rho, float(first), rho, float(n_raters - first), rho)
    return np.asarray(2 * half / (1 + np.abs(half)))


def _correlate_with_mean(
    cross: FloatArray, n: FloatArray | float, inside_n: FloatArray, k: FloatArray | float, inside_k: FloatArray
) -> FloatArray:
    """Correlation of the mean of n standardised orders with that of k others, from mean correlations.

    A resample holds fewer distinct raters than the study. Means over pairs of distinct raters are put into the
    formula for the study's own numbers of raters, so that a resample does not look less reliable for want of them.
    """
    spread_n = 1 / n + (1 - 1 / n) * inside_n
    spread_k = 1 / np.maximum(k, 1) + (1 - 1 / np.maximum(k, 1)) * inside_k
    scale = np.sqrt(np.maximum(spread_n, 0.0) * np.maximum(spread_k, 0.0))
    return np.asarray(np.clip(_ratio(cross, scale), -1.0, 1.0))


def _ratio(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(np.divide(x, y, out=np.full(np.shape(x), np.nan), where=np.asarray(y) > 1e-12))
