"""Draw the figures of the documentation: from the tables in benchmarks/results, the joint model's priors, one study."""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")
import matplotlib.pyplot as plt
from common import to_markdown
from figure_agreement import draw_agreement
from figure_gallery import draw_gallery
from figure_grpo import draw_grpo
from figure_plan import draw_plan
from figure_sbc import draw_sbc
from figure_taste import draw_taste
from prior_predictive import draw_panels, tabulate_panels

from ppaint_stats import PPaintDesign, simulate_study
from ppaint_stats.priors import Priors
from ppaint_stats.reliability import alpha_sym, krippendorff_alpha, match_protocols
from ppaint_stats.reliability.comparisons import encode_comparisons

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
COLOURS = {"Davidson": "#0072B2", "half a win each": "#D55E00", "one win each": "#7A5195", "left out": "#7F7F7F"}
PROTOCOLS = {"both": ("#0072B2", "o"), "preferences": ("#D55E00", "s"), "ratings": ("#7F7F7F", "^")}
SIDES = {name: PROTOCOLS[name] for name in ("ratings", "preferences")}
OPEN = ("undecided", "#0072B2", "o")
ONE_CELL = PPaintDesign(n_categories=1, dimensions=("overall",))
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "font.size": 9,
    "figure.facecolor": "white",
    "legend.frameon": False,
    "savefig.bbox": "tight",
    "svg.hashsalt": "ppaint",
}


def save(figure: plt.Figure, out: Path, name: str) -> None:
    figure.savefig(out / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


def draw_ties(out: Path) -> None:
    points, by_rate = pd.read_csv(RESULTS / "ties_points.csv"), pd.read_csv(RESULTS / "ties_by_rate.csv")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
    reach = np.array([points["truth"].min(), points["truth"].max()])
    left.plot(reach, reach, color="black", linewidth=0.8)
    for name in ("one win each", "half a win each", "Davidson"):
        left.scatter(points["truth"], points[name], s=7, color=COLOURS[name], label=name, linewidth=0)
    left.set(xlabel="true strength", ylabel="estimated strength", title="One data set with 16 % ties")
    left.legend(loc="upper left", markerscale=2, handletextpad=0.1)
    left.annotate("truth", reach[[0, 0]], xytext=(14, 2), textcoords="offset points", va="center")
    by_rate = by_rate.sort_values("tie_rate")
    right.axhline(1, color="black", linewidth=0.8)
    for name, offset in (("Davidson", 7), ("left out", -9), ("half a win each", 0), ("one win each", 0)):
        right.plot(100 * by_rate["tie_rate"], by_rate[name], color=COLOURS[name], marker="o", markersize=3.5)
        end = (100 * by_rate["tie_rate"].iloc[-1], by_rate[name].iloc[-1])
        right.annotate(name, end, xytext=(6, offset), textcoords="offset points", color=COLOURS[name], va="center")
    right.set(xlabel="ties, % of comparisons", ylabel="slope on the true strengths", ylim=(0, 1.15))
    right.set(
        title="Slope by the share of ties", xlim=(0, 100 * by_rate["tie_rate"].max() * 1.5), xticks=range(0, 61, 20)
    )
    save(figure, out, "ties")


def draw_error(out: Path) -> None:
    error = pd.read_csv(RESULTS / "accuracy_error.csv")
    methods, sizes = ["davidson", "elo", "thurstone"], sorted(error["n_pairs"].unique(), reverse=True)
    figure, panels = plt.subplots(1, len(sizes), figsize=(8, 2.4), sharex=True, sharey=True, layout="constrained")
    for panel, size in zip(np.atleast_1d(panels), sizes, strict=True):
        for rank, (protocols, (colour, marker)) in enumerate(PROTOCOLS.items()):
            rows = (
                error[(error["n_pairs"] == size) & (error["protocols"] == protocols)].set_index("method").loc[methods]
            )
            panel.plot(
                rows["rmse_population"], range(len(methods)), marker, color=colour, label=protocols, zorder=4 - rank
            )
        panel.set_yticks(range(len(methods)), methods)
        panel.set(title=f"{size} pairs a category", xlabel="RMSE, rating points")
        panel.set_xlim(0, 1.08 * error["rmse_population"].max())
        panel.grid(axis="x", linewidth=0.3)
        panel.margins(y=0.2)
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    save(figure, out, "error")


def draw_coverage(out: Path) -> None:
    kinds, fifths = pd.read_csv(RESULTS / "intervals_coverage.csv"), pd.read_csv(RESULTS / "accuracy_coverage.csv")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
    names = ["population", "relative", "panel"]
    for kind, colour, marker, shift in (
        ("jackknife", "#0072B2", "o", -0.15),
        ("bootstrap", "#009E73", "s", 0),
        ("hessian", "#D55E00", "^", 0.15),
    ):
        rows = (
            kinds[(kinds["interval"] == kind) & (kinds["pairs"] == kinds["pairs"].max())].set_index("truth").loc[names]
        )
        error = 100 * np.array([rows["mean"] - rows["lower"], rows["upper"] - rows["mean"]])
        left.errorbar(
            np.arange(3) + shift, 100 * rows["mean"], error, color=colour, marker=marker, linestyle="", label=kind
        )
    left.set_xticks(range(3), names)
    left.set(title="By kind of interval, 612 pairs", xlabel="truth that should be inside", ylabel="covered, %")
    left.legend(loc="center right")
    rows = fifths[(fifths["method"] == "davidson") & (fifths["target"] == "population")]
    for truth, colour in (("population", "#0072B2"), ("panel", "#7A5195")):
        for size, line in ((612, "-"), (120, "--")):
            row = rows[(rows["truth"] == truth) & (rows["n_pairs"] == size)].iloc[0]
            values = [100 * row[f"fifth {k}"] for k in range(1, 6)]
            right.plot(
                range(1, 6), values, line, color=colour, marker="o", markersize=4, label=f"{truth}, {size} pairs"
            )
    right.set(title="Jackknife, by fifth of the score", xlabel="fifth of the items, lowest to highest score")
    right.legend(loc="lower center", ncols=2)
    right.set_xticks(range(1, 6))
    for panel in (left, right):
        panel.axhline(90, color="black", linewidth=0.8)
    left.set_ylim(40, 102)
    save(figure, out, "coverage")


def draw_priors(out: Path) -> None:
    """What the joint model's priors imply, as a figure and as a table."""
    panels = draw_panels(Priors())
    (out / "priors.md").write_text(to_markdown(tabulate_panels(panels), digits=2) + "\n")
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained")
    low, median, high = 100 * np.quantile(panels["level_share"], [0.05, 0.5, 0.95], axis=0)
    levels = np.arange(1, len(median) + 1)
    left.bar(levels, median, width=0.7, color="#0072B2", alpha=0.35)
    left.errorbar(levels, median, [median - low, high - median], color="#0072B2", linestyle="", capsize=2)
    left.set(title="Ratings", xlabel="level", ylabel="share in a panel, %", ylim=(0, 100))
    ties = 100 * panels["ties: share among comparisons of equals"]
    severity = panels["severity: sd between five raters of their mean expected rating"]
    for panel, values, top, title, label in (
        (middle, ties, 100, "Ties between equals", "of a rater's comparisons, %"),
        (right, severity, 1.5, "Severity", "sd of five raters' mean ratings, points"),
    ):
        panel.hist(values, bins=np.linspace(0, top, 31), color="#0072B2", alpha=0.35)
        for place, line in zip(np.quantile(values, [0.05, 0.5, 0.95]), (":", "-", ":"), strict=True):
            panel.axvline(place, color="#0072B2", linestyle=line, linewidth=1)
        panel.set(title=title, xlabel=label, yticks=[], xlim=(0, top))
    save(figure, out, "priors")


def draw_labels(out: Path) -> None:
    """Plain alpha of the same comparisons by what is called A; and the coverage of two ways to resample."""
    preferences = simulate_study(ONE_CELL, random_seed=1).study.preferences
    signs = encode_comparisons(preferences).signs.sign  # 1 where the pair's first item is preferred, by rater and pair
    better_first = np.where(signs.mean(axis=0) > 0, 1, -1)
    rng, rows = np.random.default_rng(1), []
    for share in np.linspace(0.5, 1, 11):
        for _ in range(10):
            turned = np.ones(signs.shape[1])
            turned[rng.permutation(signs.shape[1])[round(share * signs.shape[1]) :]] = -1
            labels = signs * better_first * turned
            values = {level: krippendorff_alpha(labels, level=level).estimate for level in ("nominal", "ordinal")}
            rows.append({"share": share, **values})
    plain, sym = pd.DataFrame(rows).groupby("share").mean(), alpha_sym(preferences).estimate
    shown = plain.loc[[0.5, 0.75, 1.0]].reset_index(names="share of pairs with the better item called A")
    table = shown.rename(columns={level: f"plain alpha, {level}" for level in plain.columns}).assign(alpha_sym=sym)
    (out / "labels.md").write_text(to_markdown(table.round(3) + 0.0) + "\n")  # + 0.0: no -0.000
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for values, colour, name in (
        (plain["nominal"], "#D55E00", "plain alpha, nominal"),
        (plain["ordinal"], "#7A5195", "plain alpha, ordinal"),
        (plain["nominal"] * 0 + sym, "#0072B2", "alpha_sym"),
    ):
        left.plot(100 * plain.index, values, color=colour, marker="o", markersize=3.5, label=name)
    left.set(title="The same comparisons, other names", xlabel="pairs with the better item called A, %", ylabel="alpha")
    left.set_ylim(-0.02, 0.4)
    left.legend(loc="lower left")
    coverage = pd.read_csv(RESULTS / "reliability_coverage_coverage.csv")
    coverage = coverage[coverage["statistic"] == "alpha_sym of preferences"]
    sizes = list(dict.fromkeys(zip(coverage["items"], coverage["raters"], strict=True)))
    for resampled, colour, shift in (("items x raters", "#0072B2", -0.17), ("item pairs", "#D55E00", 0.17)):
        rows = coverage[coverage["resampled"] == resampled]
        error = 100 * np.array([rows["covered"] - rows["lower"], rows["upper"] - rows["covered"]])
        right.bar(np.arange(len(rows)) + shift, 100 * rows["covered"], 0.3, yerr=error, color=colour, alpha=0.6)
        right.annotate(resampled, (shift, 3), rotation=90, ha="center", fontsize=8)
    right.axhline(95, color="black", linewidth=0.8)
    right.set_xticks(range(len(sizes)), [f"{i} items,\n{r} raters" for i, r in sizes])
    right.set(title="95 % intervals by what is resampled", ylabel="true alpha_sym covered, %", ylim=(0, 105))
    save(figure, out, "labels")


def draw_verdict(out: Path) -> None:
    """Reliability against cost in one study, and verdicts by the true gap."""
    curves = match_protocols(simulate_study(ONE_CELL, random_seed=1).study, n_boot=500, random_seed=1).curves
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for side, (colour, marker) in SIDES.items():
        x = curves["judgments_per_item"]
        left.fill_between(x, curves[f"{side}_lower"], curves[f"{side}_upper"], color=colour, alpha=0.15, linewidth=0)
        left.plot(x, curves[f"{side}_estimate"], color=colour, marker=marker, markersize=4, label=side)
    left.set(title="One simulated cell, by cost", xlabel="judgments per item, all raters", xscale="log")
    left.set(ylabel="reliability of the panel's mean order", ylim=(0, 1.02))
    left.set_xticks(curves["judgments_per_item"], [f"{x:.0f}" for x in curves["judgments_per_item"]])
    left.minorticks_off()
    left.legend(loc="lower right")
    table = pd.read_csv(RESULTS / "reliability_verdict_settings.csv").sort_values("gap")
    for name, colour, marker in (
        ("preferences", "#D55E00", "s"),
        ("ratings", "#7F7F7F", "^"),
        ("undecided", "#0072B2", "o"),
    ):
        right.plot(table["gap"], 100 * table[f"said {name}"], color=colour, marker=marker, markersize=4, label=name)
    right.axhline(80, color="black", linewidth=0.5, linestyle=":")
    right.set(title="Verdicts by the true gap", xlabel="true gap (preferences - ratings)", ylabel="verdicts, %")
    right.set_ylim(-4, 125)
    right.set_yticks(range(0, 101, 20))
    right.legend(loc="upper center", ncols=3, columnspacing=1, handletextpad=0.4)
    save(figure, out, "verdict")


def draw_distillation(out: Path) -> None:
    """Rank correlations along the label-free chain, run by run, and by what the student was trained on."""
    runs, ways = pd.read_csv(RESULTS / "distill_chain_runs.csv"), pd.read_csv(RESULTS / "distill_chain_ways.csv")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2), layout="constrained", width_ratios=(1.25, 1))
    steps = {"srcc_base": "base,\npointwise", "srcc_judge": "base,\ncomparisons", "srcc_scorer": "scorer,\none pass"}
    looks = {"brightness": ("#0072B2", "o"), "coverage": ("#D55E00", "s"), "control": ("#7F7F7F", "^")}
    for name, group in runs.groupby("setting", sort=False):
        colour, marker = looks[name]
        for number, row in enumerate(group[list(steps)].to_numpy()):
            label = {"label": name} if number == 0 else {}
            left.plot(range(3), row, color=colour, marker=marker, markersize=4, linewidth=0.9, **label)
    left.set_xticks(range(3), list(steps.values()))
    left.set(title="Each line is one run", ylabel="rank correlation with the truth", ylim=(0, 1.03), xlim=(-0.3, 2.3))
    left.legend(loc="lower right")
    place = np.arange(len(ways))[::-1]
    error = np.array([ways["mean"] - ways["lower"], (ways["upper"] - ways["mean"]).clip(upper=1)])
    right.errorbar(ways["mean"], place, xerr=error, fmt="o", color="#0072B2", markersize=5, capsize=3, linewidth=0.9)
    right.set_yticks(place, ways["trained on"])
    right.set(title="One student, trained on", xlabel="rank correlation with the truth", xlim=(0, 1.03))
    right.set_ylim(-0.6, len(ways) - 0.4)
    save(figure, out, "distillation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures", help="folder of the figures")
    parser.add_argument("--quick", action="store_true", help="what has to be computed anew, on a small scale")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        for draw in (
            draw_ties, draw_error, draw_coverage, draw_priors, draw_labels, draw_verdict, draw_distillation,
            draw_agreement, draw_taste, draw_grpo,
        ):  # fmt: skip
            draw(args.out)
        draw_plan(args.out, quick=args.quick)
        save(draw_sbc(), args.out, "sbc")
    draw_gallery(args.out)  # without the style: as users see the plots


if __name__ == "__main__":
    main()
