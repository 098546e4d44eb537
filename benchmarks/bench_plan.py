"""Plans against what studies then give: widths of intervals and rank correlations, predicted and found.

Studies are simulated and fused by `fuse_bayes` (NUTS). The same designs are planned (i) from the simulator's own
quantities, (ii) from pilots, small studies of other items and raters, fused alike, (iii) from the default priors.
Finished studies are kept in a scratch folder, and a second run goes on where the first one ended.

    python benchmarks/bench_plan.py
"""

import os

if __name__ == "__main__":
    os.environ |= {"NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import json
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from common import mean_interval, read_arguments, write_results
from scipy.stats import spearmanr

import ppaint_stats as ps
from ppaint_stats.errors import PPaintWarning
from ppaint_stats.planning import plan_study

SCRATCH = Path(tempfile.gettempdir()) / "ppaint-plan"
PROB = 0.9
DESIGNS = {
    "50 items, 5 raters, 612 pairs": {"n_items": 50, "n_raters": 5, "n_pairs": 612, "dimensions": ("overall",)},
    "40 items, 10 raters, 120 pairs": {"n_items": 40, "n_raters": 10, "n_pairs": 120, "dimensions": ("overall",)},
    "30 items, 3 raters, 60 pairs, 2 dimensions": {
        "n_items": 30, "n_raters": 3, "n_pairs": 60, "dimensions": ("mood", "overall")
    },
    "40 items, 6 raters, ratings alone": {"n_items": 40, "n_raters": 6, "n_pairs": 0, "dimensions": ("overall",)},
}  # fmt: skip
PILOT = {"n_items": 20, "n_raters": 4, "n_pairs": 80}
MEASURES = ("population", "relative", "srcc")
SHOWN = {"population": "width, population", "relative": "width, relative", "srcc": "rank correlation"}


def make_design(sizes: dict) -> ps.PPaintDesign:
    return ps.PPaintDesign(n_categories=1, **sizes | {"n_pairs": sizes["n_pairs"] or sizes["n_items"]})


def fuse(sizes: dict, seed: int, draws: int) -> tuple[ps.Simulation, ps.Fusion]:
    sim = ps.simulate_study(make_design(sizes), random_seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PPaintWarning)
        fusion = ps.fuse_bayes(
            sim.study, draws=draws, tune=max(draws // 2, 100), chains=2, cores=1, random_seed=seed, progressbar=False,
            protocols="both" if sizes["n_pairs"] else "ratings",
        )  # fmt: skip
    return sim, fusion


def measure(sim: ps.Simulation, fusion: ps.Fusion) -> dict[str, float]:
    """Mean widths of both targets' intervals, and the mean rank correlation with the truth."""
    draws = fusion.spread.draws
    scores = fusion.scores.merge(sim.truth, on=["category", "dimension", "item"])
    relative = draws.copy()
    for own in scores.groupby("dimension").indices.values():
        relative[:, own] -= draws[:, own].mean(axis=1, keepdims=True)
    tails = [(1 - PROB) / 2, (1 + PROB) / 2]
    widths = [np.diff(np.quantile(x, tails, axis=0), axis=0).mean() for x in (draws, relative)]
    ranks = [spearmanr(cell["score"], cell["population"]).statistic for _, cell in scores.groupby("dimension")]
    return dict(zip(MEASURES, map(float, [*widths, np.mean(ranks)]), strict=True))


def predict(sizes: dict, worlds: int, **source: object) -> dict[str, float]:
    plan = plan_study(
        n_items=sizes["n_items"], n_raters=[sizes["n_raters"]], ratings_per_item=[1],
        pairs_per_rater=[sizes["n_pairs"]], interval_prob=PROB, n_worlds=worlds, random_seed=1, progressbar=False,
        **source,
    )  # fmt: skip
    row = plan.designs.iloc[0]
    return {"population": row["width_population"], "relative": row["width_relative"], "srcc": row["srcc"]}


def compute(folder: Path, name: str, sizes: dict, args: dict) -> pd.DataFrame:
    """All rows of one design, each study or pilot from the scratch folder if it is there."""
    jobs = [("found", k) for k in range(args["studies"])] + [("pilot", k) for k in range(args["pilots"])]
    jobs += [("truth", 0), ("priors", 0)]
    rows = []
    for kind, k in jobs:
        path = folder / f"{name}-{kind}-{k}.json".replace(" ", "_")
        if not path.exists():
            start = time.perf_counter()
            if kind == "found":
                result = measure(*fuse(sizes, 2000 + k, args["draws"]))
            elif kind == "pilot":
                result = predict(sizes, args["worlds"], pilot=fuse(sizes | PILOT, 7000 + k, args["draws"])[1])
            elif kind == "truth":
                result = predict(sizes, args["worlds"], design=make_design(sizes))
            else:
                result = predict(sizes, 2 * args["worlds"], n_dimensions=len(sizes["dimensions"]))
            result["seconds"] = time.perf_counter() - start
            path.write_text(json.dumps(result))
            print(name, kind, k, result, flush=True)
        rows.append({"design": name, "kind": kind, "number": k, **json.loads(path.read_text())})
    return pd.DataFrame(rows)


def compare(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per design and measure: found with its interval, predicted, and predicted / found."""
    table = []
    for name, group in runs.groupby("design", sort=False):
        by_kind = dict(list(group.groupby("kind")))
        for measure_name in MEASURES:
            found = mean_interval(by_kind["found"][measure_name])
            row = {
                "design": name,
                "measure": SHOWN[measure_name],
                "studies": len(by_kind["found"]),
                "found": found["mean"],
            }
            row |= {"lower": found["lower"], "upper": found["upper"]}
            for kind, words in (("truth", "from the truth"), ("pilot", "from pilots"), ("priors", "from priors")):
                values = by_kind[kind][measure_name]
                row[words] = values.mean()
                row[f"ratio, {words}"] = values.mean() / found["mean"]
                if kind == "pilot":
                    row["lowest ratio, pilots"] = values.min() / found["mean"]
                    row["highest ratio, pilots"] = values.max() / found["mean"]
            table.append(row)
    return pd.DataFrame(table)


def main() -> None:
    args = vars(
        read_arguments(
            __doc__,
            studies={"type": int, "default": 8},
            pilots={"type": int, "default": 4},
            draws={"type": int, "default": 1000},
            worlds={"type": int, "default": 16},
        )
    )
    designs, folder = DESIGNS, SCRATCH
    if args["quick"]:
        designs = {"12 items": {"n_items": 12, "n_raters": 3, "n_pairs": 30, "dimensions": ("overall",)}}
        args |= {"studies": 2, "pilots": 1, "draws": 60, "worlds": 2}
        folder = Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    runs = pd.concat([compute(folder, name, sizes, args) for name, sizes in designs.items()], ignore_index=True)
    note = (
        f"Mean widths of {PROB:.0%} intervals and rank correlations with the truth, found by fuse_bayes "
        f"({args['studies']} simulated studies a design, with the 90 % t interval of their mean) and predicted by "
        f"plan_study, {args['worlds']} worlds (priors: twice as many). Pilots: {args['pilots']} a design, of "
        f"{PILOT['n_items']} other items by {PILOT['n_raters']} other raters, who compared {PILOT['n_pairs']} pairs "
        "each and rated each item once."
    )
    write_results(args["out"], "plan", {"comparison": compare(runs), "runs": runs}, note=note)


if __name__ == "__main__":
    main()
