"""What all plots share: colours, new axes, sentences about what is shown, and names that stay text."""

import unicodedata
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from ppaint_stats.arguments import check_count
from ppaint_stats.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours: apart for every kind of colour vision, and in grey
BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
GREY, PALE = "#767676", "#E4E4E4"

LONGEST_NAME = 28
"""Longer names are cut in the middle: what tells items apart is often at the end."""

_CAPTIONS: "WeakKeyDictionary[Axes, str]" = WeakKeyDictionary()


def caption(ax: "Axes") -> str:
    """Say in words what a plot shows, and for how many items and raters.

    Parameters
    ----------
    ax
        Axes that a plot function of this package returned.

    Returns
    -------
    str
        One to three sentences. Names of items, raters and dimensions in it are plain text, to be escaped by whoever
        writes it into a page.

    Raises
    ------
    ArgumentError
        If no plot function of this package has drawn into the axes.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> from ppaint_stats.plots import caption
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> ax = ps.plot_scores(ps.fuse_davidson(sim.study), dimension="mood")
    >>> caption(ax)
    'Fused scores (davidson) of 12 items by 5 raters in flower-and-bird, mood, on the scale 1 to 5, with 90% intervals.'
    """
    if ax not in _CAPTIONS:
        raise ArgumentError("there is no caption: no plot function of this package has drawn into these axes")
    return _CAPTIONS[ax]


def set_caption(ax: "Axes", *sentences: str) -> None:
    """Keep what a plot shows, as long as its axes live."""
    _CAPTIONS[ax] = " ".join(sentence for sentence in sentences if sentence)


def new_axes(width: float, height: float) -> "Axes":
    """Open a figure of this size in inches, with one pair of axes."""
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), dpi=150, layout="constrained")[1]


def tidy(ax: "Axes", *, grid: str) -> None:
    """Leave two spines and a pale grid along "x", "y" or "both"."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(axis=grid, color=PALE, lw=0.8)  # type: ignore[arg-type]  # a str is one of the three allowed


def put_legend(ax: "Axes", *, ncols: int = 3) -> None:
    """Put the legend above the axes, under the title: there it can hide nothing."""
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=ncols, frameon=False, fontsize=9, borderaxespad=0.1,
        columnspacing=1.2, handletextpad=0.5,
    )  # fmt: skip


ROOM_FOR_LEGEND = 24
"""Points between axes and title where a legend of one line is between them."""


def put_title(ax: "Axes", text: str, *, pad: float | None = None) -> None:
    """Write a title on the left, as text."""
    ax.set_title(text, loc="left", fontsize=11, pad=pad)


def label(name: object, *, longest: int = LONGEST_NAME) -> str:
    r"""Turn a name into one short line that no formula is read into.

    Parameters
    ----------
    name
        Name of an item, rater, category or dimension; may hold anything.
    longest
        Longest text that is not cut.

    Returns
    -------
    str
        Text for a label; a dollar sign is written so that it is drawn as one.

    Examples
    --------
    >>> print(label("cost $x$"))
    cost \$x\$
    >>> label("two\nlines"), len(label("long" * 50))
    ('two lines', 28)
    """
    text = plain(name, longest=longest)
    return text.replace("$", r"\$")


def plain(name: object, *, longest: int = LONGEST_NAME) -> str:
    """Turn a name into one short line, for captions: like `label`, without marks for the drawing."""
    # Control and private characters have no picture, and some are not allowed in SVG.
    kept = "".join(" " if unicodedata.category(c) in {"Cc", "Cs", "Cn", "Zl", "Zp"} else c for c in str(name))
    text = " ".join(kept.split())
    if len(text) <= longest:
        return text
    head = (longest - 1) // 2
    return f"{text[:head]}…{text[len(text) - (longest - 1 - head) :]}"


def count(n: int, noun: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> count(1, "item"), count(1200, "item"), count(2, "category")
    ('1 item', '1,200 items', '2 categories')
    """
    if n == 1:
        return f"1 {noun}"
    return f"{n:,} {noun[:-1]}ies" if noun.endswith("y") else f"{n:,} {noun}s"


def spread_evenly(n: int, most: int) -> list[int]:
    """Places of at most ``most`` of ``n`` things in order, evenly spaced, the first and the last among them.

    Examples
    --------
    >>> spread_evenly(3, 5), spread_evenly(9, 3)
    ([0, 1, 2], [0, 4, 8])
    """
    check_count("max_items", most, 1)
    if n <= most:
        return list(range(n))
    return [int(i) for i in np.unique(np.linspace(0, n - 1, most).round())]
