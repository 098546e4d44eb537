r"""Priors of the joint model, with what they imply.

Utilities stand on the scale of the preferences: a difference of d between two items means odds of exp(d) for the better
one among decided comparisons. Ratings answer the same utilities through a slope of their own. Every spread has a
log-normal prior: no two raters are quite alike, so a spread of exactly zero is ruled out, and with it the funnel in
which samplers get stuck.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

from ppaint_stats.errors import ArgumentError


class LogNormal(NamedTuple):
    """A log-normal prior: its median, and the standard deviation of the logarithm.

    Examples
    --------
    >>> LogNormal(median=0.3, log_sd=0.7).median
    0.3
    """

    median: float
    log_sd: float


class Normal(NamedTuple):
    """A normal prior.

    Examples
    --------
    >>> Normal(-4.5, 0.5).mean
    -4.5
    """

    mean: float
    sd: float


@dataclass(frozen=True)
class Priors:
    r"""Priors of the joint model. Spreads are over items, raters, or dimensions within a rater.

    Parameters
    ----------
    item_sd
        Spread of the items' consensus utilities in a dimension. The median of 2 means that of two random items the
        better one wins at odds of 7 : 1 in the median of decided comparisons.
    taste_sd
        Spread of a rater's own deviations from the consensus, item by item.
    correlation
        Concentration eta of the LKJ priors of the correlations between dimensions, of items and of tastes; 1 is flat.
    taste_spread_sd
        Spread over raters of the logarithm of their taste's spread.
    sharpness_sd
        Spread over raters of log e, how sharply they compare. Gumbel's law of minima: a rater may be far blunter than
        the others, not far sharper. Comparisons without any noise say only that a rater is sharp, so that with a long
        right tail e would run off without end.
    tie_mean
        Average of log nu: at -0.3 a pair of equals is a tie in 27 % of comparisons.
    tie_sd, tie_dimension_sd
        Spread of log nu over raters, and over dimensions within a rater.
    position_mean, position_sd
        Advantage of the first position: its average, and its spread over raters.
    lapse
        Logit of a rater's probability of a lapse, in either protocol: an answer that has nothing to do with the items,
        all answers being equally likely. 1.1 % in the median, above 12 % for one rater in twenty.
    log_slope
        Logarithm of the rating slope h: rating logits per unit of utility.
    discrimination_sd
        Spread over raters of log a, how sharply they rate; t tails with 4 degrees of freedom, so that one rater unlike
        the others does not pull them along.
    severity_sd, severity_dimension_sd
        Spread of severity over raters, and over dimensions within a rater, in rating logits.
    category_level
        A category's level against the average of all, per dimension, in rating logits.
    threshold_centre
        Centre of a dimension's thresholds, in rating logits; the middle of a continuous scale's logits.
    threshold_span
        Scale of the distance of the outer thresholds, in rating logits: the median of each gap is this divided by
        their number. With 1 to 5 the outer ones are 4 to 22 apart (90 %), 9.7 in the median.
    threshold_gap_log_sd
        Standard deviation of the logarithm of each gap between neighbouring thresholds.
    noise
        Continuous scales: a typical rater's noise, in logits of the scale.
    noise_sd
        Continuous scales: spread over raters of its logarithm.

    Raises
    ------
    ArgumentError
        If a spread or a scale is not positive.

    Examples
    --------
    >>> Priors(item_sd=LogNormal(1.0, 0.5)).item_sd.median
    1.0
    """

    item_sd: LogNormal = LogNormal(2.0, 0.8)
    taste_sd: LogNormal = LogNormal(1.0, 0.7)
    correlation: float = 1.5
    taste_spread_sd: LogNormal = LogNormal(0.2, 0.7)
    sharpness_sd: LogNormal = LogNormal(0.25, 0.7)
    tie_mean: Normal = Normal(-0.3, 1.0)
    tie_sd: LogNormal = LogNormal(0.4, 0.7)
    tie_dimension_sd: LogNormal = LogNormal(0.2, 0.7)
    position_mean: Normal = Normal(0.0, 0.3)
    position_sd: LogNormal = LogNormal(0.1, 0.7)
    lapse: Normal = Normal(-4.5, 1.5)
    log_slope: Normal = Normal(-0.2, 0.8)
    discrimination_sd: LogNormal = LogNormal(0.25, 0.7)
    severity_sd: LogNormal = LogNormal(0.7, 0.7)
    severity_dimension_sd: LogNormal = LogNormal(0.35, 0.7)
    category_level: Normal = Normal(0.0, 1.0)
    threshold_centre: Normal = Normal(0.0, 3.0)
    threshold_span: float = 8.0
    threshold_gap_log_sd: float = 0.8
    noise: LogNormal = LogNormal(0.8, 0.7)
    noise_sd: LogNormal = LogNormal(0.25, 0.7)

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.type is LogNormal and not (isinstance(value, LogNormal) and min(value) > 0):
                raise ArgumentError(f"priors: {item.name}={value} must be a LogNormal of positive median and log_sd")
            if item.type is Normal and not (isinstance(value, Normal) and value.sd > 0):
                raise ArgumentError(f"priors: {item.name}={value} must be a Normal of a mean and a positive sd")
            if item.type is float and not value > 0:
                raise ArgumentError(f"priors: {item.name}={value} must be positive")
