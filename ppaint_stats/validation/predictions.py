"""Predictions of held-out judgments from scores of the others, through links that are fitted across folds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ppaint_stats.typing import BoolArray, FloatArray, IntArray
from ppaint_stats.validation.fold_fits import FoldFit
from ppaint_stats.validation.folds import HeldComparisons, HeldOut, HeldRatings
from ppaint_stats.validation.links import fit_comparison_link, fit_rating_link


@dataclass(frozen=True)
class RatingPredictions:
    """Of each rating: log score, probabilities to lie above each cut, the item's score (nan: the item has none)."""

    log: FloatArray
    above: FloatArray
    score: FloatArray


@dataclass(frozen=True)
class ComparisonPredictions:
    """Of each comparison: log score, probabilities of A, TIE, B, difference of the scores (nan: an item has none)."""

    log: FloatArray
    shares: FloatArray
    score: FloatArray


@dataclass(frozen=True)
class Predictions:
    """Predictions of all judgments that were held out, by one method."""

    ratings: RatingPredictions | None
    comparisons: ComparisonPredictions | None


def predict_base(held: HeldOut) -> Predictions:
    """Predict without any score: from the frequencies of the other folds' answers, by dimension and category."""
    ratings = comparisons = None
    if held.ratings is not None:
        ratings = _predict_ratings(held.ratings, np.zeros(len(held.ratings)), len(held.categories), None)
    if held.comparisons is not None:
        comparisons = _predict_comparisons(held.comparisons, np.zeros(len(held.comparisons)), None)
    return Predictions(ratings, comparisons)


def predict_linked(held: HeldOut, fits: list[FoldFit], base: Predictions) -> Predictions:
    """Predict from the scores of each fold's fusion; what has no score is predicted as without any.

    Parameters
    ----------
    held
        The judgments.
    fits
        One fit per fold.
    base
        Predictions without scores.

    Returns
    -------
    Predictions
        The predictions.
    """
    score = arrange_scores(held, fits)
    ratings = comparisons = None
    if held.ratings is not None and base.ratings is not None:
        r = held.ratings
        ratings = _predict_ratings(r, score[r.fold, r.item, r.dimension], len(held.categories), base.ratings)
    if held.comparisons is not None and base.comparisons is not None:
        c = held.comparisons
        difference = score[c.fold, c.a, c.dimension] - score[c.fold, c.b, c.dimension]
        comparisons = _predict_comparisons(c, difference, base.comparisons)
    return Predictions(ratings, comparisons)


def predict_own(held: HeldOut, fits: list[FoldFit], linked: Predictions, base: Predictions) -> Predictions:
    """Collect a joint model's own predictions; where it has none, those without scores stand in."""
    ratings = comparisons = None
    if held.ratings is not None and linked.ratings is not None and base.ratings is not None:
        r = held.ratings
        above, density = base.ratings.above.copy(), base.ratings.log.copy()
        for rows, fit in _by_fold(r.fold, fits):
            if "above" in fit.own:
                _fill(above, rows, fit.own["above"])
            if "density" in fit.own:
                _fill(density, rows, fit.own["density"])
        log = _log_of_level(above, r.answer) if r.levels else density
        ratings = RatingPredictions(log, above, linked.ratings.score)
    if held.comparisons is not None and linked.comparisons is not None and base.comparisons is not None:
        c = held.comparisons
        shares = base.comparisons.shares.copy()
        for rows, fit in _by_fold(c.fold, fits):
            if "shares" in fit.own:
                _fill(shares, rows, fit.own["shares"])
        if not c.has_ties:  # no answer could be a tie, not even one that is given at random
            shares[:, 1] = 0.0
            shares /= shares.sum(axis=1, keepdims=True)
        comparisons = ComparisonPredictions(_log_of_outcome(shares, c.outcome), shares, linked.comparisons.score)
    return Predictions(ratings, comparisons)


def arrange_scores(held: HeldOut, fits: list[FoldFit]) -> FloatArray:
    """Scores with mean 0 in a cell and spread 1 in a dimension, shape (fold, item, dimension); nan where none is."""
    item = {name: k for k, name in enumerate(held.items)}
    dimension = {name: k for k, name in enumerate(held.dimensions)}
    out = np.full((len(fits), len(item), len(dimension)), np.nan)
    for k, fit in enumerate(fits):
        cells: dict[tuple[str, str], list[float]] = {}
        for (category, dim, _), latent in zip(fit.keys, fit.latent, strict=True):
            if np.isfinite(latent):
                cells.setdefault((category, dim), []).append(latent)
        middle = {cell: float(np.mean(values)) for cell, values in cells.items()}
        for (category, dim, name), latent in zip(fit.keys, fit.latent, strict=True):
            if np.isfinite(latent):
                out[k, item[name], dimension[dim]] = latent - middle[category, dim]
    # A rater who agrees little with the others lowers the spread of the scores that they take part in, and is missing
    # in their own fold, whose scores would be too wide for a link from the other folds just where they predict least.
    size = np.sqrt(np.nanmean(np.where(np.isfinite(out).any(axis=1, keepdims=True), out, 0.0) ** 2, axis=1))
    return out / np.where(size > 0, size, 1.0)[:, None, :]


def _by_fold(fold: IntArray, fits: list[FoldFit]) -> Iterator[tuple[IntArray, FoldFit]]:
    for k, fit in enumerate(fits):
        yield np.flatnonzero(fold == k).astype(np.int64), fit


def _fill(target: FloatArray, rows: IntArray, values: list[float]) -> None:
    own = np.array(values, dtype=np.float64).reshape((len(rows), *target.shape[1:]))
    known = np.isfinite(own) if own.ndim == 1 else np.isfinite(own).all(axis=1)
    target[rows[known]] = own[known]


def _predict_ratings(
    r: HeldRatings, x: FloatArray, n_categories: int, base: RatingPredictions | None
) -> RatingPredictions:
    """Predict the ratings of each fold by a link from those of the other folds; ``base`` stands in for nan."""
    known = np.isfinite(x)
    above = np.full((len(r), len(r.cuts)), np.nan) if base is None else base.above.copy()
    log = np.full(len(r), np.nan) if base is None else base.log.copy()
    for train, test in _cross(r.fold, r.fold, r.dimension, known):
        link = fit_rating_link(
            x[train], r.answer[train], r.rater[train], r.category[train], levels=r.levels, n_categories=n_categories,
            use_scores=base is not None,
        )  # fmt: skip
        above[test] = link.above(x[test], r.category[test], r.cuts)
        if not r.levels:
            log[test] = link.log_density(x[test], r.category[test], r.answer[test])
    return RatingPredictions(_log_of_level(above, r.answer) if r.levels else log, above, x)


def _predict_comparisons(
    c: HeldComparisons, x: FloatArray, base: ComparisonPredictions | None
) -> ComparisonPredictions:
    known = np.isfinite(x)
    shares = np.full((len(c), 3), np.nan) if base is None else base.shares.copy()
    for train, test in _cross(c.fold, c.row, c.dimension, known):
        link = fit_comparison_link(
            x[train], c.outcome[train], c.weight[train], has_ties=c.has_ties, use_scores=base is not None
        )
        shares[test] = link.shares(x[test])
    return ComparisonPredictions(_log_of_outcome(shares, c.outcome), shares, x)


def _cross(fold: IntArray, row: IntArray, dimension: IntArray, known: BoolArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Rows to fit a link to and rows to predict, by dimension and fold.

    A judgment that is held out in two folds has a row in each: in neither may it be learned from in the other.
    """
    for d in np.unique(dimension).tolist():
        here = (dimension == d) & known
        for k in np.unique(fold[here]).tolist():
            test = here & (fold == k)
            train = here & (fold != k)
            if row is not fold:
                train &= ~np.isin(row, row[test])
            yield np.flatnonzero(train).astype(np.int64), np.flatnonzero(test).astype(np.int64)


def _log_of_level(above: FloatArray, level: FloatArray) -> FloatArray:
    edges = np.pad(above, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
    rows, k = np.arange(len(above)), level.astype(np.int64)
    return np.asarray(np.log(np.maximum(edges[rows, k] - edges[rows, k + 1], 1e-300)))


def _log_of_outcome(shares: FloatArray, outcome: IntArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(shares[np.arange(len(shares)), outcome], 1e-300)))
