"""Reliability of both protocols at equal cost: how many judgments per item buy which reliability of a panel's order."""

import numpy as np
import pandas as pd

from ppaint_stats.kernels.bootstrap import Resample
from ppaint_stats.kernels.derived import derive_scores
from ppaint_stats.kernels.jackknife import Deletions, measure_spread
from ppaint_stats.kernels.orders import describe_orders
from ppaint_stats.reliability.estimate import Estimate, shrink_interval, summarise
from ppaint_stats.reliability.matched_cell import MatchedCell, PairedDeletions, PairedDraw
from ppaint_stats.seeds import split_seed
from ppaint_stats.typing import FloatArray, IntArray, RandomSeed

CURVE_BOOT = 500
"""Replicates that curves use of those drawn; each subset of the comparisons needs them again."""

COLUMNS = (
    "judgments_per_item",
    "comparisons_per_rater",
    "comparisons_of_an_item",
    "rating_raters",
    "ratings_estimate",
    "ratings_lower",
    "ratings_upper",
    "preferences_estimate",
    "preferences_lower",
    "preferences_upper",
    "difference",
    "difference_lower",
    "difference_upper",
    "reason",
)


def trace_costs(
    cell: MatchedCell,
    draw: PairedDraw,
    left_out: PairedDeletions,
    *,
    n_subsets: int,
    random_seed: RandomSeed,
    interval_prob: float,
    resample: Resample,
) -> pd.DataFrame:
    r"""Trace the reliability of the panel's order against the number of judgments per item.

    Parameters
    ----------
    cell
        Both protocols on the same items.
    draw
        Items and raters drawn; the first `CURVE_BOOT` replicates are used.
    left_out
        Items and raters left out, for the intervals of differences, as in `match_protocols`.
    n_subsets
        Random subsets of the item pairs at each cost; 0 gives an empty table.
    random_seed
        Seed of the subsets.
    interval_prob, resample
        As in `match_protocols`.

    Returns
    -------
    DataFrame
        One row per cost: ``judgments_per_item`` by all raters together (a comparison is one judgment of two items),
        ``comparisons_per_rater``, ``comparisons_of_an_item`` by one rater, ``rating_raters`` who would cost the same,
        and the reliability of the mean order of the panel by ``ratings``, by ``preferences`` and their ``difference``
        with intervals, ``reason``.

    Notes
    -----
    With the mean rank correlation :math:`\bar\rho` of two raters, the reliability of the mean order of m raters is
    :math:`m \bar\rho / (1 + (m - 1) \bar\rho)` (Spearman & Brown). *Preferences*: the panel as it is, with random
    subsets of its item pairs; scores are derived again from each subset, and :math:`\bar\rho` is the mean over
    subsets. *Ratings*: more judgments mean more raters, since a second rating of an item by the same rater repeats
    the rater's taste; m is the cost divided by the ratings per item of one rater. It is no whole number and may lie
    beyond the panel, where it supposes more raters like these.
    """
    if n_subsets == 0:
        return pd.DataFrame(columns=list(COLUMNS))
    n_items, m = len(cell.items), len(cell.preference_raters)
    per_rater = cell.n_ratings / (n_items * len(cell.rating_raters))
    full = cell.n_comparisons / (n_items * m)  # judgments per item by one rater
    used = draw.first(CURVE_BOOT)
    n_boot, weights = len(used.items), used.before(left_out.draw)
    rho_ratings = _mean_correlation(cell.rating_scores, weights.items, weights.rating_raters)
    costs = [cost for cost in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0) if cost < 0.9 * full]
    rng = [np.random.default_rng(seed) for seed in split_seed(random_seed, len(costs))]
    rows = []
    for step, cost in enumerate([*costs, full]):
        tables = [cell.preference_scores]
        if step < len(costs):
            size = max(1, round(cost / full * cell.compared.n_pairs))
            tables = [_thin_scores(cell, size, rng[step]) for _ in range(n_subsets)]
        found = [_mean_correlation(scores, weights.items, weights.preference_raters) for scores in tables]
        rho = (float(np.mean([value for value, _ in found])), np.mean([draws for _, draws in found], axis=0))
        panel = cost * m / per_rater
        steps = {"ratings": _step_up(rho_ratings, panel), "preferences": _step_up(rho, m)}
        (value_r, draws_r), (value_p, draws_p) = steps["ratings"], steps["preferences"]
        sides = {**steps, "difference": (value_p - value_r, draws_p - draws_r)}
        row: dict[str, object] = {
            "judgments_per_item": cost * m,
            "comparisons_per_rater": cost * n_items,
            "comparisons_of_an_item": 2 * cost,
            "rating_raters": panel,
        }
        reasons = []
        for side, (value, draws) in sides.items():
            reason = "no rank correlation of two raters is defined" if np.isnan(value) else ""
            estimate = summarise(
                side,
                value,
                draws[:n_boot],
                n_items=n_items,
                n_raters=m,
                n_judgments=0,
                interval_prob=interval_prob,
                resample=resample,
                reason=reason,
            )
            if n_boot and side == "difference" and not reason:
                estimate = _shrink_panels(estimate, (rho, m), (rho_ratings, panel), left_out.deletions)
            name = side if side == "difference" else f"{side}_estimate"
            row |= {name: value, f"{side}_lower": estimate.lower, f"{side}_upper": estimate.upper}
            if reason and side != "difference":
                reasons.append(f"{side}: {reason}")
        rows.append(row | {"reason": "; ".join(reasons)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _thin_scores(cell: MatchedCell, size: int, rng: np.random.Generator) -> FloatArray:
    """Scores by each rater from a random subset of the item pairs."""
    keep = np.zeros(cell.compared.n_pairs, dtype=np.bool_)
    keep[rng.permutation(cell.compared.n_pairs)[:size]] = True
    return derive_scores(cell.compared.keep(keep))


def _mean_correlation(scores: FloatArray, item_weights: IntArray, rater_weights: IntArray) -> tuple[float, FloatArray]:
    """Mean rank correlation of two raters: its value and replicates."""
    n_raters, n_items = scores.shape
    ones = np.ones((1, n_items), dtype=np.int64), np.ones((1, n_raters), dtype=np.int64)
    weights = [np.concatenate(pair) for pair in zip(ones, (item_weights, rater_weights), strict=True)]
    found = describe_orders(scores, weights[0], weights[1], np.zeros((0, n_raters)))["mean_srcc"]
    return float(found[0]), found[1:]


type Panel = tuple[tuple[float, FloatArray], float]
"""Mean rank correlation of two raters, its value and replicates, and how many raters the panel has."""


def _shrink_panels(difference: Estimate, first: Panel, second: Panel, deletions: Deletions) -> Estimate:
    """Shrink on the scale of mean rank correlations, where replicates are not skewed as those of panels are.

    How much they overstate the spread is measured where panels' reliability is taken as linear around its value.
    """
    n_boot = difference.n_boot
    slopes = [m / (1 + (m - 1) * abs(value)) ** 2 for (value, _), m in (first, second)]
    linear = slopes[0] * (first[0][1] - first[0][0]) - slopes[1] * (second[0][1] - second[0][0])
    spread = measure_spread(0.0, linear[:n_boot], linear[n_boot:], deletions)
    factor = 1.0 if spread is None else spread.shrinkage
    moved = [
        _step_up((value, value + factor * (draws[:n_boot] - value)), m)[1] for (value, draws), m in (first, second)
    ]
    return shrink_interval(difference, spread, shrunk=moved[0] - moved[1])


def _step_up(rho: tuple[float, FloatArray], m: float) -> tuple[float, FloatArray]:
    """Reliability of the mean order of m raters; mirrored below 0, where the formula would run off to infinity."""

    def step(x: FloatArray) -> FloatArray:
        return np.asarray(m * x / (1 + (m - 1) * np.abs(x)))

    return float(step(np.asarray(rho[0]))), step(rho[1])
