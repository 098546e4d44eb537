"""What the default priors of the joint model imply: draws of whole panels, with NumPy alone and without any data.

One category of 50 items on a scale from 1 to 5, five raters, as in PPaint's design; the dimension is one of five.
"""

from itertools import pairwise

import numpy as np
import pandas as pd

from ppaint_stats.kernels.densities import draw_minima
from ppaint_stats.priors import LogNormal, Normal, Priors
from ppaint_stats.typing import FloatArray

N_PANELS = 4000
N_ITEMS = 50
N_RATERS = 5
N_DIMENSIONS = 5
N_LEVELS = 5
N_CATEGORIES = 3
T_DOF = 4
PROBS = (0.05, 0.5, 0.95)


def draw_panels(priors: Priors, *, random_seed: int = 1, n: int = N_PANELS) -> dict[str, FloatArray]:
    """Draw panels from the priors; the first axis of every array runs over panels.

    Returns
    -------
    dict
        Quantities by name, in the order of the documentation's table; ``level_share`` has one column for each level.
        All but the lapses are those of attentive answers.
    """
    rng = np.random.default_rng(random_seed)

    def spread(prior: LogNormal) -> FloatArray:
        return prior.median * np.exp(prior.log_sd * rng.standard_normal((n, 1)))

    def normal(prior: Normal, *shape: int) -> FloatArray:
        return prior.mean + prior.sd * rng.standard_normal((n, *shape))

    def centred(values: FloatArray) -> FloatArray:
        return values - values.mean(axis=-1, keepdims=True)

    def raters(sd: FloatArray) -> FloatArray:
        return centred(sd * rng.standard_normal((n, N_RATERS)))

    def heavy(sd: FloatArray) -> FloatArray:
        return centred(sd * rng.standard_t(T_DOF, (n, N_RATERS)))

    p = priors
    item_sd, taste_sd = spread(p.item_sd), spread(p.taste_sd)
    theta = centred(item_sd * rng.standard_normal((n, N_ITEMS)))[:, None]
    own_spread = taste_sd * np.exp(raters(spread(p.taste_spread_sd)))
    utility = theta + centred(own_spread[:, :, None] * rng.standard_normal((n, N_RATERS, N_ITEMS)))
    sharpness = np.exp(centred(spread(p.sharpness_sd) * draw_minima(rng, (n, N_RATERS))))
    log_nu = normal(p.tie_mean, 1) + spread(p.tie_sd) * rng.standard_normal((n, N_RATERS))
    log_nu = log_nu + spread(p.tie_dimension_sd) * rng.standard_normal((n, N_RATERS))
    position = normal(p.position_mean, 1) + spread(p.position_sd) * rng.standard_normal((n, N_RATERS))
    slope = np.exp(normal(p.log_slope, 1) + heavy(spread(p.discrimination_sd)))
    severity = raters(spread(p.severity_sd)) + raters(spread(p.severity_dimension_sd))
    level = centred(normal(p.category_level, N_CATEGORIES))
    centre = normal(p.threshold_centre, 1)
    gap = p.threshold_span / (N_LEVELS - 2) * np.exp(p.threshold_gap_log_sd * rng.standard_normal((n, N_LEVELS - 2)))
    kappa = centre + centred(np.concatenate([np.zeros((n, 1)), gap.cumsum(axis=1)], axis=1))
    noise = spread(p.noise) * np.exp(spread(p.noise_sd) * rng.standard_normal((n, N_RATERS)))

    latent = slope[:, :, None] * utility - severity[:, :, None]
    passed = [_logistic(latent - kappa[:, k, None, None]) for k in range(N_LEVELS - 1)]
    expected = 1 + sum(passed)
    second = sum((2 * k + 1) * share for k, share in enumerate(passed))  # mean of (rating - 1)^2
    bounds = [np.ones(n), *(part.mean(axis=(1, 2)) for part in passed), np.zeros(n)]
    share = np.stack([high - low for high, low in pairwise(bounds)], axis=1)
    deviation = expected - expected.mean(axis=1, keepdims=True)
    deviation -= deviation.mean(axis=2, keepdims=True)
    category = np.stack(
        [
            1 + sum(_logistic(latent + level[:, c, None, None] - kappa[:, k, None, None]) for k in range(N_LEVELS - 1))
            for c in range(N_CATEGORIES)
        ]
    ).mean(axis=(2, 3))
    tie_rate = 1 / (1 + 2 * np.exp(-log_nu))
    first, other = utility[:, :, 0::2], utility[:, :, 1::2]  # 25 pairs of random items
    gap_of_pair = sharpness[:, :, None] * (first - other)
    half = np.cosh(np.minimum(np.abs(gap_of_pair) / 2, 300.0))
    pair_ties = 1 / (1 + 2 * half * np.exp(-log_nu)[:, :, None])
    disagree = np.mean([np.sign(gap_of_pair[:, r]) != np.sign(gap_of_pair[:, r - 1]) for r in range(N_RATERS)], axis=0)
    eta = priors.correlation - 1 + N_DIMENSIONS / 2  # margin of an LKJ correlation matrix: a beta on (-1, 1)
    correlation = 2 * rng.beta(eta, eta, n) - 1
    lapse = _logistic(normal(p.lapse, N_RATERS))
    nodes, weight = np.polynomial.hermite_e.hermegauss(31)
    rating = _logistic(noise[:, :1] * nodes)
    return {
        "level_share": share,
        "mean rating": expected.mean(axis=(1, 2)),
        "items: sd of the mean expected rating": expected.mean(axis=1).std(axis=1, ddof=1),
        "tastes: sd of a rater's expected ratings around the panel's, severity apart": deviation.std(axis=(1, 2)),
        "severity: sd between five raters of their mean expected rating": expected.mean(axis=2).std(axis=1, ddof=1),
        "noise: sd of a single rating around its expectation": np.sqrt(
            np.maximum(second - (expected - 1) ** 2, 0).mean(axis=(1, 2))
        ),
        "discrimination: steepest of five raters over flattest, ratio of slopes": slope.max(axis=1) / slope.min(axis=1),
        "categories: sd of three categories' mean expected rating": category.std(axis=0, ddof=1),
        "items: odds of the better one in the median pair": np.exp(
            np.minimum(np.median(np.abs(theta[:, 0, 0::2] - theta[:, 0, 1::2]), axis=1), 50)
        ),
        "tastes: share of pairs in which two raters' utilities are in opposite order": disagree.mean(axis=1),
        "sharpness: sharpest of five raters over bluntest": sharpness.max(axis=1) / sharpness.min(axis=1),
        "ties: share among comparisons of equals": tie_rate[:, 0],
        "ties: share among comparisons of random items": pair_ties.mean(axis=(1, 2)),
        "ties: most ready of five raters minus least, among equals": np.ptp(tie_rate, axis=1),
        "position: share of the first among decided comparisons of equals": _logistic(position[:, 0]),
        "correlation of two of five dimensions, of items or of tastes": _mirror(correlation),
        "continuous scale: sd of a rating at its middle, % of the scale": 100
        * np.sqrt(((rating - 0.5) ** 2) @ (weight / weight.sum())),
        "lapses: share among a rater's judgments": lapse[:, 0],
        "lapses: share among those of the most careless of five raters": lapse.max(axis=1),
    }


def tabulate_panels(panels: dict[str, FloatArray]) -> pd.DataFrame:
    """5 %, 50 % and 95 % quantiles of every quantity."""
    rows = [{"quantity": f"share of level {k + 1}", **_quantiles(panels["level_share"][:, k])} for k in range(N_LEVELS)]
    rows += [{"quantity": name, **_quantiles(x)} for name, x in panels.items() if name != "level_share"]
    return pd.DataFrame(rows)


def _quantiles(values: FloatArray) -> dict[str, float]:
    return {f"{100 * prob:.0f} %": float(np.quantile(values, prob)) for prob in PROBS}


def _mirror(values: FloatArray) -> FloatArray:
    """Draws of a symmetric distribution with their mirror images, so that the median is exact."""
    return np.concatenate([values, -values])


def _logistic(x: FloatArray) -> FloatArray:
    return 0.5 + 0.5 * np.tanh(x / 2)
