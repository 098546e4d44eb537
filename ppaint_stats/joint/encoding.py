"""A study as the arrays of the joint model: one utility per rater and item feeds both protocols."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, COUNT, DIMENSION, ITEM, ITEM_A, ITEM_B, OUTCOME, OUTCOMES, RATER, RATING
from ppaint_stats.joint.bases import helmert_basis, spectral_basis
from ppaint_stats.joint.units import ANONYMOUS, Rows, Unit, find_plain_rows, find_units
from ppaint_stats.kernels.davidson import count_pairs
from ppaint_stats.kernels.graphs import link_components
from ppaint_stats.scale import RatingScale
from ppaint_stats.study import Study
from ppaint_stats.typing import BoolArray, FloatArray, IntArray

ORDINAL_LEVELS = 25
"""Scales with more levels than this are treated as continuous."""

SQUEEZE = 0.005
"""Share of a continuous scale by which both ends are drawn in, so that their logits are finite."""


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
    units, taste_raters = find_units(study, compared, rated, item_start, bases, preference_raters)
    plain_rater, plain_item = find_plain_rows(compared, units, taste_raters, preference_raters)
    rows = Rows(units, taste_raters)
    compared_rows = Rows(units, taste_raters)
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


def _encode_comparisons(table: pd.DataFrame, rows: Rows, dimensions: pd.Index, raters: pd.Index) -> Comparisons:
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
    rows: Rows,
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
