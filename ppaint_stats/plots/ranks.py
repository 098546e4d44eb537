"""plot_ranks: how probable each rank is for each item."""

from typing import TYPE_CHECKING

import numpy as np

from ppaint_stats.columns import ITEM
from ppaint_stats.fusion import Fusion
from ppaint_stats.plots.cells import choose_cell, count_judged, require_fusion, take_cell, title_cell
from ppaint_stats.plots.frame import (
    ORANGE,
    ROOM_FOR_LEGEND,
    label,
    new_axes,
    put_legend,
    put_title,
    set_caption,
    spread_evenly,
)
from ppaint_stats.ranks import rank_probabilities
from ppaint_stats.typing import FloatArray, RandomSeed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW = 12
"""Up to so many items, probabilities are written into the map."""


def plot_ranks(
    fusion: Fusion,
    *,
    category: str | None = None,
    dimension: str | None = None,
    max_items: int = 50,
    random_seed: RandomSeed = 0,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the probability of each rank for each item of one category and dimension, as a map.

    Parameters
    ----------
    fusion
        A fusion with intervals.
    category, dimension
        The cell; either may be left out where there is only one.
    max_items
        Of more items, this many are drawn, evenly spaced by rank; title and caption say so.
    random_seed
        Seed, for fusions whose uncertainty is no set of draws.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a row for each item, best expected rank on top, with the fused rank as a dot or box.

    Raises
    ------
    ArgumentError
        If there is no such cell, it is not named and there are several, or the fusion has no intervals.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> from ppaint_stats.plots import plot_ranks
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> plot_ranks(ps.fuse_davidson(sim.study), dimension="mood").get_xlabel()
    'rank (1 is best)'
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    category, dimension = choose_cell(require_fusion(fusion, "plot_ranks").scores, category, dimension)
    table = rank_probabilities(fusion, category=category, dimension=dimension, random_seed=random_seed)
    n_items = len(table)
    table = table.iloc[spread_evenly(n_items, max_items)]
    cell = take_cell(fusion.scores, category, dimension).set_index(ITEM).loc[table.index]
    if ax is None:
        ax = new_axes(7.0, 1.7 + (0.24 if n_items <= FEW else 0.16) * len(table))
    y = np.arange(len(table))
    shares = table.to_numpy()
    image = ax.imshow(
        shares, cmap="Blues", norm=PowerNorm(0.5, 0, shares.max()), aspect="auto", interpolation="none",
        extent=(0.5, n_items + 0.5, len(table) - 0.5, -0.5),
    )  # fmt: skip
    prob = fusion.settings["interval_prob"]
    if n_items > FEW:
        halo = [withStroke(linewidth=2.2, foreground="white")]  # keeps marks readable on dark cells
        ax.plot(
            cell["rank"], y, "o", color=ORANGE, ms=3.2, mew=0, label=f"fused rank ({fusion.method})", path_effects=halo
        )
        ends = np.concatenate([cell["rank_lower"], cell["rank_upper"]])
        ax.plot(ends, np.tile(y, 2), "|", color=ORANGE, ms=5, mew=1.2, label=f"ends of {prob:.0%} interval")
    else:
        _write_percents(ax, shares)
        for row, rank in enumerate(cell["rank"]):
            name = f"fused rank ({fusion.method})" if row == 0 else None
            ax.add_patch(Rectangle((rank - 0.46, row - 0.44), 0.92, 0.88, fill=False, ec=ORANGE, lw=1.6, label=name))
        ax.set_xticks(range(1, n_items + 1))
    ax.set_yticks(y, [label(item) for item in table.index], fontsize=7.5 if len(table) > 25 else 9)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("rank (1 is best)")
    bar = ax.get_figure(root=True).colorbar(image, ax=ax, fraction=0.03, pad=0.02)  # type: ignore[union-attr]
    bar.set_label("probability" if n_items > FEW else "probability (numbers: percent)")
    bar.outline.set_visible(False)
    some = f", {len(table)} of {n_items} items evenly by rank" if len(table) < n_items else ""
    put_title(ax, title_cell(category, dimension) + some, pad=ROOM_FOR_LEGEND)
    put_legend(ax)
    marks = f"the fused rank (dot) and the ends of its {prob:.0%} interval" if n_items > FEW else "the fused rank (box)"
    set_caption(
        ax,
        f"Probability of each rank ({fusion.method}) for {count_judged(fusion, category, dimension)}, with {marks}.",
        f"Of the items {len(table)} are drawn, evenly by rank, with the first and the last." if some else "",
    )
    return ax


def _write_percents(ax: "Axes", shares: FloatArray) -> None:
    dark = shares.max() / 3
    for row, rank in zip(*np.nonzero(shares >= 0.005), strict=True):
        share = shares[row, rank]
        ax.text(rank + 1, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7.5,
                color="white" if share > dark else "black")  # fmt: skip
