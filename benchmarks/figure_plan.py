"""The figure of the page on planning: widths against raters' hours, and predicted widths against found ones."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ppaint_stats import PPaintDesign
from ppaint_stats.planning import plan_study
from ppaint_stats.plots import plot_plan

RESULTS = Path(__file__).parent / "results"
SOURCES = {"from the truth": ("#0072B2", "o"), "from pilots": ("#D55E00", "s")}


def draw_plan(out: Path, *, quick: bool = False) -> None:
    """Draw both panels into ``plan.svg`` of the folder ``out``; quickly, from few designs in one world."""
    design = PPaintDesign(dimensions=("overall",), **{"n_items": 20, "n_pairs": 80} if quick else {})
    plan = plan_study(
        design=design, n_raters=(3, 8) if quick else (3, 5, 8, 12, 20), ratings_per_item=(1, 2), minutes_per_rater=15,
        budget_minutes=600, n_worlds=1 if quick else 8, progressbar=False,
    )  # fmt: skip
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8), layout="constrained", width_ratios=(1.25, 1))
    plot_plan(plan, ax=left)
    table = pd.read_csv(RESULTS / "plan_comparison.csv")
    table = table[table["measure"].str.startswith("width")]
    reach = np.array([0.9 * table["found"].min(), 1.1 * table["found"].max()])
    right.fill_between(reach, 0.85 * reach, 1.15 * reach, color="#E4E4E4", linewidth=0, label="15 % either way")
    right.plot(reach, reach, color="black", linewidth=0.8)
    for name, (colour, marker) in SOURCES.items():
        right.plot(table["found"], table[name], marker, color=colour, markersize=5, alpha=0.8, label=name)
    right.set(xlabel="mean width found", ylabel="mean width predicted", title="Predicted and found")
    right.legend(loc="upper left", fontsize=8)
    figure.savefig(out / "plan.svg", metadata={"Date": None})
    plt.close(figure)
