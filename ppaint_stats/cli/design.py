"""``ppaint design``: which pairs to compare, and in which order to show them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ppaint_stats.cli.frame import Json, Quiet, Screen, Verbose
from ppaint_stats.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import pandas as pd

STDOUT = Path("-")


def design(
    pairs: Annotated[int, typer.Option("--pairs", help="Different pairs (in each category).")],
    items: Annotated[
        Path | None,
        typer.Argument(metavar="ITEMS.csv", help="Items with a header, best first; '-' reads standard input."),
    ] = None,
    n_items: Annotated[int | None, typer.Option("--n-items", help="Number of items, in place of a file.")] = None,
    raters: Annotated[
        str | None, typer.Option("--raters", metavar="R", help="How many raters, or their names separated by commas.")
    ] = None,
    window: Annotated[int | None, typer.Option("--window", help="Largest rank gap of a local pair.")] = None,
    item_column: Annotated[str, typer.Option("--item-column", help="Column of the item ids.")] = "item",
    order_by: Annotated[str | None, typer.Option("--order-by", help="Column of a first estimate to sort by.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file; '-' is standard output.")] = STDOUT,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the choice and of the orders.")] = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Plan comparisons: pairs of neighbours in a first ranking, and each rater's own balanced random order.

    With --raters the plan has a row for each showing, the item shown first in item_a.

    Where the items have a column 'category', each category is planned by itself.

    Example: [bold]ppaint design items.csv --order-by first_score --pairs 612 --raters 5 --out pairs.csv[/bold]
    """
    import pandas as pd

    from ppaint_stats.design import locally_dense_pairs, plan_comparisons
    from ppaint_stats.fusion_io import write_whole
    from ppaint_stats.seeds import split_seed

    if (items is None) == (n_items is None):
        raise ArgumentError("name the items by a file or by --n-items N, one of the two")
    if as_json and out == STDOUT:
        raise ArgumentError("--json and the pairs cannot both go to standard output; give --out FILE")
    orders = _number(n_items) if n_items is not None else _read_orders(items or STDOUT, item_column, order_by)
    names = _name_raters(raters)
    plans = []
    for (category, order), part in zip(orders.items(), split_seed(seed, len(orders)), strict=True):
        options: dict[str, Any] = {"n_pairs": pairs, "window": window, "random_seed": part}
        plan = (
            locally_dense_pairs(order, **options) if names is None else plan_comparisons(order, raters=names, **options)
        )
        if category is not None:
            plan.insert(0, "category", category)
        plans.append(plan)
    table = pd.concat(plans, ignore_index=True)
    if out == STDOUT:
        typer.echo(table.to_csv(index=False), nl=False)
    else:
        write_whole(out, lambda temporary: table.to_csv(temporary, index=False))
    facts = describe_plan(table, n_items=sum(map(len, orders.values())), raters=names)
    screen = Screen(quiet, as_json, data_on_stdout=out == STDOUT)
    screen.emit({**facts, "random_seed": seed, "out": out})
    who = "" if names is None else f", shown to each of {len(names)} raters in an order of their own"
    screen.show(
        f"{facts['n_pairs']:,} pairs of {facts['n_items']:,} items{who}; "
        f"an item is in {facts['least']:,} to {facts['most']:,} pairs"
    )
    if out != STDOUT:
        screen.show(f"Written: {out} ({len(table):,} rows)")


def describe_plan(table: "pd.DataFrame", *, n_items: int, raters: list[str] | None) -> dict[str, int]:
    """Count what a plan holds: pairs, items, rows, and the pairs of one item."""
    once = table if raters is None else table[table["rater"] == raters[0]]
    degrees = once["item_a"].value_counts().add(once["item_b"].value_counts(), fill_value=0)
    return {
        "n_pairs": len(once),
        "n_items": n_items,
        "n_rows": len(table),
        "least": int(degrees.min()),
        "most": int(degrees.max()),
    }


def _number(n_items: int) -> dict[str | None, list[str]]:
    width = len(str(n_items))
    return {None: [f"item-{i + 1:0{width}d}" for i in range(n_items)]}


def _name_raters(raters: str | None) -> list[str] | None:
    if raters is None:
        return None
    if raters.strip().isdigit():
        return [f"rater-{r + 1:0{len(raters.strip())}d}" for r in range(int(raters))]
    return [name.strip() for name in raters.split(",")]


def _read_orders(path: Path, item_column: str, order_by: str | None) -> dict[str | None, list[str]]:
    """Items by category, in the order of the file or from the highest first estimate down."""
    import pandas as pd

    if path != STDOUT and not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        table = pd.read_csv(sys.stdin if path == STDOUT else path, dtype=str, keep_default_na=False)
    except ValueError as error:  # pandas' own errors derive from it
        raise DataError(f"{path} cannot be read as CSV: {error}") from error
    for column in (item_column, *([order_by] if order_by else [])):
        if column not in table:
            raise DataError(f"{path}: there is no column {column!r}; there are {', '.join(table.columns)}")
    if order_by:
        first = pd.to_numeric(table[order_by], errors="coerce")
        if first.isna().any():
            rows = ", ".join(str(row) for row in first.index[first.isna()][:10])
            raise DataError(f"{path}, column {order_by!r}: rows {rows} hold no number")
        table = table.loc[first.sort_values(ascending=False, kind="stable").index]
    if "category" not in table:
        return {None: table[item_column].tolist()}
    return {str(name): group[item_column].tolist() for name, group in table.groupby("category", sort=False)}
