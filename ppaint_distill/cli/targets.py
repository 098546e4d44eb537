"""``ppaint-distill pool``, ``pseudo`` and ``evaluate``: the statistics between judging and training, and after it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppaint_distill.cli.options import (
    ConfigFile,
    Set,
    check_parquet,
    gather_config,
    read_anchors,
    read_preferences,
    read_table,
)
from ppaint_stats.cli.frame import Json, Quiet, Screen

if TYPE_CHECKING:
    from ppaint_distill.reference import Pool
    from ppaint_stats.report import Report

Preferences = Annotated[
    list[Path], typer.Option("--preferences", "-p", help="Comparisons that judge wrote; may be given again.")
]
Scale = Annotated[str | None, typer.Option("--scale", metavar="LOW HIGH", help="Scale of the scores.")]


def pool(
    preferences: Preferences,
    out: Annotated[Path, typer.Option("--out", "-o", help="File of the pool, .npz.")],
    anchors: Annotated[
        int, typer.Option("--anchors", help="Choose so many pool images to score by hand: OUT.anchors.csv.")
    ] = 0,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Estimate the strengths of a reference pool from comparisons within it.

    Example: [bold]ppaint-distill pool --preferences pool.parquet --out pool.npz[/bold]
    """
    from ppaint_distill.pool import fit_pool

    chosen = gather_config(config, settings).pool
    fitted = fit_pool(
        read_preferences(preferences),
        n_draws=chosen.n_draws,
        votes=chosen.votes,
        random_seed=chosen.random_seed,
        progressbar=not quiet,
    )
    fitted.save(out)
    screen = Screen(quiet, as_json)
    form = write_anchor_form(fitted, out, n_anchors=anchors) if anchors else None
    facts = {"pool": str(out), "parameters": fitted.parameters.to_dict("records")}
    screen.emit(facts | {"anchors": None if form is None else str(form)})
    columns = ["category", "dimension", "strength_sd", "log_nu", "order_effect", "order_correlation"]
    columns += ["n_pairs", "n_both_orders", "same_answer", "converged"]
    screen.show(repr(fitted), fitted.parameters[columns].round(3).to_string(index=False), f"Written: {out}")
    if form is not None:
        screen.show(
            f"Look at the images that {form} names, fill in their scores, and give it to pseudo: --anchors {form}"
        )


def write_anchor_form(pool: "Pool", out: Path, *, n_anchors: int) -> Path:
    """Write a table of pool images to be scored by hand, beside the pool.

    Images stand in the order of their names and without their strengths, so that nothing suggests a score.

    Parameters
    ----------
    pool
        The pool.
    out
        File of the pool.
    n_anchors
        Images in each category.

    Returns
    -------
    Path
        The file, with an empty column ``score``.

    Raises
    ------
    ArgumentError
        If there is such a file already, which may hold scores.
    """
    import pandas as pd

    from ppaint_distill.pool import choose_anchors
    from ppaint_distill.score_run import write_csv
    from ppaint_stats.errors import ArgumentError

    form = out.with_name(f"{out.stem}.anchors.csv")
    if form.exists():
        raise ArgumentError(f"{form} is there already and may hold scores: move it away, or leave out --anchors")
    chosen = choose_anchors(pool, n_anchors=n_anchors)[["category", "item"]].sort_values(["category", "item"])
    cells = pd.DataFrame(pool.cells, columns=["category", "dimension"])
    write_csv(chosen.merge(cells, on="category").assign(score=""), form)
    return form


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

    check_parquet(out)
    chosen = gather_config(config, settings)
    scores = score_against_pool(
        read_preferences(preferences),
        load_pool(pool),
        anchors=None if anchors is None else read_anchors(anchors),
        scale=chosen.prompt.scale if scale is None else parse_limits(scale),
        interval_prob=chosen.pseudo.interval_prob,
        random_seed=chosen.pseudo.random_seed,
        progressbar=not quiet,
    )
    scores.to_targets(out)
    screen = Screen(quiet, as_json)
    screen.emit({"targets": str(out), "n": len(scores.scores), "calibration": scores.calibration.to_dict("records")})
    columns = ["category", "dimension", "midpoint", "width", "n_anchors", "rmse", "map_se"]
    screen.show(repr(scores), scores.calibration[columns].round(3).to_string(index=False), f"Written: {out}")
    if anchors is None:
        screen.show("No anchors: the scores rank the images, and their level means nothing.")


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
    from ppaint_stats.cli.reports import check_report_path, write_report
    from ppaint_stats.errors import ArgumentError

    check_report_path(out)
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
    screen.show(shorten_report(report))
    if out is not None:
        screen.show(f"Written: {out}")


def shorten_report(report: "Report") -> "Report":
    """Put each number and its interval into one column, so that the tables fit a screen.

    Parameters
    ----------
    report
        Of `evaluate_scores`.

    Returns
    -------
    Report
        The same with shorter tables.
    """
    import dataclasses

    import pandas as pd

    def shorten(table: pd.DataFrame) -> pd.DataFrame:
        short: dict[str, object] = {}
        for name in table.columns:
            if name.endswith(("_lower", "_upper")):
                continue
            if f"{name}_lower" not in table:
                short[name] = table[name]
                continue
            ends = zip(table[name], table[f"{name}_lower"], table[f"{name}_upper"], strict=True)
            short[name] = [f"{value:.3f} ({low:.3f}, {high:.3f})" for value, low, high in ends]
        return pd.DataFrame(short).dropna(axis="columns", how="all")

    tables = {name: shorten(table) for name, table in report.tables.items() if name != "missing"}
    missing = report.tables["missing"]
    if (missing["missing"] > 0).any():
        tables["missing"] = missing
    return dataclasses.replace(report, tables=tables)


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
