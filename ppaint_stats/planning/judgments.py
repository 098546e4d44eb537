r"""Fisher information of comparisons and ratings: what judgments are expected to tell before they are made.

With probabilities :math:`q_k = (1 - \pi) p_k + \pi / K` of the K answers, :math:`\pi` the share of lapses, a judgment
informs parameters :math:`\phi` by :math:`\sum_k q_k^{-1} (\partial q_k / \partial \phi) (\partial q_k / \partial
\phi)^\top`.
"""

import numpy as np
from scipy.special import expit, logsumexp

from ppaint_stats.priors import Normal
from ppaint_stats.typing import FloatArray

_LAPSE_NODES = np.linspace(-3.0, 3.0, 25)


def comparison_probabilities(x: FloatArray, log_nu: float) -> FloatArray:
    """Probabilities of A, TIE and B by Davidson's model, shape (comparison, 3)."""
    logits = np.stack([x / 2, np.full_like(x, log_nu), -x / 2], axis=1)
    return np.asarray(np.exp(logits - logsumexp(logits, axis=1, keepdims=True)))


def comparison_information(probabilities: FloatArray, lapse: float) -> FloatArray:
    """Information of each comparison on (x, log nu): utility difference and tie parameter, shape (comparison, 2, 2).

    Parameters
    ----------
    probabilities
        Of A, TIE and B for an attentive rater, shape (comparison, 3).
    lapse
        Share of lapses.

    Returns
    -------
    ndarray of shape (comparison, 2, 2)
        Information of a single comparison.

    Examples
    --------
    >>> p = comparison_probabilities(np.zeros(1), -50.0)  # two equals, no ties: p (1 - p)
    >>> round(float(comparison_information(p, 0.0)[0, 0, 0]), 3)
    0.25
    """
    p = probabilities
    slope = np.stack([np.array([0.5, 0.0, -0.5]) * np.ones_like(p), np.array([0.0, 1.0, 0.0]) * np.ones_like(p)], 1)
    slope = p[:, None, :] * (slope - (slope * p[:, None, :]).sum(axis=2, keepdims=True))
    return _contract(slope, p, lapse)


def rating_probabilities(eta: FloatArray, threshold: FloatArray) -> FloatArray:
    """Probabilities of the levels by a cumulative logit, shape (rating, levels)."""
    below = expit(threshold - eta[:, None])
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def rating_information(eta: FloatArray, threshold: FloatArray, lapse: float) -> FloatArray:
    """Information of each ordinal rating on (eta, thresholds), shape (rating, 1 + thresholds, 1 + thresholds).

    Parameters
    ----------
    eta
        Latent ratings, shape (rating,).
    threshold
        Thresholds, increasing.
    lapse
        Share of lapses.

    Returns
    -------
    ndarray
        Information of a single rating.

    Examples
    --------
    >>> info = rating_information(np.zeros(1), np.zeros(1), 0.0)  # two levels: a Bernoulli draw
    >>> info[0].round(3).tolist()
    [[0.25, -0.25], [-0.25, 0.25]]
    """
    below = expit(threshold - eta[:, None])
    density = below * (1 - below)  # of P(y <= k) by its threshold; by eta with the sign turned
    n, k = density.shape
    slope = np.zeros((n, 1 + k, k + 1))
    slope[:, 0] = np.diff(-density, axis=1, prepend=0.0, append=0.0)
    at = np.arange(k)
    slope[:, 1 + at, at] = density
    slope[:, 1 + at, at + 1] = -density
    return _contract(slope, rating_probabilities(eta, threshold), lapse)


def _contract(slope: FloatArray, p: FloatArray, lapse: float) -> FloatArray:
    q = np.maximum((1 - lapse) * p + lapse / p.shape[1], 1e-12)
    slope = (1 - lapse) * slope
    return np.asarray((slope / q[:, None, :]) @ np.swapaxes(slope, 1, 2))


def expect_lapse(answers: list[tuple[FloatArray, float]], true_lapse: float, prior: Normal) -> float:
    r"""Share of lapses that a fit is expected to find: its posterior mean.

    Nobody knows that a rater never lapses; as long as a few lapses cannot be ruled out, surprising answers count for
    less. The posterior is taken at the expected log-likelihood :math:`\sum_j \sum_k q_k^0 \log q_k(\pi)`.

    Parameters
    ----------
    answers
        Probabilities of the answers of attentive raters, shape (judgment, answer), and how often each is given.
    true_lapse
        Share of lapses assumed.
    prior
        Prior of its logit.

    Returns
    -------
    float
        The share.
    """
    if true_lapse >= 1:
        return true_lapse
    nodes = expit(prior.mean + prior.sd * _LAPSE_NODES)
    log_weight = -(_LAPSE_NODES**2) / 2
    for p, count in answers:
        k = p.shape[1]
        true = (1 - true_lapse) * p + true_lapse / k
        for j, node in enumerate(nodes):
            log_weight[j] += count * float((true * np.log((1 - node) * p + node / k)).sum())
    weight = np.exp(log_weight - logsumexp(log_weight))
    return float(weight @ nodes)
