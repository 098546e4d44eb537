"""Agreement of two sets of scores of the same items, with bootstrap intervals over items."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ppaint_stats.typing import FloatArray

TAU_LIMIT = 3000
"""Items beyond which Kendall's tau gets no interval (its weights would need a matrix of items x items)."""


@dataclass(frozen=True)
class Agreement:
    """Statistics by name, and their bootstrap replicates, shape (replicates,) each."""

    value: dict[str, float]
    replicates: dict[str, FloatArray]

    def interval(self, name: str, prob: float) -> tuple[float, float]:
        """Percentile interval; nan where there are no replicates."""
        draws = self.replicates.get(name, np.zeros(0))
        draws = draws[np.isfinite(draws)]
        if len(draws) < 2:
            return float("nan"), float("nan")
        low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2])
        return float(low), float(high)


def measure_agreement(x: FloatArray, y: FloatArray, *, n_boot: int, rng: np.random.Generator) -> Agreement:
    r"""Measure the agreement of two sets of scores.

    Parameters
    ----------
    x, y
        Scores of the same items, shape (items,).
    n_boot
        Bootstrap samples of items; 0 gives no replicates.
    rng
        Source of the samples.

    Returns
    -------
    Agreement
        ``srcc`` (Spearman), ``plcc`` (Pearson), ``tau`` (Kendall's tau-b), ``mean_difference`` and ``max_difference``
        (absolute), ``ccc`` (Lin's concordance correlation), ``bias`` (mean of y - x), ``loa_lower`` and ``loa_upper``
        (Bland-Altman limits, bias -+ 1.96 standard deviations). Tau counts pairs of distinct items only, also in a
        bootstrap sample.
    """
    n = len(x)
    drawn = rng.integers(n, size=(n_boot, n)) if n_boot else np.zeros((0, n), dtype=np.int64)
    index = np.concatenate([np.arange(n)[None, :], drawn])
    a, b = x[index], y[index]
    table = {
        "srcc": _pearson(stats.rankdata(a, axis=1), stats.rankdata(b, axis=1)),
        "plcc": _pearson(a, b),
        "mean_difference": np.abs(a - b).mean(axis=1),
        "max_difference": np.abs(a - b).max(axis=1),
        "ccc": _concordance(a, b),
        "bias": (b - a).mean(axis=1),
    }
    half = 1.96 * (b - a).std(axis=1, ddof=1) if n > 1 else np.full(len(a), np.nan)
    table["loa_lower"], table["loa_upper"] = table["bias"] - half, table["bias"] + half
    if n <= TAU_LIMIT:
        weight = np.stack([np.bincount(row, minlength=n) for row in index]).astype(float)
        table["tau"] = _weighted_tau(x, y, weight)
    else:
        table["tau"] = np.array([stats.kendalltau(x, y).statistic])
    return Agreement({k: float(v[0]) for k, v in table.items()}, {k: v[1:] for k, v in table.items()})


def _pearson(a: FloatArray, b: FloatArray) -> FloatArray:
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.asarray(np.divide((a * b).sum(axis=1), scale, out=np.full(len(a), np.nan), where=scale > 0))


def _concordance(a: FloatArray, b: FloatArray) -> FloatArray:
    spread = a.var(axis=1) + b.var(axis=1) + (a.mean(axis=1) - b.mean(axis=1)) ** 2
    shared = ((a - a.mean(axis=1, keepdims=True)) * (b - b.mean(axis=1, keepdims=True))).mean(axis=1)
    return np.asarray(np.divide(2 * shared, spread, out=np.full(len(a), np.nan), where=spread > 0))


def _weighted_tau(x: FloatArray, y: FloatArray, weight: FloatArray) -> FloatArray:
    """Tau-b for item multiplicities ``weight``, shape (samples, items): copies of an item never pair."""
    sign_x, sign_y = np.sign(x[:, None] - x[None, :]), np.sign(y[:, None] - y[None, :])

    def form(matrix: FloatArray) -> FloatArray:
        return np.asarray(((weight @ matrix) * weight).sum(axis=1))

    scale = np.sqrt(form(np.abs(sign_x)) * form(np.abs(sign_y)))
    return np.asarray(np.divide(form(sign_x * sign_y), scale, out=np.full(len(weight), np.nan), where=scale > 0))
