"""Tests of the reward of written answers: a slow rewrite, and what answers that cannot be read change."""

import math
import statistics

import pytest
import torch

from ppaint_distill.objectives import LAPSE, target_preferences
from ppaint_distill.rewards import describe_groups, rollout_rewards

B, K, D, SPAN = 5, 4, 3, 4.0


@pytest.fixture
def case() -> dict[str, torch.Tensor]:
    """Levels as scores, answers that cannot be read, an image without any, one pair without a weight."""
    generator = torch.Generator().manual_seed(1)
    scores = torch.randint(1, 6, (B, K, D), generator=generator).double()
    scores[0, 2] = math.nan
    scores[1, :3] = math.nan  # one answer is left: no variance
    scores[3] = math.nan
    draws = torch.randn(50, B, D, generator=generator).double()
    preferences = target_preferences(draws)
    weights = (2 * preferences - 1).abs()
    weights[0, 2] = weights[2, 0] = 0.0
    return {"scores": scores, "preferences": preferences, "weights": weights}


def slow_rewards(case: dict[str, torch.Tensor], *, eps: float, format_weight: float) -> tuple[list, list]:
    """Rewards and image weights in plain Python."""
    scores, targets, weights = (case[name].tolist() for name in ("scores", "preferences", "weights"))
    mean, variance = {}, {}
    for j in range(B):
        for d in range(D):
            read = [scores[j][k][d] for k in range(K) if not math.isnan(scores[j][k][d])]
            if read:
                mean[j, d], variance[j, d] = statistics.fmean(read), statistics.pvariance(read)
    total = [sum(weights[i][j][d] for j in range(B) for d in range(D) if (j, d) in mean) for i in range(B)]
    usual = statistics.fmean(t for t in total if t > 0)
    rewards = []
    for i in range(B):
        row = []
        for k in range(K):
            if math.isnan(scores[i][k][0]):
                row.append(0.0)
                continue
            ranked = 0.0
            for (j, d), other in mean.items():
                z = (scores[i][k][d] - other) / math.sqrt(variance[i, d] + variance[j, d] + eps * SPAN**2)
                p = LAPSE / 2 + (1 - LAPSE) * 0.5 * (1 + math.erf(z / math.sqrt(2)))
                wanted = targets[i][j][d]
                ranked += weights[i][j][d] * (math.sqrt(p * wanted) + math.sqrt((1 - p) * (1 - wanted)))
            row.append(ranked / usual + format_weight)  # (total / usual) x (ranked / total)
        rewards.append(row)
    return rewards, [t / usual for t in total]


def test_rewards_match_a_slow_loop(case):
    fast = rollout_rewards(**case, span=SPAN, eps=1e-3, format_weight=0.7)
    slow, weight = slow_rewards(case, eps=1e-3, format_weight=0.7)
    assert torch.allclose(fast.total, torch.tensor(slow, dtype=torch.float64), atol=1e-12)
    assert fast.weight.tolist() == pytest.approx(weight, abs=1e-12)
    ranked = (fast.total - 0.7) / fast.weight[:, None]
    read = ~case["scores"].isnan().any(-1)
    assert torch.allclose(fast.fidelity[read], ranked[read], atol=1e-12)
    assert bool(fast.fidelity[~read].isnan().all())
    assert bool(((fast.fidelity[read] > 0) & (fast.fidelity[read] <= 1)).all())


def test_answers_that_cannot_be_read_get_the_lowest_reward_and_change_no_other(case):
    scores = case["scores"]
    fast = rollout_rewards(**case, span=SPAN)
    lost = scores.isnan().any(-1)
    assert bool((fast.total[lost] == 0).all())
    assert bool((fast.total[~lost] > 0).all())
    # Without image 3, of which nothing was read, everything is as it was.
    kept = [0, 1, 2, 4]
    pairs = {name: case[name][kept][:, kept] for name in ("preferences", "weights")}
    fewer = rollout_rewards(scores[kept], **pairs, span=SPAN)
    assert torch.allclose(fewer.fidelity, fast.fidelity[kept], atol=1e-12, equal_nan=True)
    # Means and variances are those of the answers that were read.
    mean, variance = describe_groups(scores)
    read = scores[0, [0, 1, 3]]
    assert torch.allclose(mean[0], read.mean(0))
    assert torch.allclose(variance[0], read.var(0, correction=0))
    assert variance[1].tolist() == [0.0] * D
    assert bool(mean[3].isnan().all())


def test_an_image_without_a_decided_pair_is_dropped_and_weights_average_to_one(case):
    weights = case["weights"].clone()
    weights[2] = weights[:, 2] = 0.0
    rewards = rollout_rewards(case["scores"], case["preferences"], weights, span=SPAN)
    assert float(rewards.weight[2]) == 0
    assert bool(rewards.total[2].isnan().all())
    assert float(rewards.weight[rewards.weight > 0].mean()) == pytest.approx(1)
    nothing = rollout_rewards(case["scores"], case["preferences"], 0 * weights, span=SPAN)
    assert bool(nothing.total.isnan().all())


def test_the_better_ranking_answer_is_rewarded_more():
    preferences = torch.tensor([[0.5, 1.0], [0.0, 0.5]]).unsqueeze(-1)
    scores = torch.tensor([[[5.0], [2.0]], [[3.0], [3.0]]])
    rewards = rollout_rewards(scores, preferences, (2 * preferences - 1).abs(), span=SPAN)
    assert float(rewards.total[0, 0]) > float(rewards.total[0, 1])


def test_rewards_do_not_depend_on_the_scale(case):
    on_five = rollout_rewards(**case, span=SPAN)
    on_hundred = rollout_rewards(**{**case, "scores": 25 * (case["scores"] - 1)}, span=25 * SPAN)
    assert torch.allclose(on_five.total, on_hundred.total, atol=1e-12)
