"""The training objective as pure tensor functions: expected scores, preference probabilities, fidelity, losses.

Shapes: B images, D dimensions, L levels. Pairs are tensors of shape (B, B, D), of which only i < j counts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "Loss",
    "confidence",
    "expected_score",
    "fidelity",
    "hard_preferences",
    "kl_to_base",
    "normal_preferences",
    "preference_probability",
    "ranking_loss",
    "score_loss",
    "target_preferences",
    "total_loss",
]

LAPSE = 1e-4
"""Part of a coin toss that is mixed into predicted probabilities, so that square roots have finite slopes."""

AT_ONCE = 1 << 24
"""Largest number of differences between draws that are held in memory."""


@dataclass(frozen=True)
class Loss:
    """A loss and its parts, before their weights.

    Parameters
    ----------
    total
        Weighted sum of the parts.
    ranking
        Mean of 1 - fidelity over pairs.
    score
        Mean Huber loss of the scores, in units of the scale's span.
    kl
        Mean divergence from the base model, in nats.
    """

    total: Tensor
    ranking: Tensor
    score: Tensor
    kl: Tensor


def expected_score(logits: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance of the score under the softmax over levels.

    Parameters
    ----------
    logits
        Logits of the level tokens, shape (..., L).
    values
        Score of each level, shape (L,).

    Returns
    -------
    tuple of Tensor
        Mean and variance, shape (...).

    Examples
    --------
    >>> mean, variance = expected_score(torch.zeros(1, 5), torch.arange(1.0, 6.0))
    >>> round(float(mean), 6), round(float(variance), 6)
    (3.0, 2.0)
    """
    probabilities = logits.softmax(-1)
    mean = (probabilities * values).sum(-1)
    variance = (probabilities * (values - mean.unsqueeze(-1)) ** 2).sum(-1)
    return mean, variance


def preference_probability(
    mean_i: Tensor, variance_i: Tensor, mean_j: Tensor, variance_j: Tensor, *, eps: float = 1e-4
) -> Tensor:
    """Return the probability that i scores higher than j, both normal and independent.

    Parameters
    ----------
    mean_i, variance_i
        Of the one.
    mean_j, variance_j
        Of the other; all four are broadcast.
    eps
        Added to the sum of the variances, in squared units of the score.

    Returns
    -------
    Tensor
        Phi((mean_i - mean_j) / sqrt(variance_i + variance_j + eps)).
    """
    probability: Tensor = torch.special.ndtr((mean_i - mean_j) / torch.sqrt(variance_i + variance_j + eps))
    return probability


def target_preferences(draws: Tensor) -> Tensor:
    """Return P(score i > score j) from joint draws; equal draws count half.

    Parameters
    ----------
    draws
        Joint draws of scores, shape (S, B, ...).

    Returns
    -------
    Tensor
        Probabilities, shape (B, B, ...); [i, j] and [j, i] sum to 1.
    """
    n_draws, n_images = draws.shape[:2]
    size = max(1, AT_ONCE // (n_images * draws[0].numel()))
    wins = torch.zeros(n_images, *draws.shape[1:], dtype=draws.dtype, device=draws.device)
    for start in range(0, n_draws, size):
        part = draws[start : start + size]
        wins += ((part.unsqueeze(2) - part.unsqueeze(1)).sign() + 1).sum(0) / 2
    return wins / n_draws


def normal_preferences(scores: Tensor, sds: Tensor) -> Tensor:
    """Return P(score i > score j) for independent normal scores, as `hard_preferences` where both sds are zero.

    Parameters
    ----------
    scores, sds
        Means and standard deviations, shape (B, ...).

    Returns
    -------
    Tensor
        Probabilities, shape (B, B, ...).
    """
    difference = scores.unsqueeze(1) - scores.unsqueeze(0)
    spread = torch.sqrt(sds.unsqueeze(1) ** 2 + sds.unsqueeze(0) ** 2)
    known = spread > 0
    soft = torch.special.ndtr(difference / torch.where(known, spread, 1.0))
    return torch.where(known, soft, (difference.sign() + 1) / 2)


def hard_preferences(scores: Tensor) -> Tensor:
    """Return 1 where i scores higher than j, 0 where lower, one half where equal.

    Parameters
    ----------
    scores
        Scores, shape (B, ...).

    Returns
    -------
    Tensor
        Shape (B, B, ...).
    """
    return ((scores.unsqueeze(1) - scores.unsqueeze(0)).sign() + 1) / 2


def confidence(preferences: Tensor) -> Tensor:
    """Return how decided each preference is, abs(2 p - 1): 0 for a coin toss, 1 for certainty.

    Parameters
    ----------
    preferences
        Probabilities.

    Returns
    -------
    Tensor
        Of the same shape.
    """
    return (2 * preferences - 1).abs()


def fidelity(predicted: Tensor, target: Tensor) -> Tensor:
    """Return sqrt(p p*) + sqrt((1 - p)(1 - p*)): 1 where the two agree, less elsewhere.

    A coin toss of weight `LAPSE` is mixed into the prediction. Cutting it off instead would take the gradient away from
    just those pairs that are confidently wrong.

    Parameters
    ----------
    predicted, target
        Probabilities p and p*; gradients flow through the first.

    Returns
    -------
    Tensor
        Of the same shape.

    References
    ----------
    Tsai et al. 2007, FRank: a ranking method with fidelity loss, SIGIR.
    """
    mixed = LAPSE / 2 + (1 - LAPSE) * predicted
    # Square roots are taken one by one: that of a product has no gradient where the target is 0.
    return mixed.sqrt() * target.sqrt() + (1 - mixed).sqrt() * (1 - target).sqrt()


def ranking_loss(
    mean: Tensor,
    variance: Tensor,
    preferences: Tensor,
    weights: Tensor,
    *,
    eps: float = 1e-4,
    total: Tensor | float | None = None,
) -> Tensor:
    """Return the weighted mean of 1 - fidelity over pairs i < j.

    Parameters
    ----------
    mean, variance
        Of the predicted scores, shape (B, D).
    preferences
        Target probabilities, shape (B, B, D).
    weights
        Weight of each pair, shape (B, B, D); 0 for images of different categories and for missing targets.
    eps
        As in `preference_probability`.
    total
        What the sum is divided by; None is the sum of these weights. A part of a batch gives that of the whole batch.

    Returns
    -------
    Tensor
        A scalar; 0 with zero gradients where no pair has a weight.
    """
    first, second = torch.triu_indices(mean.shape[0], mean.shape[0], offset=1, device=mean.device)
    predicted = preference_probability(mean[first], variance[first], mean[second], variance[second], eps=eps)
    weight = weights[first, second]
    loss = (weight * (1 - fidelity(predicted, preferences[first, second]))).sum()
    return _divide(loss, weight.sum() if total is None else total)


def score_loss(
    mean: Tensor,
    scores: Tensor,
    present: Tensor,
    *,
    span: float,
    delta: float,
    total: Tensor | float | None = None,
) -> Tensor:
    """Return the mean Huber loss of the scores, in units of the scale's span, divided by delta.

    It is (error / span)^2 / (2 delta) for small errors and has slope 1 for large ones.

    Parameters
    ----------
    mean
        Predicted scores, shape (B, D).
    scores
        Targets, shape (B, D); what stands where there is none does not matter.
    present
        Where there is a target, shape (B, D).
    span
        Highest minus lowest score.
    delta
        Where the loss turns from quadratic to linear, as a part of the span.
    total
        What the sum is divided by; None is the number of targets.

    Returns
    -------
    Tensor
        A scalar.
    """
    error = torch.where(present, (mean - torch.where(present, scores, 0.0)) / span, 0.0)
    loss = torch.nn.functional.smooth_l1_loss(error, torch.zeros_like(error), reduction="sum", beta=delta)
    return _divide(loss, present.sum() if total is None else total)


def kl_to_base(logits: Tensor, base_logits: Tensor, *, total: Tensor | float | None = None) -> Tensor:
    """Return the mean divergence KL(model || base) over the level tokens.

    Parameters
    ----------
    logits, base_logits
        Of the model and of the base model, shape (B, D, L).
    total
        What the sum is divided by; None is the number of slots, B x D.

    Returns
    -------
    Tensor
        A scalar in nats, not negative.
    """
    log_p, log_q = logits.log_softmax(-1), base_logits.log_softmax(-1)
    divergence = (log_p.exp() * (log_p - log_q)).sum()
    return _divide(divergence, logits[..., 0].numel() if total is None else total)


def total_loss(
    logits: Tensor,
    values: Tensor,
    *,
    scores: Tensor,
    present: Tensor,
    preferences: Tensor,
    weights: Tensor,
    base_logits: Tensor | None = None,
    ranking_weight: float = 1.0,
    score_weight: float = 1.0,
    kl_weight: float = 0.0,
    huber_delta: float = 0.1,
    eps: float = 1e-4,
    totals: tuple[float, float, float] | None = None,
) -> Loss:
    """Return ranking loss, Huber loss of the scores and divergence from the base model, and their weighted sum.

    Parameters
    ----------
    logits
        Of the level tokens, shape (B, D, L).
    values
        Score of each level, lowest first, shape (L,).
    scores, present
        Targets and where there are any, shape (B, D).
    preferences, weights
        Target preferences and weights of pairs, shape (B, B, D).
    base_logits
        Of the base model; None leaves the divergence out.
    ranking_weight, score_weight, kl_weight
        Of the parts.
    huber_delta
        As `delta` of `score_loss`.
    eps
        As in `preference_probability`, as a part of the squared span.
    totals
        What the sums of the parts are divided by, of a whole batch where this is a part of it: the weight of its pairs,
        the number of its targets, and that of its slots.

    Returns
    -------
    Loss
        Total and parts.
    """
    pairs, targets, slots = totals if totals is not None else (None, None, None)
    span = float(values[-1] - values[0])
    mean, variance = expected_score(logits, values)
    ranking = ranking_loss(mean, variance, preferences, weights, eps=eps * span**2, total=pairs)
    score = score_loss(mean, scores, present, span=span, delta=huber_delta, total=targets)
    kl = torch.zeros_like(score) if base_logits is None else kl_to_base(logits, base_logits, total=slots)
    return Loss(ranking_weight * ranking + score_weight * score + kl_weight * kl, ranking, score, kl)


def _divide(loss: Tensor, total: Tensor | float) -> Tensor:
    """Divide by a sum of weights, or return zero where it is zero."""
    total = torch.as_tensor(total, dtype=loss.dtype, device=loss.device)
    return loss / torch.where(total > 0, total, torch.ones_like(total))
