"""Checks of arguments that many functions share."""

import operator

from ppaint_stats.errors import ArgumentError


def check_probability(name: str, value: float) -> None:
    """Refuse what is no probability strictly between 0 and 1."""
    try:
        fine = 0 < float(value) < 1
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise ArgumentError(f"{name}={value!r} must lie between 0 and 1")


def check_count(name: str, value: int, least: int) -> None:
    """Refuse what is no whole number of at least ``least``."""
    try:
        fine = operator.index(value) >= least
    except TypeError:
        fine = False
    if not fine:
        raise ArgumentError(f"{name}={value!r} must be a whole number, {least} or more")


def check_positive(name: str, value: float) -> None:
    """Refuse what is no finite number above 0."""
    try:
        fine = 0 < float(value) < float("inf")
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise ArgumentError(f"{name}={value!r} must be a finite number above 0")
