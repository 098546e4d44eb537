"""Study: the judgments of one study, checked once and never changed afterwards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd

from ppaint_stats.columns import (
    CATEGORY,
    COUNT,
    DIMENSION,
    ITEM,
    ITEM_A,
    ITEM_B,
    RATER,
)
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.matching import (
    Tables,
    check_categories,
    check_ids,
    check_names,
    check_shared_items,
    fill_cells,
    list_items,
)
from ppaint_stats.scale import RatingScale
from ppaint_stats.tables import TableSource, canonical_preferences, canonical_ratings, show_values

__all__ = ["RatingScale", "Study"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Study:
    """Ratings and comparisons of the same items by the same or other raters.

    Parameters
    ----------
    ratings : pandas.DataFrame, optional
        Columns ``rater, item, rating`` and, if there are several, ``category, dimension``; ``trial`` where a rater
        rated the same item again.
    preferences : pandas.DataFrame, optional
        Columns ``item_a, item_b, outcome`` (item_a was shown first; outcome ``A``, ``B`` or ``TIE``) and, if there are
        several, ``category, dimension``; ``rater``, ``count`` and ``trial`` may be given.
    scale : RatingScale or (low, high) or (low, high, step), optional
        The scale of the ratings; needed when there are ratings.
    sources : mapping of str to TableSource, optional
        Where the tables come from, for the messages of errors; ``read_study`` fills it in.

    Raises
    ------
    DataError
        If a table holds anything that is not allowed. The message names the table or file, the column, the rows (the
        first ten, counted from 0), the value and what is allowed.
    ArgumentError
        If both tables or the scale are lacking, or the scale is not valid.

    Notes
    -----
    The tables are copied, so the caller's frames stay as they are, and get a fresh index, canonical columns first and
    other columns after them. Ids become text: 1 and 1.0 become ``"1"``; text is kept as it is, spaces included, and
    two ids that differ by outer spaces alone are an error. Outcomes become upper case, ratings 64-bit floats,
    counts 64-bit integers. A missing ``category`` is filled with ``"all"``, a missing ``dimension`` with ``"overall"``.

    A study is not to be changed: everything computed from it relies on the checks made here. Copy a table before you
    edit it and make a new study of it.

    Examples
    --------
    >>> import pandas as pd
    >>> ratings = pd.DataFrame({"rater": ["r1", "r1", "r2"], "item": ["x", "y", "x"], "rating": [4, 2, 5]})
    >>> preferences = pd.DataFrame({"rater": ["r1"], "item_a": ["x"], "item_b": ["y"], "outcome": ["A"]})
    >>> study = Study(ratings=ratings, preferences=preferences, scale=(1, 5, 1))
    >>> study
    Study(1 category, 1 dimension, 2 items, 2 raters; 3 ratings on 1 to 5 in steps of 1; 1 comparison)
    >>> study.items()
    ('x', 'y')
    >>> study.cells
    (('all', 'overall'),)
    """

    ratings: pd.DataFrame | None
    preferences: pd.DataFrame | None
    scale: RatingScale | None

    def __init__(
        self,
        ratings: pd.DataFrame | None = None,
        preferences: pd.DataFrame | None = None,
        scale: RatingScale | Sequence[float] | None = None,
        *,
        sources: Mapping[str, TableSource] | None = None,
    ) -> None:
        if ratings is None and preferences is None:
            raise ArgumentError("a study needs ratings, preferences or both; both are None")
        parsed = None if scale is None else RatingScale.parse(scale)
        tables: Tables = {}
        for name, frame in (("ratings", ratings), ("preferences", preferences)):
            if frame is None:
                continue
            if not isinstance(frame, pd.DataFrame):
                raise ArgumentError(
                    f"{name} is a {type(frame).__name__}, not a pandas DataFrame; read_study takes others"
                )
            source = (sources or {}).get(name, TableSource(name))
            if name == "ratings":
                if parsed is None:
                    raise ArgumentError(
                        "scale is None, but there are ratings; give (low, high), (low, high, step) or a RatingScale"
                    )
                table = canonical_ratings(frame, parsed, source)
            else:
                table = canonical_preferences(frame, source)
            tables[name] = (table, source)
        fill_cells(tables)
        check_ids(tables)
        check_categories(tables)
        if len(tables) == 2:
            check_shared_items(tables)
        kept = {name: table for name, (table, _) in tables.items()}
        self._set(kept.get("ratings"), kept.get("preferences"), parsed)

    def _set(self, ratings: pd.DataFrame | None, preferences: pd.DataFrame | None, scale: RatingScale | None) -> None:
        object.__setattr__(self, "ratings", ratings)
        object.__setattr__(self, "preferences", preferences)
        object.__setattr__(self, "scale", scale)

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Categories in order of first appearance, ratings before preferences."""
        return self._distinct(CATEGORY)

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        """Dimensions in order of first appearance, ratings before preferences."""
        return self._distinct(DIMENSION)

    @cached_property
    def raters(self) -> tuple[str, ...]:
        """Raters in order of first appearance, ratings before preferences; empty if the table names none."""
        return self._distinct(RATER)

    @cached_property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """Pairs of category and dimension that hold any judgment, by category and then dimension."""
        held: set[tuple[str, str]] = set()
        for table in (self.ratings, self.preferences):
            if table is not None:
                pairs = table[[CATEGORY, DIMENSION]].drop_duplicates()
                held.update(zip(pairs[CATEGORY], pairs[DIMENSION], strict=True))
        return tuple((c, d) for c in self.categories for d in self.dimensions if (c, d) in held)

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Coordinates for labelled arrays: category, dimension, rater, item."""
        return {CATEGORY: self.categories, DIMENSION: self.dimensions, RATER: self.raters, ITEM: self.items()}

    @cached_property
    def _items(self) -> dict[str, tuple[str, ...]]:
        pooled = pd.concat([list_items(t) for t in (self.ratings, self.preferences) if t is not None])
        pooled = pooled.drop_duplicates(ITEM)
        by_category = {str(c): tuple(g[ITEM].tolist()) for c, g in pooled.groupby(CATEGORY, sort=False)}
        return {category: by_category[category] for category in self.categories}

    def items(self, category: str | None = None) -> tuple[str, ...]:
        """List the items of a category, or all items, in order of first appearance.

        Parameters
        ----------
        category : str, optional
            One of ``categories``. By default all, category after category.

        Returns
        -------
        tuple of str
            Item ids.

        Raises
        ------
        ArgumentError
            If there is no such category.
        """
        if category is None:
            return tuple(item for items in self._items.values() for item in items)
        if category not in self._items:
            raise ArgumentError(
                f"category={category!r} is not in the study; its categories are {show_values(self.categories)}"
            )
        return self._items[category]

    @property
    def n_ratings(self) -> int:
        """Number of ratings."""
        return 0 if self.ratings is None else len(self.ratings)

    @property
    def n_preferences(self) -> int:
        """Number of comparisons; a row with a count stands for that many."""
        if self.preferences is None:
            return 0
        return int(self.preferences[COUNT].sum()) if COUNT in self.preferences else len(self.preferences)

    def select(
        self,
        *,
        categories: Iterable[str] | str | None = None,
        dimensions: Iterable[str] | str | None = None,
        raters: Iterable[str] | str | None = None,
        items: Iterable[str] | str | None = None,
    ) -> "Study":
        """Keep the judgments of some categories, dimensions, raters and items.

        Parameters
        ----------
        categories, dimensions, raters, items : str or iterable of str, optional
            What to keep; by default everything. A comparison stays if both its items do.

        Returns
        -------
        Study
            The same scale, fewer rows. A table of which no row is left is None.

        Raises
        ------
        ArgumentError
            If the study does not hold one of the names.
        DataError
            If no judgment is left, or raters are selected and the preferences name none.

        Examples
        --------
        >>> import pandas as pd
        >>> votes = pd.DataFrame({"item_a": ["x", "y"], "item_b": ["y", "z"], "outcome": ["A", "TIE"]})
        >>> Study(preferences=votes).select(items=["x", "y"]).n_preferences
        1
        """
        wanted = {
            name: check_names(plural, values, known)
            for plural, name, values, known in (
                ("categories", CATEGORY, categories, self.categories),
                ("dimensions", DIMENSION, dimensions, self.dimensions),
                ("raters", RATER, raters, self.raters),
                ("items", ITEM, items, self.items() if items is not None else ()),
            )
            if values is not None
        }
        if RATER in wanted and self.preferences is not None and RATER not in self.preferences:
            raise DataError(
                "preferences: no column 'rater', so raters cannot be selected; drop_protocol('preferences') first"
            )
        kept: list[pd.DataFrame | None] = []
        for table in (self.ratings, self.preferences):
            if table is None:
                kept.append(None)
                continue
            keep = np.ones(len(table), dtype=np.bool_)
            for name, values in wanted.items():
                for column in (ITEM_A, ITEM_B) if name == ITEM and ITEM_A in table else (name,):
                    keep &= table[column].isin(values).to_numpy()
            kept.append(table[keep].reset_index(drop=True) if keep.any() else None)
        return self._derive(*kept)

    def drop_protocol(self, protocol: Literal["ratings", "preferences"]) -> "Study":
        """Leave out all ratings or all preferences; the scale stays.

        Parameters
        ----------
        protocol : {"ratings", "preferences"}
            The table to leave out.

        Returns
        -------
        Study
            A study of the other table.

        Raises
        ------
        ArgumentError
            If the name is another.
        DataError
            If nothing would be left.
        """
        if protocol not in ("ratings", "preferences"):
            raise ArgumentError(f"protocol={protocol!r} is not known; allowed are 'ratings' and 'preferences'")
        if protocol == "ratings":
            return self._derive(None, self.preferences)
        return self._derive(self.ratings, None)

    def _derive(self, ratings: pd.DataFrame | None, preferences: pd.DataFrame | None) -> Self:
        # Rows of a checked table need no second check; this is what makes resampling over raters fast.
        if ratings is None and preferences is None:
            raise DataError("no judgment is left of the study")
        study = object.__new__(type(self))
        study._set(ratings, preferences, self.scale)
        return study

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``ratings.parquet``, ``preferences.parquet`` and ``study.json`` into a folder, all of them or none.

        Parameters
        ----------
        folder : path
            A new or empty folder, or one that holds a study and nothing else.
        overwrite : bool
            Whether a study in the folder may be replaced.

        Returns
        -------
        pathlib.Path
            The folder; ``read_study(folder)`` gives an equal study.

        Raises
        ------
        ArgumentError
            If the folder holds other files, or a study and ``overwrite`` is false.
        DataError
            If an extra column cannot be written.
        """
        # Here and not at the top, because io imports this module.
        from ppaint_stats.io.folder import save_study

        return save_study(self, folder, overwrite=overwrite)

    def _distinct(self, column: str) -> tuple[str, ...]:
        found = [t[column].unique() for t in (self.ratings, self.preferences) if t is not None and column in t]
        return tuple(dict.fromkeys(str(value) for values in found for value in values))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Study):
            return NotImplemented
        pairs = ((self.ratings, other.ratings), (self.preferences, other.preferences))
        same = all(a is b or (a is not None and b is not None and a.equals(b)) for a, b in pairs)
        return same and self.scale == other.scale

    __hash__ = None  # type: ignore[assignment]  # tables are compared by content and cannot be hashed

    def __repr__(self) -> str:
        counts = (
            (len(self.categories), "category", "categories"),
            (len(self.dimensions), "dimension", "dimensions"),
            (len(self.items()), "item", "items"),
            (len(self.raters), "rater", "raters"),
        )
        parts = [", ".join(f"{n:,} {one if n == 1 else many}" for n, one, many in counts)]
        if self.n_ratings:
            parts.append(f"{self.n_ratings:,} rating{'s' if self.n_ratings > 1 else ''} on {self.scale}")
        if self.n_preferences:
            parts.append(f"{self.n_preferences:,} comparison{'s' if self.n_preferences > 1 else ''}")
        return f"Study({'; '.join(parts)})"
