"""Measures of predictions: log score, accuracy, Brier score, rank correlation and calibration; paired differences."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from ppaint_stats.typing import BoolArray, FloatArray, IntArray
from ppaint_stats.validation.folds import HeldComparisons, HeldOut, HeldRatings
from ppaint_stats.validation.predictions import ComparisonPredictions, Predictions, RatingPredictions

N_BINS = 10
PROTOCOLS = ("ratings", "preferences", "all")


@dataclass(frozen=True)
class Judged:
    """One row per held-out judgment of both protocols, ratings first, with what a method gives it."""

    log: FloatArray
    weight: FloatArray
    is_rating: BoolArray
    category: IntArray
    dimension: IntArray
    rater: IntArray
    fold: IntArray


def join_judgments(held: HeldOut, found: Predictions) -> Judged:
    """Put the judgments of both protocols into one table."""
    parts = [
        (predicted.log, own.weight, np.full(len(own), own is held.ratings), own.category, own.dimension, own.rater,
         own.fold)
        for own, predicted in ((held.ratings, found.ratings), (held.comparisons, found.comparisons))
        if own is not None and predicted is not None
    ]  # fmt: skip
    return Judged(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def measure_ratings(r: HeldRatings, p: RatingPredictions, rows: BoolArray) -> dict[str, float]:
    """Measure the predictions of some ratings.

    Parameters
    ----------
    r
        Ratings.
    p
        Predictions.
    rows
        Which ratings count.

    Returns
    -------
    dict
        Judgments, log score, rank correlation and, on a scale of levels, Brier score.
    """
    found = {"judgments": float(r.weight[rows].sum()), "log_score": _mean(p.log[rows], r.weight[rows])}
    found["rank_correlation"] = correlate_raters(r, p, rows)
    if r.levels:
        edges = np.pad(p.above[rows], ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
        miss = edges[:, :-1] - edges[:, 1:] - np.eye(r.levels)[r.answer[rows].astype(np.int64)]
        found["brier"] = _mean((miss**2).sum(axis=1), r.weight[rows])
    return found


def measure_comparisons(c: HeldComparisons, p: ComparisonPredictions, rows: BoolArray) -> dict[str, float]:
    """Measure the predictions of some comparisons: judgments, log score, accuracy of the decided, Brier score."""
    weight, shares, outcome = c.weight[rows], p.shares[rows], c.outcome[rows]
    found = {"judgments": float(weight.sum()), "log_score": _mean(p.log[rows], weight)}
    lead = np.sign(shares[:, 0] - shares[:, 2])
    decided = outcome != 1
    hit = (1 + lead * np.where(outcome == 0, 1, -1)) / 2
    found["accuracy"] = _mean(hit[decided], weight[decided])
    found["brier"] = _mean(((shares - np.eye(3)[outcome]) ** 2).sum(axis=1), weight)
    return found


def _mean(values: FloatArray, weight: FloatArray) -> float:
    total = weight.sum()
    return float(weight @ values / total) if total > 0 else np.nan


def correlate_raters(r: HeldRatings, p: RatingPredictions, rows: BoolArray) -> float:
    """Rank correlation of a rater's ratings with the scores: mean over cells, then over raters."""
    by_rater: dict[int, list[float]] = {}
    use = rows & np.isfinite(p.score)
    keys = np.column_stack([r.rater, r.category, r.dimension])
    for key in np.unique(keys[use], axis=0):
        cell = use & (keys == key).all(axis=1)
        value, score = r.value[cell], p.score[cell]
        if len(value) > 2 and np.ptp(value) > 0 and np.ptp(score) > 0:
            by_rater.setdefault(int(key[0]), []).append(float(stats.spearmanr(value, score).statistic))
    return float(np.mean([np.mean(values) for values in by_rater.values()])) if by_rater else np.nan


def list_events(held: HeldOut, found: Predictions, protocol: str) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Events whose calibration is checked: probability, whether it came true, weight.

    Of ratings: to lie above each level but the last, or above each decile of a continuous scale's ratings. Of
    comparisons: that A wins, given that there is a winner.
    """
    if protocol == "ratings":
        r, p = held.ratings, found.ratings
        if r is None or p is None:
            return np.zeros(0), np.zeros(0, dtype=np.bool_), np.zeros(0)
        hit = r.answer[:, None] > r.cuts
        weight = np.repeat(r.weight, len(r.cuts)) / max(len(r.cuts), 1)
        return p.above.ravel(), np.asarray(hit.ravel()), weight
    c, q = held.comparisons, found.comparisons
    if c is None or q is None:
        return np.zeros(0), np.zeros(0, dtype=np.bool_), np.zeros(0)
    decided = c.outcome != 1
    first = q.shares[decided, 0] / (q.shares[decided, 0] + q.shares[decided, 2])
    return first, c.outcome[decided] == 0, c.weight[decided]


def bin_events(probability: FloatArray, hit: BoolArray, weight: FloatArray) -> list[dict[str, float]]:
    """Points of a reliability diagram: predicted and observed frequency in bins of equal width."""
    place = np.minimum((probability * N_BINS).astype(np.int64), N_BINS - 1)
    rows = []
    for k in np.unique(place).tolist():
        own = place == k
        total = float(weight[own].sum())
        rows.append(
            {
                "bin": (k + 0.5) / N_BINS,
                "events": total,
                "predicted": float(weight[own] @ probability[own]) / total,
                "observed": float(weight[own] @ hit[own]) / total,
            }
        )
    return rows


def fit_calibration(probability: FloatArray, hit: BoolArray, weight: FloatArray) -> tuple[float, float]:
    """Slope and intercept of a logistic regression of what came true on the predicted log odds; 1 and 0 are perfect."""
    x = logit(np.clip(probability, 1e-9, 1 - 1e-9))
    if len(x) < 3 or np.std(x) < 0.05 or hit.all() or not hit.any():
        return np.nan, np.nan
    design = np.column_stack([np.ones(len(x)), x])
    at = np.array([0.0, 1.0])
    for _ in range(50):
        p = expit(design @ at)
        gradient = design.T @ (weight * (hit - p))
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
        at = at + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return float(at[1]), float(at[0])


def compare_units(
    difference: FloatArray, weight: FloatArray, unit: IntArray, prob: float
) -> tuple[float, float, float, int]:
    r"""Mean difference per judgment with a t interval whose units are raters (or groups of items).

    Parameters
    ----------
    difference
        Difference in log score of each judgment.
    weight
        Weight of each.
    unit
        Code of its unit.
    prob
        Probability of the interval.

    Returns
    -------
    tuple
        Mean, ends of the interval, number of units.

    Notes
    -----
    With D and n the sums of a unit's differences and weights, :math:`d = \sum D / \sum n` and
    :math:`se^2 = \frac{R}{R - 1} \sum (D - d n)^2 / (\sum n)^2`; units of equal size give the usual t interval.
    """
    code = np.unique(unit, return_inverse=True)[1]
    total, n = np.bincount(code, difference * weight), np.bincount(code, weight)
    size = len(n)
    mean = float(total.sum() / n.sum())
    if size < 2:
        return mean, np.nan, np.nan, size
    se = np.sqrt(size / (size - 1) * ((total - mean * n) ** 2).sum()) / n.sum()
    half = float(stats.t.ppf((1 + prob) / 2, size - 1) * se)
    return mean, mean - half, mean + half, size
