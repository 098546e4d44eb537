"""Designs to choose from, what they cost, which are worth their price, and which answers a question."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_count
from ppaint_stats.design import resolve_window
from ppaint_stats.errors import ArgumentError
from ppaint_stats.planning.worlds import Load

NEW, SAME = "new", "same"
ALIKE = 0.01
"""Designs within this share of the best are taken as equally good, and the cheapest of them is recommended."""


@dataclass(frozen=True)
class Costs:
    """Minutes of a rater's time: to rate an item, to compare a pair (on all dimensions at once), and once per rater."""

    rating: float
    comparison: float
    rater: float

    def count(self, design: "Design", n_items: int) -> float:
        """Count the minutes of a design; raters of a pilot need no second briefing."""
        work = design.load.ratings_per_item * n_items * self.rating + design.load.n_pairs * self.comparison
        return design.n_raters * (work + (self.rater if design.who == NEW else 0.0))


@dataclass(frozen=True)
class Design:
    """Who judges, how many they are, and what each of them does."""

    who: str
    n_raters: int
    load: Load


def list_designs(
    *,
    n_items: int,
    n_raters: Sequence[int],
    n_old: int,
    ratings_per_item: Sequence[int],
    pairs_per_rater: Sequence[int] | None,
    costs: Costs,
    budget: float | None,
) -> list[Design]:
    """List the designs of a grid, and those that spend a budget to the end.

    Parameters
    ----------
    n_items
        Number of items.
    n_raters
        Numbers of new raters.
    n_old
        Raters of a pilot whose judgments are kept, 0 without.
    ratings_per_item, pairs_per_rater
        What each rater does; None takes 2, 4, 8 and 16 times the number of items as pairs, and none.
    costs
        What it costs.
    budget
        Minutes to spend: with each number of raters and ratings the rest goes into comparisons.

    Returns
    -------
    list of Design
        Designs without duplicates, in the order of raters, ratings and pairs.
    """
    most = n_items * (n_items - 1) // 2
    if pairs_per_rater is None:
        pairs_per_rater = (0, *sorted({min(k * n_items, most) for k in (2, 4, 8, 16)}))
    for name, values, least in (
        ("n_raters", n_raters, 1), ("ratings_per_item", ratings_per_item, 0), ("pairs_per_rater", pairs_per_rater, 0),
    ):  # fmt: skip
        if not len(values):
            raise ArgumentError(f"{name} is empty; name at least one number")
        for value in values:
            check_count(name, value, least)
    for pairs in pairs_per_rater:
        if pairs:
            resolve_window(n_items, n_pairs=pairs)
    groups = [(SAME, n_old)] if n_old else []
    groups += [(NEW, int(n)) for n in sorted(set(n_raters))]
    found: dict[Design, None] = {}
    for who, n in groups:
        for ratings in sorted(set(ratings_per_item)):
            choices = set(map(int, pairs_per_rater))
            if budget is not None:
                choices |= _spend(Design(who, n, Load(int(ratings), 0)), n_items, most, costs, budget)
            for pairs in sorted(choices):
                if ratings or pairs:
                    found[Design(who, n, Load(int(ratings), pairs))] = None
    if not found:
        raise ArgumentError("no design has any judgment: ratings_per_item and pairs_per_rater hold nothing but 0")
    return list(found)


def _spend(design: Design, n_items: int, most: int, costs: Costs, budget: float) -> set[int]:
    """Pairs that the rest of a budget pays for, if they are enough to connect the items."""
    rest = budget - costs.count(design, n_items)
    if rest < 0:
        return set()
    pairs = min(int(rest / (design.n_raters * costs.comparison) + 1e-9), most) if costs.comparison else most
    return {pairs} if pairs >= n_items - 1 else set()


def describe_designs(designs: Iterable[Design], *, n_items: int, costs: Costs) -> pd.DataFrame:
    """Tabulate designs: who, raters, ratings_per_item, pairs_per_rater, ratings, comparisons, minutes, hours."""
    rows = []
    for design in designs:
        n, load, minutes = design.n_raters, design.load, costs.count(design, n_items)
        rows.append(
            {
                "who": design.who,
                "raters": n,
                "ratings_per_item": load.ratings_per_item,
                "pairs_per_rater": load.n_pairs,
                "ratings": n * load.ratings_per_item * n_items,
                "comparisons": n * load.n_pairs,
                "minutes": minutes,
                "hours": minutes / 60,
            }
        )
    return pd.DataFrame(rows)


def mark_frontier(table: pd.DataFrame, *, by: str, smaller: bool) -> pd.Series:
    """Mark designs that nothing cheaper, or as cheap, matches in the column ``by``."""
    value = (table[by] if smaller else -table[by]).fillna(np.inf).to_numpy()
    order = np.lexsort((value, table["minutes"].to_numpy()))
    best = np.minimum.accumulate(np.concatenate([[np.inf], value[order][:-1]]))
    marked = np.zeros(len(table), dtype=np.bool_)
    marked[order] = value[order] < best
    return pd.Series(marked, index=table.index)


def recommend(
    table: pd.DataFrame,
    *,
    width: str,
    budget: float | None,
    target_width: float | None,
    target_srcc: float | None,
) -> pd.DataFrame:
    """Answer the questions asked: one row each, with the design that answers it.

    Parameters
    ----------
    table
        Designs with their cost and outlook.
    width
        Column of the widths asked for.
    budget
        Minutes that may be spent, or None.
    target_width, target_srcc
        Mean width, and rank correlation with the truth, to be reached, or None.

    Returns
    -------
    DataFrame
        ``question``, ``reached`` and the columns of `table`; a question that no design answers has the nearest one.
    """
    rows = []
    if budget is not None:
        inside = table[table["minutes"] <= budget * (1 + 1e-9)]
        for column, smaller, words in ((width, True, "narrowest intervals"), ("srcc", False, "best ranking")):
            known = inside[inside[column].notna()]
            question = f"{words} in {budget:g} minutes"
            if len(known):
                rows.append(_take(_cheapest_alike(known, column, smaller=smaller), question, reached=True))
            else:
                rows.append(_take(table.sort_values("minutes", kind="stable").iloc[0], question, reached=False))
    for column, smaller, goal, words in (
        (width, True, target_width, "intervals {:g} wide or less"),
        ("srcc", False, target_srcc, "rank correlation {:g} or more"),
    ):
        if goal is None:
            continue
        known = table[table[column].notna()]
        fine = known[known[column] <= goal] if smaller else known[known[column] >= goal]
        question = f"cheapest with {words.format(goal)}"
        if len(fine):
            rows.append(_take(fine.sort_values(["minutes", column], kind="stable").iloc[0], question, reached=True))
        elif len(known):
            rows.append(
                _take(known.sort_values(column, ascending=smaller, kind="stable").iloc[0], question, reached=False)
            )
    return pd.DataFrame(rows, columns=["question", "reached", *table.columns]).reset_index(drop=True)


def _cheapest_alike(table: pd.DataFrame, column: str, *, smaller: bool) -> pd.Series:
    """Cheapest of the designs that are as good as the best: errors of ranking, not rank correlations, are compared."""
    loss = table[column] if smaller else 1 - table[column]
    row: pd.Series = table[loss <= loss.min() * (1 + ALIKE)].sort_values("minutes", kind="stable").iloc[0]
    return row


def _take(row: pd.Series, question: str, *, reached: bool) -> dict[str, object]:
    return {"question": question, "reached": reached, **{str(name): value for name, value in row.items()}}
