"""Which category and dimension a plot shows, and how its scores and cells are called."""

import pandas as pd

from ppaint_stats.columns import CATEGORY, DEFAULT_CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.plots.frame import count, label, plain
from ppaint_stats.report import Report

KEYS = [CATEGORY, DIMENSION, ITEM]
NAMED = 5
"""Cells that an error lists."""


def choose_cell(cells: pd.DataFrame, category: str | None, dimension: str | None) -> tuple[str, str]:
    """Name of the one category and dimension that fit what was asked for.

    Parameters
    ----------
    cells
        A table with columns ``category`` and ``dimension``.
    category, dimension
        Names; None takes the only one.

    Raises
    ------
    ArgumentError
        If none or several fit; the message names what there is.
    """
    held = cells[[CATEGORY, DIMENSION]].drop_duplicates()
    for column, name in ((CATEGORY, category), (DIMENSION, dimension)):
        if name is not None:
            known = held[column].unique().tolist()
            if name not in known:
                raise ArgumentError(f"{column}={name!r} is not in the result; it holds {known}")
    fit = held
    if category is not None:
        fit = fit[fit[CATEGORY] == category]
    if dimension is not None:
        fit = fit[fit[DIMENSION] == dimension]
    if len(fit) != 1:
        shown = fit if len(fit) else held
        names = ", ".join(f"{c} / {d}" for c, d in shown.head(NAMED).itertuples(index=False))
        raise ArgumentError(
            f"name one category and dimension: {len(fit)} fit, "
            + (f"among them {names}" if len(fit) else f"of {names}")
        )
    return str(fit.iloc[0, 0]), str(fit.iloc[0, 1])


def take_cell(table: pd.DataFrame, category: str, dimension: str) -> pd.DataFrame:
    """Rows of one category and dimension."""
    return table[(table[CATEGORY] == category) & (table[DIMENSION] == dimension)]


def require_fusion(value: object, name: str) -> Fusion:
    """Refuse what is no fusion, naming the function that was called."""
    if not isinstance(value, Fusion):
        raise ArgumentError(f"{name} takes a Fusion, not a {type(value).__name__}")
    return value


def name_cell(category: str, dimension: str) -> str:
    """Name a cell in plain text; where nobody named a category there is none to tell."""
    return plain(dimension) if category == DEFAULT_CATEGORY else f"{plain(category)}, {plain(dimension)}"


def title_cell(category: str, dimension: str) -> str:
    """Name a cell as the title of a plot."""
    return label(dimension) if category == DEFAULT_CATEGORY else f"{label(category)}, {label(dimension)}"


def name_score(fusion: Fusion) -> str:
    """Name of the axis of scores, with its scale."""
    if not fusion.calibrated or fusion.scale is None:
        return "latent score (Elo points)" if fusion.method == "elo" else "latent score"
    if fusion.settings["target"] == "relative":
        return "score minus the category's mean"
    return f"score on the scale {fusion.scale.low:g} to {fusion.scale.high:g}"


def has_intervals(fusion: Fusion) -> bool:
    """Whether the scores have an uncertainty."""
    return str(fusion.settings["interval_kind"]) != "none"


def count_raters(fusion: Fusion, category: str, dimension: str) -> int:
    """Raters behind a cell; 0 where the fusion does not know them."""
    table = fusion.raters
    if "rater" not in table or table.empty:
        return 0
    for column, name in ((CATEGORY, category), (DIMENSION, dimension)):
        if column in table:
            table = table[table[column] == name]
    return int(table["rater"].nunique())


def name_scale(fusion: Fusion) -> str:
    """Say which scale the scores are on."""
    if not fusion.calibrated or fusion.scale is None:
        return "on the latent scale"
    if fusion.settings["target"] == "relative":
        return "as differences from the category's mean"
    return f"on the scale {fusion.scale.low:g} to {fusion.scale.high:g}"


def describe_intervals(fusion: Fusion) -> str:
    """Say which intervals there are."""
    return f"with {fusion.settings['interval_prob']:.0%} intervals" if has_intervals(fusion) else "without intervals"


def count_judged(fusion: Fusion, category: str, dimension: str) -> str:
    """Say how many items a cell has, who judged them, and which cell it is."""
    items = len(take_cell(fusion.scores, category, dimension))
    raters = count_raters(fusion, category, dimension)
    by = f" by {count(raters, 'rater')}" if raters else ""
    return f"{count(items, 'item')}{by} in {name_cell(category, dimension)}"


def require_table(value: object, table: str, name: str, maker: str) -> pd.DataFrame:
    """Table of a report; refuses what is no report, or one that was made by something else."""
    if not isinstance(value, Report):
        raise ArgumentError(f"{name} takes a Report of {maker}, not a {type(value).__name__}")
    if table not in value.tables:
        held = ", ".join(value.tables)
        raise ArgumentError(f"{name} takes a Report of {maker}; {value.title!r} has no table {table!r}, only {held}")
    found = value.tables[table]
    if found.empty:
        raise ArgumentError(f"the table {table!r} of the report {value.title!r} is empty: there is nothing to draw")
    return found
