"""plot_design: which items are compared with which, as a graph."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, COUNT, DIMENSION, ITEM, ITEM_A, ITEM_B, RATER
from ppaint_stats.errors import ArgumentError
from ppaint_stats.kernels.graphs import link_components
from ppaint_stats.plots.cells import choose_cell, name_cell, take_cell, title_cell
from ppaint_stats.plots.frame import (
    BLUE,
    GREY,
    ORANGE,
    count,
    label,
    new_axes,
    put_title,
    set_caption,
)
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_NAMES = 60
"""More items than this are not named: their names would run into each other."""

MAX_SHAPES = 1000
"""More lines than this are drawn as one image."""


def plot_design(
    study: Study | pd.DataFrame, *, category: str | None = None, dimension: str | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw the comparison graph of one category and dimension: items on a circle, a line for each compared pair.

    Parameters
    ----------
    study
        A study with comparisons; or a design that has none yet, as :func:`ppaint_stats.locally_dense_pairs` and
        :func:`ppaint_stats.plan_comparisons` give it: a table with columns ``item_a`` and ``item_b``.
    category, dimension
        The cell of a study; either may be left out where there is only one.
    ax
        Axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Items that are compared often with each other are close together on the circle; thicker lines are more
        comparisons. Where the graph falls apart, all but its largest part are drawn hollow and in another colour.

    Raises
    ------
    ArgumentError
        If there are no comparisons, there is no such cell, or it is not named and there are several.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> from ppaint_stats.plots import caption, plot_design
    >>> pairs = ps.locally_dense_pairs([f"item {i}" for i in range(12)], n_pairs=30, random_seed=1)
    >>> caption(plot_design(pairs))
    'Comparison graph of 12 items: 30 pairs of 66, 5 comparisons of each item at the mean; it hangs together.'
    """
    pairs, items, where, title, raters = _read_design(study, category, dimension)
    names, a, b, weight = _sum_pairs(pairs, items)
    n = len(names)
    part = link_components(a, b, n)
    sizes = np.bincount(part)
    main = int(sizes.argmax())
    order = _arrange(a, b, weight, part)
    angle = np.empty(n)
    angle[order] = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    x, y = np.cos(angle), np.sin(angle)
    ax = new_axes(5.6, 5.6) if ax is None else ax
    _draw_lines(ax, angle, a, b, weight)
    for inside, face, edge, marker in ((part == main, BLUE, BLUE, "o"), (part != main, "white", ORANGE, "s")):
        ax.plot(
            x[inside], y[inside], marker, mfc=face, mec=edge, mew=1.4, ms=5 if n <= MAX_NAMES else 3, ls="", zorder=3
        )
    if n <= MAX_NAMES:
        _write_around(ax, names, angle)
    ax.set_aspect("equal")
    ax.set_axis_off()
    room = 1.06 if n > MAX_NAMES else 1.12 + 0.021 * max(len(label(name, longest=20)) for name in names)
    ax.set_xlim(-room, room)
    ax.set_ylim(-room, room)
    put_title(ax, title)
    degree = np.bincount(np.r_[a, b], weights=np.r_[weight, weight], minlength=n)
    alone = int((sizes == 1).sum())
    whole = (
        "it hangs together"
        if len(sizes) == 1
        else f"it falls into {len(sizes)} parts, the largest of {sizes[main]} items"
    )
    most = n * (n - 1) // 2
    set_caption(
        ax,
        f"Comparison graph of {count(n, 'item')}{where}: {count(len(a), 'pair')} of {most:,}{raters}, "
        f"{count_mean(float(degree.mean()))} of each item at the mean; {whole}.",
        f"{count(alone, 'item')} {'is' if alone == 1 else 'are'} compared with none." if alone else "",
        f"With more than {MAX_NAMES} items no names are written." if n > MAX_NAMES else "",
    )
    return ax


def count_mean(mean: float) -> str:
    """Write a mean number of comparisons.

    Examples
    --------
    >>> count_mean(5.0), count_mean(24.48)
    ('5 comparisons', '24.5 comparisons')
    """
    return f"{mean:.1f}".removesuffix(".0") + " comparisons"


def _read_design(
    study: object, category: str | None, dimension: str | None
) -> tuple[pd.DataFrame, list[str], str, str, str]:
    """Comparisons, items, and in words: where, the title, who compared."""
    if isinstance(study, pd.DataFrame):
        missing = [name for name in (ITEM_A, ITEM_B) if name not in study]
        if missing or study.empty:
            lack = f"it lacks {missing}" if missing else "it has no row"
            raise ArgumentError(f"a design needs the columns {ITEM_A!r} and {ITEM_B!r}, and comparisons; {lack}")
        if CATEGORY not in study or DIMENSION not in study:
            pairs, where, title = study, "", "Comparisons"
            items = list(dict.fromkeys(pd.concat([pairs[ITEM_A], pairs[ITEM_B]]).astype(str)))
            return pairs, items, where, title, _say_raters(pairs)
        whole, rated = study, None
    elif isinstance(study, Study):
        if study.preferences is None:
            raise ArgumentError("plot_design draws comparisons, and the study has none")
        whole, rated = study.preferences, study.ratings
    else:
        raise ArgumentError(f"plot_design takes a Study or a table of pairs, not a {type(study).__name__}")
    category, dimension = choose_cell(whole, category, dimension)
    pairs = take_cell(whole, category, dimension)
    lists = [pairs[ITEM_A], pairs[ITEM_B]]
    if rated is not None:
        lists.append(take_cell(rated, category, dimension)[ITEM])
    items = list(dict.fromkeys(pd.concat(lists).astype(str)))
    title = title_cell(category, dimension)
    return pairs, items, f" in {name_cell(category, dimension)}", title, _say_raters(pairs)


def _say_raters(pairs: pd.DataFrame) -> str:
    n = int(pairs[RATER].nunique()) if RATER in pairs else 0
    return f", compared by {count(n, 'rater')}" if n else ""


def _sum_pairs(pairs: pd.DataFrame, items: list[str]) -> tuple[list[str], IntArray, IntArray, FloatArray]:
    codes = pd.Index(items)
    ends = np.sort(
        np.column_stack([codes.get_indexer(pd.Index(pairs[name].astype(str))) for name in (ITEM_A, ITEM_B)]), axis=1
    )
    times = pairs[COUNT].to_numpy(float) if COUNT in pairs else np.ones(len(pairs))
    key, place = np.unique(ends[:, 0] * len(items) + ends[:, 1], return_inverse=True)
    return items, key // len(items), key % len(items), np.bincount(place, weights=times)


def _arrange(a: IntArray, b: IntArray, weight: FloatArray, part: IntArray) -> IntArray:
    """Order of the items round the circle: part by part, neighbours in the graph next to each other.

    In each part by the second eigenvector of the Laplacian: a locally dense design comes out in the order that it was
    made from.
    """
    sizes = np.bincount(part)
    order: list[int] = []
    for group in np.argsort(-sizes, kind="stable"):
        members = np.flatnonzero(part == group)
        if len(members) < 4:
            order += members.tolist()
            continue
        inside = part[a] == group
        place = np.searchsorted(members, np.column_stack([a[inside], b[inside]]))
        laplacian = np.zeros((len(members), len(members)))
        laplacian[place[:, 0], place[:, 1]] = laplacian[place[:, 1], place[:, 0]] = -weight[inside]
        np.fill_diagonal(laplacian, -laplacian.sum(axis=1))
        fiedler = np.linalg.eigh(laplacian)[1][:, 1]
        fiedler = fiedler * (1 if fiedler[0] <= 0 else -1)  # the sign is arbitrary: the first item comes early
        order += members[np.argsort(fiedler, kind="stable")].tolist()
    return np.array(order)


def _draw_lines(ax: "Axes", angle: FloatArray, a: IntArray, b: IntArray, weight: FloatArray) -> None:
    """Draw pairs as straight lines; of many items as curves that leave the rim, where short lines could not be seen."""
    from matplotlib.collections import LineCollection

    start, end = (np.column_stack([np.cos(angle[k]), np.sin(angle[k])]) for k in (a, b))
    ends = np.stack([start, end], axis=1)
    if len(angle) > MAX_NAMES:
        apart = np.arccos(np.clip((start * end).sum(axis=1), -1, 1)) / np.pi
        middle = (start + end) / np.maximum(np.linalg.norm(start + end, axis=1, keepdims=True), 1e-9)
        bend = middle * (1 - np.sqrt(apart))[:, None]
        t = np.linspace(0, 1, 13)[None, :, None]
        ends = (1 - t) ** 2 * start[:, None] + 2 * t * (1 - t) * bend[:, None] + t**2 * end[:, None]
    alpha = float(np.clip(120 / max(len(a), 1), 0.12, 0.6))
    width = 0.7 + 1.3 * (weight / weight.max(initial=1.0))
    lines = LineCollection(list(ends), colors=GREY, linewidths=width, alpha=alpha, rasterized=len(a) > MAX_SHAPES)
    ax.add_collection(lines)


def _write_around(ax: "Axes", names: list[str], angle: FloatArray) -> None:
    """Write names outwards from the circle; on the left half turned, so that none stands on its head."""
    for name, at in zip(names, angle.tolist(), strict=True):
        left = np.cos(at) < -1e-9
        ax.text(
            1.05 * np.cos(at), 1.05 * np.sin(at), label(name, longest=20), fontsize=8 if len(names) <= 30 else 7,
            rotation=np.degrees(at) + (180 if left else 0), rotation_mode="anchor", ha="right" if left else "left",
            va="center",
        )  # fmt: skip
