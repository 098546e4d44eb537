"""Reports as files: the suffix chooses the format."""

from pathlib import Path
from typing import TYPE_CHECKING

from ppaint_stats.errors import ArgumentError
from ppaint_stats.progress import step
from ppaint_stats.report.files import write_text

if TYPE_CHECKING:
    from ppaint_stats.report import Report

SUFFIXES = (".md", ".html", ".json")


def check_report_path(path: Path | None) -> None:
    """Refuse a file whose format is not known, before any work is done."""
    if path is not None and path.suffix.lower() not in SUFFIXES:
        raise ArgumentError(f"--out {path}: the format is chosen by the suffix, and allowed are {', '.join(SUFFIXES)}")


def write_report(report: "Report", path: Path | None) -> None:
    """Write a report; None writes nothing."""
    if path is None:
        return
    with step(f"writing {path}"):
        if path.suffix.lower() == ".html":
            report.to_html(path)
        else:
            text = report.to_json() if path.suffix.lower() == ".json" else report.to_markdown()
            write_text(path, text + "\n")
