"""Self-consistency: votes of a simulated judge, and how far the confidence that they give can be trusted.

Each pair of images is asked T times in each order. Three forecasts of which of the two is stronger are held against
the true strengths, on the pairs that were compared: the share p of the pair's own votes, whose confidence is
abs(2 p - 1); the posterior of the strengths where all votes of a question share the weight of one; and where each vote
counts.
"""

import numpy as np
import pandas as pd
from common import mean_interval, read_arguments, write_results

from ppaint_distill.judge import draw_pairs
from ppaint_distill.pool import fit_pool
from ppaint_distill.simulated import SimulatedJudge

N_IMAGES, N_OPPONENTS, STRENGTH_SD = 24, 6, 1.0
JUDGES = {"fresh": 0.0, "repeats": 0.7}
"""Share of the noise within an order that a judge's votes have in common, beside what the pair shares."""

SHARED = 0.3
BIASES = (0.0, 1.2)
VOTES = (1, 2, 4, 8)
WORLDS = 6
CELL = ("all", "overall")


def share_votes(answers: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Share of a pair's answers that its first image won, ties by half."""
    won = answers["outcome"].map({"A": 1.0, "TIE": 0.5, "B": 0.0})
    seen = pd.DataFrame({"a": answers["item_a"], "b": answers["item_b"], "won": won})
    turned = seen.rename(columns={"a": "b", "b": "a"}).assign(won=1 - seen["won"])
    means = pd.concat([seen, turned]).groupby(["a", "b"])["won"].mean()
    return means.reindex(pd.MultiIndex.from_frame(pairs.iloc[:, :2])).to_numpy()


def measure(forecast: np.ndarray, first: np.ndarray) -> dict[str, float]:
    """How good forecasts are that the first image of each pair is the stronger one."""
    right = np.where(forecast == 0.5, 0.5, (forecast > 0.5) == first)
    confidence = np.maximum(forecast, 1 - forecast)
    bins = np.minimum((confidence - 0.5) * 10, 4).astype(int)
    gaps = [
        abs(confidence[bins == k].mean() - right[bins == k].mean()) * (bins == k).mean() for k in set(bins.tolist())
    ]
    order = (
        pd.DataFrame({"confidence": confidence, "error": 1 - right})
        .groupby("confidence")["error"]
        .agg(["mean", "size"])
    )
    order = order.sort_index(ascending=False)
    # pairs of one confidence stand in random order: each has the mean error of its kind
    error = np.repeat(order["mean"].to_numpy(), order["size"].to_numpy())
    covered = error.cumsum() / np.arange(1, len(error) + 1)
    clipped = np.clip(np.where(first, forecast, 1 - forecast), 0.01, 0.99)
    return {
        "error": float(1 - right.mean()),
        "Brier": float(((forecast - first) ** 2).mean()),
        "log loss": float(-np.log(clipped).mean()),
        "calibration error": float(sum(gaps)),
        "risk over coverage": float(covered.mean()),
    }


def run_world(seed: int, judge: SimulatedJudge, votes: int, both_orders: bool, n_draws: int) -> list[dict]:
    rng = np.random.default_rng(seed)
    names = [f"i{k:02d}" for k in range(N_IMAGES)]
    strength = pd.Series(STRENGTH_SD * rng.standard_normal(N_IMAGES), index=names)
    pairs = draw_pairs(names, n_opponents=N_OPPONENTS, random_seed=seed)
    first = strength[pairs["item_a"]].to_numpy() > strength[pairs["item_b"]].to_numpy()
    answers = judge.compare(pairs, strength.to_dict(), both_orders=both_orders, votes=votes, random_seed=seed)
    rows = [{"confidence": "share of votes", **measure(share_votes(answers, pairs), first)}]
    for name in ("share", "count"):
        pool = fit_pool(answers, n_draws=n_draws, votes=name, random_seed=seed, progressbar=False)
        items = pool.items(*CELL)
        draws = pool.draws[CELL]
        a, b = (items.get_indexer(pairs[column]) for column in ("item_a", "item_b"))
        above = (draws[:, a] > draws[:, b]).mean(axis=0)
        forecast = (above * n_draws + 0.5) / (n_draws + 1)
        about = pool.parameters.iloc[0]
        truth = (strength - strength.mean())[items].to_numpy()
        lower, upper = np.quantile(draws, [0.05, 0.95], axis=0)
        covered = float(((lower <= truth) & (truth <= upper)).mean())
        bias = {"coverage": covered, "bias found": about["order_effect"], "correlation": about["order_correlation"]}
        what = {"share": "posterior, votes as one", "count": "posterior, each vote"}[name]
        rows.append({"confidence": what, **measure(forecast, first), **bias})
    return rows


def summarise(means: pd.DataFrame) -> pd.DataFrame:
    """The Brier scores of all three beside each other, and the coverage of the two posteriors' intervals."""
    keys = ["judge", "orders", "bias", "votes"]
    brier = means.pivot_table(index=keys, columns="confidence", values="Brier", sort=False)
    coverage = means.dropna(subset="coverage").pivot_table(
        index=keys, columns="confidence", values="coverage", sort=False
    )
    order = ["share of votes", "posterior, votes as one", "posterior, each vote"]
    table = pd.concat(
        [
            brier[order].rename(columns=lambda name: f"Brier: {name}"),
            coverage[order[1:]].rename(columns=lambda name: f"coverage: {name.removeprefix('posterior, ')}"),
        ],
        axis=1,
    )
    return table.reset_index()


def main() -> None:
    args = read_arguments(__doc__)
    votes, worlds, n_draws, judges = VOTES, WORLDS, 60, JUDGES
    if args.quick:
        votes, worlds, n_draws, judges = (2,), 2, 20, {"fresh": 0.0}
    cases = [(judge, bias, n, True) for judge in judges for bias in BIASES for n in votes]
    cases += [("fresh", bias, n, False) for bias in BIASES for n in votes if n in (2, 4)]
    rows = []
    for judge, bias, n, both in cases:
        simulated = SimulatedJudge(order_effect=bias, shared=SHARED, repeated=judges[judge])
        head = {"judge": judge, "orders": "both" if both else "one", "bias": bias, "votes": n}
        for world in range(worlds):
            found = run_world(1000 + world, simulated, n, both, n_draws)
            rows.extend({**head, "world": world, **row} for row in found)
        print(head, flush=True)
    runs = pd.DataFrame(rows)
    keys = ["judge", "orders", "bias", "votes", "confidence"]
    measures = [
        "error",
        "Brier",
        "log loss",
        "calibration error",
        "risk over coverage",
        "coverage",
        "bias found",
        "correlation",
    ]
    means = runs.groupby(keys, sort=False)[measures].mean().reset_index()
    wide = runs.pivot_table(
        index=["judge", "orders", "bias", "votes", "world"], columns="confidence", values="Brier", sort=False
    )
    differences = []
    for other in ("share of votes", "posterior, votes as one"):
        gap = (wide["posterior, each vote"] - wide[other]).rename("gap").reset_index()
        for key, group in gap.groupby(keys[:4], sort=False):
            differences.append(
                {**dict(zip(keys[:4], key, strict=True)), "each vote against": other, **mean_interval(group["gap"])}
            )
    note = (
        f"{worlds} worlds of {N_IMAGES} images (strengths N(0, {STRENGTH_SD:g}^2)), {N_OPPONENTS} opponents each; "
        f"Davidson's model with log nu = -0.5; answers to a pair share {SHARED:g} of their noise, and a judge who "
        f"`repeats` {JUDGES['repeats']:g} of the rest within an order; `bias` is the advantage of the first place, in "
        "units of strength. "
        "Calibration error: mean distance of confidence and hit rate in five bins. Risk over coverage: mean error of "
        "the most confident pairs, over all shares of them. Coverage: of 90 % intervals of strengths. "
        "Differences are of the Brier score, negative is better for "
        "each vote; 90 % intervals over worlds."
    )
    tables = {"summary": summarise(means), "means": means, "differences": pd.DataFrame(differences)}
    write_results(args.out, "self_consistency", tables, note=note)


if __name__ == "__main__":
    main()
