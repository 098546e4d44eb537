"""render_svg: a figure as SVG for web pages: small, the same on every run, its text still text."""

import hashlib
import io
import re
import warnings
from html import escape
from typing import TYPE_CHECKING

from ppaint_stats.errors import ArgumentError
from ppaint_stats.plots.frame import caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONTS = "'DejaVu Sans', Verdana, sans-serif"
"""The font that matplotlib measures with, then one of its width that most screens have."""

_NUMBERS = re.compile(r'(?<=\s)(d|x|y|transform|width|height|points)="([^"]*)"')
_LONG = re.compile(r"(\d+\.\d\d)\d+")


def render_svg(ax: "Axes", *, close: bool = False) -> str:
    """Write the figure that holds ``ax`` as an SVG element for a web page.

    Parameters
    ----------
    ax
        Axes that a plot function returned.
    close
        Whether to let go of the figure afterwards, if a plot function opened it: for those who draw many.

    Returns
    -------
    str
        ``<svg ...>...</svg>`` without an XML declaration: the same for the same figure, without date, with text as
        text (escaped), and the caption as the label that screen readers read.

    Raises
    ------
    ArgumentError
        If ``ax`` is not in a figure.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> from ppaint_stats.plots import render_svg
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> svg = render_svg(ps.plot_scores(ps.fuse_davidson(sim.study), dimension="mood"), close=True)
    >>> svg[:4], sim.study.items()[0] in svg
    ('<svg', True)
    """
    import matplotlib as mpl

    figure = ax.get_figure(root=True)
    if figure is None:
        raise ArgumentError("render_svg needs axes that are in a figure")
    try:
        words = caption(ax)
    except ArgumentError:
        words = ""
    # Several figures in one page must not share ids of clip paths and markers.
    salt = "ppaint-" + hashlib.sha256(words.encode()).hexdigest()[:12]
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
            bbox_inches="tight", pad_inches=0.05,
        )  # fmt: skip
    if close:
        import matplotlib.pyplot as plt

        plt.close(figure)  # of figures that pyplot does not know it does nothing
    return _slim(buffer.getvalue(), words)


def _slim(svg: str, words: str) -> str:
    """Leave out what a page does not need: declaration, metadata, ids nobody refers to, digits nobody sees."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r'(<[^<>]*?) id="([^"]+)"', lambda m: m[0] if m[2] in used else m[1], svg)
    svg = _NUMBERS.sub(lambda m: f'{m[1]}="{_LONG.sub(r"\1", m[2])}"', svg)
    svg = re.sub(r"'DejaVu Sans'(?:, [^;\"]+?)?(?=[;\"])", FONTS, svg)
    # The style sheet that matplotlib writes would hold for the whole page.
    svg = re.sub(r'<style type="text/css">.*?</style>', "", svg, flags=re.DOTALL)
    name = f' role="img" aria-label="{escape(words)}"' if words else ' role="img"'
    svg = svg.replace("<svg", f'<svg{name} style="stroke-linejoin: round; stroke-linecap: butt"', 1)
    return re.sub(r"\n\s*", "\n", svg).strip()
