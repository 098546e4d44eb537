r"""Sigmoid calibration: from latent scores to the rating scale.

.. math:: s(x) = \mathrm{low} + (\mathrm{high} - \mathrm{low})\;\sigma\!\left(\frac{x - m}{t}\right), \qquad t > 0

with (m, t) minimising the weighted squared distance to the rating scores of the anchors, the items that were rated.
The map is monotone and never leaves the scale.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.special import expit, logit

from ppaint_stats.errors import ArgumentError
from ppaint_stats.typing import FloatArray, RandomSeed

WIDTH_BOUND = 50.0
"""Largest width t in standard deviations of the latent scores: the map is all but flat there."""


@dataclass(frozen=True)
class SigmoidCalibration:
    """A fitted map.

    Parameters
    ----------
    midpoint, width
        m and t, in units of the latent scores.
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
        return np.asarray(self.low + (self.high - self.low) * expit((latent - self.midpoint) / self.width))

    def slope(self, latent: FloatArray) -> FloatArray:
        """Derivative of the map at latent scores, in rating units per latent unit."""
        p = expit((latent - self.midpoint) / self.width)
        return np.asarray((self.high - self.low) * p * (1 - p) / self.width)


def fit_sigmoid(
    latent: FloatArray, rating: FloatArray, *, low: float, high: float, weight: FloatArray | None = None
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
        return SigmoidCalibration(centre - float(logit(level)), 1.0, low, high, rmse, len(x), at_bound=True)
    z, y = (x - centre) / spread, logit(share)
    slope = float(np.clip(w @ (z * (y - w @ y)), 2 / WIDTH_BOUND, 20.0))
    root = np.sqrt(w)

    def residual(p: FloatArray) -> FloatArray:
        return np.asarray(root * (expit(p[0] + np.exp(p[1]) * z) - (r - low) / (high - low)))

    def jacobian(p: FloatArray) -> FloatArray:
        curve = expit(p[0] + np.exp(p[1]) * z)
        bend = root * curve * (1 - curve)
        return np.column_stack([bend, bend * np.exp(p[1]) * z])

    bound = np.log(WIDTH_BOUND)
    found = least_squares(
        residual, [float(w @ y), np.log(slope)], jac=jacobian, bounds=([-50.0, -bound], [50.0, bound]), x_scale="jac"
    )
    steepness = float(np.exp(found.x[1]))
    width = spread / steepness
    return SigmoidCalibration(
        midpoint=centre - float(found.x[0]) * width,
        width=width,
        low=low,
        high=high,
        rmse=float(np.sqrt(2 * found.cost)) * (high - low),
        n_anchors=len(x),
        at_bound=bool(abs(found.x[1]) > bound - 0.01),
    )


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
    x, y = latent[anchors], (rating[anchors] - low) / (high - low)
    draws = rng.multinomial(len(anchors), np.full(len(anchors), 1 / len(anchors)), size=n_boot) * base[anchors]
    # Gauss-Newton for all samples at once, from the full fit; the steepness is kept positive through its logarithm
    at = np.tile([-fit.midpoint / fit.width, -np.log(fit.width)], (n_boot, 1))
    for _ in range(10):
        curve = expit(at[:, :1] + np.exp(at[:, 1:]) * x)
        bend = curve * (1 - curve)
        by_slope = bend * np.exp(at[:, 1:]) * x
        miss = draws * (y - curve)
        g0, g1 = (miss * bend).sum(axis=1), (miss * by_slope).sum(axis=1)
        h00, h11 = (draws * bend**2).sum(axis=1) + 1e-9, (draws * by_slope**2).sum(axis=1) + 1e-9
        h01 = (draws * bend * by_slope).sum(axis=1)
        determinant = h00 * h11 - h01**2
        step = np.column_stack([h11 * g0 - h01 * g1, h00 * g1 - h01 * g0]) / determinant[:, None]
        at += np.clip(step, -1, 1)
    mapped = low + (high - low) * expit(at[:, :1] + np.exp(at[:, 1:]) * latent)
    return float(np.std(mapped, axis=0, ddof=1).mean())
