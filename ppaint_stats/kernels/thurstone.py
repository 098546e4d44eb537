r"""The unified quality scale of Perez-Ortiz, Mikhailiuk, Zerman, Hulusic, Valenzise & Mantiuk (2019).

Comparisons follow Thurstone's case V, :math:`P(A) = \Phi((q_A - q_B) / (\sqrt2\,\sigma))`, with ties as half a win
each; ratings are normal, :math:`m_{ik} \sim N(a q_i + b, (a c \sigma)^2)`. With :math:`\sigma = 1.0484` one unit of q
is one just-objectionable difference (75 % preferred). Here a and c are exponentials of free parameters, so that a > 0
always holds and ratings cannot leave the fit.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr

from ppaint_stats.kernels.davidson import PairCounts, scatter_pairs
from ppaint_stats.typing import FloatArray

SIGMA = 1.0484
LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class ThurstoneFit:
    """Quality (sums to zero), slope a, intercept b, noise ratio c, both parts of the log-likelihood."""

    quality: FloatArray
    slope: float
    intercept: float
    noise_ratio: float
    loglik_preferences: float
    loglik_ratings: float
    converged: bool


def fit_unified_scale(
    pairs: PairCounts, n: FloatArray, mean: FloatArray, squares: float, *, start: ThurstoneFit | None = None
) -> ThurstoneFit:
    """Maximise the joint likelihood.

    Parameters
    ----------
    pairs
        Comparisons; empty arrays leave the ratings alone to speak.
    n, mean
        Number and mean of each item's ratings, shape (items,); the mean is ignored where n is 0.
    squares
        Sum of squared deviations of ratings from their item's mean.
    start
        Fit from which to start.
    """
    total = float(n.sum())
    rated = n > 0
    wins_a, wins_b = pairs.wins_a + pairs.ties / 2, pairs.wins_b + pairs.ties / 2
    items, scale = pairs.n_items, np.sqrt(2) * SIGMA
    grand = float(n[rated] @ mean[rated]) / total if total else 0.0
    spread = float(np.sqrt(n[rated] @ (mean[rated] - grand) ** 2 / total)) if total else 1.0
    spread = spread if spread > 0 else 1.0
    centred = np.where(rated, mean - grand, 0.0) / spread  # unit spread: parameters near 1 whatever the scale

    def parts(x: FloatArray) -> tuple[float, float, FloatArray]:
        q = x[:items] - x[:items].mean()
        z = (q[pairs.a] - q[pairs.b]) / scale
        log_a, log_b = log_ndtr(z), log_ndtr(-z)
        preferences = float(wins_a @ log_a + wins_b @ log_b)
        density = -(z**2) / 2 - LOG_2PI / 2
        slope_z = wins_a * np.exp(density - log_a) - wins_b * np.exp(density - log_b)
        gradient_q = scatter_pairs(pairs, slope_z) / scale
        a, c = np.exp(x[items]), np.exp(x[items + 2])
        sd = a * c * SIGMA
        miss = np.where(rated, centred - a * q - x[items + 1], 0.0)
        sum_squares = float(n @ miss**2) + squares / spread**2
        ratings = -total * (np.log(sd) + LOG_2PI / 2) - sum_squares / (2 * sd**2) if total else 0.0
        pull = n * miss / sd**2
        gradient_q = gradient_q + a * pull
        shrink = sum_squares / sd**2 - total
        gradient = np.concatenate([gradient_q - gradient_q.mean(), [a * (q @ pull) + shrink, pull.sum(), shrink]])
        return preferences, float(ratings), gradient

    def negative(x: FloatArray) -> tuple[float, FloatArray]:
        preferences, ratings, gradient = parts(x)
        return -preferences - ratings, -gradient

    if start is None:
        x0 = np.concatenate([centred, [0.0, 0.0, 0.0]])
    else:
        tail = [np.log(start.slope / spread), (start.intercept - grand) / spread, np.log(start.noise_ratio)]
        x0 = np.concatenate([start.quality, tail])
    bounds = [(-20.0, 20.0)] * items + [(-8.0, 8.0), (None, None), (-8.0, 8.0)]
    found = minimize(negative, x0, jac=True, method="L-BFGS-B", bounds=bounds,
                     options={"maxiter": 5000, "maxfun": 10000, "ftol": 1e-12, "gtol": 1e-6})  # fmt: skip
    preferences, ratings, _ = parts(found.x)
    quality = found.x[:items] - found.x[:items].mean()
    a, b, c = float(np.exp(found.x[items])), float(found.x[items + 1]), float(np.exp(found.x[items + 2]))
    jacobian = total * np.log(spread)  # density of the ratings in their own units
    return ThurstoneFit(
        quality, a * spread, grand + b * spread, c, preferences, ratings - jacobian, bool(found.success)
    )
