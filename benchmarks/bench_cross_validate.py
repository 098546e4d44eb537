"""Held-out raters: how well each fusion predicts what a rater says whom it has never met, on real and simulated data.

Thirteen listeners who rated and compared 15 voices ($PPAINT_DATA, see examples/fuse_bayes.py), and one simulated
category of the PPaint design. With --cache FOLDER a stopped run goes on.
"""

import os
import warnings
from pathlib import Path

import pandas as pd
from common import QUICK, read_arguments, write_results

import ppaint_stats as ps
from ppaint_stats.errors import PPaintWarning
from ppaint_stats.report import Report
from ppaint_stats.validation.cross_validate import cross_validate

SINGLE = ("ratings", "preferences")
POINT = (*SINGLE, "elo", "davidson", "thurstone")
JOINT = ("bayes", "bayes:ratings", "bayes:preferences")
VOICES = {"bayes": {"draws": 1000, "tune": 500, "chains": 2}}
CATEGORY = {"bayes": {"draws": 500, "tune": 400, "chains": 2}}


def read_voices(folder: Path) -> ps.Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PPaintWarning)  # one rating is missing
        return ps.read_study(
            ratings=folder / "voicelik_ratings.csv", preferences=folder / "voicelik_pairs.csv", scale=(0, 100),
            columns={"winner": "outcome"}, missing="drop",
        )  # fmt: skip


def list_tables(report: Report, name: str) -> dict[str, pd.DataFrame]:
    """What the documentation shows: scores, log scores by rater, differences from the best single protocol."""
    scores, raters, folds = (report.tables[key] for key in ("scores", "raters", "folds"))
    last = scores["protocol"].iloc[-1]
    wide = raters[raters["protocol"] == last].pivot_table(
        index="rater", columns="method", values="log_score", sort=False
    )
    gates = folds.groupby("method", sort=False).agg(
        folds=("fold", "size"), fitted=("fitted", "sum"), converged=("converged", "sum"), seconds=("seconds", "sum")
    )
    tables = {
        f"{name}_scores": scores.drop(columns=["calibration_intercept"]),
        f"{name}_raters": wide.reset_index().rename_axis(columns=None),
        f"{name}_folds": gates.reset_index(),
        f"{name}_protocols": report.tables["protocols"],
    }
    return tables | ({f"{name}_verdict": report.tables["verdict"]} if "verdict" in report.tables else {})


def main() -> None:
    args = read_arguments(__doc__, cache={"type": Path}, skip_category={"action": "store_true"})
    tables: dict[str, pd.DataFrame] = {}
    if args.quick:
        study = ps.simulate_study(ps.PPaintDesign(**QUICK), random_seed=1).study
        tables |= list_tables(cross_validate(study, methods=(*SINGLE, "davidson")), "quick")
    else:
        data = os.environ.get("PPAINT_DATA")
        if data is not None:
            report = cross_validate(
                read_voices(Path(data)), methods=(*POINT, *JOINT), options=VOICES, cache_dir=args.cache, random_seed=1,
                progressbar=True,
            )  # fmt: skip
            print(report.text, flush=True)
            tables |= list_tables(report, "voices")
        if not args.skip_category:
            study = ps.simulate_study(ps.PPaintDesign(n_categories=1), random_seed=1).study
            report = cross_validate(
                study,
                methods=(*POINT, "bayes"),
                options=CATEGORY,
                cache_dir=args.cache,
                random_seed=1,
                progressbar=True,
            )
            print(report.text, flush=True)
            tables |= list_tables(report, "category")
    note = (
        "Each rater in turn is left out of everything and predicted. Log scores are means over judgments, in nats; "
        "gain: above predictions from the frequencies of the other raters' answers; rank correlation: of each rater's "
        "ratings with the scores; accuracy: of decided comparisons; differences with 90 % t intervals over raters. "
        "Bayes on voices: 2 chains of 1,000 draws; on the category 2 of 500."
    )
    write_results(args.out, "cross_validate", tables, note=note, digits=4)


if __name__ == "__main__":
    main()
