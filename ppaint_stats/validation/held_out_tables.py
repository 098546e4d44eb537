"""Tables of a cross-validation: scores, differences, raters, calibration, folds, and one protocol from the other."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, RATER
from ppaint_stats.validation.fold_fits import FoldFit
from ppaint_stats.validation.folds import HeldOut
from ppaint_stats.validation.predictions import Predictions
from ppaint_stats.validation.refits import parse_method
from ppaint_stats.validation.scoring import (
    PROTOCOLS,
    bin_events,
    compare_units,
    fit_calibration,
    join_judgments,
    list_events,
    measure_comparisons,
    measure_ratings,
)

BASE = "no scores"
"""The row of predictions from the frequencies of answers alone."""

OWN = " (own predictive)"
"""What follows the name of a joint model that predicts new raters by itself."""

MEASURES = ["judgments", "log_score", "gain", "rank_correlation", "accuracy", "brier"]
ALL = "all"


def list_protocols(held: HeldOut) -> list[str]:
    """Protocols of which something is held out, and "all" where there are both."""
    parts = [name for name, part in zip(PROTOCOLS, (held.ratings, held.comparisons), strict=False) if part is not None]
    return [*parts, ALL] if len(parts) > 1 else parts


def measure(held: HeldOut, found: Predictions, protocol: str, keep: Mapping[str, int]) -> dict[str, float]:
    """Measure one protocol's judgments, those with the codes that ``keep`` names; "all" joins both protocols."""
    out: dict[str, float] = {}
    if held.ratings is not None and found.ratings is not None and protocol in ("ratings", ALL):
        rows = np.ones(len(held.ratings), dtype=np.bool_)
        for name, code in keep.items():
            rows &= getattr(held.ratings, name) == code
        out = measure_ratings(held.ratings, found.ratings, rows) if rows.any() else {}
    if held.comparisons is not None and found.comparisons is not None and protocol in ("preferences", ALL):
        rows = np.ones(len(held.comparisons), dtype=np.bool_)
        for name, code in keep.items():
            rows &= getattr(held.comparisons, name) == code
        other = measure_comparisons(held.comparisons, found.comparisons, rows) if rows.any() else {}
        if protocol == ALL:
            parts = [part for part in (out, other) if part]
            n = sum(part["judgments"] for part in parts)
            out = {"judgments": n, "log_score": sum(p["judgments"] * p["log_score"] for p in parts) / n} if n else {}
        else:
            out = other
    return out


def tabulate_scores(held: HeldOut, found: Mapping[str, Predictions]) -> pd.DataFrame:
    """One row per method and protocol, with calibration."""
    rows = []
    for protocol in list_protocols(held):
        base = measure(held, found[BASE], protocol, {})["log_score"]
        for method, predictions in found.items():
            row: dict[str, object] = {"method": method, "protocol": protocol}
            row |= measure(held, predictions, protocol, {})
            row["gain"] = float(row["log_score"]) - base  # type: ignore[arg-type]  # a number, put there above
            if protocol != ALL:
                p, hit, weight = list_events(held, predictions, protocol)
                row["calibration_slope"], row["calibration_intercept"] = fit_calibration(p, hit, weight)
                bins = bin_events(p, hit, weight)
                total = sum(b["events"] for b in bins)
                if total:
                    error = sum(b["events"] * abs(b["predicted"] - b["observed"]) for b in bins) / total
                    row["calibration_error"] = error
            rows.append(row)
    columns = ["method", "protocol", *MEASURES, "calibration_slope", "calibration_intercept", "calibration_error"]
    return pd.DataFrame(rows).reindex(columns=columns)


def tabulate_cells(held: HeldOut, found: Mapping[str, Predictions]) -> pd.DataFrame:
    """One row per method, category, dimension and protocol."""
    rows = []
    for c, category in enumerate(held.categories):
        for d, dimension in enumerate(held.dimensions):
            keep = {"category": c, "dimension": d}
            for protocol in list_protocols(held):
                base = measure(held, found[BASE], protocol, keep)
                if not base:
                    continue
                for method, predictions in found.items():
                    own = measure(held, predictions, protocol, keep)
                    head = {"method": method, CATEGORY: category, DIMENSION: dimension, "protocol": protocol}
                    rows.append(head | own | {"gain": own["log_score"] - base["log_score"]})
    return pd.DataFrame(rows).reindex(columns=["method", CATEGORY, DIMENSION, "protocol", *MEASURES])


def find_units(held: HeldOut) -> tuple[str, tuple[str, ...]]:
    """Units of the intervals, "rater" or "fold" where comparisons bear no rater, and their names."""
    named = held.comparisons is None or bool((held.comparisons.rater >= 0).all())
    return (RATER, held.raters) if named else ("fold", held.folds)


def tabulate_raters(held: HeldOut, found: Mapping[str, Predictions]) -> pd.DataFrame:
    """One row per unit, method and protocol."""
    unit, names = find_units(held)
    rows = []
    for k, name in enumerate(names):
        for protocol in list_protocols(held):
            base = measure(held, found[BASE], protocol, {unit: k})
            if not base:
                continue
            for method, predictions in found.items():
                own = measure(held, predictions, protocol, {unit: k})
                rows.append(
                    {unit: name, "method": method, "protocol": protocol}
                    | own
                    | {"gain": own["log_score"] - base["log_score"]}
                )
    return pd.DataFrame(rows).reindex(columns=[unit, "method", "protocol", *MEASURES])


def tabulate_differences(held: HeldOut, found: Mapping[str, Predictions], prob: float) -> pd.DataFrame:
    """One row per pair of methods and protocol: the first one's log score per judgment minus the second one's."""
    unit, _ = find_units(held)
    joined = {method: join_judgments(held, predictions) for method, predictions in found.items()}
    rows = []
    for protocol in list_protocols(held):
        for a, b in combinations(found, 2):
            table = joined[a]
            chosen = np.ones(len(table.log), dtype=np.bool_)
            if protocol != ALL:
                chosen = table.is_rating == (protocol == "ratings")
            mean, lower, upper, n = compare_units(
                (joined[a].log - joined[b].log)[chosen], table.weight[chosen], getattr(table, unit)[chosen], prob
            )
            rows.append({"method_a": a, "method_b": b, "protocol": protocol, "difference": mean, "lower": lower,
                         "upper": upper, "units": n})  # fmt: skip
    return pd.DataFrame(rows)


def tabulate_calibration(held: HeldOut, found: Mapping[str, Predictions]) -> pd.DataFrame:
    """Points of reliability diagrams: one row per method, protocol and bin."""
    rows = [
        {"method": method, "protocol": protocol, **point}
        for protocol in list_protocols(held)
        if protocol != ALL
        for method, predictions in found.items()
        for point in bin_events(*list_events(held, predictions, protocol))
    ]
    return pd.DataFrame(rows)


def tabulate_folds(held: HeldOut, fits: Mapping[str, list[FoldFit]], linked: Mapping[str, Predictions]) -> pd.DataFrame:
    """One row per method and fold: whether it was fitted, passed its gate, and what had no score."""
    rows = []
    for method, parts in fits.items():
        for k, fit in enumerate(parts):
            row: dict[str, object] = {"method": method, "fold": held.folds[k]}
            row |= {"fitted": not fit.error, "converged": fit.converged}
            for name, own, found in (
                ("ratings_without_score", held.ratings, linked[method].ratings),
                ("comparisons_without_score", held.comparisons, linked[method].comparisons),
            ):
                row[name] = 0 if own is None or found is None else int(np.isnan(found.score[own.fold == k]).sum())
            rows.append(row | {"reason": fit.error or " ".join(fit.notes), "seconds": round(fit.seconds, 2)})
    return pd.DataFrame(rows)


def tabulate_protocols(scores: pd.DataFrame, methods: tuple[str, ...], fusable: list[str]) -> pd.DataFrame:
    """What is fused against what is predicted: rows of the table of scores by the protocols that a method uses."""
    used = {method: parse_method(method)[1] for method in methods}
    kept = scores[scores["method"].isin(used) & (scores["protocol"] != ALL)].copy()
    kept.insert(0, "fused_on", kept["method"].map(used))
    if len(fusable) < 2:  # a study of one protocol
        kept["fused_on"] = fusable[0]
    return (
        kept[["fused_on", "method", "protocol", *MEASURES]]
        .rename(columns={"protocol": "predicts"})
        .reset_index(drop=True)
    )
