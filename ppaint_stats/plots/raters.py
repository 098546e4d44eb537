"""plot_raters: how strict raters are and how often they tie, each with an interval."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, RATER
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.plots.cells import choose_cell, name_cell, require_table, take_cell, title_cell
from ppaint_stats.plots.frame import BLUE, GREY, count, label, new_axes, plain, put_title, set_caption, tidy
from ppaint_stats.plots.intervals import draw_rows, share_interval
from ppaint_stats.plots.names import write_names
from ppaint_stats.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_NAMES = 30
"""Of more raters, only those farthest from the middle are named."""

VALUES = ("severity", "severity_lower", "severity_upper", "tie_rate", "tie_rate_lower", "tie_rate_upper")


@dataclass(frozen=True)
class _Raters:
    """Severity and ties of each rater, what the axis of severity is called, and what the intervals are."""

    table: pd.DataFrame
    axis: str
    cell: str
    title: str
    intervals: str


def plot_raters(
    result: Fusion | Report,
    *,
    category: str | None = None,
    dimension: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw each rater's severity against the share of comparisons that they tie.

    Parameters
    ----------
    result
        A fusion whose raters are known, or a report of :func:`ppaint_stats.assess_reliability`.
    category, dimension
        The cell; either may be left out where there is only one. Joint models describe raters by dimension, over all
        categories.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; a row for each rater where there are ratings or comparisons alone.

    Raises
    ------
    ArgumentError
        If the result has no raters or is of another kind, there is no such cell, or it is not named and there are
        several.

    Notes
    -----
    Severity is in the units of the table that it comes from; positive is strict in all of them. Intervals
    are those of the joint model; elsewhere Wilson's for ties, normal ones from the standard error for severity in a
    report, and none for severity in a fusion that is no joint model.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> from ppaint_stats.plots import plot_raters
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> plot_raters(ps.fuse_davidson(sim.study), dimension="mood").get_ylabel()
    'ties, % of comparisons'
    """
    if isinstance(result, Fusion):
        found = _read_fusion(result, category, dimension)
    else:
        found = _read_report(result, category, dimension)
    severe, tied = found.table["severity"].notna(), found.table["tie_rate"].notna()
    if not (severe | tied).any():
        raise ArgumentError(f"no rater {found.cell} has a severity or a share of ties")
    table = found.table[severe & tied] if (severe & tied).any() else found.table[severe | tied]
    if not (severe & tied).any():
        ax = _draw_rows(table, found, "severity" if severe.any() else "tie_rate", ax)
        left_out, named = 0, len(table)
    else:
        ax = _draw_map(table, found, ax)
        left_out, named = len(found.table) - len(table), min(len(table), MAX_NAMES)
    put_title(ax, found.title)
    what = (
        "Severity against the share of ties"
        if (severe & tied).any()
        else "Severity"
        if severe.any()
        else "Share of ties"
    )
    set_caption(
        ax,
        f"{what} of {count(len(table), 'rater')} {found.cell}, {found.intervals}.",
        f"The {named} raters farthest from the middle are named." if named < len(table) else "",
        f"{count(left_out, 'rater')} without both ratings and comparisons left out." if left_out else "",
    )
    return ax


def _draw_map(table: pd.DataFrame, found: _Raters, ax: "Axes | None") -> "Axes":
    ax = new_axes(5.8, 4.4) if ax is None else ax
    x, y = table["severity"].to_numpy(float), 100 * table["tie_rate"].to_numpy(float)
    ax.hlines(y, table["severity_lower"], table["severity_upper"], color=BLUE, lw=1.2, alpha=0.4)
    ax.vlines(x, 100 * table["tie_rate_lower"], 100 * table["tie_rate_upper"], color=BLUE, lw=1.2, alpha=0.4)
    ax.plot(x, y, "o", color=BLUE, ms=5.5, mew=0)
    ax.axvline(0, color=GREY, lw=1.0, ls=(0, (4, 3)), zorder=0)
    ax.margins(0.08)
    ax.autoscale_view()
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]) if y.min() < 3 else None)
    tidy(ax, grid="both")
    ax.set_xlabel(found.axis)
    ax.set_ylabel("ties, % of comparisons")
    far = sum(((v - np.median(v)) / (v.std() or 1.0)) ** 2 for v in (x, y))
    chosen = np.sort(np.argsort(-far, kind="stable")[:MAX_NAMES])
    ax.autoscale(enable=False)
    write_names(ax, x[chosen], y[chosen], table[RATER].iloc[chosen].tolist(), among=(x, y))
    return ax


def _draw_rows(table: pd.DataFrame, found: _Raters, value: str, ax: "Axes | None") -> "Axes":
    """A row for each rater, where only one of the two is known."""
    ax = new_axes(5.8, 1.4 + 0.24 * len(table)) if ax is None else ax
    table = table.sort_values(value, kind="stable")
    factor = 1 if value == "severity" else 100
    y = np.arange(len(table), dtype=float)
    x, lower, upper = (factor * table[f"{value}{end}"] for end in ("", "_lower", "_upper"))
    draw_rows(ax, y, x, lower, upper, colour=BLUE, marker="o", name=value)
    if value == "severity":
        ax.axvline(0, color=GREY, lw=1.0, ls=(0, (4, 3)), zorder=0)
    ax.set_yticks(y, [label(rater) for rater in table[RATER]], fontsize=9 if len(table) <= 25 else 7.5)
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.tick_params(axis="y", length=0)
    tidy(ax, grid="x")
    ax.set_xlabel(found.axis if value == "severity" else "ties, % of comparisons")
    return ax


def _read_fusion(fusion: Fusion, category: str | None, dimension: str | None) -> _Raters:
    table = fusion.raters
    if table.empty or RATER not in table:
        raise ArgumentError(f"{fusion!r} knows no raters: their names are not in the study")
    prob = float(fusion.settings["interval_prob"])
    if CATEGORY in table:
        category, dimension = choose_cell(table, category, dimension)
        rows = take_cell(table, category, dimension)
        where, title = f"in {name_cell(category, dimension)}", title_cell(category, dimension)
    else:  # a joint model: raters are the same in all categories
        held = fusion.select(category=category)  # refuses an unknown name
        dimension = choose_cell(table.assign(**{CATEGORY: held[CATEGORY].iloc[0]}), None, dimension)[1]
        rows = table[table[DIMENSION] == dimension]
        n = fusion.scores[CATEGORY].nunique()
        where, title = f"in {plain(dimension)}, over {count(n, 'category')}", label(dimension)
    rows = rows.copy()
    if "severity_lower" in rows:
        axis = "severity, rating logits (right: stricter)"
        words = f"with {prob:.0%} intervals; a tie rate is the probability of a tie between equal items"
    else:
        axis = "severity, rating units (right: stricter)"
        share = rows["tie_rate"].to_numpy(float)
        lower, upper = share_interval(share, rows["n_comparisons"].to_numpy(float), prob)
        rows["tie_rate_lower"], rows["tie_rate_upper"] = lower, upper
        words = f"with {prob:.0%} intervals of the shares of ties; severities have no interval"
        if np.isnan(share).all():
            words = "without intervals"
    return _Raters(rows.reindex(columns=[RATER, *VALUES]), axis, where, title, words)


def _read_report(report: object, category: str | None, dimension: str | None) -> _Raters:
    if not isinstance(report, Report):
        raise ArgumentError(
            f"plot_raters takes a Fusion or a Report of assess_reliability, not a {type(report).__name__}"
        )
    table = require_table(report, "raters", "plot_raters", "assess_reliability")
    if "severity_se" not in table:
        raise ArgumentError(f"plot_raters takes a Report of assess_reliability, not {report.title!r}")
    from statistics import NormalDist

    category, dimension = choose_cell(table, category, dimension)
    rows = take_cell(table, category, dimension)
    prob = float(str(report.settings["interval_prob"]))
    z = NormalDist().inv_cdf((1 + prob) / 2)
    rated = rows[rows["protocol"] == "ratings"].set_index(RATER)
    compared = rows[rows["protocol"] == "preferences"].set_index(RATER)
    out = pd.DataFrame(index=pd.Index(list(dict.fromkeys(rows[RATER])), name=RATER), columns=list(VALUES), dtype=float)
    out["severity"] = rated["severity"].astype(float)
    error = rated["severity_se"].astype(float)
    out["severity_lower"], out["severity_upper"] = out["severity"] - z * error, out["severity"] + z * error
    out["tie_rate"] = compared["tie_rate"].astype(float)
    lower, upper = share_interval(compared["tie_rate"].to_numpy(float), compared["n_judgments"].to_numpy(float), prob)
    out["tie_rate_lower"], out["tie_rate_upper"] = pd.Series(lower, compared.index), pd.Series(upper, compared.index)
    axis = "severity, rating units (right: stricter)"
    title = title_cell(category, dimension)
    where = f"in {name_cell(category, dimension)}"
    return _Raters(out.reset_index(), axis, where, title, f"with {prob:.0%} intervals")
