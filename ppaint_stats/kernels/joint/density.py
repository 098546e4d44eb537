"""The joint model's log density and gradient in one pass over the data.

The model is that of :mod:`ppaint_stats.model`, parameter by parameter; tests hold the two to each other. Here the
gradient is written out by hand, so that nothing has to be derived or compiled for a new study.
"""

import numba
import numpy as np

from ppaint_stats.kernels.densities import (
    BLUNT,
    LOG_ROOT_2PI,
    NORMAL,
    correlate_rows,
    correlate_rows_back,
    factor_logp,
    rows_logp,
    unpack_factor,
)
from ppaint_stats.kernels.joint.data import (
    CONSENSUS,
    ITEM_COV,
    LOG_SHARPNESS_SD,
    LOG_TASTE_SPREAD_SD,
    SHARPNESS,
    TASTE_COV,
    TASTE_SPREAD,
)
from ppaint_stats.kernels.joint.habits import habit, habit_back
from ppaint_stats.kernels.joint.matrices import add_to, contract_items, expand_contrasts, flatten, view_rows
from ppaint_stats.kernels.joint.preferences import preferences_logp
from ppaint_stats.kernels.joint.ratings import ratings_logp
from ppaint_stats.kernels.joint.units import units_backward, units_forward


@numba.njit(cache=True, nogil=True, error_model="numpy")
def joint_logp(x, data):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log density of the joint model, up to a constant, and its gradient.

    Parameters
    ----------
    x
        Parameters in the order of :data:`NAMES`, covariance factors and correlations on unconstrained scales.
    data
        The study, see :class:`JointData`.

    Returns
    -------
    tuple
        Value and gradient.
    """
    n_dims, at, centred = data.n_dimensions, data.at, data.centred
    gradient = np.zeros(len(x))
    total = _plain_normals(x, at, data.normal_mean, data.normal_sd, gradient)

    # Forward: consensus, the raters' habits, utilities.
    n_items = data.item_start[-1]
    n_contrasts = n_items - len(data.category_basis)
    own = view_rows(x, at[CONSENSUS], n_contrasts, n_dims)
    by_own = view_rows(gradient, at[CONSENSUS], n_contrasts, n_dims)
    by_consensus = np.zeros((n_contrasts, n_dims))
    item_factor, item_inverse = unpack_factor(x[at[ITEM_COV] : at[ITEM_COV + 1]], n_dims)
    by_item_factor = np.zeros((n_dims, n_dims))
    value, consensus = _correlate(own, item_factor, item_inverse, centred[CONSENSUS] == 1, by_item_factor, by_own)
    total += value
    theta = expand_contrasts(consensus, data.basis, data.category_basis, data.item_start)
    by_theta = np.zeros((n_items, n_dims))

    value, log_e = habit(x, at, centred, SHARPNESS, LOG_SHARPNESS_SD, data.sharpness_basis, BLUNT)
    total += value
    by_log_e = np.zeros(len(log_e))
    value, log_spread = habit(x, at, centred, TASTE_SPREAD, LOG_TASTE_SPREAD_SD, data.spread_basis, NORMAL)
    total += value
    by_log_spread = np.zeros(len(log_spread))

    has_taste = len(data.unit_category) > 0
    taste_factor, taste_inverse = unpack_factor(x[at[TASTE_COV] : at[TASTE_COV + 1]], n_dims if has_taste else 0)
    by_taste_factor = np.zeros((n_dims, n_dims))
    n_rows = data.unit_row[-1]
    last = n_rows + n_items
    utility = np.zeros((last + len(data.plain_item), n_dims))
    add_to(flatten(utility[n_rows:last]), flatten(theta))
    _sharpen(theta, log_e, data.plain_rater, data.plain_item, utility[last:])
    total += units_forward(
        x, data, theta, consensus, log_e, log_spread, taste_factor, taste_inverse,
        utility, gradient, by_taste_factor, by_consensus, by_theta, by_log_e, by_log_spread,
    )  # fmt: skip

    # Likelihoods, which give the gradient by the utilities.
    by_utility = np.zeros(utility.shape)
    if len(data.pair_a):
        total += preferences_logp(x, data, utility, by_utility, gradient)
    if len(data.rating_place):
        total += ratings_logp(
            x, data, utility, theta, item_factor, by_utility, by_theta, by_item_factor, by_log_e, log_e, gradient
        )

    # Backward.
    units_backward(
        x, data, theta, log_e, log_spread, taste_factor, utility, by_utility,
        gradient, by_taste_factor, by_theta, by_log_e, by_log_spread,
    )  # fmt: skip
    add_to(flatten(by_theta), flatten(by_utility[n_rows:last]))
    _sharpen_back(log_e, data.plain_rater, data.plain_item, utility[last:], by_utility[last:], by_log_e, by_theta)
    contract_items(by_theta, data.basis, data.category_basis, data.item_start, by_consensus)
    if centred[CONSENSUS] == 1:
        add_to(flatten(by_own), flatten(by_consensus))
    else:
        correlate_rows_back(own, item_factor, by_consensus, by_own, by_item_factor)
    habit_back(x, at, centred, SHARPNESS, LOG_SHARPNESS_SD, data.sharpness_basis, BLUNT, by_log_e, gradient)
    habit_back(x, at, centred, TASTE_SPREAD, LOG_TASTE_SPREAD_SD, data.spread_basis, NORMAL, by_log_spread, gradient)
    total += factor_logp(
        item_factor, by_item_factor, data.eta, data.item_prior[0], data.item_prior[1],
        gradient[at[ITEM_COV] : at[ITEM_COV + 1]],
    )  # fmt: skip
    if has_taste:
        total += factor_logp(
            taste_factor, by_taste_factor, data.eta, data.taste_prior[0], data.taste_prior[1],
            gradient[at[TASTE_COV] : at[TASTE_COV + 1]],
        )  # fmt: skip
    return total, gradient


@numba.njit(error_model="numpy")
def _correlate(own, factor, inverse, centred, by_factor, by_own):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Rows that follow a covariance, and, where they are sampled as such, their log density with its gradient."""
    if not centred:
        return 0.0, correlate_rows(own, factor)
    value, flow = rows_logp(own, factor, inverse, by_factor)
    add_to(flatten(by_own), flatten(flow))
    return value, own


@numba.njit(error_model="numpy", inline="always")
def _plain_normals(x, at, mean, sd, gradient):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Parameters with a normal prior of their own."""
    total = 0.0
    for k in range(len(sd)):
        if sd[k] > 0:
            for i in range(at[k], at[k + 1]):
                z = (x[i] - mean[k]) / sd[k]
                total -= LOG_ROOT_2PI + np.log(sd[k]) + 0.5 * z * z
                gradient[i] -= z / sd[k]
    return total


@numba.njit(error_model="numpy", inline="always")
def _sharpen(theta, log_e, rater, item, utility):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Fill the utilities of raters who compare without a taste: the consensus, on the scale of their preferences."""
    for k in range(len(item)):
        scale = np.exp(log_e[rater[k]])
        for d in range(theta.shape[1]):
            utility[k, d] = scale * theta[item[k], d]


@numba.njit(error_model="numpy", inline="always")
def _sharpen_back(log_e, rater, item, utility, by_utility, by_log_e, by_theta):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn the gradient by those utilities into that by the consensus and the sharpness; adds to both."""
    for k in range(len(item)):
        scale = np.exp(log_e[rater[k]])
        for d in range(by_theta.shape[1]):
            by_theta[item[k], d] += scale * by_utility[k, d]
            by_log_e[rater[k]] += by_utility[k, d] * utility[k, d]
