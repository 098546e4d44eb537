"""What does it cost to leave tastes out where comparisons are few? The joint model with and without them.

Each item is compared about twice by each rater, pairs being neighbours of a first order; raters have tastes. By default
such raters are modelled without (``TASTE_COMPARISONS``); here the same studies are fused both ways.
"""

import os

if __name__ == "__main__":
    os.environ |= {"NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import warnings
from unittest import mock

import numpy as np
import pandas as pd
from common import QUICK, mean_interval, read_arguments, write_results

import ppaint_stats as ps
from ppaint_stats.errors import PPaintWarning

THRESHOLDS = {"with": 0.0, "without": 2.5}


def measure(sim: ps.Simulation, tastes: str, *, draws: int, seed: int) -> dict[str, float]:
    with (
        warnings.catch_warnings(),
        mock.patch("ppaint_stats.joint.units.TASTE_COMPARISONS", THRESHOLDS[tastes]),
    ):
        warnings.simplefilter("ignore", PPaintWarning)
        fusion = ps.fuse_bayes(sim.study, draws=draws, tune=300, chains=2, random_seed=seed, progressbar=False)
    both = fusion.scores.merge(sim.truth, on=["category", "dimension", "item"])
    return {
        "rmse": float(np.sqrt(((both["score"] - both["population"]) ** 2).mean())),
        "coverage": float(both["population"].between(both["lower"], both["upper"]).mean()),
        "width": float((both["upper"] - both["lower"]).mean()),
    }


def main() -> None:
    args = read_arguments(__doc__, studies={"type": int, "default": 12}, draws={"type": int, "default": 300})
    changes = {"n_categories": 1, "dimensions": ("a", "b"), "taste_correlation": 0.6, "n_pairs": 50}
    if args.quick:
        changes, args.studies, args.draws = QUICK | {"n_pairs": 10, "n_raters": 3}, 2, 50
    rows = []
    for seed in range(args.studies):
        sim = ps.simulate_study(ps.PPaintDesign(**changes), random_seed=seed)
        for tastes in THRESHOLDS:
            found = measure(sim, tastes, draws=args.draws, seed=seed)
            rows.append({"seed": seed, "tastes": tastes, **found})
    runs = pd.DataFrame(rows)
    means = runs.groupby("tastes", sort=False).mean(numeric_only=True).drop(columns="seed").reset_index()
    wide = runs.pivot_table(index="seed", columns="tastes")
    paired = [
        {"without - with": name, **mean_interval(wide[name]["without"] - wide[name]["with"])}
        for name in ("rmse", "coverage", "width")
    ]
    note = f"{args.studies} studies of 50 items, two dimensions, five raters, 50 pairs each; nominal 90 % intervals."
    write_results(args.out, "tastes", {"means": means, "paired": pd.DataFrame(paired)}, note=note)


if __name__ == "__main__":
    main()
