"""Both protocols of one category and dimension on the same items, and one draw of items and raters for both."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM, ITEM_A, ITEM_B, RATER, RATING
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.kernels.bootstrap import Resample, draw_counts, draw_weights
from ppaint_stats.kernels.derived import derive_scores
from ppaint_stats.kernels.jackknife import Deletions, group_items
from ppaint_stats.kernels.signs import SignTable, imply_signs
from ppaint_stats.reliability.comparisons import NO_RATERS, encode_comparisons
from ppaint_stats.study import Study
from ppaint_stats.tables import show_values
from ppaint_stats.typing import FloatArray, IntArray

type PairSet = Literal["judged", "all"]

ALL_PAIRS_LIMIT = 2000
"""Items up to which ratings can be compared on all pairs."""


@dataclass(frozen=True)
class MatchedCell:
    """Ratings and comparisons of the same items.

    Parameters
    ----------
    category, dimension
        Which cell of the study.
    items
        Items that were both rated and compared.
    rating_raters, preference_raters
        Names of those who rated and of those who compared.
    ratings
        Shape (trials, raters, items), nan where there is none.
    compared
        Comparisons by rater and item pair.
    implied
        Comparisons that the ratings imply.
    rating_scores, preference_scores
        Scores by each rater, shape (raters, items): mean rating over trials, strengths from the comparisons.
    n_ratings, n_comparisons
        Judgments on these items.
    left_out
        Judgments and items that only one protocol has, by name.
    """

    category: str
    dimension: str
    items: tuple[str, ...]
    rating_raters: tuple[str, ...]
    preference_raters: tuple[str, ...]
    ratings: FloatArray
    compared: SignTable
    implied: SignTable
    rating_scores: FloatArray
    preference_scores: FloatArray
    n_ratings: int
    n_comparisons: int
    left_out: dict[str, int]

    @property
    def shared_raters(self) -> int:
        """Number of raters, by name, who did both."""
        return len(set(self.rating_raters) & set(self.preference_raters))

    @property
    def rater_relation(self) -> str:
        """``"same"``, ``"partly the same"`` or ``"different"``."""
        if not self.shared_raters:
            return "different"
        same = self.shared_raters == len(self.rating_raters) == len(self.preference_raters)
        return "same" if same else "partly the same"


@dataclass(frozen=True)
class PairedDraw:
    """How often each item and each rater was drawn: arrays (replicates, ...) that serve both protocols."""

    items: IntArray
    rating_raters: IntArray
    preference_raters: IntArray

    def first(self, n: int) -> "PairedDraw":
        """Keep the first replicates."""
        return PairedDraw(self.items[:n], self.rating_raters[:n], self.preference_raters[:n])

    def before(self, other: "PairedDraw") -> "PairedDraw":
        """Put the replicates of another draw behind these."""
        return PairedDraw(
            np.concatenate([self.items, other.items]),
            np.concatenate([self.rating_raters, other.rating_raters]),
            np.concatenate([self.preference_raters, other.preference_raters]),
        )


@dataclass(frozen=True)
class PairedDeletions:
    """Items and raters left out, one after the other: the weights for it, and how much each counts."""

    draw: PairedDraw
    deletions: Deletions


def build_matched_cell(study: Study, *, category: str | None, dimension: str | None, pairs: PairSet) -> MatchedCell:
    """Cut one category and dimension out of a study and keep the items that both protocols judged.

    Raises
    ------
    ArgumentError
        If the cell is not named where there are several, or not in the study, or ``pairs`` is not known.
    DataError
        If a protocol has no judgments there, comparisons name no rater, or fewer than two items have both.
    """
    key = _choose_cell(study, category, dimension)
    if pairs not in ("judged", "all"):
        raise ArgumentError(f"pairs={pairs!r} is not allowed: 'judged' or 'all' is")
    where = f"category {key[0]!r}, dimension {key[1]!r}"
    ratings, preferences = _take(study.ratings, key), _take(study.preferences, key)
    for name, table in (("ratings", ratings), ("preferences", preferences)):
        if table is None or table.empty:
            raise DataError(f"{where}: no {name}; a matched comparison needs both protocols")
    if ratings is None or preferences is None:  # never: the loop has raised; said for the type checker
        raise DataError(f"{where}: a matched comparison needs both protocols")
    if RATER not in preferences:
        raise DataError(f"{where}: {NO_RATERS}; a matched comparison needs raters in both protocols")
    rated, compared = set(ratings[ITEM]), set(preferences[ITEM_A]) | set(preferences[ITEM_B])
    both = rated & compared
    kept = preferences[preferences[ITEM_A].isin(both) & preferences[ITEM_B].isin(both)]
    if kept.empty:
        raise DataError(
            f"{where}: no comparison is between two items that were rated as well ({len(both)} items are both)"
        )
    found = encode_comparisons(kept, checked=True)
    if found.signs is None:
        raise DataError(f"{where}: {NO_RATERS}")
    rows = ratings[ratings[ITEM].isin(found.items)]
    values, raters = _spread_ratings(rows, found.items)
    a, b = found.signs.a, found.signs.b
    if pairs == "all":
        if len(found.items) > ALL_PAIRS_LIMIT:
            raise ArgumentError(f"pairs='all' is for up to {ALL_PAIRS_LIMIT:,} items, there are {len(found.items):,}")
        a, b = np.triu_indices(len(found.items), 1)
    return MatchedCell(
        category=key[0],
        dimension=key[1],
        items=found.items,
        rating_raters=raters,
        preference_raters=found.raters,
        ratings=values,
        compared=found.signs,
        implied=imply_signs(values, a.astype(np.int64), b.astype(np.int64)),
        rating_scores=_average_trials(values),
        preference_scores=derive_scores(found.signs),
        n_ratings=len(rows),
        n_comparisons=found.n_judgments,
        left_out={
            "items_only_rated": len(rated) - len(rated & set(found.items)),
            "items_only_compared": len(compared) - len(compared & set(found.items)),
            "ratings_left_out": len(ratings) - len(rows),
            "comparison_rows_left_out": len(preferences) - len(kept),
        },
    )


def draw_pairs(cell: MatchedCell, n_boot: int, rng: np.random.Generator, resample: Resample) -> PairedDraw:
    """Draw items and raters once for both protocols.

    Raters are drawn by name among all who did either; who did both is drawn into both alike. Where nobody did both,
    each protocol's raters are drawn by themselves.
    """
    n_items = len(cell.items)
    if resample == "both" and not cell.shared_raters:
        items, first = draw_weights(n_items, len(cell.rating_raters), n_boot, rng, resample)
        return PairedDraw(items, first, draw_counts(len(cell.preference_raters), n_boot, rng))
    names = list(dict.fromkeys([*cell.rating_raters, *cell.preference_raters]))
    items, drawn = draw_weights(n_items, len(names), n_boot, rng, resample)
    code = {name: i for i, name in enumerate(names)}
    first_columns, second_columns = (
        [code[name] for name in group] for group in (cell.rating_raters, cell.preference_raters)
    )
    return PairedDraw(items, drawn[:, first_columns], drawn[:, second_columns])


def delete_pairs(cell: MatchedCell, rng: np.random.Generator, resample: Resample) -> PairedDeletions:
    """Leave out each item, or group of items, and then each rater, by name, from both protocols at once.

    Raters who took part in both protocols, in ratings alone, and in comparisons alone are different sources of
    variation.
    """
    items = group_items(len(cell.items), rng)
    names = list(dict.fromkeys([*cell.rating_raters, *cell.preference_raters])) if resample == "both" else []
    groups = (cell.rating_raters, cell.preference_raters)
    rater_weights = []
    for group in groups:
        left_out = [[int(name != other) for name in group] for other in names]
        all_in = np.ones((len(items), len(group)), dtype=np.int64)
        rater_weights.append(np.concatenate([all_in, np.array(left_out, dtype=np.int64).reshape(-1, len(group))]))
    inside = [[name in group for group in groups] for name in names]
    kind = [1 if all(row) else 2 if row[0] else 3 for row in inside]
    sizes = [min(len(g) for g, has in zip(groups, row, strict=True) if has) for row in inside]
    n_items = np.full(len(items), len(items))
    return PairedDeletions(
        PairedDraw(
            np.concatenate([items, np.ones((len(names), len(cell.items)), dtype=np.int64)]),
            rater_weights[0],
            rater_weights[1],
        ),
        Deletions(
            share=1 - 1 / np.concatenate([n_items, np.array(sizes, dtype=np.int64)]),
            kind=np.concatenate([np.zeros(len(items), dtype=np.int64), np.array(kind, dtype=np.int64)]),
        ),
    )


def _choose_cell(study: Study, category: str | None, dimension: str | None) -> tuple[str, str]:
    fits = [key for key in study.cells if category in (None, key[0]) and dimension in (None, key[1])]
    if len(fits) == 1:
        return fits[0]
    asked = f"category={category!r}, dimension={dimension!r}"
    held = show_values(study.cells)
    if not fits:
        raise ArgumentError(f"{asked}: the study has no such cell; its cells are {held}")
    raise ArgumentError(f"{asked} leaves {len(fits)} cells; name one of {held}")


def _take(table: pd.DataFrame | None, key: tuple[str, str]) -> pd.DataFrame | None:
    if table is None:
        return None
    return table[((table[CATEGORY] == key[0]) & (table[DIMENSION] == key[1])).to_numpy(dtype=np.bool_)]


def _spread_ratings(rows: pd.DataFrame, items: tuple[str, ...]) -> tuple[FloatArray, tuple[str, ...]]:
    """Ratings by trial, rater and item; trials are numbered within a rater and item, in the order of the table."""
    rater, names = pd.factorize(rows[RATER])
    item = pd.Index(items).get_indexer(pd.Index(rows[ITEM]))
    trial = pd.Series(rater * len(items) + item).groupby(rater * len(items) + item).cumcount().to_numpy()
    values = np.full((int(trial.max(initial=0)) + 1, len(names), len(items)), np.nan)
    values[trial, rater, item] = rows[RATING].to_numpy(float)
    return values, tuple(str(name) for name in names)


def _average_trials(values: FloatArray) -> FloatArray:
    known = ~np.isnan(values)
    size = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, size, out=np.full(total.shape, np.nan), where=size > 0))
