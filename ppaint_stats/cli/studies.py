"""``ppaint check`` and ``ppaint simulate``: what a study holds, and a study whose truth is known."""

import json
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ppaint_stats.cli import inputs
from ppaint_stats.cli.frame import CHECK_FAILED, Json, Quiet, Screen, Verbose
from ppaint_stats.errors import ArgumentError
from ppaint_stats.progress import step

ROBUSTNESS = "Robustness"


class Taste(StrEnum):
    """Distribution of the raters' tastes."""

    NORMAL = "normal"
    T3 = "t3"


class Link(StrEnum):
    """Noise of single judgments."""

    LOGIT = "logit"
    PROBIT = "probit"


def check(
    study: inputs.StudyFolder = None,
    ratings: inputs.RatingsFile = None,
    preferences: inputs.PreferencesFile = None,
    scale: inputs.Scale = None,
    columns: inputs.Columns = None,
    tie_margin: inputs.TieMargin = None,
    missing: inputs.MissingRows = inputs.Missing.ERROR,
    encoding: inputs.Encoding = "utf-8",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the report too: .md, .html or .json.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything needs a look.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Show what a study holds, and what to look at before fusing it.

    Example: [bold]ppaint check --ratings r.csv --preferences p.csv --scale 1 5 --columns a=item_a b=item_b[/bold]
    """
    from ppaint_stats.check import check_study
    from ppaint_stats.cli.reports import check_report_path, write_report

    check_report_path(out)
    found, simulated = inputs.open_study(
        study, ratings=ratings, preferences=preferences, scale=scale, columns=columns, tie_margin=tie_margin,
        missing=missing, encoding=encoding,
    )  # fmt: skip
    with step("looking at the study"):
        report = check_study(found)
    if simulated:
        report = replace(report, title=f"{report.title} ({inputs.SIMULATED})")
    write_report(report, out)
    if as_json:
        typer.echo(report.to_json())
    Screen(quiet, as_json).show(report)
    if report.passed is False or (strict and not report.passed):
        raise typer.Exit(CHECK_FAILED)


def simulate(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the study and its truth.")],
    items: Annotated[int, typer.Option("--items", help="Items in a category.")] = 50,
    raters: Annotated[int, typer.Option("--raters", help="Raters of a category.")] = 5,
    pairs: Annotated[
        int | None, typer.Option("--pairs", help="Pairs in a category; PPaint's density if left out.")
    ] = None,
    categories: Annotated[int, typer.Option("--categories", help="Categories.")] = 3,
    dimensions: Annotated[str | None, typer.Option("--dimensions", help="Names, separated by commas.")] = None,
    scale: Annotated[
        str | None, typer.Option("--scale", metavar="LOW HIGH [STEP]", help="Rating scale; default 1 5 1.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed; the same seed gives the same study.")] = 1,
    taste: Annotated[Taste, typer.Option("--taste", rich_help_panel=ROBUSTNESS)] = Taste.NORMAL,
    link: Annotated[Link, typer.Option("--link", rich_help_panel=ROBUSTNESS)] = Link.LOGIT,
    careless: Annotated[
        int,
        typer.Option("--careless", help="Raters who answer at random half of the time.", rich_help_panel=ROBUSTNESS),
    ] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other quantity of PPaintDesign: taste_sd=0.5.",
            rich_help_panel=ROBUSTNESS,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a study that is there.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Simulate a study of the PPaint design, and write it with the truth behind it.

    Example: [bold]ppaint simulate --out sim --items 30 --pairs 200 --set taste_sd=0.5[/bold]
    """
    from ppaint_stats.simulate import PPaintDesign, simulate_study

    chosen: dict[str, Any] = {
        "n_items": items, "n_raters": raters, "n_categories": categories, "n_careless": careless,
        "taste": taste.value, "link": link.value, "n_pairs": spread_pairs(items) if pairs is None else pairs,
    }  # fmt: skip
    if dimensions is not None:
        chosen["dimensions"] = tuple(name.strip() for name in dimensions.split(","))
    if scale is not None:
        chosen["scale"] = inputs.parse_scale(scale)
    design = PPaintDesign(**chosen | parse_settings(settings or []))
    with step("simulating"):
        simulation = simulate_study(design, random_seed=seed)
    with step(f"writing {out}"):
        folder = simulation.save(out, overwrite=overwrite)
    screen = Screen(quiet, as_json)
    screen.emit(
        {
            "simulated": True, "random_seed": seed, "out": out, "study": folder, "truth": out / "truth.csv",
            "n_ratings": simulation.study.n_ratings, "n_preferences": simulation.study.n_preferences,
        }
    )  # fmt: skip
    screen.show(
        f"SIMULATED DATA, seed {seed}: {simulation.study!r}",
        f"Written: {folder} (the study), {out / 'truth.csv'}, {out / 'raters.csv'}, {out / 'design.json'}",
        f"Next: ppaint check {out}",
    )


def spread_pairs(n_items: int) -> int:
    """Pairs for a category: the share of all pairs that PPaint compares, and enough for a connected graph.

    Examples
    --------
    >>> spread_pairs(50), spread_pairs(2)
    (612, 1)
    """
    return max(n_items - 1, round(612 / 1225 * n_items * (n_items - 1) / 2))


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """Read quantities of the simulator.

    Examples
    --------
    >>> parse_settings(["taste_sd=0.5", "crossed=true"])
    {'taste_sd': 0.5, 'crossed': True}
    """
    from dataclasses import fields

    from ppaint_stats.simulation_design import PPaintDesign

    known = [field.name for field in fields(PPaintDesign)]
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in known:
            raise ArgumentError(f"--set {pair!r} is not allowed: NAME=VALUE is, with a name of {', '.join(known)}")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        values[name] = tuple(value) if isinstance(value, list) else value
    return values
