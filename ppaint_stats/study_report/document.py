"""StudyReport: the sections of a report, and the forms in which they are written."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ppaint_stats.report.files import write_text
from ppaint_stats.study_report.section import WORDS, Finding, Section, tabulate_findings
from ppaint_stats.study_report.thumbnails import Thumbnails

SEVERITY = {"bad": 0, "look": 1, "open": 2, "good": 3}


@dataclass(frozen=True, eq=False, repr=False)
class StudyReport:
    """The report of a study: the short answer, and a section for each part.

    Parameters
    ----------
    title
        Of the page.
    sections
        In the order in which they are shown; the first is the short answer.
    settings
        Version, seed, and whether the data are simulated.
    thumbnails
        Pictures of items.

    Examples
    --------
    >>> StudyReport("My study", (Section("Data", {}, "Twelve items.", anchor="data"),))
    StudyReport('My study'; sections: Data)
    """

    title: str
    sections: tuple[Section, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    thumbnails: Thumbnails = field(default_factory=Thumbnails)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All verdicts, what falls short first."""
        found = [finding for section in self.sections for finding in section.findings]
        return tuple(sorted(found, key=lambda finding: SEVERITY[finding.status]))

    def to_html(self, path: str | Path | None = None) -> str:
        """Write one self-contained page, for screens of any size, light and dark, and for paper.

        Parameters
        ----------
        path
            File to write, whole or not at all.

        Returns
        -------
        str
            The page.
        """
        from ppaint_stats.study_report.page import render_study

        page = render_study(self)
        if path is not None:
            write_text(path, page)
        return page

    def to_markdown(self, *, max_rows: int | None = None) -> str:
        """Write the report as Markdown; figures are left out.

        Parameters
        ----------
        max_rows
            Cut longer tables, and say so; by default every row is written.

        Returns
        -------
        str
            A heading for each section, and its tables as pipe tables.
        """
        parts = [f"# {self.title}"]
        for section in self.sections:
            text = section.to_markdown(max_rows=max_rows)
            parts.append("\n".join(f"#{line}" if line.startswith("#") else line for line in text.split("\n")))
            parts += [f"*{line}*" for line in section.missing]
        return "\n\n".join(parts)

    def to_json(self, *, indent: int | None = 2) -> str:
        """Write the report for programs: every number in full, figures left out.

        Parameters
        ----------
        indent
            Spaces of indentation; None writes one line.

        Returns
        -------
        str
            Valid JSON: ``title, settings, sections``, each section with its text, verdicts and tables.
        """
        from ppaint_stats.report.cells import to_plain

        sections = [{"name": s.anchor, **s.to_plain(), "missing": list(s.missing)} for s in self.sections]
        content = {"title": self.title, "settings": to_plain(self.settings), "sections": sections}
        return json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False)

    def _repr_html_(self) -> str:
        from ppaint_stats.study_report.page import render_notebook

        return render_notebook(self)

    def __str__(self) -> str:
        """Write the short answer."""
        return f"{self.title}\n\n{self.sections[0].text}" if self.sections else self.title

    def __repr__(self) -> str:
        """One line."""
        return f"StudyReport({self.title!r}; sections: {', '.join(s.title for s in self.sections)})"


def answer_shortly(sections: tuple[Section, ...]) -> Section:
    """Put the verdicts of all sections before them."""
    found = sorted((f for section in sections for f in section.findings), key=lambda f: SEVERITY[f.status])
    counted = Counter(f.status for f in found)
    heads = [f"{counted[status]} {WORDS[status]}" for status in SEVERITY if counted[status]]  # type: ignore[index]
    lines = [f"{WORDS[f.status].capitalize()}: {f.text} {f.action}".strip() for f in found]
    text = "\n\n".join([f"{len(found)} verdicts: {', '.join(heads)}." if found else "Nothing was judged.", *lines])
    return Section("The short answer", {"verdicts": tabulate_findings(found)}, text, anchor="answer")
