"""A study as the arrays of the joint model: one utility per rater and item feeds both protocols."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, COUNT, DIMENSION, ITEM, ITEM_A, ITEM_B, OUTCOME, OUTCOMES, RATER, RATING
from ppaint_stats.joint.bases import helmert_basis, spectral_basis
from ppaint_stats.kernels.davidson import count_pairs
from ppaint_stats.kernels.graphs import link_components
from ppaint_stats.scale import RatingScale
from ppaint_stats.study import Study
from ppaint_stats.typing import BoolArray, FloatArray, IntArray

RICH_COMPARISONS = 20.0
"""Comparisons per item and dimension from which a rater's utilities are sampled as such, not as scaled deviations."""

TASTE_COMPARISONS = 2.5
"""Comparisons per item and dimension that a rater compares from which the rater's taste can be told from noise.

Where each item is compared twice, as in rings or in triples all of whose pairs are compared, there are hardly more
comparisons than tastes: these could explain any ranking without noise, and the likelihood would have no maximum.
"""

ORDINAL_LEVELS = 25
"""Scales with more levels than this are treated as continuous."""

SQUEEZE = 0.005
"""Share of a continuous scale by which both ends are drawn in, so that their logits are finite."""

ANONYMOUS = "(anonymous)"
"""Name of the rater to whom comparisons without a rater are put down."""


@dataclass(frozen=True)
class Comparisons:
    """Comparisons, sorted so that neighbours touch neighbouring utilities.

    ``row_a``, ``row_b`` are rows of the utilities, ``rater`` counts in ``Encoding.preference_raters``, ``outcome`` is
    0, 1, 2 for A, TIE, B, ``weight`` the number of such comparisons, ``source`` the row of the study's table.
    """

    row_a: IntArray
    row_b: IntArray
    dimension: IntArray
    rater: IntArray
    outcome: IntArray
    weight: FloatArray
    source: IntArray


@dataclass(frozen=True)
class Ratings:
    """Ratings in the order of the study's table.

    ``row`` is a row of the utilities, ``rater`` counts in ``Encoding.rating_raters``, ``value`` is the rating on its
    own scale, ``answer`` its level from 0 or, on a continuous scale, its logit.
    """

    row: IntArray
    item: IntArray
    dimension: IntArray
    category: IntArray
    rater: IntArray
    value: FloatArray
    answer: FloatArray


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


@dataclass(frozen=True)
class Encoding:
    """A study as arrays.

    Parameters
    ----------
    categories, dimensions, items
        Names; codes count in their order. Items stand category by category.
    preference_raters, rating_raters, taste_raters
        Raters who compare, who rate, and whose tastes can be told from noise: those who compare often, or rerate.
    item_start
        Position of each category's first item, and the number of items.
    category_bases
        Basis of the items' utilities, by category.
    units
        Raters in categories with a taste, those whose utilities are well determined first. Rows of the utilities are
        theirs in this order, and after them one row per item, the consensus, for judgments without a taste.
    plain_rater, plain_item
        Rater (among those who compare) and item of the last rows: what raters compare with whose tastes are not known,
        the consensus times their sharpness.
    comparisons, ratings
        Judgments, or None.
    rating_panel
        Panel of each rater who rates: raters who share a category, directly or through others.
    scale
        The rating scale, or None.
    levels
        Number of levels, 0 on a continuous scale or without ratings.
    judged
        Which items have a judgment in which dimension, shape (item, dimension).
    """

    categories: tuple[str, ...]
    dimensions: tuple[str, ...]
    items: tuple[str, ...]
    preference_raters: tuple[str, ...]
    rating_raters: tuple[str, ...]
    taste_raters: tuple[str, ...]
    item_start: IntArray
    category_bases: tuple[FloatArray, ...]
    units: tuple[Unit, ...]
    plain_rater: IntArray
    plain_item: IntArray
    comparisons: Comparisons | None
    ratings: Ratings | None
    rating_panel: IntArray
    scale: RatingScale | None
    levels: int
    judged: BoolArray

    @property
    def raters(self) -> tuple[str, ...]:
        """Everyone who judges: who rate, then who only compare."""
        return tuple(dict.fromkeys([*self.rating_raters, *self.preference_raters]))

    @property
    def anonymous(self) -> bool:
        """Whether comparisons bear no rater."""
        return self.preference_raters == (ANONYMOUS,)

    @property
    def has_ties(self) -> bool:
        """Whether any comparison is a tie."""
        return self.comparisons is not None and bool((self.comparisons.outcome == 1).any())

    @property
    def item_category(self) -> IntArray:
        """Category of each item."""
        return np.repeat(np.arange(len(self.categories)), np.diff(self.item_start))

    @property
    def row_item(self) -> IntArray:
        """Item of each row of the utilities."""
        return np.concatenate([*(unit.items for unit in self.units), np.arange(len(self.items))])


def encode_study(study: Study) -> Encoding:
    """Encode a study; tables that it does not hold stay away.

    Parameters
    ----------
    study
        The study.

    Returns
    -------
    Encoding
        Its arrays.
    """
    categories, dimensions = study.categories, study.dimensions
    blocks = [study.items(category) for category in categories]
    items = tuple(item for block in blocks for item in block)
    item_start = np.concatenate([[0], np.cumsum([len(block) for block in blocks])]).astype(np.int64)
    code = {
        (category, item): int(item_start[k]) + i
        for k, (category, block) in enumerate(zip(categories, blocks, strict=True))
        for i, item in enumerate(block)
    }
    compared = None if study.preferences is None else _flatten_preferences(study.preferences, code)
    rated = None if study.ratings is None else _flatten_ratings(study.ratings, code)
    preference_raters = () if compared is None else _names(study, compared)
    rating_raters = () if rated is None else _names(study, rated)
    bases = tuple(_category_basis(compared, k, item_start) for k in range(len(categories)))
    units, taste_raters = _find_units(study, compared, rated, item_start, bases, preference_raters)
    plain_rater, plain_item = _find_plain_rows(compared, units, taste_raters, preference_raters)
    rows = _Rows(units, taste_raters)
    compared_rows = _Rows(units, taste_raters)
    compared_rows.add_plain(plain_rater, plain_item, preference_raters, len(items))
    dimension_codes = pd.Index(dimensions)
    judged = np.zeros((len(items), len(dimensions)), dtype=np.bool_)
    comparisons = ratings = None
    if compared is not None:
        comparisons = _encode_comparisons(compared, compared_rows, dimension_codes, pd.Index(preference_raters))
        d = dimension_codes.get_indexer(pd.Index(compared[DIMENSION]))
        judged[compared["a"], d] = judged[compared["b"], d] = True
    panel = np.zeros(0, dtype=np.int64)
    levels = 0
    if rated is not None and study.scale is not None:
        ordinal = study.scale.levels is not None and len(study.scale.levels) <= ORDINAL_LEVELS
        levels = len(study.scale.levels) if ordinal and study.scale.levels is not None else 0
        ratings = _encode_ratings(
            rated, rows, dimension_codes, pd.Index(rating_raters), study.scale, levels, item_start
        )
        linked = link_components(
            ratings.rater, ratings.category + len(rating_raters), len(rating_raters) + len(categories)
        )
        panel = np.unique(linked[: len(rating_raters)], return_inverse=True)[1].astype(np.int64)
        judged[ratings.item, ratings.dimension] = True
    return Encoding(
        categories=categories,
        dimensions=dimensions,
        items=items,
        preference_raters=preference_raters,
        rating_raters=rating_raters,
        taste_raters=taste_raters,
        item_start=item_start,
        category_bases=bases,
        units=tuple(units),
        plain_rater=plain_rater,
        plain_item=plain_item,
        comparisons=comparisons,
        ratings=ratings,
        rating_panel=panel,
        scale=None if rated is None else study.scale,
        levels=levels,
        judged=judged,
    )


def squeeze_ratings(values: FloatArray, scale: RatingScale) -> FloatArray:
    """Map ratings of a continuous scale to logits, both ends drawn in by half a hundredth of the scale.

    Parameters
    ----------
    values
        Ratings.
    scale
        Their scale.

    Returns
    -------
    ndarray
        Logits, finite at the ends too (after Smithson & Verkuilen 2006, with a margin that does not depend on the
        number of ratings).
    """
    share = SQUEEZE + (1 - 2 * SQUEEZE) * (values - scale.low) / scale.span
    return np.asarray(np.log(share) - np.log1p(-share))


def find_chance(logits: FloatArray) -> FloatArray:
    """Density of logits of a continuous scale, both ends drawn in, where any rating is equally likely."""
    share = 1 / (1 + np.exp(-logits))
    return np.asarray(share * (1 - share) / (1 - 2 * SQUEEZE))


def _flatten_preferences(frame: pd.DataFrame, code: dict[tuple[str, str], int]) -> pd.DataFrame:
    """Columns dimension, rater (a name), a, b, outcome, weight."""
    pairs = [[code[key] for key in zip(frame[CATEGORY], frame[column], strict=True)] for column in (ITEM_A, ITEM_B)]
    return pd.DataFrame(
        {
            DIMENSION: frame[DIMENSION].to_numpy(),
            RATER: frame[RATER].to_numpy() if RATER in frame else ANONYMOUS,
            "a": pairs[0],
            "b": pairs[1],
            OUTCOME: pd.Index(OUTCOMES).get_indexer(pd.Index(frame[OUTCOME])),
            "weight": frame[COUNT].to_numpy(float) if COUNT in frame else np.ones(len(frame)),
        }
    )


def _flatten_ratings(frame: pd.DataFrame, code: dict[tuple[str, str], int]) -> pd.DataFrame:
    """Columns dimension, rater, a (the item), rating."""
    item = [code[key] for key in zip(frame[CATEGORY], frame[ITEM], strict=True)]
    return pd.DataFrame(
        {
            DIMENSION: frame[DIMENSION].to_numpy(),
            RATER: frame[RATER].to_numpy(),
            "a": item,
            RATING: frame[RATING].to_numpy(float),
        }
    )


def _names(study: Study, table: pd.DataFrame) -> tuple[str, ...]:
    """Raters of a table, in the study's order."""
    present = set(table[RATER])
    if present == {ANONYMOUS}:
        return (ANONYMOUS,)
    return tuple(rater for rater in study.raters if rater in present)


def _category_basis(compared: pd.DataFrame | None, category: int, item_start: IntArray) -> FloatArray:
    start, end = int(item_start[category]), int(item_start[category + 1])
    if compared is None:
        return helmert_basis(end - start)
    inside = (compared["a"] >= start) & (compared["a"] < end)
    here = compared[inside]
    pairs = count_pairs(
        here["a"].to_numpy(np.int64) - start, here["b"].to_numpy(np.int64) - start, here[OUTCOME].to_numpy(np.int64),
        here["weight"].to_numpy(float), end - start, keep_order=False,
    )  # fmt: skip
    return spectral_basis(pairs)


def _by_unit(table: pd.DataFrame, item_start: IntArray) -> Iterator[tuple[tuple[str, int], pd.DataFrame]]:
    """Rows of each rater in each category."""
    category = np.searchsorted(item_start, table["a"].to_numpy(), side="right") - 1
    for c in range(len(item_start) - 1):
        for rater, group in table[category == c].groupby(RATER, sort=False):
            yield (str(rater), c), group


def _find_units(
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


def _find_plain_rows(
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


class _Rows:
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


def _encode_comparisons(table: pd.DataFrame, rows: _Rows, dimensions: pd.Index, raters: pd.Index) -> Comparisons:
    row_a, row_b = rows.find(table[RATER], table["a"]), rows.find(table[RATER], table["b"])
    d = np.asarray(dimensions.get_indexer(pd.Index(table[DIMENSION])), dtype=np.int64)
    r = np.asarray(raters.get_indexer(pd.Index(table[RATER])), dtype=np.int64)
    order = np.lexsort((row_b, row_a, d, r))
    return Comparisons(
        row_a=row_a[order],
        row_b=row_b[order],
        dimension=d[order],
        rater=r[order],
        outcome=table[OUTCOME].to_numpy(np.int64)[order],
        weight=table["weight"].to_numpy(float)[order],
        source=order.astype(np.int64),
    )


def _encode_ratings(
    table: pd.DataFrame,
    rows: _Rows,
    dimensions: pd.Index,
    raters: pd.Index,
    scale: RatingScale,
    levels: int,
    item_start: IntArray,
) -> Ratings:
    value = table[RATING].to_numpy(float)
    item = table["a"].to_numpy(np.int64)
    return Ratings(
        row=rows.find(table[RATER], table["a"]),
        item=item,
        dimension=np.asarray(dimensions.get_indexer(pd.Index(table[DIMENSION])), dtype=np.int64),
        category=(np.searchsorted(item_start, item, side="right") - 1).astype(np.int64),
        rater=np.asarray(raters.get_indexer(pd.Index(table[RATER])), dtype=np.int64),
        value=value,
        answer=scale.codes(value).astype(float) if levels else squeeze_ratings(value, scale),
    )
