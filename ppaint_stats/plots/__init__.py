"""Plots: each function draws into ``ax`` or a new figure of a fitting size, and returns the axes.

`caption` says in words what axes show; `render_svg` writes them for a web page. No style is set: fonts and sizes follow
matplotlib's settings.
"""

from ppaint_stats.plots.agreement import plot_agreement
from ppaint_stats.plots.calibration import plot_calibration
from ppaint_stats.plots.correlations import plot_correlations
from ppaint_stats.plots.costs import plot_costs
from ppaint_stats.plots.design import plot_design
from ppaint_stats.plots.frame import caption
from ppaint_stats.plots.null import plot_null
from ppaint_stats.plots.orders import plot_orders
from ppaint_stats.plots.plan import plot_plan
from ppaint_stats.plots.protocols import plot_protocols
from ppaint_stats.plots.ranks import plot_ranks
from ppaint_stats.plots.raters import plot_raters
from ppaint_stats.plots.reliability import plot_reliability
from ppaint_stats.plots.scores import plot_scores
from ppaint_stats.plots.svg import render_svg

__all__ = [
    "caption",
    "plot_agreement",
    "plot_calibration",
    "plot_correlations",
    "plot_costs",
    "plot_design",
    "plot_null",
    "plot_orders",
    "plot_plan",
    "plot_protocols",
    "plot_ranks",
    "plot_raters",
    "plot_reliability",
    "plot_scores",
    "render_svg",
]
