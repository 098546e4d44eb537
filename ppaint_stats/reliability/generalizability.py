"""Generalizability: where the variance of ratings comes from, and how many raters a reliable mean needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_count, check_probability
from ppaint_stats.errors import ArgumentError
from ppaint_stats.reliability.estimate import Estimate, check_bootstrap
from ppaint_stats.reliability.intraclass import icc, step_up_rating
from ppaint_stats.typing import RandomSeed

type Coefficient = Literal["relative", "absolute"]

SINGLE = {"relative": "ICC(C,1)", "absolute": "ICC(A,1)"}
"""Coefficient of one rating that each kind of decision rests on."""


@dataclass(frozen=True, eq=False)
class GStudy:
    """Variance components of items x raters.

    Parameters
    ----------
    components
        Index ``item, rater, residual``; columns ``variance`` (not below 0), ``share`` of the total, and for complete
        tables ``df``, ``mean_square`` and ``raw`` (the estimate before negative ones became 0).
    single
        Reliability of one rating: index ``relative, absolute``; columns ``estimate, lower, upper``.
    n_items, n_raters, n_judgments
        What it rests on.
    method
        ``"mean squares"`` or ``"REML"``.
    interval_prob, interval_kind
        Probability of the intervals and how they were made: ``"F"``, ``"parametric bootstrap"`` or ``"none"``.
    reason
        What is missing, or set to 0.
    """

    components: pd.DataFrame
    single: pd.DataFrame
    n_items: int
    n_raters: int
    n_judgments: int
    method: str
    interval_prob: float
    interval_kind: str
    reason: str

    def __repr__(self) -> str:
        """One line with the shares, or why there are none."""
        if self.components["share"].isna().all():
            return f"GStudy({self.n_items} items x {self.n_raters} raters; {self.reason})"
        shares = ", ".join(f"{name} {share:.1%}" for name, share in self.components["share"].items())
        return f"GStudy({self.n_items} items x {self.n_raters} raters: {shares})"


def g_study(data: Any, *, n_boot: int = 0, random_seed: RandomSeed = None, interval_prob: float = 0.95) -> GStudy:
    r"""Divide the variance of ratings among items, raters, and the rest.

    Parameters
    ----------
    data, n_boot, random_seed, interval_prob
        As in :func:`~ppaint_stats.reliability.icc`: one category and dimension; ``n_boot`` matters only where cells
        are missing.

    Returns
    -------
    GStudy
        Components, and the reliability of one rating, from which :func:`d_study` and :func:`raters_needed` start.

    Raises
    ------
    DataError, ArgumentError
        If the ratings or an argument are not allowed.

    Notes
    -----
    Random items crossed with random raters (Brennan 2001): mean squares for complete tables, restricted maximum
    likelihood with missing cells. The residual holds the interaction of items and raters, and error. Items are those
    of one category: variance between categories is not reliability within one.

    Examples
    --------
    >>> g_study([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]])
    GStudy(6 items x 4 raters: item 29.0%, rater 59.5%, residual 11.6%)
    """
    check_bootstrap(n_boot, random_seed, interval_prob, "both")
    return study_of_table(icc(data, n_boot=n_boot, random_seed=random_seed, interval_prob=interval_prob))


def study_of_table(table: pd.DataFrame) -> GStudy:
    """Read the variance components out of a table of :func:`~ppaint_stats.reliability.icc`.

    Parameters
    ----------
    table : DataFrame
        Its coefficients, and its ``attrs``.
    """
    n, k = int(table.attrs["n_items"]), int(table.attrs["n_raters"])
    raw = np.array(list(table.attrs.get("variance_components", {}).values()) or [np.nan] * 3)
    variance = np.maximum(raw, 0.0)
    components = pd.DataFrame(index=pd.Index(["item", "rater", "residual"], name="source"))
    components["variance"], components["share"] = variance, variance / variance.sum()
    squares = table.attrs.get("mean_squares")
    if squares:
        components["df"] = [n - 1, k - 1, (n - 1) * (k - 1)]
        components["mean_square"] = [squares["items"], squares["raters"], squares["error"]]
        components["raw"] = raw
    reason = str(table.loc["ICC(A,1)", "reason"])
    if (raw < 0).any():
        names = " and ".join(name for name, value in zip(components.index, raw, strict=True) if value < 0)
        reason = f"negative variance of {names} set to 0"
    single = table.loc[list(SINGLE.values()), ["estimate", "lower", "upper"]].set_axis(list(SINGLE), axis=0)
    item = variance[0]
    single["estimate"] = [item / (item + variance[2]), item / variance.sum()]
    resampled = bool(table["lower"].notna().any())
    return GStudy(
        components=components,
        single=single,
        n_items=n,
        n_raters=k,
        n_judgments=int(table.attrs["n_judgments"]),
        method="mean squares" if squares else "REML",
        interval_prob=float(table.attrs["interval_prob"]),
        interval_kind="F" if squares else "parametric bootstrap" if resampled else "none",
        reason=reason,
    )


def d_study(study: GStudy, *, n_raters: int | Iterable[int] | None = None) -> pd.DataFrame:
    r"""Predict the reliability of mean ratings by panels of other sizes.

    Parameters
    ----------
    study : GStudy
        Of :func:`g_study`.
    n_raters : int or iterable of int, optional
        Size or sizes of panels; by default 1 to twice that of the study, at least 10.

    Returns
    -------
    DataFrame
        A row per size: ``n_raters``; ``relative`` (:math:`E\rho^2`) and ``absolute`` (:math:`\Phi`) with ``_lower`` and
        ``_upper``; ``sem_relative`` and ``sem_absolute``, standard errors of measurement on the rating scale.

    Raises
    ------
    ArgumentError
        If a size is no whole number of at least 1, or ``study`` does not come from :func:`g_study`.

    Notes
    -----
    :math:`E\rho^2 = \sigma_i^2 / (\sigma_i^2 + \sigma_e^2 / n)`, :math:`\Phi = \sigma_i^2 / (\sigma_i^2 + (\sigma_r^2
    + \sigma_e^2) / n)` (Brennan 2001). Both are Spearman-Brown of the coefficient of one rating, and so are the ends
    of its interval, not below 0.

    Examples
    --------
    >>> study = g_study([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]])
    >>> d_study(study, n_raters=[4, 10])[["n_raters", "relative", "absolute"]].round(4)
       n_raters  relative  absolute
    0         4    0.9093    0.6201
    1        10    0.9616    0.8031
    """
    _require_g_study(study)
    sizes = list(range(1, max(10, 2 * study.n_raters) + 1))
    if n_raters is not None:
        sizes = list(n_raters) if isinstance(n_raters, Iterable) else [n_raters]
    for size in sizes:
        check_count("n_raters", size, 1)
    out: dict[str, list[float]] = {}
    for position, kind in enumerate(SINGLE):
        for column, suffix in (("estimate", ""), ("lower", "_lower"), ("upper", "_upper")):
            rho = float(np.maximum(study.single[column].to_numpy(float)[position], 0.0))  # nan stays nan
            out[kind + suffix] = [step_up_rating(rho, size) for size in sizes]
    variance = study.components["variance"]
    noise = {"relative": variance["residual"], "absolute": variance["residual"] + variance["rater"]}
    for kind, value in noise.items():
        out[f"sem_{kind}"] = [float(np.sqrt(value / size)) for size in sizes]
    return pd.DataFrame({"n_raters": sizes, **out})


def raters_needed(study: GStudy, *, target: float = 0.8, coefficient: Coefficient = "relative") -> Estimate:
    r"""Estimate how many raters give a mean rating of a wanted reliability.

    Parameters
    ----------
    study : GStudy
        Of :func:`g_study`.
    target : float
        Wanted reliability.
    coefficient : {"relative", "absolute"}
        Reliability of the order of items (:math:`E\rho^2`), or of their place on the scale (:math:`\Phi`).

    Returns
    -------
    Estimate
        A whole number, with the interval that belongs to that of the coefficient. Infinite where no number of raters
        is enough, as far as the data can tell; ``reason`` says so.

    Raises
    ------
    ArgumentError
        If an argument has a value that is not allowed.

    Notes
    -----
    :math:`n = \tau (1 - \rho) / (\rho (1 - \tau))` for the reliability :math:`\rho` of one rating and the target
    :math:`\tau`, rounded up.

    Examples
    --------
    >>> study = g_study([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]])
    >>> raters_needed(study, target=0.9, coefficient="absolute").estimate
    23.0
    """
    _require_g_study(study)
    check_probability("target", target)
    if coefficient not in SINGLE:
        raise ArgumentError(f"coefficient={coefficient!r} is not allowed: {' or '.join(map(repr, SINGLE))} is")
    bounds = study.single.to_numpy(float)[list(SINGLE).index(coefficient)]
    rho = dict(zip(("estimate", "lower", "upper"), map(float, bounds), strict=True))
    value, lower, upper = (_count_raters(rho[name], target) for name in ("estimate", "upper", "lower"))
    reason = study.reason
    if np.isinf(value):
        reason = "items do not differ beyond noise: no number of raters is estimated to be enough"
    elif np.isinf(upper):
        reason = f"the interval of one rater's reliability reaches {rho['lower']:.3f}: no number is sure to do"
    return Estimate(
        statistic=f"raters needed for {coefficient} reliability {target:g}",
        estimate=value,
        lower=lower,
        upper=upper,
        interval_prob=study.interval_prob,
        interval_kind=study.interval_kind,
        n_items=study.n_items,
        n_raters=study.n_raters,
        n_judgments=study.n_judgments,
        reason=reason,
    )


def _require_g_study(study: object) -> None:
    if not isinstance(study, GStudy):
        raise ArgumentError(f"study is a {type(study).__name__}; allowed is what g_study(ratings) returns")


def _count_raters(rho: float, target: float) -> float:
    """Raters needed when one has the reliability rho."""
    if np.isnan(rho):
        return float("nan")
    if rho <= 0:
        return float("inf")
    return float(max(1.0, np.ceil(target * (1 - rho) / (rho * (1 - target)) - 1e-9)))
