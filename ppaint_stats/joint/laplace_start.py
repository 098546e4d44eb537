"""A starting point for the Laplace approximation: near the mode, with covariances of about the right size."""

from typing import Any

import numpy as np
from scipy.optimize import minimize

from ppaint_stats.joint.draws import derive_draws, unpack_factors
from ppaint_stats.joint.laplace_arrow import factorise_blocks
from ppaint_stats.joint.laplace_curvature import Curvature
from ppaint_stats.kernels.joint.data import NAMES
from ppaint_stats.kernels.joint.density import joint_logp
from ppaint_stats.typing import FloatArray, IntArray

TIMES = 8
CLIMB, LAST_CLIMB = 150, 300
"""Steps of the ascents, between which covariances are estimated anew."""

PAIRS = 16
SETTLED = 0.1
"""Change of a factor's entries below which covariances are left alone."""


def find_start(curvature: Curvature, x: FloatArray, white: FloatArray) -> FloatArray:
    """Climb towards the mode, and estimate the covariances of items and tastes from draws around it.

    Parameters
    ----------
    curvature
        The study.
    x
        Where to begin.
    white
        Standard normal columns over the flat vector.

    Returns
    -------
    ndarray
        Starting point.
    """
    x = x.copy()
    for _ in range(TIMES):
        x = climb(curvature, x, CLIMB)
        blocks, _ = factorise_blocks(curvature.find(x, []), pool=curvature.pool)
        columns = blocks.colour_blocks(curvature.split(white[:, :PAIRS]))
        moved = _estimate_covariances(curvature, x, curvature.spread(columns, len(x)))
        if moved < SETTLED:
            break
    return climb(curvature, x, LAST_CLIMB)


def climb(curvature: Curvature, x: FloatArray, steps: int) -> FloatArray:
    """Raise the density, hyperparameters and raters' spreads of taste fixed, by L-BFGS.

    A joint mode has no use for the scale of what it finds as well: it would shrink both.
    """
    fixed = np.concatenate([curvature.places.hyper, _span(curvature, "taste_spread")])
    free = np.setdiff1d(curvature.places.inner, fixed)

    def evaluate(part: FloatArray) -> tuple[float, FloatArray]:
        y = x.copy()
        y[free] = part
        value, gradient = joint_logp(y, curvature.data)
        return -value, -gradient[free]

    options: Any = {"maxiter": steps, "maxcor": 20, "maxfun": 2 * steps}
    start: Any = x[free]
    found = minimize(evaluate, start, jac=True, method="L-BFGS-B", options=options)
    out = x.copy()
    out[free] = found.x
    return out


def _span(curvature: Curvature, name: str) -> IntArray:
    starts, k = curvature.layout.starts, NAMES.index(name)
    return np.arange(starts[k], starts[k + 1])


def _estimate_covariances(curvature: Curvature, x: FloatArray, xi: FloatArray) -> float:
    """Put factors of second moments over draws into ``x``; returns the largest change of an entry."""
    e, layout = curvature.encoding, curvature.layout
    n_dims = len(e.dimensions)
    points = np.array([x + sign * column for column in xi.T for sign in (1, -1)])
    own = layout.unpack(points)
    draws = derive_draws(points, e, layout, seed=np.random.SeedSequence(0))  # the seed is for what is not used here
    consensus = own["consensus"]
    if not layout.parameters["consensus"].centred:
        consensus = consensus @ np.swapaxes(unpack_factors(own["item_cov"], n_dims), 1, 2)
    moved = _put_factor(curvature, x, "item_cov", _moment(consensus), consensus.shape[1])
    total, n, used = np.zeros((n_dims, n_dims)), 0, 0
    theta = draws.values["consensus"]
    for unit in e.units:
        if not unit.rich:
            continue
        rows = slice(used, used := used + len(unit.items) - 1)
        scale = draws.values["sharpness"][:, unit.preference_rater][:, None, None]
        spread = draws.values["taste_spread"][:, unit.taste_rater][:, None, None]
        total += _moment((own["utility"][:, rows] / scale - unit.basis.T @ theta[:, unit.items]) / spread)
        n += len(unit.items) - 1
    return max(moved, _put_factor(curvature, x, "taste_cov", total, n)) if n else moved


def _moment(rows: FloatArray) -> FloatArray:
    """Sum of squares and products of rows, a mean over draws."""
    return np.asarray(np.einsum("ski,skj->ij", rows, rows) / len(rows))


def _put_factor(curvature: Curvature, x: FloatArray, name: str, moment: FloatArray, n: int) -> float:
    n_dims = len(moment)
    prior = curvature.data.item_prior if name == "item_cov" else curvature.data.taste_prior
    weight = n_dims + 2  # the prior's median counts for that many rows
    factor = np.linalg.cholesky((moment + weight * np.exp(2 * prior[0]) * np.eye(n_dims)) / (n + weight))
    row, column = np.tril_indices(n_dims)
    packed = factor[row, column]
    packed[row == column] = np.log(packed[row == column])
    at = _span(curvature, name)
    moved = float(np.abs(packed - x[at]).max())
    x[at] = packed
    return moved
