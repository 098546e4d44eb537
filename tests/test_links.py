"""Links from scores to probabilities of judgments: they find what judgments were drawn from, and never say never."""

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from ppaint_stats.kernels.davidson import outcome_probabilities
from ppaint_stats.validation.links import RatingLink, average_logistic, fit_comparison_link, fit_rating_link
from ppaint_stats.validation.scoring import compare_units, fit_calibration

N_RATERS, N_EACH = 120, 30
OFFSET = np.array([0.4, -0.1, -0.3])


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    n = N_RATERS * N_EACH
    rater = np.repeat(np.arange(N_RATERS), N_EACH)
    x, category = rng.normal(size=n), rng.integers(3, size=n)
    latent = 1.5 * x + OFFSET[category] - 0.8 * rng.normal(size=N_RATERS)[rater]
    return rng, x, category, rater, latent


def test_levels_are_recovered(drawn):
    rng, x, category, rater, latent = drawn
    kappa = np.array([-2.0, -0.5, 1.0, 2.0])
    answer = np.digitize(latent + rng.logistic(size=len(x)), kappa).astype(float)
    link = fit_rating_link(x, answer, rater, category, levels=5, n_categories=3)
    assert link.slope == pytest.approx(1.5, abs=0.1)
    np.testing.assert_allclose(link.offset, OFFSET, atol=0.12)
    np.testing.assert_allclose(link.threshold, kappa, atol=0.25)
    assert link.severity_variance == pytest.approx(0.64, abs=0.2)
    above = link.above(x, category, np.zeros(4))
    np.testing.assert_allclose(above.mean(axis=0), (answer[:, None] > [0, 1, 2, 3]).mean(axis=0), atol=0.02)


def test_a_continuous_scale_is_recovered(drawn):
    rng, x, category, rater, latent = drawn
    answer = latent + 0.3 + 0.7 * rng.normal(size=len(x))
    link = fit_rating_link(x, answer, rater, category, levels=0, n_categories=3)
    assert (link.slope, link.noise_sd) == (pytest.approx(1.5, abs=0.03), pytest.approx(0.7, abs=0.03))
    assert link.severity_variance == pytest.approx(0.64, abs=0.15)
    assert link.threshold[0] == pytest.approx(0.3, abs=0.2)
    density = link.log_density(np.zeros(2001), np.zeros(2001, dtype=int), np.linspace(-20, 20, 2001))
    assert np.trapezoid(np.exp(density), dx=0.02) == pytest.approx(1, abs=1e-6)


def test_comparisons_are_recovered(drawn):
    rng, x, *_ = drawn
    difference = x - np.roll(x, 7)
    shares = np.stack(outcome_probabilities(0.9 * difference + 0.2, -0.3), axis=1)
    outcome = (rng.random(len(x))[:, None] > shares.cumsum(axis=1)[:, :2]).sum(axis=1)
    link = fit_comparison_link(difference, outcome, np.ones(len(x)), has_ties=True)
    assert (link.slope, link.log_nu, link.order) == pytest.approx((0.9, -0.3, 0.2), abs=0.1)
    np.testing.assert_allclose(link.shares(difference).mean(axis=0), shares.mean(axis=0), atol=0.02)


def test_the_logistic_is_averaged_exactly():
    for x, variance in ((0.3, 0.5), (-4.0, 2.0), (1.0, 0.0)):
        sd = np.sqrt(variance)
        exact = expit(x) if not sd else integrate.quad(lambda z: expit(x + sd * z) * stats.norm.pdf(z), -9, 9)[0]  # noqa: B023
        assert average_logistic(np.array([x]), variance)[0] == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("levels", [0, 5])
def test_scores_that_run_backwards_predict_nothing(drawn, levels):
    rng, x, category, rater, latent = drawn
    answer = np.digitize(latent, [-2, -1, 0, 1]).astype(float) if levels else latent + rng.normal(size=len(x))
    link = fit_rating_link(-x, answer, rater, category, levels=levels, n_categories=3)
    plain = fit_rating_link(x, answer, rater, category, levels=levels, n_categories=3, use_scores=False)
    assert link.slope == 0
    assert plain.slope == 0
    np.testing.assert_allclose(link.threshold, plain.threshold, atol=0.02)


def test_nothing_is_impossible():
    few = np.array([0, 1, 2, 3])
    link = fit_rating_link(np.zeros(4), np.ones(4), few, np.zeros(4, dtype=int), levels=5, n_categories=1)
    assert (
        np.diff(np.concatenate([[1], link.above(np.zeros(1), np.zeros(1, dtype=int), np.zeros(4))[0], [0]])).max() < 0
    )
    votes = fit_comparison_link(np.ones(5), np.zeros(5, dtype=int), np.ones(5), has_ties=True)
    assert votes.shares(np.array([3.0, -3.0])).min() > 0
    assert (
        fit_comparison_link(np.ones(5), np.zeros(5, dtype=int), np.ones(5), has_ties=False).shares(np.ones(1))[0, 1]
        == 0
    )


@pytest.mark.parametrize("levels", [0, 4])
def test_no_judgment_at_all_gives_even_odds(levels):
    none, codes = np.zeros(0), np.zeros(0, dtype=int)
    link = fit_rating_link(none, none, codes, codes, levels=levels, n_categories=2)
    assert isinstance(link, RatingLink)
    if levels:
        found = link.above(np.array([2.0]), np.array([1]), np.zeros(3))[0]
        np.testing.assert_allclose(found, [0.75, 0.5, 0.25], atol=0.01)
    even = fit_comparison_link(none, codes, none, has_ties=True).shares(np.array([2.0]))[0]
    np.testing.assert_allclose(even, 1 / 3, atol=1e-3)


def test_calibration_and_units():
    rng = np.random.default_rng(1)
    true = rng.normal(size=20_000)
    hit = rng.random(20_000) < expit(true)
    slope, intercept = fit_calibration(expit(2 * true), hit, np.ones(20_000))
    assert (slope, intercept) == pytest.approx((0.5, 0.0), abs=0.05)
    values = rng.normal(size=(7, 10))
    found = compare_units(values.ravel(), np.ones(70), np.repeat(np.arange(7), 10), 0.9)
    reference = stats.ttest_1samp(values.mean(axis=1), 0).confidence_interval(0.9)
    assert found == (pytest.approx(values.mean()), pytest.approx(reference.low), pytest.approx(reference.high), 7)
