"""Figures in a page: a drawing with its caption, and a name for those who do not see it."""

import base64
import re
from html import escape

FOLLOWING = {
    "#ffffff": "ground", "#000000": "stroke", "#e4e4e4": "grid", "#767676": "grey", "#0072b2": "blue",
}  # fmt: skip
"""Colours of drawings that follow the page between light and dark; the others are seen on both."""

_STYLES = re.compile(r'(<[^<>]*\sstyle=")([^"<>]*)')
_COLOURS = re.compile("|".join(FOLLOWING))


def render_figure(name: str, figure: str | bytes, caption: str = "") -> str:
    """Write a figure.

    Parameters
    ----------
    name
        Its title, read out where the drawing has no label of its own.
    figure
        SVG as text, PNG as bytes.
    caption
        What it shows.
    """
    if isinstance(figure, bytes):
        data = base64.b64encode(figure).decode("ascii")
        drawing = f'<img alt="{escape(caption or name)}" src="data:image/png;base64,{data}">'
    else:
        # Only the drawing itself may stand inside a page, not the XML declaration before it.
        drawing = figure[max(figure.find("<svg"), 0) :]
        head, inside, rest = drawing.partition(">")
        if 'role="img"' not in head:
            closed = " /" if head.endswith("/") else ""
            head = f'{head.removesuffix("/").rstrip()} role="img" aria-label="{escape(caption or name)}"{closed}'
        if not head.endswith("/"):
            inside += f"<title>{escape(name)}</title>"
        drawing = follow_page(head + inside + rest)
    shown = f"\n<figcaption>{escape(caption)}</figcaption>" if caption else ""
    kind = "drawing" if "var(--" in drawing else "drawing plain"
    return f'<figure>\n<div class="{kind}">{drawing}</div>{shown}\n</figure>'


def follow_page(svg: str) -> str:
    """Let ground, lines and blue of a drawing follow the page; one that holds an image keeps its white ground.

    Examples
    --------
    >>> follow_page('<svg><path d="M 0 0" style="fill: none; stroke: #000000"/><text>#000000</text></svg>')
    '<svg><path d="M 0 0" style="fill: none; stroke: var(--stroke)"/><text>#000000</text></svg>'
    """
    if "<image" in svg:
        return svg
    return _STYLES.sub(lambda m: m[1] + _COLOURS.sub(lambda c: f"var(--{FOLLOWING[c[0]]})", m[2]), svg)
