"""The anchored Davidson kernel: its gradient, its Laplace approximation, its limits."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from ppaint_stats.kernels.anchored import (
    AnchoredParameters,
    AnchoredProblem,
    _Laplace,
    estimate_design_effect,
    find_slow_directions,
    fit_anchored,
)
from ppaint_stats.kernels.davidson import count_pairs, outcome_probabilities


def draw_outcomes(strength, log_nu, delta, a, b, rng):
    p = np.column_stack(outcome_probabilities(strength[a] - strength[b] + delta, log_nu))
    return (rng.random((len(a), 1)) > np.cumsum(p, axis=1)[:, :2]).sum(axis=1)


def make_problem(seed=0, n=8, games=60, *, keep_order=True, ties=True, missing=0, **changes):
    rng = np.random.default_rng(seed)
    strength = rng.normal(0, 1.2, n)
    a, b = rng.integers(n, size=(2, games))
    a, b = a[a != b], b[a != b]
    outcome = draw_outcomes(strength, -0.5 if ties else -np.inf, 0.3, a, b, rng)
    rating = 0.6 * strength + rng.normal(0, 0.3, n)
    rating[:missing] = np.nan
    rating_se = rng.uniform(0.05, 0.3, n)
    pairs = count_pairs(a, b, outcome, rng.uniform(0.5, 2, len(a)), n, keep_order=keep_order)
    problem = AnchoredProblem(pairs, rating - np.nanmean(rating), rating_se, order_effect=keep_order)
    return replace(problem, **changes), strength


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"keep_order": False},
        {"missing": 3},
        {"rating_weight": 2.7, "design_effect": 1.8, "missing": 2},
        {"ties": False},
        {"rating_weight": 0.0},
        {"slow": np.linalg.qr(np.random.default_rng(3).normal(size=(8, 2)))[0]},
    ],
)
def test_gradient_of_the_marginal_likelihood(options):
    problem, _ = make_problem(1, **options)
    rng = np.random.default_rng(2)
    for _ in range(3):
        x = rng.normal([0.6, -1, 0.1, -0.5, 0.2], 0.3)

        def at(x):
            log_nu = x[3] if options.get("ties", True) else -np.inf
            return AnchoredParameters(x[0], np.exp(x[1]), np.exp(x[2]), log_nu, x[4])

        laplace = _Laplace(problem, np.zeros(8))
        _, gradient = laplace.evaluate(at(x))
        for k in range(5):
            if k == 3 and not options.get("ties", True):
                continue
            step = np.eye(5)[k] * 1e-5
            slope = (laplace.evaluate(at(x + step))[0] - laplace.evaluate(at(x - step))[0]) / 2e-5
            assert gradient[k] == pytest.approx(slope, rel=2e-5, abs=2e-6), k


@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_laplace_against_quadrature(weight):
    """The integral over the strengths of three items, by brute force."""
    problem, _ = make_problem(3, n=3, games=40, rating_weight=weight, design_effect=1.5)
    at = AnchoredParameters(0.7, 0.25, 1.3, -0.4, 0.25)
    laplace = _Laplace(problem, np.zeros(3))
    approximate, _ = laplace.evaluate(at)
    mode, _, covariance, _ = laplace.find_mode(at)
    nodes, weights = np.polynomial.hermite_e.hermegauss(14)
    root = np.linalg.cholesky(covariance)
    total = 0.0
    for i, j, k in product(range(14), repeat=3):
        z = nodes[[i, j, k]]
        x = mode + root @ z
        d = x[problem.pairs.a] - x[problem.pairs.b] + at.order_effect
        p = outcome_probabilities(d, at.log_nu)
        counts = (problem.pairs.wins_a, problem.pairs.ties, problem.pairs.wins_b)
        value = sum(c @ np.log(q) for c, q in zip(counts, p, strict=True)) / 1.5
        spread = np.sqrt(at.rating_sd**2 + problem.rating_se**2)
        value += weight * stats.norm.logpdf(problem.rating, at.slope * x, spread).sum()
        value += stats.norm.logpdf(x, 0, at.strength_sd).sum()
        total += np.exp(value + z @ z / 2 - approximate) * weights[[i, j, k]].prod()
    exact = approximate + np.log(total * np.linalg.det(root))
    assert approximate == pytest.approx(exact, abs=0.05)  # Laplace's own error
    assert abs(np.log(total * np.linalg.det(root))) > 1e-6  # quadrature is not a copy of it


def test_the_mode_is_where_the_gradient_vanishes():
    problem, _ = make_problem(4, missing=2)
    fit = fit_anchored(problem)
    assert fit.converged
    at = fit.parameters

    def objective(x):
        p = outcome_probabilities(x[problem.pairs.a] - x[problem.pairs.b] + at.order_effect, at.log_nu)
        value = problem.pairs.wins_a @ np.log(p[0]) + problem.pairs.ties @ np.log(p[1])
        value += problem.pairs.wins_b @ np.log(p[2]) - (x**2).sum() / (2 * at.strength_sd**2)
        spread = np.sqrt(at.rating_sd**2 + problem.rating_se**2)
        return value + np.nansum(stats.norm.logpdf(problem.rating, at.slope * x, spread))

    h, eye = 1e-4, np.eye(8)
    gradient = [(objective(fit.strength + h * e) - objective(fit.strength - h * e)) / (2 * h) for e in eye]
    np.testing.assert_allclose(gradient, 0, atol=1e-5)
    hessian = [
        [
            sum(s * t * objective(fit.strength + h * (s * e + t * f)) for s in (1, -1) for t in (1, -1)) / (4 * h**2)
            for f in eye
        ]
        for e in eye
    ]
    np.testing.assert_allclose(np.linalg.inv(-np.array(hessian)), fit.covariance, rtol=1e-3, atol=1e-4)


def test_a_start_changes_nothing():
    problem, _ = make_problem(5, games=200)
    cold = fit_anchored(problem)
    warm = fit_anchored(problem, start=fit_anchored(make_problem(6, games=200)[0]))
    assert warm.marginal == pytest.approx(cold.marginal, abs=1e-5)
    np.testing.assert_allclose(warm.strength, cold.strength, atol=0.01)


def test_limits_of_the_rating_weight():
    rng = np.random.default_rng(8)
    n = 15
    a, b = np.array([(i, j) for i in range(n) for j in range(n) if i != j] * 6).T
    strength = np.linspace(-2, 2, n)
    outcome = draw_outcomes(strength, -1.0, 0.0, a, b, rng)
    pairs = count_pairs(a, b, outcome, None, n, keep_order=False)
    rating = 0.4 * strength + rng.normal(0, 0.6, n)
    problem = AnchoredProblem(pairs, rating - rating.mean(), np.full(n, 0.1), order_effect=False)
    alone = fit_anchored(replace(problem, rating_weight=0.0)).strength
    tiny = fit_anchored(replace(problem, rating_weight=1e-6)).strength
    huge = fit_anchored(replace(problem, rating_weight=1e6)).strength
    assert stats.spearmanr(tiny, alone).statistic == pytest.approx(1)
    np.testing.assert_allclose(tiny, alone, atol=1e-2)
    assert stats.spearmanr(huge, rating).statistic == pytest.approx(1)
    assert stats.spearmanr(alone, rating).statistic < 0.99


def test_recovers_the_parameters():
    rng = np.random.default_rng(10)
    n = 150
    strength = rng.normal(0, 1.5, n)
    strength -= strength.mean()
    a, b = rng.integers(n, size=(2, 12_000))
    a, b = a[a != b], b[a != b]
    outcome = draw_outcomes(strength, -0.6, 0.4, a, b, rng)
    se = np.full(n, 0.2)
    rating = rng.normal(0.5 * strength, np.sqrt(0.35**2 + se**2))
    problem = AnchoredProblem(count_pairs(a, b, outcome, None, n, keep_order=True), rating - rating.mean(), se)
    fit = fit_anchored(problem)
    at = fit.parameters
    assert at.slope == pytest.approx(0.5, abs=0.07)
    assert at.rating_sd == pytest.approx(0.35, abs=0.07)
    assert at.strength_sd == pytest.approx(1.5, abs=0.25)
    assert at.log_nu == pytest.approx(-0.6, abs=0.1)
    assert at.order_effect == pytest.approx(0.4, abs=0.1)
    z = (fit.strength - strength) / np.sqrt(np.diag(fit.covariance))
    assert 0.85 < np.sqrt((z**2).mean()) < 1.15


def test_reversed_ratings_get_slope_zero():
    problem, _ = make_problem(11, n=20, games=800)
    fit = fit_anchored(replace(problem, rating=-problem.rating))
    assert fit.parameters.slope == pytest.approx(0, abs=1e-9)
    assert np.isfinite(fit.loglik_ratings)


def test_design_effect():
    """Independent comparisons have one near 1; raters with tastes of their own a larger one."""
    rng = np.random.default_rng(12)
    n, raters, games = 12, 20, 300
    strength = rng.normal(0, 1, n)
    effects = {}
    for taste in (0.0, 1.0):
        own = strength + taste * rng.normal(size=(raters, n))
        rater = np.repeat(np.arange(raters), games)
        a, b = rng.integers(n, size=(2, raters * games))
        a = np.where(a == b, (a + 1) % n, a)
        p = np.column_stack(outcome_probabilities(own[rater, a] - own[rater, b], -1.0))
        outcome = (rng.random((len(a), 1)) > np.cumsum(p, axis=1)[:, :2]).sum(axis=1)
        weight = np.ones(len(a))
        pairs = count_pairs(a, b, outcome, weight, n, keep_order=True)
        problem = AnchoredProblem(pairs, np.full(n, np.nan), np.zeros(n), rating_weight=0.0)
        effects[taste] = estimate_design_effect(a, b, outcome, weight, rater, fit_anchored(problem))
        assert estimate_design_effect(a, b, outcome, weight, 0 * rater, fit_anchored(problem)) == 1.0
    assert effects[0.0] < 1.4
    assert effects[1.0] > 4


def test_slow_directions_of_a_chain_are_its_waves():
    n = 60
    a = np.concatenate([np.arange(n - k) for k in (1, 2, 3)])
    b = np.concatenate([np.arange(k, n) for k in (1, 2, 3)])
    pairs = count_pairs(a, b, np.zeros(len(a), dtype=int), None, n, keep_order=False)
    slow = find_slow_directions(pairs, np.zeros(n, dtype=int), count=3)
    np.testing.assert_allclose(slow.T @ slow, np.eye(3), atol=1e-10)
    np.testing.assert_allclose(slow.sum(axis=0), 0, atol=1e-10)
    assert abs(np.corrcoef(slow[:, 0], np.arange(n))[0, 1]) > 0.97


def test_small_components_have_no_slow_direction():
    a, b = np.array([0, 3, 4]), np.array([1, 4, 5])
    pairs = count_pairs(a, b, np.zeros(3, dtype=int), None, 6, keep_order=False)
    assert find_slow_directions(pairs, np.array([0, 0, 1, 2, 2, 2]), count=5).shape == (6, 0)


def test_a_trend_along_the_design_is_not_shrunken():
    rng = np.random.default_rng(5)
    n = 60
    strength = np.linspace(-4, 4, n)
    near = np.concatenate([np.column_stack([np.arange(n - k), np.arange(k, n)]) for k in (1, 2)])
    a, b = np.repeat(near, 60, axis=0).T
    pairs = count_pairs(a, b, draw_outcomes(strength, -0.5, 0.0, a, b, rng), None, n, keep_order=False)
    problem = AnchoredProblem(pairs, np.full(n, np.nan), np.zeros(n), order_effect=False)
    slow = find_slow_directions(pairs, np.zeros(n, dtype=int), count=5)

    def slope(problem):
        return np.polyfit(strength, fit_anchored(problem).strength, 1)[0]

    assert slope(problem) < 0.1  # a common variance shrinks just what the comparisons tell least of
    assert slope(replace(problem, slow=slow)) == pytest.approx(1, abs=0.3)
