"""plot_calibration: the map from latent scores to the rating scale, with the anchors that it was fitted to."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ppaint_stats.columns import ITEM
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.plots.cells import choose_cell, name_cell, require_fusion, take_cell, title_cell
from ppaint_stats.plots.frame import BLUE, ORANGE, count, new_axes, put_title, set_caption, tidy
from ppaint_stats.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("mood", "overall"))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> fusion = ps.fuse_davidson(study)
    >>> ax = ps.plot_calibration(fusion, study, dimension="mood")
    >>> ax.figure.savefig("calibration.svg")  # doctest: +SKIP
    """
    from ppaint_stats.fuse.cells import build_cells

    category, dimension = choose_cell(require_fusion(fusion, "plot_calibration").scores, category, dimension)
    maps = fusion.calibration
    row = take_cell(maps, category, dimension) if len(maps) else maps
    if row.empty or fusion.scale is None:
        raise ArgumentError(f"{fusion.method} fitted no map to the rating scale in {name_cell(category, dimension)}")
    at, scale = row.iloc[0], fusion.scale
    (cell,) = build_cells(study.select(categories=category, dimensions=dimension), protocols="both", random_seed=0)
    rating = pd.Series(cell.fit_ratings().item, index=cell.items)
    latent = fusion.select(category=category, dimension=dimension).set_index(ITEM)["latent"]
    margin = 0.12 * (latent.max() - latent.min())
    x = np.linspace(latent.min() - margin, latent.max() + margin, 200)
    ax = new_axes(5.8, 4.2) if ax is None else ax
    z = (x - at["midpoint"]) / at["width"]
    curve = scale.low + scale.span / (1 + np.exp(-(z + at["bend"] * z**3)))
    ax.plot(x, curve, color=BLUE, lw=2.2, label="map to the rating scale")
    name = f"rating scores of {int(at['n_anchors'])} items (rmse {at['rmse']:.2g})"
    ax.plot(latent, rating.reindex(latent.index), "o", color=ORANGE, alpha=0.75, ms=5, mew=0, label=name)
    room = 0.04 * scale.span
    ax.set_ylim(scale.low - room, scale.high + room)
    tidy(ax, grid="both")
    ax.set_xlabel("latent score" + (" (Elo points)" if fusion.method == "elo" else ""))
    ax.set_ylabel(f"rating scale {scale.low:g} to {scale.high:g}")
    put_title(ax, title_cell(category, dimension))
    ax.legend(loc="upper left", frameon=False, fontsize=9)
    anchors = count(int(at["n_anchors"]), "item")
    set_caption(
        ax,
        f"The map from latent scores ({fusion.method}) to the rating scale {scale.low:g} to {scale.high:g} in "
        f"{name_cell(category, dimension)}, with the rating scores of the {anchors} that it was fitted to (root mean "
        f"squared error {at['rmse']:.2g} rating units).",
    )
    return ax
