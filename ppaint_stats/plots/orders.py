"""plot_orders: Elo scores of a few items while comparisons come in, in several random orders."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ppaint_stats.arguments import check_count, check_positive
from ppaint_stats.columns import CATEGORY, DIMENSION
from ppaint_stats.errors import ArgumentError
from ppaint_stats.plots.cells import choose_cell, name_cell, title_cell
from ppaint_stats.plots.frame import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    YELLOW,
    count,
    label,
    new_axes,
    plain,
    put_title,
    set_caption,
    spread_evenly,
    tidy,
)
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, Protocols, RandomSeed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY)
MARKS = ("o", "s", "^", "D", "v", "P")


def plot_orders(
    study: Study,
    *,
    category: str | None = None,
    dimension: str | None = None,
    items: Sequence[str] | None = None,
    max_items: int = 4,
    n_orders: int = 8,
    n_passes: int = 3,
    k: float = 32.0,
    protocols: Protocols = "both",
    random_seed: RandomSeed = 0,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw how the Elo scores of a few items move while the comparisons are played, in several random orders.

    Parameters
    ----------
    study
        A study with comparisons.
    category, dimension
        The cell; either may be left out where there is only one.
    items
        Items to draw, six at most; by default ``max_items`` of them, evenly spaced by their final score.
    max_items
        How many items are chosen where none are named.
    n_orders
        Random orders.
    n_passes
        Passes over the comparisons; the step falls from ``k`` to k/2, k/3 and so on.
    k, protocols
        As for :func:`ppaint_stats.fuse_elo`, whose start values and virtual draws are used.
    random_seed
        Seed of the orders.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: thin lines are single orders, thick ones their mean; upright lines are the ends of passes.

    Raises
    ------
    ArgumentError
        If the study has no comparisons in the cell, there is no such cell or item, or it is not named and there are
        several.
    DisconnectedGraphError
        If nothing links some items to the others.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> from ppaint_stats.plots import caption, plot_orders
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> plot_orders(sim.study, dimension="mood", max_items=2, n_orders=5).get_ylabel()
    'Elo score, points'
    """
    from ppaint_stats.fuse.elo import BASE

    if not isinstance(study, Study):
        kind = type(study).__name__
        raise ArgumentError(f"plot_orders takes the study whose comparisons are played, not a {kind}")
    if study.preferences is None:
        raise ArgumentError("plot_orders plays comparisons, and the study has none")
    check_count("n_orders", n_orders, 1)
    check_count("n_passes", n_passes, 1)
    check_count("max_items", max_items, 1)
    check_positive("k", k)
    category, dimension = choose_cell(study.preferences[[CATEGORY, DIMENSION]], category, dimension)
    names, played, traces = _trace(study, category, dimension, n_orders, n_passes, k, protocols, random_seed)
    final = traces[-1].mean(axis=0)
    shown = _choose_items(names, final, items, min(max_items, len(COLOURS)))
    ax = new_axes(6.6, 4.2) if ax is None else ax
    end = float(played[-1])
    n_games = end / n_passes
    for turn in range(1, n_passes):
        ax.axvline(turn * n_games, color=GREY, lw=0.8, ls=":")
    ax.axhline(BASE, color=GREY, lw=0.9, ls=(0, (4, 3)))
    for place, colour, mark in zip(shown, COLOURS, MARKS, strict=False):
        own = traces[:, :, place]
        ax.plot(played, own, color=colour, lw=0.6, alpha=0.45)
        ax.plot(played, own.mean(axis=1), color=colour, lw=2.0, marker=mark, ms=4.5,
                markevery=max(len(played) // (3 * n_passes), 1), label=label(names[place]))  # fmt: skip
    _name_ends(ax, [final[place] for place in shown], [names[place] for place in shown], end)
    ax.set_xlim(0, end)
    ax.locator_params(axis="x", nbins=5)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    tidy(ax, grid="y")
    ax.set_xlabel("comparisons played")
    ax.set_ylabel("Elo score, points")
    put_title(ax, title_cell(category, dimension))
    most = float(traces[-1].std(axis=0).max()) if n_orders > 1 else float("nan")
    chosen = ", ".join(plain(names[place]) for place in shown)
    passes = "once" if n_passes == 1 else f"in {n_passes} passes"
    varies = f"At the end an item's score varies between orders by a standard deviation of at most {most:.1f} points."
    set_caption(
        ax,
        f"Elo scores of {len(shown)} of {count(len(names), 'item')} in {name_cell(category, dimension)} ({chosen}), "
        f"while {count(round(n_games), 'comparison')} are played {passes}, in {count(n_orders, 'random order')} (thin "
        "lines; thick: their mean).",
        varies if n_orders > 1 else "",
    )
    return ax


def _trace(
    study: Study,
    category: str,
    dimension: str,
    n_orders: int,
    n_passes: int,
    k: float,
    protocols: Protocols,
    random_seed: RandomSeed,
) -> tuple[tuple[str, ...], FloatArray, FloatArray]:
    """Items of the cell, comparisons played, and scores by point, order and item."""
    from ppaint_stats.fuse.cells import build_cells
    from ppaint_stats.fuse.davidson import fit_anchored_cell
    from ppaint_stats.fuse.elo import prepare_games
    from ppaint_stats.fuse.engine import check_connected
    from ppaint_stats.kernels.elo import trace_elo

    if protocols not in {"both", "preferences"}:
        raise ArgumentError(f"protocols={protocols!r} plays no comparisons: 'both' and 'preferences' do")
    part = study.select(categories=category, dimensions=dimension)
    (cell,) = build_cells(part, protocols=protocols, random_seed=random_seed)
    check_connected(cell)
    games = prepare_games(cell, fit_anchored_cell(cell))
    played, traces = trace_elo(
        games.a, games.b, games.score, games.weight, games.start, games.anchor, order_effect=games.order_effect, k=k,
        n_orders=n_orders, n_passes=n_passes, n_points=60, random_seed=cell.seed,
    )  # fmt: skip
    return cell.items, played.astype(float), traces


def _choose_items(names: tuple[str, ...], final: FloatArray, items: Sequence[str] | None, most: int) -> list[int]:
    """Places of the items to draw, best first."""
    order = np.argsort(-final, kind="stable")
    if items is None:
        return [int(order[i]) for i in spread_evenly(len(names), most)]
    wanted = [items] if isinstance(items, str) else list(items)
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted or len(wanted) > len(COLOURS):
        raise ArgumentError(
            f"items={items!r} must be one to {len(COLOURS)} items of the cell"
            + (f"; not in it are {unknown[:5]}" if unknown else "")
        )
    return sorted({names.index(name) for name in wanted}, key=lambda place: -final[place])


def _name_ends(ax: "Axes", ends: list[float], names: list[str], x: float) -> None:
    """Write names at the ends of their lines, moved apart where the lines end close together."""
    low, high = ax.get_ylim()
    gap = 0.05 * (high - low)
    place = list(ends)  # from the highest down
    for i in range(1, len(place)):
        place[i] = min(place[i], place[i - 1] - gap)
    for end, at, name, colour in zip(ends, place, names, COLOURS, strict=False):
        ax.annotate(
            label(name, longest=22), (x, end), xytext=(1.02, at), textcoords=("axes fraction", "data"), fontsize=9,
            color=colour, va="center", annotation_clip=False,
        )  # fmt: skip
