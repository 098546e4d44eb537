"""The matched comparison: which protocol orders the same items more reliably, with paired differences."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_count
from ppaint_stats.kernels.bootstrap import Resample
from ppaint_stats.kernels.jackknife import Spread, measure_spread
from ppaint_stats.kernels.orders import describe_orders, split_raters
from ppaint_stats.kernels.signs import SignTable, average_pairs, describe_agreement, weaken_signs
from ppaint_stats.reliability.cells import require_study
from ppaint_stats.reliability.costs import trace_costs
from ppaint_stats.reliability.derived import ORDER_STATISTICS, explain_orders, point_orders
from ppaint_stats.reliability.estimate import Estimate, check_bootstrap, shrink_interval, summarise
from ppaint_stats.reliability.matched_cell import (
    MatchedCell,
    PairSet,
    build_matched_cell,
    delete_pairs,
    draw_pairs,
)
from ppaint_stats.reliability.order_differences import EXPECTED, shrink_order_difference
from ppaint_stats.reliability.preferences import explain_agreement, point_agreement
from ppaint_stats.seeds import describe_seed, split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, IntArray, RandomSeed

SIGN_STATISTICS = {
    "alpha_sym": "alpha_sym",
    "alpha_decided": "alpha_decided",
    "alpha_forced": "product",
    "alpha_nominal": "alpha_nominal",
    "percent_agreement": "agreement",
    "agreement_decided": "agreement_decided",
    "tie_rate": "tie_rate",
}
"""Statistics of comparisons, made or implied, and what the kernel calls them; ``alpha_tie_matched`` is beside them."""

STATISTICS = ("alpha_sym", "alpha_tie_matched", *list(SIGN_STATISTICS)[1:], *ORDER_STATISTICS)
"""Rows of the table, in order."""


@dataclass(frozen=True, eq=False)
class ProtocolMatch:
    """Result of `match_protocols`.

    Parameters
    ----------
    category, dimension
        The cell.
    table
        One row per statistic: ``statistic``, then ``ratings_estimate, ratings_lower, ratings_upper``, the same for
        ``preferences`` and for ``difference`` (preferences - ratings), ``probability_higher`` (share of resamples with
        a difference above 0, half of those at 0), ``reason``.
    curves
        Reliability against cost, see `trace_costs`; empty where it was not asked for.
    estimates
        By statistic: ``ratings``, ``preferences`` and ``difference`` as `Estimate`, with their paired replicates.
    counts
        Items, raters, judgments, and what only one protocol has.
    settings
        Arguments, how raters were drawn and how ties were matched.
    spreads
        By statistic: how much its difference varies, and how much of that is due to items and to raters.
    """

    category: str
    dimension: str
    table: pd.DataFrame
    curves: pd.DataFrame
    estimates: Mapping[str, Mapping[str, Estimate]] = field(repr=False)
    counts: Mapping[str, int]
    settings: Mapping[str, object]
    spreads: Mapping[str, Spread] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        """One line with the difference in alpha_sym and in rank correlation."""
        parts = [
            f"{name} {found['ratings'].estimate:.3f} by ratings, {found['preferences'].estimate:.3f} by preferences"
            for name, found in self.estimates.items()
            if name in ("alpha_sym", "rank_correlation")
        ]
        return f"ProtocolMatch({self.category}, {self.dimension}: {'; '.join(parts)})"


def match_protocols(
    study: Study,
    *,
    category: str | None = None,
    dimension: str | None = None,
    pairs: PairSet = "judged",
    n_boot: int = 2000,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
    n_subsets: int = 3,
) -> ProtocolMatch:
    r"""Compare the reliability of ratings and preferences on the same items, in both directions.

    Parameters
    ----------
    study
        Ratings and preferences with raters.
    category, dimension
        Which cell; may be left out where there is one only.
    pairs
        Item pairs on which ratings are turned into comparisons: those that were compared, or ``"all"``.
    n_boot
        Bootstrap replicates; 0 gives no intervals.
    random_seed
        Seed of the draws.
    interval_prob
        Probability of the intervals.
    resample
        ``"both"``: items and raters are drawn; ``"items"``: these raters are fixed.
    n_subsets
        Random subsets of the comparisons for each cost of the curves; 0 leaves the curves out.

    Returns
    -------
    ProtocolMatch
        Table of statistics with paired differences, and curves of reliability against cost.

    Raises
    ------
    ArgumentError
        If this is no study, the cell is not named where there are several, or another argument is not allowed.
    DataError
        If one protocol is missing, comparisons name no rater, or no comparison is between rated items.

    Notes
    -----
    *Ratings as comparisons.* A rater's two ratings imply the outcome sign(r_a - r_b); both protocols then have the same
    statistics (`preference_agreement`). Coarse scales tie more than people do who compare, and each statistic has its
    own view of ties; a difference that all of them show does not come from ties:

    - ``alpha_sym``: ties as they are;
    - ``alpha_tie_matched``: the protocol that ties less is made to tie as often, by calling its weakest decisions
      ties. A rating decision is as strong as the difference of the two ratings; a comparison as the distance of the
      two items in the same rater's derived scores. Decisions of just the limiting strength become ties in part;
    - ``alpha_forced``: all ties broken by fair coins, E[s s'];
    - ``alpha_decided``: rater pairs who both decided, E[s s'] / E[\|s\| \|s'\|].

    *Preferences as ratings.* Each rater's comparisons give scores (`rater_scores`) that are ranked like ratings:
    ``kendall_w``, ``rank_correlation``, ``rank_leave_one_out``, ``rank_split_half`` (`order_agreement`). This compares
    whole protocols, whatever they cost; ``curves`` compares them at equal cost.

    One draw serves both protocols, so that differences are paired: the same items in both, and the same raters by
    name where someone did both. Where nobody did both, raters are drawn for each protocol by itself, and only items are
    paired. How weak a decision is, is settled once, not in each resample.

    *Intervals.* A bootstrap of items and raters counts the noise of single judgments several times, and noise is what
    is left of a paired difference when items and raters are the same on both sides. Replicates of differences are
    therefore shrunk around the difference by sqrt(min(1, J / B)), J the sum of its jackknife variances over items and
    over raters, B the variance of its replicates (see :class:`ppaint_stats.kernels.jackknife.Spread`). Differences of
    ``rank_leave_one_out`` and ``rank_split_half`` are shrunk on the scale of ``rank_correlation`` and by its factor:
    they follow from it, and with as many raters in both what is open for one is open for all. Intervals of the two
    sides are plain percentile intervals.

    Examples
    --------
    >>> from ppaint_stats import PPaintDesign, simulate_study
    >>> design = PPaintDesign(n_categories=1, n_items=20, n_pairs=60, dimensions=("mood",))
    >>> found = match_protocols(simulate_study(design, random_seed=1).study, n_boot=200, random_seed=1)
    >>> found.table["statistic"].tolist()[:3]
    ['alpha_sym', 'alpha_tie_matched', 'alpha_decided']
    >>> found.settings["raters"]
    'same'
    """
    require_study(study, "match_protocols")
    check_bootstrap(n_boot, random_seed, interval_prob, resample)
    check_count("n_subsets", n_subsets, 0)
    cell = build_matched_cell(study, category=category, dimension=dimension, pairs=pairs)
    seeds = split_seed(random_seed, 3)
    rng = np.random.default_rng(seeds[0])
    draw = draw_pairs(cell, n_boot, rng, resample)
    left_out = delete_pairs(cell, rng, resample)
    weights = draw.before(left_out.draw)
    matched, tie_note = match_ties(cell)
    rng = np.random.default_rng(seeds[1])
    splits = [split_raters(len(names), rng) for names in (cell.rating_raters, cell.preference_raters)]
    with_draws = n_boot > 0
    measured = {
        "ratings": _measure(
            cell.implied, matched[0], cell.rating_scores, splits[0], weights.items, weights.rating_raters, with_draws
        ),
        "preferences": _measure(
            cell.compared,
            matched[1],
            cell.preference_scores,
            splits[1],
            weights.items,
            weights.preference_raters,
            with_draws,
        ),
    }
    sizes = {
        "ratings": {"n_raters": len(cell.rating_raters), "n_judgments": cell.n_ratings},
        "preferences": {"n_raters": len(cell.preference_raters), "n_judgments": cell.n_comparisons},
    }
    estimates: dict[str, dict[str, Estimate]] = {}
    spreads: dict[str, Spread] = {}
    for name in STATISTICS:
        found = {
            side: summarise(
                name,
                value[name],
                draws[name][:n_boot] if with_draws else None,
                n_items=len(cell.items),
                interval_prob=interval_prob,
                resample=resample,
                reason=reasons[name],
                **sizes[side],
            )
            for side, (value, draws, reasons) in measured.items()
        }
        found["difference"] = found["preferences"].difference(found["ratings"], statistic=f"{name} difference")
        gap = found["difference"]
        if gap.draws is not None:
            deleted = measured["preferences"][1][name][n_boot:] - measured["ratings"][1][name][n_boot:]
            spread = measure_spread(gap.estimate, gap.draws, deleted, left_out.deletions)
            spreads |= {} if spread is None else {name: spread}
        estimates[name] = found
    correlation = dict(estimates["rank_correlation"])
    for name, found in estimates.items():
        if name in EXPECTED:
            found["difference"] = shrink_order_difference(name, found, correlation, spreads.get("rank_correlation"))
        else:
            found["difference"] = shrink_interval(found["difference"], spreads.get(name))
    curves = trace_costs(
        cell,
        draw,
        left_out,
        n_subsets=n_subsets,
        random_seed=seeds[2],
        interval_prob=interval_prob,
        resample=resample,
    )
    return ProtocolMatch(
        category=cell.category,
        dimension=cell.dimension,
        table=pd.DataFrame([tabulate_difference(name, found) for name, found in estimates.items()]),
        curves=curves,
        estimates=estimates,
        counts=_count(cell),
        spreads=spreads,
        settings={
            "pairs": pairs,
            "n_boot": n_boot,
            "random_seed": describe_seed(random_seed),
            "interval_prob": interval_prob,
            "resample": resample,
            "n_subsets": n_subsets,
            "raters": cell.rater_relation,
            "ties": tie_note,
        },
    )


def match_ties(cell: MatchedCell) -> tuple[tuple[SignTable, SignTable], str]:
    """Make the protocol that ties less tie as often: the two tables, implied and compared, and what was done."""
    implied, compared = cell.implied, cell.compared
    rates = [point_agreement(table)["tie_rate"] for table in (implied, compared)]
    if np.isnan(rates).any() or abs(rates[0] - rates[1]) < 1e-12:
        return (implied, compared), "nothing to match: tie rates are equal or unknown"
    if rates[0] < rates[1]:
        implied = weaken_signs(implied, _distance(cell.rating_scores, implied), rates[1])
        return (implied, compared), f"ratings' smallest differences became ties: {rates[0]:.1%} to {rates[1]:.1%}"
    compared = weaken_signs(compared, _distance(cell.preference_scores, compared), rates[0])
    return (implied, compared), f"preferences' closest decisions became ties: {rates[1]:.1%} to {rates[0]:.1%}"


def tabulate_difference(name: str, found: Mapping[str, Estimate]) -> dict[str, object]:
    """One row: both protocols and their difference, with intervals and reasons."""
    row: dict[str, object] = {"statistic": name}
    for side, estimate in found.items():
        parts = {"lower": estimate.lower, "upper": estimate.upper}
        row[side if side == "difference" else f"{side}_estimate"] = estimate.estimate
        row |= {f"{side}_{end}": value for end, value in parts.items()}
    draws = found["difference"].draws
    defined = np.zeros(0) if draws is None else draws[~np.isnan(draws)]
    higher = float((defined > 0).mean() + (defined == 0).mean() / 2) if len(defined) else float("nan")
    reasons = dict.fromkeys(
        f"{side}: {found[side].reason}" for side in ("ratings", "preferences") if found[side].reason
    )
    return {**row, "probability_higher": higher, "reason": "; ".join(reasons)}


type Measured = tuple[dict[str, float], dict[str, FloatArray], dict[str, str]]


def _measure(
    signs: SignTable,
    matched: SignTable,
    scores: FloatArray,
    splits: FloatArray,
    item_weights: IntArray,
    rater_weights: IntArray,
    with_draws: bool,
) -> Measured:
    """Values, replicates and reasons of every statistic of one protocol."""
    by_sign, tied, by_order = point_agreement(signs), point_agreement(matched), point_orders(scores, splits)
    why_sign, why_tied = explain_agreement(signs, by_sign), explain_agreement(matched, tied)
    value = {name: by_sign[key] for name, key in SIGN_STATISTICS.items()}
    value |= {name: by_order[key] for name, key in ORDER_STATISTICS.items()} | {"alpha_tie_matched": tied["alpha_sym"]}
    reasons = {name: why_sign[key] for name, key in SIGN_STATISTICS.items()} | {
        "alpha_tie_matched": why_tied["alpha_sym"]
    }
    why_order = explain_orders(scores)
    reasons |= {name: why_order if np.isnan(value[name]) else "" for name in ORDER_STATISTICS}
    draws: dict[str, FloatArray] = {}
    if with_draws:
        found = describe_agreement(average_pairs(signs, item_weights, rater_weights))
        draws = {name: found[key] for name, key in SIGN_STATISTICS.items()}
        if matched is signs:
            draws["alpha_tie_matched"] = draws["alpha_sym"]
        else:
            draws["alpha_tie_matched"] = describe_agreement(average_pairs(matched, item_weights, rater_weights))[
                "alpha_sym"
            ]
        orders = describe_orders(scores, item_weights, rater_weights, splits)
        draws |= {name: orders[key] for name, key in ORDER_STATISTICS.items()}
    return value, draws, reasons


def _distance(scores: FloatArray, table: SignTable) -> FloatArray:
    """Distance of the two items of each pair by each rater's own scores; 0 where there is none."""
    return np.abs(np.nan_to_num(scores[:, table.a] - scores[:, table.b]))


def _count(cell: MatchedCell) -> dict[str, int]:
    judges = cell.compared.judged.sum(axis=0)
    return {
        "n_items": len(cell.items),
        "n_pairs": cell.compared.n_pairs,
        "n_pairs_by_one_rater": int((judges == 1).sum()),
        "n_rating_raters": len(cell.rating_raters),
        "n_preference_raters": len(cell.preference_raters),
        "n_shared_raters": cell.shared_raters,
        "n_ratings": cell.n_ratings,
        "n_comparisons": cell.n_comparisons,
        **cell.left_out,
    }
