"""The unified scale of 2019: gradient, recovery, and ratings that stay in the fit."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize

from ppaint_stats.kernels.davidson import count_pairs
from ppaint_stats.kernels.thurstone import SIGMA, fit_unified_scale


def draw(seed=0, n=15, games=3000, per_item=8, slope=0.6, sign=1.0):
    rng = np.random.default_rng(seed)
    q = rng.normal(0, 1, n)
    q -= q.mean()
    a, b = rng.integers(n, size=(2, games))
    a = np.where(a == b, (a + 1) % n, a)
    won = rng.random(games) < stats.norm.cdf((q[a] - q[b]) / (np.sqrt(2) * SIGMA))
    pairs = count_pairs(a, b, np.where(won, 0, 2), None, n, keep_order=False)
    ratings = 3 + sign * slope * q[:, None] + slope * 0.8 * SIGMA * rng.normal(size=(n, per_item))
    mean = ratings.mean(axis=1)
    return q, pairs, ratings, np.full(n, float(per_item)), mean, float(((ratings - mean[:, None]) ** 2).sum())


def test_recovers_quality_and_the_map():
    q, pairs, _, n, mean, squares = draw()
    fit = fit_unified_scale(pairs, n, mean, squares)
    assert fit.converged
    assert fit.slope == pytest.approx(0.6, abs=0.06)
    assert fit.intercept == pytest.approx(3, abs=0.15)
    assert fit.noise_ratio == pytest.approx(0.8, abs=0.1)
    np.testing.assert_allclose(fit.quality, q, atol=0.3)
    assert fit.quality.sum() == pytest.approx(0, abs=1e-8)


def slow_likelihood(pairs, ratings, q, slope, intercept, ratio):
    z = (q[pairs.a] - q[pairs.b]) / (np.sqrt(2) * SIGMA)
    wins, losses = pairs.wins_a + pairs.ties / 2, pairs.wins_b + pairs.ties / 2
    preferences = wins @ stats.norm.logcdf(z) + losses @ stats.norm.logsf(z)
    return preferences, stats.norm.logpdf(ratings, (slope * q + intercept)[:, None], slope * ratio * SIGMA).sum()


def test_agrees_with_the_likelihood_as_written():
    """Both parts of the log-likelihood, and that nothing near the optimum is higher."""
    _, pairs, ratings, n, mean, squares = draw(1, n=6, games=150)
    fit = fit_unified_scale(pairs, n, mean, squares)
    parts = slow_likelihood(pairs, ratings, fit.quality, fit.slope, fit.intercept, fit.noise_ratio)
    assert (fit.loglik_preferences, fit.loglik_ratings) == pytest.approx(parts, rel=1e-9)

    def negative(x):
        q = np.r_[x[:5], -x[:5].sum()]
        return -sum(slow_likelihood(pairs, ratings, q, np.exp(x[5]), x[6], np.exp(x[7])))

    at = np.r_[fit.quality[:5], np.log(fit.slope), fit.intercept, np.log(fit.noise_ratio)]
    h = 1e-5
    gradient = [(negative(at + h * e) - negative(at - h * e)) / (2 * h) for e in np.eye(8)]
    np.testing.assert_allclose(gradient, 0, atol=5e-3)
    elsewhere = minimize(negative, np.random.default_rng(0).normal(0, 0.3, 8), options={"gtol": 1e-5})
    assert elsewhere.fun == pytest.approx(-fit.loglik_preferences - fit.loglik_ratings, abs=1e-4)


def test_units_of_the_ratings_do_not_matter():
    _, pairs, _, n, mean, squares = draw(2)
    one = fit_unified_scale(pairs, n, mean, squares)
    ten = fit_unified_scale(pairs, n, 20 * mean - 7, 400 * squares)
    np.testing.assert_allclose(one.quality, ten.quality, atol=1e-4)
    assert ten.slope == pytest.approx(20 * one.slope, rel=1e-4)
    assert ten.loglik_ratings == pytest.approx(one.loglik_ratings - n.sum() * np.log(20), rel=1e-8)


def test_reversed_ratings_stay_in_the_fit():
    _, pairs, ratings, n, mean, squares = draw(3, sign=-1.0)
    fit = fit_unified_scale(pairs, n, mean, squares)
    assert fit.slope > 0
    assert np.isfinite(fit.loglik_ratings)
    assert fit.loglik_ratings < 0
    # ratings that say nothing about quality: all that the model can do is to take them for noise
    alone = stats.norm.logpdf(ratings, ratings.mean(), ratings.std()).sum()
    assert fit.loglik_ratings == pytest.approx(alone, abs=1.0)
    assert fit.loglik_ratings < fit_unified_scale(pairs, n, -mean, squares).loglik_ratings - 5


def test_preferences_alone_and_ratings_alone():
    q, pairs, _, n, mean, squares = draw(4)
    alone = fit_unified_scale(pairs, 0 * n, mean, 0.0)
    assert alone.loglik_ratings == 0
    assert stats.spearmanr(alone.quality, q).statistic > 0.95
    none = pairs.keep(np.zeros(len(pairs.a), dtype=bool))
    rated = fit_unified_scale(none, n, mean, squares)
    assert rated.loglik_preferences == 0
    assert stats.spearmanr(rated.quality, mean).statistic == pytest.approx(1)


def test_a_start_changes_nothing():
    _, pairs, _, n, mean, squares = draw(5)
    cold = fit_unified_scale(pairs, n, mean, squares)
    warm = fit_unified_scale(pairs, n, mean, squares, start=fit_unified_scale(pairs, n, mean[::-1], squares))
    np.testing.assert_allclose(warm.quality, cold.quality, atol=1e-3)
