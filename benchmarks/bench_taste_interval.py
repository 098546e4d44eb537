"""Why taste decides the interval: what intervals with and without raters' tastes cover, and what more judgments do.

Two parts. ``growth``: the comparisons of five raters grow from 61 to 4,900 each, then the raters from 5 to 20, and the
anchored Davidson fusion gets the interval of the likelihood's curvature (no tastes) or that of the jackknife over
raters. ``models``: the joint model with tastes, and the same model without, on studies of PPaint's size; the score of
one dimension, and the mean over dimensions with errors taken together or as if they were independent.
"""

import os

if __name__ == "__main__":
    os.environ |= {"NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import warnings
from unittest import mock

import numpy as np
import pandas as pd
from common import QUICK, mean_interval, read_arguments, write_results
from scipy import stats

import ppaint_stats as ps
from ppaint_stats.errors import PPaintWarning
from ppaint_stats.spread import Spread
from ppaint_stats.typing import FloatArray

KEYS = ["category", "dimension", "item"]
SIZES = ((61, 1, 5), (122, 1, 5), (245, 1, 5), (612, 1, 5), (1225, 1, 5), (1225, 2, 5), (1225, 4, 5),
         (612, 1, 10), (612, 1, 20))  # fmt: skip
"""Pairs, times that each rater compares each pair, raters."""

QUICK_SIZES = ((25, 1, 3), (25, 2, 3))
THRESHOLDS = {"joint model, with tastes": 2.5, "joint model, without tastes": np.inf}
KINDS = {"Davidson, jackknife": "jackknife", "Davidson, curvature": "hessian"}


def simulate(changes: dict, pairs: int, trials: int, raters: int, *, seed: int) -> tuple[ps.Study, pd.DataFrame]:
    """A study of one dimension in which comparisons alone are repeated, and its truth."""
    design = ps.PPaintDesign(
        **(changes | {"dimensions": ("overall",), "n_pairs": pairs, "n_trials": trials, "n_raters": raters})
    )
    simulation = ps.simulate_study(design, random_seed=seed)
    ratings = simulation.study.ratings
    first = ratings if trials == 1 else ratings[ratings["trial"] == ratings["trial"].min()]
    return ps.Study(ratings=first, preferences=simulation.study.preferences, scale=design.scale), simulation.truth


def measure_growth(changes: dict, sizes: tuple[tuple[int, int, int], ...], studies: int) -> pd.DataFrame:
    rows = []
    for pairs, trials, raters in sizes:
        for number in range(studies):
            study, truth = simulate(changes, pairs, trials, raters, seed=7000 + number)
            row = {"raters": raters, "comparisons of a rater": pairs * trials}
            for kind in ("hessian", "jackknife"):
                fused = ps.fuse_davidson(study, interval=kind, target="relative")
                both = fused.scores.merge(truth, on=KEYS)
                row[f"{kind} covered"] = both["relative"].between(both["lower"], both["upper"]).mean()
                row[f"{kind} width"] = (both["upper"] - both["lower"]).mean()
            row["rmse"] = np.sqrt(((both["score"] - both["relative"]) ** 2).mean())
            row["design effect"] = fused.parameters["design_effect"].iloc[0]
            row["worth"] = len(study.preferences) / row["design effect"]
            rows.append(row)
    runs = pd.DataFrame(rows)
    means = runs.groupby(["raters", "comparisons of a rater"], sort=False).mean().reset_index()
    parts = [f"{kind} {what}" for kind in ("hessian", "jackknife") for what in ("width", "covered")]
    return means[["raters", "comparisons of a rater", "rmse", "worth", *parts, "design effect"]]


def share_inside(low: FloatArray, truth: FloatArray, high: FloatArray) -> float:
    return float(np.mean((low <= truth) & (truth <= high)))


def cover_draws(draws: FloatArray, truth: FloatArray, rng: np.random.Generator) -> dict[str, float]:
    """Coverage of 90 % intervals from draws of shape (draw, item, dimension)."""
    alone = np.stack([rng.permutation(draws[:, :, k]) for k in range(draws.shape[2])], axis=2)
    found = {}
    for name, values, target in (
        ("one dimension", draws, truth),
        ("mean of dimensions", draws.mean(axis=2), truth.mean(axis=1)),
        ("mean, as if independent", alone.mean(axis=2), truth.mean(axis=1)),
    ):
        low, high = np.quantile(values, [0.05, 0.95], axis=0)
        found[name] = share_inside(low, target, high)
        found[f"width, {name}"] = float((high - low).mean())
    return found


def cover_deviations(spread: Spread, order: FloatArray, score: FloatArray, truth: FloatArray) -> dict[str, float]:
    """The same from the refits of the jackknife; ``order`` sorts its rows by dimension and item."""
    items, dimensions = truth.shape
    deviations = spread.deviations[:, order].reshape(-1, dimensions, items).transpose(0, 2, 1)
    each = np.sqrt((deviations**2).sum(axis=0))
    half = stats.t.ppf(0.95, spread.dof.min())
    found = {}
    for name, values, sd, target in (
        ("one dimension", score, each, truth),
        ("mean of dimensions", score.mean(axis=1), np.linalg.norm(deviations.mean(axis=2), axis=0), truth.mean(axis=1)),
        ("mean, as if independent", score.mean(axis=1), np.linalg.norm(each, axis=1) / each.shape[1],
         truth.mean(axis=1)),
    ):  # fmt: skip
        found[name] = share_inside(values - half * sd, target, values + half * sd)
        found[f"width, {name}"] = float(2 * half * sd.mean())
    return found


def cover_consensus(fusion: ps.Fusion, simulation: ps.Simulation) -> float:
    """Coverage of the latent consensus, which has no scale of ratings in it."""
    draws = fusion.posterior["posterior"]["consensus"]
    low, high = draws.quantile([0.05, 0.95], dim=("chain", "draw")).to_numpy()
    truth = simulation.truth.pivot_table(index="item", columns="dimension", values="latent")
    return share_inside(
        low, truth.loc[list(draws["item"].to_numpy()), list(draws["dimension"].to_numpy())].to_numpy(), high
    )


def measure_models(changes: dict, studies: int, draws: int) -> pd.DataFrame:
    rows = []
    for number in range(studies):
        simulation = ps.simulate_study(ps.PPaintDesign(**changes), random_seed=7500 + number)
        dimensions, items = list(simulation.study.dimensions), list(simulation.study.items())
        truth = simulation.truth.pivot_table(index="item", columns="dimension", values="relative")
        truth = truth.loc[items, dimensions].to_numpy()
        rng = np.random.default_rng(number)
        for name, threshold in THRESHOLDS.items():
            with mock.patch("ppaint_stats.joint.units.TASTE_COMPARISONS", threshold):
                fused = ps.fuse_bayes(
                    simulation.study, target="relative", draws=draws, tune=300, chains=2, random_seed=number,
                    progressbar=False,
                )  # fmt: skip
            scores = fused.posterior["posterior"]["score"].stack(sample=("chain", "draw"))  # noqa: PD013 - xarray
            values = scores.sel(item=items, dimension=dimensions).transpose("sample", "item", "dimension").to_numpy()
            rows.append(
                {"fusion": name, **cover_draws(values, truth, rng), "consensus": cover_consensus(fused, simulation)}
            )
        for name, kind in KINDS.items():
            fused = ps.fuse_davidson(simulation.study, interval=kind, target="relative", random_seed=number)
            keys = pd.MultiIndex.from_product([dimensions, items], names=["dimension", "item"])
            order = pd.MultiIndex.from_frame(fused.scores[["dimension", "item"]]).get_indexer(keys)
            score = fused.scores["score"].to_numpy()[order].reshape(len(dimensions), len(items)).T
            if kind == "jackknife":
                rows.append({"fusion": name, **cover_deviations(fused.spread, order, score, truth)})
            else:
                values = fused.spread.draws[:, order].reshape(-1, len(dimensions), len(items)).transpose(0, 2, 1)
                rows.append({"fusion": name, **cover_draws(values, truth, rng)})
    return pd.DataFrame(rows)


def main() -> None:
    args = read_arguments(__doc__, studies={"type": int, "default": 20}, models={"type": int, "default": 12},
                          draws={"type": int, "default": 300})  # fmt: skip
    changes, sizes = {"n_categories": 1}, SIZES
    if args.quick:
        changes, sizes, args.studies, args.models, args.draws = QUICK | {"n_raters": 3}, QUICK_SIZES, 2, 2, 50
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PPaintWarning)
        growth = measure_growth(changes, sizes, args.studies)
        runs = measure_models(changes, args.models, args.draws)
    means = runs.groupby("fusion", sort=False).mean().reset_index()
    means = means[sorted(means, key=lambda column: column.startswith("width"))]  # coverage first
    for place, end in ((2, "lower"), (3, "upper")):
        ends = [mean_interval(group["one dimension"])[end] for _, group in runs.groupby("fusion", sort=False)]
        means.insert(place, end, ends)
    note = (
        f"Simulated studies of one category; nominal 90 % intervals of the score minus its mean. Growth: {args.studies}"
        f" studies of each size, one dimension. Models: {args.models} studies of PPaint's size, five dimensions, "
        f"{args.draws} draws in each of 2 chains; lower and upper: 90 % t interval over studies for one dimension."
    )
    write_results(args.out, "taste_interval", {"growth": growth, "models": means}, note=note)


if __name__ == "__main__":
    main()
