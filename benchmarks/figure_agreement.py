"""The figure of the page on agreement: what two fusions agree on by themselves, across halves, and without items."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
KINDS = {
    "true study": "true study",
    "all answers shuffled, by rater": "all answers shuffled",
    "ratings permuted by rater, fusions of ratings alone": "ratings permuted by rater,\nratings alone",
    "ratings permuted by rater, true preferences": "ratings permuted by rater,\ntrue preferences",
    "ratings permuted for all raters alike, true preferences": "ratings permuted for all alike,\ntrue preferences",
}
PARTS = {
    "cross_emptied": ("null: across halves, answers shuffled", "#7F7F7F", "^", 0.25),
    "cross_half": ("across halves of the raters", "#D55E00", "s", 0.0),
    "observed": ("observed, on the same judgments", "#0072B2", "o", -0.25),
}


def draw_agreement(out: Path) -> None:
    """Draw ``agreement.svg`` into the folder ``out``: one mark for each simulated study, a line for their mean."""
    runs = pd.read_csv(RESULTS / "agreement_runs.csv")
    figure, panel = plt.subplots(figsize=(8, 3.8), layout="constrained")
    for place, kind in enumerate(KINDS):
        rows = runs[runs["case"] == kind]
        if place % 2:
            panel.axhspan(place - 0.5, place + 0.5, color="#F4F4F4", linewidth=0)
        for part, (name, colour, marker, shift) in PARTS.items():
            at = place + shift + np.linspace(-0.07, 0.07, len(rows))
            label = {"label": name} if place == 0 else {}
            panel.plot(rows[part], at, marker, color=colour, markersize=4, alpha=0.55, mew=0, **label)
            panel.plot([rows[part].mean()] * 2, [place + shift - 0.12, place + shift + 0.12], color=colour, linewidth=2)
    panel.axvline(0, color="black", linewidth=0.8)
    panel.set_yticks(range(len(KINDS)), list(KINDS.values()))
    panel.set(xlabel="rank correlation of the two fusions", xlim=(-0.4, 1.03), ylim=(len(KINDS) - 0.5, -0.5))
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside upper center", ncols=3, handletextpad=0.1)
    figure.savefig(out / "agreement.svg", metadata={"Date": None})
    plt.close(figure)
