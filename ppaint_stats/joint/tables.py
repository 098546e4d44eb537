"""Tables of a Bayesian fusion: raters, dimensions and protocols, each estimate with its interval."""

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, RATER
from ppaint_stats.joint.draws import Draws
from ppaint_stats.joint.encoding import Encoding
from ppaint_stats.kernels.joint.data import NO_TIES
from ppaint_stats.typing import FloatArray


def summarise(values: FloatArray, prob: float) -> tuple[float, float, float]:
    """Mean and equal-tailed interval of draws."""
    tail = (1 - prob) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(values.mean()), float(low), float(high)


def _columns(row: dict[str, object], name: str, values: FloatArray | None, prob: float) -> None:
    found = (np.nan, np.nan, np.nan) if values is None else summarise(values, prob)
    row[name], row[f"{name}_lower"], row[f"{name}_upper"] = found


def tabulate_raters(draws: Draws, encoding: Encoding, *, prob: float) -> pd.DataFrame:
    """One row per rater and dimension: severity, discrimination, sharpness, ties, position, lapses, taste.

    ``severity`` is in rating logits, positive for strict raters, against the mean of the rater's panel;
    ``discrimination`` and ``sharpness`` are factors on the utilities in ratings and in preferences, their geometric
    means over raters being 1; ``tie_rate`` is the probability of a tie between two equal items without an advantage of
    the first position; ``position`` is that advantage in utility; ``lapse`` the probability of
    an answer that has nothing to do with the items, in either protocol; ``taste_sd`` the spread of the rater's taste.
    """
    v, e = draws.values, encoding
    rows = []
    for k, rater in enumerate(e.raters):
        r = e.rating_raters.index(rater) if rater in e.rating_raters else None
        p = e.preference_raters.index(rater) if rater in e.preference_raters else None
        t = e.taste_raters.index(rater) if rater in e.taste_raters else None
        for d, dimension in enumerate(e.dimensions):
            row: dict[str, object] = {RATER: rater, DIMENSION: dimension}
            row["n_ratings"] = _count(e, r, d, "ratings")
            row["n_comparisons"] = _count(e, p, d, "comparisons")
            _columns(row, "severity", None if r is None else v["severity"][:, r, d], prob)
            _columns(row, "discrimination", None if r is None else v["discrimination"][:, r], prob)
            _columns(row, "noise", None if r is None or "noise" not in v else v["noise"][:, r], prob)
            _columns(row, "sharpness", None if p is None else v["sharpness"][:, p], prob)
            tie_rate = None
            if p is not None and (v["log_nu"] > NO_TIES).any():
                tie_rate = 1 / (1 + 2 * np.exp(-v["log_nu"][:, p, d]))
            _columns(row, "tie_rate", tie_rate, prob)
            _columns(row, "position", None if p is None else v["position"][:, p], prob)
            _columns(row, "lapse", v["lapse"][:, k], prob)
            _columns(row, "taste_sd", None if t is None else v["taste_sd"][:, d] * v["taste_spread"][:, t], prob)
            rows.append(row)
    return pd.DataFrame(rows)


def _count(e: Encoding, rater: int | None, d: int, protocol: str) -> int:
    if rater is None:
        return 0
    if protocol == "ratings":
        return 0 if e.ratings is None else int(((e.ratings.rater == rater) & (e.ratings.dimension == d)).sum())
    c = e.comparisons
    return 0 if c is None else int(c.weight[(c.rater == rater) & (c.dimension == d)].sum())


def tabulate_dimensions(draws: Draws, encoding: Encoding, *, prob: float) -> pd.DataFrame:
    """One row per pair of dimensions: correlation of the items' consensus, and of raters' tastes (halo)."""
    v = draws.values
    rows = []
    for a, first in enumerate(encoding.dimensions):
        for b in range(a + 1, len(encoding.dimensions)):
            row: dict[str, object] = {DIMENSION: first, f"{DIMENSION}_bis": encoding.dimensions[b]}
            _columns(row, "item_correlation", v["item_correlation"][:, a, b], prob)
            _columns(row, "taste_correlation", v["taste_correlation"][:, a, b] if "taste_sd" in v else None, prob)
            rows.append(row)
    names = [f"{kind}_correlation{end}" for kind in ("item", "taste") for end in ("", "_lower", "_upper")]
    return pd.DataFrame(rows, columns=[DIMENSION, f"{DIMENSION}_bis", *names])


def tabulate_protocols(draws: Draws, encoding: Encoding, *, prob: float) -> pd.DataFrame:
    """One row per dimension: spreads of items and tastes, rating slope, and the correlation across protocols.

    ``slope`` is in rating logits per unit of utility (1 by definition with ratings alone); ``protocol_correlation`` is
    missing unless ratings and preferences were given utilities of their own.
    """
    v = draws.values
    rows = []
    for d, dimension in enumerate(encoding.dimensions):
        row: dict[str, object] = {DIMENSION: dimension}
        for name in ("item_sd", "taste_sd", "slope", "protocol_correlation"):
            _columns(row, name, v[name][:, d] if name in v else None, prob)
        rows.append(row)
    return pd.DataFrame(rows)


def tabulate_parameters(draws: Draws, encoding: Encoding, cells: list[tuple[str, str]]) -> pd.DataFrame:
    """One row per category and dimension: posterior means."""
    v = draws.values
    rows = []
    for category, dimension in cells:
        c, d = encoding.categories.index(category), encoding.dimensions.index(dimension)
        row: dict[str, object] = {CATEGORY: category, DIMENSION: dimension, "item_sd": v["item_sd"][:, d].mean()}
        for name in ("taste_sd", "slope", "protocol_correlation"):
            row[name] = v[name][:, d].mean() if name in v else np.nan
        row["category_level"] = v["category_level"][:, c, d].mean() if "category_level" in v else 0.0
        for name in (
            "severity_sd",
            "discrimination_sd",
            "sharpness_sd",
            "taste_spread_sd",
            "position_mean",
            "tie_mean",
        ):
            row[name] = v[name].mean() if name in v else np.nan
        rows.append(row)
    return pd.DataFrame(rows)
