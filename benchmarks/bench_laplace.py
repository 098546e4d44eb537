"""The Laplace approximation of the joint model against NUTS: error of means and sds, time and memory.

Run: ``python benchmarks/bench_laplace.py [--quick]``. Each study is fused by both; the large ones, ten times PPaint's
size, by the approximation alone (``--large``), each in a process of its own, since memory is that of the process.
"""

import json
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
from common import peak_memory, read_arguments, write_results

import ppaint_stats as ps
from ppaint_stats.errors import PPaintWarning

PARAMETERS = ("item_sd", "taste_sd", "slope", "severity_sd", "discrimination", "sharpness", "severity", "threshold")

STUDIES = {
    "PPaint": (ps.PPaintDesign(), "both"),
    "two crossed categories": (
        ps.PPaintDesign(n_categories=2, n_items=30, n_raters=8, dimensions=("a", "b"), n_pairs=250, crossed=True),
        "both",
    ),
    "sparse": (ps.PPaintDesign(n_categories=1, n_items=40, n_raters=12, dimensions=("a", "b"), n_pairs=90), "both"),
    "crowd": (ps.PPaintDesign(n_categories=1, n_items=40, n_raters=20, dimensions=("a",), n_pairs=40), "both"),
    "PPaint, ratings alone": (ps.PPaintDesign(), "ratings"),
}
QUICK = {
    "small": (ps.PPaintDesign(n_categories=1, n_items=8, n_raters=3, dimensions=("a",), n_pairs=28), "both"),
}
LARGE = {
    "30 categories of 50 items": ps.PPaintDesign(n_categories=30),
    "3 categories of 500 items": ps.PPaintDesign(n_items=500, n_pairs=6120),
}


def measure(study: ps.Study, **options: object) -> tuple[ps.Fusion, float, float]:
    """A fusion, its wall-clock and its processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PPaintWarning)
        fusion = ps.fuse_bayes(study, random_seed=1, progressbar=False, **options)
    return fusion, time.perf_counter() - wall, time.process_time() - cpu


def compare(approximate: ps.Fusion, exact: ps.Fusion) -> list[dict[str, object]]:
    """Median and 90th percentile of the errors of means, in exact sds, and of sds, as a share."""
    rows = []
    one, two = (fusion.posterior["posterior"] for fusion in (approximate, exact))
    pairs = {"score": (approximate.spread.draws, exact.spread.draws)}
    for name in PARAMETERS:
        if name in one and name in two:
            pairs[name] = tuple(x[name].to_numpy().reshape(-1, max(x[name][0, 0].size, 1)) for x in (one, two))
    for name, (a, b) in pairs.items():
        sd = b.std(axis=0)
        moving = sd > 0
        if not moving.any():  # fixed in this study, as the slope with ratings alone
            continue
        away = np.abs(a.mean(axis=0) - b.mean(axis=0))[moving] / sd[moving]
        ratio = a.std(axis=0)[moving] / sd[moving] - 1
        rows.append(
            {
                "quantity": name, "values": int(moving.sum()), "mean_median": np.median(away),
                "mean_q90": np.quantile(away, 0.9), "sd_ratio_median": np.median(ratio),
                "sd_median": np.median(np.abs(ratio)), "sd_q90": np.quantile(np.abs(ratio), 0.9),
            }
        )  # fmt: skip
    return rows


def measure_large(name: str) -> dict[str, object]:
    study = ps.simulate_study(LARGE[name], random_seed=1).study
    fusion, wall, cpu = measure(study, method="laplace")
    return {"study": name, "method": "laplace", "seconds": wall, "cpu_seconds": cpu, "memory_gb": peak_memory(),
            "converged": fusion.converged}  # fmt: skip


def main() -> None:
    args = read_arguments(__doc__, large={"action": "store_true"}, one={"default": None, "help": "a large study alone"})
    if args.one:
        print(json.dumps(measure_large(args.one)))
        return
    errors, times = [], []
    for name, (design, protocols) in (QUICK if args.quick else STUDIES).items():
        study = ps.simulate_study(design, random_seed=2).study
        fits = {}
        sampling = {"draws": 100, "tune": 100, "chains": 1} if args.quick else {}
        for method, options in (("laplace", {"method": "laplace"}), ("nuts", sampling)):
            fits[method], wall, cpu = measure(study, protocols=protocols, **options)
            times.append(
                {"study": name, "method": method, "seconds": wall, "cpu_seconds": cpu, "memory_gb": peak_memory(),
                 "converged": fits[method].converged}
            )  # fmt: skip
        errors += [{"study": name, **row} for row in compare(fits["laplace"], fits["nuts"])]
    if args.large:
        for name in LARGE:
            done = subprocess.run([sys.executable, __file__, "--one", name], capture_output=True, text=True, check=True)
            times.append(json.loads(done.stdout.splitlines()[-1]))
    note = (
        "Laplace approximation against NUTS at its defaults; means in posterior sds, sds as a share; one "
        "simulated study each, seed 2 (the method was made on seed 1)."
    )
    write_results(args.out, "laplace", {"errors": pd.DataFrame(errors), "times": pd.DataFrame(times)}, note=note)


if __name__ == "__main__":
    main()
