"""Pseudo-scores of simulated judges: coverage of nominal 90 % intervals, what it rests on, speed and memory.

The judges have ties and a first-position effect, and see every pair in both orders. They differ in what the two orders
share: fresh noise for every presentation; half of the noise, in two forms, of which the method assumes one; or all of
it, a deterministic judge whose answers deviate from the strengths by a taste in the pair.
"""

import time

import numpy as np
import pandas as pd
from common import mean_interval, peak_memory, read_arguments, write_results
from scipy.special import ndtr

from ppaint_distill.pool import Pool, choose_opponents, fit_pool
from ppaint_distill.pseudo import PseudoScores, score_against_pool
from ppaint_distill.simulated import SimulatedJudge

STRENGTH_SDS = (1.0, 2.0, 4.0)
"""Spread of the true strengths, one world after the other."""

SCALE = (1.0, 5.0)
JUDGES = {
    "fresh noise": SimulatedJudge(shared=0.0),
    "half shared": SimulatedJudge(shared=0.5),
    "half of the pairs": SimulatedJudge(shared=0.5, form="mixed"),
    "deterministic": SimulatedJudge(shared=1.0),
}
POOLS = {"20 x 6": (20, 6, 12, 3), "50 x 12": (50, 12, 6, 0), "100 x 20": (100, 20, 6, 0)}
"""Images, opponents of each, simulated worlds; worlds in which other ways to treat the two orders are tried too."""

N_NEW = 300
N_COMPARISONS = 20


def make_world(
    judge: SimulatedJudge, n_pool: int, n_opponents: int, n_new: int, seed: int, *, sd: float
) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Comparisons within the pool, all strengths around the pool's mean, and anchors."""
    rng = np.random.default_rng(seed)
    names = [f"pool{i:03d}" for i in range(n_pool)] + [f"new{i:05d}" for i in range(n_new)]
    strength = pd.Series(sd * rng.standard_normal(n_pool + n_new), index=names)
    first, second = np.triu_indices(n_pool, 1)
    chosen = rng.choice(len(first), min(len(first), n_pool * n_opponents // 2), replace=False)
    pairs = pd.DataFrame({"a": np.array(names)[first[chosen]], "b": np.array(names)[second[chosen]]})
    within = judge.compare(pairs, strength.to_dict(), random_seed=seed + 1)
    strength -= strength.iloc[:n_pool].mean()
    known = rng.choice(n_pool, 10, replace=False)
    score = np.clip(3 + 1.6 / sd * strength.iloc[known] + 0.2 * rng.standard_normal(10), *SCALE)
    return within, strength, pd.DataFrame({"item": np.array(names)[known], "score": score.to_numpy()})


def compare_with_pool(judge: SimulatedJudge, pool: Pool, strength: pd.Series, seed: int) -> pd.DataFrame:
    new = [name for name in strength.index if name.startswith("new")]
    pairs = choose_opponents(new, pool, n_comparisons=N_COMPARISONS, random_seed=seed)
    return judge.compare(pairs, strength.to_dict(), random_seed=seed + 2)


def measure_coverage(found: PseudoScores, strength: pd.Series) -> dict[str, float]:
    scores = found.scores
    truth = strength[scores["item"]].to_numpy()
    return {
        "latent": float(((scores["latent_lower"] <= truth) & (truth <= scores["latent_upper"])).mean()),
        "width": float((scores["latent_upper"] - scores["latent_lower"]).mean()),
    }


def measure_differences(found: PseudoScores, strength: pd.Series) -> dict[str, float]:
    """Differences of two new images, with joint and with independent errors.

    Coverage where the two are estimated to be near each other (the closest third of pairs), where they are far apart
    (the last third), and log loss of P(i > j).
    """
    rng = np.random.default_rng(0)
    scores, draws = found.scores, next(iter(found.draws.values()))
    truth = strength[scores["item"]].to_numpy()
    midpoint, width = found.calibration.loc[0, ["midpoint", "width"]].astype(float)
    low, high = SCALE
    share = np.clip((draws - low) / (high - low), 1e-15, 1 - 1e-15)  # far out, the map rounds to its ends
    latent = midpoint + width * np.log(share / (1 - share))
    i, j = rng.integers(len(truth), size=(2, 4000))
    i, j = i[i != j], j[i != j]
    gap, mean = truth[i] - truth[j], (scores["latent"].to_numpy()[i] - scores["latent"].to_numpy()[j])
    sd = scores["latent_sd"].to_numpy()
    spreads = {"joint": (latent[:, i] - latent[:, j]).std(axis=0, ddof=1), "independent": np.hypot(sd[i], sd[j])}
    row = {}
    close, far = np.quantile(np.abs(mean), [1 / 3, 2 / 3])
    for name, spread in spreads.items():
        covered = np.abs(gap - mean) <= 1.645 * spread
        row[f"near_{name}"] = float(covered[np.abs(mean) < close].mean())
        row[f"far_{name}"] = float(covered[np.abs(mean) > far].mean())
        right = ndtr(np.sign(gap) * mean / spread)
        row[f"log_loss_{name}"] = float(-np.log(np.maximum(right, 1e-4)).mean())
    return row


def run_world(
    judge: SimulatedJudge, pool_size: tuple[int, int], n_new: int, n_draws: int, seed: int, *, sd: float, variants: bool
) -> list[dict]:
    within, strength, anchors = make_world(judge, *pool_size, n_new, seed, sd=sd)
    rows, prefs = [], None
    options = {"as it is": None} | ({"orders independent": 0.0, "orders as one": 1.0} if variants else {})
    for name, correlation in options.items():
        pool = fit_pool(within, n_draws=n_draws, order_correlation=correlation, random_seed=seed, progressbar=False)
        if prefs is None:
            prefs = compare_with_pool(judge, pool, strength, seed)
        kinds = {name: pool} if correlation is not None else {name: pool, "pool error ignored": pool.without_error()}
        for kind, used in kinds.items():
            found = score_against_pool(prefs, used, anchors=anchors, scale=SCALE, random_seed=seed, progressbar=False)
            row = {"variant": kind, "correlation": float(pool.parameters["order_correlation"].iloc[0])}
            row |= measure_coverage(found, strength)
            row |= measure_differences(found, strength) if kind == "as it is" else {}
            rows.append(row)
    return rows


def measure_speed(n_images: int, n_pool: int) -> pd.DataFrame:
    judge = JUDGES["half shared"]
    start = time.perf_counter()
    within, strength, anchors = make_world(judge, n_pool, 20, n_images, 1, sd=2.0)
    pool = fit_pool(within, progressbar=False)
    fitted = time.perf_counter() - start
    prefs = compare_with_pool(judge, pool, strength, 1)
    few = prefs[prefs["item_a"].isin(strength.index[: n_pool + 5]) & prefs["item_b"].isin(strength.index[: n_pool + 5])]
    score_against_pool(few, pool, anchors=anchors, progressbar=False)  # compiles
    start = time.perf_counter()
    score_against_pool(prefs, pool, anchors=anchors, progressbar=False)
    row = {
        "images": n_images,
        "comparisons": N_COMPARISONS,
        "answers": len(prefs),
        "pool": n_pool,
        "draws": pool.n_draws,
        "seconds_scores": time.perf_counter() - start,
        "seconds_pool": fitted,
        "peak_gb": peak_memory(),
    }
    return pd.DataFrame([row])


def main() -> None:
    args = read_arguments(__doc__)
    judges, pools = JUDGES, POOLS
    n_new, n_draws, speed = N_NEW, 200, (10_000, 100)
    if args.quick:
        judges, pools, n_new, n_draws = {"half shared": JUDGES["half shared"]}, {"20 x 6": (20, 6, 2, 1)}, 20, 20
        speed = (50, 30)
    rows = []
    for pool_name, (n_pool, n_opponents, worlds, n_variants) in pools.items():
        for judge_name, judge in judges.items():
            for world in range(worlds):
                head = {"pool": pool_name, "judge": judge_name, "world": world}
                sd = STRENGTH_SDS[world % len(STRENGTH_SDS)]
                seed = 10_000 + 100 * world
                size = (n_pool, n_opponents)
                found = run_world(judge, size, n_new, n_draws, seed, sd=sd, variants=world < n_variants)
                rows.extend({**head, **row} for row in found)
    timing = measure_speed(*speed)
    runs = pd.DataFrame(rows)
    keys = ["pool", "judge"]
    main_rows = runs[runs["variant"] == "as it is"]
    ignored = runs[runs["variant"] == "pool error ignored"].groupby(keys)["latent"].mean()
    coverage = [
        {**dict(zip(keys, key, strict=True)), "worlds": len(group), **mean_interval(group["latent"]),
         "lowest world": group["latent"].min(), "pool error ignored": ignored[key], "width": group["width"].mean(),
         "order correlation": group["correlation"].mean()}
        for key, group in main_rows.groupby(keys, sort=False)
    ]  # fmt: skip
    full = runs[runs["world"] < runs["pool"].map({name: size[3] for name, size in pools.items()})]
    variants = full.pivot_table(index=keys, columns="variant", values="latent", sort=False).reset_index()
    names = [f"{part}_{kind}" for part in ("near", "far", "log_loss") for kind in ("joint", "independent")]
    differences = main_rows.groupby(keys, sort=False)[names].mean().reset_index()
    note = (
        f"Simulated judges (Davidson, ties, a first-position effect, both orders); {n_new} new images x "
        f"{N_COMPARISONS} pool images in each world; true strengths with sd 1, 2 and 4 in turn; nominal 90 %; "
        "intervals over worlds, 90 %. Scores have the coverage of strengths, by a fixed and monotone map."
    )
    tables = {
        "coverage": pd.DataFrame(coverage),
        "variants": variants,
        "differences": differences,
        "speed": timing,
    }
    write_results(args.out, "pseudo_scores", tables, note=note)


if __name__ == "__main__":
    main()
