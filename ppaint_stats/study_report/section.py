"""Section: a part of the report of a study; Finding: a verdict with its number, its threshold and what to do."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

import pandas as pd

from ppaint_stats.columns import DEFAULT_CATEGORY
from ppaint_stats.report import Report

type Status = Literal["good", "look", "bad", "open"]

WORDS: dict[Status, str] = {"good": "passed", "look": "look", "bad": "falls short", "open": "not known"}
"""How a status is called."""


@dataclass(frozen=True)
class Finding:
    """One verdict.

    Parameters
    ----------
    status
        ``"good"``, ``"look"`` (may or may not do), ``"bad"``, or ``"open"`` (nothing is known).
    topic
        What it is about.
    text
        The verdict in one sentence, with its number and its threshold.
    action
        What follows from it; empty where nothing does.
    where
        Category and dimension, where it is about one.
    value, lower, upper, threshold
        The number, its interval and what it was held to; nan where there is none.
    """

    status: Status
    topic: str
    text: str
    action: str = ""
    where: str = ""
    value: float = float("nan")
    lower: float = float("nan")
    upper: float = float("nan")
    threshold: float = float("nan")


def tabulate_findings(findings: list[Finding]) -> pd.DataFrame:
    """Put verdicts into a table, the numbers in full."""
    return pd.DataFrame([asdict(f) for f in findings], columns=list(Finding.__dataclass_fields__))


@dataclass(frozen=True, eq=False, repr=False)
class Section(Report):
    """A section of the report of a study.

    Beside what every report has: ``anchor``, its name within the page; ``shown``, columns of a table that the page
    shows (all by default; files hold all); ``folded``, tables and figures that are closed until asked for; ``filters``,
    columns by which a table is filtered; ``missing``, how to get what is not there; ``findings``, its verdicts.
    """

    anchor: str = ""
    shown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folded: frozenset[str] = frozenset()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        """One line."""
        return f"Section({self.title!r}; tables: {', '.join(self.tables) or 'none'})"


def name_cell(category: object, dimension: object) -> str:
    """Name a cell as people would; where nobody named a category there is none to tell.

    Examples
    --------
    >>> name_cell("landscape", "mood"), name_cell("all", "mood")
    ('mood in landscape', 'mood')
    """
    return str(dimension) if category == DEFAULT_CATEGORY else f"{dimension} in {category}"


def count(n: int, noun: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> count(1, "rater"), count(1200, "item"), count(2, "category")
    ('1 rater', '1,200 items', '2 categories')
    """
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{n:,} {noun if n == 1 else many}"


def list_names(names: list[str], *, limit: int = 5) -> str:
    """List names, the first few of many.

    Examples
    --------
    >>> list_names(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
