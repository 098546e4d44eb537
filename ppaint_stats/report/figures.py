"""Figures in a page: a drawing with its caption, and a name for those who do not see it."""

import base64
from html import escape


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
        drawing = head + inside + rest
    shown = f"\n<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure>\n<div class="drawing">{drawing}</div>{shown}\n</figure>'
