"""The verdict "which protocol orders more reliably": how often it is wrong, and how large a gap decides it.

Studies of one cell, 50 items, 5 raters who differ, one rating of each item and 612 comparisons by each rater. Two
things are varied: `sharpness`, the factor on utilities in comparisons, and `rating_slope`, latent rating per unit of
that rater's utility at sharpness 1. The true gap is the expected rank correlation of two raters by preferences
minus that by ratings, from a simulated population of its own.
"""

import numpy as np
import pandas as pd
from common import mean_interval, read_arguments, write_results

from ppaint_stats import PPaintDesign, simulate_study
from ppaint_stats.kernels.orders import describe_orders
from ppaint_stats.reliability.matched import match_protocols
from ppaint_stats.reliability.matched_cell import build_matched_cell
from ppaint_stats.reliability.verdict import judge_protocols

BLOCK = 50
"""Cells simulated in one call."""

SETTINGS = (
    # case, sharpness, rating slope, share of the studies
    ("preferences better", 1.0, 0.8, 1.0),
    ("equal", 0.385, 1.5, 1.0),
    ("ratings better", 0.13, 1.5, 1.0),
    ("preferences better", 1.0, 0.9, 1 / 3),
    ("preferences better", 1.0, 1.05, 1 / 3),
    ("ratings better", 0.16, 1.5, 1 / 3),
    ("ratings better", 0.2, 1.5, 1 / 3),
)


def design_cells(sharpness: float, slope: float, *, n_cells: int, n_raters: int, quick: bool) -> PPaintDesign:
    """Cells with raters of their own. Utilities shrink for comparisons; ratings stretch them again."""
    size = {"n_items": 12, "n_pairs": 40} if quick else {"n_items": 50, "n_pairs": 612}
    return PPaintDesign(
        n_categories=n_cells,
        n_raters=n_raters,
        dimensions=("overall",),
        item_sd=3.0 * sharpness,
        taste_sd=1.5 * sharpness,
        first_estimate_sd=1.5 * sharpness,
        rating_slope=slope / sharpness,
        **size,
    )


def find_truth(sharpness: float, slope: float, *, n_cells: int, n_raters: int, seed: int, quick: bool) -> pd.Series:
    """Expected rank correlation of two raters by each protocol, from cells with many raters."""
    design = design_cells(sharpness, slope, n_cells=n_cells, n_raters=n_raters, quick=quick)
    study = simulate_study(design, random_seed=seed).study
    rows = []
    for category in study.categories:
        cell = build_matched_cell(study, category=category, dimension="overall", pairs="judged")
        ones = [np.ones((1, n), dtype=np.int64) for n in (len(cell.items), n_raters)]
        found = [
            float(describe_orders(scores, *ones, np.zeros((0, n_raters)))["mean_srcc"][0])
            for scores in (cell.preference_scores, cell.rating_scores)
        ]
        rows.append({"preferences": found[0], "ratings": found[1], "gap": found[0] - found[1]})
    table = pd.DataFrame(rows)
    return pd.concat([table.mean(), pd.Series({"gap error": table["gap"].sem()})])


def judge_studies(sharpness: float, slope: float, *, studies: int, n_boot: int, seed: int, quick: bool) -> pd.DataFrame:
    rows = []
    while len(rows) < studies:
        size = min(BLOCK, studies - len(rows))
        design = design_cells(sharpness, slope, n_cells=size, n_raters=5, quick=quick)
        study = simulate_study(design, random_seed=1_000_000 + 10_000 * seed + len(rows)).study
        for category in study.categories:
            match = match_protocols(
                study, category=category, n_boot=n_boot, n_subsets=0, random_seed=1000 * seed + len(rows)
            )
            verdict = judge_protocols(match)
            rows.append(
                {
                    "choice": verdict.choice,
                    "difference": verdict.difference,
                    "lower": verdict.lower,
                    "upper": verdict.upper,
                }
            )
    return pd.DataFrame(rows)


def summarise_setting(case: str, sharpness: float, slope: float, truth: pd.Series, runs: pd.DataFrame) -> dict:
    right = case.split(maxsplit=1)[0]
    share = {name: float((runs["choice"] == name).mean()) for name in ("preferences", "ratings", "undecided")}
    wrong = 1 - share["undecided"] if case == "equal" else share["ratings" if right == "preferences" else "preferences"]
    return {
        "case": case,
        "sharpness": sharpness,
        "rating_slope": slope,
        "by preferences": truth["preferences"],
        "by ratings": truth["ratings"],
        "gap": truth["gap"],
        "gap error": truth["gap error"],
        "studies": len(runs),
        **{f"said {name}": value for name, value in share.items()},
        "wrong": wrong,
        "covered": float(runs["lower"].le(truth["gap"]).mul(runs["upper"].ge(truth["gap"])).mean()),
        "mean width": float((runs["upper"] - runs["lower"]).mean()),
        "sd of differences": float(runs["difference"].std()),
    }


def find_smallest_gap(table: pd.DataFrame, case: str, *, power: float = 0.8) -> float:
    """Gap at which this share is decided rightly, between the two neighbouring gaps that were simulated."""
    rows = table[table["case"].isin([case, "equal"])].assign(size=lambda x: x["gap"].abs()).sort_values("size")
    decided = np.maximum.accumulate(rows[f"said {case.split(maxsplit=1)[0]}"].to_numpy())
    if decided[-1] < power:
        return float("nan")
    above = int(np.argmax(decided >= power))
    low, high = max(above - 1, 0), above
    return float(np.interp(power, decided[[low, high]], rows["size"].to_numpy()[[low, high]]))


def check_criteria(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in table.head(3).to_dict("records"):
        right = row["case"].split()[0]
        checks = [("wrong in at most 5 %", row["wrong"], row["wrong"] <= 0.05, np.nan)]
        if right != "equal":
            decided = row[f"said {right}"]
            gap = find_smallest_gap(table, row["case"])
            checks.append(("decided rightly in at least 80 %", decided, decided >= 0.8, gap))
        for criterion, share, holds, gap in checks:
            hits = round(share * row["studies"])
            interval = mean_interval(pd.Series(np.repeat([1.0, 0.0], [hits, row["studies"] - hits])))
            rows.append(
                {
                    "case": row["case"],
                    "gap": row["gap"],
                    "criterion": criterion,
                    "found": share,
                    "lower": interval["lower"],
                    "upper": interval["upper"],
                    "holds": "yes" if holds else "no",
                    "smallest gap for 80 %": gap,
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    args = read_arguments(__doc__, studies={"type": int, "default": 300}, boot={"type": int, "default": 400})
    studies, n_boot, cells, raters = args.studies, args.boot, 60, 12
    if args.quick:
        studies, n_boot, cells, raters = 3, 50, 3, 6
    rows = []
    for number, (case, sharpness, slope, share) in enumerate(SETTINGS):
        truth = find_truth(sharpness, slope, n_cells=cells, n_raters=raters, seed=number, quick=args.quick)
        runs = judge_studies(
            sharpness, slope, studies=max(2, round(share * studies)), n_boot=n_boot, seed=number, quick=args.quick
        )
        rows.append(summarise_setting(case, sharpness, slope, truth, runs))
    table = pd.DataFrame(rows)
    note = (
        "Simulated studies of one cell: 50 items, 5 raters who differ in taste, discrimination, severity, tie habit "
        "and position bias, one rating of each item (1 to 5) and 612 comparisons by each. Verdict: the 95 % interval "
        f"of the difference in rank correlation excludes 0, {n_boot:,} resamples. Gap: the true difference, from "
        f"{cells} further cells with {raters} raters each, with its standard error. Wrong: any decision where the "
        "gap is 0, else the wrong protocol. Lower and upper: 90 % t interval over studies. Smallest gap: interpolated "
        "between the gaps that were simulated."
    )
    write_results(args.out, "reliability_verdict", {"criteria": check_criteria(table), "settings": table}, note=note)


if __name__ == "__main__":
    main()
