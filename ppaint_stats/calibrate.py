r"""Sigmoid calibration: from latent scores to the rating scale.

.. math::

   s(x) = \mathrm{low} + (\mathrm{high} - \mathrm{low})\;\sigma(z + b z^3),
   \qquad z = \frac{x - m}{t}, \quad t > 0, \quad b \ge 0

with (m, t, b) minimising the weighted squared distance to the rating scores of the anchors, the items that were rated.
The map is monotone and never leaves the scale. The bend b lets it rise more evenly in the middle and meet the ends of
the scale sooner than a logistic curve, as means of ordinal ratings do; b = 0 is the plain sigmoid.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.special import expit, logit

from ppaint_stats.errors import ArgumentError
from ppaint_stats.typing import FloatArray, RandomSeed

BEND_ANCHORS = 10
"""Anchors from which the bend is fitted."""

BEND_BOUND = 2.0
"""Largest bend: beyond, the map is a step and a plateau on either side of it."""

WIDTH_BOUND = 50.0
"""Largest width t in standard deviations of the latent scores: the map is all but flat there."""


@dataclass(frozen=True)
class SigmoidCalibration:
    """A fitted map.

    Parameters
    ----------
    midpoint, width
        m and t, in units of the latent scores.
    bend
        b, without a unit.
    low, high
        Ends of the rating scale.
    rmse
        Weighted root mean squared distance of the anchors to the map, in rating units.
    n_anchors
        Number of anchors.
    at_bound
        Whether the width met its bound: the latent scores then say next to nothing about the ratings.
    """

    midpoint: float
    width: float
    bend: float
    low: float
    high: float
    rmse: float
    n_anchors: int
    at_bound: bool

    def apply(self, latent: FloatArray) -> FloatArray:
        """Map latent scores to the rating scale.

        Parameters
        ----------
        latent
            Latent scores of any shape.

        Returns
        -------
        ndarray
            Scores of the same shape, between ``low`` and ``high``.
        """
        z = (latent - self.midpoint) / self.width
        return np.asarray(self.low + (self.high - self.low) * expit(z + self.bend * z**3))

    def slope(self, latent: FloatArray) -> FloatArray:
        """Derivative of the map at latent scores, in rating units per latent unit."""
        z = (latent - self.midpoint) / self.width
        p = expit(z + self.bend * z**3)
        return np.asarray((self.high - self.low) * p * (1 - p) * (1 + 3 * self.bend * z**2) / self.width)


def fit_sigmoid(
    latent: FloatArray,
    rating: FloatArray,
    *,
    low: float,
    high: float,
    weight: FloatArray | None = None,
    bend: bool = True,
) -> SigmoidCalibration:
    r"""Fit the sigmoid map by weighted least squares.

    Parameters
    ----------
    latent, rating
        Latent score and rating score of each item, shape (items,); items with a missing rating are no anchors.
    low, high
        Ends of the rating scale.
    weight
        Non-negative weights, shape (items,); equal by default.
    bend
        Whether b is fitted where there are at least :data:`BEND_ANCHORS` anchors; otherwise it is 0.

    Returns
    -------
    SigmoidCalibration
        The map.

    Raises
    ------
    ArgumentError
        If fewer than two items are anchors or the scale is empty.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-2, 2, 9)
    >>> fit = fit_sigmoid(x, 1 + 4 / (1 + np.exp(-(x - 0.5) / 0.8)), low=1, high=5)
    >>> round(fit.midpoint, 3), round(fit.width, 3)
    (0.5, 0.8)
    """
    if not low < high:
        raise ArgumentError(f"low={low} must be below high={high}")
    weight = np.ones(len(latent)) if weight is None else weight
    use = np.isfinite(rating) & np.isfinite(latent) & (weight > 0)
    x, r, w = latent[use], rating[use], weight[use] / weight[use].sum()
    if len(x) < 2:
        raise ArgumentError(f"calibration needs at least 2 rated items, got {len(x)}")
    centre = float(w @ x)
    spread = float(np.sqrt(w @ (x - centre) ** 2))
    share = np.clip((r - low) / (high - low), 0.02, 0.98)
    if spread <= 0:
        level = float(np.clip((w @ r - low) / (high - low), 1e-6, 1 - 1e-6))
        rmse = float(np.sqrt(w @ (r - w @ r) ** 2))
        return SigmoidCalibration(centre - float(logit(level)), 1.0, 0.0, low, high, rmse, len(x), at_bound=True)
    standard, y = (x - centre) / spread, logit(share)
    slope = float(np.clip(w @ (standard * (y - w @ y)), 2 / WIDTH_BOUND, 20.0))
    root, target = np.sqrt(w), (r - low) / (high - low)
    free = 3 if bend and len(x) >= BEND_ANCHORS else 2

    def residual(p: FloatArray) -> FloatArray:
        z = np.exp(p[1]) * (standard - p[0])
        return np.asarray(root * (expit(z + (p[2] * z**3 if free == 3 else 0.0)) - target))

    def jacobian(p: FloatArray) -> FloatArray:
        return root[:, None] * _map_gradient(standard, np.append(p, 0.0)[:3])[1][:, :free]

    bound = np.log(WIDTH_BOUND)
    start = [-float(w @ y) / slope, np.log(slope), 0.05][:free]
    limits = ([-50.0, -bound, 0.0][:free], [50.0, bound, BEND_BOUND][:free])
    found = least_squares(residual, np.clip(start, *limits), jac=jacobian, bounds=limits, x_scale="jac")
    width = spread / float(np.exp(found.x[1]))
    return SigmoidCalibration(
        midpoint=centre + float(found.x[0]) * spread,
        width=width,
        bend=float(found.x[2]) if free == 3 else 0.0,
        low=low,
        high=high,
        rmse=float(np.sqrt(2 * found.cost)) * (high - low),
        n_anchors=len(x),
        at_bound=bool(abs(found.x[1]) > bound - 0.01),
    )


def _map_gradient(standard: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Map in units of the scale, and its derivatives by the three parameters p, of shape (..., 3): one map for each."""
    centre, log_steepness, bend = p[..., 0, None], p[..., 1, None], p[..., 2, None]
    z = np.exp(log_steepness) * (standard - centre)
    curve = expit(z + bend * z**3)
    by_z = curve * (1 - curve) * (1 + 3 * bend * z**2)
    by_p = [-by_z * np.exp(log_steepness), by_z * z, curve * (1 - curve) * z**3]
    return curve, np.stack(by_p, axis=-1)


def resample_anchors(
    latent: FloatArray,
    rating: FloatArray,
    *,
    low: float,
    high: float,
    weight: FloatArray | None = None,
    n_boot: int = 200,
    random_seed: RandomSeed = None,
) -> float:
    """Measure how far the map moves when other anchors are drawn.

    Parameters
    ----------
    latent, rating, low, high, weight
        As for :func:`fit_sigmoid`.
    n_boot
        Number of bootstrap samples of the anchors.
    random_seed
        Seed of the samples.

    Returns
    -------
    float
        Standard deviation of the mapped scores over samples, averaged over items, in rating units; nan if
        fewer than three items are anchors.
    """
    rng = np.random.default_rng(random_seed)
    base = np.ones(len(latent)) if weight is None else weight
    anchors = np.flatnonzero(np.isfinite(rating) & np.isfinite(latent) & (base > 0))
    if len(anchors) < 3:
        return float("nan")
    fit = fit_sigmoid(latent, rating, low=low, high=high, weight=weight)
    standard, target = (latent - fit.midpoint) / fit.width, (rating[anchors] - low) / (high - low)
    drawn = rng.multinomial(len(anchors), np.full(len(anchors), 1 / len(anchors)), size=n_boot) * base[anchors]
    # Gauss-Newton for all samples at once, from the full fit
    at = np.tile([0.0, 0.0, fit.bend], (n_boot, 1))
    free = 3 if fit.bend > 0 else 2
    for _ in range(10):
        curve, by_p = _map_gradient(standard[anchors], at)
        by_p = by_p[..., :free]
        gradient = np.einsum("bn,bnk->bk", drawn * (target - curve), by_p)
        hessian = np.einsum("bn,bnk,bnl->bkl", drawn, by_p, by_p) + 1e-9 * np.eye(free)
        at[:, :free] += np.clip(np.linalg.solve(hessian, gradient[..., None])[..., 0], -0.5, 0.5)
        at[:, 2] = np.clip(at[:, 2], 0.0, BEND_BOUND)
    mapped = low + (high - low) * _map_gradient(standard, at)[0]
    return float(np.std(mapped, axis=0, ddof=1).mean())
