"""From a preferences table to pairs with the weights of their answers, cell by cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ppaint_distill.targets import Cell, find_rows
from ppaint_stats.columns import COUNT, ITEM_A, ITEM_B, OUTCOME, OUTCOMES, RATER
from ppaint_stats.errors import DataError
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, IntArray

__all__ = ["CellPairs", "Votes", "gather_pairs"]

Votes = Literal["count", "share"]
"""Whether each vote is an answer, or all votes of a question share the weight of one."""


@dataclass(frozen=True, eq=False)
class CellPairs:
    """Pairs that were compared in one category and dimension.

    Parameters
    ----------
    items
        Items; those that are not in the pool, where there is one.
    opponents
        The pool's items where there is one, otherwise the same as ``items``.
    first, second
        Positions in ``items`` and in ``opponents``, shape (pairs,).
    weights
        Shape (pairs, 6): share of (first wins, tie, first loses) where the first was shown first, then the same where
        it was shown second. Each three sum to 1, or to 0 where that order was not shown. Where votes are counted, these
        are numbers of answers, and sums those of the votes.
    n_answers
        Answers behind each pair, shape (pairs,).
    """

    items: pd.Index
    opponents: pd.Index
    first: IntArray
    second: IntArray
    weights: FloatArray
    n_answers: FloatArray

    @property
    def in_both_orders(self) -> np.ndarray:
        """Which pairs were shown in both orders."""
        return (self.weights[:, :3].sum(axis=1) > 0) & (self.weights[:, 3:].sum(axis=1) > 0)


def gather_pairs(
    preferences: pd.DataFrame, *, pool: Mapping[Cell, pd.Index] | None = None, votes: Votes = "share"
) -> dict[Cell, CellPairs]:
    """Group answers by pair, and check them.

    Parameters
    ----------
    preferences
        Table of preferences, as a study takes it. A pair is apart for every rater.
    pool
        Items of the pool by cell: each pair must then be of one item in the pool and one outside of it. None takes all
        items as alike.
    votes
        Of repeated answers to one question (votes, or a ``count``): ``share`` gives them the weight of one, ``count``
        gives each its own.

    Returns
    -------
    dict
        Pairs by (category, dimension).

    Raises
    ------
    DataError
        If the table is not allowed, or a pair does not fit the pool.
    """
    frame = Study(preferences=preferences).preferences
    if frame is None or frame.empty:
        raise DataError("preferences are empty")
    gathered = {}
    for cell, rows in find_rows(frame).items():
        if pool is not None and cell not in pool:
            raise DataError(f"preferences hold the cell {cell}, and the pool the cells {list(pool)}")
        gathered[cell] = _gather(frame.iloc[rows], None if pool is None else pool[cell], cell, votes)
    return gathered


def _gather(frame: pd.DataFrame, pool: pd.Index | None, cell: Cell, votes: Votes) -> CellPairs:
    n = len(frame)
    codes, names = pd.factorize(pd.concat([frame[ITEM_A], frame[ITEM_B]], ignore_index=True), sort=True)
    a, b = codes[:n].astype(np.int64), codes[n:].astype(np.int64)
    if pool is None:
        items = opponents = pd.Index(names.astype(str))
        swapped = a > b
        first, second = np.where(swapped, b, a), np.where(swapped, a, b)
    else:
        place = pool.get_indexer(pd.Index(names))
        known = place >= 0
        wrong = np.flatnonzero(known[a] == known[b])
        if len(wrong):
            shown = frame.iloc[wrong[:5]][[ITEM_A, ITEM_B]].to_numpy().tolist()
            both = bool(known[a[wrong[0]]])
            raise DataError(
                f"preferences of {cell}: {len(wrong)} comparison(s) are not of one pool image and one other, such as "
                f"{shown}: {'both are' if both else 'neither is'} in the pool"
            )
        items, opponents = pd.Index(names[~known].astype(str)), pool
        number = np.cumsum(~known) - 1
        swapped = known[a]
        first, second = number[np.where(swapped, b, a)], place[np.where(swapped, a, b)]
    outcome = pd.Index(OUTCOMES).get_indexer(pd.Index(frame[OUTCOME])).astype(np.int64)
    column = np.where(swapped, 5 - outcome, outcome)
    rater = pd.factorize(frame[RATER])[0].astype(np.int64) if RATER in frame else np.zeros(n, dtype=np.int64)
    count = frame[COUNT].to_numpy(dtype=np.float64) if COUNT in frame else np.ones(n)
    key = (rater * len(items) + first) * len(opponents) + second
    keys, pair = np.unique(key, return_inverse=True)
    sums = np.bincount(pair * 6 + column, weights=count, minlength=6 * len(keys)).reshape(-1, 2, 3)
    weights = sums if votes == "count" else sums / np.maximum(sums.sum(axis=2, keepdims=True), 1.0)
    pair_key = keys % (len(items) * len(opponents))
    return CellPairs(
        items=items,
        opponents=opponents,
        first=pair_key // len(opponents),
        second=pair_key % len(opponents),
        weights=weights.reshape(-1, 6),
        n_answers=sums.sum(axis=(1, 2)),
    )
