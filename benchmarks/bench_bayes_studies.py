"""Error and coverage of the joint Bayesian fusion on simulated one-category studies, beside the other fusions.

Conditions: PPaint's design; a sparse one (120 pairs, a third of the ratings missing); one careless rater; tastes with
t tails; probit judgments. Rows of finished studies are appended to a CSV in a scratch folder, and a second run goes on
where the first one ended.
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
from common import QUICK, mean_interval, read_arguments, write_results
from scipy.stats import spearmanr

import ppaint_stats as ps
from ppaint_stats.errors import PPaintWarning
from ppaint_stats.joint.draws import derive_draws, expand_utilities
from ppaint_stats.joint.encoding import encode_study
from ppaint_stats.joint.parameters import lay_out
from ppaint_stats.joint.scores import score_draws

SCRATCH = Path(tempfile.gettempdir()) / "ppaint-bayes-studies"
KEYS = ["category", "item", "dimension"]
HALO = {"taste_correlation": 0.6}
CONDITIONS = {
    "ppaint": HALO,
    "sparse": HALO | {"n_pairs": 120, "missing_ratings": 1 / 3},
    "careless": HALO | {"n_careless": 1},
    "t3 tastes": HALO | {"taste": "t3"},
    "probit": HALO | {"link": "probit"},
}
COVERAGE_ONLY = ("t3 tastes", "probit")


def run_study(condition: str, seed: int, changes: dict, draws: int) -> pd.DataFrame:
    """All measures of one study."""
    sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, **(CONDITIONS[condition] | changes)), random_seed=seed)
    rows: list[dict[str, object]] = []

    def add(method: str, protocols: str, found: dict[str, float]) -> None:
        head = {"condition": condition, "seed": seed, "method": method, "protocols": protocols}
        rows.extend({**head, "measure": name, "value": value} for name, value in found.items())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PPaintWarning)
        options = {"draws": draws, "tune": 300, "chains": 2, "cores": 1, "random_seed": seed, "progressbar": False}
        fusion = ps.fuse_bayes(sim.study, **options)
        add("bayes", "both", measure(fusion.scores, sim.truth) | cover(fusion, sim.truth) | cover_panel(fusion, sim))
        if condition not in COVERAGE_ONLY:
            alone = ps.fuse_bayes(sim.study, protocols="ratings", **options)
            add("bayes", "ratings", measure(alone.scores, sim.truth))
            for name, fuse in (("davidson", ps.fuse_davidson), ("elo", ps.fuse_elo)):
                for protocols in ("both", "preferences", "ratings"):
                    other = fuse(sim.study, protocols=protocols, interval="none", random_seed=seed, progressbar=False)
                    add(name, protocols, measure(other.scores, sim.truth))
    return pd.DataFrame(rows)


def measure(scores: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    both = scores.merge(truth, on=KEYS)
    # Ratings that say nothing leave all items of a small study alike: such a cell has no rank correlation.
    cells = [cell for _, cell in both.groupby("dimension") if np.ptp(cell["score"].to_numpy()) > 0]
    return {
        "rmse": float(np.sqrt(((both["score"] - both["population"]) ** 2).mean())),
        "srcc": float(np.mean([spearmanr(c["score"], c["population"]).statistic for c in cells])) if cells else np.nan,
    }


def cover(fusion: ps.Fusion, truth: pd.DataFrame) -> dict[str, float]:
    both = fusion.scores.merge(truth, on=KEYS)
    inside = both["population"].between(both["lower"], both["upper"])
    fifth = np.ceil(5 * both.groupby("dimension")["score"].rank(pct=True, method="first")).astype(int)
    mean = ps.composite_scores(fusion).merge(truth.groupby("item", as_index=False)["population"].mean(), on="item")
    found = {
        "cover_population": float(inside.mean()),
        "cover_composite": float(mean["population"].between(mean["lower"], mean["upper"]).mean()),
        "width": float((both["upper"] - both["lower"]).mean()),
    }
    return found | {f"cover_fifth_{k}": float(inside[fifth == k].mean()) for k in range(1, 6)}


def cover_panel(fusion: ps.Fusion, sim: ps.Simulation) -> dict[str, float]:
    """The panel's scores from the same draws."""
    encoding = encode_study(sim.study)
    layout = lay_out(encoding, ps.Priors(), discrepancy=False)
    flat = fusion.posterior["unconstrained_posterior"]["flat"].to_numpy()
    flat = flat.reshape(-1, flat.shape[-1])
    draws = derive_draws(flat, encoding, layout, seed=np.random.SeedSequence(0))
    utilities = expand_utilities(flat, draws, encoding, layout, seed=np.random.SeedSequence(1))
    scores = score_draws(draws, encoding, target="panel", utilities=utilities, cores=1)
    truth = sim.truth.set_index(["item", "dimension"])["panel"].unstack()  # noqa: PD010 - nothing to aggregate
    truth = truth.loc[list(encoding.items), list(encoding.dimensions)].to_numpy()
    lower, upper = np.quantile(scores, [0.05, 0.95], axis=0)
    error = float(np.sqrt(((scores.mean(axis=0) - truth) ** 2).mean()))
    return {"cover_panel": float(((lower <= truth) & (truth <= upper)).mean()), "rmse_panel": error}


def run_jobs(todo: list[tuple[str, int]], changes: dict, draws: int, *, jobs: int) -> Iterator[pd.DataFrame]:
    if jobs == 1:
        yield from (run_study(*job, changes, draws) for job in todo)
        return
    with ProcessPoolExecutor(jobs) as pool:
        try:
            for future in as_completed([pool.submit(run_study, *job, changes, draws) for job in todo]):
                yield future.result()
        finally:  # after an error there is no use in the others
            pool.shutdown(cancel_futures=True)


def summarise(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    wide = rows.pivot(  # noqa: PD010 - nothing to aggregate
        index=["condition", "seed"], columns=["method", "protocols", "measure"], values="value"
    )
    wide = wide.reindex([c for c in CONDITIONS if c in wide.index.get_level_values(0)], level=0)
    coverage, errors, paired = [], [], []
    for condition, group in wide.groupby(level=0, sort=False):
        both = group["bayes"]["both"]
        cells = {name: float(both[name].mean()) for name in both.columns if name.startswith("cover")}
        head = {"condition": condition, "studies": len(group)}
        quintiles = {name.removeprefix("cover_"): value for name, value in cells.items() if "fifth" in name}
        whole = {name.removeprefix("cover_"): value for name, value in cells.items() if "fifth" not in name}
        coverage.append(head | whole | quintiles | {"width": both["width"].mean()})
        if condition in COVERAGE_ONLY:
            continue
        for method, protocols in dict.fromkeys((m, p) for m, p, _ in group.columns):
            found = group[method][protocols]
            errors.append(
                head
                | {"method": method, "protocols": protocols}
                | {"rmse": found["rmse"].mean(), "srcc": found["srcc"].mean()}
            )
            if (method, protocols) != ("bayes", "both"):
                difference = mean_interval(both["rmse"] - found["rmse"])
                ratio = both["rmse"].mean() / found["rmse"].mean()
                paired.append(head | {"against": method, "protocols": protocols, "ratio": ratio} | difference)
    return {"coverage": pd.DataFrame(coverage), "error": pd.DataFrame(errors), "paired": pd.DataFrame(paired)}


def main() -> None:
    args = read_arguments(
        __doc__,
        studies={"type": int, "default": 30, "help": "studies of each of the first three conditions"},
        coverage_studies={"type": int, "default": 10, "help": "studies of each of the other conditions"},
        draws={"type": int, "default": 400},
        jobs={"type": int, "default": 2, "help": "studies at a time"},
        scratch={"type": Path, "default": SCRATCH, "help": "rows of each study"},
    )
    studies, others, changes, draws = args.studies, args.coverage_studies, {}, args.draws
    if args.quick:
        changes = {name: value for name, value in QUICK.items() if name != "n_categories"} | {"n_raters": 3}
        studies, others, draws, args.scratch = 1, 1, 100, args.out
    args.scratch.mkdir(parents=True, exist_ok=True)
    file = args.scratch / "bayes_studies_rows.csv"
    done = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["condition", "seed"])
    finished = set(zip(done["condition"], done["seed"], strict=True))
    wanted = [(c, seed) for c in CONDITIONS for seed in range(others if c in COVERAGE_ONLY else studies)]
    wanted.sort(key=lambda job: job[1])  # all conditions grow together, so that a run cut short is balanced
    todo = [job for job in wanted if job not in finished]
    for found in run_jobs(todo, changes, draws, jobs=1 if args.quick else args.jobs):
        found.to_csv(file, mode="a", header=not file.exists(), index=False)
    rows = pd.read_csv(file).drop_duplicates(["condition", "seed", "method", "protocols", "measure"], keep="last")
    rows = rows[[(c, s) in set(wanted) for c, s in zip(rows["condition"], rows["seed"], strict=True)]]
    note = (
        f"{studies} + {others} one-category studies a condition, {draws} draws in each of 2 chains; nominal 90 % "
        "intervals; paired: error of the joint fusion minus the other's, 90 % t intervals over studies."
    )
    write_results(args.out, "bayes_studies", summarise(rows), note=note, digits=3)


if __name__ == "__main__":
    main()
