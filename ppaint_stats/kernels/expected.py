r"""Expected ratings: the logistic function averaged over a normal shift, and sums of it over thresholds and raters.

The logistic distribution is close to a mixture of normals (Monahan & Stefanski 1992), so that its average over
N(0, V) is the mixture of :math:`\Phi(x / \sqrt{s_k^2 + V})`. Weights and spreads below are fitted by least squares; the
largest error of the four-part mixture is 6e-6.
"""

from math import erfc, sqrt

import numba
import numpy as np

WEIGHTS = (0.10950088, 0.46015204, 0.37024792, 0.06009916)
SPREADS = (0.98098245, 1.43661168, 2.11078136, 3.11891573)
_SQUARES = tuple(s * s for s in SPREADS)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def smooth_logistic(x, variance):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Average of the logistic function over N(x, variance), to within 6e-6."""
    total = 0.0
    for k in range(4):
        total += WEIGHTS[k] * 0.5 * erfc(-x / sqrt(2.0 * (_SQUARES[k] + variance)))
    return total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def population_shares(theta, level, category, slope, taste_variance, severity_variance, kappa, factor, spread, weight):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Expected rating of a new rater, as a share of the scale, for one draw of the parameters.

    Parameters
    ----------
    theta
        Consensus, shape (item, dimension).
    level
        Level of each category for an average rater, shape (category, dimension).
    category
        Category of each item.
    slope, taste_variance
        Rating slope and variance of taste, by dimension.
    severity_variance
        Variance of severity, and of a continuous scale's noise.
    kappa
        Thresholds, shape (dimension, thresholds).
    factor, spread, weight
        Nodes over new raters: factor on the slope, factor on the taste's spread, weight.

    Returns
    -------
    ndarray of shape (item, dimension)
        The share of thresholds that the rating is expected to pass.
    """
    n_items, n_dims = theta.shape
    n_thresholds = kappa.shape[1]
    out = np.zeros((n_items, n_dims))
    for d in range(n_dims):
        for q in range(len(weight)):
            own = slope[d] * factor[q]
            variance = severity_variance + own * own * taste_variance[d] * spread[q] * spread[q]
            for i in range(n_items):
                centre = level[category[i], d] + own * theta[i, d]
                total = 0.0
                for k in range(n_thresholds):
                    total += smooth_logistic(centre - kappa[d, k], variance)
                out[i, d] += weight[q] * total / n_thresholds
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def panel_shares(centre, variance, rater_weight, item, kappa, n_items):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Mean over a panel's raters of the rating that each is expected to give, as a share of the scale.

    Parameters
    ----------
    centre
        Latent rating of each (rater, item) row, shape (row, dimension).
    variance
        Variance of what is not known of it, same shape.
    rater_weight, item
        Weight and item of each row; the weights of an item's rows sum to 1.
    kappa
        Thresholds, shape (dimension, thresholds).
    n_items
        Number of items.

    Returns
    -------
    ndarray of shape (item, dimension)
        Shares.
    """
    n_dims, n_thresholds = kappa.shape
    out = np.zeros((n_items, n_dims))
    for row in range(len(item)):
        for d in range(n_dims):
            total = 0.0
            for k in range(n_thresholds):
                total += smooth_logistic(centre[row, d] - kappa[d, k], variance[row, d])
            out[item[row], d] += rater_weight[row] * total / n_thresholds
    return out
