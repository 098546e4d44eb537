r"""Item scores of the two-way additive model, rating = item + rater severity + error.

Least squares with missing cells. Severities sum to zero over the raters, so that an item's score is its
expected rating by the average rater of the panel. Where the rater-item graph falls apart, severities cannot be compared
across its parts by least squares: there they are random effects with mean zero, shrunken by the ratio
of the two variances, which EM estimates.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ppaint_stats.kernels.graphs import link_components
from ppaint_stats.typing import FloatArray, IntArray


@dataclass(frozen=True)
class AdditiveFit:
    """Item effects with standard errors (nan where an item has no rating), severities, error sd, components."""

    item: FloatArray
    item_se: FloatArray
    severity: FloatArray
    error_sd: float
    n_components: int


def fit_additive(
    item: IntArray, rater: IntArray, rating: FloatArray, weight: FloatArray, n_items: int, n_raters: int
) -> AdditiveFit:
    """Fit rating = item + severity + error by weighted least squares.

    Parameters
    ----------
    item, rater
        Codes of each rating, shape (ratings,).
    rating, weight
        Values and weights, shape (ratings,); weights count judgments, they are not precisions.
    n_items, n_raters
        Numbers of codes; a code that does not occur gets nan.
    """
    if not len(rating):
        return AdditiveFit(
            np.full(n_items, np.nan), np.full(n_items, np.nan), np.full(n_raters, np.nan), float("nan"), 0
        )
    used, code = np.unique(rater, return_inverse=True)
    n_used = len(used)
    # one weight per (item, rater): repeats add up, their mean counts
    cell = sp.coo_matrix((weight, (item, code)), shape=(n_items, n_used)).tocsr()
    total = np.asarray(cell.sum(axis=1)).ravel()
    rated = total > 0
    inverse_total = np.divide(1, total, out=np.zeros(n_items), where=rated)
    share = sp.diags_array(inverse_total) @ cell
    item_sum = np.bincount(item, weights=weight * rating, minlength=n_items)
    rater_sum = np.bincount(code, weights=weight * rating, minlength=n_used)
    reduced = np.diag(np.asarray(cell.sum(axis=0)).ravel()) - (cell.T @ share).toarray()
    target = rater_sum - np.asarray(share.T @ item_sum)

    n_components = len(np.unique(link_components(item, code + n_items, n_items + n_used)[item]))
    values, vectors = np.linalg.eigh(reduced)
    if n_components == 1:
        keep = values > 1e-9 * max(values.max(initial=0), 1e-300)
        spread = np.divide(1, values, out=np.zeros(n_used), where=keep)
    else:
        spread = _random_severity_spread(item, rating, weight, inverse_total, item_sum, values, vectors.T @ target)
    severity = vectors @ (spread * (vectors.T @ target))
    severity -= severity.mean()
    effect = inverse_total * item_sum - share @ severity

    residual = rating - effect[item] - severity[code]
    freedom = weight.sum() - rated.sum() - n_used + n_components
    error = float(np.sqrt((weight @ residual**2) / freedom)) if freedom > 1e-9 else float("nan")
    through = (share @ vectors) * np.sqrt(spread)
    through = through - (np.ones(n_used) / n_used @ vectors * np.sqrt(spread))[None, :]
    variance = inverse_total + np.asarray(through**2).sum(axis=1)
    full = np.full(n_raters, np.nan)
    full[used] = severity
    return AdditiveFit(
        item=np.where(rated, effect, np.nan),
        item_se=np.where(rated, error * np.sqrt(variance), np.nan),
        severity=full,
        error_sd=error,
        n_components=n_components,
    )


def _random_severity_spread(
    item: IntArray,
    rating: FloatArray,
    weight: FloatArray,
    inverse_total: FloatArray,
    item_sum: FloatArray,
    values: FloatArray,
    target: FloatArray,
) -> FloatArray:
    """1 / (eigenvalue + error variance / severity variance), the two variances by EM with fixed item effects."""
    within = float(weight @ (rating - (inverse_total * item_sum)[item]) ** 2)
    freedom = max(float(weight.sum()) - float((inverse_total > 0).sum()), 1.0)
    error = severity = within / freedom  # both variances start at the pooled one
    for _ in range(200):
        if error <= 0 or severity <= 0:
            break
        spread = 1 / (values + error / severity)
        effect = np.asarray(spread * target)
        before = severity
        severity = float((effect**2).sum() + error * spread.sum()) / len(values)
        explained = float(2 * effect @ target - (values * effect) @ effect)
        error = (within - explained + error * float((spread * values).sum())) / freedom
        if abs(severity - before) < 1e-6 * before:
            break
    return 1 / (values + error / severity) if severity > 0 and error > 0 else np.zeros(len(values))
