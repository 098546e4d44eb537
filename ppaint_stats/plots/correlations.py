"""plot_correlations: how dimensions go together, in the items and in raters' tastes."""

from typing import TYPE_CHECKING

import numpy as np

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.plots.cells import require_fusion
from ppaint_stats.plots.frame import BLUE, GREY, ORANGE, count, label, new_axes, put_legend, set_caption, tidy
from ppaint_stats.plots.intervals import draw_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_correlations(fusion: Fusion, *, dimension: str | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw the correlations of dimensions with their intervals, of items and of raters' tastes.

    Parameters
    ----------
    fusion
        A fusion by :func:`ppaint_stats.fuse_bayes` of two dimensions or more.
    dimension
        Only pairs with this dimension.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a row for each pair of dimensions, highest correlation of the items on top.

    Raises
    ------
    ArgumentError
        If the fusion is no joint model, or has no such pair.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> joint = ps.fuse_bayes(study, random_seed=1)  # doctest: +SKIP
    >>> ax = ps.plot_correlations(joint)  # doctest: +SKIP
    """
    table = require_fusion(fusion, "plot_correlations").dimensions
    if table.empty:
        raise ArgumentError(f"{fusion!r} has no correlations of dimensions: fuse_bayes of two or more finds them")
    other = f"{DIMENSION}_bis"
    if dimension is not None:
        known = list(dict.fromkeys([*table[DIMENSION], *table[other]]))
        if dimension not in known:
            raise ArgumentError(f"dimension={dimension!r} is not in the fusion; it holds {known}")
        table = table[(table[DIMENSION] == dimension) | (table[other] == dimension)]
    table = table.sort_values("item_correlation", ascending=False, kind="stable")
    halo = bool(table["taste_correlation"].notna().any())
    ax = new_axes(6.4, 1.5 + (0.34 if halo else 0.24) * len(table)) if ax is None else ax
    y = np.arange(len(table), dtype=float)
    series = [("item", BLUE, "o", "items (consensus)"), ("taste", ORANGE, "s", "raters' tastes (halo)")]
    for (kind, colour, marker, name), shift in zip(series[: 1 + halo], (-0.14, 0.14) if halo else (0.0,), strict=True):
        value, lower, upper = (table[f"{kind}_correlation{end}"] for end in ("", "_lower", "_upper"))
        draw_rows(ax, y + shift, value, lower, upper, colour=colour, marker=marker, name=name)
    names = [
        f"{label(a, longest=18)} · {label(b, longest=18)}" for a, b in zip(table[DIMENSION], table[other], strict=True)
    ]
    ax.set_yticks(y, names, fontsize=9)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    lowest = float(table[[c for c in table if str(c).endswith("correlation_lower")]].min().min())
    ax.set_xlim(-1.03 if lowest < -0.5 else min(-0.05, lowest - 0.05), 1.03)
    ax.axvline(0, color=GREY, lw=1.0)
    tidy(ax, grid="x")
    prob = float(fusion.settings["interval_prob"])
    ax.set_xlabel(f"correlation, with {prob:.0%} interval")
    put_legend(ax)
    items = len(fusion.scores[[CATEGORY, ITEM]].drop_duplicates())
    raters = int(fusion.raters["rater"].nunique()) if "rater" in fusion.raters else 0
    set_caption(
        ax,
        f"Correlations of {count(len(table), 'pair')} of dimensions ({fusion.method}), in {count(items, 'item')}"
        + (f" and in the tastes of {count(raters, 'rater')}" if halo else "")
        + f": posterior means with {prob:.0%} intervals.",
        "" if fusion.converged else "The fit did not converge: none of this can be relied on.",
        "The posterior is approximate." if fusion.settings.get("approximate") else "",
    )
    return ax
