"""Checks that hold across the two tables of a study: the same cells, ids, categories and items."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ppaint_stats.columns import (
    CATEGORY,
    DEFAULT_CATEGORY,
    DEFAULT_DIMENSION,
    DIMENSION,
    ITEM,
    ITEM_A,
    ITEM_B,
    RATER,
)
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.tables import TableSource, show_values

type Tables = dict[str, tuple[pd.DataFrame, TableSource]]


def list_items(table: pd.DataFrame) -> pd.DataFrame:
    """Items with their category and row, in order of appearance; of a comparison first item_a, then item_b."""
    if ITEM in table:
        found = table[[CATEGORY, ITEM]].assign(row=np.arange(len(table)))
    else:
        ends = [
            table[[CATEGORY, name]].set_axis([CATEGORY, ITEM], axis=1).assign(row=np.arange(len(table)))
            for name in (ITEM_A, ITEM_B)
        ]
        found = pd.concat([end.drop_duplicates([CATEGORY, ITEM]) for end in ends]).sort_values("row", kind="stable")
    return found.drop_duplicates([CATEGORY, ITEM])


def fill_cells(tables: Tables) -> None:
    """Fill a missing category or dimension with its default, unless the other table makes that ambiguous."""
    for column, default in ((CATEGORY, DEFAULT_CATEGORY), (DIMENSION, DEFAULT_DIMENSION)):
        given: list[Any] = [table[column].unique().tolist() for table, _ in tables.values() if column in table]
        for name, (table, source) in tables.items():
            if column in table:
                continue
            if given and given[0] != [default]:
                raise DataError(
                    f"{source.label}: no column '{column}', but the other table has one with {show_values(given[0])}, "
                    f"so the two cannot be matched. Give both tables a column '{column}', or neither"
                )
            full = pd.Series(default, index=table.index, dtype="str")
            order = [CATEGORY, DIMENSION, *(c for c in table.columns if c not in (CATEGORY, DIMENSION))]
            filled = table.assign(**{column: full})
            tables[name] = (filled[[c for c in order if c in filled]], source)


def check_ids(tables: Tables) -> None:
    """Refuse ids that differ by outer spaces alone: they are one name, typed twice."""
    for columns in ((CATEGORY,), (DIMENSION,), (RATER,), (ITEM, ITEM_A, ITEM_B)):
        seen: dict[str, str] = {}
        for table, source in tables.values():
            for column in (c for c in columns if c in table):
                for name in table[column].unique():
                    if seen.setdefault(name.strip(), name) != name:
                        source.fail(
                            column,
                            (table[column] == name).to_numpy(dtype=np.bool_),
                            f"{name!r} and {seen[name.strip()]!r} differ by spaces alone",
                            "Write an id in one way everywhere",
                        )


def check_categories(tables: Tables) -> None:
    """Refuse an item that stands in two categories, in one table or across them."""
    found = pd.concat(
        [list_items(table).assign(source=source.label) for table, source in tables.values()], ignore_index=True
    ).drop_duplicates([CATEGORY, ITEM])
    twice = found[found.duplicated(ITEM, keep=False)]
    if twice.empty:
        return
    names = twice[ITEM].unique()
    places = [
        f"{row.category!r} ({row.source}, row {_original_row(tables, row.source, row.row)})"
        for row in twice[twice[ITEM] == names[0]].itertuples()
    ]
    raise DataError(
        f"column '{CATEGORY}': item {names[0]!r} is in the categories {' and '.join(places)}; "
        f"{len(names):,} such item{'s' if len(names) > 1 else ''}: {show_values(names)}. "
        "An item belongs to one category; if these are different items, put the category into their ids"
    )


def _original_row(tables: Tables, label: str, row: int) -> int:
    source = next(source for _, source in tables.values() if source.label == label)
    return int(row if source.rows is None else source.rows[row])


def check_shared_items(tables: Tables) -> None:
    """Refuse a category whose ratings and comparisons are about different items."""
    (ratings, rated_in), (preferences, compared_in) = tables["ratings"], tables["preferences"]
    rated = {c: set(g[ITEM]) for c, g in list_items(ratings).groupby(CATEGORY, sort=False)}
    compared = {c: set(g[ITEM]) for c, g in list_items(preferences).groupby(CATEGORY, sort=False)}
    both = [c for c in rated if c in compared]
    apart = [c for c in both if rated[c].isdisjoint(compared[c])]
    if not both:
        raise DataError(
            f"{rated_in.label} and {compared_in.label} share no item: the ratings are of the categories "
            f"{show_values(rated)}, the comparisons of {show_values(compared)}. "
            "Both tables must use the same categories and item ids"
        )
    if apart:
        category = apart[0]
        raise DataError(
            f"{rated_in.label} and {compared_in.label} share no item in category {category!r}: column '{ITEM}' holds "
            f"{show_values(sorted(rated[category]), limit=3)}, columns '{ITEM_A}' and '{ITEM_B}' hold "
            f"{show_values(sorted(compared[category]), limit=3)}. Both tables must use the same item ids"
        )


def check_names(plural: str, values: Iterable[str] | str, known: tuple[str, ...]) -> list[str]:
    """Refuse names that the study does not hold; one name stands for a list of one."""
    names = [values] if isinstance(values, str) else list(values)
    if unknown := sorted({str(n) for n in names}.difference(known)):
        raise ArgumentError(f"{plural}: the study does not hold {show_values(unknown)}; it holds {show_values(known)}")
    return [str(n) for n in names]
