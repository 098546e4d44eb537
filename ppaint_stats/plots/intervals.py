"""Rows of estimates with their intervals: the body of every forest plot, and shares with Wilson's interval."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from ppaint_stats.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_rows(
    ax: "Axes",
    y: Sequence[float] | FloatArray,
    estimate: object,
    lower: object,
    upper: object,
    *,
    colour: str,
    marker: str,
    name: str,
    size: float = 5.0,
    hollow: bool = False,
) -> None:
    """Draw estimates as marks and their intervals as lines; without a finite interval the mark stands alone."""
    x, low, high = (np.asarray(values, dtype=float) for values in (estimate, lower, upper))
    rows = np.asarray(y, dtype=float)
    known = np.isfinite(low) & np.isfinite(high)
    ax.hlines(rows[known], low[known], high[known], color=colour, lw=1.8, alpha=0.55)
    face = "white" if hollow else colour
    ax.plot(x, rows, marker, color=colour, mfc=face, mec=colour, ms=size, mew=1.1, label=name)


def share_interval(share: FloatArray, n: FloatArray, prob: float) -> tuple[FloatArray, FloatArray]:
    """Wilson's interval of shares of ``n``; nan where there are none.

    Examples
    --------
    >>> lower, upper = share_interval(np.array([0.1]), np.array([40.0]), 0.95)
    >>> lower.round(3).item(), upper.round(3).item()
    (0.04, 0.231)
    """
    z = NormalDist().inv_cdf((1 + prob) / 2)
    total = np.where(n > 0, n, np.nan)
    centre = share + z * z / (2 * total)
    half = z * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return (centre - half) / scale, (centre + half) / scale
