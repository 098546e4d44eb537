"""Folds: which judgments are held out, from what a fusion is made then, and the judgments as arrays."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, COUNT, DIMENSION, ITEM, ITEM_A, ITEM_B, OUTCOME, OUTCOMES, RATER, RATING
from ppaint_stats.errors import ArgumentError
from ppaint_stats.joint.encoding import ORDINAL_LEVELS, squeeze_ratings
from ppaint_stats.seeds import split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, IntArray, RandomSeed

type HeldBy = Literal["rater", "item"]


@dataclass(frozen=True)
class Fold:
    """One fold: a name (the rater's, or a number), what is fused, and which rows of the tables are held out."""

    name: str
    train: Study
    ratings: IntArray
    comparisons: IntArray


def split_study(study: Study, *, by: HeldBy, n_folds: int, random_seed: RandomSeed) -> list[Fold]:
    """List the folds of a study.

    Parameters
    ----------
    study
        The study.
    by
        "rater": one fold per rater, all of whose judgments are held out. "item": the items of each category fall into
        groups at random; the comparisons of a group's items are held out, their ratings stay.
    n_folds
        Number of groups of items.
    random_seed
        Seed of the groups.

    Returns
    -------
    list of Fold
        The folds.

    Raises
    ------
    ArgumentError
        If the study cannot be split in this way.
    """
    if by == "rater":
        return _split_raters(study)
    return _split_items(study, n_folds, random_seed)


def _split_raters(study: Study) -> list[Fold]:
    if study.preferences is not None and RATER not in study.preferences:
        raise ArgumentError(
            "by='rater' needs the rater of every comparison, and the preferences name none; with ratings by='item' "
            "holds out the comparisons of items, and drop_protocol('preferences') leaves the ratings"
        )
    if len(study.raters) < 3:
        raise ArgumentError(
            f"by='rater' needs 3 raters or more, one to predict and two to learn from, not {len(study.raters)}"
        )
    folds = []
    for rater in study.raters:
        rows = [_find(table, rater) for table in (study.ratings, study.preferences)]
        train = study.select(raters=[other for other in study.raters if other != rater])
        folds.append(Fold(rater, train, *rows))
    return folds


def _find(table: pd.DataFrame | None, rater: str) -> IntArray:
    held = np.zeros(0) if table is None else np.flatnonzero(table[RATER].to_numpy() == rater)
    return held.astype(np.int64)


def _split_items(study: Study, n_folds: int, random_seed: RandomSeed) -> list[Fold]:
    if study.preferences is None or study.ratings is None:
        raise ArgumentError(
            "by='item' holds out the comparisons of items and leaves their ratings: it needs both protocols"
        )
    group: dict[str, int] = {}
    for category, seed in zip(study.categories, split_seed(random_seed, len(study.categories)), strict=True):
        items = study.items(category)
        if len(items) < 2 * n_folds:
            raise ArgumentError(
                f"n_folds={n_folds} groups of two items or more need {2 * n_folds} items; category {category!r} has "
                f"{len(items)}"
            )
        codes = np.random.default_rng(seed).permutation(np.arange(len(items)) % n_folds)
        group |= dict(zip(items, codes.tolist(), strict=True))
    a, b = (study.preferences[column].map(group).to_numpy() for column in (ITEM_A, ITEM_B))
    folds = []
    for k in range(n_folds):
        held = (a == k) | (b == k)
        if not held.any():
            continue
        kept = study.preferences[~held].reset_index(drop=True) if not held.all() else None
        train = Study(ratings=study.ratings, preferences=kept, scale=study.scale)
        folds.append(Fold(f"items {k + 1}", train, np.zeros(0, dtype=np.int64), np.flatnonzero(held).astype(np.int64)))
    return folds


@dataclass(frozen=True)
class HeldRatings:
    """Ratings that are held out, one row for each: fold, cell, who and what; ``answer`` is a level or a logit."""

    fold: IntArray
    category: IntArray
    dimension: IntArray
    rater: IntArray
    item: IntArray
    value: FloatArray
    answer: FloatArray
    weight: FloatArray
    levels: int
    cuts: FloatArray
    """Answers above which predictions are checked for calibration: below every level but the first, or the deciles."""

    def __len__(self) -> int:
        return len(self.fold)


@dataclass(frozen=True)
class HeldComparisons:
    """Comparisons that are held out; ``outcome`` is 0, 1, 2 for A, TIE, B.

    ``row`` is that of the study's table, ``weight`` the number of such judgments, divided by the number of folds in
    which they are held out.
    """

    row: IntArray
    fold: IntArray
    category: IntArray
    dimension: IntArray
    rater: IntArray
    a: IntArray
    b: IntArray
    outcome: IntArray
    weight: FloatArray
    has_ties: bool

    def __len__(self) -> int:
        return len(self.fold)


@dataclass(frozen=True)
class HeldOut:
    """All judgments that are held out in any fold, and the names behind their codes (rater -1: not named)."""

    folds: tuple[str, ...]
    categories: tuple[str, ...]
    dimensions: tuple[str, ...]
    raters: tuple[str, ...]
    items: tuple[str, ...]
    ratings: HeldRatings | None
    comparisons: HeldComparisons | None


def hold_out(study: Study, folds: list[Fold]) -> HeldOut:
    """Collect the judgments that are held out."""
    names = (study.categories, study.dimensions, study.raters, study.items())
    ratings = comparisons = None
    if study.ratings is not None and any(len(fold.ratings) for fold in folds):
        rows = np.concatenate([fold.ratings for fold in folds])
        ratings = _code_ratings(study, rows, _repeat(folds, [len(fold.ratings) for fold in folds]))
    if study.preferences is not None and any(len(fold.comparisons) for fold in folds):
        rows = np.concatenate([fold.comparisons for fold in folds])
        comparisons = _code_comparisons(study, rows, _repeat(folds, [len(fold.comparisons) for fold in folds]))
    return HeldOut(tuple(fold.name for fold in folds), *names, ratings, comparisons)


def _repeat(folds: list[Fold], sizes: list[int]) -> IntArray:
    return np.repeat(np.arange(len(folds)), sizes).astype(np.int64)


def _code(names: Iterable[str], values: pd.Series) -> IntArray:
    return np.asarray(pd.Index(list(names)).get_indexer(pd.Index(values)), dtype=np.int64)


def _code_ratings(study: Study, rows: IntArray, fold: IntArray) -> HeldRatings:
    table, scale = study.ratings, study.scale
    if table is None or scale is None:
        raise ArgumentError("the study has no ratings")
    table = table.iloc[rows]
    value = table[RATING].to_numpy(float)
    levels = 0 if scale.levels is None or len(scale.levels) > ORDINAL_LEVELS else len(scale.levels)
    answer = scale.codes(value).astype(float) if levels else squeeze_ratings(value, scale)
    # Deciles of tied ratings may coincide, and nothing lies above the highest.
    deciles = np.unique(np.quantile(answer, np.arange(1, 10) / 10))
    cuts: FloatArray = np.asarray(np.arange(levels - 1) + 0.5 if levels else deciles, dtype=np.float64)
    return HeldRatings(
        fold=fold,
        category=_code(study.categories, table[CATEGORY]),
        dimension=_code(study.dimensions, table[DIMENSION]),
        rater=_code(study.raters, table[RATER]),
        item=_code(study.items(), table[ITEM]),
        value=value,
        answer=answer,
        weight=np.ones(len(value)),
        levels=levels,
        cuts=cuts,
    )


def _code_comparisons(study: Study, rows: IntArray, fold: IntArray) -> HeldComparisons:
    whole = study.preferences
    if whole is None:
        raise ArgumentError("the study has no preferences")
    table = whole.iloc[rows]
    count = table[COUNT].to_numpy(float) if COUNT in table else np.ones(len(table))
    times = np.bincount(rows, minlength=len(whole))[rows]
    return HeldComparisons(
        row=rows,
        fold=fold,
        category=_code(study.categories, table[CATEGORY]),
        dimension=_code(study.dimensions, table[DIMENSION]),
        rater=_code(study.raters, table[RATER]) if RATER in table else np.full(len(table), -1, dtype=np.int64),
        a=_code(study.items(), table[ITEM_A]),
        b=_code(study.items(), table[ITEM_B]),
        outcome=_code(OUTCOMES, table[OUTCOME]),
        weight=count / times,
        has_ties=bool((whole[OUTCOME] == "TIE").any()),
    )
