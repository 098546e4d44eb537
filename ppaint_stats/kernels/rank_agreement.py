r"""Rank correlations between raters, with weights of items and raters.

Ranks are weighted midranks: the weight of the items below, and half the weight of those at the same place. A resample
never becomes a longer table in which copies of one item tie. Pairs of raters r != s count with the weight w_r w_s, so
that copies of one rater never pair.
"""

from dataclasses import dataclass

import numpy as np

from ppaint_stats.kernels.bootstrap import Weights, split_replicates
from ppaint_stats.typing import BoolArray, FloatArray


def weighted_midranks(values: FloatArray, weights: Weights) -> FloatArray:
    """Midranks around their mean, as shares of the total weight.

    Parameters
    ----------
    values
        Shape (..., items); nan only where the weight is 0.
    weights
        Shape (..., items).

    Returns
    -------
    array
        Between -1/2 and 1/2; weighted mean 0, and 0 where the weight is 0.
    """
    values, weights = np.broadcast_arrays(values, weights)
    order = np.argsort(values, axis=-1)
    x, w = np.take_along_axis(values, order, -1), np.take_along_axis(weights, order, -1)
    upto = np.cumsum(w, axis=-1)
    last = np.ones(x.shape, dtype=np.bool_)
    last[..., :-1] = x[..., 1:] != x[..., :-1]
    first = np.ones(x.shape, dtype=np.bool_)
    first[..., 1:] = last[..., :-1]
    below = np.maximum.accumulate(np.where(first, upto - w, 0.0), axis=-1)
    ends = np.where(last, upto, np.inf)
    through = np.minimum.accumulate(ends[..., ::-1], axis=-1)[..., ::-1]
    total = np.maximum(upto[..., -1:], 1e-300)
    rank = np.empty(x.shape)
    np.put_along_axis(rank, order, (below + through) / (2 * total) - 0.5, -1)
    return np.where(weights > 0, rank, 0.0)


def midranks_of(values: FloatArray, weights: Weights) -> FloatArray:
    """:func:`weighted_midranks` of the same values, shape (items,), under many weights, shape (replicates, items)."""
    levels, code = np.unique(values, return_inverse=True)
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(len(levels)))
    mass = np.add.reduceat(weights[:, order], starts, axis=1).astype(float)
    upto = np.cumsum(mass, axis=1)
    rank = (upto - mass / 2) / np.maximum(upto[:, -1:], 1e-300) - 0.5
    return np.where(weights > 0, rank[:, code], 0.0)


@dataclass(frozen=True)
class RankMoments:
    """Weighted second moments of ranks of every pair of raters over the items that both judged.

    Parameters
    ----------
    shared
        Rank covariances, shape (replicates, raters, raters).
    own
        ``own[b, r, s]`` is the variance of r's ranks among the items shared with s.
    untied
        Variance of ranks without ties between ratings, ``(1 - sum m^3 / M^3) / 12``.
    """

    shared: FloatArray
    own: FloatArray
    untied: FloatArray


def rank_moments(values: FloatArray, item_weights: Weights) -> RankMoments:
    """Compute rank moments for ratings (raters, items), nan where missing, and item weights (replicates, items)."""
    # raters who judged the same items are ranked together; a complete table is one group
    masks, group = np.unique(~np.isnan(values), axis=0, return_inverse=True)
    members = [np.flatnonzero(group == g) for g in range(len(masks))]
    overlap = masks.astype(float) @ masks.T.astype(float)
    pairs = [(int(g), int(h)) for g, h in zip(*np.nonzero(np.tril(overlap >= 2)), strict=True)]
    shape = (len(item_weights), len(values), len(values))
    shared, own, untied = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for g, h in pairs:
        first, second, both = members[g], members[h], masks[g] & masks[h]
        weight = item_weights[:, both]
        for rows in split_replicates(len(item_weights), int(both.sum()) * (len(first) + len(second))):
            w = weight[rows].astype(float)
            scale = np.sqrt(w / np.maximum(w.sum(axis=1, keepdims=True), 1.0))
            x = np.stack([midranks_of(row, w) * scale for row in values[np.ix_(first, both)]], axis=1)
            y = x if g == h else np.stack([midranks_of(v, w) * scale for v in values[np.ix_(second, both)]], axis=1)
            block, mirror = (rows, first[:, None], second), (rows, second[:, None], first)
            shared[block] = x @ y.transpose(0, 2, 1)
            shared[mirror] = shared[block].transpose(0, 2, 1)
            own[block], own[mirror] = ((z**2).sum(axis=2)[:, :, None] for z in (x, y))
            untied[block] = untied[mirror] = _untied_variance(w)[:, None, None]
    return RankMoments(shared, own, untied)


def _untied_variance(weight: FloatArray) -> FloatArray:
    total = np.maximum(weight.sum(axis=-1), 1.0)
    return np.asarray((1 - (weight**3).sum(axis=-1) / total**3) / 12)


def pair_weights(rater_weights: Weights) -> FloatArray:
    """Weights w_r w_s of pairs of distinct raters, 0 on the diagonal, shape (replicates, raters, raters)."""
    w = np.asarray(rater_weights, dtype=float)
    return np.asarray(w[:, :, None] * w[:, None, :] * (1 - np.eye(w.shape[1])))


def correlation_matrix(moments: RankMoments) -> FloatArray:
    """Spearman correlation of every pair of raters, nan where one of the two ranks all shared items alike."""
    scale = np.sqrt(moments.own * moments.own.transpose(0, 2, 1))
    return np.asarray(np.divide(moments.shared, scale, out=np.full(scale.shape, np.nan), where=scale > 1e-12))


def mean_rank_correlation(moments: RankMoments, rater_weights: Weights) -> FloatArray:
    """Mean Spearman correlation over pairs of distinct raters in which it is defined, shape (replicates,)."""
    matrix, weight = correlation_matrix(moments), pair_weights(rater_weights)
    return _ratio(np.nansum(matrix * weight, axis=(1, 2)), (weight * ~np.isnan(matrix)).sum(axis=(1, 2)))


def kendall_w_from_moments(
    moments: RankMoments, rater_weights: Weights, n_raters: int, *, tie_corrected: bool
) -> FloatArray:
    r"""Kendall's W of ``n_raters`` raters: :math:`(\bar v + (m - 1) \bar c) / (m v)`.

    :math:`\bar c` and :math:`\bar v` are means of rank covariances and variances over pairs of distinct raters with
    shared items; v is :math:`\bar v` with tie correction, and the variance of untied ranks without.
    """
    weight = pair_weights(rater_weights) * (moments.untied > 0)
    total = weight.sum(axis=(1, 2))
    covariance = _ratio((weight * moments.shared).sum(axis=(1, 2)), total)
    variance = _ratio((weight * moments.own).sum(axis=(1, 2)), total)
    untied = _ratio((weight * moments.untied).sum(axis=(1, 2)), total)
    scale = np.where(variance > 1e-12, variance if tie_corrected else untied, 0.0)
    return _ratio(variance + (n_raters - 1) * covariance, n_raters * scale)


def weighted_rank_correlation(values: FloatArray, item_weights: Weights, rater_weights: Weights) -> FloatArray:
    """Mean rank correlation of distinct raters for each row of weights.

    Parameters
    ----------
    values
        Ratings or scores, shape (raters, items), nan where missing.
    item_weights, rater_weights
        Shapes (replicates, items) and (replicates, raters).
    """
    return np.concatenate(
        [
            mean_rank_correlation(rank_moments(values, item_weights[rows]), rater_weights[rows])
            for rows in split_replicates(len(item_weights), len(values) ** 2)
        ]
    )


def weighted_kendall_w(
    values: FloatArray, item_weights: Weights, rater_weights: Weights, *, tie_corrected: bool = True
) -> FloatArray:
    """Kendall's W for each row of weights; parameters as in :func:`weighted_rank_correlation`."""
    return np.concatenate(
        [
            kendall_w_from_moments(
                rank_moments(values, item_weights[rows]), rater_weights[rows], len(values), tie_corrected=tie_corrected
            )
            for rows in split_replicates(len(item_weights), len(values) ** 2)
        ]
    )


def mean_defined(values: FloatArray, weights: Weights) -> FloatArray:
    """Weighted mean of each row over its defined entries; nan where there is none."""
    fine: BoolArray = ~np.isnan(values)
    return _ratio(np.where(fine, values * weights, 0.0).sum(axis=1), (weights * fine).sum(axis=1).astype(float))


def _ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(bottom), np.nan), where=np.asarray(bottom) > 0))
