"""Likelihoods of judgments and the blocks of the joint density: slow references, numerical gradients."""

import numpy as np
import pytest
from scipy.special import expit, log_expit, logsumexp
from scipy.stats import gumbel_l, multivariate_normal, norm, t

from ppaint_stats.joint.density import find_runs
from ppaint_stats.joint.encoding import SQUEEZE, find_chance
from ppaint_stats.kernels.densities import (
    BLUNT,
    HEAVY,
    NORMAL,
    correlate_rows,
    correlate_rows_back,
    factor_logp,
    hierarchy,
    hierarchy_back,
    rows_logp,
    unpack_factor,
)
from ppaint_stats.kernels.judgments import davidson_logp, exp_half, normal_logp, ordinal_logp


def differentiate(f, x, step=1e-5):
    """Gradient by central differences, in the shape of ``x``."""
    out = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        out[i] = (f(up) - f(down)) / (2 * step)
    return out


def make_comparisons(rng, *, n=400, n_groups=6, n_raters=3, weighted=False):
    """Comparisons, as `davidson_slowly` takes them; groups lie within raters, as tie parameters do."""
    group = np.sort(rng.integers(n_groups, size=n))
    a, b = rng.integers(30, size=(2, n))
    weight = rng.choice([0.5, 1.0, 1.0, 3.0], size=n) if weighted else np.ones(n)
    return a, b, group, group * n_raters // n_groups, rng.integers(3, size=n), weight


def put_in_runs(a, b, group, rater, outcome, weight):
    """The same comparisons as the compiled function takes them, in runs."""
    run, of_run = find_runs(group)
    weight = np.zeros(0) if (weight == 1).all() else weight
    return a.astype(np.int32), b.astype(np.int32), outcome.astype(np.int8), weight, run, of_run, rater[run[:-1]]


def mix_slowly(own, chance, lapse):
    """Logarithm of a mixture of attentive answers and lapses, and the probability that an answer was attentive."""
    parts = np.stack([own + log_expit(-lapse), chance + log_expit(lapse)])
    value = logsumexp(parts, axis=0)
    return value, np.exp(parts[0] - value)


def davidson_slowly(v, log_nu, position, lapse, a, b, group, rater, outcome, weight):
    d = v[a] - v[b] + position[rater]
    scores = np.column_stack([d / 2, log_nu[group], -d / 2])
    rows = np.arange(len(a))
    logp, share = mix_slowly(scores[rows, outcome] - logsumexp(scores, axis=1), -np.log(3), lapse[rater])
    by_scores = np.eye(3)[outcome] - np.exp(scores - logsumexp(scores, axis=1, keepdims=True))
    by_scores *= (weight * share)[:, None]
    by_d = (by_scores[:, 0] - by_scores[:, 2]) / 2
    by_v = np.zeros(len(v))
    np.add.at(by_v, a, by_d)
    np.add.at(by_v, b, -by_d)
    by_nu = np.bincount(group, by_scores[:, 1], minlength=len(log_nu))
    by_lapse = np.bincount(rater, weight * (expit(-lapse[rater]) - share), minlength=len(lapse))
    return weight @ logp, by_v, by_nu, np.bincount(rater, by_d, minlength=len(position)), by_lapse


LAPSES = np.array([-25.0, -3.0, 0.5])


@pytest.mark.parametrize("spread", [0.0, 1.0, 20.0, 200.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_davidson_equals_the_softmax_of_three_outcomes(spread, weighted):
    rng = np.random.default_rng(1)
    v = rng.uniform(-spread, spread, size=30)
    if spread:
        v[:4] = [spread, -spread, 2 * spread, -2 * spread]  # +-400 at the widest
    log_nu, position = rng.normal(-1, 1, size=6), rng.normal(0, 0.5, size=3)
    arguments = make_comparisons(rng, weighted=weighted)
    found = davidson_logp(v, log_nu, position, LAPSES, *put_in_runs(*arguments))
    expected = davidson_slowly(v, log_nu, position, LAPSES, *arguments)
    scale = arguments[-1].sum()
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-14 * scale)


@pytest.mark.parametrize("lapse", [-100.0, -4.0, 2.0])
@pytest.mark.parametrize("log_nu", [-30.0, 0.0, 5.0])
@pytest.mark.parametrize("d", [-800.0, -3.0, 0.0, 3.0, 800.0])
def test_davidson_one_comparison(d, log_nu, lapse):
    one, place = np.ones(1), np.zeros(1, dtype=np.int64)
    for outcome in range(3):
        parameters = np.array([d / 2, -d / 2]), np.array([log_nu]), np.zeros(1), np.array([lapse])
        arguments = place, place + 1, place, place, place + outcome, one
        found = davidson_logp(*parameters, *put_in_runs(*arguments))
        for left, right in zip(found, davidson_slowly(*parameters, *arguments), strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-13)


def test_davidson_gradient_is_the_derivative_of_its_value():
    rng = np.random.default_rng(2)
    v, log_nu, position = rng.normal(size=30), rng.normal(-1, 1, size=6), rng.normal(size=3)
    arguments = put_in_runs(*make_comparisons(rng, weighted=True))
    lapse = np.array([-4.0, -1.0, 0.5])
    _, *gradients = davidson_logp(v, log_nu, position, lapse, *arguments)
    numerical = (
        differentiate(lambda z: davidson_logp(z, log_nu, position, lapse, *arguments)[0], v),
        differentiate(lambda z: davidson_logp(v, z, position, lapse, *arguments)[0], log_nu),
        differentiate(lambda z: davidson_logp(v, log_nu, z, lapse, *arguments)[0], position),
        differentiate(lambda z: davidson_logp(v, log_nu, position, z, *arguments)[0], lapse),
    )
    for left, right in zip(gradients, numerical, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)


def test_davidson_does_not_depend_on_the_order_of_comparisons():
    rng = np.random.default_rng(3)
    v, log_nu, position = rng.normal(size=30), rng.normal(-1, 1, size=6), rng.normal(size=3)
    arguments = make_comparisons(rng)
    order = rng.permutation(len(arguments[0]))
    found = davidson_logp(v, log_nu, position, LAPSES, *put_in_runs(*(column[order] for column in arguments)))
    for left, right in zip(found, davidson_logp(v, log_nu, position, LAPSES, *put_in_runs(*arguments)), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12)


def test_exp_half_is_exact_to_rounding_from_0_to_1400():
    size = np.concatenate([np.linspace(0, 1400, 200_001), np.random.default_rng(4).exponential(2.0, size=1000)])
    out = np.zeros(len(size))
    exp_half(size, out)
    np.testing.assert_allclose(out, np.exp(-size / 2), rtol=2e-15)
    assert out[0] == 1.0


def test_exp_half_of_huge_sizes_is_tiny_and_finite():
    out = np.zeros(3)
    exp_half(np.array([1500.0, 1e6, np.inf]), out)
    assert np.all((out >= 0) & (out < 1e-300))


def ordinal_slowly(eta, kappa, lapse, dimension, rater, level):
    """Log-likelihood from log sigma(u) + log sigma(-l) + log(1 - exp(l - u)), with infinite outer thresholds."""
    edges = np.column_stack([np.full(len(kappa), -np.inf), kappa, np.full(len(kappa), np.inf)])
    low, high = edges[dimension, level], edges[dimension, level + 1]
    own = log_expit(high - eta) + log_expit(eta - low) + np.log(-np.expm1(low - high))
    logp, share = mix_slowly(own, -np.log(kappa.shape[1] + 1), lapse[rater])
    by_eta = share * (expit(low - eta) - expit(eta - high))
    by_edges = np.zeros(edges.shape)
    inner = np.exp(low - high) / -np.expm1(low - high)
    np.add.at(by_edges, (dimension, level + 1), share * (expit(eta - high) + inner))
    np.add.at(by_edges, (dimension, level), -share * (expit(low - eta) + inner))
    by_lapse = np.bincount(rater, expit(-lapse[rater]) - share, minlength=len(lapse))
    return logp.sum(), by_eta, by_edges[:, 1:-1], by_lapse


@pytest.mark.parametrize("spread", [1.0, 30.0, 700.0])
@pytest.mark.parametrize("levels", [2, 3, 5, 11])
def test_ordinal_equals_the_cumulative_logit(levels, spread):
    rng = np.random.default_rng(levels)
    kappa = np.sort(rng.normal(size=(3, levels - 1)), axis=1) + 0.05 * np.arange(levels - 1)
    eta = rng.uniform(-spread, spread, size=500)
    dimension, rater, level = rng.integers(3, size=500), rng.integers(3, size=500), rng.integers(levels, size=500)
    found = ordinal_logp(eta, kappa, LAPSES, dimension, rater, level)
    for left, right in zip(found, ordinal_slowly(eta, kappa, LAPSES, dimension, rater, level), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-11)
    if spread == 1.0:
        edges = np.column_stack([np.zeros(3), np.ones(3)])
        share = np.hstack([edges[:, :1], expit(kappa), edges[:, 1:]])  # at eta = 0, straight from the definition
        plain = np.log(share[dimension, level + 1] - share[dimension, level]).sum()
        never = np.full(3, -200.0)
        value = ordinal_logp(np.zeros(500), kappa, never, dimension, rater, level)[0]
        assert value == pytest.approx(plain, rel=1e-10)


def test_ordinal_gradient_is_the_derivative_of_its_value():
    rng = np.random.default_rng(5)
    kappa = np.sort(rng.normal(size=(2, 4)), axis=1) + 0.3 * np.arange(4)
    eta, dimension, level = rng.normal(size=60), rng.integers(2, size=60), rng.integers(5, size=60)
    lapse, codes = np.array([-4.0, 0.5]), (dimension, rng.integers(2, size=60), level)
    _, *gradients = ordinal_logp(eta, kappa, lapse, *codes)
    numerical = (
        differentiate(lambda z: ordinal_logp(z, kappa, lapse, *codes)[0], eta),
        differentiate(lambda z: ordinal_logp(eta, z, lapse, *codes)[0], kappa),
        differentiate(lambda z: ordinal_logp(eta, kappa, z, *codes)[0], lapse),
    )
    for left, right in zip(gradients, numerical, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)


def test_ordinal_shares_sum_to_one():
    kappa = np.array([[-1.0, 0.2, 0.21, 3.0]])
    zeros = np.zeros(1, dtype=np.int64)
    for lapse in (-60.0, -1.0, 40.0):
        codes = [(zeros, zeros, zeros + k) for k in range(5)]
        shares = [np.exp(ordinal_logp(np.array([0.7]), kappa, np.array([lapse]), *code)[0]) for code in codes]
        assert sum(shares) == pytest.approx(1, abs=1e-14)
        if lapse > 0:
            np.testing.assert_allclose(shares, 0.2, rtol=1e-12)


def test_normal_equals_scipy():
    rng = np.random.default_rng(6)
    eta, answer, rater = rng.normal(size=200), rng.normal(size=200), rng.integers(4, size=200)
    log_noise, lapse, chance = rng.normal(size=4), np.array([-20.0, -3.0, -1.0, 1.0]), rng.uniform(0.05, 0.25, 200)
    value, *gradients = normal_logp(eta, log_noise, lapse, rater, answer, chance)
    own = norm.logpdf(answer, eta, np.exp(log_noise)[rater])
    assert value == pytest.approx(mix_slowly(own, np.log(chance), lapse[rater])[0].sum(), rel=1e-13)
    numerical = (
        differentiate(lambda z: normal_logp(z, log_noise, lapse, rater, answer, chance)[0], eta),
        differentiate(lambda z: normal_logp(eta, z, lapse, rater, answer, chance)[0], log_noise),
        differentiate(lambda z: normal_logp(eta, log_noise, z, rater, answer, chance)[0], lapse),
    )
    for left, right in zip(gradients, numerical, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)


def test_a_lapse_on_a_continuous_scale_is_uniform_on_the_scale():
    share = np.linspace(SQUEEZE, 1 - SQUEEZE, 2001)
    logits = np.log(share) - np.log1p(-share)
    assert np.trapezoid(find_chance(logits), logits) == pytest.approx(1, rel=1e-5)


def make_factor(n, rng):
    """Packed rows of a lower triangular factor."""
    return 0.4 * rng.normal(size=n * (n + 1) // 2)


def pack(matrix):
    return matrix[np.tril_indices(len(matrix))]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_unpacked_factor_and_its_inverse(n):
    packed = make_factor(n, np.random.default_rng(n))
    factor, inverse = unpack_factor(packed, n)
    expected = np.zeros((n, n))
    expected[np.tril_indices(n)] = packed
    np.fill_diagonal(expected, np.exp(np.diag(expected)))
    np.testing.assert_allclose(factor, expected, rtol=1e-14)
    np.testing.assert_allclose(factor @ inverse, np.eye(n), atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_rows_equal_scipys_normal(n):
    rng = np.random.default_rng(10 + n)
    packed, rows = make_factor(n, rng), rng.normal(size=(8, n))

    def evaluate(p, deviation):
        factor, inverse = unpack_factor(p, n)
        by_factor = np.zeros((n, n))
        return (*rows_logp(deviation, factor, inverse, by_factor), factor, by_factor)

    value, by_rows, factor, by_factor = evaluate(packed, rows)
    assert value == pytest.approx(multivariate_normal(np.zeros(n), factor @ factor.T).logpdf(rows).sum(), rel=1e-12)
    np.testing.assert_allclose(by_rows, -np.linalg.solve(factor @ factor.T, rows.T).T, rtol=1e-11, atol=1e-12)
    np.fill_diagonal(by_factor, np.diag(by_factor) * np.diag(factor))  # the diagonal is packed by logarithms
    by_packed = differentiate(lambda p: evaluate(p, rows)[0], packed)
    np.testing.assert_allclose(pack(by_factor), by_packed, rtol=1e-6, atol=1e-6)


def test_rows_add_to_the_gradient_by_the_factor():
    factor, inverse = unpack_factor(make_factor(3, np.random.default_rng(7)), 3)
    fresh, filled = np.zeros((3, 3)), np.ones((3, 3))
    for by_factor in (fresh, filled):
        rows_logp(np.ones((4, 3)), factor, inverse, by_factor)
    np.testing.assert_allclose(np.tril(filled), np.tril(fresh + 1), rtol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_factor_prior_gradient(n):
    rng = np.random.default_rng(20 + n)
    packed, slope = make_factor(n, rng), np.tril(rng.normal(size=(n, n)))

    def evaluate(p, gradient):
        factor, _ = unpack_factor(p, n)
        return factor_logp(factor, slope, 2.5, np.log(0.7), 0.6, gradient) + (slope * factor).sum()

    gradient = np.zeros(len(packed))
    evaluate(packed, gradient)
    numerical = differentiate(lambda p: evaluate(p, np.zeros(len(packed))), packed)
    np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("eta", [1.0, 3.0])
def test_factor_prior_is_lkj_times_lognormal_spreads(eta):
    """Up to a constant: log density of spreads and correlation, times the Jacobian, which is found numerically."""
    rng = np.random.default_rng(8)

    def describe(p):
        factor, _ = unpack_factor(p, 3)
        sd = np.linalg.norm(factor, axis=1)
        corr = (factor / sd[:, None]) @ (factor / sd[:, None]).T
        return np.concatenate([sd, corr[np.tril_indices(3, -1)]]), corr

    def expected(p):
        values, corr = describe(p)
        jacobian = np.array([differentiate(lambda q, k=k: describe(q)[0][k], p) for k in range(6)])
        spreads = norm.logpdf(np.log(values[:3]), np.log(0.7), 0.6).sum() - np.log(values[:3]).sum()
        return spreads + (eta - 1) * np.linalg.slogdet(corr)[1] + np.linalg.slogdet(jacobian)[1]

    def found(p):
        return factor_logp(unpack_factor(p, 3)[0], np.zeros((3, 3)), eta, np.log(0.7), 0.6, np.zeros(6))

    gaps = [found(p) - expected(p) for p in (make_factor(3, rng) for _ in range(5))]
    np.testing.assert_allclose(gaps, gaps[0], atol=1e-6)


def test_correlated_rows_and_their_gradient():
    rng = np.random.default_rng(9)
    raw, factor, flow = rng.normal(size=(6, 3)), np.tril(rng.normal(size=(3, 3))), rng.normal(size=(6, 3))
    np.testing.assert_allclose(correlate_rows(raw, factor), raw @ factor.T, rtol=1e-13, atol=1e-14)
    by_raw, by_factor = np.zeros((6, 3)), np.zeros((3, 3))
    correlate_rows_back(raw, factor, flow, by_raw, by_factor)
    np.testing.assert_allclose(by_raw, flow @ factor, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(by_factor, np.tril(flow.T @ raw), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("n_means", [1, 3, 12])
@pytest.mark.parametrize("tails", [NORMAL, HEAVY, BLUNT])
@pytest.mark.parametrize("centred", [False, True])
def test_hierarchy_and_its_gradient(centred, tails, n_means):
    rng = np.random.default_rng(11)
    x, mean, log_sd, flow = rng.normal(size=12), rng.normal(size=n_means), -0.4, rng.normal(size=12)
    middle, sd = np.repeat(mean, 12 // n_means), np.exp(log_sd)

    values, total = hierarchy(x, mean, log_sd, centred, tails)
    blunt = gumbel_l(loc=np.euler_gamma * np.sqrt(6) / np.pi, scale=np.sqrt(6) / np.pi)
    law = {NORMAL: norm, HEAVY: t(4), BLUNT: blunt}[tails]
    density = law.logpdf((x - middle) / sd).sum() - 12 * log_sd if centred else law.logpdf(x).sum()
    assert total == pytest.approx(density, rel=1e-13)
    np.testing.assert_allclose(values, x if centred else middle + sd * x, rtol=1e-14)

    def score(x, mean, log_sd):
        values, total = hierarchy(x, mean, log_sd, centred, tails)
        return total + flow @ values

    by_x, by_mean = np.zeros(12), np.zeros(n_means)
    by_log_sd = hierarchy_back(x, mean, log_sd, centred, tails, flow, by_x, by_mean)
    np.testing.assert_allclose(by_x, differentiate(lambda z: score(z, mean, log_sd), x), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(by_mean, differentiate(lambda z: score(x, z, log_sd), mean), rtol=1e-6, atol=1e-6)
    numerical = (score(x, mean, log_sd + 1e-5) - score(x, mean, log_sd - 1e-5)) / 2e-5
    assert by_log_sd == pytest.approx(numerical, rel=1e-6)


def test_hierarchy_without_values():
    for centred in (False, True):
        values, total = hierarchy(np.zeros(0), np.zeros(1), 0.3, centred, NORMAL)
        assert len(values) == 0
        assert total == 0
        assert hierarchy_back(np.zeros(0), np.zeros(0), 0.3, centred, NORMAL, values, values, values) == 0
