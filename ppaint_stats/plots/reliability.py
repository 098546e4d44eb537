"""plot_reliability: the statistics of agreement of both protocols with their intervals, as a forest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ppaint_stats.errors import ArgumentError
from ppaint_stats.plots.cells import choose_cell, name_cell, require_table, take_cell, title_cell
from ppaint_stats.plots.frame import (
    BLUE,
    GREY,
    ORANGE,
    ROOM_FOR_LEGEND,
    count,
    label,
    new_axes,
    put_legend,
    put_title,
    set_caption,
    tidy,
)
from ppaint_stats.plots.intervals import draw_rows
from ppaint_stats.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PROTOCOLS = {"ratings": (BLUE, "o", False), "preferences": (ORANGE, "s", False), "difference": (GREY, "D", True)}
"""Colour, mark and whether it is hollow."""

NAMES = {
    "krippendorff_alpha_ordinal": "Krippendorff's alpha, ordinal",
    "krippendorff_alpha_interval": "Krippendorff's alpha, interval",
    "krippendorff_alpha_nominal": "Krippendorff's alpha, nominal",
    "krippendorff_alpha_ratio": "Krippendorff's alpha, ratio",
    "alpha_sym": "alpha of comparisons",
    "alpha_tie_matched": "alpha, ties matched",
    "alpha_decided": "alpha of decisions",
    "alpha_forced": "alpha, ties broken",
    "alpha_nominal": "alpha, nominal",
    "ICC(A,1)": "ICC(A,1), one rater",
    "ICC(C,1)": "ICC(C,1), one rater",
    "ICC(1,1)": "ICC(1,1), one rater",
    "ICC(A,k)": "ICC(A,k), mean of the panel",
    "ICC(C,k)": "ICC(C,k), mean of the panel",
    "ICC(1,k)": "ICC(1,k), mean of the panel",
    "kendall_w": "Kendall's W",
    "kendall_u": "Kendall's u",
    "rank_correlation": "rank correlation of two raters",
    "rank_leave_one_out": "rank correlation, one and the rest",
    "rank_split_half": "rank correlation, split halves",
    "mean_leave_one_out": "correlation, one and the rest",
    "split_half": "correlation, split halves",
    "separation_reliability": "separation reliability",
    "mean_zeta": "consistency in triads (zeta)",
    "mean_transitivity": "transitivity of triads",
    "percent_agreement": "share of equal answers",
    "agreement_decided": "share of equal decisions",
    "tie_rate": "share of ties",
}
"""What statistics are called, in the order of their rows."""

DEFAULT = (
    "alpha_sym", "alpha_tie_matched", "ICC(A,1)", "ICC(A,k)", "kendall_w", "rank_correlation", "rank_leave_one_out",
    "rank_split_half", "separation_reliability",
)  # fmt: skip
"""Statistics that are drawn unless others are named, besides the alphas of ratings: most are in both protocols."""

LIMITS = (0.667, 0.8)
"""Krippendorff's limits: below the first no conclusions, from the second on firm ones."""


def plot_reliability(
    report: Report,
    *,
    category: str | None = None,
    dimension: str | None = None,
    statistics: Sequence[str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the reliability of ratings and preferences in one category and dimension, each statistic with its interval.

    Parameters
    ----------
    report
        A report of :func:`ppaint_stats.assess_reliability`.
    category, dimension
        The cell; either may be left out where there is only one.
    statistics
        Names from the column ``statistic`` of the report's table "summary"; by default those that say how far
        raters agree and are at most 1.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a row for each statistic; dotted lines in the rows of alphas are Krippendorff's limits 0.667 and 0.8.

    Raises
    ------
    ArgumentError
        If this is another report, there is no such cell or statistic, or it is not named and there are several.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> from ppaint_stats.plots import plot_reliability
    >>> design = ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40, dimensions=("mood",))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> report = ps.assess_reliability(study, n_boot=50, n_subsets=0, random_seed=1)
    >>> ax = plot_reliability(report, statistics=["alpha_sym", "kendall_w"])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['alpha of comparisons', "Kendall's W"]
    """
    summary = require_table(report, "summary", "plot_reliability", "assess_reliability")
    if "statistic" not in summary:
        raise ArgumentError(f"plot_reliability takes a Report of assess_reliability, not {report.title!r}")
    category, dimension = choose_cell(summary, category, dimension)
    cell = take_cell(summary, category, dimension)
    names = _choose_statistics(cell, statistics)
    shown = cell[cell["statistic"].isin(names) & cell["protocol"].ne("difference")]
    known = shown[shown["estimate"].notna()]
    names = [name for name in names if name in set(known["statistic"])]
    if not names:
        raise ArgumentError(
            f"no statistic of {name_cell(category, dimension)} has a value: {'; '.join(set(cell['reason']))}"
        )
    ax = new_axes(7.0, 1.7 + 0.32 * len(names)) if ax is None else ax
    place = {name: float(row) for row, name in enumerate(names)}
    for protocol, rows in known.groupby("protocol", sort=False):
        colour, marker, hollow = PROTOCOLS[str(protocol)]
        both = known.groupby("statistic")["protocol"].nunique()
        shift = -0.15 if protocol == "ratings" else 0.15
        y = [place[name] + (shift if both[name] > 1 else 0.0) for name in rows["statistic"]]
        draw_rows(ax, y, rows["estimate"], rows["lower"], rows["upper"], colour=colour, marker=marker,
                  name=str(protocol), hollow=hollow)  # fmt: skip
    alphas = [place[name] for name in names if "alpha" in name]
    for limit in LIMITS if alphas else ():
        ax.vlines(
            [limit] * len(alphas), np.array(alphas) - 0.45, np.array(alphas) + 0.45, color="black", lw=0.9, ls=":"
        )
    ax.axvline(0, color=GREY, lw=0.9)
    ax.set_xlim(min(-0.05, float(known[["estimate", "lower"]].min().min()) - 0.03), 1.03)
    ax.set_yticks(list(place.values()), [label(NAMES.get(name, name), longest=40) for name in names], fontsize=9)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    tidy(ax, grid="x")
    prob = float(str(report.settings["interval_prob"]))
    ax.set_xlabel(f"estimate, with {prob:.0%} interval")
    put_title(ax, title_cell(category, dimension), pad=ROOM_FOR_LEGEND)
    put_legend(ax)
    set_caption(ax, *_describe(shown, known, category, dimension, prob, bool(alphas)))
    return ax


def _choose_statistics(cell: pd.DataFrame, statistics: Sequence[str] | None) -> list[str]:
    held = list(dict.fromkeys(cell["statistic"]))
    if statistics is None:
        alphas = [name for name in held if name.startswith("krippendorff")][:1]
        wanted = {*DEFAULT, *alphas}
        return [name for name in NAMES if name in wanted and name in held]
    names = [statistics] if isinstance(statistics, str) else list(statistics)
    unknown = [name for name in names if name not in held]
    if unknown or not names:
        raise ArgumentError(f"statistics={statistics!r}: the report has {', '.join(map(repr, held))}")
    return names


def _describe(
    shown: pd.DataFrame, known: pd.DataFrame, category: str, dimension: str, prob: float, limits: bool
) -> list[str]:
    sizes = [
        f"{protocol} ({count(int(rows['n_items'].max()), 'item')}, {count(int(rows['n_raters'].max()), 'rater')})"
        for protocol, rows in known.groupby("protocol", sort=False)
    ]
    bars = known[known["lower"].notna() & known["upper"].notna()]
    kinds = [str(kind) for kind in dict.fromkeys(bars["interval_kind"]) if str(kind)]
    intervals = f"lines are {prob:.0%} intervals ({'; '.join(kinds)})" if kinds else "no intervals were computed"
    missing = shown[shown["estimate"].isna()]
    left_out = [
        f"{NAMES.get(name, name)} ({protocol})"
        for name, protocol in zip(missing["statistic"], missing["protocol"], strict=True)
    ]
    bare = len(known) - len(bars)
    return [
        f"Reliability of {' and of '.join(sizes)} in {name_cell(category, dimension)}: {intervals}.",
        "Dotted: Krippendorff's limits for alphas, 0.667 and 0.8." if limits else "",
        f"{count(bare, 'estimate')} {'has' if bare == 1 else 'have'} no interval." if kinds and bare else "",
        f"Without a value: {', '.join(left_out)}." if left_out else "",
    ]
