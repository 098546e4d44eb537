"""How a value of the summary is put into words."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

COUNTED = {"raters_needed_relative", "raters_needed_absolute"}
"""Statistics that are whole numbers."""


def say_value(summary: pd.DataFrame, protocol: str, statistic: str) -> str:
    """Write one cell's value with its interval, or the median over cells with the range.

    Parameters
    ----------
    summary
        Table of statistics.
    protocol, statistic
        Which rows.

    Returns
    -------
    str
        ``"0.52 [0.43, 0.60]"`` or, of several cells, ``"0.52 (0.40 to 0.61)"``; empty where no cell has a value.
    """
    rows = pick_rows(summary, protocol, statistic)
    rows = rows[rows["estimate"].notna()]
    if rows.empty:
        return ""
    digits = "0f" if statistic in COUNTED else "2f"
    if len(rows) == 1:
        row = rows.iloc[0]
        return f"{_number(row['estimate'], digits)}{_interval(row, digits)}"
    middle, low, high = rows["estimate"].median(), rows["estimate"].min(), rows["estimate"].max()
    some = f" in {len(rows)} cells" if len(rows) < len(pick_rows(summary, protocol, statistic)) else ""
    return f"{_number(middle, digits)} ({_number(low, digits)} to {_number(high, digits)}{some})"


def pick_rows(summary: pd.DataFrame, protocol: str, statistic: str) -> pd.DataFrame:
    """Pick the rows of one statistic of one protocol, one for each cell."""
    return summary[(summary["protocol"] == protocol) & (summary["statistic"] == statistic)]


def _number(x: float, digits: str) -> str:
    if np.isinf(x):
        return "no finite number" if x > 0 else "-inf"
    text = f"{x:.{digits}}"
    return text.removeprefix("-") if float(text) == 0 else text


def _interval(row: "pd.Series[Any]", digits: str) -> str:
    lower, upper = float(row["lower"]), float(row["upper"])
    if np.isnan(lower) or np.isnan(upper):
        return ""
    return f" [{_number(lower, digits)}, {_number(upper, digits)}]"


def say_p_value(p: float) -> str:
    """Write a p-value with its relation: ``"= 0.012"``, ``"< 0.001"``."""
    return f"= {p:.3f}" if p >= 0.001 else "< 0.001"


def first_reason(rows: pd.DataFrame) -> str:
    """Give the most common reason for which values are missing."""
    reasons = [reason for reason in rows.loc[rows["estimate"].isna(), "reason"] if reason]
    return Counter(reasons).most_common(1)[0][0] if reasons else "no data"
