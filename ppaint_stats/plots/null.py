"""plot_null: how well two fusions agree, against what they would agree on if the items did not matter."""

from typing import TYPE_CHECKING

import numpy as np

from ppaint_stats.columns import CATEGORY, DIMENSION
from ppaint_stats.errors import ArgumentError
from ppaint_stats.plots.cells import KEYS, require_table
from ppaint_stats.plots.frame import (
    BLUE,
    GREY,
    ORANGE,
    ROOM_FOR_LEGEND,
    count,
    label,
    new_axes,
    plain,
    put_legend,
    put_title,
    set_caption,
    spread_evenly,
    tidy,
)
from ppaint_stats.plots.intervals import draw_rows
from ppaint_stats.report import Report

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

PAIR = ["fusion_a", "fusion_b"]


def plot_null(
    comparison: Report,
    *,
    fusions: tuple[str, str] | None = None,
    category: str | None = None,
    dimension: str | None = None,
    max_cells: int = 40,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the agreement of two fusions in each category and dimension against its null distribution.

    Parameters
    ----------
    comparison
        A report of :func:`ppaint_stats.compare_fusions` that was given the study.
    fusions
        Names of the two fusions, from the columns ``fusion_a`` and ``fusion_b``; by default the first pair.
    category, dimension
        Only rows of these.
    max_cells
        Of more cells, this many are drawn, evenly spaced by their agreement across halves; the caption says so.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a row for each cell, best agreement on top. The bar is the interval of what exchanged items give, the
        filled dot the agreement of halves that share no rater, the hollow diamond that of the fusions themselves.

    Raises
    ------
    ArgumentError
        If this is another report or one without the study, or has no such fusions, category or dimension.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> comparison = ps.compare_fusions(elo, davidson, study=study)  # doctest: +SKIP
    >>> ax = ps.plot_null(comparison)  # doctest: +SKIP
    """
    table = require_table(comparison, "agreement", "plot_null", "compare_fusions")
    if "shared_inputs" not in comparison.tables or "null_lower" not in comparison.tables["shared_inputs"]:
        raise ArgumentError(
            "plot_null needs what shared inputs give by themselves: a Report of compare_fusions(..., study=study)"
        )
    sizes = table[[*PAIR, CATEGORY, DIMENSION, "n_items"]]
    rows = comparison.tables["shared_inputs"].merge(sizes, on=[*PAIR, *KEYS[:2]], validate="one_to_one")
    pair = _choose_pair(rows, fusions)
    rows = rows[(rows["fusion_a"] == pair[0]) & (rows["fusion_b"] == pair[1])]
    for column, name in ((CATEGORY, category), (DIMENSION, dimension)):
        if name is not None:
            known = rows[column].unique().tolist()
            if name not in known:
                raise ArgumentError(f"{column}={name!r} is not in the report; it holds {known}")
            rows = rows[rows[column] == name]
    n_cells = len(rows)
    missing = rows[rows["cross_half"].isna()]
    rows = rows[rows["cross_half"].notna()].sort_values("cross_half", ascending=False, kind="stable")
    if rows.empty:
        raise ArgumentError("no agreement across halves of the raters was computed: " + comparison.text[:200])
    n_known = len(rows)
    rows = rows.iloc[spread_evenly(n_known, max_cells)]
    prob = float(str(comparison.settings["interval_prob"]))
    ax = new_axes(7.2, 1.7 + (0.3 if len(rows) <= 20 else 0.19) * len(rows)) if ax is None else ax
    _draw(ax, rows, prob)
    put_title(ax, f"{label(pair[0])} and {label(pair[1])}", pad=ROOM_FOR_LEGEND)
    real = int((rows["p_value"] < 0.05).sum())
    few, most = int(rows["n_items"].min()), int(rows["n_items"].max())
    items = count(most, "item") if few == most else f"{few:,} to {most:,} items"
    set_caption(
        ax,
        f"Rank correlation of {plain(pair[0])} and {plain(pair[1])} in {count(len(rows), 'cell')} of category and "
        f"dimension with {items}: between halves of the raters (dots, {prob:.0%} intervals), between the fusions "
        f"(diamonds), and the {prob:.0%} interval of what exchanged items give (bars).",
        f"In {real} of them the halves agree by more than exchanged items do (p < 0.05).",
        f"Of {n_known} cells {len(rows)} are drawn, evenly by agreement." if len(rows) < n_known else "",
        f"In {count(len(missing), 'cell')} of {n_cells} it could not be computed." if len(missing) else "",
    )
    return ax


def _choose_pair(rows: "pd.DataFrame", fusions: tuple[str, str] | None) -> tuple[str, str]:
    held = list(rows[PAIR].drop_duplicates().itertuples(index=False, name=None))
    if fusions is None:
        return str(held[0][0]), str(held[0][1])
    wanted = tuple(fusions)
    if wanted not in held:
        raise ArgumentError(f"fusions={fusions!r} is not in the report; it holds {held}")
    return str(wanted[0]), str(wanted[1])


def _draw(ax: "Axes", rows: "pd.DataFrame", prob: float) -> None:
    y = np.arange(len(rows), dtype=float)
    null = rows["null_upper"] - rows["null_lower"]
    ax.barh(y, null, left=rows["null_lower"], height=0.62, color=GREY, alpha=0.3, lw=0, label="exchanged items")
    draw_rows(ax, y, rows["cross_half"], rows["cross_half_lower"], rows["cross_half_upper"], colour=BLUE, marker="o",
              name="halves of the raters")  # fmt: skip
    ax.plot(rows["observed"], y, "D", mfc="none", mec=ORANGE, mew=1.3, ms=5, label="the two fusions")
    names = [
        f"{label(c, longest=20)}, {label(d, longest=16)}" for c, d in zip(rows[CATEGORY], rows[DIMENSION], strict=True)
    ]
    ax.set_yticks(y, names, fontsize=9 if len(rows) <= 20 else 7.5)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    low = float(rows[["null_lower", "cross_half_lower", "cross_half", "observed"]].min().min())
    ax.set_xlim(max(-1.03, min(0.0, low) - 0.05), 1.03)
    tidy(ax, grid="x")
    ax.set_xlabel(f"rank correlation, with {prob:.0%} intervals")
    for row, p in zip(y, rows["p_value"], strict=True):
        words = "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if np.isfinite(p) else ""
        ax.annotate(words, (1, row), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
                    va="center", fontsize=8, annotation_clip=False)  # fmt: skip
    put_legend(ax)
