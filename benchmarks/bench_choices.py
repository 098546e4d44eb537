"""Two choices of the anchored fusion against their alternatives: a spread for slow directions, a map that bends.

"shrunken" gives the slowest directions of the comparison graph the same prior as all others, "plain sigmoid" maps
strengths to the scale by a logistic curve. Errors are against the population's score, in rating points; "worst
fifth" is the largest mean error in a fifth of the items by score, signs aside.
"""

import numpy as np
import pandas as pd
from common import QUICK, mean_interval, read_arguments, write_results
from scipy.stats import spearmanr

import ppaint_stats as ps
from ppaint_stats.fuse import davidson

VARIANTS = {
    "default": (5, True),
    "shrunken": (0, True),
    "plain sigmoid": (5, False),
    "shrunken, plain sigmoid": (0, False),
}


def measure(sim: ps.Simulation, protocols: str, *, bend: bool) -> dict[str, float]:
    fused = ps.fuse_davidson(sim.study, protocols=protocols, bend=bend)
    both = fused.scores.merge(sim.truth, on=["category", "dimension", "item"], suffixes=("", "_truth"))
    rows = []
    for _, cell in both.groupby(["category", "dimension"]):
        error = cell["score"] - cell["population"]
        fifth = (cell["score"].rank(method="first") * 5 / (len(cell) + 1)).astype(int)
        rows.append(
            {
                "rmse": np.sqrt((error**2).mean()),
                "srcc": spearmanr(cell["score"], cell["population"]).statistic,
                "coverage": cell["population"].between(cell["lower"], cell["upper"]).mean(),
                **{f"fifth {k}": error[fifth == k].mean() for k in range(5)},
            }
        )
    return pd.DataFrame(rows).mean().to_dict()


def main() -> None:
    args = read_arguments(__doc__, studies={"type": int, "default": 20})
    sizes, studies, changes = ((25,), 2, QUICK) if args.quick else ((120, 250, 612), args.studies, {"n_categories": 1})
    kept, rows = davidson.SLOW_DIRECTIONS, []
    try:
        for n_pairs in sizes:
            for seed in range(studies):
                sim = ps.simulate_study(ps.PPaintDesign(**(changes | {"n_pairs": n_pairs})), random_seed=3000 + seed)
                for name, (slow, bend) in VARIANTS.items():
                    davidson.SLOW_DIRECTIONS = slow
                    for protocols in ("both", "preferences"):
                        head = {"pairs": n_pairs, "protocols": protocols, "variant": name, "seed": seed}
                        rows.append(head | measure(sim, protocols, bend=bend))
    finally:
        davidson.SLOW_DIRECTIONS = kept
    runs = pd.DataFrame(rows)
    keys = ["pairs", "protocols", "variant"]
    means = runs.drop(columns="seed").groupby(keys, sort=False).mean()
    fifths = [c for c in means if c.startswith("fifth")]
    means["worst fifth"] = means[fifths].abs().max(axis=1)
    wide = runs.pivot_table(index=["pairs", "protocols", "seed"], columns="variant", values="rmse")
    paired = [
        {
            "pairs": pairs,
            "protocols": protocols,
            "variant less default": name,
            **mean_interval(group[name] - group["default"]),
        }
        for (pairs, protocols), group in wide.groupby(level=["pairs", "protocols"])
        for name in list(VARIANTS)[1:]
    ]
    tables = {"means": means.drop(columns=fifths).reset_index(), "paired": pd.DataFrame(paired)}
    write_results(
        args.out, "choices", tables, note=f"{studies} simulated studies of one category at each size, five raters."
    )


if __name__ == "__main__":
    main()
