"""Sigmoid calibration and the spread of scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ppaint_stats.calibrate import WIDTH_BOUND, fit_sigmoid, resample_anchors
from ppaint_stats.errors import ArgumentError


def sigmoid(x, midpoint, width, low=1.0, high=5.0):
    return low + (high - low) / (1 + np.exp(-(x - midpoint) / width))


def test_recovers_a_sigmoid_exactly():
    x = np.linspace(-3, 4, 30)
    fit = fit_sigmoid(x, sigmoid(x, 0.7, 1.3), low=1, high=5, bend=False)
    assert (fit.midpoint, fit.width) == pytest.approx((0.7, 1.3), rel=1e-5)
    assert fit.rmse == pytest.approx(0, abs=1e-6)
    assert not fit.at_bound
    assert fit.n_anchors == 30


def test_minimises_the_weighted_squares():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 200, 40) + 1500  # Elo points
    rating = np.clip(sigmoid(x, 1520, 150) + rng.normal(0, 0.4, 40), 1, 5)
    weight = rng.uniform(0, 3, 40)
    fit = fit_sigmoid(x, rating, low=1, high=5, weight=weight, bend=False)

    def loss(p):
        return (weight * (rating - sigmoid(x, 1500 + 100 * p[0], 100 * np.exp(p[1]))) ** 2).sum()

    found = minimize(loss, [0, 0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert loss([(fit.midpoint - 1500) / 100, np.log(fit.width / 100)]) <= found.fun * (1 + 1e-7)
    assert fit.rmse == pytest.approx(np.sqrt(found.fun / weight.sum()), rel=1e-6)


def test_bends_where_ratings_meet_the_ends_sooner():
    x = np.linspace(-3, 3, 40)
    rating = np.clip(3 + x, 1, 5)
    plain = fit_sigmoid(x, rating, low=1, high=5, bend=False)
    bent = fit_sigmoid(x, rating, low=1, high=5)
    assert plain.bend == 0
    assert bent.bend > 0.05
    assert bent.rmse < plain.rmse / 2
    z = (x - 0.4) / 1.7
    exact = fit_sigmoid(x, 1 + 4 / (1 + np.exp(-(z + 0.3 * z**3))), low=1, high=5)
    assert (exact.midpoint, exact.width, exact.bend) == pytest.approx((0.4, 1.7, 0.3), rel=1e-4)


def test_few_anchors_do_not_bend():
    x = np.linspace(-3, 3, 9)
    assert fit_sigmoid(x, np.clip(3 + x, 1, 5), low=1, high=5).bend == 0


@given(st.integers(0, 10_000), st.floats(-50, 50), st.floats(0.01, 100))
@settings(max_examples=40)
def test_monotone_inside_the_scale_and_unmoved_by_units(seed, shift, unit):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=12)
    rating = np.clip(3 + x + rng.normal(0, 1, 12), 1, 5)
    fit = fit_sigmoid(x, rating, low=1, high=5)
    assert fit.width > 0
    grid = np.linspace(-100, 100, 401)
    mapped = fit.apply(grid)
    assert ((mapped >= 1) & (mapped <= 5)).all()
    assert (np.diff(mapped) >= 0).all()
    moved = fit_sigmoid(shift + unit * x, rating, low=1, high=5)
    np.testing.assert_allclose(moved.apply(shift + unit * x), fit.apply(x), atol=2e-3)


def test_slope_is_the_derivative():
    fit = fit_sigmoid(np.linspace(-2, 2, 9), sigmoid(np.linspace(-2, 2, 9), 0.2, 0.9), low=1, high=5)
    x = np.array([-1.0, 0.2, 2.0])
    np.testing.assert_allclose((fit.apply(x + 1e-6) - fit.apply(x - 1e-6)) / 2e-6, fit.slope(x), rtol=1e-6)


def test_ratings_that_fall_meet_the_bound():
    x = np.linspace(-2, 2, 20)
    fit = fit_sigmoid(x, sigmoid(-x, 0, 1), low=1, high=5)
    assert fit.at_bound
    assert fit.width > 0
    assert fit.width == pytest.approx(WIDTH_BOUND * x.std(), rel=0.02)


def test_equal_latent_scores_give_one_level():
    fit = fit_sigmoid(np.zeros(4), np.array([2.0, 3.0, 3.0, 4.0]), low=1, high=5)
    assert fit.at_bound
    assert fit.apply(np.zeros(1))[0] == pytest.approx(3)


def test_missing_ratings_and_zero_weights_are_no_anchors():
    x = np.linspace(-2, 2, 9)
    rating = sigmoid(x, 0.3, 0.8)
    spoiled = rating.copy()
    spoiled[[0, 4]] = [np.nan, 1.0]
    fit = fit_sigmoid(x, spoiled, low=1, high=5, weight=np.where(np.arange(9) == 4, 0.0, 1.0))
    assert fit.n_anchors == 7
    assert fit.midpoint == pytest.approx(0.3, abs=1e-4)


def test_refuses_few_anchors_and_an_empty_scale():
    with pytest.raises(ArgumentError, match="at least 2 rated items, got 1"):
        fit_sigmoid(np.arange(3.0), np.array([np.nan, 2, np.nan]), low=1, high=5)
    with pytest.raises(ArgumentError, match="low=5 must be below high=5"):
        fit_sigmoid(np.arange(3.0), np.arange(3.0), low=5, high=5)


def test_resampling_anchors_agrees_with_refits():
    rng = np.random.default_rng(4)
    x = rng.normal(size=25)
    rating = np.clip(sigmoid(x, 0, 1) + rng.normal(0, 0.3, 25), 1, 5)
    moved = resample_anchors(x, rating, low=1, high=5, n_boot=400, random_seed=1)
    draws = []
    for _ in range(150):
        count = rng.multinomial(25, np.full(25, 1 / 25)).astype(float)
        draws.append(fit_sigmoid(x, rating, low=1, high=5, weight=count).apply(x))
    assert moved == pytest.approx(np.std(draws, axis=0, ddof=1).mean(), rel=0.15)
    few = resample_anchors(x[:6], rating[:6], low=1, high=5, random_seed=1)
    assert few > moved
    assert np.isnan(resample_anchors(x, np.where(np.arange(25) < 2, rating, np.nan), low=1, high=5))
