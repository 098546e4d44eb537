r"""Comparisons as signs: s = 1 where the first item of a pair is preferred, -1 where the other is, 0 for a tie.

A pair's first item is the one with the smaller code, whatever side of the screen it stood on, so that nothing here
depends on how A and B were assigned. Everything that agreement on comparisons needs follows from three means over pairs
of distinct raters of one item pair: of :math:`ss'`, of :math:`|s||s'|` and of :math:`|s|`.
"""

from dataclasses import dataclass, replace

import numpy as np

from ppaint_stats.kernels.bootstrap import split_replicates
from ppaint_stats.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class SignTable:
    """Comparisons of one protocol, by rater and item pair.

    Parameters
    ----------
    a, b
        Item codes of the pairs, a < b, shape (pairs,).
    sign
        Mean sign over a rater's judgments of a pair, shape (raters, pairs); 0 where there is none.
    decided
        Share of these judgments that are not ties, same shape; 0 where there is none.
    count
        Number of these judgments, same shape.
    n_items
        Number of items; codes run from 0 to ``n_items - 1``.
    """

    a: IntArray
    b: IntArray
    sign: FloatArray
    decided: FloatArray
    count: FloatArray
    n_items: int

    @property
    def judged(self) -> BoolArray:
        """Which rater judged which pair, shape (raters, pairs)."""
        return self.count > 0

    @property
    def n_raters(self) -> int:
        """Number of raters."""
        return len(self.sign)

    @property
    def n_pairs(self) -> int:
        """Number of item pairs."""
        return len(self.a)

    def keep(self, pairs: BoolArray) -> "SignTable":
        """Keep some of the item pairs."""
        return replace(
            self,
            a=self.a[pairs],
            b=self.b[pairs],
            sign=self.sign[:, pairs],
            decided=self.decided[:, pairs],
            count=self.count[:, pairs],
        )


@dataclass(frozen=True)
class PairMeans:
    """Sums over item pairs of means over pairs of distinct raters, each of shape (replicates,).

    ``product`` is of s s', ``both`` of |s| |s'|, ``decided`` of |s|; ``total`` is the sum of the item pairs' weights.
    """

    product: FloatArray
    both: FloatArray
    decided: FloatArray
    total: FloatArray


def tabulate_signs(
    a: IntArray, b: IntArray, outcome: IntArray, rater: IntArray, weight: FloatArray | None, n_items: int, n_raters: int
) -> SignTable:
    """Tabulate comparisons by rater and item pair.

    Parameters
    ----------
    a, b
        Item codes in the order of presentation, shape (judgments,).
    outcome
        0 where A is preferred, 1 for a tie, 2 where B is preferred.
    rater
        Rater codes, shape (judgments,).
    weight
        How often each judgment was given; None counts each once.
    n_items, n_raters
        Numbers of items and raters.
    """
    low, high = np.minimum(a, b), np.maximum(a, b)
    keys, pair = np.unique(low * n_items + high, return_inverse=True)
    sign = np.where(a < b, 1.0, -1.0) * (1.0 - outcome)
    weight = np.ones(len(a)) if weight is None else weight
    cell, shape = rater * len(keys) + pair, (n_raters, len(keys))

    def total(values: FloatArray) -> FloatArray:
        return np.bincount(cell, weights=values, minlength=n_raters * len(keys)).reshape(shape)

    count = total(weight)
    divisor = np.maximum(count, 1e-300)
    return SignTable(
        a=keys // max(n_items, 1),
        b=keys % max(n_items, 1),
        sign=total(weight * sign) / divisor,
        decided=total(weight * np.abs(sign)) / divisor,
        count=count,
        n_items=n_items,
    )


def imply_signs(ratings: FloatArray, a: IntArray, b: IntArray) -> SignTable:
    """Turn ratings into the comparisons that they imply: the sign of the difference of two ratings by one rater.

    Parameters
    ----------
    ratings
        Shape (trials, raters, items), nan where there is none. With several trials, each rating of one item meets each
        of the other.
    a, b
        Item pairs, a < b, shape (pairs,).
    """
    n_trials, n_raters, n_items = ratings.shape
    shape = (n_raters, len(a))
    sign, decided, count = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for first in range(n_trials):
        for second in range(n_trials):
            difference = ratings[first][:, a] - ratings[second][:, b]
            known = ~np.isnan(difference)
            found = np.sign(np.where(known, difference, 0.0))
            sign += found
            decided += np.abs(found)
            count += known
    divisor = np.maximum(count, 1)
    return SignTable(a, b, sign / divisor, decided / divisor, count, n_items)


def weaken_signs(table: SignTable, strength: FloatArray, tie_rate: float) -> SignTable:
    """Turn a table's weakest decisions into ties until it ties as often as another.

    Parameters
    ----------
    table
        A table that ties less often.
    strength
        How strong each decision is, shape (raters, pairs).
    tie_rate
        Tie rate to reach, in the mean over raters of each pair with at least two of them, pairs weighing the same.

    Notes
    -----
    All decisions below one strength become ties. Decisions of just this strength become ties in part, which stands for
    a fair lottery among them.
    """
    share = table.judged / np.maximum(table.judged.sum(axis=0), 1) * (table.judged.sum(axis=0) > 1)
    total = share.sum()
    if total == 0:
        return table
    mass = share * table.decided
    goal = tie_rate - (total - mass.sum()) / total
    if goal <= 0:
        return table
    order = np.argsort(strength, axis=None, kind="stable")
    levels, start = np.unique(strength.ravel()[order], return_index=True)
    by_level = np.add.reduceat(mass.ravel()[order], start) / total
    before = np.concatenate([[0.0], np.cumsum(by_level)])
    left = np.clip(1 - (goal - before[:-1]) / np.maximum(by_level, 1e-300), 0.0, 1.0)
    kept = left[np.searchsorted(levels, strength)]
    return replace(table, sign=table.sign * kept, decided=table.decided * kept)


def average_pairs(table: SignTable, item_weights: IntArray, rater_weights: IntArray) -> PairMeans:
    """Average over pairs of distinct raters, then sum over item pairs, for many resamples at once.

    Parameters
    ----------
    table
        The comparisons.
    item_weights
        How often each item was drawn, shape (replicates, items). Item pair (a, b) gets the weight m_a m_b.
    rater_weights
        How often each rater was drawn, shape (replicates, raters). Raters r and s != r get the weight w_r w_s.

    Notes
    -----
    For values x_r of one item pair the mean over pairs of distinct raters is
    ((sum w x)^2 - sum w^2 x^2) / ((sum w)^2 - sum w^2). Item pairs with fewer than two of the drawn raters carry
    nothing.
    """
    n_boot = len(item_weights)
    sums = np.zeros((4, n_boot))
    judged = table.judged.astype(np.float64)
    complete = bool(judged.all())
    for rows in split_replicates(n_boot, table.n_pairs):
        w, m = rater_weights[rows].astype(np.float64), item_weights[rows].astype(np.float64)
        weight = m[:, table.a]
        weight *= m[:, table.b]
        if complete:
            drawn, squared = w.sum(axis=1)[:, None], (w * w).sum(axis=1)[:, None]
        else:
            drawn, squared = w @ judged, (w * w) @ judged
        size = drawn * drawn - squared
        weight = np.where(size > 0, weight, 0.0)
        share = weight / np.where(size > 0, size, 1.0)
        sums[0, rows] = np.einsum("bp,bp->b", _square_apart(w, table.sign), share)
        sums[1, rows] = np.einsum("bp,bp->b", _square_apart(w, table.decided), share)
        spread = drawn * (w @ table.decided) - (w * w) @ table.decided
        sums[2, rows] = np.einsum("bp,bp->b", spread, share)
        sums[3, rows] = weight.sum(axis=1)
    return PairMeans(*sums)


def _square_apart(w: FloatArray, x: FloatArray) -> FloatArray:
    """(sum w x)^2 - sum w^2 x^2, shape (replicates, pairs)."""
    total = w @ x
    total *= total
    total -= (w * w) @ (x * x)
    return total


def describe_agreement(means: PairMeans) -> dict[str, FloatArray]:
    r"""Statistics of agreement by name, each of shape (replicates,), nan where undefined.

    ``alpha_sym`` is :math:`E[ss'] / E[s^2]`; ``alpha_nominal`` its nominal companion
    :math:`(p_o - p_e) / (1 - p_e)` with :math:`p_e = t^2 + (1 - t)^2 / 2` and the tie rate t; ``agreement`` is
    :math:`p_o`; ``agreement_decided`` and ``alpha_decided`` regard judgments that both raters decided;
    ``product`` is :math:`E[ss']`, which is alpha_sym after breaking all ties by fair coins.
    """
    product, both, decided = (_divide(x, means.total) for x in (means.product, means.both, means.decided))
    agreement = 1 - 2 * decided + 1.5 * both + 0.5 * product
    chance = (1 - decided) ** 2 + decided**2 / 2
    return {
        "alpha_sym": _divide(product, decided),
        "alpha_decided": _divide(product, both),
        "product": product,
        "alpha_nominal": _divide(agreement - chance, 1 - chance),
        "agreement": agreement,
        "agreement_decided": _divide(both + product, 2 * both),
        "tie_rate": 1 - decided,
    }


def _divide(x: FloatArray, y: FloatArray) -> FloatArray:
    # Sums of products of whole numbers and shares: what is below this is zero but for rounding.
    return np.asarray(np.divide(x, y, out=np.full(np.shape(x), np.nan), where=np.asarray(y) > 1e-12))
