"""Spread: interval, sample and probability tell one story."""

import numpy as np
import pytest
from scipy import stats

from ppaint_stats.spread import Spread


@pytest.fixture(params=["deviations", "draws"])
def case(request):
    rng = np.random.default_rng(0)
    score = np.array([3.0, 3.4, 2.0, 4.1])
    root = rng.normal(0, 0.4, (6, 4))
    if request.param == "deviations":
        return score, Spread(deviations=root, dof=np.array([5.0, 5.0, 3.0, 3.0]))
    return score, Spread(draws=score + rng.standard_normal((5000, 6)) @ root)


def test_sample_and_sd_agree(case):
    score, spread = case
    draws = spread.sample(score, 40_000, 1)
    assert draws.shape == (40_000, 4)
    low, high = spread.interval(score, 0.8)
    np.testing.assert_allclose(np.quantile(draws, [0.1, 0.9], axis=0), [low, high], atol=0.05)
    np.testing.assert_array_equal(draws, spread.sample(score, 40_000, 1))
    wider = spread.interval(score, 0.95)
    assert (wider[0] < low).all()
    assert (wider[1] > high).all()


@pytest.mark.parametrize("contrast", [[1.0, -1, 0, 0], [0, 0, 1, -1], [0, 1, -1, 0]])
def test_probability_agrees_with_the_sample(case, contrast):
    score, spread = case
    contrast = np.array(contrast)
    found = spread.probability_positive(score, contrast)
    assert found + spread.probability_positive(score, -contrast) == pytest.approx(1)
    sampled = (spread.sample(score, 40_000, 2) @ contrast > 0).mean()
    assert found == pytest.approx(sampled, abs=0.04)


def test_covariance_of_deviations():
    root = np.random.default_rng(1).normal(size=(5, 3))
    spread = Spread(deviations=root, dof=np.full(3, 4.0))
    np.testing.assert_allclose(spread.sd(), np.sqrt(np.diag(root.T @ root)))
    low, high = spread.interval(np.zeros(3), 0.9)
    np.testing.assert_allclose(high, stats.t.ppf(0.95, 4) * spread.sd())
    np.testing.assert_allclose(low, -high)


def test_certain_differences():
    spread = Spread(deviations=np.zeros((2, 2)), dof=np.ones(2))
    assert spread.probability_positive(np.array([1.0, 2.0]), np.array([1.0, -1.0])) == 0
    assert spread.probability_positive(np.array([2.0, 2.0]), np.array([1.0, -1.0])) == 0.5


def test_an_empty_spread_is_refused():
    with pytest.raises(ValueError, match="deviations or draws"):
        Spread().sd()
