"""``ppaint reliability``: how far each protocol and each rater of a study can be trusted."""

import math
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ppaint_stats.cli import inputs
from ppaint_stats.cli.frame import Json, Quiet, Screen, Verbose
from ppaint_stats.errors import ArgumentError
from ppaint_stats.progress import step

if TYPE_CHECKING:
    import pandas as pd

    from ppaint_stats.report import Report

NAMES = ("reliability.md", "reliability.html", "reliability.json")
"""Files of a report whose --out is a folder; its tables are beside them."""

SHOWN = 10
"""Raters and items on the screen."""


class Resampled(StrEnum):
    """What is resampled."""

    BOTH = "both"
    ITEMS = "items"


class LevelName(StrEnum):
    """Metric of Krippendorff's alpha."""

    AUTO = "auto"
    ORDINAL = "ordinal"
    NOMINAL = "nominal"
    INTERVAL = "interval"
    RATIO = "ratio"


def reliability(
    study: inputs.StudyFolder = None,
    ratings: inputs.RatingsFile = None,
    preferences: inputs.PreferencesFile = None,
    scale: inputs.Scale = None,
    columns: inputs.Columns = None,
    tie_margin: inputs.TieMargin = None,
    missing: inputs.MissingRows = inputs.Missing.ERROR,
    encoding: inputs.Encoding = "utf-8",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write every number: a .md, .html or .json file, or a folder for all."),
    ] = None,
    n_boot: Annotated[int, typer.Option("--n-boot", help="Bootstrap replicates; 0: no intervals.")] = 2000,
    interval_prob: Annotated[float, typer.Option("--interval-prob", help="Probability of the intervals.")] = 0.95,
    resample: Annotated[
        Resampled, typer.Option("--resample", help="Items and raters, or items alone: these raters only.")
    ] = Resampled.BOTH,
    level: Annotated[
        LevelName, typer.Option("--level", help="Metric of Krippendorff's alpha; auto: as fits the scale.")
    ] = LevelName.AUTO,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the resamples.")] = 1,
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Write Markdown to standard output.")] = False,
    quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Measure how reliable ratings, preferences and single raters are, and which protocol orders items better.

    Example: [bold]ppaint reliability my-study --out reliability.html[/bold]
    """
    from ppaint_stats.cli.reports import check_report_path
    from ppaint_stats.reliability.assess import assess_reliability

    if as_json and as_markdown:
        raise ArgumentError("--json and --markdown cannot both go to standard output; give one of them")
    if out is not None and out.suffix:
        check_report_path(out)
    found, simulated = inputs.open_study(
        study, ratings=ratings, preferences=preferences, scale=scale, columns=columns, tie_margin=tie_margin,
        missing=missing, encoding=encoding,
    )  # fmt: skip
    options: dict[str, Any] = {"resample": resample.value, "level": level.value}
    with step("assessing reliability"):
        report = assess_reliability(
            found, n_boot=n_boot, interval_prob=interval_prob, random_seed=seed, progressbar=not quiet, **options
        )
    if simulated:
        report = replace(report, title=f"{report.title} ({inputs.SIMULATED})")
    written = write_all(report, out)
    if as_json:
        typer.echo(report.to_json())
    if as_markdown:
        typer.echo(report.to_markdown())
    screen = Screen(quiet, as_json or as_markdown)
    screen.show(shorten_reliability(report))
    if written:
        screen.show(f"Written: {', '.join(map(str, written))}")


def write_all(report: "Report", out: Path | None) -> list[Path]:
    """Write a report to a file, or in every format and with its tables as CSV into a folder."""
    from ppaint_stats.cli.reports import write_report

    if out is None:
        return []
    if out.suffix:
        write_report(report, out)
        return [out]
    if out.exists() and not out.is_dir():
        raise ArgumentError(f"--out {out}: this is a file; a folder, or a file .md, .html or .json, is allowed")
    files = [out / name for name in NAMES]
    for path in files:
        write_report(report, path)
    for name, table in report.tables.items():
        files.append(out / f"{name}.csv")
        table.to_csv(files[-1], index=False)
    return files


def shorten_reliability(report: "Report") -> "Report":
    """Leave what fits a screen: one line for a cell and protocol, the raters and items that stand out."""
    tables = {"overview": pivot_headlines(report.tables["summary"])}
    raters = report.tables["raters"]
    if len(raters):
        kept = ("rater", "cells", "leave_one_out", "severity", "tie_rate", "first_rate", "outlier_probability")
        tables["raters, mean over cells"] = average_raters(raters)[["protocol", *kept]].head(SHOWN)
    items = report.tables["items"]
    if len(items):
        names = ["category", "dimension", "protocol", "item", "observed", "expected", "z"]
        most = items.sort_values("z", ascending=False, kind="stable")[names].head(SHOWN)
        tables["items most disputed"] = most.reset_index(drop=True)
    return replace(report, tables=tables, settings={})


def pivot_headlines(summary: "pd.DataFrame") -> "pd.DataFrame":
    """Write the main statistics of each cell and protocol with their intervals, side by side."""
    import pandas as pd

    alpha = next((s for s in summary["statistic"] if s.startswith("krippendorff_alpha")), "")
    shown = {alpha: "alpha", "alpha_sym": "alpha_sym", "rank_correlation": "rank_correlation",
             "rank_split_half": "split_half", "tie_rate": "tie_rate"}  # fmt: skip
    rows = []
    for (category, dimension, protocol), part in summary.groupby(["category", "dimension", "protocol"], sort=False):
        row: dict[str, object] = {"category": category, "dimension": dimension, "protocol": protocol}
        for found in part.to_dict("records"):
            if found["statistic"] in shown:
                row[shown[found["statistic"]]] = write_interval(found["estimate"], found["lower"], found["upper"])
        rows.append(dict.fromkeys(shown.values(), "") | row)
    columns = ["category", "dimension", "protocol", *shown.values()]
    return pd.DataFrame(rows, columns=[name for name in columns if any(row[name] for row in rows)])


def write_interval(estimate: float, lower: float, upper: float) -> str:
    """Write a number with its interval.

    Examples
    --------
    >>> write_interval(0.5, 0.25, 0.75), write_interval(0.5, float("nan"), float("nan"))
    ('0.50 [0.25, 0.75]', '0.50')
    """
    if math.isnan(estimate):
        return "none"
    if math.isnan(lower) or math.isnan(upper):
        return f"{estimate:.2f}"
    return f"{estimate:.2f} [{lower:.2f}, {upper:.2f}]"


def average_raters(raters: "pd.DataFrame") -> "pd.DataFrame":
    """Average what is known of each rater over cells; who agrees least with the others comes first."""
    numbers = ["leave_one_out", "severity", "tie_rate", "first_rate"]
    groups = raters.groupby(["protocol", "rater"], sort=False)
    table = groups[numbers].mean()
    table.insert(0, "cells", groups.size())
    table["outlier_probability"] = groups["outlier_probability"].max()
    return table.sort_values("leave_one_out", kind="stable").reset_index()
