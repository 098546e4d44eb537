"""``ppaint-distill evaluate``: scores against known ones, which may be any published table of scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppaint_distill.cli.options import read_table
from ppaint_distill.cli.targets import Scale, parse_limits
from ppaint_stats.cli.frame import Json, Quiet, Screen

if TYPE_CHECKING:
    import pandas as pd

    from ppaint_stats.report import Report

PUBLISHED = "A published table as --truth: one row an image"


def evaluate(
    scores: Annotated[list[str], typer.Argument(metavar="NAME=FILE...", help="Scores of one or several models.")],
    truth: Annotated[Path, typer.Option("--truth", help="Known scores: item, dimension, score, perhaps sd.")],
    baseline: Annotated[str | None, typer.Option("--baseline", help="Model that the others are compared with.")] = None,
    ceiling: Annotated[str | None, typer.Option("--ceiling", help="Model that is the ceiling, say the judge.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Report to write: .html, .md or .json.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap.")] = 0,
    item: Annotated[
        str | None,
        typer.Option("--item", metavar="COLUMN", help="File names or ids.", rich_help_panel=PUBLISHED),
    ] = None,
    category: Annotated[
        str | None, typer.Option("--category", metavar="COLUMN", help="Categories.", rich_help_panel=PUBLISHED)
    ] = None,
    dimension: Annotated[
        list[str] | None,
        typer.Option(
            "--dimension",
            metavar="COLUMN=DIMENSION",
            help="Scores in one dimension, by the name that the models use; may be given again.",
            rich_help_panel=PUBLISHED,
        ),
    ] = None,
    votes: Annotated[
        str | None,
        typer.Option(
            "--votes",
            metavar="PATTERN[=DIMENSION]",
            help="Counts of votes; * stands for the score: 'count_*' is count_1, count_2 ...",
            rich_help_panel=PUBLISHED,
        ),
    ] = None,
    truth_scale: Annotated[
        str | None,
        typer.Option("--truth-scale", metavar="LOW:HIGH", help="Scale of these scores.", rich_help_panel=PUBLISHED),
    ] = None,
    scale: Scale = None,
    encoding: Annotated[str, typer.Option("--encoding", help="Of the .csv file.", rich_help_panel=PUBLISHED)] = "utf-8",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare scores with known ones: rank correlation and errors with intervals, and paired differences.

    Known scores may be in any table with a row an image: say which columns are what. With --truth-scale and --scale,
    that of the models, they are moved from one scale to the other.

    Example: [bold]ppaint-distill evaluate base=base.parquet mine=scores.parquet --truth experts.csv[/bold]

    Example: [bold]ppaint-distill evaluate s.csv --truth t.csv --item file --dimension Color=coloration[/bold]
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
    known = read_truth(
        truth,
        item=item,
        category=category,
        dimensions=dimension or (),
        votes=votes,
        scales=(truth_scale, scale),
        encoding=encoding,
    )
    report = evaluate_scores(
        {name: read_table(path) for name, path in files.items()},
        known,
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


def read_truth(
    path: Path,
    *,
    item: str | None,
    category: str | None,
    dimensions: Sequence[str],
    votes: str | None,
    scales: tuple[str | None, str | None],
    encoding: str,
) -> "pd.DataFrame":
    """Read known scores: a tidy table, or a published one with a row an image, if its columns are named."""
    from ppaint_distill.score_tables import find_vote_columns, tidy_scores
    from ppaint_stats.errors import ArgumentError

    published = item is not None or category is not None or bool(dimensions) or votes is not None
    if not published:
        if scales != (None, None):
            raise ArgumentError(
                "--truth-scale and --scale go with --dimension or --votes: name the columns of the truth"
            )
        return read_table(path, encoding=encoding)
    table = read_table(path, text=[name for name in (item, category) if name is not None], encoding=encoding)
    limits, target = (None if text is None else parse_limits(text) for text in scales)
    if (limits is None) != (target is None):
        raise ArgumentError("--truth-scale and --scale belong together: from which scale to which")
    pattern, _, voted = (votes or "").partition("=")
    return tidy_scores(
        table,
        item="item" if item is None else item,
        category=category,
        dimensions=dict(_split_pair(word) for word in dimensions),
        votes=find_vote_columns(table, pattern, name=str(path)) if votes is not None else None,
        votes_dimension=voted or "overall",
        scale=limits,
        to_scale=target,
        name=str(path),
    )


def _split_pair(word: str) -> tuple[str, str]:
    """Column and dimension; a column alone is the dimension of its own name."""
    column, equals, dimension = word.rpartition("=")
    return (column, dimension) if equals else (word, word)


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
