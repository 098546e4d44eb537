r"""How well a panel's raters show how much severity varies: few raters make intervals wide, and their tails long.

The mean severity of R raters lies :math:`N(0, (\sigma_b^2 + \sigma_{bd}^2) / R)` from that of all such raters. No
judgment tells where, and few raters hardly tell the spreads: their posterior is computed on a grid from the sums of
squares that the panel is expected to show.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import logsumexp

from ppaint_stats.planning.assumptions import Assumptions
from ppaint_stats.priors import LogNormal, Priors
from ppaint_stats.typing import FloatArray

_GRID = np.linspace(-3.0, 3.0, 31)
_QUANTILES = (np.arange(5) + 0.5) / 5
_NODES = 15


@dataclass(frozen=True)
class SeverityPosterior:
    """Posteriors of the total spread of severity in panels alike: weights and spreads, shape (panel, node)."""

    weight: FloatArray
    spread: FloatArray


def expect_severities(assumed: Assumptions, priors: Priors, *, n_raters: int, noise: float) -> SeverityPosterior:
    """Compute what panels of raters are expected to tell of the spread of severity.

    Parameters
    ----------
    assumed
        True spreads.
    priors
        Priors of the spreads.
    n_raters
        Raters who rate.
    noise
        Variance with which a rater's severity in a dimension is found.

    Returns
    -------
    SeverityPosterior
        Five panels, from one with much like raters to one with very different ones, equally likely.
    """
    n_dims = assumed.n_dimensions
    noise = noise if np.isfinite(noise) else 0.0
    outer, inner = assumed.severity_sd**2, assumed.severity_dimension_sd**2
    dof, dof_within = n_raters - 1, (n_raters - 1) * (n_dims - 1)
    own = _grid(priors.severity_sd)
    within = _grid(priors.severity_dimension_sd) if n_dims > 1 else (np.zeros(1), np.zeros(1))
    log_prior = own[1][:, None] + within[1][None, :]
    var_own, var_within = np.meshgrid(own[0] ** 2, within[0] ** 2, indexing="ij")
    panels = []
    for quantile in _QUANTILES:
        log_weight = log_prior.copy()
        if dof:
            total = (outer + (inner + noise) / n_dims) * float(stats.chi2.ppf(quantile, dof))
            model = var_own + (var_within + noise) / n_dims
            log_weight -= dof / 2 * np.log(model) + total / (2 * model)
        if dof_within:
            total = (inner + noise) * float(stats.chi2.median(dof_within))
            model = var_within + noise
            log_weight -= dof_within / 2 * np.log(model) + total / (2 * model)
        panels.append(_condense(np.exp(log_weight - logsumexp(log_weight)), np.sqrt(var_own + var_within)))
    return SeverityPosterior(np.array([p[0] for p in panels]), np.array([p[1] for p in panels]))


def _grid(prior: LogNormal) -> tuple[FloatArray, FloatArray]:
    """Spreads and their log prior weights."""
    return prior.median * np.exp(prior.log_sd * _GRID), -(_GRID**2) / 2


def _condense(weight: FloatArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Put a distribution on a grid into a few classes of equal probability, each at its root mean square."""
    order = np.argsort(spread, axis=None)
    w, s = weight.ravel()[order], spread.ravel()[order]
    place = np.minimum((np.cumsum(w) - w / 2) * _NODES, _NODES - 1).astype(int)
    mass = np.bincount(place, w, _NODES)
    square = np.bincount(place, w * s**2, _NODES)
    kept = mass > 0
    nodes = np.where(kept, np.sqrt(square / np.where(kept, mass, 1.0)), s[0])
    return mass, nodes
