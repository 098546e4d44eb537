r"""Parts of a panel against each other, with weights of items and raters: halves, and one rater against the rest.

All copies of one rater are in the same part, and never form a pair. A mean in which a rater counts w times is noisier
than one of as many different raters, though, and a resampled panel looks worse than the panel. Correlations are
therefore corrected from the effective number of raters, :math:`(\sum w)^2 / \sum w^2`, to the number that they are
meant for.
"""

from itertools import combinations
from math import comb

import numpy as np

from ppaint_stats.kernels.bootstrap import Weights, split_replicates
from ppaint_stats.kernels.rank_agreement import pair_weights, weighted_midranks
from ppaint_stats.typing import BoolArray, FloatArray


def choose_splits(n_raters: int, limit: int, rng: np.random.Generator) -> tuple[BoolArray, bool]:
    """Choose halves of a panel.

    Returns
    -------
    splits, complete
        Whether each rater is in the first half, shape (splits, raters); all splits if there are at most ``limit``
        of them, otherwise ``limit`` random ones.
    """
    half = n_raters // 2
    n_splits = comb(n_raters, half) // (2 if n_raters % 2 == 0 else 1)
    if n_splits <= limit:
        # with an even number every split has two names: rater 0 stays in the first half
        even = n_raters % 2 == 0
        chosen = [(0, *c) for c in combinations(range(1, n_raters), half - 1)] if even else []
        chosen = chosen or [*combinations(range(n_raters), half)]
        splits = np.zeros((len(chosen), n_raters), dtype=np.bool_)
        np.put_along_axis(splits, np.array(chosen, dtype=np.int64), True, axis=1)
        return splits, True
    order = rng.permuted(np.tile(np.arange(n_raters), (limit, 1)), axis=1)
    return order < half, False


def weighted_covariances(values: FloatArray, item_weights: Weights) -> tuple[FloatArray, BoolArray]:
    """Weighted covariances of every pair of raters over the items that both judged.

    Returns
    -------
    covariance, known
        Shape (replicates, raters, raters); known where at least two different items are shared.
    """
    present = ~np.isnan(values)
    centre = np.array([row[p].mean() if p.any() else 0.0 for row, p in zip(values, present, strict=True)])
    x = np.where(present, values - centre[:, None], 0.0)
    mask = present.astype(float)
    shape = (len(item_weights), len(values), len(values))
    covariance, known = np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    for rows in split_replicates(len(item_weights), values.size):
        w = item_weights[rows].astype(float)[:, None, :]
        total = (mask * w) @ mask.T
        sums = (x * w) @ mask.T  # of r's values over the items shared with s
        distinct = (mask * (w > 0)) @ mask.T
        product = (x * w) @ x.T
        safe = np.maximum(total, 1.0)
        covariance[rows] = product / safe - (sums / safe) * (sums.transpose(0, 2, 1) / safe)
        known[rows] = distinct >= 2
    return covariance, known


def split_half_from_covariances(
    covariance: FloatArray, known: BoolArray, rater_weights: Weights, splits: BoolArray
) -> FloatArray:
    """Mean of the corrected split-half correlations over splits, shape (replicates,).

    Pairs of raters without shared items get the mean covariance of the other pairs of the same block.
    """
    n_raters = covariance.shape[1]
    first, weight = splits.astype(float), rater_weights.astype(float)[:, None, :]
    off = known & ~np.eye(n_raters, dtype=np.bool_)
    same = np.diagonal(known, axis1=1, axis2=2)
    variance = np.where(same, np.diagonal(covariance, axis1=1, axis2=2), 0.0)
    halves = first * weight, (1 - first) * weight
    inside = [_block(h, h, covariance, off) + (h**2 @ variance[:, :, None])[:, :, 0] for h in halves]
    scale = inside[0] * inside[1]
    fine = (inside[0] > 0) & (scale > 1e-24 * variance.max(axis=1, initial=0.0)[:, None] ** 2)
    r = np.divide(_block(*halves, covariance, off), np.sqrt(np.abs(scale)), out=np.full(fine.shape, np.nan), where=fine)
    stepped = step_up(np.clip(r, -1, 1), effective_size(halves[0]), effective_size(halves[1]), n_raters)
    defined = ~np.isnan(stepped)
    n = defined.sum(axis=1)
    total = np.where(defined, stepped, 0.0).sum(axis=1)
    return np.asarray(np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0))


def weighted_split_half(
    values: FloatArray, item_weights: Weights, rater_weights: Weights, splits: BoolArray
) -> FloatArray:
    """Split-half reliability of the whole panel for each row of weights.

    Parameters
    ----------
    values
        Ratings or scores, shape (raters, items), nan where missing.
    item_weights, rater_weights
        Shapes (replicates, items) and (replicates, raters).
    splits
        Of :func:`choose_splits`.
    """
    return np.concatenate(
        [
            split_half_from_covariances(*weighted_covariances(values, item_weights[rows]), rater_weights[rows], splits)
            for rows in split_replicates(len(item_weights), len(values) * max(len(values), len(splits)))
        ]
    )


def _block(left: FloatArray, right: FloatArray, covariance: FloatArray, known: BoolArray) -> FloatArray:
    """Sum w_r w_s c_rs over pairs of distinct raters of two halves; nan where no pair is known."""
    pairs = left.sum(axis=-1) * right.sum(axis=-1) - (left * right).sum(axis=-1)
    found = ((left @ known.astype(float)) * right).sum(axis=-1)
    total = ((left @ np.where(known, covariance, 0.0)) * right).sum(axis=-1)
    mean = np.divide(total, found, out=np.full(found.shape, np.nan), where=found > 0)
    return np.where(pairs > 0, mean * pairs, 0.0)


def effective_size(weights: FloatArray) -> FloatArray:
    """(sum w)^2 / sum w^2: as many raters of equal weight have a mean as noisy as this one (Kish 1965)."""
    squares = (weights**2).sum(axis=-1)
    return np.asarray(np.divide(weights.sum(axis=-1) ** 2, squares, out=np.zeros(squares.shape), where=squares > 0))


def step_up(r: FloatArray, n_first: FloatArray, n_second: FloatArray, n_raters: int) -> FloatArray:
    r"""Reliability of the mean of ``n_raters`` from the correlation of the means of two other panels.

    Raters of reliability :math:`\rho` give :math:`r^2 = R_a(\rho) R_b(\rho)` with
    :math:`R_n(\rho) = n \rho / (1 + (n - 1) \rho)`, a quadratic equation for :math:`\rho`. Halves of equal size give
    Spearman-Brown, 2 r / (1 + r), unequal ones Horst (1951). Where parts disagree the formula runs off to minus
    infinity: no value is below -1.
    """
    a, b = n_first - 1, n_second - 1
    lead = n_first * n_second - r**2 * a * b
    root = np.sqrt(r**4 * (a + b) ** 2 + 4 * r**2 * lead)
    rho = np.divide(r**2 * (a + b) + np.sign(r) * root, 2 * lead, out=np.full(r.shape, np.nan), where=lead > 1e-12)
    rho = np.where(r >= 1 - 1e-12, 1.0, rho)
    bottom = 1 + (n_raters - 1) * rho
    whole = np.divide(n_raters * rho, bottom, out=np.full(r.shape, -1.0), where=bottom > 1e-9)
    return np.where(np.isnan(rho), np.nan, np.maximum(whole, -1.0))


def weighted_leave_one_out(values: FloatArray, item_weights: Weights, rater_weights: Weights) -> FloatArray:
    r"""Spearman correlation of each rater with the mean of the others, for each row of weights.

    Parameters
    ----------
    values
        Ratings or scores, shape (raters, items), nan where missing. With missing cells raters' severities must have
        been subtracted before, so that the mean of whoever judged an item is comparable.
    item_weights, rater_weights
        Shapes (replicates, items) and (replicates, raters).

    Returns
    -------
    array
        Shape (replicates, raters); a rater's own weight does not matter, all copies are left out. nan where a side is
        constant.

    Notes
    -----
    The mean of n raters of reliability :math:`\rho` correlates with anything in proportion to
    :math:`\sqrt{R_n(\rho)}`. Correlations are multiplied by the ratio of this for all others, and for their effective
    number in the resample; :math:`\rho` is the resample's mean covariance of two raters over their mean variance.
    """
    present = ~np.isnan(values)
    filled = np.where(present, values, 0.0)
    span = float(np.ptp(values[present])) if present.any() else 0.0
    out = np.full((len(item_weights), len(values)), np.nan)
    if span == 0:
        return out
    rho = _single_reliability(values, item_weights, rater_weights)
    for rows in split_replicates(len(item_weights), values.shape[1]):
        w = rater_weights[rows].astype(float)
        total, count = w @ filled, w @ present
        for r, own in enumerate(present):
            others = count - w[:, [r]] * own
            usable = (others > 0) & own
            rest = np.divide(total - w[:, [r]] * filled[r], others, out=np.zeros(others.shape), where=usable)
            rest = np.round(rest / span, 10)  # sums in another order must not break ties
            found = _correlate_ranks(filled[r], rest, item_weights[rows] * usable)
            size = effective_size(np.delete(w, r, axis=1))
            n = len(values) - 1
            gain = n * (1 + (size - 1) * rho[rows]) / np.maximum(size * (1 + (n - 1) * rho[rows]), 1e-300)
            out[rows, r] = np.clip(found * np.sqrt(gain), -1, 1)
    return out


def _single_reliability(values: FloatArray, item_weights: Weights, rater_weights: Weights) -> FloatArray:
    """Mean covariance of pairs of distinct raters over their mean variance, between 0 and 1; 0 where unknown."""
    out = np.zeros(len(item_weights))
    for rows in split_replicates(len(item_weights), len(values) ** 2):
        covariance, known = weighted_covariances(values, item_weights[rows])
        pairs = pair_weights(rater_weights[rows]) * known
        own = np.diagonal(covariance, axis1=1, axis2=2)[:, :, None]
        top, bottom = (pairs * covariance).sum(axis=(1, 2)), (pairs * own).sum(axis=(1, 2))
        out[rows] = np.clip(np.divide(top, bottom, out=np.zeros(len(top)), where=bottom > 0), 0, 1)
    return out


def _correlate_ranks(x: FloatArray, y: FloatArray, weights: Weights) -> FloatArray:
    a, b = weighted_midranks(x, weights), weighted_midranks(y, weights)
    scale = np.sqrt((weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1))
    top = (weights * a * b).sum(axis=1)
    return np.asarray(np.divide(top, scale, out=np.full(len(top), np.nan), where=scale > 1e-9))
