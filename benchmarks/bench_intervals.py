"""What the kinds of interval cover: share of scores inside nominal 90 % intervals, by kind and by target."""

from dataclasses import replace

import numpy as np
import pandas as pd
from common import QUICK, mean_interval, read_arguments, write_results

import ppaint_stats as ps

KINDS = ("jackknife", "bootstrap", "hessian")
TRUTHS = ("population", "panel", "relative", "relative_panel")


def centre(fused: ps.Fusion) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of the scores minus the mean of their cell: what `target="relative"` gives, without another fit."""
    cells = fused.scores.groupby(["category", "dimension"], sort=False).ngroup()
    scores, spread = fused.scores["score"], fused.spread
    parts = {
        name: None if rows is None else (rows - pd.DataFrame(rows.T).groupby(cells).transform("mean").to_numpy().T)
        for name, rows in (("deviations", spread.deviations), ("draws", spread.draws))
    }
    centred = (scores - scores.groupby(cells).transform("mean")).to_numpy()
    return replace(spread, **parts).interval(centred, fused.settings["interval_prob"])


def main() -> None:
    args = read_arguments(__doc__, studies={"type": int, "default": 15}, boot={"type": int, "default": 100})
    sizes, studies, changes, n_boot = (
        ((25,), 2, QUICK, 5) if args.quick else ((120, 612), args.studies, {"n_categories": 1}, args.boot)
    )
    rows = []
    for n_pairs in sizes:
        design = ps.PPaintDesign(**(changes | {"n_pairs": n_pairs}))
        for seed in range(studies):
            sim = ps.simulate_study(design, random_seed=3000 + seed)
            for kind in KINDS:
                fused = ps.fuse_davidson(sim.study, interval=kind, n_boot=n_boot, random_seed=seed)
                both = fused.scores.merge(sim.truth, on=["category", "dimension", "item"])
                for truth in TRUTHS:
                    lower, upper = both["lower"], both["upper"]
                    if truth.startswith("relative"):  # scores minus their cell's mean, with the spread that these have
                        lower, upper = centre(fused)
                    head = {"pairs": n_pairs, "interval": kind, "seed": seed, "truth": truth}
                    inside = both[truth].between(lower, upper).mean()
                    rows.append({**head, "covered": inside, "width": (upper - lower).mean()})
    runs = pd.DataFrame(rows)
    table = []
    for (n_pairs, kind, truth), group in runs.groupby(["pairs", "interval", "truth"], sort=False):
        head = {"pairs": n_pairs, "interval": kind, "truth": truth}
        table.append({**head, **mean_interval(group["covered"]), "mean width": group["width"].mean()})
    note = (
        f"fuse_davidson, {studies} studies of one category with five dimensions, bootstrap with {n_boot} samples; "
        "coverage of nominal 90 % intervals with 90 % t intervals over studies; width in rating units."
    )
    write_results(args.out, "intervals", {"coverage": pd.DataFrame(table)}, note=note)


if __name__ == "__main__":
    main()
