"""``ppaint report``: everything about a study on one page."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppaint_stats.cli import inputs
from ppaint_stats.cli.frame import Json, Quiet, Screen, Verbose
from ppaint_stats.errors import ArgumentError
from ppaint_stats.progress import step

if TYPE_CHECKING:
    from ppaint_stats.fusion import Fusion
    from ppaint_stats.study import Study
    from ppaint_stats.study_report.document import StudyReport

METHODS = ("elo", "davidson", "thurstone", "bayes", "laplace")
SHOWN = 12
"""Verdicts on the screen."""


def report(
    study: inputs.StudyFolder = None,
    ratings: inputs.RatingsFile = None,
    preferences: inputs.PreferencesFile = None,
    scale: inputs.Scale = None,
    columns: inputs.Columns = None,
    tie_margin: inputs.TieMargin = None,
    missing: inputs.MissingRows = inputs.Missing.ERROR,
    encoding: inputs.Encoding = "utf-8",
    out: Annotated[Path, typer.Option("--out", "-o", help="File: .html, .md or .json.")] = Path("report.html"),
    fusion: Annotated[
        list[Path] | None, typer.Option("--fusion", metavar="FUSION.nc", help="A fusion to report; may be repeated.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", "-m", metavar="A,B,...", help="Fusions to make; elo,davidson where no --fusion is given."
        ),
    ] = None,
    nulls: Annotated[
        bool, typer.Option("--nulls", help="Refit the fusions to see what shared inputs explain (minutes).")
    ] = False,
    comparison: Annotated[
        Path | None, typer.Option("--comparison", metavar="FILE", help="What ppaint compare --out FILE.json wrote.")
    ] = None,
    reliability: Annotated[
        Path | None,
        typer.Option("--reliability", metavar="FILE", help="What ppaint reliability --out FILE.json wrote."),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option("--validation", metavar="FILE", help="What ppaint validate --out FILE.json wrote, or its folder."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="FOLDER", help="Pictures: an item is the name of its file.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Title of the page.")] = None,
    n_boot: Annotated[int, typer.Option("--n-boot", help="Resamples for reliability; 0: no intervals.")] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Write one page about a study: verdicts with what to do, data, reliability, scores, raters, agreement, methods.

    The page is one file that loads nothing: for any screen, light and dark, and for paper.

    Example: [bold]ppaint report my-study --out report.html[/bold]

    Example: [bold]ppaint report my-study --fusion bayes.nc --validation validation.json --images pictures[/bold]
    """
    from ppaint_stats.cli.reports import check_report_path
    from ppaint_stats.report import load_report
    from ppaint_stats.study_report.build import read_validation, report_study

    check_report_path(out)
    if nulls and comparison is not None:
        raise ArgumentError("--nulls makes the comparison that --comparison reads: give one of them")
    wanted = _parse_methods(method, given=bool(fusion))
    assessed = None if reliability is None else load_report(reliability)
    compared = None if comparison is None else load_report(comparison)
    held_out = None if validation is None else read_validation(validation)
    opened, simulated = inputs.open_study(
        study, ratings=ratings, preferences=preferences, scale=scale, columns=columns, tie_margin=tie_margin,
        missing=missing, encoding=encoding,
    )  # fmt: skip
    given = inputs.load_fusions(fusion or [])
    fusions = [*given, *(_fuse(name, opened, seed, not quiet) for name in wanted if name == "davidson" or
                         opened.n_preferences or method is not None)]  # fmt: skip
    if assessed is None:
        from ppaint_stats.reliability.assess import assess_reliability

        with step("assessing reliability"):
            assessed = assess_reliability(opened, n_boot=n_boot, random_seed=seed, progressbar=not quiet)
    if nulls and len(fusions) > 1:
        from ppaint_stats.validation.compare import compare_fusions

        with step("comparing fusions"):
            compared = compare_fusions(*fusions, study=opened, random_seed=seed, progressbar=not quiet)
    made = report_study(
        opened, fusions=fusions, reliability=assessed, comparison=compared, validation=held_out, images=images,
        title=title, simulated=simulated or any(f.settings.get("simulated") for f in given), random_seed=seed,
        progressbar=not quiet,
    )  # fmt: skip
    with step(f"writing {out}"):
        path = _write(made, out)
    if as_json:
        typer.echo(made.to_json())
    screen = Screen(quiet, as_json)
    screen.show(*_say_shortly(made), "", f"Written: {path} ({path.stat().st_size / 1e6:.1f} MB)")


def _parse_methods(method: str | None, *, given: bool) -> list[str]:
    if method is None:
        return [] if given else ["davidson", "elo"]
    names = list(dict.fromkeys(name.strip() for name in method.split(",") if name.strip()))
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise ArgumentError(f"--method {method!r} is not allowed: names of {', '.join(METHODS)}, with commas, are")
    return names


def _fuse(name: str, study: "Study", seed: int, progressbar: bool) -> "Fusion":
    import ppaint_stats as ps

    runs: dict[str, Callable[..., Fusion]] = {
        "elo": ps.fuse_elo,
        "davidson": ps.fuse_davidson,
        "thurstone": ps.fuse_thurstone,
        "bayes": ps.fuse_bayes,
        "laplace": partial(ps.fuse_bayes, method="laplace"),
    }
    with step(f"fusing by {name}"):
        return runs[name](study, random_seed=seed, progressbar=progressbar)


def _write(made: "StudyReport", out: Path) -> Path:
    from ppaint_stats.report.files import write_text

    suffix = out.suffix.lower()
    if suffix == ".html":
        made.to_html(out)
        return out
    return write_text(out, (made.to_json() if suffix == ".json" else made.to_markdown()) + "\n")


def _say_shortly(made: "StudyReport") -> list[str]:
    from ppaint_stats.study_report.section import WORDS

    lines = [made.title, ""]
    for finding in made.findings[:SHOWN]:
        action = f" -> {finding.action}" if finding.action else ""
        lines.append(f"{WORDS[finding.status]:>12}: {finding.text}{action}")
    if len(made.findings) > SHOWN:
        lines.append(f"{'':>12}  and {len(made.findings) - SHOWN} more on the page")
    return lines
