"""The tables of ``check_study``: what a study holds by cell, by rater and by level of the scale."""

from typing import Any

import numpy as np
import pandas as pd

from ppaint_stats.columns import (
    CATEGORY,
    COUNT,
    DIMENSION,
    ITEM,
    ITEM_A,
    ITEM_B,
    OUTCOME,
    RATER,
    RATING,
)
from ppaint_stats.study import Study
from ppaint_stats.typing import IntArray

MAX_LEVELS = 21
"""A scale of more levels is shown in ten bins."""


def tabulate_cells(study: Study) -> pd.DataFrame:
    """Count what each category and dimension holds.

    Parameters
    ----------
    study : Study
        What to describe.

    Returns
    -------
    pandas.DataFrame
        One row per cell: ``items``, ``rated`` and ``compared`` (items with a rating, with a comparison), ``raters``,
        ``ratings``, ``comparisons``, ``missing`` (share of rater x item cells without a rating, of raters who
        rate there),
        ``ties`` (share of comparisons), ``first`` (share of decided comparisons that the item shown first wins),
        ``comparison_parts`` (connected components of the comparison graph over compared items),
        ``joint_parts`` (of the graph that links items by comparisons and by raters who rated both).
    """
    ratings, preferences = _split(study.ratings), _split(study.preferences)
    rows = []
    for cell in study.cells:
        rated, compared = ratings.get(cell), preferences.get(cell)
        row: dict[str, object] = {CATEGORY: cell[0], DIMENSION: cell[1]}
        rated_items = set() if rated is None else set(rated[ITEM].unique())
        compared_items = set() if compared is None else set(compared[ITEM_A].unique()) | set(compared[ITEM_B].unique())
        raters = {r for t in (rated, compared) if t is not None and RATER in t for r in t[RATER].unique()}
        items = sorted(rated_items | compared_items)
        row |= {"items": len(items), "rated": len(rated_items), "compared": len(compared_items), "raters": len(raters)}
        row["ratings"] = 0 if rated is None else len(rated)
        row["comparisons"] = 0 if compared is None else int(_weights(compared).sum())
        row["missing"] = np.nan
        if rated is not None:
            n_pairs = len(rated[[RATER, ITEM]].drop_duplicates())
            row["missing"] = 1 - n_pairs / (rated[RATER].nunique() * len(items))
        row |= dict(zip(("ties", "first"), _outcome_shares(compared), strict=True))
        row |= _count_parts(rated, compared, items, len(compared_items))
        rows.append(row)
    return pd.DataFrame(rows)


def _split(table: pd.DataFrame | None) -> dict[tuple[str, str], pd.DataFrame]:
    if table is None:
        return {}
    return {(str(c), str(d)): group for (c, d), group in table.groupby([CATEGORY, DIMENSION], sort=False)}


def _weights(preferences: pd.DataFrame) -> IntArray:
    if COUNT in preferences:
        return np.asarray(preferences[COUNT].to_numpy(), dtype=np.int64)
    return np.ones(len(preferences), dtype=np.int64)


def _outcome_shares(preferences: pd.DataFrame | None) -> tuple[float, float]:
    """Share of ties among comparisons, and of the first position among decided ones."""
    if preferences is None:
        return np.nan, np.nan
    n = pd.Series(_weights(preferences)).groupby(preferences[OUTCOME].to_numpy()).sum()
    n_a, n_b, n_tie = (int(n.get(outcome, 0)) for outcome in ("A", "B", "TIE"))
    return n_tie / (n_a + n_b + n_tie), n_a / (n_a + n_b) if n_a + n_b else np.nan


def _count_parts(
    rated: pd.DataFrame | None, compared: pd.DataFrame | None, items: list[str], n_compared: int
) -> dict[str, float]:
    """Connected components, of comparisons alone and of comparisons and ratings together."""
    # Here and not at the top, to keep the import of the package light.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    index = pd.Index(items)
    ends: list[tuple[IntArray, IntArray]] = []
    n_nodes = len(items)

    def count() -> int:
        heads = np.concatenate([head for head, _ in ends])
        tails = np.concatenate([tail for _, tail in ends])
        graph = coo_array((np.ones(len(heads), dtype=np.int8), (heads, tails)), shape=(n_nodes, n_nodes))
        return int(connected_components(graph, directed=False, return_labels=False))

    parts = {"comparison_parts": np.nan, "joint_parts": np.nan}
    if compared is not None:
        ends.append((index.get_indexer(pd.Index(compared[ITEM_A])), index.get_indexer(pd.Index(compared[ITEM_B]))))
        # Items that were never compared are components of their own; only the compared ones count here.
        parts["comparison_parts"] = count() - (len(items) - n_compared)
    if rated is not None:
        # A rater is a node, too: it links all items that it rated, and so adds no component.
        codes, uniques = pd.factorize(rated[RATER])
        ends.append((index.get_indexer(pd.Index(rated[ITEM])), np.asarray(codes, dtype=np.int64) + len(items)))
        n_nodes += len(uniques)
    parts["joint_parts"] = count()
    return parts


def tabulate_raters(study: Study) -> pd.DataFrame:
    """Count what each rater did.

    Parameters
    ----------
    study : Study
        What to describe.

    Returns
    -------
    pandas.DataFrame
        One row per rater: ``protocols`` (ratings, preferences or both), ``ratings``, ``comparisons``,
        ``mean`` and ``sd`` of the ratings, ``ties``, ``decided`` (comparisons without ties), ``first``, ``repeats``
        (ratings of an item in a dimension beyond the first, and comparisons of a pair beyond the first, in
        either order).
    """
    columns = ["protocols", "ratings", "comparisons", "mean", "sd", "ties", "decided", "first", "repeats"]
    table = pd.DataFrame(index=pd.Index(list(study.raters), name=RATER, dtype="str"))
    table[["ratings", "comparisons", "decided", "repeats"]] = 0
    table[["mean", "sd", "ties", "first"]] = np.nan
    if study.ratings is not None:
        by_rater = study.ratings.groupby(RATER)[RATING]
        table["ratings"] = _align(by_rater.size(), table.index)
        table["mean"] = by_rater.mean().reindex(table.index)
        table["sd"] = by_rater.std().reindex(table.index)
        repeated = study.ratings.duplicated([CATEGORY, DIMENSION, RATER, ITEM])
        table["repeats"] += _align(repeated.groupby(study.ratings[RATER]).sum(), table.index)
    if study.preferences is not None and RATER in study.preferences:
        p = study.preferences
        pairs = p[[RATER, OUTCOME]].assign(n=_weights(p))
        n = pairs.pivot_table(index=RATER, columns=OUTCOME, values="n", aggfunc="sum", fill_value=0, observed=True)
        n = n.reindex(index=table.index, columns=["A", "B", "TIE"], fill_value=0)
        table["comparisons"] = n.sum(axis=1).astype("int64")
        table["decided"] = (n["A"] + n["B"]).astype("int64")
        table["ties"] = n["TIE"] / table["comparisons"].where(table["comparisons"] > 0)
        table["first"] = n["A"] / table["decided"].where(table["decided"] > 0)
        table["repeats"] += _align(_count_repeated_pairs(p), table.index)
    rates, compares = table["ratings"] > 0, table["comparisons"] > 0
    table["protocols"] = np.select([rates & compares, rates], ["both", "ratings"], "preferences")
    return table[columns].reset_index()


def _align(counts: "pd.Series[Any]", raters: "pd.Index[Any]") -> "pd.Series[int]":
    return counts.reindex(raters, fill_value=0).astype("int64")


def _count_repeated_pairs(preferences: pd.DataFrame) -> "pd.Series[int]":
    """Comparisons of one pair by one rater in one dimension beyond the first, whichever item was shown first."""
    codes, _ = pd.factorize(pd.concat([preferences[ITEM_A], preferences[ITEM_B]], ignore_index=True))
    a, b = codes[: len(preferences)], codes[len(preferences) :]
    keyed = preferences[[CATEGORY, DIMENSION, RATER]].assign(
        low=np.minimum(a, b), high=np.maximum(a, b), n=_weights(preferences)
    )
    per_pair = keyed.groupby([CATEGORY, DIMENSION, RATER, "low", "high"], observed=True)["n"].sum() - 1
    return per_pair.groupby(level=RATER).sum()


def tabulate_scale(study: Study) -> pd.DataFrame:
    """Count the ratings by level of the scale, or in ten bins of it.

    Parameters
    ----------
    study : Study
        What to describe.

    Returns
    -------
    pandas.DataFrame
        ``dimension``, ``low``, ``high`` (equal where a row is one level; otherwise a bin holds its lower end, the
        last one also its upper), ``ratings``, ``share`` of the ratings in the dimension. No rows without ratings.
    """
    names = [DIMENSION, "low", "high", "ratings", "share"]
    if study.ratings is None or study.scale is None:
        return pd.DataFrame({name: [] for name in names})
    levels = study.scale.levels
    if levels is not None and len(levels) <= MAX_LEVELS:
        low = high = levels
    else:
        ends = np.linspace(study.scale.low, study.scale.high, 11)
        low, high = ends[:-1], ends[1:]
    parts = []
    for dimension, group in study.ratings.groupby(DIMENSION, sort=False):
        x = group[RATING].to_numpy()
        if low is high:
            codes = study.scale.codes(x)
        else:
            codes = np.minimum(((x - study.scale.low) / study.scale.span * 10).astype(np.int64), 9)
        n = np.bincount(codes, minlength=len(low))
        parts.append(pd.DataFrame({DIMENSION: dimension, "low": low, "high": high, "ratings": n, "share": n / n.sum()}))
    return pd.concat(parts, ignore_index=True)
