"""``ppaint compare``: how far fusions agree, and what that proves."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppaint_stats.cli import inputs
from ppaint_stats.cli.frame import Json, Quiet, Screen, Verbose
from ppaint_stats.errors import ArgumentError
from ppaint_stats.progress import step

if TYPE_CHECKING:
    from ppaint_stats.fusion import Fusion
    from ppaint_stats.report import Report
    from ppaint_stats.study import Study


def compare(
    fusions: Annotated[
        list[Path],
        typer.Argument(metavar="FUSION.nc FUSION.nc ...", help="Two or more, or one with --sensitivity."),
    ],
    study: Annotated[
        Path | None,
        typer.Option("--study", help="Study folder: tells agreement from common input.", rich_help_panel=inputs.INPUT),
    ] = None,
    ratings: inputs.RatingsFile = None,
    preferences: inputs.PreferencesFile = None,
    scale: inputs.Scale = None,
    columns: inputs.Columns = None,
    tie_margin: inputs.TieMargin = None,
    missing: inputs.MissingRows = inputs.Missing.ERROR,
    encoding: inputs.Encoding = "utf-8",
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="How far each fusion moves under other choices; needs the study.")
    ] = False,
    protocols: Annotated[
        bool,
        typer.Option("--protocols", help="Ratings against preferences, of a fusion made with --discrepancy."),
    ] = False,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep refits there; an interrupted run goes on from them.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="Refits side by side.")] = 1,
    n_boot: Annotated[int, typer.Option("--n-boot", help="Bootstrap samples.")] = 500,
    interval_prob: Annotated[float, typer.Option("--interval-prob", help="Probability of the intervals.")] = 0.9,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write every number: .md, .html or .json.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Compare fusions of the same items, and with the study also against what common input gives by itself.

    With the study, both are fitted again to halves of the raters and to permuted ratings (this takes a while), and each
    pair gets a verdict: whether its agreement is about the items or about common input.

    Example: [bold]ppaint compare davidson.nc elo.nc --study my-study --out agreement.html[/bold]

    Example: [bold]ppaint compare elo.nc --study my-study --sensitivity[/bold]
    """
    from ppaint_stats.cli.reports import check_report_path, write_report
    from ppaint_stats.validation.compare import compare_fusions

    check_report_path(out)
    found = inputs.load_fusions(fusions)
    simulated = any(fusion.settings.get("simulated") for fusion in found)
    opened = None
    if study is not None or ratings is not None or preferences is not None:
        opened, known = inputs.open_study(
            study, ratings=ratings, preferences=preferences, scale=scale, columns=columns, tie_margin=tie_margin,
            missing=missing, encoding=encoding,
        )  # fmt: skip
        simulated = simulated or known
    if sensitivity or protocols:
        if len(found) > 1 or (sensitivity and protocols):
            raise ArgumentError("--sensitivity and --protocols speak of one fusion at a time, and not both at once")
        report = _examine(found[0], opened, sensitivity=sensitivity, interval_prob=interval_prob, progress=not quiet)
    else:
        with step("comparing fusions"):
            report = compare_fusions(
                *found, study=opened, n_boot=n_boot, interval_prob=interval_prob, folder=folder, n_jobs=jobs,
                random_seed=seed, progressbar=not quiet,
            )  # fmt: skip
    if simulated:
        report = replace(report, title=f"{report.title} ({inputs.SIMULATED})")
    write_report(report, out)
    if as_json:
        typer.echo(report.to_json())
    Screen(quiet, as_json).show(shorten_agreement(report))


def _examine(
    fusion: "Fusion", study: "Study | None", *, sensitivity: bool, interval_prob: float, progress: bool
) -> "Report":
    """Examine one fusion: under other choices, or by protocol."""
    if not sensitivity:
        from ppaint_stats.validation.protocols import compare_protocols

        return compare_protocols(fusion, interval_prob=interval_prob)
    if study is None:
        raise ArgumentError("--sensitivity fits the study again: give it with --study")
    from ppaint_stats.validation.sensitivity import fusion_sensitivity

    with step(f"other choices of {fusion.method}"):
        return fusion_sensitivity(fusion, study, progressbar=progress)


def shorten_agreement(report: "Report") -> "Report":
    """Leave the columns that fit a screen: files and JSON hold them all."""
    tables = dict(report.tables)
    if "agreement" not in tables:
        return replace(report, settings={})
    wide = tables["agreement"]
    if "shared_inputs" in tables:
        narrow = ["fusion_a", "fusion_b", "observed", "cross_half", "cross_half_lower", "cross_half_upper", "p_value"]
        tables["verdicts"] = tables["verdicts"][[*narrow, "verdict"]]
        narrow = ["category", "dimension", "same_half", "cross_half", "ratio", "shared_part", "ratings_part", "p_value"]
        tables["shared_inputs"] = tables["shared_inputs"][["fusion_a", "fusion_b", *narrow, "verdict"]]
    kept = ("fusion_a", "fusion_b", "category", "dimension", "n_items", "srcc", "srcc_lower", "srcc_upper",
            "mean_difference", "difference_over_sd", "ccc")  # fmt: skip
    tables["agreement"] = wide[[column for column in kept if column in wide]]
    return replace(report, tables=tables, settings={})
