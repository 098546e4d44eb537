"""plot_agreement: the scores of two fusions against each other."""

from typing import TYPE_CHECKING

import numpy as np

from ppaint_stats.columns import CATEGORY, DIMENSION
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.plots.cells import KEYS, name_score, require_fusion
from ppaint_stats.plots.frame import BLUE, GREY, count, new_axes, set_caption, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MANY = 2000
"""More points than this are drawn as one image: a page with each of them as a shape would be slow."""


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

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("mood", "overall"))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> fusion = ps.fuse_davidson(study)
    >>> elo = ps.fuse_elo(study, interval="none", random_seed=1)
    >>> ax = ps.plot_agreement(elo, fusion)
    >>> ax.figure.savefig("agreement.svg")  # doctest: +SKIP
    """
    require_fusion(fusion_a, "plot_agreement")
    require_fusion(fusion_b, "plot_agreement")
    both = fusion_a.scores.merge(fusion_b.scores, on=KEYS, suffixes=("_a", "_b"), validate="one_to_one")
    if both.empty:
        raise ArgumentError("the two fusions share no category, dimension and item")
    ax = new_axes(5.4, 5.4) if ax is None else ax
    x, y = both["score_a"], both["score_b"]
    size, alpha = (5.0, 0.75) if len(both) < 200 else (3.4, 0.4)
    ax.plot(x, y, "o", color=BLUE, ms=size, alpha=alpha, mew=0, rasterized=len(both) > MANY)
    lines = [f"{len(both):,} scores"]
    cells = both.groupby([CATEGORY, DIMENSION], sort=False)
    ranks = [g["score_a"].corr(g["score_b"], method="spearman") for _, g in cells if len(g) > 2]
    if ranks:
        kind = "median rank correlation in a cell" if len(ranks) > 1 else "rank correlation"
        lines.append(f"{kind} {np.nanmedian(ranks):.3f}")
    if fusion_a.calibrated and fusion_b.calibrated:
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        ax.plot(ends, ends, color=GREY, lw=1.0, ls=(0, (4, 3)), zorder=0)
        ax.set_aspect("equal", adjustable="datalim")
        lines.append(f"mean absolute difference {(x - y).abs().mean():.3f}")
    ax.text(0.03, 0.97, "\n".join(lines), transform=ax.transAxes, va="top", fontsize=9, linespacing=1.4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2})  # fmt: skip
    tidy(ax, grid="both")
    ax.set_xlabel(f"{fusion_a.method}: {name_score(fusion_a)}")
    ax.set_ylabel(f"{fusion_b.method}: {name_score(fusion_b)}")
    alone = len(fusion_a.scores) + len(fusion_b.scores) - 2 * len(both)
    cells_shown = count(cells.ngroups, "cell")
    set_caption(
        ax,
        f"{count(len(both), 'score')} by {fusion_a.method} and by {fusion_b.method}, of {cells_shown} of category and "
        f"dimension: {'; '.join(lines[1:])}.",
        f"{count(alone, 'score')} of one fusion alone, without a counterpart, left out." if alone else "",
    )
    return ax
