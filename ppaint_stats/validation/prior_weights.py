"""Other priors without another fit: importance weights of a posterior's draws, and how far they can be trusted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logit

from ppaint_stats.columns import DIMENSION
from ppaint_stats.priors import LogNormal, Normal, Priors
from ppaint_stats.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

GROUPS: Mapping[str, tuple[str, ...]] = {
    "spread of items": ("item_sd",),
    "spread of tastes": ("taste_sd", "taste_spread_sd"),
    "spread of sharpness and discrimination": ("sharpness_sd", "discrimination_sd"),
    "spread of ties and positions": ("tie_sd", "tie_dimension_sd", "position_sd"),
    "spread of severity": ("severity_sd", "severity_dimension_sd"),
    "rating slope": ("log_slope",),
    "span of thresholds": ("threshold_span",),
    "noise of ratings": ("noise", "noise_sd"),
    "lapses": ("lapse",),
}
"""Priors that are moved together."""

QUANTITIES = {"log_slope": "slope", "threshold_span": "threshold", "noise": "noise_mean"}
"""Names of the posterior's quantities where they are not those of the priors."""


@dataclass(frozen=True)
class PriorChange:
    """Other priors: of what, by which words, with which factor on their centres and power on their densities."""

    group: str
    words: str
    fields: tuple[str, ...]
    factor: float = 1.0
    power: float = 1.0


def list_prior_changes(posterior: "xr.Dataset", factor: float) -> Iterator[PriorChange]:
    """List the changes of priors that concern a posterior: each group divided and multiplied, and all priors' power."""
    present = {
        group: tuple(name for name in names if _values(posterior, name) is not None) for group, names in GROUPS.items()
    }
    for group, names in present.items():
        if names:
            yield PriorChange(group, f"prior / {factor:g}", names, factor=1 / factor)
            yield PriorChange(group, f"prior x {factor:g}", names, factor=factor)
    every = tuple(name for names in present.values() for name in names)
    yield PriorChange("all of these", f"density to the power 1/{factor:g}", every, power=1 / factor)
    yield PriorChange("all of these", f"density to the power {factor:g}", every, power=factor)


def change_priors(priors: Priors, change: PriorChange) -> Priors:
    """Priors after a change, for a fit of their own."""
    moved: dict[str, Any] = {}
    for name in change.fields:
        prior = getattr(priors, name)
        root = float(np.sqrt(change.power))
        if isinstance(prior, LogNormal):
            moved[name] = LogNormal(prior.median * change.factor, prior.log_sd / root)
        elif isinstance(prior, Normal):
            moved[name] = Normal(prior.mean + float(np.log(change.factor)), prior.sd / root)
        else:  # the span of the thresholds, whose spread is another field
            moved[name] = prior * change.factor
            moved["threshold_gap_log_sd"] = priors.threshold_gap_log_sd / root
    return replace(priors, **moved)


def weigh_draws(posterior: "xr.Dataset", priors: Priors, change: PriorChange) -> tuple[FloatArray, float]:
    """Weights of the draws under other priors, and Pareto's k.

    Parameters
    ----------
    posterior
        Draws of the model's quantities.
    priors
        Priors that they were drawn under.
    change
        The change.

    Returns
    -------
    tuple
        Smoothed weights, shape (draws,), that sum to 1, and k: weights are reliable where it is below
        :func:`reliable_k` (Vehtari, Simpson, Gelman, Yao and Gabry 2024).
    """
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    total = np.zeros(posterior.sizes["chain"] * posterior.sizes["draw"])
    other = change_priors(priors, change)
    for name in change.fields:
        values = _values(posterior, name)
        if values is not None:
            n_gaps = values.shape[1] // posterior.sizes[DIMENSION]
            old, new = (_law(own, name, posterior, n_gaps) for own in (priors, other))
            total += ((values - old.mean) ** 2 / old.sd**2 - (values - new.mean) ** 2 / new.sd**2).sum(axis=1) / 2
    total -= total.max()
    if np.ptp(total) == 0:
        return np.full(len(total), 1 / len(total)), 0.0
    logs, k = array_stats.psislw(-total)  # type: ignore[no-untyped-call]  # of logarithms with their signs turned, as in leave-one-out
    weights = np.exp(np.asarray(logs))
    return weights / weights.sum(), float(k)


def reliable_k(n_draws: int) -> float:
    """Largest k at which this many draws give reliable weighted means."""
    return min(1 - 1 / float(np.log10(n_draws)), 0.7)


def _values(posterior: "xr.Dataset", name: str) -> FloatArray | None:
    """Draws of what a prior speaks of, where its prior is normal, shape (draw, value); None where it is not sampled."""
    quantity = QUANTITIES.get(name, name)
    if quantity not in posterior or (name == "log_slope" and not _compares(posterior)):
        return None
    array = np.asarray(posterior[quantity].to_numpy(), dtype=float)
    draws = array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])
    if name == "threshold_span":
        draws = np.diff(draws, axis=-1) if draws.ndim == 3 else draws[:, :0]
    if not draws.size:
        return None
    with np.errstate(divide="ignore"):
        found = logit(draws) if name == "lapse" else np.log(draws)
    return np.asarray(found.reshape(len(found), -1))


def _compares(posterior: "xr.Dataset") -> bool:
    return "position_mean" in posterior


def _law(priors: Priors, name: str, posterior: "xr.Dataset", n_gaps: int) -> Normal:
    """Normal law of the transformed quantity."""
    prior = getattr(priors, name)
    if name == "threshold_span":
        return Normal(float(np.log(prior / max(n_gaps, 1))), priors.threshold_gap_log_sd)
    if isinstance(prior, Normal):
        return prior
    mean, sd = float(np.log(prior.median)), prior.log_sd
    if name in {"item_sd", "taste_sd"} and not _compares(posterior):  # with ratings alone, on the scale of ratings
        mean, sd = mean + priors.log_slope.mean, float(np.hypot(sd, priors.log_slope.sd))
    return Normal(mean, sd)
