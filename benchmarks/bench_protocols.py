"""What the correlation across protocols is worth: its intervals on studies where it is 1, and where it is .7.

Every study is fused with `protocol_discrepancy=True`; finished ones are kept in a file and not fitted again.
"""

import warnings
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
from common import read_arguments, write_results

import ppaint_stats as ps
from ppaint_stats.errors import PPaintWarning
from ppaint_stats.validation.protocols import compare_protocols

DESIGN = {"n_categories": 1, "n_items": 50, "n_raters": 6, "n_pairs": 300, "dimensions": ("overall",)}
RUN = {"draws": 500, "tune": 400, "chains": 2}
PROB, HIGH = 0.9, 0.9


def fit_study(rho: float, seed: int, design: dict, run: dict) -> dict[str, object]:
    simulation = ps.simulate_study(ps.PPaintDesign(**design, protocol_correlation=rho), random_seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PPaintWarning)  # the gate's verdict is in the table
        fusion = ps.fuse_bayes(
            simulation.study, **run, cores=1, protocol_discrepancy=True, random_seed=seed, progressbar=False
        )
    report = compare_protocols(fusion, interval_prob=PROB, high=HIGH)
    row = report.tables["correlation"].iloc[0].drop(["dimension", "verdict"]).to_dict()
    items = report.tables["items"].merge(simulation.truth, on=["category", "dimension", "item"])
    true = (items["latent"] - items["latent_preference"]) / items["latent_preference"].std()
    sure = items["p_beyond"] >= PROB
    right = (np.sign(items["difference"]) == np.sign(true))[sure]
    draws = fusion.posterior["posterior"].to_dataset()[["protocol_correlation"]]
    return {
        "rho": rho,
        "seed": seed,
        "realised": float(np.corrcoef(simulation.truth["latent"], simulation.truth["latent_preference"])[0, 1]),
        **row,
        "item_correlation": float(np.corrcoef(items["difference"], true)[0, 1]) if rho < 1 else np.nan,
        "item_covered": float(((items["lower"] <= true) & (true <= items["upper"])).mean()),
        "items_named": int(sure.sum()),
        "named_sign_right": float(right.mean()) if len(right) else np.nan,
        "converged": fusion.converged,
        "r_hat": float(az.rhat(draws)["protocol_correlation"].max()),
        "ess": float(az.ess(draws)["protocol_correlation"].min()),
        "seconds": fusion.settings["sampling_seconds"],
    }


def main() -> None:
    args = read_arguments(__doc__, studies={"type": int, "default": 20})
    n, design, run = args.studies, DESIGN, RUN
    if args.quick:
        n, design, run = (
            2,
            DESIGN | {"n_items": 10, "n_raters": 4, "n_pairs": 25},
            {"draws": 60, "tune": 100, "chains": 1},
        )
    kept: Path = args.out / "protocols_runs.csv"
    rows = [] if args.quick or not kept.exists() else pd.read_csv(kept).to_dict("records")
    done = {(row["rho"], row["seed"]) for row in rows}
    for seed in range(1, n + 1):
        for rho in (1.0, 0.7):
            if (rho, seed) not in done:
                rows.append(fit_study(rho, seed, design, run))
                pd.DataFrame(rows).to_csv(kept, index=False, float_format="%.6g")
                print(rows[-1], flush=True)
    runs = pd.DataFrame(rows).sort_values(["rho", "seed"])
    table = []
    for rho, group in runs.groupby("rho", sort=False):
        row: dict[str, object] = {"rho": rho, "studies": len(group), "mean": group["mean"].mean()}
        row |= {"lower": group["lower"].mean(), "upper": group["upper"].mean()}
        row |= {
            "equal-tailed covers": ((group["lower"] <= rho) & (rho <= group["upper"])).mean(),
            "shortest covers": ((group["shortest_lower"] <= rho) & (rho <= group["shortest_upper"])).mean(),
            "upper end >= .95": (group["upper"] >= 0.95).mean(),
            "upper end >= .99": (group["upper"] >= 0.99).mean(),
            "shortest reaches .99": (group["shortest_upper"] >= 0.99).mean(),
            "bound at_least": group["at_least"].mean(),
            "P(rho > .9), median": group["p_high"].median(),
            "P(rho > .9) >= .9": (group["p_high"] >= PROB).mean(),
            "P(rho > .9) <= .1": (group["p_high"] <= 1 - PROB).mean(),
            "items covered": group["item_covered"].mean(),
            "items named": group["items_named"].mean(),
            "sign right": group["named_sign_right"].mean(),
        }
        table.append(row)
    summary = pd.DataFrame(table).set_index("rho").T.rename_axis("over studies").reset_index()
    summary.columns = [str(name) if name == "over studies" else f"true rho {name:g}" for name in summary]
    note = (
        f"{n} simulated studies each of {design['n_items']} items, {design['n_raters']} raters and "
        f"{design['n_pairs']} pairs; {run}; nominal {PROB:.0%} intervals. 'covers': the true rho lies in the interval; "
        "for rho = 1 the equal-tailed interval of a quantity below 1 never does, and the shortest one ends at the "
        "largest draw at most. Items: differences in sd of the items; named: P(|difference| > .5) is .9 or more."
    )
    write_results(args.out, "protocols", {"summary": summary, "runs": runs}, note=note)


if __name__ == "__main__":
    main()
