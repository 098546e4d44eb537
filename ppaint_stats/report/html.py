"""A report as one self-contained page: no script, nothing loaded from elsewhere."""

import base64
from collections.abc import Mapping
from html import escape

import pandas as pd

from ppaint_stats.report.cells import format_cell

STYLE = """
.ppaint { color-scheme: light dark; --ink: #1d2329; --soft: #5b6570; --line: #d5dbe1; --band: #f4f6f8; --page: #fff;
  --good: #1a7f4b; --bad: #b3261e; color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .ppaint { --ink: #e4e8ec; --soft: #a2acb6; --line: #3a434c; --band: #20262c;
  --page: #15191d; --good: #5fc98f; --bad: #f2867e; } }
body.ppaint { background: var(--page); max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
.ppaint h1 { font-size: 1.6rem; } .ppaint h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.ppaint p { max-width: 46rem; } .ppaint .scroll { overflow-x: auto; }
.ppaint table { border-collapse: collapse; font-size: .9rem; }
.ppaint th, .ppaint td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
.ppaint th { border-bottom: 2px solid var(--line); } .ppaint tbody tr:nth-child(even) { background: var(--band); }
.ppaint .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.ppaint .settings { color: var(--soft); font-size: .85rem; }
.ppaint .passed { color: var(--good); } .ppaint .failed { color: var(--bad); }
.ppaint img, .ppaint svg { max-width: 100%; height: auto; }
"""


def render_body(
    title: str,
    tables: Mapping[str, pd.DataFrame],
    text: str,
    settings: Mapping[str, object],
    verdict: str,
    figures: Mapping[str, str | bytes],
) -> str:
    """Write the inner part of the page."""
    parts = [f"<h1>{escape(title)}</h1>"]
    if verdict:
        parts.append(f'<p class="{escape(verdict)}"><strong>{escape(verdict.capitalize())}.</strong></p>')
    parts += [f"<p>{escape(paragraph.strip())}</p>" for paragraph in text.split("\n\n") if paragraph.strip()]
    for name, figure in figures.items():
        parts.append(f"<h2>{escape(name)}</h2>\n{_render_figure(name, figure)}")
    for name, table in tables.items():
        parts.append(f"<h2>{escape(name)}</h2>\n{_render_table(table)}")
    if settings:
        listed = "; ".join(f"{escape(str(k))} = {escape(format_cell(v))}" for k, v in settings.items())
        parts.append(f'<p class="settings">Settings: {listed}</p>')
    return "\n".join(parts)


def render_page(title: str, body: str) -> str:
    """Put the inner part into a whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f'<body class="ppaint">\n{body}\n</body>\n</html>\n'
    )


def render_fragment(body: str) -> str:
    """Put the inner part into a block for a notebook."""
    return f'<style>{STYLE}</style>\n<div class="ppaint">\n{body}\n</div>\n'


def _render_table(table: pd.DataFrame) -> str:
    if table.empty:
        return "<p>No rows.</p>"
    classes = [' class="number"' if pd.api.types.is_numeric_dtype(dtype) else "" for dtype in table.dtypes]
    head = "".join(f"<th{c}>{escape(str(name))}</th>" for name, c in zip(table.columns, classes, strict=True))
    rows = [
        "<tr>" + "".join(f"<td{c}>{escape(format_cell(v))}</td>" for v, c in zip(row, classes, strict=True)) + "</tr>"
        for row in table.itertuples(index=False, name=None)
    ]
    return (
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody>\n</table></div>"
    )


def _render_figure(name: str, figure: str | bytes) -> str:
    if isinstance(figure, bytes):
        data = base64.b64encode(figure).decode("ascii")
        return f'<img alt="{escape(name)}" src="data:image/png;base64,{data}">'
    # Only the drawing itself may stand inside a page, not the XML declaration before it.
    return figure[max(figure.find("<svg"), 0) :]
