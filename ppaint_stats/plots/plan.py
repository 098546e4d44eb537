"""plot_plan: widths of intervals against the minutes that they take."""

from typing import TYPE_CHECKING

from ppaint_stats.errors import ArgumentError
from ppaint_stats.plots.frame import BLUE, GREY, ORANGE, PURPLE, YELLOW, count, new_axes, set_caption, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ppaint_stats.planning.plan import StudyPlan

KINDS = {
    "ratings and comparisons": (BLUE, "o"),
    "ratings only": (YELLOW, "^"),
    "same raters": (PURPLE, "s"),
}
FRONTIER = ORANGE


def plot_plan(plan: "StudyPlan", *, ax: "Axes | None" = None) -> "Axes":
    """Draw every design's interval width against raters' time, and the frontier of designs worth their price.

    Parameters
    ----------
    plan
        A plan of `plan_study`.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Each number of raters on the frontier is written beside it; the budget is a vertical line.

    Raises
    ------
    ArgumentError
        If no design has ratings, so that there are no widths.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> from ppaint_stats.planning import plan_study
    >>> plan = plan_study(n_items=12, n_raters=(3, 6), pairs_per_rater=(0, 30), n_worlds=2)
    >>> plot_plan(plan).get_xlabel()
    "raters' time, hours"
    """
    width = f"width_{plan.settings['target']}"
    table = plan.designs[plan.designs[width].notna()]
    if table.empty:
        raise ArgumentError("no design of this plan has ratings: without them there are no widths to draw")
    ax = new_axes(6.6, 4.2) if ax is None else ax
    work = table[table["minutes"] > 0]
    kinds = work["comparisons"].gt(0).map({True: "ratings and comparisons", False: "ratings only"})
    kinds = kinds.mask(work["who"] == "same", "same raters")
    for name, (colour, marker) in KINDS.items():
        own = work[kinds == name]
        if len(own):
            ax.plot(own["hours"], own[width], marker, color=colour, ms=4.5, alpha=0.55, mew=0, label=name)
    best = work[work["frontier"]].sort_values("hours")
    ax.plot(best["hours"], best[width], "-", color=FRONTIER, lw=1.6, label="worth their price", zorder=3)
    ax.plot(best["hours"], best[width], "o", mfc="none", mec=FRONTIER, mew=1.3, ms=7, zorder=4)
    shown = best.groupby("raters", sort=False).tail(1)
    for row in shown.to_dict("records"):
        ax.annotate(f"{row['raters']} raters", (row["hours"], row[width]), xytext=(5, 7), textcoords="offset points",
                    fontsize=8, color=FRONTIER)  # fmt: skip
    start = table[table["minutes"] == 0]
    if len(start):
        ax.axhline(float(start[width].iloc[0]), color=GREY, lw=1.0, ls=(0, (4, 3)), label="pilot as it stands")
    budget = plan.settings["budget_minutes"]
    if isinstance(budget, int | float):
        ax.axvline(budget / 60, color=GREY, lw=1.0, ls=":", label="budget")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_ylim(bottom=0)
    tidy(ax, grid="both")
    prob = float(str(plan.settings["interval_prob"]))
    ax.set_xlabel("raters' time, hours")
    ax.set_ylabel(f"mean width of {prob:.0%} intervals")
    ax.set_title(f"{plan.settings['n_items']} items, scale {plan.settings['scale']}", loc="left", fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    items = count(int(str(plan.settings["n_items"])), "item")
    designs, cheap = count(len(table), "design"), count(len(best), "design")
    set_caption(
        ax,
        f"Predicted mean width of {prob:.0%} intervals of {items} against the raters' time, for {designs}; circles "
        f"mark the {cheap} that no other beats in both, with their numbers of raters.",
    )
    return ax
