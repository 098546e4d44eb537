"""One category and dimension of a study in the forms in which the statistics of reliability take it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM, RATER, TRIAL
from ppaint_stats.kernels.agreement import Level
from ppaint_stats.kernels.bootstrap import Resample
from ppaint_stats.kernels.derived import derive_scores
from ppaint_stats.reliability.comparisons import Comparisons, encode_comparisons
from ppaint_stats.reliability.estimate import Estimate
from ppaint_stats.reliability.matched import ProtocolMatch
from ppaint_stats.reliability.rating_matrix import RatingMatrix, read_rating_matrix
from ppaint_stats.seeds import split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, RandomSeed

RATINGS, PREFERENCES, DIFFERENCE = "ratings", "preferences", "difference"


@dataclass(frozen=True)
class Options:
    """What `assess_reliability` was asked for.

    Parameters
    ----------
    n_boot, interval_prob, resample
        As every function of reliability takes them.
    levels
        Metrics of Krippendorff's alpha; the first is the one that the text speaks of.
    n_subsets
        Random subsets of the comparisons for each cost of the curves.
    """

    n_boot: int
    interval_prob: float
    resample: Resample
    levels: tuple[Level, ...]
    n_subsets: int


@dataclass(eq=False)
class StudyCell:
    """Judgments of one category and dimension, and what is found about them.

    Parameters
    ----------
    category, dimension
        Which cell.
    study
        Its judgments, ratings by the first trial alone.
    matrix
        Ratings by rater and item; None without ratings.
    repeats
        All ratings of the items that a rater rated more than once.
    compared
        Comparisons as arrays; None without preferences.
    seed
        Of everything random about this cell.
    estimates
        By protocol and statistic, filled in step by step.
    match
        The matched comparison; None where there is none.
    match_reason
        Why there is none.
    """

    category: str
    dimension: str
    study: Study
    matrix: RatingMatrix | None
    repeats: pd.DataFrame
    compared: Comparisons | None
    seed: np.random.SeedSequence
    estimates: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    match: ProtocolMatch | None = None
    match_reason: str = ""

    @property
    def key(self) -> dict[str, str]:
        """Category and dimension as columns of a table."""
        return {CATEGORY: self.category, DIMENSION: self.dimension}

    @property
    def has_both(self) -> bool:
        """Whether there are ratings and comparisons."""
        return self.matrix is not None and self.compared is not None

    def derived_scores(self) -> FloatArray:
        """Scores by each rater from the comparisons, shape (raters, items); no rows where no rater is named."""
        if self.compared is None or self.compared.signs is None:
            return np.zeros((0, 0 if self.compared is None else len(self.compared.items)))
        return derive_scores(self.compared.signs)


def split_study(study: Study, random_seed: RandomSeed) -> Iterator[StudyCell]:
    """Cut a study into its cells, each with a seed of its own."""
    for (category, dimension), seed in zip(study.cells, split_seed(random_seed, len(study.cells)), strict=True):
        part = study.select(categories=category, dimensions=dimension)
        matrix, repeats = None, pd.DataFrame()
        if part.ratings is not None:
            first, repeats = split_trials(part.ratings)
            if len(repeats):
                part = Study(ratings=first, preferences=part.preferences, scale=part.scale)
            matrix = read_rating_matrix(first)
        compared = None if part.preferences is None else encode_comparisons(part.preferences, checked=True)
        yield StudyCell(category, dimension, part, matrix, repeats, compared, seed)


def split_trials(ratings: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """First rating of each item by each rater, in the order of trials; and all ratings of repeated ones."""
    keys = [RATER, ITEM]
    again = ratings.duplicated(keys, keep=False).to_numpy(dtype=np.bool_)
    if not again.any():
        return ratings, ratings.iloc[:0]
    ordered = ratings.sort_values(TRIAL, kind="stable")
    first = ordered.drop_duplicates(keys).sort_index().reset_index(drop=True)
    return first, ordered[again[ordered.index.to_numpy()]].reset_index(drop=True)
