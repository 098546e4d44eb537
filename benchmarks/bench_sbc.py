"""Simulation-based calibration of the joint Bayesian fusion: the truth must be as a random draw of its own posterior.

Parameters are drawn from the default priors and judgments from the model given them, by PyMC's random functions; the
fusion then samples the posterior with its compiled density. If model, density, sampler and derived quantities agree,
the rank of the true value among independent posterior draws is uniform, for every quantity (Talts et al. 2018; with
log-likelihoods, which see the data too, Modrak et al. 2023).

One category, 12 items, two dimensions, four raters who rate every item once from 1 to 5. Two designs of comparisons:
"few", 48 pairs per rater and dimension, where tastes are sampled standardised, and "many", all 66 pairs in both orders,
where utilities are sampled as such. Fits are appended to sbc_fits.jsonl and not made again; ``--report`` makes none.
"""

import json
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from common import read_arguments, write_results

from ppaint_stats import Fusion, Study, fuse_bayes
from ppaint_stats.errors import ConvergenceWarning
from ppaint_stats.joint.draws import derive_draws, expand_utilities
from ppaint_stats.joint.encoding import Encoding, encode_study
from ppaint_stats.joint.parameters import Layout, lay_out
from ppaint_stats.joint.predict import Preferences, Ratings
from ppaint_stats.joint.prior_draws import PriorDraws, simulate_prior
from ppaint_stats.joint.scores import score_draws
from ppaint_stats.kernels.rank_uniformity import band_ranks, judge_uniformity
from ppaint_stats.priors import Priors
from ppaint_stats.typing import FloatArray

SEED = 20261123
N_ITEMS, N_RATERS = 12, 4
DIMENSIONS = ("first", "second")
STEPS = {"few": (1, 2, 3, 4), "many": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)}
"""Each item is compared with those so many places further on in a circle, so that all items stand alike."""

SHOWN_ITEMS = (0, 4, 8)
N_RANKED = 99
BLOCK = 50
"""Draws from the prior that are made at a time."""

STAGES = (
    {"tune": 500, "draws": 15 * N_RANKED, "target_accept": 0.9},
    {"tune": 750, "draws": 30 * N_RANKED, "target_accept": 0.95},
    {"tune": 1000, "draws": 60 * N_RANKED, "target_accept": 0.98},
)
"""A fit that fails the gate is made again with the next settings; the last ones count, whatever they give."""

QUICK_STAGES = ({"tune": 60, "draws": N_RANKED, "target_accept": None},)

GATE = {"r_hat": 1.05, "ess_bulk": 100, "ess_tail": 100, "divergences": 0.005, "bfmi": 0.3}
"""One chain, held against itself by halves. Divergences, as a share of draws, are let pass if they are this rare."""

MAX_STEPS = 250
"""Leapfrog steps per draw above which a fit that failed is not made again: more care would take hours."""


def make_design(name: str) -> Study:
    """The tables of a study, its judgments to be replaced: ties among them, so that the model has them."""
    items = [f"item{i + 1:02d}" for i in range(N_ITEMS)]
    raters = [f"rater{r + 1}" for r in range(N_RATERS)]
    ratings = [(d, rater, item, 3) for d in DIMENSIONS for rater in raters for item in items]
    pairs = []
    for d in DIMENSIONS:
        for r, rater in enumerate(raters):
            for k, step in enumerate(STEPS[name]):
                for i in range(N_ITEMS):
                    pair = items[i], items[(i + step) % N_ITEMS]
                    turned = len(STEPS[name]) < N_ITEMS - 1 and (i + k + r) % 2
                    pairs.append((d, rater, *(pair[::-1] if turned else pair), ("A", "TIE", "B")[i % 3]))
    return Study(
        ratings=pd.DataFrame(ratings, columns=["dimension", "rater", "item", "rating"]).assign(category="all"),
        preferences=pd.DataFrame(pairs, columns=["dimension", "rater", "item_a", "item_b", "outcome"]).assign(
            category="all"
        ),
        scale=(1, 5, 1),
    )


def measure(
    flat: FloatArray, encoding: Encoding, layout: Layout, judged: Encoding, *, scores: FloatArray | None, seed: int
) -> dict[str, FloatArray]:
    """Quantities by name, each of one value per draw.

    ``encoding`` is what the draws are read with, ``judged`` holds the judgments whose log-likelihood is asked for; the
    two differ in outcomes alone, and so in the basis of the utilities. Population scores are computed if not given.
    """
    first, second = np.random.SeedSequence(seed).spawn(2)
    draws = derive_draws(flat, encoding, layout, seed=first)
    utilities = expand_utilities(flat, draws, encoding, layout, seed=second)
    v = draws.values
    if scores is None:
        scores = score_draws(draws, encoding, target="population", utilities=None)
    panel = score_draws(draws, encoding, target="panel", utilities=utilities)
    rows = np.concatenate([utilities, v["consensus"]], axis=1)
    found = {}
    for name in ("slope", "item_sd", "taste_sd"):
        found |= {f"{name} {d + 1}": v[name][:, d] for d in range(len(DIMENSIONS))}
    spreads = ("taste_spread_sd", "severity_sd", "severity_dimension_sd", "discrimination_sd", "sharpness_sd")
    scalars = ("tie_mean", "tie_sd", "tie_dimension_sd", "position_mean", "position_sd")
    found |= {name: v[name] for name in (*spreads, *scalars)}
    found |= {name: v[name][:, 0, 1] for name in ("item_correlation", "taste_correlation")}
    for d in range(len(DIMENSIONS)):
        found |= {f"threshold {d + 1},{k + 1}": v["threshold"][:, d, k] for k in range(v["threshold"].shape[2])}
    found |= {f"lapse, rater {r + 1}": v["lapse"][:, r] for r in range(2)}
    found |= {f"{name}, rater 1": v[name][:, 0] for name in ("taste_spread", "sharpness", "position", "discrimination")}
    found |= {f"{name}, rater 1": v[name][:, 0, 0] for name in ("log_nu", "severity")}
    found |= {f"utility, rater {r + 1}": utilities[:, r * N_ITEMS + 3 * r, 0] for r in range(2)}
    relative = scores - scores.mean(axis=1, keepdims=True)
    of_items = {"theta": v["consensus"], "population": scores, "relative": relative, "panel": panel}
    for name, values in of_items.items():
        found |= {f"{name} {i + 1},{d + 1}": values[:, i, d] for i in SHOWN_ITEMS for d in range(len(DIMENSIONS))}
    by_ratings = Ratings(judged).log_likelihood(draws, rows).sum(axis=1)
    by_preferences = Preferences(judged).log_likelihood(draws, rows).sum(axis=1)
    found |= {"log-likelihood of ratings": by_ratings, "log-likelihood of preferences": by_preferences}
    return found | {"log-likelihood of both": by_ratings + by_preferences}


def fit(study: Study, settings: dict, seed: int, *, has_ties: bool) -> tuple[Fusion, dict[str, float], bool]:
    """Fuse with one chain; the checks of the gate and its verdict."""
    # Without any tie the fusion would leave ties out, which is a model of its own: they are kept here.
    with warnings.catch_warnings(), nullcontext() if has_ties else mock.patch.object(Encoding, "has_ties", True):
        warnings.simplefilter("ignore", ConvergenceWarning)
        fusion = fuse_bayes(study, **settings, chains=1, cores=1, random_seed=seed, progressbar=False)
    checks = {name: float(fusion.convergence.set_index("check").at[name, "value"]) for name in GATE}
    checks["divergences"] /= fusion.settings["draws"]
    least = {"ess_bulk", "ess_tail", "bfmi"}
    passed = all(value >= GATE[name] if name in least else value <= GATE[name] for name, value in checks.items())
    return fusion, checks, passed


def rank_truth(drawn: PriorDraws, k: int, seed: int, *, stages: tuple[dict, ...] = STAGES) -> dict[str, object]:
    """Fit study k, again with more care where the gate says so, and rank the truth among the draws."""
    study, outcomes = drawn.study(k), drawn.outcomes
    has_ties = outcomes is None or bool((outcomes[k] == 1).any())
    begun = time.process_time()
    failed = []
    for stage, settings in enumerate(stages):
        fusion, checks, passed = fit(study, settings, 1000 * seed + stage, has_ties=has_ties)
        if passed or fusion.settings["leapfrog_steps"] > MAX_STEPS:
            break
        failed.append(checks)
    seconds = time.process_time() - begun
    judged = encode_study(study)
    with nullcontext() if has_ties else mock.patch.object(Encoding, "has_ties", True):
        layout = lay_out(judged, Priors(), discrepancy=False)
    flat = fusion.posterior["unconstrained_posterior"]["flat"].to_numpy()[0]
    step = len(flat) // N_RANKED
    kept = np.arange(step - 1, len(flat), step)[-N_RANKED:]
    scores = gather_scores(fusion, judged)[kept]
    posterior = measure(flat[kept], judged, layout, judged, scores=scores, seed=1000 * seed + 998)
    truth = measure(drawn.flat[[k]], drawn.encoding, drawn.layout, judged, scores=None, seed=1000 * seed + 999)
    values = [float(truth[name][0]) for name in posterior]
    ranks = [int((posterior[name] < value).sum()) for name, value in zip(posterior, values, strict=True)]
    return {
        "stage": stage + 1,
        "passed": passed,
        "has_ties": has_ties,
        "seconds": round(seconds, 2),
        "leapfrog_steps": round(fusion.settings["leapfrog_steps"], 1),
        "checks": {name: round(value, 4) for name, value in checks.items()},
        "failed_before": [{name: round(value, 4) for name, value in c.items()} for c in failed],
        "names": list(posterior),
        "ranks": ranks,
    }


def gather_scores(fusion: Fusion, encoding: Encoding) -> FloatArray:
    """Draws of the fusion's own scores, shape (draw, item, dimension)."""
    draws = fusion.posterior["posterior"]["score"].sel(item=list(encoding.items), dimension=list(encoding.dimensions))
    return np.asarray(draws.to_numpy()[0])


def read_fits(path: Path) -> list[dict]:
    """Fits of the file; names of the quantities stand with the first one of a design."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def simulate(name: str, block: int, n: int, *, seed: int = SEED) -> PriorDraws:
    sequence = np.random.SeedSequence([seed, sorted(STEPS).index(name), block])
    return simulate_prior(make_design(name), n=n, random_seed=sequence)


def run_fits(
    path: Path, wanted: dict[str, int], *, block: int, stages: tuple[dict, ...], seed: int = SEED
) -> Iterator[dict]:
    """Make the fits that the file does not hold yet."""
    known = read_fits(path)
    done, named = {(row["design"], row["fit"]) for row in known}, {row["design"] for row in known}
    today = date.today().isoformat()  # noqa: DTZ011 - the day is enough
    for name, n in wanted.items():
        for start in range(0, n, block):
            missing = [k for k in range(start, min(start + block, n)) if (name, k) not in done]
            if not missing:
                continue
            drawn = simulate(name, start // block, block, seed=seed)
            for k in missing:
                own = 10_000 * (1 + sorted(STEPS).index(name)) + k
                row = {"design": name, "fit": k, "date": today, **rank_truth(drawn, k - start, own, stages=stages)}
                if seed != SEED:
                    row["seed"] = seed
                if name in named:
                    del row["names"]
                named.add(name)
                yield row


def summarise_quantities(fits: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Test of uniformity for every quantity, with every fit and with those alone that passed the gate."""
    band = band_ranks(len(fits), N_RANKED + 1)
    ranks = np.array(fits["ranks"].tolist())
    good = fits["passed"].to_numpy(bool)
    rows = []
    for q, name in enumerate(names):
        own = ranks[:, q]
        p = judge_uniformity(own, N_RANKED + 1)
        mean = (own.mean() - N_RANKED / 2) / (np.sqrt(((N_RANKED + 1) ** 2 - 1) / 12 / len(own)))
        middle = np.mean((own >= 25) & (own < 75))
        rows.append({"quantity": name, "p": p, "inside": p > 1 - band.coverage, "mean rank, z": mean})
        rows[-1] |= {
            "inner half": middle,
            "p, gate passed": judge_uniformity(own[good], N_RANKED + 1) if good.any() else np.nan,
        }
    table = pd.DataFrame(rows)
    table["p, adjusted"] = adjust_holm(table["p"].to_numpy())
    return table


def adjust_holm(p: FloatArray) -> FloatArray:
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(adjusted, 1.0)
    return out


def summarise_fits(name: str, fits: pd.DataFrame, table: pd.DataFrame) -> dict[str, object]:
    stage = fits["stage"].to_numpy()
    checks = pd.DataFrame(fits["checks"].tolist())
    return {
        "design": name,
        "fits": len(fits),
        "last made": fits["date"].max(),
        "refitted once": int((stage == 2).sum()),
        "refitted twice": int((stage == 3).sum()),
        "gate failed": int((~fits["passed"]).sum()),
        "with divergences": int((checks["divergences"] > 0).sum()),
        "without ties": int((~fits["has_ties"]).sum()),
        "CPU minutes": fits["seconds"].sum() / 60,
        "quantities": len(table),
        "outside own band": int((~table["inside"]).sum()),
        "outside, gate passed": int((table["p, gate passed"] <= 0.05).sum()),
        "smallest p": table["p"].min(),
        "smallest p, adjusted": table["p, adjusted"].min(),
    }


def main() -> None:
    args = read_arguments(
        __doc__,
        fits={"type": int, "default": 300, "help": "fits with few comparisons"},
        many={"type": int, "default": 0, "help": "fits with many"},
        seed={"type": int, "default": SEED, "help": "of the studies; another one needs a folder of its own (--out)"},
        fresh={"action": "store_true", "help": "start over: drop the fits at hand"},
        report={"action": "store_true", "help": "summarise the fits at hand, make no new ones"},
    )
    path = args.out / "sbc_fits.jsonl"
    wanted = {"few": args.fits, "many": args.many}
    stages, block = STAGES, BLOCK
    if args.quick:
        wanted, stages, block = {"few": 1}, QUICK_STAGES, 1
    if args.fresh:
        path.unlink(missing_ok=True)
    if not args.report:
        if any(row.get("seed", SEED) != args.seed for row in read_fits(path)):
            sys.exit(f"--seed: {path} holds fits of another seed; name another folder with --out")
        with path.open("a") as file:
            for row in run_fits(path, wanted, block=block, stages=stages, seed=args.seed):
                file.write(json.dumps(row) + "\n")
                file.flush()
    rows = pd.DataFrame(read_fits(path))
    tables, overview = [], []
    for name, fits in rows.groupby("design", sort=False):
        table = summarise_quantities(fits, fits["names"].iloc[0])
        tables.append(table.assign(design=name))
        overview.append(summarise_fits(name, fits, table))
    note = (
        f"Ranks of true values among {N_RANKED} posterior draws, one chain a fit; p: exact test that the ranks' "
        "distribution function leaves its simultaneous band; adjusted: Holm, over the quantities of a design. Gate: "
        f"{GATE}; a fit that fails it is made again, twice at most and not where it took more than {MAX_STEPS} steps a "
        "draw, by a rule that does not look at the truth; no fit is left out but in the column that says so. Without "
        "ties: data sets of which the fusion would leave the "
        "tie parameters out; here they are kept."
    )
    found = {"fits": pd.DataFrame(overview), "quantities": pd.concat(tables, ignore_index=True)}
    write_results(args.out, "sbc", found, note=note)


if __name__ == "__main__":
    main()
