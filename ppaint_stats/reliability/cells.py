"""The table that a statistic of reliability takes: judgments of one protocol, one category and one dimension."""

from pathlib import Path
from typing import Any

import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.io.files import to_pandas
from ppaint_stats.study import Study
from ppaint_stats.tables import show_values


def read_table(data: Any, table: str) -> pd.DataFrame:
    """Turn a dataframe of any library into one of pandas, and say what to give instead of something else.

    Parameters
    ----------
    data
        What a user gave.
    table
        ``"ratings"`` or ``"preferences"``.

    Raises
    ------
    ArgumentError
        If it is no dataframe.
    """
    if isinstance(data, Study):
        raise ArgumentError(
            f"a Study was given where a table of {table} is needed: study.select(categories=[...], "
            f"dimensions=[...]).{table} is one (assess_reliability takes whole studies)"
        )
    if isinstance(data, str | Path):
        raise ArgumentError(f"{table}: {str(data)!r} is a path; read_study(...).{table} reads a file into a table")
    if data is None:
        raise ArgumentError(f"{table}: there is no table (None is what a study without {table} holds)")
    try:
        return to_pandas(data, name=table)
    except ArgumentError as error:
        array = " and an array of raters x items" if table == "ratings" else ""
        raise ArgumentError(
            f"{table}: a {type(data).__name__} was given; allowed are a dataframe of pandas, polars, pyarrow or "
            f"another library that narwhals reads (collect a lazy one first){array}"
        ) from error


def require_study(data: Any, function: str) -> None:
    """Refuse what is no Study, and say how to make one.

    Parameters
    ----------
    data
        What a user gave.
    function
        Name of the function that takes a study.

    Raises
    ------
    ArgumentError
        If it is no `Study`.
    """
    if not isinstance(data, Study):
        raise ArgumentError(
            f"{function} takes a Study, not a {type(data).__name__}; read_study(...) or "
            "Study(ratings=..., preferences=..., scale=...) makes one"
        )


def require_one_cell(frame: pd.DataFrame, table: str) -> None:
    """Refuse a table of more than one category or dimension."""
    for name in (CATEGORY, DIMENSION):
        values = frame[name].unique().tolist() if name in frame else []
        if len(values) > 1:
            raise DataError(
                f"{table}, column '{name}': more than one value, {show_values(values)}. Allowed is one category and "
                f"dimension at a time; study.select(categories=[...], dimensions=[...]).{table} is that"
            )
