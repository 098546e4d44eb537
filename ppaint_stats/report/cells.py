"""How a single value is written: short for people, exact for programs."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

DIGITS = 4


def format_cell(value: object, *, digits: int = DIGITS) -> str:
    """Write a value for people.

    Parameters
    ----------
    value : object
        A cell of a table.
    digits : int
        Significant digits of numbers with a fraction.

    Returns
    -------
    str
        Whole numbers in full with thousands separated, others to the significant digits, missing ones empty, truth as
        yes or no.

    Examples
    --------
    >>> [format_cell(x) for x in (45900, 0.79512345, 1234.56, 0.00001234, float("nan"), True, "r1")]
    ['45,900', '0.7951', '1,235', '1.234e-05', '', 'yes', 'r1']
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    if isinstance(value, float | np.floating):
        return _format_float(float(value), digits)
    return str(value)


def _format_float(x: float, digits: int) -> str:
    if math.isnan(x):
        return ""
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    if abs(x) >= 10.0**digits / 10 and abs(x) < 1e15:
        return f"{x:,.0f}"
    return f"{x:.{digits}g}"


def to_plain(value: Any) -> Any:
    """Turn a value into what JSON can hold, without loss.

    Parameters
    ----------
    value : object
        A cell or a setting: scalars, and mappings or sequences of them.

    Returns
    -------
    object
        Missing numbers become None, infinite ones ``"inf"`` or ``"-inf"`` (JSON has neither), the unknown its text.

    Examples
    --------
    >>> to_plain({"n": np.int64(3), "x": float("nan"), "ends": (1.0, float("inf"))})
    {'n': 3, 'x': None, 'ends': [1.0, 'inf']}
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        x = float(value)
        return x if math.isfinite(x) else None if math.isnan(x) else ("inf" if x > 0 else "-inf")
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return [to_plain(v) for v in value.tolist()]
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(v) for v in value]
    return str(value)
