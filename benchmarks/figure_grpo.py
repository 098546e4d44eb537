"""The figure of written answers against the expected score: rank correlations by the processor time spent on steps."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

RESULTS = Path(__file__).parent / "results"
LOOKS = {"expected score": "#0072B2", "written answers": "#D55E00"}


def draw_grpo(out: Path) -> None:
    """Draw ``grpo.svg`` into the folder ``out``."""
    curves, runs = pd.read_csv(RESULTS / "grpo_curves.csv"), pd.read_csv(RESULTS / "grpo_runs.csv")
    base = curves[curves["cpu"] == 0].iloc[0]
    figure, panel = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    panel.axhline(base["mean"], color="black", linewidth=0.8, linestyle=":")
    left = curves.loc[curves["cpu"] > 0, "cpu"].min()
    panel.annotate("base, untrained", (left, base["mean"]), xytext=(2, -3), textcoords="offset points", va="top")
    for name, colour in LOOKS.items():
        curve = curves[(curves["objective"] == name) & (curves["cpu"] > 0)]
        steps = runs.loc[runs["objective"] == name, "steps"]
        counted = f"{steps.min()}" if steps.min() == steps.max() else f"{steps.min()} to {steps.max()}"
        panel.fill_between(
            curve["cpu"],
            curve["lower"],
            curve["upper"].clip(upper=1),
            color=colour,
            alpha=0.18,
            linewidth=0,
            step="post",
        )
        panel.plot(
            curve["cpu"], curve["mean"], color=colour, linewidth=1.8, drawstyle="steps-post",
            label=f"{name} ({counted} steps)",
        )  # fmt: skip
    panel.set(xscale="log", ylim=(0, 1.02), xlabel="seconds of one processor, log scale")
    shown = [second for second in (0.5, 1, 2, 5, 10, 20, 50) if curves["cpu"].max() >= second >= left]
    panel.set_xticks(shown, [f"{second:g}" for second in shown])
    panel.minorticks_off()
    panel.set(ylabel="rank correlation with the truth", title=f"Mean of {runs['seed'].nunique()} seeds, 95 % interval")
    panel.legend(loc="lower right")
    figure.savefig(out / "grpo.svg", metadata={"Date": None})
    plt.close(figure)
