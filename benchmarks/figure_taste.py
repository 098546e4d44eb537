"""The figure of the page on taste: widths and coverage as the same raters compare more, and as raters are added."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

RESULTS = Path(__file__).parent / "results"
KINDS = {"jackknife": ("#0072B2", "o", "jackknife over raters"), "hessian": ("#D55E00", "^", "curvature, no tastes")}
NEEDED = 2 * 1.645
"""Width of a 90 % interval, in standard deviations of the error."""


def draw_widths(panel: Axes, table: pd.DataFrame, column: str) -> None:
    panel.plot(table[column], NEEDED * table["rmse"], color="black", linestyle=":", linewidth=1.2, label="needed")
    for kind, (colour, marker, name) in KINDS.items():
        panel.plot(table[column], table[f"{kind} width"], color=colour, marker=marker, markersize=4, label=name)
    panel.set(xscale="log", xlabel=f"{column}, log scale", ylim=(0, None))
    panel.set_xticks(table[column], [f"{value:,}" for value in table[column]], rotation=40, ha="right")
    panel.minorticks_off()


def draw_taste(out: Path) -> None:
    """Draw ``taste.svg`` into the folder ``out``."""
    growth = pd.read_csv(RESULTS / "taste_interval_growth.csv")
    few = growth["raters"].min()
    more = growth[growth["raters"] == few].sort_values("comparisons of a rater")
    usual = more.loc[more["comparisons of a rater"].isin(growth.loc[growth["raters"] > few, "comparisons of a rater"])]
    panels = pd.concat([usual, growth[growth["raters"] > few]]).sort_values("raters")
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3.5), layout="constrained", width_ratios=(1, 1, 0.7))
    draw_widths(left, more, "comparisons of a rater")
    left.set(title=f"{few} raters, more comparisons", ylabel="mean width, rating points")
    for kind, (colour, marker, _) in KINDS.items():
        covered = 100 * more[f"{kind} covered"]
        middle.plot(more["comparisons of a rater"], covered, color=colour, marker=marker, markersize=4)
    middle.axhline(90, color="black", linewidth=0.8)
    middle.set(title="What these intervals cover", ylabel="true scores inside, %", ylim=(0, 103), xscale="log")
    middle.set(xlabel="comparisons of a rater, log scale")
    sizes = more["comparisons of a rater"]
    middle.set_xticks(sizes, [f"{value:,}" for value in sizes], rotation=40, ha="right")
    middle.minorticks_off()
    draw_widths(right, panels, "raters")
    right.set(title="612 comparisons, more raters", ylim=left.get_ylim())
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    figure.savefig(out / "taste.svg", metadata={"Date": None})
    plt.close(figure)
