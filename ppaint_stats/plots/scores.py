"""plot_scores: the scores of one category and dimension, best on top, with their intervals."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ppaint_stats.columns import ITEM
from ppaint_stats.fusion import Fusion
from ppaint_stats.plots.cells import (
    KEYS,
    choose_cell,
    count_judged,
    describe_intervals,
    has_intervals,
    name_scale,
    name_score,
    require_fusion,
    title_cell,
)
from ppaint_stats.plots.frame import (
    BLUE,
    ORANGE,
    ROOM_FOR_LEGEND,
    label,
    new_axes,
    put_legend,
    put_title,
    set_caption,
    spread_evenly,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_scores(
    fusion: Fusion,
    *,
    category: str | None = None,
    dimension: str | None = None,
    truth: pd.DataFrame | None = None,
    max_items: int = 50,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the scores of one category and dimension with their intervals, best on top.

    Parameters
    ----------
    fusion
        The fusion.
    category, dimension
        The cell; either may be left out where there is only one.
    truth
        Columns ``category, dimension, item`` and the fusion's target (``population``, ``panel`` or ``relative``), as
        `simulate_study` gives them: drawn beside the scores.
    max_items
        Of more items, this many are drawn, evenly spaced by rank; the title says so.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ArgumentError
        If there is no such cell, or it is not named and there are several.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> ax = plot_scores(ps.fuse_davidson(sim.study), dimension="mood", truth=sim.truth)
    >>> len(ax.get_yticklabels())
    12
    """
    category, dimension = choose_cell(require_fusion(fusion, "plot_scores").scores, category, dimension)
    cell = fusion.select(category=category, dimension=dimension)
    n_items = len(cell)
    cell = cell.iloc[spread_evenly(n_items, max_items)]
    ax = new_axes(7.0, 1.7 + (0.19 if len(cell) <= 25 else 0.155) * len(cell)) if ax is None else ax
    y = np.arange(len(cell))
    if has_intervals(fusion):
        name = f"{fusion.settings['interval_prob']:.0%} interval"
        ax.hlines(y, cell["lower"], cell["upper"], color=BLUE, lw=2.4, alpha=0.4, label=name)
    ax.plot(cell["score"], y, "o", color=BLUE, ms=4.6, label=f"fused score ({fusion.method})")
    if truth is not None:
        column = str(fusion.settings["target"])
        known = cell[KEYS].merge(truth[[*KEYS, column]], on=KEYS, how="left", validate="one_to_one")[column]
        ax.plot(known, y, "D", mfc="none", mec=ORANGE, mew=1.3, ms=5.0, label="truth")
    # Names shrink where many items share the height.
    ax.set_yticks(y, [label(item) for item in cell[ITEM]], fontsize=8 if len(cell) > 25 else 9)
    ax.set_ylim(len(cell) - 0.4, -0.6)
    tidy(ax, grid="x")
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(name_score(fusion))
    some = f", {len(cell)} of {n_items} items evenly by rank" if len(cell) < n_items else ""
    put_title(ax, title_cell(category, dimension) + some, pad=ROOM_FOR_LEGEND)
    put_legend(ax)
    beside = "True scores (diamonds) are beside them." if truth is not None else ""
    cut = f"Of the items {len(cell)} are drawn, evenly by rank, with the first and the last." if some else ""
    set_caption(
        ax,
        f"Fused scores ({fusion.method}) of {count_judged(fusion, category, dimension)}, {name_scale(fusion)}, "
        f"{describe_intervals(fusion)}.",
        cut,
        beside,
    )
    return ax
