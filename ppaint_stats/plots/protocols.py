"""plot_protocols: what ratings alone and comparisons alone say of each item, with the items on which they disagree."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ppaint_stats.columns import ITEM
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.plots.cells import (
    KEYS,
    choose_cell,
    count_raters,
    has_intervals,
    name_cell,
    name_score,
    require_fusion,
    take_cell,
    title_cell,
)
from ppaint_stats.plots.frame import BLUE, GREY, ORANGE, count, new_axes, put_title, set_caption, tidy
from ppaint_stats.plots.names import write_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMED = 12
"""Disagreements that are named, the largest first."""


def plot_protocols(
    ratings_fusion: Fusion,
    preferences_fusion: Fusion,
    *,
    category: str | None = None,
    dimension: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    r"""Draw the scores from ratings alone against those from comparisons alone, and mark where they disagree.

    Parameters
    ----------
    ratings_fusion, preferences_fusion
        Fusions of one study with ``protocols="ratings"`` and with ``protocols="preferences"``.
    category, dimension
        The cell; either may be left out where there is only one.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a point with both intervals for each item; items that disagree are named diamonds.

    Raises
    ------
    ArgumentError
        If a fusion used another protocol, they share no item of the cell, there is no such cell, or it is not named
        and there are several.

    Notes
    -----
    Comparisons alone have no scale of their own, so that items are held to each other by their standing: with
    :math:`z` the scores over their standard deviation among the items, an item disagrees where
    :math:`|z - z'|` exceeds :math:`\sqrt{h^2 + h'^2}`, :math:`h` being the half widths of the intervals. Among items on
    which both protocols say the same, about one minus the intervals' probability disagree by chance alone; less
    where the same raters' tastes are in both.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> from ppaint_stats.plots import plot_protocols
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> rated = ps.fuse_davidson(sim.study, protocols="ratings")
    >>> compared = ps.fuse_davidson(sim.study, protocols="preferences")
    >>> plot_protocols(rated, compared, dimension="mood").get_xlabel()
    'ratings alone: score on the scale 1 to 5'
    """
    for fusion, wanted in ((ratings_fusion, "ratings"), (preferences_fusion, "preferences")):
        used = require_fusion(fusion, "plot_protocols").settings["protocols"]
        if used != wanted:
            raise ArgumentError(
                f"{wanted}_fusion must come from {wanted} alone, but its protocols are {used!r}; fuse the study with "
                f"protocols={wanted!r}"
            )
    columns = [*KEYS, "score", "lower", "upper"]
    both = ratings_fusion.scores[columns].merge(preferences_fusion.scores[columns], on=KEYS, validate="one_to_one")
    if both.empty:
        raise ArgumentError("the two fusions share no category, dimension and item")
    category, dimension = choose_cell(both, category, dimension)
    cell = take_cell(both, category, dimension).reset_index(drop=True)
    x, y = cell["score_x"].to_numpy(), cell["score_y"].to_numpy()
    distance, known = compare_standings(cell)
    apart = known & (distance > 1)
    ax = new_axes(5.6, 5.2) if ax is None else ax
    for rows, colour, marker, size in ((~apart, BLUE, "o", 5.0), (apart, ORANGE, "D", 5.6)):
        own = cell[rows]
        ax.hlines(own["score_y"], own["lower_x"], own["upper_x"], color=colour, lw=1.0, alpha=0.35)
        ax.vlines(own["score_x"], own["lower_y"], own["upper_y"], color=colour, lw=1.0, alpha=0.35)
        ax.plot(own["score_x"], own["score_y"], marker, color=colour, ms=size, mew=0, alpha=0.9)
    limits = ax.get_xlim(), ax.get_ylim()
    if len(cell) > 1 and x.std() > 0:
        ends = np.array(limits[0])
        ax.plot(ends, y.mean() + (ends - x.mean()) * y.std() / x.std(), color=GREY, lw=1.0, ls=(0, (4, 3)), zorder=0)
    ax.set_xlim(*limits[0])
    ax.set_ylim(*limits[1])
    tidy(ax, grid="both")
    ax.set_xlabel(f"ratings alone: {name_score(ratings_fusion)}")
    ax.set_ylabel(f"comparisons alone: {name_score(preferences_fusion)}")
    put_title(ax, title_cell(category, dimension))
    worst = np.argsort(-np.where(apart, distance, -np.inf), kind="stable")[: min(int(apart.sum()), NAMED)]
    write_names(ax, x[worst], y[worst], cell[ITEM].iloc[worst].tolist(), among=(x, y), colour=ORANGE)
    _describe(ax, ratings_fusion, preferences_fusion, cell, (category, dimension), known, apart)
    return ax


def compare_standings(cell: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Distance of the standardised scores over what their intervals allow, and where both intervals are known."""
    half = []
    z = []
    for end in ("_x", "_y"):
        score = cell[f"score{end}"].to_numpy(float)
        spread = float(score.std(ddof=1)) if len(score) > 1 else np.nan
        with np.errstate(invalid="ignore", divide="ignore"):
            z.append((score - score.mean()) / spread)
            half.append((cell[f"upper{end}"] - cell[f"lower{end}"]).to_numpy(float) / 2 / spread)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.abs(z[0] - z[1]) / np.hypot(half[0], half[1])
    known = np.isfinite(distance)
    return np.where(known, distance, 0.0), known


def _describe(
    ax: "Axes",
    rated: Fusion,
    compared: Fusion,
    cell: pd.DataFrame,
    names: tuple[str, str],
    known: np.ndarray,
    apart: np.ndarray,
) -> None:
    probs = {float(f.settings["interval_prob"]) for f in (rated, compared) if has_intervals(f)}
    raters = count_raters(rated, *names)
    by = f" by {count(raters, 'rater')}" if raters else ""
    items = f"{count(len(cell), 'item')}{by} in {name_cell(*names)}"
    lines = [f"Scores of {items}, from ratings alone against those from comparisons alone. Dashed: equal standing."]
    if known.any():
        interval = " and ".join(f"{prob:.0%}" for prob in sorted(probs))
        n, chance = int(apart.sum()), (1 - max(probs)) * int(known.sum())
        differ = "differs" if n == 1 else "differ"
        lines.append(f"Lines are {interval} intervals; {count(n, 'item')} (diamonds) {differ} by more than they allow.")
        lines.append(f"By chance at most about {chance:.0f} would.")
        if n > NAMED:
            lines.append(f"The {NAMED} largest differences are named.")
    else:
        lines.append("Without intervals in both fusions, no item can be said to disagree.")
    alone = sum(len(take_cell(f.scores, *names)) for f in (rated, compared)) - 2 * len(cell)
    if alone:
        lines.append(f"{count(alone, 'item')} of one protocol alone left out.")
    set_caption(ax, *lines)
