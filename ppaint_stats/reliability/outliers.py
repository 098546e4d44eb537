"""How unlikely it is that one rater agrees as well with the others as they do with each other."""

import numpy as np

from ppaint_stats.kernels.bootstrap import draw_counts
from ppaint_stats.kernels.rank_agreement import correlation_matrix, rank_moments
from ppaint_stats.typing import FloatArray

N_BOOT = 200
"""Resamples of items for the standard error of a difference of mean correlations."""

MEMORY = 20_000_000
"""Numbers that all correlation matrices together may hold; with very many raters there are fewer resamples."""

MIN_RATERS = 3
MIN_ITEMS = 10
"""Fewer items of a rater say nothing about the error of a correlation."""


def score_outliers(scores: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray, str]:
    r"""Compare each rater's mean rank correlation with the others to the others' correlations with each other.

    Parameters
    ----------
    scores
        Ratings or derived scores, shape (raters, items), nan where missing.
    rng
        Source of the resamples of items.

    Returns
    -------
    correlation, expected, probability, reason
        Mean correlation of each rater with the others; the mean correlation that the others have with each other; the
        probability that the first is below the second for more items like these. nan where undefined; ``reason``
        says why if that is so for all.

    Notes
    -----
    The probability is :math:`\Phi((\bar\rho_{-r} - \bar\rho_r) / \mathrm{se})` with the standard error of the
    difference over resampled items. It is 1/2 for a rater who agrees as well as the others, and near 1 for one who
    agrees less. Of m raters who are all alike, one or more exceed 1 - p / m with a probability of about p (simulated
    with 50 items: 0.01 to 0.04 for p = 0.05, and 5 or 15 raters).
    """
    m, n_items = scores.shape
    nothing = np.full(m, np.nan)
    if m < MIN_RATERS or n_items < MIN_ITEMS:
        short = f"{MIN_RATERS} raters" if m < MIN_RATERS else f"{MIN_ITEMS} items"
        return nothing, nothing, nothing, f"the outlier probability needs {short}"
    n_boot = int(min(N_BOOT, max(2, MEMORY // m**2)))
    weights = np.concatenate([np.ones((1, n_items), dtype=np.int64), draw_counts(n_items, n_boot, rng)])
    matrix = correlation_matrix(rank_moments(scores, weights))
    matrix[:, np.arange(m), np.arange(m)] = np.nan
    known = ~np.isnan(matrix)
    total, count = np.where(known, matrix, 0.0).sum(axis=2), known.sum(axis=2)
    own = _ratio(total, count)
    # A pair without r counts in two rows; r's own row and column leave.
    expected = _ratio(total.sum(axis=1)[:, None] - 2 * total, count.sum(axis=1)[:, None] - 2 * count)
    gap = expected - own
    fine = ~np.isnan(gap[1:])
    n = fine.sum(axis=0)
    centred = np.where(fine, gap[1:], 0.0)
    mean = centred.sum(axis=0) / np.maximum(n, 1)
    error = np.sqrt(np.where(fine, (centred - mean) ** 2, 0.0).sum(axis=0) / np.maximum(n - 1, 1))
    enough = (~np.isnan(scores)).sum(axis=1) >= MIN_ITEMS
    usable = (error > 1e-9) & (n > 1) & ~np.isnan(gap[0]) & enough
    z = np.divide(gap[0], error, out=np.full(m, np.nan), where=usable)
    from scipy.special import ndtr  # here and not at the top, to keep imports light

    return own[0], expected[0], np.asarray(ndtr(z), dtype=np.float64), ""


def _ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(bottom), np.nan), where=np.asarray(bottom) > 0))
