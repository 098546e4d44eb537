"""``ppaint validate``: how well fusions of a study predict judgments that were held out."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ppaint_stats.cli import inputs
from ppaint_stats.cli.frame import CHECK_FAILED, Json, Quiet, Screen, Verbose
from ppaint_stats.progress import step

if TYPE_CHECKING:
    from ppaint_stats.report import Report

SHOWN = ("scores", "verdict", "protocols")
"""Tables on the screen; files hold all."""

FAST = "ratings,preferences,elo,davidson,thurstone"


class HeldOut(StrEnum):
    """What is held out."""

    RATER = "rater"
    ITEM = "item"


def validate(
    study: inputs.StudyFolder = None,
    ratings: inputs.RatingsFile = None,
    preferences: inputs.PreferencesFile = None,
    scale: inputs.Scale = None,
    columns: inputs.Columns = None,
    tie_margin: inputs.TieMargin = None,
    missing: inputs.MissingRows = inputs.Missing.ERROR,
    encoding: inputs.Encoding = "utf-8",
    methods: Annotated[
        str,
        typer.Option("--methods", metavar="A,B,...", help="Also bayes, laplace; bayes:ratings uses one protocol."),
    ] = FAST,
    by: Annotated[HeldOut, typer.Option("--by", help="Hold out raters, or the comparisons of items.")] = HeldOut.RATER,
    n_folds: Annotated[int, typer.Option("--n-folds", help="Groups of items, with --by item.")] = 5,
    margin: Annotated[
        float, typer.Option("--margin", help="Nats per judgment by which a joint fusion may be worse.")
    ] = 0.01,
    interval_prob: Annotated[float, typer.Option("--interval-prob", help="Probability of the intervals.")] = 0.9,
    draws: Annotated[int | None, typer.Option("--draws", help="Draws per chain of bayes in each fold.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="Fits that run side by side; -1: one per core.")] = 1,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder that keeps each fit, so that a stopped run goes on.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write every number: .md, .html or .json.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Leave each rater out, predict that rater from the others, and compare methods by how well they do.

    The status is 1 if the joint fusion is shown to be worse than the best single protocol.

    Example: [bold]ppaint validate my-study --methods ratings,preferences,bayes --out validation.html[/bold]
    """
    from ppaint_stats.cli.reports import check_report_path, write_report
    from ppaint_stats.validation.cross_validate import cross_validate

    check_report_path(out)
    found, simulated = inputs.open_study(
        study, ratings=ratings, preferences=preferences, scale=scale, columns=columns, tie_margin=tie_margin,
        missing=missing, encoding=encoding,
    )  # fmt: skip
    chosen = [name.strip() for name in methods.split(",") if name.strip()]
    options: dict[str, Any] = {}
    if draws is not None:
        options = {name: {"draws": draws} for name in ("bayes", "laplace") if any(m.startswith(name) for m in chosen)}
    with step("predicting held-out judgments"):
        report = cross_validate(
            found, methods=chosen, by=by.value, n_folds=n_folds, margin=margin, interval_prob=interval_prob,
            options=options, n_jobs=None if jobs == 1 else jobs, cache_dir=cache, random_seed=seed,
            progressbar=not quiet,
        )  # fmt: skip
    if simulated:
        report = replace(report, title=f"{report.title} ({inputs.SIMULATED})")
    write_report(report, out)
    if as_json:
        typer.echo(report.to_json())
    Screen(quiet, as_json).show(shorten_validation(report))
    if report.passed is False:
        raise typer.Exit(CHECK_FAILED)


def shorten_validation(report: "Report") -> "Report":
    """Leave what fits a screen: files and JSON hold every table."""
    tables = {name: report.tables[name] for name in SHOWN if name in report.tables}
    tables["scores"] = tables["scores"].drop(columns=["calibration_intercept", "brier"])
    return replace(report, tables=tables, settings={})
