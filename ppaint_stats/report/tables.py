"""Tables as HTML: a caption, headers with a scope, numbers that line up, an interval beside its number."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from ppaint_stats.report.cells import format_cell

ENDS = ("lower", "upper")

LONG_WORD = 24
"""Longer words are broken, so that a table of them is not too wide."""


def render_table(
    table: pd.DataFrame,
    *,
    name: str = "",
    caption: str = "",
    words: Mapping[str, str] | None = None,
    heads: Sequence[str] = (),
    merge: bool = False,
    attributes: str = "",
    cells: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Write a table.

    Parameters
    ----------
    table
        Rows and columns; names and values are escaped.
    name
        Label of the region that scrolls.
    caption
        Text above it.
    words
        What a column is called on the page, where that is not its name.
    heads
        Columns whose cells are heads of their rows.
    merge
        Write a number and its interval, ``x, x_lower, x_upper``, into one cell.
    attributes
        Attributes of the region around the table, already written.
    cells
        By column, ready markup for its cells, in the order of the rows.

    Returns
    -------
    str
        A region that scrolls by itself, and can be reached by keyboard.
    """
    if table.empty:
        return "<p>No rows.</p>"
    ready = cells or {}
    columns = [_Column(table, str(c), merge, ready.get(str(c))) for c in _kept(table, merge)]
    words = words or {}
    head = ""
    for c in columns:
        title = words.get(c.name, c.name.replace("_", " ") if merge else c.name)
        plain = " data-plain" if c.ready is not None else ""  # pictures have no order
        head += f'<th scope="col"{c.css}{plain}>{escape(title)}</th>'
    rows = []
    for i in range(len(table)):
        line = "".join(
            f'<th scope="row"{c.css}>{c.text(i)}</th>' if c.name in heads else f"<td{c.css}{c.key(i)}>{c.text(i)}</td>"
            for c in columns
        )
        rows.append(f"<tr>{line}</tr>")
    titled = f"<caption>{escape(caption)}</caption>\n" if caption else ""
    label = escape(name or "table")
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"{attributes}><table>\n{titled}'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table></div>"
    )


def find_ends(columns: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Find the columns that hold the interval of another one.

    Examples
    --------
    >>> find_ends(["item", "score", "sd", "lower", "upper", "rank", "rank_lower", "rank_upper"])
    {'score': ('lower', 'upper'), 'rank': ('rank_lower', 'rank_upper')}
    """
    known = set(columns)
    found = {
        name: (f"{name}_lower", f"{name}_upper") for name in columns if {f"{name}_lower", f"{name}_upper"} <= known
    }
    if set(ENDS) <= known:
        owner = next((name for name in ("estimate", "score", "difference", "value", "mean") if name in known), None)
        if owner is not None and owner not in found:
            found = {name: ends for name, ends in {**found, owner: ENDS}.items() if name in known}
    return {name: found[name] for name in columns if name in found}


def write_interval(value: float, lower: float, upper: float, decimals: int = 2) -> str:
    """Write a number with its interval.

    Examples
    --------
    >>> write_interval(0.5, 0.25, float("inf")), write_interval(3.0, float("nan"), float("nan"), 0)
    ('0.50 [0.25, inf]', '3')
    """
    if math.isnan(value):
        return ""
    middle = write_number(value, decimals)
    if math.isnan(lower) or math.isnan(upper):
        return middle
    return f"{middle} [{write_number(lower, decimals)}, {write_number(upper, decimals)}]"


def write_number(value: float, decimals: int) -> str:
    """Write a number with so many decimals; what rounds to zero has no sign."""
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def choose_decimals(values: np.ndarray) -> int:
    """Decimals that tell the values of a column apart: none for whole numbers, else as their size asks."""
    known = np.abs(values[np.isfinite(values)])
    if not len(known) or bool((known == np.rint(known)).all()):
        return 0
    largest, middle = float(known.max()), float(np.median(known))
    if largest >= 1000:
        return 0
    if largest >= 100:
        return 1
    return 2 if middle >= 0.095 else 3


def _kept(table: pd.DataFrame, merge: bool) -> list[Any]:
    if not merge:
        return list(table.columns)
    inside = {end for ends in find_ends([str(c) for c in table.columns]).values() for end in ends}
    return [c for c in table.columns if str(c) not in inside]


class _Column:
    """One column as it is shown: its cells, and what they are sorted by."""

    def __init__(self, table: pd.DataFrame, name: str, merge: bool, ready: Sequence[str] | None) -> None:
        self.name, self.ready = name, ready
        series = table[name]
        numeric = pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype)
        ends = find_ends([str(c) for c in table.columns]).get(name) if merge else None
        self.css = ' class="number"' if numeric else ""
        self.keys: np.ndarray | None = None
        if not (merge and numeric):
            self.texts = [format_cell(value) for value in series]
            if not numeric and any(len(word) > LONG_WORD for text in self.texts for word in text.split()):
                self.css = ' class="long"'
            return
        values = series.to_numpy(float, na_value=np.nan)
        parts = [values]
        if ends:
            parts += [table[end].to_numpy(float, na_value=np.nan) for end in ends]
            self.keys = values
        decimals = choose_decimals(np.concatenate(parts))
        small = decimals == 3 and bool((np.abs(values[np.isfinite(values)]) < 5e-4).any())
        if small and not ends:
            self.texts = [format_cell(value, digits=2) for value in values]
        elif ends:
            self.texts = [write_interval(x, a, b, decimals) for x, a, b in zip(*parts, strict=True)]
        else:
            self.texts = ["" if math.isnan(value) else write_number(value, decimals) for value in values]

    def text(self, i: int) -> str:
        return self.ready[i] if self.ready is not None else escape(self.texts[i])

    def key(self, i: int) -> str:
        return "" if self.keys is None or math.isnan(self.keys[i]) else f' data-v="{self.keys[i]:.6g}"'
