"""``ppaint plan``: what a study will give, before it is paid for."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ppaint_stats.cli import inputs
from ppaint_stats.cli.frame import Json, Quiet, Screen, Verbose
from ppaint_stats.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from ppaint_stats.planning import StudyPlan

COSTS = "Costs"
QUESTIONS = "Questions"
SHOWN = ("who", "raters", "ratings_per_item", "pairs_per_rater", "hours")
"""Columns of a design on the screen, before what it is expected to give."""


class Target(StrEnum):
    """Whose score it is."""

    POPULATION = "population"
    PANEL = "panel"
    RELATIVE = "relative"


def plan(
    n_items: Annotated[int | None, typer.Option("--items", help="Items, of one category.")] = None,
    n_dimensions: Annotated[int | None, typer.Option("--dimensions", help="Dimensions, judged together.")] = None,
    scale: inputs.Scale = None,
    pilot: Annotated[
        Path | None, typer.Option("--pilot", metavar="FUSION.nc", help="Bayesian fusion of a smaller study.")
    ] = None,
    pilot_study: Annotated[
        Path | None, typer.Option("--pilot-study", metavar="STUDY", help="Its study folder: judgments are kept.")
    ] = None,
    category: Annotated[str | None, typer.Option("--category", help="Whose judgments are kept.")] = None,
    raters: Annotated[str, typer.Option("--raters", metavar="N,N", help="Numbers of raters to try.")] = "3,5,8,12",
    ratings: Annotated[
        str, typer.Option("--ratings", metavar="N,N", help="How often each rater rates each item.")
    ] = "0,1,2",
    pairs: Annotated[str | None, typer.Option("--pairs", metavar="N,N", help="Pairs that each rater compares.")] = None,
    minutes_per_rating: Annotated[
        float, typer.Option("--minutes-per-rating", help="To rate one item on all dimensions.", rich_help_panel=COSTS)
    ] = 0.5,
    minutes_per_comparison: Annotated[
        float,
        typer.Option("--minutes-per-comparison", help="To compare a pair on all dimensions.", rich_help_panel=COSTS),
    ] = 0.25,
    minutes_per_rater: Annotated[
        float, typer.Option("--minutes-per-rater", help="A new rater, before any judgment.", rich_help_panel=COSTS)
    ] = 0.0,
    hours: Annotated[
        float | None, typer.Option("--hours", help="Raters' time that may be spent.", rich_help_panel=QUESTIONS)
    ] = None,
    target_width: Annotated[
        float | None, typer.Option("--target-width", help="Width of intervals wanted.", rich_help_panel=QUESTIONS)
    ] = None,
    target_srcc: Annotated[
        float | None,
        typer.Option("--target-srcc", help="Rank correlation with the truth wanted.", rich_help_panel=QUESTIONS),
    ] = None,
    target: Annotated[
        Target, typer.Option("--target", help="Score by new raters, by these, or around 0.")
    ] = Target.POPULATION,
    interval_prob: Annotated[float, typer.Option("--interval-prob", help="Probability of the intervals.")] = 0.9,
    worlds: Annotated[int, typer.Option("--worlds", help="Draws of items and raters to average over.")] = 8,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write every design: a .md, .html, .json or .csv file.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draws.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Plan a study: widths of intervals and accuracy of the ranking, against raters' hours.

    Without --pilot the joint model's priors are assumed, which are vague.

    Example: [bold]ppaint plan --items 50 --pilot pilot.nc --hours 10[/bold]
    """
    from ppaint_stats.cli.reports import check_report_path, write_report
    from ppaint_stats.fusion_io import load_fusion, write_whole
    from ppaint_stats.io import read_study
    from ppaint_stats.planning import plan_study

    if out is not None and out.suffix.lower() != ".csv":
        check_report_path(out)
    for path in (pilot, pilot_study):
        if path is not None and not path.exists():
            raise DataError(f"there is no {path}")
    options: dict[str, Any] = {"target": target.value}
    found = plan_study(
        n_items=n_items,
        n_dimensions=n_dimensions,
        scale=None if scale is None else inputs.parse_scale(scale),
        pilot=None if pilot is None else load_fusion(pilot),
        pilot_study=None if pilot_study is None else read_study(pilot_study),
        category=category,
        n_raters=parse_numbers("--raters", raters),
        ratings_per_item=parse_numbers("--ratings", ratings),
        pairs_per_rater=None if pairs is None else parse_numbers("--pairs", pairs),
        minutes_per_rating=minutes_per_rating,
        minutes_per_comparison=minutes_per_comparison,
        minutes_per_rater=minutes_per_rater,
        budget_minutes=None if hours is None else 60 * hours,
        target_width=target_width,
        target_srcc=target_srcc,
        interval_prob=interval_prob,
        n_worlds=worlds,
        random_seed=seed,
        progressbar=not quiet,
        **options,
    )
    if out is not None and out.suffix.lower() == ".csv":
        write_whole(out, lambda temporary: found.designs.to_csv(temporary, index=False))
    else:
        write_report(found, out)
    if as_json:
        typer.echo(found.to_json())
    screen = Screen(quiet, as_json)
    screen.show(shorten_plan(found))
    if out is not None:
        screen.show(f"Written: {out}")


def parse_numbers(option: str, text: str) -> list[int]:
    """Read whole numbers separated by commas.

    Examples
    --------
    >>> parse_numbers("--raters", "3, 5")
    [3, 5]
    """
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise ArgumentError(f"{option} {text!r} is not allowed: whole numbers with commas are, such as 3,5") from None


def shorten_plan(plan: "StudyPlan") -> "StudyPlan":
    """Leave on the screen the frontier, and of a design what is asked for; the text says the rest."""
    from dataclasses import replace

    width = f"width_{plan.settings['target']}"
    shown = [*SHOWN, width, "width_low", "width_high", "srcc", "pairs_right", "best_right"]
    return replace(plan, tables={"worth their price": plan.frontier[shown]}, settings={})
