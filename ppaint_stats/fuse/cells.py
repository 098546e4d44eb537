"""Cells: the judgments of one category and dimension as plain arrays, the form in which fusions take them."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, COUNT, DIMENSION, ITEM, ITEM_A, ITEM_B, OUTCOME, OUTCOMES, RATER, RATING
from ppaint_stats.kernels.additive import AdditiveFit, fit_additive
from ppaint_stats.kernels.davidson import PairCounts, count_pairs
from ppaint_stats.kernels.graphs import link_components
from ppaint_stats.seeds import split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, IntArray, Protocols, RandomSeed


@dataclass(frozen=True)
class Cell:
    """Judgments of one category and dimension.

    Codes of raters run over the whole study, so that one rater can be left out of several cells at once; -1
    stands for comparisons whose rater is not recorded.
    """

    category: str
    dimension: str
    items: tuple[str, ...]
    rater_names: tuple[str, ...]
    a: IntArray
    b: IntArray
    outcome: IntArray
    pair_rater: IntArray
    pair_weight: FloatArray
    rated: IntArray
    rating_rater: IntArray
    rating: FloatArray
    rating_weight: FloatArray
    low: float
    high: float
    protocols: Protocols
    seed: np.random.SeedSequence

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.items)

    @property
    def n_raters(self) -> int:
        """Number of raters of the study."""
        return len(self.rater_names)

    @property
    def name(self) -> str:
        """Category and dimension, as messages show them."""
        return f"category {self.category!r}, dimension {self.dimension!r}"

    @property
    def uses_ratings(self) -> bool:
        """Whether ratings inform the latent scores, not only the map to the rating scale."""
        return self.protocols != "preferences" and len(self.rating) > 0

    @property
    def has_ratings(self) -> bool:
        """Whether there is any rating."""
        return len(self.rating) > 0

    def raters(self) -> tuple[IntArray, IntArray]:
        """Codes of the raters who rated and of those who compared."""
        return np.unique(self.rating_rater), np.unique(self.pair_rater[self.pair_rater >= 0])

    def count_pairs(self, *, keep_order: bool) -> PairCounts:
        """Comparisons summed by pair."""
        return count_pairs(self.a, self.b, self.outcome, self.pair_weight, self.n_items, keep_order=keep_order)

    def fit_ratings(self) -> AdditiveFit:
        """Item scores of the two-way additive model."""
        return fit_additive(self.rated, self.rating_rater, self.rating, self.rating_weight, self.n_items, self.n_raters)

    def components(self) -> IntArray:
        """Connected component of each item in the comparison graph."""
        return link_components(self.a, self.b, self.n_items)

    def reweight(self, rater_weight: FloatArray, item_weight: FloatArray | None = None) -> "Cell":
        """Multiply each judgment's weight by its rater's and its items' weights; weight 0 leaves it out.

        Parameters
        ----------
        rater_weight
            Shape (raters of the study,).
        item_weight
            Shape (items of the cell,).
        """
        pair = self.pair_weight * np.where(self.pair_rater >= 0, rater_weight[self.pair_rater], 1.0)
        rating = self.rating_weight * rater_weight[self.rating_rater]
        if item_weight is not None:
            pair = pair * item_weight[self.a] * item_weight[self.b]
            rating = rating * item_weight[self.rated]
        keep, stay = pair > 0, rating > 0
        return replace(
            self,
            a=self.a[keep],
            b=self.b[keep],
            outcome=self.outcome[keep],
            pair_rater=self.pair_rater[keep],
            pair_weight=pair[keep],
            rated=self.rated[stay],
            rating_rater=self.rating_rater[stay],
            rating=self.rating[stay],
            rating_weight=rating[stay],
        )


def build_cells(study: Study, *, protocols: Protocols, random_seed: RandomSeed) -> list[Cell]:
    """Build the cells of a study that hold judgments under the chosen protocols, in the study's order.

    Items without a judgment under those protocols are not in their cell.
    """
    rater_codes = pd.Index(study.raters)
    ratings = None if study.ratings is None else _by_cell(study.ratings)
    preferences = None if study.preferences is None or protocols == "ratings" else _by_cell(study.preferences)
    low, high = (study.scale.low, study.scale.high) if study.scale is not None else (np.nan, np.nan)
    seeds = split_seed(random_seed, len(study.cells))
    order = {category: {item: i for i, item in enumerate(study.items(category))} for category in study.categories}
    cells = []
    for key, seed in zip(study.cells, seeds, strict=True):
        rated = None if ratings is None else ratings.get(key)
        compared = None if preferences is None else preferences.get(key)
        present: set[str] = set()
        if compared is not None:
            present.update(compared[ITEM_A], compared[ITEM_B])
        if rated is not None:
            if protocols == "preferences":
                rated = rated[rated[ITEM].isin(present)]
            else:
                present.update(rated[ITEM])
        if not present:
            continue
        items = tuple(sorted(present, key=order[key[0]].__getitem__))
        cells.append(_build_cell(key, items, rated, compared, rater_codes, (low, high), protocols, seed))
    return cells


def _by_cell(frame: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    return {(str(c), str(d)): group for (c, d), group in frame.groupby([CATEGORY, DIMENSION], sort=False)}


def _build_cell(
    key: tuple[str, str],
    items: tuple[str, ...],
    rated: pd.DataFrame | None,
    compared: pd.DataFrame | None,
    raters: pd.Index,
    scale: tuple[float, float],
    protocols: Protocols,
    seed: np.random.SeedSequence,
) -> Cell:
    codes = pd.Index(items)
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    a, b, outcome, pair_rater, pair_weight = none, none, none, none, nothing
    if compared is not None:
        a, b = codes.get_indexer(pd.Index(compared[ITEM_A])), codes.get_indexer(pd.Index(compared[ITEM_B]))
        outcome = pd.Index(OUTCOMES).get_indexer(pd.Index(compared[OUTCOME]))
        named = RATER in compared
        pair_rater = raters.get_indexer(pd.Index(compared[RATER])) if named else np.full(len(a), -1)
        pair_weight = compared[COUNT].to_numpy(float) if COUNT in compared else np.ones(len(a))
    item, rating_rater, rating = none, none, nothing
    if rated is not None:
        item, rating_rater = codes.get_indexer(pd.Index(rated[ITEM])), raters.get_indexer(pd.Index(rated[RATER]))
        rating = rated[RATING].to_numpy(float)
    return Cell(
        category=key[0],
        dimension=key[1],
        items=items,
        rater_names=tuple(raters),
        a=np.asarray(a, dtype=np.int64),
        b=np.asarray(b, dtype=np.int64),
        outcome=np.asarray(outcome, dtype=np.int64),
        pair_rater=np.asarray(pair_rater, dtype=np.int64),
        pair_weight=pair_weight,
        rated=np.asarray(item, dtype=np.int64),
        rating_rater=np.asarray(rating_rater, dtype=np.int64),
        rating=rating,
        rating_weight=np.ones(len(rating)),
        low=scale[0],
        high=scale[1],
        protocols=protocols,
        seed=seed,
    )
