"""Evaluation of scorers against known scores: correlations and errors with intervals, paired comparisons, ceilings."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ppaint_distill.comparisons import gather_pairs
from ppaint_distill.matched_scores import MatchedCell, match_scores
from ppaint_distill.targets import Cell
from ppaint_stats.arguments import check_count, check_probability
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.report import Report
from ppaint_stats.seeds import describe_seed, split_seed
from ppaint_stats.typing import FloatArray, RandomSeed

__all__ = ["evaluate_scores", "majority_vote"]

MEAN = "mean"
STATISTICS = {"srcc": "srcc", "plcc": "plcc", "tau": "tau", "mae": "mean_difference"}
"""Columns of the report, and the names that the kernel gives them."""

N_CEILING = 400
"""Draws of true scores behind a noise ceiling."""

VALUES_AT_ONCE = 2_000_000

MIN_ITEMS = 3
"""Fewer items have no order worth a correlation: such cells are left out, where there are larger ones."""


def evaluate_scores(
    predictions: Mapping[str, pd.DataFrame],
    truth: pd.DataFrame,
    *,
    baseline: str | None = None,
    ceiling: str | pd.DataFrame | None = None,
    n_boot: int = 2000,
    interval_prob: float = 0.95,
    random_seed: RandomSeed = 0,
) -> Report:
    r"""Evaluate predicted scores, and compare models with each other.

    Parameters
    ----------
    predictions
        By the name of the model: columns ``item, dimension, score`` and perhaps ``category``. A missing score is a
        missing prediction.
    truth
        Columns ``item, dimension, score`` and perhaps ``category`` and ``sd``, the error of the known scores.
    baseline
        Model with which the others are compared.
    ceiling
        What a good model can be expected to reach: the name of a model (say, the pairwise judge that was distilled), or
        a table of rank correlations with the columns ``dimension, srcc`` and perhaps ``category`` (say, the split-half
        correlation of the raters).
    n_boot
        Bootstrap samples of items.
    interval_prob
        Probability of the intervals.
    random_seed
        Seed.

    Returns
    -------
    Report
        Tables ``scores`` (a row per model, category and dimension, and the means over these; ``srcc``, ``plcc``,
        Kendall's ``tau``-b and the mean absolute error ``mae``, with intervals), ``differences`` (each model minus the
        baseline: difference of the rank correlations and of ``mae`` with intervals, and Wilcoxon's signed-rank test of
        the items' absolute errors; on the rows of means, of errors averaged over dimensions) and ``missing``. Cells
        with fewer than three items are left out, and listed in a table ``small``.

    Raises
    ------
    DataError
        If a column lacks, an item occurs twice in a dimension, or a model shares no item with the truth.
    ArgumentError
        If the baseline or the ceiling is unknown.

    Notes
    -----
    All models are measured on the items that *all* of them scored, so that comparisons are paired; what is missing is
    counted and named. Items are resampled, the same ones for all models and all dimensions of a category.

    ``noise_ceiling`` is the expected rank correlation with the known scores of a scorer who knew the true ones,
    if these are normal around the known scores with their ``sd``, independently. No model can be expected above it.

    Examples
    --------
    >>> truth = pd.DataFrame({"item": list("abcdef"), "dimension": "mood", "score": [1.0, 2.0, 3.0, 4.0, 4.5, 5.0]})
    >>> good, bad = truth.assign(score=truth["score"] + 0.1), truth.assign(score=[3.0, 1.0, 4.0, 2.0, 5.0, 1.0])
    >>> report = evaluate_scores({"good": good, "bad": bad}, truth, baseline="bad", n_boot=50)
    >>> report.tables["scores"][["model", "dimension", "srcc", "mae"]].round(2).head(2).values.tolist()
    [['good', 'mood', 1.0, 0.1], ['bad', 'mood', -0.03, 1.75]]
    """
    check_count("n_boot", n_boot, 0)
    check_probability("interval_prob", interval_prob)
    if not predictions:
        raise ArgumentError("predictions are empty: give at least one model")
    if baseline is not None and baseline not in predictions:
        raise ArgumentError(f"baseline={baseline!r} is not among the models {list(predictions)}")
    if isinstance(ceiling, str) and ceiling not in predictions:
        raise ArgumentError(f"ceiling={ceiling!r} is not among the models {list(predictions)}")
    cells, missing = match_scores(predictions, truth)
    small = [(*cell, len(data.items)) for cell, data in cells.items() if len(data.items) < MIN_ITEMS]
    if len(small) < len(cells):
        cells = {cell: data for cell, data in cells.items() if len(data.items) >= MIN_ITEMS}
    else:
        small = []
    measured = {model: _measure(cells, model, n_boot, random_seed) for model in predictions}
    ceilings = _noise_ceilings(cells, random_seed)
    given = _read_ceiling(ceiling, cells, measured)
    scores = []
    for cell in (*cells, *_means(cells)):
        for model, found in measured.items():
            value, replicates = found[cell]
            row: dict[str, object] = {"model": model, CATEGORY: cell[0], DIMENSION: cell[1]}
            row["n_items"] = len(cells[cell].items) if cell in cells else _count_items(cells, cell)
            for name in STATISTICS:
                low, high = _interval(replicates[name], interval_prob)
                row |= {name: value[name], f"{name}_lower": low, f"{name}_upper": high}
            row["noise_ceiling"] = ceilings.get(cell, np.nan)
            if given is not None:
                row["ceiling"] = given.get(cell, np.nan)
            scores.append(row)
    tables = {"scores": pd.DataFrame(scores)}
    if baseline is not None:
        tables["differences"] = _compare(cells, measured, baseline, interval_prob)
    tables["missing"] = missing
    if small:
        tables["small"] = pd.DataFrame(small, columns=[CATEGORY, DIMENSION, "n_items"])
    settings = {
        "baseline": baseline,
        "ceiling": ceiling if isinstance(ceiling, str) else None if ceiling is None else "given",
        "n_boot": n_boot,
        "interval_prob": interval_prob,
        "random_seed": describe_seed(random_seed),
    }
    return Report("Evaluation of scores", tables, _describe(tables, baseline), settings)


def majority_vote(preferences: pd.DataFrame, *, scale: tuple[float, float] = (0.0, 1.0)) -> pd.DataFrame:
    """Score items by their share of wins, ties as halves: a baseline that ignores how strong opponents are.

    Parameters
    ----------
    preferences
        Table of preferences.
    scale
        Score of an item that lost everything, and of one that won everything.

    Returns
    -------
    DataFrame
        Columns ``category, dimension, item, score, n_comparisons``; every pair has the same weight.

    Examples
    --------
    >>> games = pd.DataFrame({"item_a": ["x", "y"], "item_b": ["y", "z"], "outcome": ["A", "TIE"]})
    >>> majority_vote(games)[["item", "score"]].values.tolist()
    [['x', 1.0], ['y', 0.25], ['z', 0.5]]
    """
    low, high = scale
    frames = []
    for cell, pairs in gather_pairs(preferences).items():
        share = pairs.weights @ np.array([1.0, 0.5, 0.0, 1.0, 0.5, 0.0]) / pairs.weights.sum(axis=1)
        n = len(pairs.items)
        met = np.bincount(pairs.first, minlength=n) + np.bincount(pairs.second, minlength=n)
        won = np.bincount(pairs.first, share, n) + np.bincount(pairs.second, 1 - share, n)
        columns = {ITEM: pairs.items, "score": low + (high - low) * won / met, "n_comparisons": met}
        frames.append(pd.DataFrame({CATEGORY: cell[0], DIMENSION: cell[1], **columns}))
    return pd.concat(frames, ignore_index=True)


type _Found = dict[Cell, tuple[dict[str, float], dict[str, FloatArray]]]


def _measure(cells: Mapping[Cell, MatchedCell], model: str, n_boot: int, seed: RandomSeed) -> _Found:
    """Statistics and replicates of one model; the same seed gives every model and dimension the same resamples."""
    from ppaint_stats.kernels.concordance import measure_agreement

    categories = list(dict.fromkeys(cell[0] for cell in cells))
    seeds = dict(zip(categories, split_seed(seed, len(categories)), strict=True))
    found: _Found = {}
    for cell, data in cells.items():
        rng = np.random.default_rng(seeds[cell[0]])
        size = max(1, VALUES_AT_ONCE // len(data.truth))
        sizes = [min(size, n_boot - k) for k in range(0, n_boot, size)] or [0]
        parts = [measure_agreement(data.truth, data.predictions[model], n_boot=part, rng=rng) for part in sizes]
        empty = np.full(n_boot, np.nan)
        value = {name: parts[0].value[kernel] for name, kernel in STATISTICS.items()}
        replicates = {
            name: np.concatenate([part.replicates[kernel] for part in parts]) for name, kernel in STATISTICS.items()
        }
        found[cell] = (value, {name: array if len(array) == n_boot else empty for name, array in replicates.items()})
    for mean in _means(cells):
        inside = [found[cell] for cell in cells if mean[0] in (cell[0], "all categories")]
        value = {name: float(np.mean([part[0][name] for part in inside])) for name in STATISTICS}
        found[mean] = (value, {name: np.mean([part[1][name] for part in inside], axis=0) for name in STATISTICS})
    return found


def _means(cells: Mapping[Cell, MatchedCell]) -> list[Cell]:
    """Rows of means: over the dimensions of each category, then over all cells."""
    categories = list(dict.fromkeys(cell[0] for cell in cells))
    several = [(category, MEAN) for category in categories if sum(cell[0] == category for cell in cells) > 1]
    return several + ([("all categories", MEAN)] if len(categories) > 1 else [])


def _count_items(cells: Mapping[Cell, MatchedCell], mean: Cell) -> int:
    inside = {
        (cell[0], item) for cell, data in cells.items() if mean[0] in (cell[0], "all categories") for item in data.items
    }
    return len(inside)


def _interval(replicates: FloatArray, prob: float) -> tuple[float, float]:
    fine = replicates[np.isfinite(replicates)]
    if len(fine) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(fine, [(1 - prob) / 2, (1 + prob) / 2])
    return float(low), float(high)


def _noise_ceilings(cells: Mapping[Cell, MatchedCell], seed: RandomSeed) -> dict[Cell, float]:
    from scipy.stats import rankdata

    found = {}
    for (cell, data), child in zip(cells.items(), split_seed(seed, len(cells)), strict=True):
        if data.sd is None or not np.isfinite(data.sd).all() or len(data.truth) < 3:
            continue
        rng, known, total = np.random.default_rng(child), rankdata(data.truth), 0.0
        for _ in range(N_CEILING):
            true = rankdata(data.truth + data.sd * rng.standard_normal(len(data.truth)))
            total += float(np.corrcoef(known, true)[0, 1]) if np.ptp(known) > 0 else np.nan
        found[cell] = total / N_CEILING
    return _average(found, cells)


def _average(values: dict[Cell, float], cells: Mapping[Cell, MatchedCell]) -> dict[Cell, float]:
    """Add the means to values by cell, where every cell has one."""
    for mean in _means(cells):
        inside = [cell for cell in cells if mean[0] in (cell[0], "all categories")]
        if all(cell in values for cell in inside):
            values[mean] = float(np.mean([values[cell] for cell in inside]))
    return values


def _read_ceiling(
    ceiling: str | pd.DataFrame | None, cells: Mapping[Cell, MatchedCell], measured: Mapping[str, _Found]
) -> dict[Cell, float] | None:
    if ceiling is None:
        return None
    if isinstance(ceiling, str):
        return {cell: value["srcc"] for cell, (value, _) in measured[ceiling].items()}
    lacking = [column for column in (DIMENSION, "srcc") if column not in ceiling]
    if lacking:
        raise DataError(f"ceiling lacks the columns {lacking}; it has {[str(c) for c in ceiling.columns]}")
    values = {}
    for cell in cells:
        rows = ceiling[ceiling[DIMENSION].astype(str) == cell[1]]
        rows = rows[rows[CATEGORY].astype(str) == cell[0]] if CATEGORY in rows else rows
        if len(rows) > 1:
            raise DataError(f"ceiling has {len(rows)} rows for {cell}; one is allowed")
        if len(rows):
            values[cell] = float(rows["srcc"].iloc[0])
    return _average(values, cells)


def _compare(
    cells: Mapping[Cell, MatchedCell], measured: Mapping[str, _Found], baseline: str, prob: float
) -> pd.DataFrame:
    rows = []
    for cell in (*cells, *_means(cells)):
        for model in measured:
            if model == baseline:
                continue
            (value, replicates), (base, base_replicates) = measured[model][cell], measured[baseline][cell]
            row: dict[str, object] = {"model": model, "baseline": baseline, CATEGORY: cell[0], DIMENSION: cell[1]}
            for name in ("srcc", "mae"):
                difference = replicates[name] - base_replicates[name]
                low, high = _interval(difference, prob)
                row |= {name: value[name] - base[name], f"{name}_lower": low, f"{name}_upper": high}
                if name == "srcc":
                    fine = difference[np.isfinite(difference)]
                    row["p_better"] = float((fine > 0).mean() + (fine == 0).mean() / 2) if len(fine) else np.nan
            row["wilcoxon_p"] = _test_errors(cells, cell, model, baseline)
            rows.append(row)
    return pd.DataFrame(rows)


def _test_errors(cells: Mapping[Cell, MatchedCell], cell: Cell, model: str, baseline: str) -> float:
    """Wilcoxon's signed-rank test of items' absolute errors, averaged over the dimensions of a row of means."""
    from scipy.stats import wilcoxon

    inside = [cell] if cell in cells else [c for c in cells if cell[0] in (c[0], "all categories")]
    parts = []
    for part in inside:
        data = cells[part]
        gap = np.abs(data.predictions[model] - data.truth) - np.abs(data.predictions[baseline] - data.truth)
        parts.append(pd.DataFrame({CATEGORY: part[0], ITEM: data.items, "gap": gap}))
    gaps = pd.concat(parts).groupby([CATEGORY, ITEM])["gap"].mean().to_numpy()
    if len(gaps) < 2 or not np.any(gaps):
        return 1.0 if len(gaps) else float("nan")
    return float(wilcoxon(gaps, method="asymptotic" if len(gaps) > 50 or (gaps == 0).any() else "auto").pvalue)


def _describe(tables: Mapping[str, pd.DataFrame], baseline: str | None) -> str:
    scores, missing = tables["scores"], tables["missing"]
    last = scores[[CATEGORY, DIMENSION]].iloc[-1].tolist()
    final = scores[(scores[CATEGORY] == last[0]) & (scores[DIMENSION] == last[1])]
    lines = []
    for row in final.sort_values("srcc", ascending=False, kind="stable").to_dict("records"):
        text = f"{row['model']}: rank correlation {row['srcc']:.3f}"
        if np.isfinite(row["srcc_lower"]):
            text += f" ({row['srcc_lower']:.3f} to {row['srcc_upper']:.3f})"
        lines.append(f"{text}, mean absolute error {row['mae']:.3f}.")
    where = f"{last[1]} of {last[0]}" if last[1] != MEAN else f"mean over dimensions, {last[0]}"
    parts = [f"On {int(final['n_items'].iloc[0])} items ({where}): " + " ".join(lines)]
    if baseline is not None and len(tables["differences"]):
        rows = tables["differences"]
        rows = rows[(rows[CATEGORY] == last[0]) & (rows[DIMENSION] == last[1])]
        texts = [
            f"{row['model']} {row['srcc']:+.3f} ({row['srcc_lower']:+.3f} to {row['srcc_upper']:+.3f})"
            for row in rows.to_dict("records")
        ]
        parts.append(f"Rank correlation against {baseline}: " + ", ".join(texts) + ".")
    gone = missing[missing["missing"] > 0]
    if len(gone):
        named = ", ".join(f"{row.model} {row.missing} ({row.missing_items})" for row in gone.itertuples())
        parts.append(f"Scores are missing, and their items left out for all models: {named}.")
    if "small" in tables:
        named = ", ".join(f"{row.dimension} of {row.category} ({row.n_items})" for row in tables["small"].itertuples())
        parts.append(f"Left out, with fewer than {MIN_ITEMS} items: {named}.")
    return "\n\n".join(parts)
