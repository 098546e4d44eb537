r"""What one rater's judgments tell of the consensus, and what all raters' judgments tell together.

A rater's utilities are the consensus plus a taste, :math:`u = \theta + t`, :math:`t \sim N(0, T)`. Judgments inform u
by I; with the taste integrated out they inform the consensus by :math:`(T + I^{-1})^{-1} = I - I (I + T^{-1})^{-1} I`.
That Schur complement is taken with all that is the rater's own; sharpness, discrimination and severity, which the model
lets sum to zero over raters, stay until the raters are put together.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ppaint_stats.planning.assumptions import Assumptions
from ppaint_stats.planning.contrasts import contrast_basis
from ppaint_stats.planning.judgments import (
    comparison_information,
    comparison_probabilities,
    expect_lapse,
    rating_information,
    rating_probabilities,
)
from ppaint_stats.priors import Priors
from ppaint_stats.typing import FloatArray, IntArray

LEAST_COMPARISONS = 2.5
"""Comparisons per item from which the joint model gives a rater tastes, if no rating is repeated."""


@dataclass(frozen=True)
class Habits:
    """One rater: spread of taste, sharpness e, discrimination a, log nu and severity by dimension, position, noise."""

    taste_spread: float
    sharpness: float
    discrimination: float
    log_nu: FloatArray
    severity: FloatArray
    position: float
    noise: float


@dataclass(frozen=True)
class Tasks:
    """What one rater judges, the same in every dimension.

    Parameters
    ----------
    a, b
        Items of the comparisons, the one shown first in ``a``.
    n_compared
        How often each comparison is made.
    n_rated
        How often each item is rated.
    """

    a: IntArray
    b: IntArray
    n_compared: FloatArray
    n_rated: FloatArray

    @property
    def has_taste(self) -> bool:
        """Whether the joint model would give this rater tastes of their own."""
        often = 2 * self.n_compared.sum() >= LEAST_COMPARISONS * len(self.n_rated)
        return bool(often or (self.n_rated > 1).any())

    @property
    def compares(self) -> bool:
        """Whether there are comparisons."""
        return bool(self.n_compared.sum() > 0)

    @property
    def rates(self) -> bool:
        """Whether there are ratings."""
        return bool(self.n_rated.sum() > 0)

    def join(self, other: "Tasks") -> "Tasks":
        """Both, one after the other."""
        return Tasks(
            np.concatenate([self.a, other.a]),
            np.concatenate([self.b, other.b]),
            np.concatenate([self.n_compared, other.n_compared]),
            self.n_rated + other.n_rated,
        )


@dataclass(frozen=True)
class RaterInformation:
    """One rater's information with the taste integrated out.

    Parameters
    ----------
    information
        On (consensus contrasts dimension by dimension, log e, log a, severities, log slopes, thresholds).
    severity_noise
        Mean over dimensions of the variance with which the rater's severity is found.
    taste_known
        For each dimension, sum over contrasts of the squared share of the taste that judgments determine.
    settle
        Derivatives of the taste's estimate by the same parameters, rows by item in each dimension, and its remaining
        covariance; None unless asked for.
    """

    information: FloatArray
    severity_noise: float
    taste_known: FloatArray
    settle: tuple[FloatArray, FloatArray] | None


def inform(
    utilities: FloatArray,
    habits: Habits,
    tasks: Tasks,
    assumed: Assumptions,
    priors: Priors,
    *,
    settle: bool = False,
) -> RaterInformation:
    """Compute what one rater's judgments tell.

    Parameters
    ----------
    utilities
        The rater's utilities, shape (item, dimension).
    habits
        The rater.
    tasks
        The judgments.
    assumed
        Quantities of the joint model.
    priors
        The fit's priors.
    settle
        Whether to keep the estimate of the rater's taste.

    Returns
    -------
    RaterInformation
        The information.
    """
    n_items, n_dims = utilities.shape
    n_cuts = assumed.threshold.shape[1]
    basis = contrast_basis(n_items)
    n = n_items - 1
    # all parameters: utilities' contrasts (dimension by dimension), then small ones
    e_at = n * n_dims
    a_at, b_at, h_at, k_at = e_at + 1, e_at + 2, e_at + 2 + n_dims, e_at + 2 + 2 * n_dims
    delta_at = k_at + n_dims * n_cuts
    nu_at = delta_at + 1
    full = np.zeros((nu_at + n_dims, nu_at + n_dims))
    lapse = _find_lapse(utilities, habits, tasks, assumed, priors)
    for d in range(n_dims):
        u, own = utilities[:, d], np.arange(n) + d * n
        if tasks.compares:
            difference = habits.sharpness * (u[tasks.a] - u[tasks.b])
            p = comparison_probabilities(difference + habits.position, float(habits.log_nu[d]))
            info = comparison_information(p, lapse) * tasks.n_compared[:, None, None]
            by_x = np.column_stack(
                [habits.sharpness * (basis[tasks.a] - basis[tasks.b]), difference, np.ones(len(difference))]
            )
            at = np.concatenate([own, [e_at, delta_at, nu_at + d]])
            part = np.zeros((n + 3, n + 3))
            part[:-1, :-1] = by_x.T @ (info[:, 0, 0, None] * by_x)
            part[-1, :-1] = part[:-1, -1] = info[:, 0, 1] @ by_x
            part[-1, -1] = info[:, 1, 1].sum()
            full[np.ix_(at, at)] += part
        if tasks.rates:
            info = _inform_by_rating(u, d, habits, assumed, lapse) * tasks.n_rated[:, None, None]
            steep = assumed.slope[d] * habits.discrimination
            by_eta = np.column_stack([steep * basis, steep * u, -np.ones(n_items), steep * u])
            at = np.concatenate([own, [a_at, b_at + d, h_at + d], k_at + d * n_cuts + np.arange(n_cuts)])
            m = n + 3
            part = np.zeros((m + n_cuts, m + n_cuts))
            part[:m, :m] = by_eta.T @ (info[:, 0, 0, None] * by_eta)
            part[m:, :m] = info[:, 0, 1:].T @ by_eta
            part[:m, m:] = part[m:, :m].T
            part[m:, m:] = info[:, 1:, 1:].sum(axis=0)
            full[np.ix_(at, at)] += part
    return _leave_tastes(full, delta_at, n, habits, tasks, assumed, basis, b_at=b_at, settle=settle)


def _leave_tastes(
    full: FloatArray, n_common: int, n: int, habits: Habits, tasks: Tasks, assumed: Assumptions, basis: FloatArray,
    *, b_at: int, settle: bool,
) -> RaterInformation:  # fmt: skip
    """Integrate out the taste, the position effect and the tie habits."""
    n_dims = assumed.n_dimensions
    size = n * n_dims
    common = full[:n_common, :n_common]
    rest = np.arange(n_common, len(full))
    prior = np.diag(
        np.concatenate(
            [
                [1 / max(assumed.position_sd, 1e-3) ** 2],
                np.full(n_dims, 1 / max(np.hypot(assumed.tie_sd, assumed.tie_dimension_sd), 1e-3) ** 2),
            ]
        )
    )
    known = np.zeros(n_dims)
    if tasks.has_taste:
        taste = habits.taste_spread**2 * assumed.taste_cov
        local = np.concatenate([np.arange(size), rest])
        precision = full[np.ix_(local, local)].copy()
        precision[:size, :size] += np.kron(_invert(taste), np.eye(n))
    else:
        local, precision = rest, full[np.ix_(rest, rest)].copy()
    precision[-len(prior) :, -len(prior) :] += prior
    cross = full[np.ix_(local, np.arange(n_common))]
    factor = cho_factor(precision, lower=True)
    solved = cho_solve(factor, cross)
    information = common - cross.T @ solved
    kept = None
    if tasks.has_taste:
        for d in range(n_dims):
            own = slice(d * n, (d + 1) * n)
            share = solved[own, own]  # of the taste, what judgments determine: (I + P)^-1 I
            known[d] = float((share * share.T).sum())
        if settle:
            spread = np.kron(np.eye(n_dims), basis)
            inner = cho_solve(factor, np.eye(len(precision))[:, :size])[:size]
            kept = (-spread @ solved[:size], spread @ inner @ spread.T)
    elif settle:
        zero = np.zeros((len(basis) * n_dims, n_common))
        kept = (zero, np.zeros((len(zero), len(zero))))
    own_noise = np.diag(information)[b_at : b_at + n_dims]
    noise = float(np.mean(1 / np.maximum(own_noise, 1e-6))) if tasks.rates else np.inf
    return RaterInformation(information, noise, known, kept)


def _invert(cov: FloatArray) -> FloatArray:
    ridge = 1e-6 * np.trace(cov) / len(cov) + 1e-12
    return np.asarray(np.linalg.inv(cov + ridge * np.eye(len(cov))))


def _inform_by_rating(u: FloatArray, d: int, habits: Habits, assumed: Assumptions, lapse: float) -> FloatArray:
    if assumed.noise_mean is not None:
        one = np.array([[1.0, -1.0], [-1.0, 1.0]]) * (1 - lapse) / habits.noise**2
        return np.asarray(np.broadcast_to(one, (len(u), 2, 2)))
    eta = assumed.slope[d] * habits.discrimination * u - habits.severity[d]
    return rating_information(eta, assumed.threshold[d], lapse)


def _find_lapse(utilities: FloatArray, habits: Habits, tasks: Tasks, assumed: Assumptions, priors: Priors) -> float:
    answers: list[tuple[FloatArray, float]] = []
    for d in range(utilities.shape[1]):
        u = utilities[:, d]
        if tasks.compares:
            x = habits.sharpness * (u[tasks.a] - u[tasks.b]) + habits.position
            answers.append((comparison_probabilities(x, float(habits.log_nu[d])), float(tasks.n_compared.mean())))
        if tasks.rates and assumed.noise_mean is None:
            eta = assumed.slope[d] * habits.discrimination * u - habits.severity[d]
            answers.append((rating_probabilities(eta, assumed.threshold[d]), float(tasks.n_rated.mean())))
    return expect_lapse(answers, assumed.lapse, priors.lapse) if answers else assumed.lapse
