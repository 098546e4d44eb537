"""Ratings as a matrix of raters x items, from a tidy table or an array."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ppaint_stats.columns import ITEM, RATER, RATING
from ppaint_stats.errors import DataError
from ppaint_stats.reliability.cells import read_table, require_one_cell
from ppaint_stats.tables import TableSource, find_missing, show_values, to_ids
from ppaint_stats.typing import BoolArray, FloatArray

SOURCE = TableSource("ratings")


@dataclass(frozen=True, eq=False)
class RatingMatrix:
    """One rating, or none, of every item by every rater.

    Parameters
    ----------
    values
        Shape (raters, items), nan where missing. Text categories are numbered in alphabetical order.
    raters, items
        Their names.
    labels
        Text categories, if ratings are text.
    """

    values: FloatArray
    raters: tuple[str, ...]
    items: tuple[str, ...]
    labels: tuple[str, ...] | None = None

    @property
    def present(self) -> BoolArray:
        """Where there is a rating."""
        return ~np.isnan(self.values)

    @property
    def n_judgments(self) -> int:
        """Number of ratings."""
        return int(self.present.sum())

    @property
    def complete(self) -> bool:
        """Whether every rater judged every item."""
        return bool(self.present.all())


def read_rating_matrix(data: Any, *, text: bool = False) -> RatingMatrix:
    """Turn ratings into a matrix.

    Parameters
    ----------
    data : DataFrame or array-like
        A table with ``item, rater, rating``, of one category and dimension, one rating of an item by a rater; or an
        array of raters x items. None, nan, blank text and words such as NA are missing.
    text : bool
        Whether ratings may be text categories.

    Returns
    -------
    RatingMatrix
        Raters and items in order of first appearance; those without any rating are left out of a table, and kept in
        an array.

    Raises
    ------
    DataError
        If a column is missing, there is more than one category or dimension, an item has two ratings by one rater, or a
        rating is no finite number (nor, with ``text``, text).
    """
    if isinstance(data, np.ndarray | list | tuple):
        return _from_array(data, text=text)
    frame = read_table(data, "ratings").reset_index(drop=True)
    lacking = [name for name in (ITEM, RATER, RATING) if name not in frame]
    if lacking:
        found = show_values((str(name) for name in frame.columns), limit=20)
        needed = "Needed are 'item', 'rater', 'rating'"
        if len(lacking) > 1:
            needed += "; melt_ratings of ppaint_stats.io makes such a table of one with a column per rater"
        raise DataError(f"ratings: no column {show_values(lacking)}; found are {found or 'none'}. {needed}")
    require_one_cell(frame, "ratings")
    frame = frame[~find_missing(frame[RATING], words=True)].reset_index(drop=True)
    raters, items = (to_ids(frame[name], name, SOURCE) for name in (RATER, ITEM))
    rater, rater_names = pd.factorize(raters)
    item, item_names = pd.factorize(items)
    cell = rater * max(len(item_names), 1) + item
    repeated = pd.Series(cell).duplicated(keep=False).to_numpy()
    if repeated.any():
        first = int(np.argmax(repeated))
        problem = f"more than one rating of item {items[first]!r} by rater {raters[first]!r}"
        SOURCE.fail(RATER, repeated, problem, "Select one trial, or average the repeats, first")
    numbers, labels = _to_numbers(frame[RATING], text=text)
    values = np.full((len(rater_names), len(item_names)), np.nan)
    values[rater, item] = numbers
    return RatingMatrix(values, tuple(map(str, rater_names)), tuple(map(str, item_names)), labels)


def _from_array(data: Any, *, text: bool) -> RatingMatrix:
    try:
        table = np.asarray(data, dtype=None if isinstance(data, np.ndarray) else object)
    except ValueError as error:
        raise DataError("ratings: rows are no rows of single values; allowed is raters x items") from error
    if table.ndim == 1 and any(isinstance(row, list | tuple | np.ndarray) for row in table):
        raise DataError("ratings: rows have different lengths; allowed is raters x items, None where one is missing")
    if table.ndim != 2:
        raise DataError(f"ratings: an array of {table.ndim} dimensions; allowed is raters x items")
    cells = pd.Series(table.ravel())
    if cells.dtype == object:
        cells = cells.infer_objects()
    missing = find_missing(cells, words=True)
    numbers, labels = _to_numbers(cells[~missing].reset_index(drop=True), text=text)
    values = np.full(table.size, np.nan)
    values[~missing] = numbers
    names = [tuple(str(k) for k in range(n)) for n in table.shape]
    return RatingMatrix(values.reshape(table.shape), names[0], names[1], labels)


def _to_numbers(cells: "pd.Series[Any]", *, text: bool) -> tuple[FloatArray, tuple[str, ...] | None]:
    """Numbers as they are, text categories numbered."""
    if pd.api.types.is_bool_dtype(cells.dtype):
        cells = cells.astype("str")
    numbers = np.asarray(pd.to_numeric(cells, errors="coerce"), dtype=np.float64)
    bad = ~np.isfinite(numbers)
    if bad.any() and text and not pd.api.types.is_numeric_dtype(cells.dtype):
        labels, codes = np.unique(cells.astype("str").to_numpy(dtype=object).astype(str), return_inverse=True)
        return codes.astype(float), tuple(map(str, labels))
    if bad.any():
        allowed = "Allowed are finite numbers" + ("" if text else "; text categories only with level='nominal'")
        SOURCE.fail(RATING, bad, f"{show_values(cells[bad])} is not a finite number", allowed)
    return numbers, None
