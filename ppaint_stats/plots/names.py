"""Names written beside points, where they hide as little as they can."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ppaint_stats.plots.frame import label
from ppaint_stats.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLACES = (
    (4, 4), (-4, 4), (4, -4), (-4, -4), (6, 10), (-6, 10), (6, -10), (-6, -10), (0, 8), (0, -8), (9, 17), (-9, 17),
    (9, -17), (-9, -17),
)  # fmt: skip
"""Offsets that are tried, in points: aslant first, since intervals run along the axes."""


def write_names(
    ax: "Axes",
    x: FloatArray,
    y: FloatArray,
    names: Sequence[str],
    *,
    among: tuple[FloatArray, FloatArray] | None = None,
    fontsize: float = 8,
    colour: str = "black",
) -> None:
    """Write each name beside its point, where it covers fewest other names and points.

    Parameters
    ----------
    ax
        Axes whose limits are final.
    x, y
        Points, in data coordinates.
    names
        Their names, as they are.
    among
        All points of the plot; by default those with names.
    fontsize, colour
        How to write.
    """
    figure = ax.get_figure(root=True)
    points = 1.0 if figure is None else 72 / figure.dpi
    ax.autoscale_view()
    place = ax.transData.transform(np.column_stack([x, y])) * points
    others = place if among is None else ax.transData.transform(np.column_stack(among)) * points
    edge = ax.get_window_extent().get_points() * points
    taken: list[tuple[float, float, float, float]] = []
    for at, name in zip(place, names, strict=True):
        text = label(name)
        width, height = 0.58 * fontsize * len(text), 1.2 * fontsize
        best, least = PLACES[0], np.inf
        for dx, dy in PLACES:
            left = at[0] + dx - (width if dx < 0 else 0 if dx > 0 else width / 2)
            bottom = at[1] + dy - (height if dy < 0 else 0 if dy > 0 else height / 2)
            box = (left, bottom, left + width, bottom + height)
            inside = (others > np.array(box[:2]) - 2) & (others < np.array(box[2:]) + 2)
            cost = 3.0 * int(inside.all(axis=1).sum()) + sum(10 * _overlap(box, other) for other in taken)
            out = max(edge[0, 0] - box[0], 0) + max(box[2] - edge[1, 0], 0)
            cost += out + max(edge[0, 1] - box[1], 0) + max(box[3] - edge[1, 1], 0) + 0.02 * (abs(dx) + abs(dy))
            if cost < least:
                best, least, kept = (dx, dy), cost, box
        taken.append(kept)
        dx, dy = best
        ax.annotate(
            text, (float(x[len(taken) - 1]), float(y[len(taken) - 1])), xytext=best, textcoords="offset points",
            fontsize=fontsize, color=colour, annotation_clip=False,
            ha="right" if dx < 0 else "left" if dx > 0 else "center",
            va="top" if dy < 0 else "bottom" if dy > 0 else "center",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.6, "pad": 0.3},
        ).set_in_layout(False)  # fmt: skip


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Whether two boxes overlap, more so the more of the smaller side is shared."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return 1 + width * height / max((a[2] - a[0]) * (a[3] - a[1]), 1e-9)
