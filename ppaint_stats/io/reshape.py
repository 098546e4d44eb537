"""From wide tables to long ones: a column per rater, or a row of counts per pair."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ppaint_stats.columns import COUNT, ITEM, ITEM_A, ITEM_B, OUTCOME, RATER, RATING
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.io.files import to_pandas
from ppaint_stats.tables import TableSource, find_missing, show_values, to_counts


def melt_ratings(frame: Any, *, item: str, raters: Sequence[str] | Mapping[str, str]) -> pd.DataFrame:
    """Turn a table with one row per item and one column per rater into one row per rating.

    Parameters
    ----------
    frame : dataframe
        Of any library that narwhals reads.
    item : str
        Column that names the item.
    raters : sequence of str or mapping of str to str
        Columns that hold ratings; a mapping gives each rater's name.

    Returns
    -------
    pandas.DataFrame
        Columns ``rater``, ``item``, ``rating``, then all other columns. Empty cells are ratings that were never
        given: they have no row.

    Raises
    ------
    ArgumentError
        If a column is lacking.

    Examples
    --------
    >>> import pandas as pd
    >>> wide = pd.DataFrame({"image": ["x", "y"], "s1": [2, 3], "s2": [4, None]})
    >>> melt_ratings(wide, item="image", raters=["s1", "s2"])
      rater item  rating
    0    s1    x     2.0
    1    s1    y     3.0
    2    s2    x     4.0
    """
    table = to_pandas(frame, name="ratings")
    names = dict(raters) if isinstance(raters, Mapping) else {column: column for column in raters}
    _require(table, [item, *names])
    others = [column for column in table.columns if column not in (item, *names)]
    long = table.melt(id_vars=[item, *others], value_vars=list(names), var_name=RATER, value_name=RATING)
    long[RATER] = long[RATER].map(names)
    long = long.rename(columns={item: ITEM})[[RATER, ITEM, RATING, *others]]
    return long[~find_missing(long[RATING], words=True)].reset_index(drop=True)


def counts_to_preferences(
    frame: Any,
    *,
    item_a: str = "item_a",
    item_b: str = "item_b",
    win_a: str = "win_a",
    win_b: str = "win_b",
    tie: str | None = None,
) -> pd.DataFrame:
    """Turn a table of counts per pair into one row per pair and outcome.

    Parameters
    ----------
    frame : dataframe
        Of any library that narwhals reads, one row per pair (and rater, category, ...).
    item_a, item_b : str
        Columns that name the items of a pair.
    win_a, win_b : str
        Columns that count how often the first and the second item were preferred.
    tie : str, optional
        Column that counts ties, if there were any.

    Returns
    -------
    pandas.DataFrame
        Columns ``item_a``, ``item_b``, ``outcome``, ``count``, then all other columns. Outcomes that never occurred
        have no row.

    Raises
    ------
    ArgumentError
        If a column is lacking.
    DataError
        If a count is missing, negative or no whole number, or all are 0.

    Examples
    --------
    >>> import pandas as pd
    >>> wide = pd.DataFrame({"item_a": ["London"], "item_b": ["Paris"], "win_a": [186], "tie": [26], "win_b": [91]})
    >>> counts_to_preferences(wide, tie="tie")
       item_a item_b outcome  count
    0  London  Paris       A    186
    1  London  Paris     TIE     26
    2  London  Paris       B     91
    """
    table = to_pandas(frame, name="preferences").reset_index(drop=True)
    counted = {"A": win_a, **({} if tie is None else {"TIE": tie}), "B": win_b}
    _require(table, [item_a, item_b, *counted.values()])
    source = TableSource("preferences")
    parts = []
    for outcome, column in counted.items():
        part = table.drop(columns=list(counted.values()))
        part[OUTCOME], part[COUNT] = outcome, to_counts(table[column], column, source, zero=True)
        parts.append(part)
    # A stable sort on the old row number keeps the three outcomes of a pair together.
    long = pd.concat(parts).sort_index(kind="stable").rename(columns={item_a: ITEM_A, item_b: ITEM_B})
    long = long[long[COUNT] > 0].reset_index(drop=True)
    if long.empty:
        raise DataError("preferences: every count is 0")
    first = [ITEM_A, ITEM_B, OUTCOME, COUNT]
    return long[[*first, *(column for column in long.columns if column not in first)]]


def _require(table: pd.DataFrame, columns: Sequence[str]) -> None:
    if lacking := [column for column in columns if column not in table]:
        raise ArgumentError(
            f"the table has no column {show_values(lacking)}; it has {show_values(table.columns, limit=20)}"
        )
    if len(set(columns)) < len(columns):
        raise ArgumentError(f"a column is named twice in {show_values(columns)}")
