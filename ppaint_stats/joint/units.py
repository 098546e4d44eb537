"""Raters in categories whose tastes can be told from noise, and the rows of the utilities that judgments are of."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ppaint_stats.columns import DIMENSION, RATER
from ppaint_stats.joint.bases import helmert_basis
from ppaint_stats.study import Study
from ppaint_stats.typing import BoolArray, FloatArray, IntArray

RICH_COMPARISONS = 20.0
"""Comparisons per item and dimension from which a rater's utilities are sampled as such, not as scaled deviations."""

TASTE_COMPARISONS = 2.5
"""Comparisons per item and dimension that a rater compares from which the rater's taste can be told from noise.

Where each item is compared twice, as in rings or in triples all of whose pairs are compared, there are hardly more
comparisons than tastes: these could explain any ranking without noise, and the likelihood would have no maximum.
"""

ANONYMOUS = "(anonymous)"
"""Name of the rater to whom comparisons without a rater are put down."""


@dataclass(frozen=True)
class Unit:
    """A rater in a category with a taste of their own: the items judged, and how their utilities are sampled.

    ``full`` says whether these are all items of the category, ``rich`` whether comparisons determine the utilities
    well: these are then sampled in ``basis``, which the others do without. ``judged`` says which items were judged in
    which dimension, shape (items, dimensions).
    """

    taste_rater: int
    preference_rater: int
    category: int
    items: IntArray
    judged: BoolArray
    full: bool
    rich: bool
    basis: FloatArray


def find_units(
    study: Study,
    compared: pd.DataFrame | None,
    rated: pd.DataFrame | None,
    item_start: IntArray,
    bases: tuple[FloatArray, ...],
    preference_raters: tuple[str, ...],
) -> tuple[list[Unit], tuple[str, ...]]:
    """Raters in categories whose tastes can be told from noise: they compare often there, or repeat ratings."""
    n_dimensions = len(study.dimensions)
    judged: dict[tuple[str, int], BoolArray] = {}
    comparisons: dict[tuple[str, int], float] = {}
    often: set[tuple[str, int]] = set()

    def mark(key: tuple[str, int], group: pd.DataFrame, *columns: str) -> None:
        cells = judged.setdefault(key, np.zeros((int(item_start[-1]), n_dimensions), dtype=np.bool_))
        d = pd.Index(study.dimensions).get_indexer(pd.Index(group[DIMENSION]))
        for column in columns:
            cells[group[column].to_numpy(np.int64), d] = True

    if compared is not None and preference_raters != (ANONYMOUS,):
        for key, group in _by_unit(compared, item_start):
            mark(key, group, "a", "b")
            comparisons[key] = float(group["weight"].sum())
            if 2 * comparisons[key] >= TASTE_COMPARISONS * judged[key].sum():
                often.add(key)
    if rated is not None:
        for key, group in _by_unit(rated, item_start):
            mark(key, group, "a")
            if group.duplicated([DIMENSION, "a"]).any():
                often.add(key)
    found = []
    for key, cells in judged.items():
        unit_items = np.flatnonzero(cells.any(axis=1)).astype(np.int64)
        if len(unit_items) > 1 and key in often:
            rich = 2 * comparisons.get(key, 0.0) / (len(unit_items) * n_dimensions) >= RICH_COMPARISONS
            found.append((key, unit_items, rich))
    tasters = {rater for (rater, _), _, _ in found}
    taste_raters = tuple(rater for rater in study.raters if rater in tasters)
    units = []
    for (rater, c), unit_items, rich in found:
        full = len(unit_items) == item_start[c + 1] - item_start[c]
        units.append(
            Unit(
                taste_rater=taste_raters.index(rater),
                preference_rater=preference_raters.index(rater) if (rater, c) in comparisons else -1,
                category=c,
                items=unit_items,
                judged=judged[rater, c][unit_items],
                full=bool(full),
                rich=rich,
                basis=np.zeros((0, 0)) if not rich else bases[c] if full else helmert_basis(len(unit_items)),
            )
        )
    units.sort(key=lambda unit: (not unit.rich, unit.category, unit.taste_rater))
    return units, taste_raters


def find_plain_rows(
    compared: pd.DataFrame | None,
    units: list[Unit],
    taste_raters: tuple[str, ...],
    preference_raters: tuple[str, ...],
) -> tuple[IntArray, IntArray]:
    """Rater and item of comparisons by raters whose tastes are not known; none where there is but one sharpness."""
    if compared is None or len(preference_raters) < 2:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    known = {(taste_raters[unit.taste_rater], item) for unit in units for item in unit.items.tolist()}
    rater = pd.Index(preference_raters).get_indexer(pd.Index(compared[RATER]))
    pairs = np.concatenate([np.column_stack([rater, compared[side]]) for side in ("a", "b")]).astype(np.int64)
    plain = [(r, i) for r, i in np.unique(pairs, axis=0).tolist() if (preference_raters[r], i) not in known]
    found = np.array(plain, dtype=np.int64).reshape(-1, 2)
    return np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1])


class Rows:
    """Row of the utilities of each rater and item: the rater's own where there is one, else the consensus."""

    def __init__(self, units: list[Unit], taste_raters: tuple[str, ...]) -> None:
        self._place: dict[tuple[str, int], int] = {}
        for unit in units:
            for item in unit.items.tolist():
                self._place[taste_raters[unit.taste_rater], item] = len(self._place)
        self._own = len(self._place)

    def add_plain(self, rater: IntArray, item: IntArray, names: tuple[str, ...], n_items: int) -> None:
        """Add the rows of those who compare without a taste, which stand after the consensus."""
        for k, (r, i) in enumerate(zip(rater.tolist(), item.tolist(), strict=True)):
            self._place[names[r], i] = self._own + n_items + k

    def find(self, rater: pd.Series, item: pd.Series) -> IntArray:
        """Look the rows up."""
        keys = zip(rater.tolist(), item.tolist(), strict=True)
        return np.array([self._place.get((r, i), self._own + i) for r, i in keys], dtype=np.int64)


def _by_unit(table: pd.DataFrame, item_start: IntArray) -> Iterator[tuple[tuple[str, int], pd.DataFrame]]:
    """Rows of each rater in each category."""
    category = np.searchsorted(item_start, table["a"].to_numpy(), side="right") - 1
    for c in range(len(item_start) - 1):
        for rater, group in table[category == c].groupby(RATER, sort=False):
            yield (str(rater), c), group
