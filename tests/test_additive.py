"""The additive model of ratings: least squares with dummies, and a slow mixed model where the graph falls apart."""

import numpy as np
import pytest
from scipy.optimize import minimize

from ppaint_stats.kernels.additive import fit_additive
from ppaint_stats.kernels.shrink import estimate_spread


def draw_ratings(rng, n_items=12, n_raters=5, missing=0.0):
    item, rater = (x.ravel() for x in np.meshgrid(np.arange(n_items), np.arange(n_raters), indexing="ij"))
    keep = rng.random(len(item)) >= missing
    item, rater = item[keep], rater[keep]
    value = 3 + rng.normal(0, 1, n_items)[item] + rng.normal(0, 0.7, n_raters)[rater] + rng.normal(0, 0.5, len(item))
    return item, rater, value


def fit_dummies(item, rater, value, weight, n_items, n_raters):
    """Least squares with one dummy per item and rater; severities constrained to sum to zero."""
    rows = np.repeat(np.arange(len(item)), weight)
    item, rater, value = item[rows], rater[rows], value[rows]
    free = np.vstack([np.eye(n_raters - 1), -np.ones(n_raters - 1)])
    design = np.hstack([np.eye(n_items)[item], free[rater]])
    beta, _, rank, _ = np.linalg.lstsq(design, value, rcond=None)
    freedom = len(value) - rank
    variance = ((value - design @ beta) ** 2).sum() / freedom
    covariance = variance * np.linalg.pinv(design.T @ design)
    return beta[:n_items], np.sqrt(np.diag(covariance)[:n_items]), free @ beta[n_items:], np.sqrt(variance)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("repeats", [False, True])
def test_agrees_with_least_squares_on_dummies(missing, repeats):
    rng = np.random.default_rng(1)
    item, rater, value = draw_ratings(rng, missing=missing)
    weight = rng.integers(1, 4, len(item)) if repeats else np.ones(len(item), dtype=int)
    effect, se, severity, error = fit_dummies(item, rater, value, weight, 12, 5)
    fit = fit_additive(item, rater, value, weight.astype(float), 12, 5)
    assert fit.n_components == 1
    np.testing.assert_allclose(fit.item, effect, atol=1e-10)
    np.testing.assert_allclose(fit.item_se, se, rtol=1e-9)
    np.testing.assert_allclose(fit.severity, severity, atol=1e-10)
    assert fit.error_sd == pytest.approx(error)


def test_complete_ratings_give_raw_means():
    item, rater, value = draw_ratings(np.random.default_rng(2))
    fit = fit_additive(item, rater, value, np.ones(len(item)), 12, 5)
    np.testing.assert_allclose(fit.item, [value[item == i].mean() for i in range(12)], atol=1e-12)
    np.testing.assert_allclose(fit.item_se, fit.error_sd / np.sqrt(5))


def test_weights_are_repeats():
    rng = np.random.default_rng(3)
    item, rater, value = draw_ratings(rng, missing=0.2)
    weight = rng.integers(1, 5, len(item))
    rows = np.repeat(np.arange(len(item)), weight)
    one = fit_additive(item, rater, value, weight.astype(float), 12, 5)
    many = fit_additive(item[rows], rater[rows], value[rows], np.ones(len(rows)), 12, 5)
    for name in ("item", "item_se", "severity", "error_sd"):
        np.testing.assert_allclose(getattr(one, name), getattr(many, name), rtol=1e-9)


def test_absent_codes_are_nan():
    fit = fit_additive(np.array([0, 0, 2, 2]), np.array([1, 3, 1, 3]), np.array([1.0, 2, 3, 5]), np.ones(4), 4, 5)
    np.testing.assert_array_equal(np.isnan(fit.item), [False, True, False, True])
    np.testing.assert_array_equal(np.isnan(fit.severity), [True, False, True, False, True])
    assert fit.severity[[1, 3]].sum() == pytest.approx(0)


def test_one_rater_has_no_error():
    fit = fit_additive(np.arange(3), np.zeros(3, dtype=int), np.array([1.0, 2, 3]), np.ones(3), 3, 1)
    np.testing.assert_allclose(fit.item, [1, 2, 3])
    assert np.isnan(fit.error_sd)
    assert fit.severity[0] == 0


def fit_mixed_slowly(item, rater, value, n_items, n_raters):
    """REML of fixed items and random severities, by the dense marginal covariance."""
    x, z = np.eye(n_items)[item], np.eye(n_raters)[rater]

    def parts(log_sd):
        error, severity = np.exp(2 * log_sd)
        inverse = np.linalg.inv(error * np.eye(len(value)) + severity * z @ z.T)
        information = x.T @ inverse @ x
        beta = np.linalg.solve(information, x.T @ inverse @ value)
        return inverse, information, beta, severity

    def negative(log_sd):
        inverse, information, beta, _ = parts(log_sd)
        miss = value - x @ beta
        return (-np.linalg.slogdet(inverse)[1] + np.linalg.slogdet(information)[1] + miss @ inverse @ miss) / 2

    found = minimize(negative, [-0.5, -0.5], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
    inverse, _, beta, severity_variance = parts(found.x)
    severity = severity_variance * z.T @ inverse @ (value - x @ beta)
    # Henderson's equations: prediction error of an item's score by the average rater of this panel
    error = np.exp(2 * found.x[0])
    both = np.hstack([x, z])
    covariance = np.linalg.inv(
        both.T @ both / error + np.diag(np.r_[np.zeros(n_items), np.ones(n_raters) / severity_variance])
    )
    average = np.hstack([np.eye(n_items), np.full((n_items, n_raters), 1 / n_raters)])
    se = np.sqrt(np.diag(average @ covariance @ average.T))
    return beta + severity.mean(), se, severity - severity.mean(), np.exp(found.x)


def test_disjoint_panels_are_shrunken_like_a_mixed_model():
    """Two panels that share no item: severities are random with mean zero."""
    rng = np.random.default_rng(5)
    items = np.arange(30)
    item = np.concatenate([np.repeat(items[:15], 6), np.repeat(items[15:], 6)])
    rater = np.concatenate([np.tile(np.arange(6), 15), np.tile(np.arange(6, 12), 15)])
    severity, truth = rng.normal(0, 0.8, 12), rng.normal(3, 1, 30)
    value = truth[item] + severity[rater] + rng.normal(0, 0.4, len(item))
    fit = fit_additive(item, rater, value, np.ones(len(item)), 30, 12)
    assert fit.n_components == 2
    effect, se, predicted, (error, _) = fit_mixed_slowly(item, rater, value, 30, 12)
    np.testing.assert_allclose(fit.item, effect, atol=1e-4)
    np.testing.assert_allclose(fit.severity, predicted, atol=1e-4)
    assert fit.error_sd == pytest.approx(error, rel=0.05)
    np.testing.assert_allclose(fit.item_se, se, rtol=0.05)


def test_disjoint_panels_with_missing_cells():
    rng = np.random.default_rng(6)
    item = rng.integers(20, size=160)
    rater = np.where(item < 10, rng.integers(5, size=160), 5 + rng.integers(5, size=160))
    value = rng.normal(3, 1, 20)[item] + rng.normal(0, 0.8, 10)[rater] + rng.normal(0, 0.4, 160)
    keep = np.unique(item * 10 + rater, return_index=True)[1]
    item, rater, value = item[keep], rater[keep], value[keep]
    fit = fit_additive(item, rater, value, np.ones(len(item)), 20, 10)
    effect, se, _, _ = fit_mixed_slowly(item, rater, value, 20, 10)
    np.testing.assert_allclose(fit.item, effect, atol=2e-3)
    np.testing.assert_allclose(fit.item_se, se, rtol=0.05)


def test_estimate_spread():
    rng = np.random.default_rng(7)
    se = rng.uniform(0.5, 1.5, 4000)
    assert estimate_spread(rng.normal(0, 2, 4000) + rng.normal(0, se), se) == pytest.approx(2, abs=0.1)
    assert estimate_spread(0.1 * rng.normal(0, se), se) == 0
    assert estimate_spread(np.zeros(3), np.ones(3)) == 0
