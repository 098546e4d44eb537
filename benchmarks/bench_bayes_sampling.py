"""Samplers of the joint model on one simulated category: effective draws a second, compilation apart.

Each engine runs in a fresh process with empty caches: nutpie on the compiled density (the default), nutpie and PyMC's
own NUTS on the graph of `build_model`, and nutpie on a plain model with utilities on the scale of the ratings. The
worst effective sample size is over all sampled parameters. `--full` adds the default fusion of a whole PPaint study.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from common import QUICK, peak_memory, read_arguments, write_results

import ppaint_stats as ps

ENGINES = {
    "density": "nutpie, compiled density",
    "plain": "nutpie, plain model on the rating scale",
    "nutpie": "nutpie, model graph",
    "pymc": "PyMC NUTS (numba), model graph",
}


def worst(flat: np.ndarray) -> tuple[float, float]:
    """Smallest bulk effective sample size and largest R-hat over the last axis."""
    from arviz_stats.base import array_stats

    ess = array_stats.ess(flat, chain_axis=0, draw_axis=1, method="bulk")
    r_hat = array_stats.rhat(flat, chain_axis=0, draw_axis=1)
    return float(np.nanmin(ess)), float(np.nanmax(r_hat))


def flatten(posterior: object) -> np.ndarray:
    """All sampled parameters of a posterior in one array."""
    return np.concatenate([v.to_numpy().reshape((*v.shape[:2], -1)) for v in posterior.data_vars.values()], axis=-1)


def run_engine(engine: str, design: dict, draws: int, tune: int) -> dict[str, float]:
    """Sample with one engine; seconds of sampling, of everything before it, and what came out."""
    study = ps.simulate_study(ps.PPaintDesign(**design), random_seed=1).study
    warnings.simplefilter("ignore")
    begun = time.perf_counter()
    if engine == "full":
        fusion = ps.fuse_bayes(study, random_seed=1, progressbar=False)
        total = time.perf_counter() - begun
        checks = fusion.convergence.set_index("check")["value"]
        return {
            "seconds": total, "sampling": fusion.settings["sampling_seconds"], "passed": fusion.converged,
            "r_hat": checks["r_hat"], "ess_bulk": checks["ess_bulk"], "ess_tail": checks["ess_tail"],
            "divergences": checks["divergences"], "memory_gb": peak_memory(),
        }  # fmt: skip
    if engine == "density":
        from ppaint_stats.joint.density import prepare_data
        from ppaint_stats.joint.encoding import encode_study
        from ppaint_stats.joint.parameters import lay_out
        from ppaint_stats.joint.sampling import sample_density

        encoding, priors = encode_study(study), ps.Priors()
        layout = lay_out(encoding, priors, discrepancy=False)
        sample = sample_density(
            prepare_data(encoding, layout, priors), layout, draws=draws, tune=tune, chains=4, cores=2, seed=1,
            target_accept=0.8, max_treedepth=10, progressbar=False,
        )  # fmt: skip
        flat, seconds, stats = sample.flat, sample.seconds, sample.stats
    elif engine == "pymc":
        import pymc as pm

        model = ps.build_model(study)
        trace = pm.sample(
            draws, tune=tune, chains=4, cores=2, model=model, random_seed=1, progressbar=False, nuts_sampler="pymc",
            compile_kwargs={"mode": "NUMBA"}, compute_convergence_checks=False,
            var_names=[rv.name for rv in model.free_RVs],
        )  # fmt: skip
        seconds = float(trace["posterior"].attrs.get("sampling_time", np.nan))
        flat = flatten(trace["posterior"].to_dataset())
        stats = {name: trace["sample_stats"][name].to_numpy() for name in ("diverging", "n_steps")}
    else:
        import nutpie
        from plain_model import build_plain

        model = build_plain(study) if engine == "plain" else ps.build_model(study)
        compiled = nutpie.compile_pymc_model(model, var_names=[rv.name for rv in model.free_RVs])
        started = time.perf_counter()
        trace = nutpie.sample(
            compiled, draws=draws, tune=tune, chains=4, cores=2, seed=1, progress_bar=False, save_warmup=False
        )
        seconds = time.perf_counter() - started
        flat = flatten(trace["posterior"].to_dataset())
        stats = {name: trace["sample_stats"][name].to_numpy() for name in ("diverging", "n_steps")}
    total = time.perf_counter() - begun
    ess, r_hat = worst(flat)
    return {
        "before_sampling": total - seconds, "sampling": seconds, "leapfrog_steps": float(stats["n_steps"].mean()),
        "divergences": int(stats["diverging"].sum()), "worst_ess": ess, "r_hat": r_hat, "ess_per_second": ess / seconds,
    }  # fmt: skip


def run_apart(engine: str, design: dict, draws: int, tune: int) -> dict[str, float]:
    """Run an engine in a process of its own, without anything compiled before."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        settings = {"NUMBA_CACHE_DIR": f"{folder}/numba", "PYTENSOR_FLAGS": f"base_compiledir={folder}/pytensor"}
        job = json.dumps({"engine": engine, "design": design, "draws": draws, "tune": tune, "found": str(found)})
        subprocess.run([sys.executable, __file__, "--job", job], check=True, env=os.environ | settings)
        return json.loads(found.read_text())


def main() -> None:
    if "--job" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--job")
        job = json.loads(parser.parse_args().job)
        found = run_engine(job["engine"], job["design"], job["draws"], job["tune"])
        Path(job["found"]).write_text(json.dumps(found, default=float))
        return
    args = read_arguments(
        __doc__,
        draws={"type": int, "default": 300},
        tune={"type": int, "default": 300},
        engines={"nargs": "+", "default": list(ENGINES), "choices": list(ENGINES)},
        full={"action": "store_true", "help": "the default fusion of three categories too"},
    )
    draws, tune, design, engines = args.draws, args.tune, {"n_categories": 1}, args.engines
    if args.quick:
        draws, tune, design, engines = 20, 20, dict(QUICK) | {"n_raters": 2}, ["density"]
    run = run_engine if args.quick else run_apart
    note = f"One category of PPaint's design, 4 chains of {draws} draws after {tune} tuning steps on two cores."
    tables = {}
    if args.full:
        tables["full"] = pd.DataFrame([{"study": "PPaint, 3 categories"} | run_apart("full", {}, 0, 0)])
    rows = []
    for engine in engines:  # slow ones last, and what is known is on the disk before they start
        rows.append({"engine": ENGINES[engine]} | run(engine, design, draws, tune))
        write_results(args.out, "bayes_sampling", tables | {"rates": pd.DataFrame(rows)}, note=note, digits=2)


if __name__ == "__main__":
    main()
