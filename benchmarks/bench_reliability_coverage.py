"""What intervals of reliability cover: nominal 95 % intervals of alpha_sym and W with raters who differ.

Each study draws new items and new raters, who have tastes, sharpness, noise, tie habits, position biases and
severities of their own. The truth is the expected value over such studies, from a simulation of its own that is much
larger.
"""

import numpy as np
import pandas as pd
from common import mean_interval, read_arguments, write_results

from ppaint_stats.kernels.bootstrap import draw_weights
from ppaint_stats.kernels.davidson import outcome_probabilities
from ppaint_stats.kernels.derived import derive_scores
from ppaint_stats.kernels.jackknife import Deletions, group_items, measure_spread
from ppaint_stats.kernels.orders import describe_orders
from ppaint_stats.kernels.signs import SignTable, average_pairs, describe_agreement, imply_signs

PROB = 0.95
SHOWN = {
    "alpha_sym": "alpha_sym of preferences",
    "derived": "W of preferences (derived scores)",
    "ratings": "W of ratings",
    "implied": "alpha_sym of ratings (implied comparisons)",
    "alpha_difference": "difference in alpha_sym",
    "w_difference": "difference in W",
    "rho_difference": "difference in rank correlation",
}


def simulate(n_items: int, n_raters: int, n_pairs: int, rng: np.random.Generator) -> tuple[SignTable, np.ndarray]:
    """Comparisons on a locally dense design and ratings from 1 to 5, by raters drawn from one population."""
    draw = rng.standard_normal
    theta = 2 * draw(n_items)
    order = np.argsort(theta + 1.5 * draw(n_items))  # a noisy first look, by which neighbours are paired
    i, j = np.triu_indices(n_items, 1)
    near = np.argsort((j - i) / (n_items / 4) - rng.gumbel(size=len(i)))[:n_pairs]
    a, b = np.minimum(order[i[near]], order[j[near]]), np.maximum(order[i[near]], order[j[near]])
    taste = 1.2 * np.exp(0.4 * draw((n_raters, 1)))
    utility = theta + taste * draw((n_raters, n_items))
    sharpness, log_nu = np.exp(0.4 * draw((n_raters, 1))), -0.3 + 0.8 * draw((n_raters, 1))
    position = (0.1 + 0.3 * draw((n_raters, 1))) * np.where(rng.random((n_raters, n_pairs)) < 0.5, 1, -1)
    d = sharpness * (utility[:, a] - utility[:, b]) + position
    p_first, p_tie, _ = outcome_probabilities(d, log_nu)
    u = rng.random(d.shape)
    sign = np.where(u < p_first, 1.0, np.where(u < p_first + p_tie, 0.0, -1.0))
    slope, severity = 0.8 * np.exp(0.3 * draw((n_raters, 1))), 0.7 * draw((n_raters, 1))
    latent = slope * utility - severity + rng.logistic(size=utility.shape)
    return SignTable(a, b, sign, np.abs(sign), np.ones(sign.shape), n_items), np.digitize(latent, [-3, -1, 1, 3]) + 1.0


def measure(table: SignTable, ratings: np.ndarray, items: np.ndarray, raters: np.ndarray) -> dict[str, np.ndarray]:
    none = np.zeros((0, len(ratings)))
    implied = imply_signs(ratings[None], table.a, table.b)
    alpha, alpha_implied = (describe_agreement(average_pairs(x, items, raters))["alpha_sym"] for x in (table, implied))
    orders, rated = (describe_orders(x, items, raters, none) for x in (derive_scores(table), ratings))
    w, w_ratings = (x["kendall_w"] for x in (orders, rated))
    found = {"alpha_sym": alpha, "derived": w, "ratings": w_ratings, "implied": alpha_implied}
    found |= {"alpha_difference": alpha - alpha_implied, "w_difference": w - w_ratings}
    return found | {"rho_difference": orders["mean_srcc"] - rated["mean_srcc"]}


def leave_out(n_items: int, n_raters: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Deletions]:
    """Weights that leave out each item, or group of items, and then each rater."""
    groups = group_items(n_items, rng)
    items = np.vstack([groups, np.ones((n_raters, n_items), dtype=np.int64)])
    raters = np.vstack([np.ones((len(groups), n_raters), dtype=np.int64), 1 - np.eye(n_raters, dtype=np.int64)])
    kind = np.repeat([0, 1], [len(groups), n_raters])
    return items, raters, Deletions(np.where(kind == 0, 1 - 1 / len(groups), 1 - 1 / n_raters), kind)


def resample_pairs(table: SignTable, n_boot: int, rng: np.random.Generator) -> np.ndarray:
    """alpha_sym with item pairs drawn as if they were independent of each other, and these raters."""
    m, n = table.sign.shape
    product = (table.sign.sum(axis=0) ** 2 - (table.sign**2).sum(axis=0)) / (m * (m - 1))
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=n_boot)
    return (drawn @ product) / (drawn @ table.decided.mean(axis=0))


def find_truth(size: tuple[int, int, int], studies: int, rng: np.random.Generator) -> dict[str, float]:
    ones = np.ones((1, size[0]), dtype=np.int64), np.ones((1, size[1]), dtype=np.int64)
    none, sums, orders = np.zeros((0, size[1])), np.zeros((2, 2)), []
    for _ in range(studies):
        table, ratings = simulate(*size, rng)
        for total, signs in zip(sums, (table, imply_signs(ratings[None], table.a, table.b)), strict=True):
            means = average_pairs(signs, *ones)
            total += [float(means.product[0]), float(means.decided[0])]
        found = [describe_orders(x, *ones, none) for x in (derive_scores(table), ratings)]
        orders.append([float(x[name][0]) for name in ("kendall_w", "mean_srcc") for x in found])
    (derived, rated, rho, rho_rated), (alpha, implied) = np.mean(orders, axis=0), sums[:, 0] / sums[:, 1]
    truth = {"alpha_sym": alpha, "derived": derived, "ratings": rated, "implied": implied}
    truth |= {"alpha_difference": alpha - implied, "w_difference": derived - rated}
    return truth | {"rho_difference": rho - rho_rated}


def check_study(
    size: tuple[int, int, int], truth: dict[str, float], n_boot: int, rng: np.random.Generator
) -> list[dict[str, object]]:
    table, ratings = simulate(*size, rng)
    *left_out, deletions = leave_out(size[0], size[1], rng)
    drawn = draw_weights(size[0], size[1], n_boot, rng)
    # the first row gives the value itself, then come the replicates, then what is left out
    weights = [np.vstack([np.ones_like(w[:1]), w, out]) for w, out in zip(drawn, left_out, strict=True)]
    found = measure(table, ratings, *weights)
    tries = []
    for name, values in found.items():
        value, draws, deleted = float(values[0]), values[1 : n_boot + 1], values[n_boot + 1 :]
        tries.append((name, "items x raters", draws))
        spread = measure_spread(value, draws, deleted, deletions)
        if spread is not None:
            tries.append((name, "items x raters, shrunk", value + spread.shrinkage * (draws - value)))
    tries.append(("alpha_sym", "item pairs", resample_pairs(table, n_boot, rng)))
    rows = []
    for name, resampled, values in tries:
        lower, upper = np.nanquantile(values, [(1 - PROB) / 2, (1 + PROB) / 2])
        row = {"items": size[0], "raters": size[1], "statistic": SHOWN[name], "resampled": resampled}
        row |= {"truth": truth[name], "estimate": float(found[name][0]), "width": upper - lower}
        rows.append(row | {"covered": lower <= truth[name] <= upper, "too_high": truth[name] < lower})
    return rows


def summarise_sizes(table: pd.DataFrame) -> pd.DataFrame:
    """Coverage alone, one column per size of the study."""
    size = "covered, " + table["items"].astype(str) + " items, " + table["raters"].astype(str) + " raters"
    keys = ["statistic", "resampled"]
    wide = table.assign(size=size).pivot_table(index=keys, columns="size", values="covered", sort=False)
    return wide.reset_index().rename_axis(columns=None)


def main() -> None:
    args = read_arguments(__doc__, studies={"type": int, "default": 300}, boot={"type": int, "default": 1000})
    sizes = {
        (50, 5, 612): (args.studies, 2000),
        (150, 15, 1836): (args.studies // 2, 400),
        (200, 5, 2448): (args.studies // 2, 400),  # nearly all of the uncertainty is the raters'
    }
    n_boot = args.boot
    if args.quick:
        sizes, n_boot = {(12, 4, 40): (3, 5)}, 50
    rows = []
    for number, (size, (studies, truth_studies)) in enumerate(sizes.items()):
        truth = find_truth(size, truth_studies, np.random.default_rng([number, 0]))
        rng = np.random.default_rng([number, 1])
        for _ in range(studies):
            rows += check_study(size, truth, n_boot, rng)
    runs = pd.DataFrame(rows)
    table = []
    keys = ["items", "raters", "statistic", "resampled"]
    for key, group in runs.groupby(keys, sort=False):
        covered = mean_interval(group["covered"].astype(float))
        table.append(
            {
                **dict(zip(keys, key, strict=True)),
                "studies": len(group),
                "truth": group["truth"].iloc[0],
                "covered": covered["mean"],
                "lower": covered["lower"],
                "upper": covered["upper"],
                "too high": group["too_high"].mean(),
                "mean width": group["width"].mean(),
                "sd of estimates": group["estimate"].std(),
            }
        )
    note = (
        f"Coverage of nominal {PROB:.0%} percentile intervals with {n_boot:,} resamples, with its own 90 % t interval. "
        "New items and new raters, who differ in taste, sharpness, tie habit, position bias and severity, in each "
        "study; truth: the expected value over such studies, from a larger simulation. Differences: preferences - "
        "ratings, paired by the same draw; shrunk: as match_protocols does it with differences, and with nothing else. "
        "Too high: the interval lies above the truth."
    )
    found = pd.DataFrame(table)
    write_results(args.out, "reliability_coverage", {"summary": summarise_sizes(found), "coverage": found}, note=note)


if __name__ == "__main__":
    main()
