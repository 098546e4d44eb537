"""A report as one self-contained page: no script, nothing loaded from elsewhere."""

from collections.abc import Mapping
from html import escape

import pandas as pd

from ppaint_stats.report.cells import format_cell
from ppaint_stats.report.figures import render_figure
from ppaint_stats.report.style import STYLE
from ppaint_stats.report.tables import render_table

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a page may load: its own style, and pictures that it holds."""


def render_body(
    title: str,
    tables: Mapping[str, pd.DataFrame],
    text: str,
    settings: Mapping[str, object],
    verdict: str,
    figures: Mapping[str, str | bytes],
    captions: Mapping[str, str],
) -> str:
    """Write the inner part of the page."""
    parts = [f"<h1>{escape(title)}</h1>"]
    if verdict:
        parts.append(f'<p class="{escape(verdict)}"><strong>{escape(verdict.capitalize())}.</strong></p>')
    parts.append(render_text(text))
    for name, figure in figures.items():
        parts.append(f"<h2>{escape(name)}</h2>\n{render_figure(name, figure, captions.get(name, ''))}")
    for name, table in tables.items():
        parts.append(f"<h2>{escape(name)}</h2>\n{render_table(table, name=name, caption=captions.get(name, ''))}")
    if settings:
        parts.append(f'<p class="settings">Settings: {escape(list_settings(settings))}</p>')
    return "\n".join(part for part in parts if part)


def render_text(text: str) -> str:
    """Write paragraphs, which empty lines part."""
    return "\n".join(f"<p>{escape(p.strip())}</p>" for p in text.split("\n\n") if p.strip())


def list_settings(settings: Mapping[str, object]) -> str:
    """Write settings as one line."""
    return "; ".join(f"{k} = {format_cell(v)}" for k, v in settings.items())


def render_page(title: str, body: str, *, style: str = STYLE, policy: str = POLICY) -> str:
    """Put the inner part into a whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n"
        f'<body class="ppaint">\n{body}\n</body>\n</html>\n'
    )


def render_fragment(body: str) -> str:
    """Put the inner part into a block for a notebook."""
    return f'<style>{STYLE}</style>\n<div class="ppaint">\n{body}\n</div>\n'
