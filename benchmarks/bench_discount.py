"""When are comparisons worth less than they seem? The options of ``discount`` with shared and with separate panels.

Each study has ten raters. "Same people": the first five rate and compare. "Other people": the first five rate, the last
five compare. The truth is the relative population score; the errors are paired over studies.
"""

import numpy as np
import pandas as pd
from common import QUICK, mean_interval, read_arguments, write_results
from scipy.stats import spearmanr

import ppaint_stats as ps

OPTIONS = ("none", "unshared", "all")


def split_panels(study: ps.Study, panel: str) -> ps.Study:
    raters, ratings, preferences = study.raters, study.ratings, study.preferences
    compare = raters[:5] if panel == "same people" else raters[5:]
    return ps.Study(
        ratings=ratings[ratings["rater"].isin(raters[:5])],
        preferences=preferences[preferences["rater"].isin(compare)],
        scale=study.scale,
    )


def measure(study: ps.Study, truth: pd.DataFrame, discount: str) -> dict[str, float]:
    fused = ps.fuse_davidson(study, discount=discount, interval="none")
    both = fused.scores.merge(truth, on=["category", "dimension", "item"])
    cells = [g for _, g in both.groupby(["category", "dimension"], sort=False)]
    miss = np.concatenate([g["score"] - g["score"].mean() - g["relative"] for g in cells])
    return {
        "rmse": float(np.sqrt((miss**2).mean())),
        "srcc": float(np.mean([spearmanr(g["score"], g["relative"]).statistic for g in cells])),
        "divided by": float(fused.parameters["discount"].mean()),
        "rating share": float(fused.parameters["rating_share"].mean()),
    }


def main() -> None:
    args = read_arguments(__doc__, studies={"type": int, "default": 30})
    sizes, studies, changes = ((25,), 2, QUICK) if args.quick else ((120, 250, 612), args.studies, {"n_categories": 1})
    rows = []
    for n_pairs in sizes:
        design = ps.PPaintDesign(**(changes | {"n_raters": 10, "n_pairs": n_pairs}))
        for seed in range(studies):
            sim = ps.simulate_study(design, random_seed=1000 + seed)
            for panel in ("same people", "other people"):
                study = split_panels(sim.study, panel)
                for discount in OPTIONS:
                    head = {"panel": panel, "pairs": n_pairs, "seed": seed, "discount": discount}
                    rows.append({**head, **measure(study, sim.truth, discount)})
    runs = pd.DataFrame(rows)
    keys = ["panel", "pairs", "discount"]
    means = runs.groupby(keys, sort=False).mean(numeric_only=True).drop(columns="seed").reset_index()
    paired = []
    for (panel, n_pairs), group in runs.groupby(["panel", "pairs"], sort=False):
        wide = group.pivot_table(index="seed", columns="discount", values="rmse")
        head = {"panel": panel, "pairs": n_pairs, "difference": "all - none"}
        paired.append({**head, **mean_interval(wide["all"] - wide["none"])})
    note = (
        f"{studies} studies of one category; RMSE of the relative score in rating units; 90 % t intervals over studies."
    )
    write_results(args.out, "discount", {"means": means, "paired": pd.DataFrame(paired)}, note=note, digits=4)


if __name__ == "__main__":
    main()
