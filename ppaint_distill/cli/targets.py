"""``ppaint-distill pool``, ``pseudo`` and ``evaluate``: the statistics between judging and training, and after it."""

from pathlib import Path
from typing import Annotated

import typer

from ppaint_distill.cli.options import ConfigFile, Set, gather_config, read_table
from ppaint_stats.cli.frame import Json, Quiet, Screen

Preferences = Annotated[Path, typer.Option("--preferences", "-p", help="Comparisons that judge wrote.")]
Scale = Annotated[str | None, typer.Option("--scale", metavar="LOW HIGH", help="Scale of the scores.")]


def pool(
    preferences: Preferences,
    out: Annotated[Path, typer.Option("--out", "-o", help="File of the pool, .npz.")],
    anchors: Annotated[
        int, typer.Option("--anchors", help="Name so many pool images that are worth a score by hand.")
    ] = 0,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Estimate the strengths of a reference pool from comparisons within it.

    Example: [bold]ppaint-distill pool --preferences pool.parquet --out pool.npz[/bold]
    """
    from ppaint_distill.pool import choose_anchors, fit_pool

    chosen = gather_config(config, settings).pool
    fitted = fit_pool(
        read_table(preferences), n_draws=chosen.n_draws, random_seed=chosen.random_seed, progressbar=not quiet
    )
    fitted.save(out)
    screen = Screen(quiet, as_json)
    named = choose_anchors(fitted, n_anchors=anchors) if anchors else None
    screen.emit(
        {
            "pool": str(out),
            "parameters": fitted.parameters.to_dict("records"),
            "anchors": [] if named is None else named.to_dict("records"),
        }
    )
    screen.show(repr(fitted), fitted.parameters.round(3).to_string(index=False), f"Written: {out}")
    if named is not None:
        screen.show("Score these by hand, and give them to pseudo with --anchors:", named.to_csv(index=False).strip())


def pseudo(
    preferences: Preferences,
    pool: Annotated[Path, typer.Option("--pool", help="Pool that these images were compared with.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Targets to write, .parquet.")],
    anchors: Annotated[
        Path | None, typer.Option("--anchors", help="Known scores of pool images: item, score, perhaps dimension.")
    ] = None,
    scale: Scale = None,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn comparisons with a pool into scores with joint uncertainty: the targets of training.

    Example: [bold]ppaint-distill pseudo -p train.parquet --pool pool.npz --anchors ten.csv --out targets.parquet[/bold]
    """
    from ppaint_distill.pseudo import score_against_pool
    from ppaint_distill.reference import load_pool

    chosen = gather_config(config, settings)
    scores = score_against_pool(
        read_table(preferences),
        load_pool(pool),
        anchors=None if anchors is None else read_table(anchors),
        scale=chosen.prompt.scale if scale is None else parse_limits(scale),
        interval_prob=chosen.pseudo.interval_prob,
        random_seed=chosen.pseudo.random_seed,
        progressbar=not quiet,
    )
    scores.to_targets(out)
    screen = Screen(quiet, as_json)
    screen.emit({"targets": str(out), "n": len(scores.scores), "calibration": scores.calibration.to_dict("records")})
    screen.show(repr(scores), scores.calibration.round(3).to_string(index=False), f"Written: {out}")


def evaluate(
    scores: Annotated[list[str], typer.Argument(metavar="NAME=FILE...", help="Scores of one or several models.")],
    truth: Annotated[Path, typer.Option("--truth", help="Known scores: item, dimension, score, perhaps sd.")],
    baseline: Annotated[str | None, typer.Option("--baseline", help="Model that the others are compared with.")] = None,
    ceiling: Annotated[str | None, typer.Option("--ceiling", help="Model that is the ceiling, say the judge.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Report to write: .html, .md or .json.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare scores with known ones: rank correlation and errors with intervals, and paired differences.

    Example: [bold]ppaint-distill evaluate base=base.parquet mine=scores.parquet --truth experts.csv[/bold]
    """
    from ppaint_distill.evaluate import evaluate_scores
    from ppaint_stats.cli.reports import write_report
    from ppaint_stats.errors import ArgumentError

    files = {}
    for word in scores:
        name, equals, file = word.partition("=")
        if not equals:
            name, file = Path(word).stem, word
        if name in files:
            raise ArgumentError(f"two models are called {name!r}: name them, as in NAME={file}")
        files[name] = Path(file)
    report = evaluate_scores(
        {name: read_table(path) for name, path in files.items()},
        read_table(truth),
        baseline=baseline,
        ceiling=ceiling,
        random_seed=seed,
    )
    screen = Screen(quiet, as_json)
    if out is not None:
        write_report(report, out)
    if as_json:
        typer.echo(report.to_json())
    screen.show(report)
    if out is not None:
        screen.show(f"Written: {out}")


def parse_limits(text: str) -> tuple[float, float]:
    """Read a scale without steps.

    Examples
    --------
    >>> parse_limits("1:5")
    (1.0, 5.0)
    """
    from ppaint_stats.cli.inputs import parse_scale
    from ppaint_stats.errors import ArgumentError

    low, high, *more = parse_scale(text)
    if more:
        raise ArgumentError(f"--scale {text!r} is not allowed here: LOW HIGH is, such as --scale 1 5")
    return low, high
