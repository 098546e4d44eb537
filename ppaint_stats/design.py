"""Which pairs to compare, and in which order to show them: locally dense designs and balanced presentation."""

import heapq
from collections.abc import Iterable

import numpy as np
import pandas as pd

from ppaint_stats.columns import ITEM_A, ITEM_B, RATER
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.seeds import split_seed
from ppaint_stats.typing import BoolArray, IntArray, RandomSeed

_SHOWN = 10  # how many offending values or rows a message lists


def count_local_pairs(n_items: int, *, window: int) -> int:
    """Count the pairs of items whose ranks differ by at most `window`.

    Parameters
    ----------
    n_items : int
        Number of items in the order.
    window : int
        Largest rank gap, at most ``n_items - 1``.

    Returns
    -------
    int
        ``window * n_items - window * (window + 1) / 2``.

    Examples
    --------
    >>> count_local_pairs(50, window=14)
    595
    """
    return window * n_items - window * (window + 1) // 2


def resolve_window(n_items: int, *, n_pairs: int, window: int | None = None) -> int:
    """Check a budget of pairs and return the window it is spent with.

    Parameters
    ----------
    n_items : int
        Number of items, at least 2.
    n_pairs : int
        Number of different pairs, from ``n_items - 1`` (a tree) to ``n_items * (n_items - 1) / 2`` (every pair).
    window : int, optional
        Largest rank gap of a local pair. By default the largest one whose local pairs fit the budget.

    Returns
    -------
    int
        The window.

    Raises
    ------
    ArgumentError
        If there are fewer than two items, the budget is outside its range, or the local pairs exceed the budget.

    Examples
    --------
    >>> resolve_window(50, n_pairs=612)
    14
    """
    if n_items < 2:
        raise ArgumentError(f"comparisons need at least 2 items, not {n_items}")
    least, most = n_items - 1, n_items * (n_items - 1) // 2
    if n_pairs < least:
        raise ArgumentError(
            f"n_pairs = {n_pairs} cannot connect {n_items} items: the minimum is {least} (one less than the items)"
        )
    if n_pairs > most:
        raise ArgumentError(
            f"n_pairs = {n_pairs} exceeds the {most} different pairs of {n_items} items, which is the maximum; "
            "to ask for a pair again, repeat the design under another trial"
        )
    if window is None:
        gaps = np.arange(1, n_items, dtype=np.int64)
        return int(np.searchsorted(gaps * n_items - gaps * (gaps + 1) // 2, n_pairs, side="right"))
    if not 1 <= window <= n_items - 1:
        raise ArgumentError(f"window = {window} is not allowed: a rank gap from 1 to {n_items - 1} is")
    n_local = count_local_pairs(n_items, window=window)
    if n_local > n_pairs:
        raise ArgumentError(
            f"window = {window} makes {n_local} local pairs of {n_items} items, more than n_pairs = {n_pairs}: "
            f"the largest window that fits is {resolve_window(n_items, n_pairs=n_pairs)}"
        )
    return window


def locally_dense_pairs(
    order: Iterable[str], *, n_pairs: int, window: int | None = None, random_seed: RandomSeed = None
) -> pd.DataFrame:
    """Choose pairs that are dense among neighbours of a first ranking and connect the rest by long-range pairs.

    Items close to each other are hard to tell apart, so their comparisons teach most: every pair with a rank gap
    of at most `window` is taken. Items at the two ends have fewer neighbours; the rest of the budget goes to
    long-range pairs between the items that have been given fewest comparisons so far, ties broken at random.

    Parameters
    ----------
    order : iterable of str
        Items sorted by a first estimate, each once. Whether the best comes first or last does not matter.
    n_pairs : int
        Number of different pairs.
    window : int, optional
        Largest rank gap of a local pair. By default the largest one whose local pairs fit the budget.
    random_seed : int or numpy.random.SeedSequence, optional
        Seed of the choice among long-range pairs of equal standing.

    Returns
    -------
    pandas.DataFrame
        Columns ``item_a`` and ``item_b``, `n_pairs` rows, ``item_a`` earlier in the order: local pairs first, then
        long-range pairs. Which item is *shown* first is the business of `balanced_presentation`.

    Raises
    ------
    ArgumentError
        If an item occurs twice, or for a budget or window that `resolve_window` refuses.

    Notes
    -----
    A window of at least 1 holds the chain of rank neighbours, so the comparison graph is always connected. Local
    pairs alone give an item between ``window`` and ``2 * window`` comparisons. Time grows with `n_pairs`, not with
    the number of all possible pairs.

    Examples
    --------
    50 items and 612 pairs, the size of the PPaint study, make a window of 14: 595 local and 17 long-range pairs.

    >>> items = [f"painting-{i:02d}" for i in range(50)]
    >>> pairs = locally_dense_pairs(items, n_pairs=612, random_seed=1)
    >>> len(pairs)
    612
    >>> pairs.head(2).to_dict("list")
    {'item_a': ['painting-00', 'painting-00'], 'item_b': ['painting-01', 'painting-02']}
    """
    items = pd.Index([str(item) for item in order], dtype=object)
    if not items.is_unique:
        twice = items[items.duplicated()].unique()
        raise ArgumentError(f"order names items more than once: {', '.join(twice[:_SHOWN])}; each item is allowed once")
    n_items = len(items)
    window = resolve_window(n_items, n_pairs=n_pairs, window=window)
    n_neighbours = np.minimum(window, n_items - 1 - np.arange(n_items))
    first = np.repeat(np.arange(n_items), n_neighbours)
    second = first + 1 + np.arange(first.size) - np.repeat(np.cumsum(n_neighbours) - n_neighbours, n_neighbours)
    long_range = _choose_long_range(n_items, window, n_pairs - first.size, np.random.default_rng(random_seed))
    first, second = np.concatenate([first, long_range[:, 0]]), np.concatenate([second, long_range[:, 1]])
    return pd.DataFrame({ITEM_A: items[first].astype(str), ITEM_B: items[second].astype(str)})


def _choose_long_range(n_items: int, window: int, n_long: int, rng: np.random.Generator) -> IntArray:
    """Join, again and again, the item with fewest comparisons to the one with next fewest beyond its window."""
    rank = np.arange(n_items)
    degree = (np.minimum(window, rank) + np.minimum(window, n_items - 1 - rank)).tolist()
    heap = [(degree[i], tiebreak, i) for i, tiebreak in enumerate(rng.random(n_items))] if n_long else []
    heapq.heapify(heap)
    partners: list[set[int]] = [set() for _ in range(n_items)]
    chosen: list[tuple[int, int]] = []
    while len(chosen) < n_long:
        _, _, i = heapq.heappop(heap)
        passed_over = []
        while heap:
            entry = heapq.heappop(heap)
            j = entry[2]
            if abs(i - j) > window and j not in partners[i]:
                partners[i].add(j)
                partners[j].add(i)
                chosen.append((min(i, j), max(i, j)))
                # A fresh tiebreak each time keeps the choice random among items of equal degree.
                for k in (i, j):
                    degree[k] += 1
                    heapq.heappush(heap, (degree[k], rng.random(), k))
                break
            passed_over.append(entry)
        # An item that found no partner is compared with every other one: it leaves the heap for good.
        for entry in passed_over:
            heapq.heappush(heap, entry)
    return np.array(chosen, dtype=np.int64).reshape(-1, 2)


def balanced_presentation(pairs: pd.DataFrame, *, random_seed: RandomSeed = None) -> pd.DataFrame:
    """Give one rater's presentation of a list of pairs: a random order, and each item first in half of its pairs.

    A first-position effect then cancels within every item, and raters who share a list of pairs do not share the
    positions: a shared presentation turns a position bias into agreement between raters.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Columns ``item_a`` and ``item_b``, and any others, which stay with their row. A pair may occur repeatedly.
    random_seed : int or numpy.random.SeedSequence, optional
        Seed; give every rater another one.

    Returns
    -------
    pandas.DataFrame
        The same pairs in random order, ``item_a`` the one shown first. For every item the number of pairs in which
        it is first and that in which it is second differ by at most one.

    Raises
    ------
    DataError
        If a column is missing or a row pairs an item with itself.

    Notes
    -----
    An Eulerian orientation: items with an odd number of pairs are joined to an extra vertex, the edges are walked in
    closed trails through random edges, each trail in a random direction, and every pair is shown in the direction
    in which it was walked. Each pair is shown either way with probability one half.

    Examples
    --------
    >>> pairs = locally_dense_pairs("abcdef", n_pairs=9, random_seed=1)
    >>> shown = balanced_presentation(pairs, random_seed=1)
    >>> first, second = shown["item_a"].value_counts(), shown["item_b"].value_counts()
    >>> int(first.sub(second, fill_value=0).abs().max()) <= 1
    True
    """
    if missing := [name for name in (ITEM_A, ITEM_B) if name not in pairs.columns]:
        raise DataError(f"pairs lack the column {', '.join(missing)}; they have {', '.join(map(str, pairs.columns))}")
    rng = np.random.default_rng(random_seed)
    ends = pd.concat([pairs[ITEM_A], pairs[ITEM_B]], ignore_index=True)
    codes = pd.factorize(ends)[0].astype(np.int64).reshape(2, len(pairs))
    same = np.flatnonzero(codes[0] == codes[1])
    if same.size:
        rows = ", ".join(map(str, same[:_SHOWN]))
        raise DataError(f"pairs compare an item with itself in rows {rows} (columns item_a, item_b): two items needed")
    keep = _orient_in_trails(codes[0], codes[1], rng)
    shown = pairs.copy()
    shown[ITEM_A] = pairs[ITEM_A].where(keep, pairs[ITEM_B])
    shown[ITEM_B] = pairs[ITEM_B].where(keep, pairs[ITEM_A])
    return shown.iloc[rng.permutation(len(pairs))].reset_index(drop=True)


def _orient_in_trails(first: IntArray, second: IntArray, rng: np.random.Generator) -> BoolArray:
    """Say for each edge whether an Eulerian orientation runs from `first` to `second`."""
    n_pairs = first.size
    n_items = int(max(first.max(), second.max())) + 1 if n_pairs else 0
    odd = np.flatnonzero(np.bincount(np.concatenate([first, second]), minlength=n_items) % 2)
    tails = np.concatenate([first, odd]).tolist()
    heads = np.concatenate([second, np.full(odd.size, n_items)]).tolist()
    edges_at: list[list[int]] = [[] for _ in range(n_items + 1)]
    for edge in rng.permutation(len(tails)).tolist():
        edges_at[tails[edge]].append(edge)
        edges_at[heads[edge]].append(edge)
    walked = [False] * len(tails)
    forward = np.zeros(len(tails), dtype=np.bool_)
    for start in rng.permutation(n_items + 1).tolist():
        while edges_at[start]:
            trail, directions, here = [], [], start
            # Every vertex has an even degree, so that a walk can only get stuck where it began.
            while edges_at[here]:
                edge = edges_at[here].pop()
                if walked[edge]:
                    continue
                walked[edge] = True
                trail.append(edge)
                directions.append(tails[edge] == here)
                here = heads[edge] if tails[edge] == here else tails[edge]
            forward[trail] = np.array(directions, dtype=np.bool_) ^ bool(rng.integers(2))
    return forward[:n_pairs]


def plan_comparisons(
    order: Iterable[str],
    *,
    raters: Iterable[str],
    n_pairs: int,
    window: int | None = None,
    random_seed: RandomSeed = None,
) -> pd.DataFrame:
    """Plan a comparison study: one locally dense list of pairs, and each rater's own balanced presentation of it.

    Parameters
    ----------
    order : iterable of str
        Items sorted by a first estimate, each once.
    raters : iterable of str
        Raters, each once.
    n_pairs : int
        Number of different pairs, the same for every rater.
    window : int, optional
        As in `locally_dense_pairs`.
    random_seed : int or numpy.random.SeedSequence, optional
        Seed of the plan.

    Returns
    -------
    pandas.DataFrame
        Columns ``rater``, ``position`` (from 1, the order in which to show), ``item_a`` (shown first), ``item_b``.

    Raises
    ------
    ArgumentError
        If there is no rater, a rater occurs twice, or `locally_dense_pairs` refuses the order or the budget.

    Examples
    --------
    >>> plan = plan_comparisons("abcdef", raters=["Ann", "Bo"], n_pairs=9, random_seed=1)
    >>> plan.groupby("rater").size().to_dict()
    {'Ann': 9, 'Bo': 9}
    """
    names = [str(rater) for rater in raters]
    if not names or len(set(names)) < len(names):
        raise ArgumentError(f"raters must be one or more different names, not {names[:_SHOWN]}")
    pair_seed, *rater_seeds = split_seed(random_seed, len(names) + 1)
    pairs = locally_dense_pairs(order, n_pairs=n_pairs, window=window, random_seed=pair_seed)
    shown = [balanced_presentation(pairs, random_seed=seed) for seed in rater_seeds]
    plan = pd.concat(shown, ignore_index=True)
    plan.insert(0, RATER, pd.Series(np.repeat(np.array(names, dtype=object), n_pairs), dtype=str))
    plan.insert(1, "position", np.tile(np.arange(1, n_pairs + 1), len(names)))
    return plan
