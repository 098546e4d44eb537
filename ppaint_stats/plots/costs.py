"""plot_costs: how reliable each protocol is for the same number of judgments."""

from typing import TYPE_CHECKING

from ppaint_stats.errors import ArgumentError
from ppaint_stats.plots.cells import choose_cell, name_cell, require_table, take_cell
from ppaint_stats.plots.frame import BLUE, ORANGE, count, label, new_axes, put_title, set_caption, tidy
from ppaint_stats.reliability.matched import ProtocolMatch
from ppaint_stats.report import Report

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SIDES = {"ratings": (BLUE, "o", "-"), "preferences": (ORANGE, "s", "--")}


def plot_costs(
    report: Report | ProtocolMatch,
    *,
    category: str | None = None,
    dimension: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the reliability of the panel's mean order against the judgments that each item gets, by protocol.

    Parameters
    ----------
    report
        A report of :func:`ppaint_stats.assess_reliability`, or what
        :func:`ppaint_stats.reliability.match_protocols` returns.
    category, dimension
        The cell; either may be left out where there is only one.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a line with a band for ratings and one for preferences.

    Raises
    ------
    ArgumentError
        If this is another report, the curves were not computed (``n_subsets=0``) or need both protocols, there is no
        such cell, or it is not named and there are several.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> from ppaint_stats.plots import plot_costs
    >>> from ppaint_stats.reliability import match_protocols
    >>> design = ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40, dimensions=("mood",))
    >>> match = match_protocols(ps.simulate_study(design, random_seed=1).study, n_boot=50, random_seed=1)
    >>> plot_costs(match).get_xlabel()
    'judgments per item, all raters together'
    """
    curves, who, prob = _find_curves(report, category, dimension)
    curves = curves[curves[["ratings_estimate", "preferences_estimate"]].notna().any(axis=1)]
    if curves.empty:
        raise ArgumentError(f"no point of the curves of {who[2]} has a value")
    ax = new_axes(5.4, 3.8) if ax is None else ax
    x = curves["judgments_per_item"].to_numpy(float)
    ends = {}
    for side, (colour, marker, line) in SIDES.items():
        y = curves[f"{side}_estimate"].to_numpy(float)
        ax.fill_between(x, curves[f"{side}_lower"], curves[f"{side}_upper"], color=colour, alpha=0.16, lw=0)
        ax.plot(x, y, color=colour, marker=marker, ls=line, ms=5, lw=1.8, label=side)
        ends[side] = y[-1]
    ax.set_xscale("log")
    ax.set_xlim(x[0] / 1.12, x[-1] * (x[-1] / x[0]) ** 0.25 * 1.05)
    ax.set_xticks(x, [f"{value:.3g}" for value in x])
    ax.minorticks_off()
    lowest = float(
        curves[["ratings_lower", "preferences_lower", "ratings_estimate", "preferences_estimate"]].min().min()
    )
    ax.set_ylim(max(-1.02, min(0.0, lowest)), 1.03)
    # The two ends are often close together: the upper one's name stands above it, the lower one's below.
    top = max(ends, key=lambda side: ends[side])
    for side, (colour, *_rest) in SIDES.items():
        ax.annotate(side, (x[-1], ends[side]), xytext=(7, 4 if side == top else -4), textcoords="offset points",
                    color=colour, fontsize=9, va="bottom" if side == top else "top")  # fmt: skip
    tidy(ax, grid="y")
    ax.set_xlabel("judgments per item, all raters together")
    bands = curves[["ratings_lower", "preferences_lower"]].notna().any(axis=None)
    ax.set_ylabel("reliability of the panel's mean order" + (f"\n(bands: {prob:.0%} intervals)" if bands else ""))
    put_title(ax, f"{label(who[0])}, {label(who[1])}")
    set_caption(
        ax,
        f"Reliability of the panel's mean order by ratings and by preferences at equal numbers of judgments, {who[2]}"
        + (f"; bands are {prob:.0%} intervals." if bands else "; no intervals were computed."),
    )
    return ax


def _find_curves(
    report: Report | ProtocolMatch, category: str | None, dimension: str | None
) -> "tuple[pd.DataFrame, tuple[str, str, str], float]":
    """Curves of one cell, its names and size in words, and the intervals' probability."""
    if isinstance(report, ProtocolMatch):
        if report.curves.empty:
            raise ArgumentError("this ProtocolMatch has no curves: match_protocols with n_subsets=0 leaves them out")
        if category not in {None, report.category} or dimension not in {None, report.dimension}:
            raise ArgumentError(
                f"this ProtocolMatch is of category {report.category!r}, dimension {report.dimension!r}"
            )
        who = _say_size(report.category, report.dimension, report.counts["n_items"], _count_panel(report))
        return report.curves, (report.category, report.dimension, who), float(str(report.settings["interval_prob"]))
    curves = require_table(report, "curves", "plot_costs", "assess_reliability")
    category, dimension = choose_cell(curves, category, dimension)
    size = take_cell(report.tables["summary"], category, dimension)
    size = size[size["protocol"] == "difference"] if (size["protocol"] == "difference").any() else size
    who = _say_size(category, dimension, int(size["n_items"].max()), int(size["n_raters"].max()))
    return (
        take_cell(curves, category, dimension),
        (category, dimension, who),
        float(str(report.settings["interval_prob"])),
    )


def _say_size(category: str, dimension: str, items: int, raters: int) -> str:
    return f"for {count(items, 'item')} and {count(raters, 'rater')} in {name_cell(category, dimension)}"


def _count_panel(match: ProtocolMatch) -> int:
    """Raters of both protocols, those who did both counted once."""
    n = match.counts
    return n["n_rating_raters"] + n["n_preference_raters"] - n["n_shared_raters"]
