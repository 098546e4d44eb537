"""Accuracy of the fusions on simulated PPaint studies: error, coverage of intervals, agreement of Elo and Davidson.

Each study is the default design at 612 or 120 pairs a category. Rows of finished studies are appended to a CSV in a
scratch folder, and a second run goes on where the first one ended.
"""

import os

if __name__ == "__main__":  # the studies run side by side, so that each has one thread
    os.environ |= {"NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import pandas as pd
from accuracy_summary import summarise
from common import QUICK, read_arguments, write_results
from scipy.stats import spearmanr

import ppaint_stats as ps

SCRATCH = Path(tempfile.gettempdir()) / "ppaint-accuracy"
CELL = ["category", "dimension"]
METHODS = {"davidson": ps.fuse_davidson, "elo": ps.fuse_elo, "thurstone": ps.fuse_thurstone}


def run_study(seed: int, n_pairs: int, changes: dict) -> pd.DataFrame:
    sim = ps.simulate_study(ps.PPaintDesign(**(changes | {"n_pairs": n_pairs})), random_seed=seed)
    rows: list[dict[str, object]] = []
    kept = {}
    for name, fuse in METHODS.items():
        for protocols in ("both", "preferences", "ratings"):
            main = protocols == "both"
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                fused = fuse(sim.study, protocols=protocols, interval="auto" if main else "none")
            head = {"seed": seed, "n_pairs": n_pairs, "method": name, "protocols": protocols}
            found = {**measure(fused, sim.truth), "warnings": float(len(caught))}
            kept[name] = fused.scores if main else kept[name]
            if main and name != "thurstone":
                for target in ("panel", "relative") if name == "davidson" else ("panel",):
                    other = measure(fuse(sim.study, target=target), sim.truth)
                    found |= {f"target_{target}_{k}": v for k, v in other.items() if k.startswith(("cover", "mean_sd"))}
            rows += [{**head, "measure": k, "value": v} for k, v in found.items()]
    head = {"seed": seed, "n_pairs": n_pairs, "method": "elo and davidson", "protocols": "both"}
    rows += [{**head, "measure": k, "value": v} for k, v in agree(kept["elo"], kept["davidson"]).items()]
    return pd.DataFrame(rows)


def run_jobs(todo: list[tuple[int, int]], changes: dict, *, jobs: int) -> Iterator[pd.DataFrame]:
    if jobs == 1:
        yield from (run_study(*job, changes) for job in todo)
        return
    with ProcessPoolExecutor(jobs) as pool:
        try:
            for future in as_completed([pool.submit(run_study, *job, changes) for job in todo]):
                yield future.result()
        finally:  # after an error there is no use in the others
            pool.shutdown(cancel_futures=True)


def measure(fused: ps.Fusion, truth: pd.DataFrame) -> dict[str, float]:
    both = fused.scores.merge(truth, on=[*CELL, "item"])
    score = both["score"]
    cell = both.groupby(CELL, sort=False)
    found = {f"rmse_{t}": float(np.sqrt(((score - both[t]) ** 2).mean())) for t in ("population", "panel")}
    centred = score - cell["score"].transform("mean")
    found["rmse_relative"] = float(np.sqrt(((centred - both["relative"]) ** 2).mean()))
    found["srcc"] = float(np.mean([spearmanr(g["score"], g["population"]).statistic for _, g in cell]))
    if fused.settings["interval_kind"] == "none":
        return found
    fifth = np.ceil(5 * cell["score"].rank(pct=True, method="first")).astype(int)
    targets = ("relative",) if fused.settings["target"] == "relative" else ("population", "panel")
    for target in targets:
        inside = both[target].between(both["lower"], both["upper"])
        found[f"cover_{target}"] = float(inside.mean())
        found |= {f"cover_{target}_fifth_{k}": float(inside[fifth == k].mean()) for k in range(1, 6)}
    return found | {"mean_sd": float(both["sd"].mean()), "mean_width": float((both["upper"] - both["lower"]).mean())}


def agree(elo: pd.DataFrame, davidson: pd.DataFrame) -> dict[str, float]:
    both = elo.assign(other=davidson["score"], other_sd=davidson["sd"])
    cells = [g for _, g in both.groupby(CELL, sort=False)]
    return {
        "median_srcc": float(np.median([spearmanr(g["score"], g["other"]).statistic for g in cells])),
        "difference_over_sd": float(
            (both["score"] - both["other"]).abs().mean() / both[["sd", "other_sd"]].mean().mean()
        ),
        "mean_difference": float((both["score"] - both["other"]).abs().mean()),
    }


def main() -> None:
    args = read_arguments(
        __doc__,
        studies={"type": int, "default": 30, "help": "number of studies"},
        pairs={"type": int, "nargs": "+", "default": [612, 120]},
        categories={"type": int, "default": 3},
        jobs={"type": int, "default": 2, "help": "studies at a time"},
        scratch={"type": Path, "default": SCRATCH, "help": "rows of each study"},
    )
    studies, pairs, changes = args.studies, args.pairs, {"n_categories": args.categories}
    if args.quick:
        studies, pairs, changes, args.scratch = 1, [QUICK["n_pairs"]], QUICK, args.out
    args.scratch.mkdir(parents=True, exist_ok=True)
    file = args.scratch / f"accuracy_studies_{changes['n_categories']}.csv"
    done = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["seed", "n_pairs"])
    finished = set(zip(done["seed"], done["n_pairs"], strict=True))
    todo = [(seed, n) for seed in range(studies) for n in pairs if (seed, n) not in finished]
    for found in run_jobs(todo, changes, jobs=1 if args.quick else args.jobs):
        found.to_csv(file, mode="a", header=not file.exists(), index=False)
    rows = pd.read_csv(file).drop_duplicates(["seed", "n_pairs", "method", "protocols", "measure"], keep="last")
    rows = rows[(rows["seed"] < studies) & rows["n_pairs"].isin(pairs)]
    note = f"{studies} studies of {changes['n_categories']} categories; 90 % t intervals over studies"
    write_results(args.out, "accuracy", summarise(rows), note=note, digits=3)


if __name__ == "__main__":
    main()
