"""Published score tables as known scores: one row an image, a column an attribute, or counts of votes."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from ppaint_distill.images import SUFFIXES
from ppaint_stats.columns import CATEGORY, DEFAULT_CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.typing import FloatArray

__all__ = ["find_vote_columns", "name_item", "tidy_scores"]

SHOWN = 10  # how many rows a message lists


def tidy_scores(
    table: pd.DataFrame,
    *,
    item: str = ITEM,
    category: str | None = None,
    dimensions: Mapping[str, str] | None = None,
    votes: Mapping[str, float] | None = None,
    votes_dimension: str = "overall",
    scale: tuple[float, float] | None = None,
    to_scale: tuple[float, float] | None = None,
    name: str = "table",
) -> pd.DataFrame:
    """Bring a published table of scores into the form that `evaluate_scores` takes.

    Parameters
    ----------
    table
        One row an image.
    item
        Column of file names or ids. Folders and the suffix of an image are dropped.
    category
        Column of categories; None if there is one only.
    dimensions
        Columns of scores, and the dimension that each is: ``{"Color": "coloration"}``. An empty cell is a score that is
        not known.
    votes
        Columns of counts, and the score that each vote of it gave: ``{"1": 1, ..., "10": 10}``. The score is the mean
        of the votes, and its sd the standard error of that mean.
    votes_dimension
        The dimension that was voted on.
    scale
        Lowest and highest score of the table. A score outside is an error.
    to_scale
        Scale to which scores are moved and stretched, together with `scale`: errors can then be compared with those of
        a scorer on this one. Correlations do not change.
    name
        What messages call the table: the file, say.

    Returns
    -------
    DataFrame
        Columns ``category, dimension, item, score``, and ``sd`` where votes were counted (nan for other columns); rows
        in the order of the table, one dimension after the other. Scores that are not known are left out.

    Raises
    ------
    DataError
        If a column lacks, a cell holds no number, a count is negative or an image has no votes, a score lies outside
        the scale, a name is missing, or two rows have one item. The message names column and rows, from 0.
    ArgumentError
        If there is neither a column of scores nor one of votes, or two columns have one dimension.

    Examples
    --------
    >>> table = pd.DataFrame({"filename": ["a/x.jpg", "y.jpg"], "style": ["oil", "ink"], "Color": [70, 40]})
    >>> tidy_scores(table, item="filename", category="style", dimensions={"Color": "coloration"}).values.tolist()
    [['oil', 'coloration', 'x', 70.0], ['ink', 'coloration', 'y', 40.0]]
    >>> votes = pd.DataFrame({"image_id": [1, 2], "bad": [3, 0], "good": [1, 4]})
    >>> tidy_scores(votes, item="image_id", votes={"bad": 0, "good": 10})[["item", "score"]].values.tolist()
    [['1', 2.5], ['2', 10.0]]
    """
    dimensions, votes = dict(dimensions or {}), dict(votes or {})
    _check_choice(dimensions, votes, votes_dimension, scale, to_scale)
    wanted = [item, *([category] if category is not None else []), *dimensions, *votes]
    lacking = [column for column in dict.fromkeys(wanted) if column not in table]
    if lacking:
        raise DataError(f"{name} lacks the columns {lacking}; it has {[str(column) for column in table.columns]}")
    if table.empty:
        raise DataError(f"{name} has no rows")
    frame = table.reset_index(drop=True)
    heads = pd.DataFrame({CATEGORY: DEFAULT_CATEGORY, ITEM: _read_items(frame, item, name)})
    if category is not None:
        _refuse(frame[category].isna(), frame[category], category, name, "a category is needed")
        heads[CATEGORY] = frame[category].astype(str).str.strip()
    same = heads.duplicated(keep=False)
    allowed = "one row an image is allowed" + (" in a category" if category is not None else "")
    _refuse(same, heads[ITEM], item, name, f"{allowed}; folders and suffixes tell no two images apart")
    parts = []
    for column, dimension in dimensions.items():
        score = _read_numbers(frame, column, name)
        known = ~np.isnan(score)
        if not known.any():
            raise DataError(f"{name}, column {column!r}: it has no score at all")
        _check_scale(score, scale, column, name)
        parts.append(heads.assign(dimension=dimension, score=score, sd=np.nan)[known])
    if votes:
        score, sd = _average_votes(frame, votes, name)
        _check_scale(score, scale, f"{next(iter(votes))} to {list(votes)[-1]}", name)
        parts.append(heads.assign(dimension=votes_dimension, score=score, sd=sd))
    tidy = pd.concat(parts, ignore_index=True)[[CATEGORY, DIMENSION, ITEM, "score", "sd"]]
    if scale is not None and to_scale is not None:
        stretch = (to_scale[1] - to_scale[0]) / (scale[1] - scale[0])
        tidy["score"] = to_scale[0] + stretch * (tidy["score"] - scale[0])
        tidy["sd"] *= stretch
    return tidy if votes else tidy.drop(columns="sd")


def find_vote_columns(table: pd.DataFrame, pattern: str, *, name: str = "table") -> dict[str, float]:
    """Find the columns of counts by the score in their names.

    Parameters
    ----------
    table
        One row an image.
    pattern
        A name with a star in the place of the score: ``count_*``, or ``*`` alone where names are the scores.
    name
        What messages call the table.

    Returns
    -------
    dict
        Score by column, ascending.

    Raises
    ------
    ArgumentError
        If the pattern has no star, or more than one.
    DataError
        If fewer than two columns are of this form, or two of them are of one score.

    Examples
    --------
    >>> find_vote_columns(pd.DataFrame(columns=["id", "count_10", "count_9", "counted"]), "count_*")
    {'count_9': 9.0, 'count_10': 10.0}
    """
    if pattern.count("*") != 1:
        raise ArgumentError(f"votes={pattern!r} is not allowed: one * in the place of the score is, such as 'count_*'")
    before, after = map(re.escape, pattern.split("*"))
    form = re.compile(rf"{before}(-?\d+(?:\.\d+)?){after}")
    found = {str(column): float(match[1]) for column in table if (match := form.fullmatch(str(column)))}
    if len(found) < 2 or len(set(found.values())) < len(found):
        raise DataError(
            f"{name}: {len(found)} column(s) are named like {pattern!r} with a number for the star "
            f"({', '.join(found)}); two or more of different scores are needed; it has {[*map(str, table.columns)]}"
        )
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


def name_item(text: str) -> str:
    r"""Return the item of a file name or id: without folders, and without the suffix of an image.

    Parameters
    ----------
    text
        A name, with slashes of either kind.

    Returns
    -------
    str
        The item, as that of an image in a folder. What follows a dot and is no suffix of an image stays.

    Examples
    --------
    >>> [name_item(text) for text in ("oil/A 1.JPG", "no.7", "scans\\no.7.png", "953619")]
    ['A 1', 'no.7', 'no.7', '953619']
    """
    path = PurePosixPath(text.strip().replace("\\", "/"))
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


def _check_choice(
    dimensions: Mapping[str, str],
    votes: Mapping[str, float],
    voted: str,
    scale: tuple[float, float] | None,
    to_scale: tuple[float, float] | None,
) -> None:
    if not dimensions and not votes:
        raise ArgumentError("dimensions and votes are empty: name a column of scores, or columns of counts of votes")
    if len(votes) == 1:
        raise ArgumentError(f"votes={dict(votes)} is one column: two or more are needed")
    names = [*dimensions.values(), *([voted] if votes else [])]
    twice = sorted({dimension for dimension in names if names.count(dimension) > 1})
    if twice:
        raise ArgumentError(f"several columns are of the dimension {twice[0]!r}: one column a dimension is allowed")
    for given, label in ((scale, "scale"), (to_scale, "to_scale")):
        if given is not None and not given[0] < given[1]:
            raise ArgumentError(f"{label}={given} is not allowed: (low, high) with low < high is")
    if to_scale is not None and scale is None:
        raise ArgumentError("to_scale needs scale: say from which scale to which")


def _read_items(frame: pd.DataFrame, column: str, name: str) -> pd.Series:
    values = frame[column]
    if pd.api.types.is_float_dtype(values):
        # Ids with a gap among them are read as floats: 953619.0 is no name of a file.
        odd = values.notna() & (values != values.round())
        _refuse(odd, values, column, name, "whole numbers or names are allowed")
        values = values.astype("Int64")
    _refuse(values.isna(), values, column, name, "a name is needed")
    items = values.astype(str).map(name_item)
    _refuse(items == "", values, column, name, "a name is needed")
    return items


def _read_numbers(frame: pd.DataFrame, column: str, name: str) -> FloatArray:
    """Numbers of a column; nan where a cell is empty."""
    values = frame[column]
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.astype(float)
        empty = values.isna()
    else:
        empty = values.isna() | (values.astype(str).str.strip() == "")
        numbers = pd.to_numeric(values.where(~empty), errors="coerce")
    _refuse(~empty & ~np.isfinite(numbers), values, column, name, "a number or nothing is allowed")
    return np.asarray(numbers, dtype=np.float64)


def _average_votes(frame: pd.DataFrame, votes: Mapping[str, float], name: str) -> tuple[FloatArray, FloatArray]:
    """Mean of the votes for each image, and its standard error; nan with fewer than two votes."""
    counts = np.stack([_read_numbers(frame, column, name) for column in votes], axis=1)
    for place, column in enumerate(votes):
        bad = ~(counts[:, place] >= 0)
        _refuse(pd.Series(bad), frame[column], column, name, "a count, 0 or more, is allowed")
    total = counts.sum(axis=1)
    none = np.flatnonzero(total == 0)
    if len(none):
        raise DataError(f"{name}, columns {list(votes)}, rows {_list_rows(none)}: an image needs a vote")
    values = np.array([*votes.values()], dtype=np.float64)
    mean = counts @ values / total
    spread = (counts * (values[None, :] - mean[:, None]) ** 2).sum(axis=1)
    few = total < 2
    sd = np.sqrt(spread / np.where(few, 1.0, (total - 1) * total))
    return mean, np.where(few, np.nan, sd)


def _check_scale(score: FloatArray, scale: tuple[float, float] | None, column: str, name: str) -> None:
    if scale is not None:
        outside = pd.Series((score < scale[0]) | (score > scale[1]))
        _refuse(outside, pd.Series(score), column, name, f"{scale[0]:g} to {scale[1]:g} is allowed")


def _refuse(bad: pd.Series, values: pd.Series, column: str, name: str, allowed: str) -> None:
    rows = np.flatnonzero(bad.to_numpy(dtype=bool))
    if len(rows):
        shown = [str(value) for value in values.iloc[rows[:SHOWN]]]
        raise DataError(f"{name}, column {column!r}, rows {_list_rows(rows)}: {shown}; {allowed}")


def _list_rows(rows: np.ndarray) -> str:
    more = f" (and {len(rows) - SHOWN} more)" if len(rows) > SHOWN else ""
    return f"{rows[:SHOWN].tolist()}{more}"
