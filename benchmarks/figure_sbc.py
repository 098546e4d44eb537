"""Figure of the simulation-based calibration: how far the ranks' distribution is from uniform, beside its band."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from ppaint_stats.kernels.rank_uniformity import band_ranks, count_below

RESULTS = Path(__file__).parent / "results"
N_VALUES = 100
INSIDE, OUTSIDE, BAND = "#0072B2", "#D55E00", "#DDDDDD"

PANELS = {
    "slopes, items": ("slope ", "item_"),
    "tastes": ("taste_sd", "taste_correlation"),
    "spreads over raters": ("taste_spread_sd", "severity_sd", "severity_dim", "discrimination_sd", "sharpness_sd"),
    "ties, position": ("tie_", "position_"),
    "thresholds": ("threshold ",),
    "habits of one rater": ("taste_spread,", "sharpness,", "position,", "discrimination,", "log_nu,", "severity,"),
    "lapses, utilities": ("lapse", "utility"),
    "consensus of three items": ("theta",),
    "population scores": ("population",),
    "relative scores": ("relative",),
    "panel scores": ("panel",),
    "log-likelihoods": ("log-likelihood",),
}
"""Panels by the first letters of the quantities that they hold."""


def read_ranks(path: Path, design: str) -> dict[str, np.ndarray]:
    """Ranks of every quantity of a design."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [row for row in rows if row["design"] == design]
    ranks = np.array([row["ranks"] for row in rows])
    return {name: ranks[:, k] for k, name in enumerate(rows[0]["names"])}


def draw_sbc(design: str = "few", *, folder: Path = RESULTS) -> plt.Figure:
    """Draw the difference between the distribution functions of ranks and of uniform ranks, one line per quantity."""
    ranks = read_ranks(folder / "sbc_fits.jsonl", design)
    n = len(next(iter(ranks.values())))
    band = band_ranks(n, N_VALUES)
    share = np.arange(1, N_VALUES) / N_VALUES
    n_columns = 4
    n_rows = -(-len(PANELS) // n_columns)
    figure, grid = plt.subplots(
        n_rows, n_columns, figsize=(9, 2 * n_rows), sharex=True, sharey=True, layout="constrained"
    )
    for panel in grid.flat[len(PANELS) :]:
        panel.set_axis_off()
    for panel, (title, starts) in zip(grid.flat, PANELS.items(), strict=False):
        panel.fill_between(share, band.lower / n - share, band.upper / n - share, color=BAND, linewidth=0)
        panel.axhline(0, color="black", linewidth=0.6)
        outside = []
        for name, own in ranks.items():
            if not name.startswith(starts):
                continue
            counts = count_below(own, N_VALUES)
            left = bool(((counts < band.lower) | (counts > band.upper)).any())
            style = {"color": OUTSIDE, "linewidth": 1.4, "zorder": 3} if left else {"color": INSIDE, "linewidth": 0.8}
            panel.plot(share, counts / n - share, **style)
            outside += [name] if left else []
        panel.set_title(title)
        if outside:
            panel.annotate("\n".join(outside), (0.03, 0.03), xycoords="axes fraction", color=OUTSIDE, fontsize=7)
        panel.tick_params(labelbottom=True)
    reach = 1.6 * float(np.max(band.upper / n - share))
    grid.flat[0].set(xlim=(0, 1), ylim=(-reach, reach), xticks=(0, 0.5, 1))
    figure.supxlabel("rank of the truth among posterior draws, share", fontsize=9)
    figure.supylabel("share of fits at or below, minus the uniform share", fontsize=9)
    return figure
