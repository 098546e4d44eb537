"""Pictures of fusions. Each function draws into ``ax`` or a new figure of a fitting size, and returns the axes."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours: apart for every kind of colour vision, and in grey
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A8A8A"
KEYS = [CATEGORY, DIMENSION, ITEM]


def plot_scores(
    fusion: Fusion,
    *,
    category: str | None = None,
    dimension: str | None = None,
    truth: pd.DataFrame | None = None,
    max_items: int = 50,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the scores of one category and dimension with their intervals, best on top.

    Parameters
    ----------
    fusion
        The fusion.
    category, dimension
        The cell; either may be left out where there is only one.
    truth
        Columns ``category, dimension, item`` and the fusion's target (``population``, ``panel`` or ``relative``), as
        `simulate_study` gives them: drawn beside the scores.
    max_items
        Of more items, this many are drawn, evenly spaced by rank; the title says so.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ArgumentError
        If there is no such cell, or it is not named and there are several.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> ax = plot_scores(ps.fuse_davidson(sim.study), dimension="mood", truth=sim.truth)
    >>> len(ax.get_yticklabels())
    12
    """
    category, dimension = _choose_cell(fusion, category, dimension)
    cell = fusion.select(category=category, dimension=dimension)
    n_items = len(cell)
    if n_items > max_items:
        cell = cell.iloc[np.unique(np.linspace(0, n_items - 1, max_items).round().astype(int))]
    ax = _new_axes(7.0, 1.7 + 0.19 * len(cell)) if ax is None else ax
    y = np.arange(len(cell))
    if cell["sd"].notna().all():
        label = f"{fusion.settings['interval_prob']:.0%} interval"
        ax.hlines(y, cell["lower"], cell["upper"], color=BLUE, lw=2.4, alpha=0.4, label=label)
    ax.plot(cell["score"], y, "o", color=BLUE, ms=4.6, label=f"fused score ({fusion.method})")
    if truth is not None:
        column = str(fusion.settings["target"])
        known = cell[KEYS].merge(truth[[*KEYS, column]], on=KEYS, how="left", validate="one_to_one")[column]
        ax.plot(known, y, "D", mfc="none", mec=ORANGE, mew=1.3, ms=5.0, label="truth")
    # Names shrink where many items share the height.
    ax.set_yticks(y, cell[ITEM].tolist(), fontsize=8 if len(cell) > 25 else 9)
    ax.set_ylim(len(cell) - 0.4, -0.6)
    _tidy(ax, grid="x")
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(_name_score(fusion))
    some = f", {len(cell)} of {n_items} items evenly by rank" if len(cell) < n_items else ""
    ax.set_title(f"{_name_cell(category, dimension)}{some}", loc="left", fontsize=11, pad=24)
    # Above the axes, under the title: there it can hide no interval.
    ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, frameon=False, fontsize=9, borderaxespad=0.1)
    return ax


def plot_agreement(fusion_a: Fusion, fusion_b: Fusion, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the scores of two fusions against each other, all cells in one.

    Parameters
    ----------
    fusion_a, fusion_b
        Fusions of the same items.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; the diagonal is drawn where both are on the rating scale.

    Raises
    ------
    ArgumentError
        If the fusions share no item.
    """
    both = fusion_a.scores.merge(fusion_b.scores, on=KEYS, suffixes=("_a", "_b"), validate="one_to_one")
    if both.empty:
        raise ArgumentError("the two fusions share no category, dimension and item")
    ax = _new_axes(5.4, 5.4) if ax is None else ax
    x, y = both["score_a"], both["score_b"]
    size, alpha = (5.0, 0.75) if len(both) < 200 else (3.4, 0.4)
    ax.plot(x, y, "o", color=BLUE, ms=size, alpha=alpha, mew=0)
    text = f"{len(both):,} scores"
    cells = both.groupby([CATEGORY, DIMENSION], sort=False)
    ranks = [g["score_a"].corr(g["score_b"], method="spearman") for _, g in cells if len(g) > 2]
    if ranks:
        kind = "median rank correlation in a cell" if len(ranks) > 1 else "rank correlation"
        text += f"\n{kind} {np.nanmedian(ranks):.3f}"
    if fusion_a.calibrated and fusion_b.calibrated:
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        ax.plot(ends, ends, color=GREY, lw=1.0, ls=(0, (4, 3)), zorder=0)
        ax.set_aspect("equal", adjustable="datalim")
        text += f"\nmean absolute difference {(x - y).abs().mean():.3f}"
    ax.text(0.03, 0.97, text, transform=ax.transAxes, va="top", fontsize=9, linespacing=1.4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2})  # fmt: skip
    _tidy(ax, grid="both")
    ax.set_xlabel(f"{fusion_a.method}: {_name_score(fusion_a)}")
    ax.set_ylabel(f"{fusion_b.method}: {_name_score(fusion_b)}")
    return ax


def plot_calibration(
    fusion: Fusion,
    study: Study,
    *,
    category: str | None = None,
    dimension: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the map from latent scores to the rating scale, with the rating scores of the items it was fitted to.

    Parameters
    ----------
    fusion
        A fusion with a fitted map (``fusion.calibration`` has a row for the cell).
    study
        The study that was fused.
    category, dimension
        The cell; either may be left out where there is only one.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ArgumentError
        If there is no such cell, or no map was fitted in it.

    Notes
    -----
    The points are the item effects of the two-way additive model of the ratings, so severe and lenient raters do not
    move them.
    """
    from ppaint_stats.fuse.cells import build_cells

    category, dimension = _choose_cell(fusion, category, dimension)
    maps = fusion.calibration
    row = maps[(maps[CATEGORY] == category) & (maps[DIMENSION] == dimension)]
    if row.empty or fusion.scale is None:
        raise ArgumentError(f"{fusion.method} fitted no map to the rating scale in {_name_cell(category, dimension)}")
    at, scale = row.iloc[0], fusion.scale
    (cell,) = build_cells(study.select(categories=category, dimensions=dimension), protocols="both", random_seed=0)
    rating = pd.Series(cell.fit_ratings().item, index=cell.items)
    latent = fusion.select(category=category, dimension=dimension).set_index(ITEM)["latent"]
    margin = 0.12 * (latent.max() - latent.min())
    x = np.linspace(latent.min() - margin, latent.max() + margin, 200)
    ax = _new_axes(5.8, 4.2) if ax is None else ax
    curve = scale.low + scale.span / (1 + np.exp(-(x - at["midpoint"]) / at["width"]))
    ax.plot(x, curve, color=BLUE, lw=2.2, label="map to the rating scale")
    label = f"rating scores of {int(at['n_anchors'])} items (rmse {at['rmse']:.2g})"
    ax.plot(latent, rating.reindex(latent.index), "o", color=ORANGE, alpha=0.75, ms=5, mew=0, label=label)
    room = 0.04 * scale.span
    ax.set_ylim(scale.low - room, scale.high + room)
    _tidy(ax, grid="both")
    ax.set_xlabel("latent score" + (" (Elo points)" if fusion.method == "elo" else ""))
    ax.set_ylabel(f"rating scale {scale.low:g} to {scale.high:g}")
    ax.set_title(_name_cell(category, dimension), loc="left", fontsize=11)
    ax.legend(loc="upper left", frameon=False, fontsize=9)
    return ax


def _choose_cell(fusion: Fusion, category: str | None, dimension: str | None) -> tuple[str, str]:
    cells = fusion.select(category=category, dimension=dimension)[[CATEGORY, DIMENSION]].drop_duplicates()
    if len(cells) != 1:
        held = ", ".join(f"{c} / {d}" for c, d in cells.head(5).itertuples(index=False))
        raise ArgumentError(f"name one category and dimension; {len(cells)} fit, among them {held}")
    return str(cells.iloc[0, 0]), str(cells.iloc[0, 1])


def _name_cell(category: str, dimension: str) -> str:
    return f"{category}, {dimension}"


def _name_score(fusion: Fusion) -> str:
    if not fusion.calibrated or fusion.scale is None:
        return "latent score"
    if fusion.settings["target"] == "relative":
        return "score minus the category's mean"
    return f"score on the scale {fusion.scale.low:g} to {fusion.scale.high:g}"


def _new_axes(width: float, height: float) -> "Axes":
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), dpi=150, layout="constrained")[1]


def _tidy(ax: "Axes", *, grid: str) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(axis=grid, color="#E4E4E4", lw=0.8)  # type: ignore[arg-type]  # "x" and "both" are both allowed
