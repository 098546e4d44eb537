"""The reward of written answers as pure tensor functions: how well an answer's scores rank its image among the others.

Shapes: B images, K answers to each, D dimensions.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ppaint_distill.objectives import fidelity, preference_probability

__all__ = ["Rewards", "describe_groups", "rollout_rewards"]


@dataclass(frozen=True)
class Rewards:
    """Rewards of the answers of a batch.

    Parameters
    ----------
    total
        What each answer is rewarded with, shape (B, K); nan for all answers to an image of weight 0.
    fidelity
        Weighted mean of the fidelity over the other images, shape (B, K), from 0 to 1; nan where an answer could not be
        read, and for images of weight 0.
    weight
        Weight of each image relative to the mean of those that have any, shape (B,).
    """

    total: Tensor
    fidelity: Tensor
    weight: Tensor


def describe_groups(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance of the scores in the answers to each image.

    Parameters
    ----------
    scores
        Scores, shape (B, K, D); nan where an answer could not be read: it has no part in either.

    Returns
    -------
    tuple of Tensor
        Mean and variance, shape (B, D). The variance is that of these answers themselves (divided by their number), so
        that one answer has none. Both are nan where no answer could be read.
    """
    mean = scores.nanmean(1)
    return mean, ((scores - mean.unsqueeze(1)) ** 2).nanmean(1)


def rollout_rewards(
    scores: Tensor,
    preferences: Tensor,
    weights: Tensor,
    *,
    span: float = 1.0,
    eps: float = 1e-4,
    format_weight: float = 1.0,
) -> Rewards:
    """Return the confidence-weighted fidelity of each answer, weighted by its image, plus the reward of its form.

    Answer k to image i, with the score s_k, has p = Phi((s_k - mean_j) / sqrt(var_i + var_j + eps)) against image j,
    and the fidelity sum_j w_ij F(p, p*_ij) / sum_j w_ij. What is constant among the answers to one image cancels in
    their comparison, the sum of w too; so it multiplies the fidelity, as the weight of the image. It is divided by its
    mean over the images that have any, so that the reward of the form weighs the same in every batch.

    Parameters
    ----------
    scores
        Scores that the answers give, shape (B, K, D); nan in all dimensions where an answer could not be read.
    preferences, weights
        Target probabilities p* and weights w of pairs, shape (B, B, D), as of `MicroBatch`; 0 on the diagonal.
    span
        Highest minus lowest score.
    eps
        As in `preference_probability`, as a part of the squared span.
    format_weight
        Reward of an answer that can be read.

    Returns
    -------
    Rewards
        An answer that cannot be read gets 0, which no other answer can fall below. It has no part in means and
        variances, and an image without any readable answer is nothing that others are compared with. An image with
        nothing to be compared with has weight 0 and no rewards at all.

    Examples
    --------
    >>> scores = torch.tensor([[[1.0], [5.0]], [[3.0], [3.0]]])
    >>> preferences = torch.tensor([[0.5, 0.0], [1.0, 0.5]]).unsqueeze(-1)
    >>> rewards = rollout_rewards(scores, preferences, (2 * preferences - 1).abs(), span=4.0)
    >>> [round(value, 2) for value in rewards.fidelity[0].tolist()]
    [0.92, 0.4]
    """
    mean, variance = describe_groups(scores)
    there = ~mean.isnan()
    readable = ~scores.isnan().any(-1)
    weight = weights * there.unsqueeze(0)  # of i with j, where j has answers
    # Numbers stand in for those that are missing; what is made of them has no weight, or is not used.
    spread = variance.nan_to_num(0.0)
    predicted = preference_probability(
        scores.nan_to_num(0.0).unsqueeze(2),  # (B, K, 1, D)
        spread[:, None, None],  # (B, 1, 1, D)
        mean.nan_to_num(0.0)[None, None],  # (1, 1, B, D)
        spread[None, None],
        eps=eps * span**2,
    )
    agreement = fidelity(predicted, preferences.unsqueeze(1))  # (B, K, B, D)
    total = weight.sum((1, 2))  # (B,)
    kept = total > 0
    ranked = (weight.unsqueeze(1) * agreement).sum((2, 3)) / torch.where(kept, total, 1.0).unsqueeze(1)
    relative = total / total[kept].mean() if bool(kept.any()) else total
    reward = torch.where(readable, relative.unsqueeze(1) * ranked + format_weight, 0.0)
    return Rewards(
        total=torch.where(kept.unsqueeze(1), reward, math.nan),
        fidelity=torch.where(kept.unsqueeze(1) & readable, ranked, math.nan),
        weight=relative,
    )
