"""What a plan assumes: items, raters and judgments as numbers, from a simulated design, from priors or from a pilot."""

from dataclasses import dataclass

import numpy as np

from ppaint_stats.priors import LogNormal, Priors
from ppaint_stats.scale import RatingScale
from ppaint_stats.simulation_design import LOGISTIC_SD, PPaintDesign
from ppaint_stats.typing import FloatArray

ORDINAL_LEVELS = 25
"""Scales with more levels than this are treated as continuous, as the joint model does."""


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """One set of values for what the joint model leaves open; the names are those of the joint model.

    Parameters
    ----------
    item_cov, taste_cov
        Covariances over dimensions of the items' consensus and of a rater's tastes, in squared utility.
    taste_spread_sd, sharpness_sd, discrimination_sd
        Log spreads over raters of the spread of taste, of e and of a.
    tie_mean, tie_sd, tie_dimension_sd
        Mean of log nu, its spread over raters, and over the dimensions of a rater.
    position_mean, position_sd
        Advantage of the item shown first.
    slope
        Rating logits per unit of utility, by dimension.
    severity_sd, severity_dimension_sd
        Spread of severity over raters, and over the dimensions of a rater.
    threshold
        Thresholds, shape (dimension, thresholds); of a continuous scale its logit's centre with the sign turned.
    noise_mean, noise_sd
        Continuous scales: median spread of a rating's logit, and its log spread over raters; None on ordinal scales.
    lapse
        Share of judgments that have nothing to do with the items.
    """

    item_cov: FloatArray
    taste_cov: FloatArray
    taste_spread_sd: float
    sharpness_sd: float
    discrimination_sd: float
    tie_mean: float
    tie_sd: float
    tie_dimension_sd: float
    position_mean: float
    position_sd: float
    slope: FloatArray
    severity_sd: float
    severity_dimension_sd: float
    threshold: FloatArray
    noise_mean: float | None
    noise_sd: float
    lapse: float

    @property
    def n_dimensions(self) -> int:
        """Number of dimensions."""
        return len(self.slope)


def is_continuous(scale: RatingScale) -> bool:
    """Whether the joint model would treat the scale as continuous."""
    return scale.levels is None or len(scale.levels) > ORDINAL_LEVELS


def assume_design(design: PPaintDesign) -> Assumptions:
    """Take the quantities of a simulated design.

    Parameters
    ----------
    design
        The design; tails of taste, the probit link and careless raters are left aside.

    Returns
    -------
    Assumptions
        Its quantities in the joint model's terms.
    """
    n_dims = len(design.dimensions)
    continuous = is_continuous(design.rating_scale)
    # A rating's share of a continuous scale is the logistic function of 4 / span times the latent.
    factor = 4.0 / design.rating_span if continuous else 1.0
    severity, inner = factor * design.severity_sd, factor * design.severity_dimension_sd
    tie, tie_inner = design.tie_log_sd, design.tie_dimension_log_sd
    if n_dims == 1:  # in one dimension the two spreads are one
        severity, inner, tie, tie_inner = float(np.hypot(severity, inner)), 0.0, float(np.hypot(tie, tie_inner)), 0.0
    threshold = np.array([-factor * design.rating_shift]) if continuous else design.kappa
    return Assumptions(
        item_cov=design.item_sd**2 * design.item_correlations,
        taste_cov=design.taste_sd**2 * design.taste_correlations,
        taste_spread_sd=design.taste_log_sd,
        sharpness_sd=design.preference_discrimination_log_sd,
        discrimination_sd=design.rating_discrimination_log_sd,
        tie_mean=design.tie_log_mean,
        tie_sd=tie,
        tie_dimension_sd=tie_inner,
        position_mean=design.position_mean,
        position_sd=design.position_sd,
        slope=np.full(n_dims, factor * design.rating_slope),
        severity_sd=severity,
        severity_dimension_sd=inner,
        threshold=np.tile(threshold, (n_dims, 1)),
        noise_mean=factor * LOGISTIC_SD if continuous else None,
        noise_sd=design.rating_noise_log_sd,
        lapse=design.lapse,
    )


def draw_from_priors(priors: Priors, scale: RatingScale, n_dims: int, rng: np.random.Generator) -> Assumptions:
    """Draw one set of values from the joint model's priors.

    Parameters
    ----------
    priors
        Priors.
    scale
        Rating scale.
    n_dims
        Number of dimensions.
    rng
        Random numbers.

    Returns
    -------
    Assumptions
        A draw.
    """

    def spread(prior: LogNormal, size: int | None = None) -> FloatArray:
        return np.asarray(prior.median * np.exp(prior.log_sd * rng.standard_normal(size)))

    def normal(prior: tuple[float, float], size: int | None = None) -> FloatArray:
        return np.asarray(prior[0] + prior[1] * rng.standard_normal(size))

    item_sd, taste_sd = spread(priors.item_sd, n_dims), spread(priors.taste_sd, n_dims)
    item, taste = (_draw_correlation(priors.correlation, n_dims, rng) for _ in range(2))
    many = n_dims > 1
    centre = normal(priors.threshold_centre, n_dims)
    noise_mean = None
    if is_continuous(scale):
        threshold = -centre[:, None]
        noise_mean = float(spread(priors.noise))
    else:
        n_cuts = len(np.asarray(scale.levels)) - 1
        median = priors.threshold_span / max(n_cuts - 1, 1)
        gaps = spread(LogNormal(median, priors.threshold_gap_log_sd), n_dims * (n_cuts - 1)).reshape(n_dims, -1)
        steps = np.concatenate([np.zeros((n_dims, 1)), np.cumsum(gaps, axis=1)], axis=1)
        threshold = steps - steps.mean(axis=1, keepdims=True) + centre[:, None]
    return Assumptions(
        item_cov=item * np.outer(item_sd, item_sd),
        taste_cov=taste * np.outer(taste_sd, taste_sd),
        taste_spread_sd=float(spread(priors.taste_spread_sd)),
        sharpness_sd=float(spread(priors.sharpness_sd)),
        discrimination_sd=float(spread(priors.discrimination_sd)),
        tie_mean=float(normal(priors.tie_mean)),
        tie_sd=float(spread(priors.tie_sd)),
        tie_dimension_sd=float(spread(priors.tie_dimension_sd)) * many,
        position_mean=float(normal(priors.position_mean)),
        position_sd=float(spread(priors.position_sd)),
        slope=np.exp(normal(priors.log_slope, n_dims)),
        severity_sd=float(spread(priors.severity_sd)),
        severity_dimension_sd=float(spread(priors.severity_dimension_sd)) * many,
        threshold=threshold,
        noise_mean=noise_mean,
        noise_sd=float(spread(priors.noise_sd)),
        lapse=float(1 / (1 + np.exp(-normal(priors.lapse)))),
    )


def _draw_correlation(eta: float, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw from the LKJ distribution, row by row of the factor (Lewandowski, Kurowicka & Joe 2009)."""
    factor = np.zeros((n, n))
    factor[:1, :1] = 1.0
    shape = eta + (n - 2) / 2
    for k in range(1, n):
        length = rng.beta(k / 2, shape)
        shape -= 0.5
        direction = rng.standard_normal(k)
        factor[k, :k] = np.sqrt(length) * direction / np.linalg.norm(direction)
        factor[k, k] = np.sqrt(1 - length)
    return np.asarray(factor @ factor.T)
