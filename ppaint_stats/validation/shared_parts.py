r"""From refits to parts of an agreement: what both judgments' sharing explains, what the items do, and how surely.

The intervals resample items, a category's dimensions alike, and splits. The test exchanges the items of one half:
permuting a half's items, ratings and comparisons alike, and fitting again gives the same scores under other names, so
that the distribution of the agreement across halves when it is about nothing needs no further fits.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.kernels.shared import LEAST_ITEMS, standardise_ranks, weighted_spearman
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray
from ppaint_stats.validation.agreement_refits import Refit
from ppaint_stats.validation.shared_inputs import (
    HALVES,
    HALVES_EMPTIED,
    HALVES_PERMUTED,
    PERMUTED,
    PREFERENCES,
    Variant,
)

N_EXCHANGES = 999
"""Exchanges of items behind a p value."""

LEVEL = 0.05
"""Level of the test."""

PARTS = (
    "permuted", "preferences_only", "same_half", "cross_half", "within_a", "within_b", "same_permuted",
    "cross_permuted", "same_emptied", "cross_emptied", "ratio", "shared_part", "excess", "ratings_part",
)  # fmt: skip

INTERVALS = ("same_half", "cross_half", "ratio", "shared_part", "excess", "ratings_part")
"""Parts that are reported with intervals."""

ONE_STUDY = {PERMUTED: "permuted", PREFERENCES: "preferences_only"}
TWO_HALVES = {
    HALVES: ("same_half", "cross_half"),
    HALVES_PERMUTED: ("same_permuted", "cross_permuted"),
    HALVES_EMPTIED: ("same_emptied", "cross_emptied"),
}

type Repeats = Sequence[tuple[pd.Series, ...]]
"""Scores of one repetition each: of the two fusions, or of the two fusions in the first half and in the second."""


@dataclass(frozen=True)
class PairScores:
    """Scores of two fusions by kind of variant."""

    kinds: Mapping[str, Repeats]

    @classmethod
    def gather(
        cls, a: int, b: int, variants: Sequence[Variant], refits: Mapping[tuple[int, int], Refit]
    ) -> "PairScores":
        """Collect the repetitions of which all refits succeeded."""
        found: dict[tuple[str, int], list[pd.Series | None]] = {}
        for j, variant in enumerate(variants):
            found.setdefault((variant.kind, variant.repeat), []).extend(refits[i, j].scores for i in (a, b))
        kinds: dict[str, list[tuple[pd.Series, ...]]] = {}
        for (kind, _), scores in found.items():
            whole = tuple(s for s in scores if s is not None)
            if len(whole) == len(scores):
                kinds.setdefault(kind, []).append(whole)
        return cls(kinds)


def measure_parts(
    pair: PairScores, study: Study, *, n_boot: int, seed: np.random.SeedSequence
) -> dict[tuple[str, str], dict[str, FloatArray]]:
    """Parts of the agreement by category and dimension, each of shape (1 + n_boot,): the value, then replicates."""
    rng = np.random.default_rng(seed)
    weights = {
        category: np.concatenate([np.ones((1, n)), rng.multinomial(n, np.full(n, 1 / n), size=n_boot)])
        for category in study.categories
        if (n := len(study.items(category)))
    }
    repeats = {}
    for kind, found in pair.kinds.items():
        n = len(found)
        repeats[kind] = np.concatenate([np.ones((1, n)), rng.multinomial(n, np.full(n, 1 / n), size=n_boot)])
    parts = {}
    for category, dimension in study.cells:
        items, weight = study.items(category), weights[category]
        nothing = np.full(len(weight), np.nan)
        row = dict.fromkeys(PARTS, nothing)
        for kind, found in pair.kinds.items():
            cell = [_align(scores, category, dimension, items) for scores in found]
            if kind in ONE_STUDY:
                row[ONE_STUDY[kind]] = _average([weighted_spearman(a, b, weight) for a, b in cell], repeats[kind])
                continue
            same, cross = TWO_HALVES[kind]
            pairs: dict[str, list[FloatArray]] = {same: [], cross: [], "within_a": [], "within_b": []}
            for a1, b1, a2, b2 in cell:
                pairs[same].append((weighted_spearman(a1, b1, weight) + weighted_spearman(a2, b2, weight)) / 2)
                pairs[cross].append((weighted_spearman(a1, b2, weight) + weighted_spearman(a2, b1, weight)) / 2)
                if kind == HALVES:
                    pairs["within_a"].append(weighted_spearman(a1, a2, weight))
                    pairs["within_b"].append(weighted_spearman(b1, b2, weight))
            row |= {name: _average(values, repeats[kind]) for name, values in pairs.items() if values}
        parts[category, dimension] = _derive(row)
    return parts


def average_cells(parts: Mapping[tuple[str, str], Mapping[str, FloatArray]]) -> dict[str, FloatArray]:
    """Means over categories and dimensions, replicate by replicate; the ratio is that of the means."""
    found = {}
    for name in PARTS:
        values = np.stack([row[name] for row in parts.values()])
        known = values[np.isfinite(values[:, 0])]
        found[name] = _nanmean(known) if len(known) else np.full(values.shape[1], np.nan)
    return _derive(found)


def _derive(row: dict[str, FloatArray]) -> dict[str, FloatArray]:
    product = row["within_a"] * row["within_b"]
    with np.errstate(invalid="ignore", divide="ignore"):
        row["ratio"] = np.where(product > 0, row["cross_half"] / np.sqrt(np.abs(product)), np.nan)
    row["shared_part"] = row["same_half"] - row["cross_half"]
    row["excess"] = row["cross_half"] - row["cross_emptied"]
    row["ratings_part"] = row["cross_half"] - row["cross_permuted"]
    return row


def _align(
    scores: tuple[pd.Series, ...], category: str, dimension: str, items: tuple[str, ...]
) -> tuple[FloatArray, ...]:
    """Scores of a cell's items, in the study's order; nan where there is none."""
    rows = pd.MultiIndex.from_arrays(
        [[category] * len(items), [dimension] * len(items), list(items)], names=[CATEGORY, DIMENSION, ITEM]
    )
    return tuple(own.reindex(rows).to_numpy(float) for own in scores)


def _average(values: Sequence[FloatArray], repeats: FloatArray) -> FloatArray:
    """Mean over repetitions, each as often as a sample holds it; without those that could not be had."""
    table = np.stack(values, axis=1)
    known = np.isfinite(table)
    weight = repeats * known
    total = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, table * weight, 0.0).sum(axis=1) / np.where(total > 0, total, np.nan))


def _nanmean(values: FloatArray) -> FloatArray:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.asarray(np.where(known, values, 0.0).sum(axis=0) / np.where(count > 0, count, np.nan))


@dataclass(frozen=True)
class Exchange:
    """The agreement across halves held against exchanged items: p, and the interval of what exchanges give."""

    p: float = float("nan")
    lower: float = float("nan")
    upper: float = float("nan")


def exchange_items(
    pair: PairScores, study: Study, *, floor: float, prob: float, seed: np.random.SeedSequence
) -> tuple[dict[tuple[str, str], Exchange], Exchange]:
    """Test the agreement across halves against exchanges of items in one half.

    Parameters
    ----------
    pair
        Scores of the halves.
    study
        The study.
    floor
        What the design gives by itself across halves: added to each exchange.
    prob
        Probability of the intervals.
    seed
        Seed.

    Returns
    -------
    tuple
        p by category and dimension, and of the mean over them. Splits of the same raters are no independent trials: p
        is twice the mean over splits, which is valid however they depend on each other (Vovk and Wang 2020). The
        interval is that of the exchanges of all splits together.
    """
    by_cell: dict[tuple[str, str], list[FloatArray]] = {}
    overall: list[FloatArray] = []
    for scores in pair.kinds.get(HALVES, ()):
        rng = np.random.default_rng(seed)
        exchanges = {c: rng.random((N_EXCHANGES, len(study.items(c)))) for c in study.categories}
        found = list(_exchange_cells(scores, study, exchanges))
        for cell, drawn in found:
            by_cell.setdefault(cell, []).append(drawn)
        if found:
            overall.append(np.mean([drawn for _, drawn in found], axis=0))
    return {cell: _combine(splits, floor, prob) for cell, splits in by_cell.items()}, _combine(overall, floor, prob)


def _exchange_cells(
    scores: tuple[pd.Series, ...], study: Study, exchanges: Mapping[str, FloatArray]
) -> Iterator[tuple[tuple[str, str], FloatArray]]:
    """Agreement across one split's halves by cell, shape (1 + exchanges,): as it is, then with items exchanged."""
    for category, dimension in study.cells:
        cell = np.stack(_align(scores, category, dimension, study.items(category)))
        known = np.isfinite(cell).all(axis=0)
        if known.sum() < LEAST_ITEMS:
            continue
        a1, b1, a2, b2 = (standardise_ranks(values) for values in cell[:, known])
        order = np.argsort(exchanges[category][:, known], axis=1)  # one exchange for all dimensions of a category
        order = np.concatenate([np.arange(known.sum())[None, :], order])
        drawn = (b2[order] @ a1 + a2[order] @ b1) / 2
        if np.isfinite(drawn).all():
            yield (category, dimension), drawn


def _p_value(drawn: FloatArray, floor: float) -> float:
    return float((1 + (drawn[1:] + floor >= drawn[0] - 1e-12).sum()) / len(drawn))


def _combine(splits: Sequence[FloatArray], floor: float, prob: float) -> Exchange:
    if not splits:
        return Exchange()
    values = [_p_value(drawn, floor) for drawn in splits]
    p = values[0] if len(values) == 1 else min(1.0, 2 * float(np.mean(values)))
    limits = np.quantile(np.concatenate([drawn[1:] for drawn in splits]) + floor, [(1 - prob) / 2, (1 + prob) / 2])
    return Exchange(p, float(limits[0]), float(limits[1]))


def judge(part: Mapping[str, float], p: float) -> str:
    """Put a pair's agreement into one word, from the values and limits of its parts.

    - "real": items carry it, across halves that share no judgment (p below .05);
    - "mostly common input": likewise, but by the whole interval less than half of what is observed;
    - "artificial": across halves nothing shows, and the interval rules out half of what is observed;
    - "undecided": nothing shows, but too little is known to rule it out;
    - "no agreement": the two do not surely agree as they are.
    """
    if not np.isfinite(p) or not np.isfinite(part["cross_half"]):
        return "not computed"
    if part["observed"] <= 0 or part["observed_lower"] <= 0:
        return "no agreement"
    small = part["cross_half_upper"] < part["observed"] / 2
    if p < LEVEL:
        return "mostly common input" if small else "real"
    return "artificial" if small else "undecided"
