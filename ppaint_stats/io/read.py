"""read_study: every way in which judgments come in."""

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ppaint_stats.columns import COUNT, PREFERENCE_COLUMNS, RATING_COLUMNS, TRIAL
from ppaint_stats.errors import ArgumentError, DataError, DiscardedDataWarning
from ppaint_stats.io.files import KNOWN_COLUMNS, MARGIN, read_table
from ppaint_stats.io.folder import load_study
from ppaint_stats.io.margins import cut_margins
from ppaint_stats.scale import RatingScale
from ppaint_stats.study import Study
from ppaint_stats.tables import TableSource, find_missing, has_missing_words, show_values

type ColumnMap = Mapping[str, str] | Mapping[str, Mapping[str, str]]

TABLE_COLUMNS = {
    "ratings": (*RATING_COLUMNS, TRIAL),
    "preferences": (*PREFERENCE_COLUMNS, COUNT, TRIAL),
}


def read_study(
    source: str | PathLike[str] | None = None,
    *,
    ratings: Any = None,
    preferences: Any = None,
    scale: RatingScale | Sequence[float] | None = None,
    columns: ColumnMap | None = None,
    tie_margin: float | None = None,
    missing: Literal["error", "drop"] = "error",
    encoding: str = "utf-8",
) -> Study:
    """Read a study from two tables, or from a folder that ``Study.save`` wrote.

    Parameters
    ----------
    source : path, optional
        A study folder. Everything else is then in the folder and must not be given.
    ratings, preferences : path or dataframe, optional
        A ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson`` or ``.parquet`` file, or a dataframe of pandas, polars,
        pyarrow or another library that narwhals reads. Text files begin with a header; ids in
        them are kept as written (``007`` stays).
    scale : RatingScale or (low, high) or (low, high, step), optional
        Scale of the ratings; needed with ratings. Without a step it is continuous.
    columns : mapping, optional
        Your column names to the names used here, such as ``{"image": "item", "winner": "outcome"}``, for both tables;
        or ``{"ratings": {...}, "preferences": {...}}``.
    tie_margin : float, optional
        Comparisons whose column ``margin`` is at most this in size are ties. Where there is no outcome, the sign of
        the margin gives it: positive is ``A``.
    missing : {"error", "drop"}
        What to do with rows that lack a needed value: refuse, or leave them out with a warning that counts them.
    encoding : str
        Of text files.

    Returns
    -------
    Study
        The checked study.

    Raises
    ------
    DataError
        If a file or table holds anything that is not allowed; the message says what, where and what is allowed.
    ArgumentError
        If an argument is not allowed, or arguments do not go together.

    Warns
    -----
    DiscardedDataWarning
        If ``missing="drop"`` leaves out rows.

    Examples
    --------
    >>> import pandas as pd
    >>> ratings = pd.DataFrame({"who": ["r1", "r2"], "image": ["x", "y"], "stars": [4, 2]})
    >>> pairs = pd.DataFrame({"left": ["x"], "right": ["y"], "margin": [35]})
    >>> study = read_study(
    ...     ratings=ratings,
    ...     preferences=pairs,
    ...     scale=(1, 5, 1),
    ...     columns={"who": "rater", "image": "item", "stars": "rating", "left": "item_a", "right": "item_b"},
    ...     tie_margin=10,
    ... )
    >>> study.preferences[["item_a", "item_b", "outcome"]]
      item_a item_b outcome
    0      x      y       A
    """
    if missing not in ("error", "drop"):
        raise ArgumentError(f"missing={missing!r} is not known; allowed are 'error' and 'drop'")
    given = {name: table for name, table in (("ratings", ratings), ("preferences", preferences)) if table is not None}
    if source is not None:
        extra = [
            *given,
            *(k for k, v in (("scale", scale), ("columns", columns), ("tie_margin", tie_margin)) if v is not None),
        ]
        if extra:
            raise ArgumentError(
                f"a study folder brings its own tables and scale; {show_values(extra)} cannot be given with it"
            )
        if Path(source).is_file():
            raise ArgumentError(f"{source} is a file; name it with ratings= or preferences=. A study is a folder")
        return load_study(Path(source))
    if not given:
        raise ArgumentError("give a study folder, or ratings=, preferences= or both")
    if tie_margin is not None and "preferences" not in given:
        raise ArgumentError("tie_margin= is for preferences, and there are none")

    renames = _split_columns(columns, given)
    frames: dict[str, pd.DataFrame] = {}
    sources: dict[str, TableSource] = {}
    found: dict[str, set[str]] = {}
    for name, table in given.items():
        frame, origin = read_table(table, name=name, renames=renames[name], encoding=encoding)
        found[name] = {str(column) for column in frame.columns}
        frame = _rename(frame, renames[name], origin)
        needed = (*TABLE_COLUMNS[name], *([MARGIN] if tie_margin is not None and name == "preferences" else []))
        if missing == "drop":
            frame, origin = _drop_missing(frame, needed, origin)
        if tie_margin is not None and name == "preferences":
            frame = cut_margins(frame, tie_margin=tie_margin, source=origin)
        frames[name], sources[name] = frame, origin
    _check_used(columns, renames, found)
    return Study(frames.get("ratings"), frames.get("preferences"), scale, sources=sources)


def _split_columns(columns: ColumnMap | None, given: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """One renaming for each table; a flat mapping goes to both."""
    split: dict[str, dict[str, str]] = {name: {} for name in given}
    for key, value in (columns or {}).items():
        if isinstance(value, Mapping):
            if key not in given:
                raise ArgumentError(f"columns: {key!r} is no table that was given; given are {show_values(given)}")
            split[key] |= value
        else:
            for renames in split.values():
                renames[key] = value
    for renames in split.values():
        for own, target in renames.items():
            if target not in KNOWN_COLUMNS:
                hint = "; columns= maps your names to these, not these to yours" if own in KNOWN_COLUMNS else ""
                raise ArgumentError(
                    f"columns: {own!r} cannot become {target!r}; allowed are {', '.join(KNOWN_COLUMNS)}{hint}"
                )
    return split


def _rename(frame: pd.DataFrame, renames: Mapping[str, str], source: TableSource) -> pd.DataFrame:
    used = {own: target for own, target in renames.items() if own in frame.columns}
    for own, target in used.items():
        rivals = [c for c in frame.columns if c != own and used.get(c, c) == target]
        if rivals:
            raise DataError(f"{source.label}: columns {own!r} and {rivals[0]!r} would both be called {target!r}")
    return frame.rename(columns=used)


def _check_used(columns: ColumnMap | None, renames: dict[str, dict[str, str]], found: dict[str, set[str]]) -> None:
    """Refuse a renaming of a column that no table has: it is a typing error."""
    for key, value in (columns or {}).items():
        for own in value if isinstance(value, Mapping) else [key]:
            tables = [key] if isinstance(value, Mapping) else list(renames)
            if not any(own in found[table] for table in tables):
                held = "; ".join(f"{table} has {show_values(sorted(found[table]), limit=20)}" for table in tables)
                raise ArgumentError(f"columns: no column {own!r}; {held}")


def _drop_missing(frame: pd.DataFrame, needed: Sequence[str], source: TableSource) -> tuple[pd.DataFrame, TableSource]:
    bad = np.zeros(len(frame), dtype=np.bool_)
    reasons = []
    for column in (c for c in needed if c in frame):
        lacking = find_missing(frame[column], words=has_missing_words(column))
        if lacking.any():
            reasons.append(f"'{column}' ({int(lacking.sum()):,})")
            bad |= lacking
    if not bad.any():
        return frame, source
    if bad.all():
        raise DataError(f"{source.label}: every row lacks a value in {', '.join(reasons)}")
    warnings.warn(
        f"{source.label}: {int(bad.sum()):,} of {len(bad):,} rows left out because a value is missing in "
        f"{', '.join(reasons)}: {source.describe_rows(bad)}",
        DiscardedDataWarning,
        stacklevel=3,
    )
    rows = np.flatnonzero(~bad)
    kept = TableSource(source.table, path=source.path, rows=rows, first_line=source.first_line)
    return frame[~bad].reset_index(drop=True), kept
