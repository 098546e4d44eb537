"""Report: what one computation found, as tables, prose and figures that cannot disagree."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ppaint_stats.report.cells import format_cell, to_plain

if TYPE_CHECKING:
    from rich.console import Group

SCREEN_ROWS = 30
"""Longer tables are cut on the screen, and say so; files hold every row."""


@dataclass(frozen=True, eq=False)
class Report:
    """Tables, text and figures from one computation.

    Parameters
    ----------
    title : str
        What was computed.
    tables : mapping of str to pandas.DataFrame
        Tidy tables by name. An index that is not a plain count becomes a column.
    text : str
        Plain sentences written from the numbers of the tables; an empty line separates paragraphs.
    settings : mapping, optional
        What the computation was run with.
    passed : bool, optional
        Verdict of a check; None where there is nothing to pass.
    figures : mapping of str to str or bytes, optional
        Figures by name: SVG as text, PNG as bytes.
    captions : mapping of str to str, optional
        What figures and tables show, by their names.

    Examples
    --------
    >>> import pandas as pd
    >>> rates = pd.DataFrame({"rater": ["r1"], "rate": [0.123456]})
    >>> report = Report("Ties", {"rates": rates}, "One rater tied.", passed=True)
    >>> print(report)
    # Ties
    <BLANKLINE>
    **Passed.** One rater tied.
    <BLANKLINE>
    ## rates
    <BLANKLINE>
    | rater | rate |
    | --- | ---: |
    | r1 | 0.1235 |
    >>> report.to_json(indent=None)
    '{"title": "Ties", "passed": true, "text": "One rater tied.", "settings": {}, "tables": {"rates": [{"rater": "r1", \
"rate": 0.123456}]}}'
    """

    title: str
    tables: Mapping[str, pd.DataFrame]
    text: str
    settings: Mapping[str, object] = field(default_factory=dict)
    passed: bool | None = None
    figures: Mapping[str, str | bytes] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        flat = {
            str(name): table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
            for name, table in self.tables.items()
        }
        object.__setattr__(self, "tables", flat)
        object.__setattr__(self, "settings", dict(self.settings))
        object.__setattr__(self, "figures", dict(self.figures))
        object.__setattr__(self, "captions", dict(self.captions))

    @property
    def _verdict(self) -> str:
        return "" if self.passed is None else "passed" if self.passed else "failed"

    def to_json(self, *, indent: int | None = 2) -> str:
        """Write the report for programs: numbers in full, tables as lists of records, figures left out.

        Parameters
        ----------
        indent : int, optional
            Spaces of indentation; None writes one line.

        Returns
        -------
        str
            Valid JSON. Missing numbers are null, infinite ones ``"inf"`` or ``"-inf"``.
        """
        return json.dumps(self.to_plain(), indent=indent, ensure_ascii=False, allow_nan=False)

    def to_plain(self) -> dict[str, object]:
        """Turn the report into what JSON can hold: numbers in full, figures left out.

        Returns
        -------
        dict
            ``title, passed, text, settings, tables``, each table a list of its rows.
        """
        return {
            "title": self.title,
            "passed": self.passed,
            "text": self.text,
            "settings": to_plain(self.settings),
            "tables": {
                name: [
                    dict(zip(map(str, table.columns), map(to_plain, row), strict=True))
                    for row in table.itertuples(index=False, name=None)
                ]
                for name, table in self.tables.items()
            },
        }

    def to_markdown(self, *, max_rows: int | None = None) -> str:
        """Write the report as Markdown.

        Parameters
        ----------
        max_rows : int, optional
            Cut longer tables, and say so; by default every row is written.

        Returns
        -------
        str
            Headings, paragraphs and pipe tables.
        """
        verdict = f"**{self._verdict.capitalize()}.** " if self._verdict else ""
        parts = [f"# {self.title}", (verdict + self.text.strip()).strip()]
        for name, table in self.tables.items():
            parts.append(f"## {name}\n\n{_markdown_table(table, max_rows)}")
        if self.settings:
            parts.append("Settings: " + "; ".join(f"{k} = {format_cell(v)}" for k, v in self.settings.items()))
        return "\n\n".join(part for part in parts if part)

    def to_html(self, path: str | Path | None = None) -> str:
        """Write the report as one self-contained page for light and dark screens.

        Parameters
        ----------
        path : path, optional
            File to write the page to.

        Returns
        -------
        str
            The page.
        """
        # Here and not at the top: the screen needs none of it.
        from ppaint_stats.report.files import write_text
        from ppaint_stats.report.html import render_page

        page = render_page(self.title, self._html_body())
        if path is not None:
            write_text(path, page)
        return page

    def _html_body(self) -> str:
        from ppaint_stats.report.html import render_body

        return render_body(
            self.title, self.tables, self.text, self.settings, self._verdict, self.figures, self.captions
        )

    def _repr_html_(self) -> str:
        from ppaint_stats.report.html import render_fragment

        return render_fragment(self._html_body())

    def __rich__(self) -> "Group":
        from rich.console import Group
        from rich.rule import Rule
        from rich.table import Table
        from rich.text import Text

        # Text objects throughout, since names of items and raters may look like markup.
        parts: list[Rule | Table | Text] = [Rule(Text(self.title, style="bold"), align="left")]
        if self._verdict:
            parts.append(Text(self._verdict.capitalize(), style="bold green" if self.passed else "bold red"))
        if self.text:
            parts.append(Text(self.text.strip()))
        for name, table in self.tables.items():
            if table.empty:
                parts += [Text(""), Text(f"{name}: no rows", style="dim")]
                continue
            shown = Table(title=Text(name, style="bold"), title_justify="left", header_style="bold")
            for column, dtype in table.dtypes.items():
                right = pd.api.types.is_numeric_dtype(dtype)
                shown.add_column(Text(str(column)), justify="right" if right else "left", overflow="fold")
            for row in table.head(SCREEN_ROWS).itertuples(index=False, name=None):
                shown.add_row(*(Text(format_cell(value)) for value in row))
            parts += [Text(""), shown]
            if len(table) > SCREEN_ROWS:
                parts.append(Text(_count_rest(table, SCREEN_ROWS), style="dim"))
        if self.settings:
            listed = "; ".join(f"{k} = {format_cell(v)}" for k, v in self.settings.items())
            parts += [Text(""), Text(f"Settings: {listed}", style="dim")]
        return Group(*parts)

    def __str__(self) -> str:
        return self.to_markdown(max_rows=SCREEN_ROWS)

    def __repr__(self) -> str:
        verdict = f", {self._verdict}" if self._verdict else ""
        return f"Report({self.title!r}{verdict}; tables: {', '.join(self.tables) or 'none'})"


def _count_rest(table: pd.DataFrame, shown: int) -> str:
    rest = len(table) - shown
    return f"... and {rest:,} more row{'s' if rest > 1 else ''}"


def _markdown_table(table: pd.DataFrame, max_rows: int | None) -> str:
    if table.empty:
        return "No rows."
    rules = ["---:" if pd.api.types.is_numeric_dtype(dtype) else "---" for dtype in table.dtypes]
    lines = [_markdown_row(table.columns), _markdown_row(rules)]
    shown = table if max_rows is None else table.head(max_rows)
    lines += [_markdown_row(row) for row in shown.itertuples(index=False, name=None)]
    if len(shown) < len(table):
        lines.append("\n" + _count_rest(table, len(shown)))
    return "\n".join(lines)


def _markdown_row(values: object) -> str:
    cells = [format_cell(v).replace("|", "\\|").replace("\n", " ") for v in values]  # type: ignore[attr-defined]
    return f"| {' | '.join(cells)} |"
