"""Statistics of one cell: those of ratings, of preferences, and of both on the same items."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ppaint_stats.errors import DataError
from ppaint_stats.kernels.bootstrap import draw_weights
from ppaint_stats.kernels.orders import split_raters
from ppaint_stats.reliability.comparisons import NO_RATERS
from ppaint_stats.reliability.derived import ORDER_STATISTICS, estimate_orders, separation_reliability
from ppaint_stats.reliability.estimate import Estimate, summarise
from ppaint_stats.reliability.generalizability import raters_needed, study_of_table
from ppaint_stats.reliability.intraclass import icc
from ppaint_stats.reliability.krippendorff import krippendorff_alpha
from ppaint_stats.reliability.matched import STATISTICS, match_protocols
from ppaint_stats.reliability.preferences import estimate_agreement, kendall_u
from ppaint_stats.reliability.ratings import mean_leave_one_out, split_half
from ppaint_stats.reliability.study_cells import DIFFERENCE, PREFERENCES, RATINGS, Options, StudyCell
from ppaint_stats.reliability.triads import circular_triads
from ppaint_stats.seeds import split_seed
from ppaint_stats.typing import FloatArray

REML_BOOT = 200
"""Replicates of the parametric bootstrap of intraclass correlations where ratings are missing: each is a fit."""

WORK_LIMIT = 50_000_000
"""Ratings times replicates above which leave-one-out correlations, which sort items anew each time, take fewer."""

MANY_RATERS = 30
"""Raters from which a split-half reliability uses 25 random splits in place of 200."""


def match_cell(cell: StudyCell, options: Options) -> None:
    """Compare both protocols on the items that both judged, or note why this cannot be done."""
    if not cell.has_both:
        return
    try:
        cell.match = match_protocols(
            cell.study,
            n_boot=options.n_boot,
            random_seed=split_seed(cell.seed, 1)[0],
            interval_prob=options.interval_prob,
            resample=options.resample,
            n_subsets=options.n_subsets,
        )
    except DataError as error:
        where = f"category {cell.category!r}, dimension {cell.dimension!r}: "
        cell.match_reason = str(error).removeprefix(where)
    sides = cell.estimates
    for name in STATISTICS:
        if cell.match is None:
            sizes = {"n_items": 0, "n_raters": 0, "n_judgments": 0, "interval_prob": options.interval_prob}
            reason = f"no matched comparison: {cell.match_reason}"
            sides.setdefault(DIFFERENCE, {})[name] = summarise(name, float("nan"), reason=reason, **sizes)  # type: ignore[arg-type]
            continue
        for side, found in cell.match.estimates[name].items():
            sides.setdefault(side, {})[name] = found


def measure_ratings(cell: StudyCell, options: Options) -> None:
    """Add the statistics of ratings; those that the matched comparison has on all ratings are not computed again."""
    if cell.matrix is None:
        return
    values, matched = cell.matrix.values, cell.estimates.get(RATINGS, {})
    seed = split_seed(cell.seed, 2)[1]
    basic = {"random_seed": seed, "interval_prob": options.interval_prob}
    resampled = {**basic, "n_boot": options.n_boot, "resample": options.resample}
    found: dict[str, Estimate] = {}
    for level in options.levels:
        found[f"krippendorff_alpha_{level}"] = krippendorff_alpha(values, level=level, **resampled)  # type: ignore[arg-type]
    n_boot = options.n_boot if cell.matrix.complete else min(options.n_boot, REML_BOOT)
    table = icc(values, n_boot=n_boot, **basic)  # type: ignore[arg-type]
    found |= read_coefficients(table, n_boot)
    components = study_of_table(table)
    for kind in ("relative", "absolute"):
        found[f"raters_needed_{kind}"] = raters_needed(components, coefficient=kind)
    if cell.match is None or cell.match.counts["ratings_left_out"] > 0:
        matched = matched | _agree_on_order(values, cell.matrix.n_judgments, seed, options)
    found |= {name: matched[name] for name in ORDER_STATISTICS}
    fewer = min(options.n_boot, max(200, WORK_LIMIT // max(values.size, 1)))
    found["mean_leave_one_out"] = mean_leave_one_out(values, **{**resampled, "n_boot": fewer})  # type: ignore[arg-type]
    n_splits = 200 if len(values) < MANY_RATERS else 25
    found["split_half"] = split_half(values, n_splits=n_splits, **resampled)  # type: ignore[arg-type]
    implied = {name: found_ for name, found_ in matched.items() if name not in ORDER_STATISTICS}
    cell.estimates[RATINGS] = found | implied
    if n_repeated := len(cell.repeats.drop_duplicates(["rater", "item"])) if len(cell.repeats) else 0:
        note = f"first of the repeated ratings, {n_repeated:,} times"
        cell.estimates[RATINGS] = {k: _add_reason(e, note) for k, e in cell.estimates[RATINGS].items()}


def measure_preferences(cell: StudyCell, options: Options) -> None:
    """Add the statistics of preferences, in the same way."""
    if cell.compared is None or cell.study.preferences is None:
        return
    compared, matched = cell.compared, cell.estimates.get(PREFERENCES, {})
    nothing = summarise(
        "", float("nan"), reason=NO_RATERS, n_items=len(compared.items), n_raters=0, n_judgments=compared.n_judgments
    )
    test = kendall_u(cell.study.preferences)
    if cell.match is None or cell.match.counts["comparison_rows_left_out"] > 0:
        rng = np.random.default_rng(split_seed(cell.seed, 3)[2])
        n_raters = len(compared.raters)
        weights = draw_weights(len(compared.items), n_raters, options.n_boot if n_raters else 0, rng, options.resample)
        kind = {"interval_prob": options.interval_prob, "resample": options.resample}
        signs = estimate_agreement(compared, *weights, **kind)  # type: ignore[arg-type]
        signs["alpha_forced"] = signs.pop("kendall_u")
        orders = dict.fromkeys(ORDER_STATISTICS, nothing)
        if compared.signs is not None:
            orders = _agree_on_order(cell.derived_scores(), compared.n_judgments, split_seed(cell.seed, 4)[3], options)
        # the tie-matched statistic is about the matched items alone
        matched = {**{k: v for k, v in matched.items() if k == "alpha_tie_matched"}, **signs, **orders}
    found = {name: matched[name] for name in STATISTICS if name in matched}
    found["kendall_u"] = found["alpha_forced"]
    found["kendall_u_p"] = replace(
        nothing,
        statistic="kendall_u_p",
        estimate=test.p_value,
        n_raters=test.n_raters,
        reason=test.test_reason if np.isnan(test.p_value) else f"{test.test} test of fair coins; no interval of it",
    )
    separation = separation_reliability(cell.study.preferences)
    note = "no interval: it takes comparisons as independent; rank_split_half knows raters"
    found["separation_reliability"] = _add_reason(separation, note) if separation.defined else separation
    found |= _average_triads(cell, nothing)
    cell.estimates[PREFERENCES] = found


def read_coefficients(table: pd.DataFrame, n_boot: int) -> dict[str, Estimate]:
    """Rows of a table of intraclass correlations as estimates."""
    attrs = table.attrs
    found = {}
    for name, row in table.iterrows():
        kind = "F" if "mean_squares" in attrs else "parametric bootstrap" if n_boot else "none"
        found[str(name)] = Estimate(
            statistic=str(name),
            estimate=float(row["estimate"]),
            lower=float(row["lower"]),
            upper=float(row["upper"]),
            interval_prob=attrs["interval_prob"],
            interval_kind="none" if np.isnan(row["lower"]) else kind,
            n_items=attrs["n_items"],
            n_raters=attrs["n_raters"],
            n_judgments=attrs["n_judgments"],
            n_boot=n_boot if kind == "parametric bootstrap" else 0,
            reason=str(row["reason"]),
        )
    return found


def _agree_on_order(
    scores: FloatArray, n_judgments: int, seed: np.random.SeedSequence, options: Options
) -> dict[str, Estimate]:
    """Agreement of the orders of raters' scores, for ratings and derived scores alike."""
    n_raters, n_items = scores.shape
    draw_seed, halves = split_seed(seed, 2)
    weights = draw_weights(n_items, n_raters, options.n_boot, np.random.default_rng(draw_seed), options.resample)
    return estimate_orders(
        scores,
        *weights,
        splits=split_raters(n_raters, np.random.default_rng(halves)),
        interval_prob=options.interval_prob,
        resample=options.resample,
        n_items=n_items,
        n_raters=n_raters,
        n_judgments=n_judgments,
    )


def _average_triads(cell: StudyCell, nothing: Estimate) -> dict[str, Estimate]:
    """Means over raters of zeta and of the transitivity of decided triads."""
    names = {"zeta": "mean_zeta", "transitivity": "mean_transitivity"}
    if cell.compared is None or cell.compared.signs is None or cell.study.preferences is None:
        return {name: replace(nothing, statistic=name) for name in names.values()}
    table = circular_triads(cell.study.preferences)
    found = {}
    for column, name in names.items():
        known = table[column].notna()
        reason = "no interval: a mean over raters, who are listed in the table of raters"
        if not known.all():
            why = str(table.loc[~known, "reason"].iloc[0])
            reason = why if not known.any() else f"{int((~known).sum())} raters left out ({why}); {reason}"
            reason = reason or "no three items were all compared without a tie"
        found[name] = replace(
            nothing,
            statistic=name,
            estimate=float(table[column].mean()),
            n_raters=int(known.sum()),
            reason=reason,
        )
    return found


def _add_reason(estimate: Estimate, note: str) -> Estimate:
    return replace(estimate, reason=f"{estimate.reason}; {note}" if estimate.reason else note)
