"""Tests of the training objective: against slow loops in float64, gradients by finite differences, laws."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ppaint_distill import objectives
from ppaint_distill.objectives import (
    LAPSE,
    confidence,
    expected_score,
    fidelity,
    hard_preferences,
    kl_to_base,
    normal_preferences,
    preference_probability,
    ranking_loss,
    score_loss,
    target_preferences,
    total_loss,
)

B, D, L, S = 5, 2, 4, 7


@pytest.fixture
def case() -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    draws = torch.randn(S, B, D, generator=rng, dtype=torch.float64).round(decimals=1)
    preferences = target_preferences(draws)
    return {
        "logits": torch.randn(B, D, L, generator=rng, dtype=torch.float64),
        "base": torch.randn(B, D, L, generator=rng, dtype=torch.float64),
        "values": torch.linspace(2.0, 8.0, L, dtype=torch.float64),
        "draws": draws,
        "scores": 2 + 6 * torch.rand(B, D, generator=rng, dtype=torch.float64),
        "sds": torch.rand(B, D, generator=rng, dtype=torch.float64),
        "present": torch.tensor([[True, True], [True, False], [True, True], [False, True], [True, True]]),
        "preferences": preferences,
        "weights": confidence(preferences),
    }


def phi(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def slow_moments(logits: torch.Tensor, values: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    mean, variance = np.zeros((B, D)), np.zeros((B, D))
    for i in range(B):
        for d in range(D):
            powers = [math.exp(float(logit)) for logit in logits[i, d]]
            p = [power / sum(powers) for power in powers]
            mean[i, d] = sum(q * float(v) for q, v in zip(p, values, strict=True))
            variance[i, d] = sum(q * (float(v) - mean[i, d]) ** 2 for q, v in zip(p, values, strict=True))
    return mean, variance


def slow_total(case: dict[str, torch.Tensor], *, eps: float, delta: float) -> tuple[float, float, float]:
    """Ranking loss, Huber loss and divergence in plain Python."""
    mean, variance = slow_moments(case["logits"], case["values"])
    span = float(case["values"][-1] - case["values"][0])
    loss = weight = huber = kl = 0.0
    for d in range(D):
        for i in range(B):
            for j in range(i + 1, B):
                z = (mean[i, d] - mean[j, d]) / math.sqrt(variance[i, d] + variance[j, d] + eps * span**2)
                p = LAPSE / 2 + (1 - LAPSE) * phi(z)
                target, w = float(case["preferences"][i, j, d]), float(case["weights"][i, j, d])
                loss += w * (1 - math.sqrt(p * target) - math.sqrt((1 - p) * (1 - target)))
                weight += w
            if case["present"][i, d]:
                error = abs(mean[i, d] - float(case["scores"][i, d])) / span
                huber += error**2 / (2 * delta) if error < delta else error - delta / 2
            p = torch.softmax(case["logits"][i, d], -1).tolist()
            q = torch.softmax(case["base"][i, d], -1).tolist()
            kl += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return loss / weight, huber / int(case["present"].sum()), kl / (B * D)


def call_total(case: dict[str, torch.Tensor], logits: torch.Tensor):
    return total_loss(
        logits,
        case["values"],
        scores=case["scores"],
        present=case["present"],
        preferences=case["preferences"],
        weights=case["weights"],
        base_logits=case["base"],
        ranking_weight=0.7,
        score_weight=1.3,
        kl_weight=0.2,
        huber_delta=0.1,
        eps=1e-3,
    )


def test_moments_match_a_slow_loop(case):
    mean, variance = expected_score(case["logits"], case["values"])
    slow_mean, slow_variance = slow_moments(case["logits"], case["values"])
    assert np.allclose(mean, slow_mean, atol=1e-12)
    assert np.allclose(variance, slow_variance, atol=1e-12)


def test_total_loss_matches_a_slow_loop(case):
    loss = call_total(case, case["logits"])
    slow = slow_total(case, eps=1e-3, delta=0.1)
    assert [float(loss.ranking), float(loss.score), float(loss.kl)] == pytest.approx(slow, abs=1e-12)
    assert float(loss.total) == pytest.approx(0.7 * slow[0] + 1.3 * slow[1] + 0.2 * slow[2], abs=1e-12)


def test_gradients_match_finite_differences(case):
    logits = case["logits"].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: call_total(case, x).total, (logits,), atol=1e-7)


def test_target_preferences_match_a_slow_loop(case):
    draws, fast = case["draws"], case["preferences"]
    for i in range(B):
        for j in range(B):
            for d in range(D):
                wins = [
                    1.0 if draws[s, i, d] > draws[s, j, d] else 0.5 if draws[s, i, d] == draws[s, j, d] else 0.0
                    for s in range(S)
                ]
                assert float(fast[i, j, d]) == pytest.approx(sum(wins) / S, abs=1e-12)


def test_target_preferences_do_not_depend_on_how_many_draws_are_compared_at_once(case, monkeypatch):
    monkeypatch.setattr(objectives, "AT_ONCE", 2 * B * B * D)
    assert torch.allclose(target_preferences(case["draws"]), case["preferences"], atol=1e-15)


def test_normal_preferences_match_phi_and_become_hard_without_spread(case):
    fast = normal_preferences(case["scores"], case["sds"])
    z = (case["scores"][0, 0] - case["scores"][3, 0]) / torch.hypot(case["sds"][0, 0], case["sds"][3, 0])
    assert float(fast[0, 3, 0]) == pytest.approx(phi(float(z)), abs=1e-12)
    scores = torch.tensor([[1.0], [1.0], [2.0]])
    hard = [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [1.0, 1.0, 0.5]]
    assert normal_preferences(scores, torch.zeros(3, 1)).squeeze(-1).tolist() == hard
    assert hard_preferences(scores).squeeze(-1).tolist() == hard


def test_no_pair_means_zero_loss_and_zero_gradient(case):
    logits = case["logits"].clone().requires_grad_()
    mean, variance = expected_score(logits, case["values"])
    for weights, chosen in ((torch.zeros_like(case["weights"]), slice(None)), (case["weights"][:1, :1], slice(0, 1))):
        pairs = case["preferences"][: len(weights), : len(weights)]
        loss = ranking_loss(mean[chosen], variance[chosen], pairs, weights)
        assert float(loss.detach()) == 0
        (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
        assert bool((gradient == 0).all())


@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
def test_gradients_stay_finite_at_certainty(target):
    gap = torch.tensor([-60.0, -5.0, 0.0, 5.0, 60.0], requires_grad=True)
    zero = torch.zeros(5)
    loss = (1 - fidelity(preference_probability(gap, zero, zero, zero), torch.full((5,), target))).sum()
    (gradient,) = torch.autograd.grad(loss, gap)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


def test_a_wrong_pair_is_pulled_the_right_way():
    gap = torch.tensor(-2.0, requires_grad=True)
    one = torch.tensor(0.5)
    loss = 1 - fidelity(preference_probability(gap, one, torch.tensor(0.0), one), torch.tensor(1.0))
    (gradient,) = torch.autograd.grad(loss, gap)
    assert float(gradient) < -0.1


@given(st.floats(0, 1), st.floats(0, 1))
def test_fidelity_is_symmetric_in_the_two_outcomes_and_largest_at_agreement(p, target):
    predicted, wanted = torch.tensor(p, dtype=torch.float64), torch.tensor(target, dtype=torch.float64)
    value = float(fidelity(predicted, wanted))
    assert 0 <= value <= 1 + 1e-12
    assert value == pytest.approx(float(fidelity(1 - predicted, 1 - wanted)), abs=1e-9)
    assert value <= float(fidelity(wanted, wanted)) + 2 * LAPSE


@given(st.integers(0, 1000))
def test_swapping_images_mirrors_preferences(seed):
    rng = torch.Generator().manual_seed(seed)
    draws = torch.randn(S, B, generator=rng, dtype=torch.float64).round(decimals=0)
    for pairs in (target_preferences(draws), hard_preferences(draws[0]), normal_preferences(draws[0], draws[1].abs())):
        assert torch.allclose(pairs + pairs.T, torch.ones_like(pairs))
    assert torch.allclose(confidence(target_preferences(draws)), confidence(target_preferences(-draws)))


def test_parts_of_a_batch_sum_to_the_batch_where_no_pair_crosses(case):
    """With the totals of the whole batch, the losses of its parts add up."""
    weights = case["weights"].clone()
    weights[:2, 2:], weights[2:, :2] = 0, 0
    values, logits = case["values"], case["logits"]
    pairs = sum(float(weights[i, j].sum()) for i in range(B) for j in range(i + 1, B))
    totals = (pairs, float(case["present"].sum()), float(B * D))

    def loss(rows: slice, shares: tuple[float, float, float] | None) -> float:
        return float(
            total_loss(
                logits[rows],
                values,
                scores=case["scores"][rows],
                present=case["present"][rows],
                preferences=case["preferences"][rows, rows],
                weights=weights[rows, rows],
                base_logits=case["base"][rows],
                kl_weight=1.0,
                totals=shares,
            ).total
        )

    parts = loss(slice(0, 2), totals) + loss(slice(2, B), totals)
    assert parts == pytest.approx(loss(slice(0, B), None), abs=1e-12)


def test_divergence_is_zero_from_itself_and_never_negative(case):
    assert float(kl_to_base(case["base"], case["base"])) == 0
    assert float(kl_to_base(case["logits"], case["base"])) > 0


def test_missing_targets_do_not_matter_even_as_nan(case):
    mean, _ = expected_score(case["logits"], case["values"])
    scores = torch.where(case["present"], case["scores"], torch.nan)
    kept = score_loss(mean, scores, case["present"], span=6.0, delta=0.1)
    assert torch.equal(kept, score_loss(mean, case["scores"], case["present"], span=6.0, delta=0.1))
