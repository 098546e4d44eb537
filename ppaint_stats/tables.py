"""From any table of judgments to the canonical one, or an error that says what is wrong and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

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
    OUTCOMES,
    PREFERENCE_COLUMNS,
    RATER,
    RATING,
    RATING_COLUMNS,
    TRIAL,
)
from ppaint_stats.errors import DataError
from ppaint_stats.scale import RatingScale
from ppaint_stats.typing import BoolArray, IntArray

MISSING_WORDS = frozenset({"NA", "N/A", "NaN", "nan", "NAN", "null", "NULL", "None", "<NA>"})
"""Words that mean "missing" in ratings, outcomes and counts. In columns of ids they are ids like any other."""

OPTIONAL_COLUMNS = {"ratings": (CATEGORY, DIMENSION), "preferences": (CATEGORY, DIMENSION, RATER)}
NUMBER_TYPES = (str, int, float, Decimal, np.integer, np.floating)
EXACT_FLOAT = 2.0**53
"""From here on neighbouring whole numbers share one 64-bit float."""


@dataclass(frozen=True)
class TableSource:
    """Where a table comes from, so that an error can point at it.

    Parameters
    ----------
    table : str
        ``"ratings"`` or ``"preferences"``.
    path : str, optional
        The file, if there is one.
    rows : array of int, optional
        For each row of the table its 0-based data row in the source; by default they are the same.
    first_line : int, optional
        Line of the file that holds data row 0, if every row is one line.
    """

    table: str
    path: str | None = None
    rows: IntArray | None = None
    first_line: int | None = None

    @property
    def label(self) -> str:
        """The table's name, with its file."""
        return self.table if self.path is None else f"{self.table} ({self.path})"

    def describe_rows(self, bad: BoolArray) -> str:
        """Name the first ten bad rows by data row and, for text files, by line."""
        positions = np.flatnonzero(bad)
        rows = positions if self.rows is None else self.rows[positions]
        shown = ", ".join(str(row) for row in rows[:10])
        text = f"row{'s' if len(rows) > 1 else ''} {shown}"
        if self.first_line is not None:
            lines = ", ".join(str(row + self.first_line) for row in rows[:10])
            text += f" (line{'s' if len(rows) > 1 else ''} {lines})"
        return text + (f" and {len(rows) - 10:,} more" if len(rows) > 10 else "")

    def fail(self, column: str, bad: BoolArray, problem: str, allowed: str) -> NoReturn:
        """Raise the error for the bad rows of a column."""
        raise DataError(f"{self.label}, column '{column}', {self.describe_rows(bad)}: {problem}. {allowed}")


def show_values(values: Iterable[object], *, limit: int = 10) -> str:
    """List distinct values for a message, the first ten of them."""
    distinct = list(dict.fromkeys(repr(v.item() if isinstance(v, np.generic) else v) for v in values))
    return ", ".join(distinct[:limit]) + (f" and {len(distinct) - limit:,} more" if len(distinct) > limit else "")


def require_columns(frame: pd.DataFrame, source: TableSource) -> None:
    """Raise unless the table has rows, unique column names and every column that it needs."""
    found = [str(name) for name in frame.columns]
    if duplicates := sorted({name for name in found if found.count(name) > 1}):
        raise DataError(
            f"{source.label}: more than one column is called {show_values(duplicates)}; names must be unique"
        )
    known = RATING_COLUMNS if source.table == "ratings" else PREFERENCE_COLUMNS
    lacking = [name for name in known if name not in found and name not in OPTIONAL_COLUMNS[source.table]]
    if lacking:
        hints = ["columns={'your name': 'name here'} in read_study renames them"]
        if source.path is not None and source.first_line == 2:
            hints.insert(0, "the first line of the file must be a header")
        if OUTCOME in lacking and "margin" in found:
            hints.append("tie_margin= turns the column 'margin' into outcomes")
        raise DataError(
            f"{source.label}: no column {show_values(lacking)}; found are {show_values(found, limit=20) or 'none'}. "
            f"Needed are {show_values(name for name in known if name not in OPTIONAL_COLUMNS[source.table])}; "
            + "; ".join(hints)
        )
    if frame.empty:
        raise DataError(f"{source.label}: the table has no rows; leave it out if there are no {source.table}")


def find_missing(values: "pd.Series[Any]", *, words: bool) -> BoolArray:
    """Tell which entries hold nothing: null, blank text and, with ``words``, one of MISSING_WORDS."""
    missing = values.isna().to_numpy(dtype=np.bool_)
    if not pd.api.types.is_numeric_dtype(values.dtype):
        try:
            codes, uniques = pd.factorize(values)
        except TypeError:
            return missing  # lists and the like: not missing, but refused as soon as they are used
        blank = np.fromiter(
            (isinstance(u, str) and (not u.strip() or (words and u.strip() in MISSING_WORDS)) for u in uniques),
            dtype=np.bool_,
            count=len(uniques),
        )
        if blank.any():
            missing = missing | np.append(blank, False)[codes]
    return missing


def has_missing_words(column: str) -> bool:
    """Tell whether a word such as NA means "missing" in this column (it does not in ids)."""
    return column in (RATING, OUTCOME, COUNT)


def _require_present(values: "pd.Series[Any]", column: str, source: TableSource) -> None:
    missing = find_missing(values, words=has_missing_words(column))
    if missing.any():
        held = show_values("" if pd.isna(v) else v for v in values[missing])
        allowed = "No value may be missing here; complete the rows or leave them out (read_study: missing='drop')"
        source.fail(column, missing, f"{int(missing.sum()):,} missing (the table holds {held})", allowed)


def _factorize(values: "pd.Series[Any]", column: str, source: TableSource) -> tuple[IntArray, Iterable[Any]]:
    """Number the distinct values; refuse values that cannot be told apart, such as lists."""
    try:
        codes, uniques = pd.factorize(values)
    except TypeError:
        bad = np.array([isinstance(v, list | dict | set | np.ndarray) for v in values], dtype=np.bool_)
        source.fail(column, bad, f"{show_values(values[bad])} is not a single value", "Allowed are text and numbers")
    return np.asarray(codes, dtype=np.int64), uniques


def _id_text(value: object) -> str | None:
    """Write an id as text; None if it is neither text nor a whole number."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < EXACT_FLOAT:
        return str(int(value))
    return None


def to_ids(values: "pd.Series[Any]", column: str, source: TableSource) -> "pd.Series[str]":
    """Turn a column of ids into text: 1 and 1.0 become "1"; text stays as it is."""
    _require_present(values, column, source)
    codes, uniques = _factorize(values, column, source)
    texts = [_id_text(u) for u in uniques]
    wrong = np.fromiter((t is None for t in texts), dtype=np.bool_, count=len(texts))
    if wrong.any():
        bad = wrong[codes]
        source.fail(column, bad, f"{show_values(values[bad])} cannot be an id", "Ids are text or whole numbers")
    return pd.Series(pd.array(texts, dtype="str").take(codes), name=column)


def _find_strange(values: "pd.Series[Any]") -> BoolArray:
    """Tell which entries are neither text nor real numbers; pandas would turn true, dates and the like into numbers."""
    kinds = pd.api.types
    if values.dtype == object:
        types = values.map(type)
        strange = {t for t in types.unique() if issubclass(t, bool) or not issubclass(t, NUMBER_TYPES)}
        return types.isin(strange).to_numpy()
    fine = kinds.is_string_dtype(values.dtype) or (
        kinds.is_any_real_numeric_dtype(values.dtype) and not kinds.is_bool_dtype(values.dtype)
    )
    if isinstance(values.dtype, pd.CategoricalDtype):
        return _find_strange(values.astype(values.dtype.categories.dtype))
    return np.full(len(values), not fine, dtype=np.bool_)


def _to_numbers(values: "pd.Series[Any]", column: str, source: TableSource, allowed: str) -> "pd.Series[float]":
    _require_present(values, column, source)
    strange = _find_strange(values)
    if strange.any():
        source.fail(column, strange, f"{show_values(values[strange])} is not a number", allowed)
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    bad = numbers.isna().to_numpy()
    if bad.any():
        source.fail(column, bad, f"{show_values(values[bad])} is not a number", allowed)
    infinite = np.isinf(numbers.to_numpy())
    if infinite.any():
        source.fail(column, infinite, f"{show_values(values[infinite])} is not finite", allowed)
    return numbers


def to_margins(values: "pd.Series[Any]", column: str, source: TableSource) -> "pd.Series[float]":
    """Turn a column of graded margins into finite numbers."""
    return _to_numbers(values, column, source, "Margins are finite numbers")


def _to_ratings(values: "pd.Series[Any]", scale: RatingScale, source: TableSource) -> "pd.Series[float]":
    allowed = f"Allowed are numbers on the scale {scale}"
    ratings = _to_numbers(values, RATING, source, allowed)
    off = ~scale.contains(ratings.to_numpy())
    if off.any():
        x = ratings.to_numpy()
        inside = (x >= scale.low) & (x <= scale.high)
        problem = "off the step of" if bool(inside[off].all()) else "off"
        source.fail(
            RATING, off, f"{show_values(x[off])} {'is' if off.sum() == 1 else 'are'} {problem} the scale", allowed
        )
    return ratings


def to_outcomes(values: "pd.Series[Any]", source: TableSource) -> "pd.Series[str]":
    """Turn a column of outcomes into A, B or TIE; case does not matter."""
    _require_present(values, OUTCOME, source)
    codes, uniques = _factorize(values, OUTCOME, source)
    texts = [u.upper() if isinstance(u, str) else None for u in uniques]
    wrong = np.fromiter((t not in OUTCOMES for t in texts), dtype=np.bool_, count=len(texts))
    if wrong.any():
        bad = wrong[codes]
        allowed = "Allowed are 'A' (item_a preferred), 'B' (item_b preferred) and 'TIE', in upper or lower case"
        source.fail(OUTCOME, bad, f"unknown outcome {show_values(values[bad])}", allowed)
    return pd.Series(pd.array(texts, dtype="str").take(codes), name=OUTCOME)


def to_counts(values: "pd.Series[Any]", column: str, source: TableSource, *, zero: bool = False) -> "pd.Series[int]":
    """Turn a column of counts into whole numbers, at least one (at least zero with ``zero``)."""
    allowed = f"Counts are whole numbers of at least {0 if zero else 1}"
    counts = _to_numbers(values, column, source, allowed)
    x = counts.to_numpy()
    bad = (x < (0 if zero else 1)) | (x != np.rint(x)) | (x >= EXACT_FLOAT)
    if bad.any():
        source.fail(column, bad, f"{show_values(values[bad])} is no such count", allowed)
    return counts.astype("int64")


def _to_trials(values: "pd.Series[Any]", source: TableSource) -> "pd.Series[Any]":
    """Trials are integers where all of them are plain whole numbers, otherwise text."""
    ids = to_ids(values, TRIAL, source)
    plain = all(
        text.isascii() and text.isdigit() and str(int(text)) == text and len(text) < 19 for text in ids.unique()
    )
    return ids.astype("int64") if plain else ids


def canonical_ratings(frame: pd.DataFrame, scale: RatingScale, source: TableSource) -> pd.DataFrame:
    """Check a table of ratings and bring it into canonical columns; the frame itself is left alone."""
    require_columns(frame, source)
    frame = frame.reset_index(drop=True)
    ids = [name for name in (CATEGORY, DIMENSION, RATER, ITEM) if name in frame]
    out: dict[str, pd.Series[Any]] = {name: to_ids(frame[name], name, source) for name in ids}
    out[RATING] = _to_ratings(frame[RATING], scale, source)
    if TRIAL in frame:
        out[TRIAL] = _to_trials(frame[TRIAL], source)
    table = pd.DataFrame(out | _extras(frame, out))
    keys = [name for name in (CATEGORY, DIMENSION, RATER, ITEM, TRIAL) if name in out]
    repeated = table.duplicated(keys, keep=False).to_numpy()
    if repeated.any():
        first = table.loc[int(np.argmax(repeated)), keys].to_dict()
        problem = f"more than one rating of {', '.join(f'{k} {v!r}' for k, v in first.items())}"
        allowed = (
            "Number the repeats differently in the column 'trial'"
            if TRIAL in out
            else "A rater may rate an item again in a dimension only if a column 'trial' numbers the repeats"
        )
        source.fail(RATER, repeated, problem, allowed)
    return table


def canonical_preferences(frame: pd.DataFrame, source: TableSource) -> pd.DataFrame:
    """Check a table of comparisons and bring it into canonical columns; the frame itself is left alone."""
    require_columns(frame, source)
    frame = frame.reset_index(drop=True)
    ids = [name for name in (CATEGORY, DIMENSION, RATER, ITEM_A, ITEM_B) if name in frame]
    out: dict[str, pd.Series[Any]] = {name: to_ids(frame[name], name, source) for name in ids}
    selves = (out[ITEM_A] == out[ITEM_B]).to_numpy(dtype=np.bool_)
    if selves.any():
        problem = f"{show_values(out[ITEM_A][selves])} is compared with itself"
        source.fail(f"{ITEM_A}', '{ITEM_B}", selves, problem, "The two items of a comparison must differ")
    out[OUTCOME] = to_outcomes(frame[OUTCOME], source)
    if COUNT in frame:
        out[COUNT] = to_counts(frame[COUNT], COUNT, source)
    if TRIAL in frame:
        out[TRIAL] = _to_trials(frame[TRIAL], source)
    table = pd.DataFrame(out | _extras(frame, out))
    if TRIAL in out and RATER in out and COUNT not in out:
        keys = [name for name in (CATEGORY, DIMENSION, RATER, ITEM_A, ITEM_B, TRIAL) if name in out]
        repeated = table.duplicated(keys, keep=False).to_numpy()
        if repeated.any():
            first = table.loc[int(np.argmax(repeated)), keys].to_dict()
            problem = f"more than one comparison of {', '.join(f'{k} {v!r}' for k, v in first.items())}"
            source.fail(TRIAL, repeated, problem, "Number the repeats differently in the column 'trial'")
    return table


def _extras(frame: pd.DataFrame, known: Iterable[str]) -> "dict[str, pd.Series[Any]]":
    """Keep all other columns; text of the general object type becomes plain text, as it would from a file."""
    taken = set(known)
    extras = {str(name): frame[name] for name in frame.columns if str(name) not in taken}
    for name, values in extras.items():
        if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) == "string":
            extras[name] = values.astype("str")
    return {name: values.copy() for name, values in extras.items()}
