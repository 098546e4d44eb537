"""The six intraclass correlations of McGraw and Wong."""

from typing import Any

import numpy as np
import pandas as pd

from ppaint_stats.kernels.graphs import link_components
from ppaint_stats.kernels.variance_components import CrossedDesign, MeanSquares, mean_squares, residual_freedom
from ppaint_stats.reliability.estimate import check_bootstrap
from ppaint_stats.reliability.rating_matrix import RatingMatrix, read_rating_matrix
from ppaint_stats.seeds import split_seed
from ppaint_stats.typing import FloatArray, RandomSeed

NAMES = ("ICC(1,1)", "ICC(A,1)", "ICC(C,1)", "ICC(1,k)", "ICC(A,k)", "ICC(C,k)")
COLUMNS = ("estimate", "lower", "upper", "F", "df1", "df2", "method", "reason")

POLE = 1e-9
"""Variance of a mean of k ratings, relative to that of one, up to which it counts as none."""


def icc(data: Any, *, n_boot: int = 0, random_seed: RandomSeed = None, interval_prob: float = 0.95) -> pd.DataFrame:
    r"""Estimate intraclass correlations, of one rating and of the mean of k.

    Parameters
    ----------
    data : DataFrame or array-like
        A table with ``item, rater, rating`` of one category and dimension, or an array of raters x items with nan
        where a rating is missing.
    n_boot : int
        Replicates of the parametric bootstrap, which is used only where cells are missing.
    random_seed : int or numpy.random.SeedSequence or None
        Seed of the bootstrap.
    interval_prob : float
        Probability of the intervals.

    Returns
    -------
    DataFrame
        Index ``ICC(1,1), ICC(A,1), ICC(C,1), ICC(1,k), ICC(A,k), ICC(C,k)``; columns ``estimate, lower, upper, F,
        df1, df2, method, reason``. k is the number of raters. ``reason`` says why there is no value or no interval.
        ``attrs`` holds ``mean_squares`` (items, raters, error, within; complete tables only), ``variance_components``
        (item, rater, error), ``n_items``, ``n_raters``, ``n_judgments``.

    Raises
    ------
    DataError, ArgumentError
        If the ratings or an argument are not allowed.

    Notes
    -----
    Complete tables: mean squares, with F intervals that are not rounded (Shrout and Fleiss 1979; McGraw and Wong 1996).
    The ICC(1, .) take raters as different for each item, ICC(A, .) measure absolute agreement, ICC(C, .) consistency.

    Where the coefficient of one rating, or an end of its interval, is -1/(k - 1) or less, Spearman and Brown's formula
    for the mean of k has run off to minus infinity: the end is -inf, and a coefficient has no value.

    Missing cells: restricted maximum likelihood of the model with random items and raters (items alone for the ICC(1,
    .)), with intervals from a parametric bootstrap. Nothing is deleted. The coefficients of k ratings are then those
    of a complete panel of k.

    Examples
    --------
    >>> table = icc([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]])
    >>> table["estimate"].round(4).tolist()
    [0.1657, 0.2898, 0.7148, 0.4428, 0.6201, 0.9093]
    """
    check_bootstrap(n_boot, random_seed, interval_prob, "both")
    matrix = drop_empty(read_rating_matrix(data))
    frame = pd.DataFrame(np.nan, index=pd.Index(NAMES, name="coefficient"), columns=[*COLUMNS[:6]])
    frame["method"], frame["reason"] = "", find_obstacle(matrix)
    k, n = matrix.values.shape
    frame.attrs = {"n_items": n, "n_raters": k, "n_judgments": matrix.n_judgments, "interval_prob": interval_prob}
    if frame["reason"].iloc[0]:
        return frame
    if matrix.complete:
        ms = mean_squares(matrix.values)
        for name, row in _f_table(ms, interval_prob).items():
            frame.loc[name, list(COLUMNS[:6])] = row
        beyond = np.isneginf(frame["estimate"])
        frame.loc[beyond, ["estimate", "lower", "upper"]] = np.nan
        frame.loc[beyond, "reason"] = f"single ratings agree by -1/{k - 1} or less: their mean has no reliability"
        frame["method"] = "mean squares, F"
        parts = {"items": ms.items, "raters": ms.raters, "error": ms.error, "within": ms.within}
        return _with_attrs(frame, {"mean_squares": parts, "variance_components": _name_components(ms.components)})
    design = CrossedDesign(matrix.present)
    two_way, one_way = design.fit(matrix.values), design.fit(matrix.values, with_raters=False)
    frame["estimate"] = _coefficients(two_way, one_way, k)
    frame["method"] = "REML, parametric bootstrap" if n_boot else "REML"
    frame["reason"] = "" if n_boot else "cells are missing: the interval is a parametric bootstrap, which needs n_boot"
    if n_boot:
        rng = np.random.default_rng(split_seed(random_seed, 1)[0])
        draws = np.empty((n_boot, len(NAMES)))
        for replicate in draws:
            crossed, nested = (design.simulate(c, rng) for c in (two_way, one_way))
            fits = design.fit(crossed, polish=False), design.fit(nested, with_raters=False, polish=False)
            replicate[:] = _coefficients(*fits, k)
        frame[["lower", "upper"]] = np.quantile(draws, [(1 - interval_prob) / 2, (1 + interval_prob) / 2], axis=0).T
    return _with_attrs(frame, {"variance_components": _name_components(two_way)})


def drop_empty(matrix: RatingMatrix) -> RatingMatrix:
    """Leave out raters and items without any rating."""
    rows, columns = matrix.present.any(axis=1), matrix.present.any(axis=0)
    raters = tuple(name for name, kept in zip(matrix.raters, rows, strict=True) if kept)
    items = tuple(name for name, kept in zip(matrix.items, columns, strict=True) if kept)
    return RatingMatrix(matrix.values[rows][:, columns], raters, items)


def find_obstacle(matrix: RatingMatrix) -> str:
    """Say why variance components cannot be told apart; empty where they can."""
    k, n = matrix.values.shape
    if k < 2:
        return "one rater: agreement needs at least two" if k else "no ratings"
    if n < 2:
        return "one item: variance between items needs at least two"
    if np.ptp(matrix.values[matrix.present]) == 0:
        return "all ratings are equal: there is no variance to divide"
    rater, item = np.nonzero(matrix.present)
    component = link_components(rater, item + k, k + n)
    if residual_freedom(len(rater), component) < 1:
        return "too few shared ratings: item, rater and error variance cannot be told apart"
    return ""


def single_rating_interval(ms: MeanSquares, prob: float, *, absolute: bool) -> tuple[float, float]:
    """F interval of ICC(A,1) or ICC(C,1)."""
    from scipy.stats import f

    n, k, error = ms.n, ms.k, ms.error
    tail = (1 + prob) / 2
    if not absolute:
        return _consistency_interval(ms.items, error, n - 1, (n - 1) * (k - 1), k, tail)
    rho = _divide(ms.items - error, ms.items + (k - 1) * error + k * (ms.raters - error) / n)
    own, rest = k * rho * ms.raters, (n * (1 + (k - 1) * rho) - k * rho) * error
    v = _divide((k - 1) * (n - 1) * (own + rest) ** 2, (n - 1) * own**2 + rest**2)
    if not v > 0:
        v = 1.0  # neither raters nor error vary: the bounds do not depend on it
    other = k * ms.raters + (k * n - k - n) * error
    down, up = float(f.ppf(tail, n - 1, v)), float(f.ppf(tail, v, n - 1))
    lower = _divide(n * (ms.items - down * error), down * other + n * ms.items)
    return lower, _divide(n * (up * ms.items - error), other + n * up * ms.items)


def step_up_rating(rho: float, k: float) -> float:
    """Spearman-Brown: from one rating to the mean of k; -inf at and beyond the pole, where means have no variance."""
    bottom = 1 + (k - 1) * rho
    return _divide(k * rho, bottom) if np.isnan(rho) or bottom > POLE else float("-inf")


def _consistency_interval(top: float, bottom: float, df1: int, df2: int, k: int, tail: float) -> tuple[float, float]:
    from scipy.stats import f

    down, up = bottom * float(f.ppf(tail, df1, df2)), top * float(f.ppf(tail, df2, df1))
    return _divide(top - down, top + (k - 1) * down), _divide(up - bottom, up + (k - 1) * bottom)


def _f_table(ms: MeanSquares, prob: float) -> dict[str, tuple[float, ...]]:
    """Rows of the table for a complete design."""
    n, k = ms.n, ms.k
    one = _divide(ms.items - ms.within, ms.items + (k - 1) * ms.within)
    agree = _divide(ms.items - ms.error, ms.items + (k - 1) * ms.error + k * (ms.raters - ms.error) / n)
    consist = _divide(ms.items - ms.error, ms.items + (k - 1) * ms.error)
    bounds_one = _consistency_interval(ms.items, ms.within, n - 1, n * (k - 1), k, (1 + prob) / 2)
    bounds_agree = single_rating_interval(ms, prob, absolute=True)
    bounds_consist = single_rating_interval(ms, prob, absolute=False)
    within = (_divide(ms.items, ms.within, at_zero=np.inf), float(n - 1), float(n * (k - 1)))
    error = (_divide(ms.items, ms.error, at_zero=np.inf), float(n - 1), float((n - 1) * (k - 1)))
    single = [(one, *bounds_one), (agree, *bounds_agree), (consist, *bounds_consist)]
    tests = [within, error, error]
    rows = [(*values, *test) for values, test in zip(single, tests, strict=True)]
    means = [(*(step_up_rating(v, k) for v in values), *test) for values, test in zip(single, tests, strict=True)]
    return dict(zip(NAMES, rows + means, strict=True))


def _coefficients(two_way: FloatArray, one_way: FloatArray, k: int) -> FloatArray:
    """Return the six coefficients from the components of both models."""
    item, rater, error = (float(c) for c in two_way)
    within = float(one_way[0] + one_way[2])
    single = [_divide(float(one_way[0]), within), _divide(item, item + rater + error), _divide(item, item + error)]
    return np.array(single + [step_up_rating(rho, k) for rho in single])


def _divide(top: float, bottom: float, *, at_zero: float = float("nan")) -> float:
    return float(top / bottom) if bottom != 0 else at_zero


def _name_components(components: FloatArray) -> dict[str, float]:
    return dict(zip(("item", "rater", "error"), (float(c) for c in components), strict=True))


def _with_attrs(frame: pd.DataFrame, more: dict[str, Any]) -> pd.DataFrame:
    frame.attrs.update(more)
    return frame
