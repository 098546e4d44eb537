"""The pool: against a plain Markov chain, and whatever data it is given."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr, ndtri

from ppaint_distill.kernels.answers import MAX_CORRELATION, find_patterns, mirror_weights, tabulate_answers
from ppaint_distill.kernels.strengths import PRIOR_MEAN, PRIOR_SD
from ppaint_distill.pool import Pool, check_disjoint, choose_anchors, choose_opponents, fit_pool, load_pool
from ppaint_distill.simulated import SimulatedJudge
from ppaint_stats.errors import ArgumentError, DataError, DisconnectedWarning

NODES, MASS = np.polynomial.legendre.leggauss(24)


def davidson(d: np.ndarray, log_nu: float | np.ndarray) -> np.ndarray:
    """Probabilities of win, tie, loss, last axis."""
    terms = np.stack([np.exp(d / 2), np.exp(log_nu) * np.ones_like(d), np.exp(-d / 2)], axis=-1)
    return terms / terms.sum(axis=-1, keepdims=True)


def plain_loglik(first: np.ndarray, second: np.ndarray, one: np.ndarray, two: np.ndarray, rho) -> np.ndarray:
    """Rectangle of a bivariate normal, by integrating over the first variable; ``one`` and ``two`` are answers."""

    def limits(p: np.ndarray, answer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lose, lose_tie = p[..., 2], p[..., 2] + p[..., 1]
        low = np.where(answer == 2, -9.0, np.where(answer == 1, ndtri(lose), ndtri(lose_tie)))
        high = np.where(answer == 2, ndtri(lose), np.where(answer == 1, ndtri(lose_tie), 9.0))
        return np.clip(low, -9, 9), np.clip(high, -9, 9)

    (a, b), (u, v) = limits(first, one), limits(second, two)
    z = ((b - a)[..., None] * NODES + (b + a)[..., None]) / 2
    own = np.sqrt(1 - np.asarray(rho)[..., None] ** 2)
    shift = np.asarray(rho)[..., None] * z
    inside = ndtr((v[..., None] - shift) / own) - ndtr((u[..., None] - shift) / own)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.log(np.maximum((MASS * density * inside).sum(axis=-1) * (b - a) / 2, 1e-300))


def one_hot(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    weights = np.zeros((len(one), 6))
    weights[np.arange(len(one)), one] = 1
    weights[np.arange(len(one)), 3 + two] = 1
    return weights


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8])
def test_likelihood_of_two_orders_is_a_rectangle_of_a_bivariate_normal(rho: float) -> None:
    d = np.linspace(-4, 4, 17)
    one, two = (x.ravel() for x in np.indices((3, 3)))
    patterns = one_hot(one, two)
    table = tabulate_answers(d, patterns, log_nu=-0.3, order_effect=0.5, correlation=rho)
    first, second = davidson(d + 0.5, -0.3), davidson(d - 0.5, -0.3)
    for k in range(9):
        full = np.full(len(d), one[k]), np.full(len(d), two[k])
        np.testing.assert_allclose(table[k], plain_loglik(first, second, *full, np.full(len(d), rho)), atol=2e-6)
    np.testing.assert_allclose(np.exp(table).sum(axis=0), 1, atol=1e-9)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.98, 1.0])
def test_single_answers_follow_davidson_whatever_is_shared(rho: float) -> None:
    d = np.linspace(-25, 25, 51)
    patterns = np.vstack([np.eye(6), [[1, 0, 0, 0, 1, 0]]])
    table = tabulate_answers(d, patterns, log_nu=0.2, order_effect=-0.4, correlation=rho)
    np.testing.assert_allclose(table[:3].T, np.log(davidson(d - 0.4, 0.2)), atol=1e-6)
    np.testing.assert_allclose(table[3:6].T, np.log(davidson(d + 0.4, 0.2)), atol=1e-6)


def test_shared_noise_turns_two_like_answers_into_one() -> None:
    d = np.linspace(-3, 3, 7)
    like = np.array([[1.0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0]])
    table = tabulate_answers(d, like, log_nu=0.0, order_effect=0.0, correlation=MAX_CORRELATION)
    assert np.abs(table[0] - table[1]).max() < 0.2
    apart = tabulate_answers(d, like, log_nu=0.0, order_effect=0.0, correlation=0.0)
    np.testing.assert_allclose(apart[0], 2 * apart[1], atol=1e-9)


def test_mirrored_answers_have_the_mirrored_likelihood() -> None:
    rng = np.random.default_rng(1)
    weights = one_hot(rng.integers(3, size=6), rng.integers(3, size=6))
    patterns, code = find_patterns(weights)
    np.testing.assert_array_equal(patterns[code], weights)
    d = np.linspace(-2, 2, 5)
    settings = {"log_nu": -0.2, "order_effect": 0.6, "correlation": 0.4}
    there = tabulate_answers(d, weights, **settings)
    np.testing.assert_allclose(tabulate_answers(-d, mirror_weights(weights), **settings), there, atol=1e-9)


def random_pairs(names: list[str], n_pairs: int, seed: int) -> pd.DataFrame:
    first, second = np.triu_indices(len(names), 1)
    chosen = np.random.default_rng(seed).choice(len(first), min(n_pairs, len(first)), replace=False)
    return pd.DataFrame({"a": np.array(names)[first[chosen]], "b": np.array(names)[second[chosen]]})


def make_preferences(n: int = 12, n_pairs: int = 50, seed: int = 1, **judge: float) -> pd.DataFrame:
    strength = dict(
        zip([f"p{i:02d}" for i in range(n)], 2 * np.random.default_rng(seed).standard_normal(n), strict=True)
    )
    judged = SimulatedJudge(**judge)
    return judged.compare(random_pairs(list(strength), n_pairs, seed), strength, random_seed=seed)


@pytest.fixture(scope="module")
def pool() -> Pool:
    return fit_pool(make_preferences(), n_draws=40, progressbar=False)


def run_chain(preferences: pd.DataFrame, items: list[str], *, walkers: int, steps: int, seed: int) -> np.ndarray:
    """Affine-invariant ensemble of walkers on strengths, log sigma, log nu, delta, zeta; second half of all steps."""
    n = len(items)
    place = {item: k for k, item in enumerate(items)}
    code = {"A": 0, "TIE": 1, "B": 2}
    table: dict[tuple[int, int], list[int]] = {}
    for row in preferences.itertuples():
        a, b = place[row.item_a], place[row.item_b]
        pair = table.setdefault((min(a, b), max(a, b)), [0, 0])
        pair[int(a > b)] = code[row.outcome] if a < b else 2 - code[row.outcome]
    i, j = np.array(list(table)).T
    one, two = np.array(list(table.values())).T

    def log_density(x: np.ndarray) -> np.ndarray:
        strength, eta = x[:, :n], x[:, n:]
        d = strength[:, i] - strength[:, j]
        nu, delta = eta[:, 1:2], eta[:, 2:3]
        rho = np.repeat(MAX_CORRELATION / (1 + np.exp(-eta[:, 3:])), len(i), axis=1)
        answers = np.broadcast_to(one, d.shape), np.broadcast_to(two, d.shape)
        found = plain_loglik(davidson(d + delta, nu), davidson(d - delta, nu), *answers, rho).sum(axis=1)
        found -= n * eta[:, 0] + (strength**2).sum(axis=1) / (2 * np.exp(2 * eta[:, 0]))
        return found - (((eta - PRIOR_MEAN) / PRIOR_SD) ** 2).sum(axis=1) / 2

    rng = np.random.default_rng(seed)
    x = np.hstack([rng.standard_normal((walkers, n)), PRIOR_MEAN + 0.5 * rng.standard_normal((walkers, 4))])
    value, kept = log_density(x), []
    half = walkers // 2
    for step in range(steps):
        for own, others in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
            stretch = (1 + rng.random(half)) ** 2 / 2
            centre = x[others][rng.integers(half, size=half)]
            trial = centre + stretch[:, None] * (x[own] - centre)
            found = log_density(trial)
            taken = np.log(rng.random(half)) < (x.shape[1] - 1) * np.log(stretch) + found - value[own]
            x[own] = np.where(taken[:, None], trial, x[own])
            value[own] = np.where(taken, found, value[own])
        if step >= steps // 2:
            kept.append(x.copy())
    return np.concatenate(kept)


@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_posterior_is_that_of_a_plain_markov_chain(shared: float) -> None:
    preferences = make_preferences(5, 10, seed=4, shared=shared)
    found = fit_pool(preferences, n_draws=300, progressbar=False)
    cell = found.cells[0]
    items = found.items(*cell).tolist()
    chain = run_chain(preferences, items, walkers=60, steps=700, seed=2)
    strength = chain[:, :5] - chain[:, :5].mean(axis=1, keepdims=True)
    draws = found.draws[cell]
    np.testing.assert_allclose(draws.mean(axis=0), strength.mean(axis=0), atol=0.3 * strength.std())
    np.testing.assert_allclose(draws.std(axis=0), strength.std(axis=0), rtol=0.25)
    parameters = found.parameter_draws[cell]
    eta = {"log_nu": chain[:, 6], "order_effect": chain[:, 7], "prior_sd": np.exp(chain[:, 5])}
    for name, values in eta.items():
        assert abs(parameters[name].mean() - values.mean()) < 0.35 * values.std(), name
        assert 0.7 < parameters[name].std() / values.std() < 1.4, name


def test_same_seed_same_pool(pool: Pool) -> None:
    again = fit_pool(make_preferences(), n_draws=40, progressbar=False)
    for cell in pool.cells:
        np.testing.assert_array_equal(again.draws[cell], pool.draws[cell])
        pd.testing.assert_frame_equal(again.parameter_draws[cell], pool.parameter_draws[cell])
    other = fit_pool(make_preferences(), n_draws=40, random_seed=1, progressbar=False)
    assert not np.array_equal(other.draws[pool.cells[0]], pool.draws[pool.cells[0]])


def test_pool_survives_a_file(pool: Pool, tmp_path: Path) -> None:
    found = load_pool(pool.save(tmp_path / "pool.npz"))
    assert repr(found) == repr(pool) == "Pool(12 images, 1 cell(s), 40 draws)"
    pd.testing.assert_frame_equal(found.strengths, pool.strengths, check_dtype=False)
    pd.testing.assert_frame_equal(found.parameters, pool.parameters, check_dtype=False)
    for cell in pool.cells:
        np.testing.assert_array_equal(found.draws[cell], pool.draws[cell])
        pd.testing.assert_frame_equal(found.parameter_draws[cell], pool.parameter_draws[cell])
    (tmp_path / "text").write_text("hello")
    np.savez(tmp_path / "other.npz", about=np.array('{"format": "x"}'))
    for name, message in (("text", "no file that Pool"), ("none", "no such"), ("other.npz", "holds no pool")):
        with pytest.raises(DataError, match=message):
            load_pool(tmp_path / name)


def test_strengths_are_centred_and_ordered_as_the_draws(pool: Pool) -> None:
    draws = pool.draws[pool.cells[0]]
    np.testing.assert_allclose(draws.mean(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(pool.strengths["strength"], draws.mean(axis=0))
    assert pool.items("all", "overall").tolist() == pool.strengths["item"].tolist()
    assert pool.parameters.loc[0, "n_both_orders"] == 50
    assert 0 < pool.parameters.loc[0, "same_answer"] < 1


@pytest.mark.parametrize("kind", ["no ties", "only ties", "first always wins", "perfect order", "one order", "count"])
def test_every_judge_has_finite_strengths(kind: str) -> None:
    frame = make_preferences(8, 20)
    if kind == "no ties":
        frame = frame[frame["outcome"] != "TIE"]
    elif kind == "only ties":
        frame["outcome"] = "TIE"
    elif kind == "first always wins":
        frame["outcome"] = "A"
    elif kind == "perfect order":
        frame["outcome"] = np.where(frame["item_a"] < frame["item_b"], "A", "B")
    elif kind == "one order":
        frame = frame.iloc[:20]
    else:
        frame["count"] = 3
    found = fit_pool(frame, n_draws=20, progressbar=False)
    assert np.isfinite(found.draws[found.cells[0]]).all()
    assert np.isfinite(found.parameter_draws[found.cells[0]].to_numpy()).all()
    if kind == "perfect order":
        assert found.strengths["strength"].rank(ascending=False).sub(np.arange(1, 9)).abs().max() <= 1
    if kind == "first always wins":
        assert found.parameters.loc[0, "order_effect"] > 1.5
    if kind == "one order":
        assert np.isnan(found.parameters.loc[0, "same_answer"])


def test_consistency_of_the_orders_is_estimated() -> None:
    found = [fit_pool(make_preferences(20, 120, shared=shared), n_draws=40, progressbar=False) for shared in (0.0, 0.9)]
    fresh, shared = (pool.parameters.loc[0, "order_correlation"] for pool in found)
    assert fresh < 0.35
    assert shared > 0.75
    # twice the same answer is less evidence than two answers
    assert found[1].strengths["sd"].mean() > 1.1 * found[0].strengths["sd"].mean()
    fixed = fit_pool(make_preferences(), n_draws=20, order_correlation=0.0, progressbar=False)
    assert (fixed.parameter_draws["all", "overall"]["order_correlation"] == 0).all()


def test_votes_share_the_weight_of_one_answer() -> None:
    once = make_preferences(8, 28)
    thrice = pd.concat([once.assign(trial=k) for k in range(3)], ignore_index=True)
    a, b = (fit_pool(frame, n_draws=20, progressbar=False) for frame in (once, thrice))
    np.testing.assert_allclose(a.draws["all", "overall"], b.draws["all", "overall"])


def test_parts_that_nothing_connects_are_reported() -> None:
    frame = pd.DataFrame({"item_a": list("abcd"), "item_b": list("badc"), "outcome": ["A", "B", "A", "B"]})
    with pytest.warns(DisconnectedWarning, match="fall into 2 parts"):
        fit_pool(frame, n_draws=20, progressbar=False)


def test_arguments_of_the_fit() -> None:
    with pytest.raises(ArgumentError, match="n_draws"):
        fit_pool(make_preferences(), n_draws=3)
    with pytest.raises(ArgumentError, match="order_correlation"):
        fit_pool(make_preferences(), order_correlation=1.5)
    with pytest.raises(DataError, match="at least 3"):
        fit_pool(pd.DataFrame({"item_a": ["x"], "item_b": ["y"], "outcome": ["A"]}), progressbar=False)


def test_images_in_both_sets_are_named() -> None:
    check_disjoint({"p": "1"}, {"t": "2"})
    with pytest.raises(DataError, match=r"1 image.*'p' = 't'"):
        check_disjoint({"p": "1", "q": "3"}, {"t": "1", "u": "2"})


def test_opponents_are_spread_and_balanced(pool: Pool) -> None:
    new = [f"n{i}" for i in range(60)]
    chosen = choose_opponents(new, pool, n_comparisons=5, random_seed=1)
    assert chosen["item"].tolist() == np.repeat(new, 5).tolist()
    assert not chosen.duplicated().any()
    used = chosen["opponent"].value_counts()
    assert len(used) == 12
    assert used.max() - used.min() <= 8  # 25 each on average
    rank = pool.strengths.set_index("item")["strength"].rank()
    places = chosen.assign(rank=chosen["opponent"].map(rank)).groupby("item")["rank"]
    assert (places.min() <= 3).all()
    assert (places.max() >= 10).all()
    pd.testing.assert_frame_equal(chosen, choose_opponents(new, pool, n_comparisons=5, random_seed=1))
    everyone = choose_opponents(["n"], pool, n_comparisons=12)
    assert set(everyone["opponent"]) == set(pool.items("all", "overall"))


def test_anchors_are_spread_over_the_order(pool: Pool) -> None:
    found = choose_anchors(pool, n_anchors=5)
    strength = pool.strengths["strength"]
    assert found["strength"].is_monotonic_increasing
    assert (found["strength"].iloc[0], found["strength"].iloc[-1]) == (strength.min(), strength.max())
    assert not found["item"].duplicated().any()
    with pytest.raises(ArgumentError, match="more than the 12"):
        choose_anchors(pool, n_anchors=13)


def test_opponents_that_cannot_be_chosen(pool: Pool) -> None:
    with pytest.raises(ArgumentError, match="more than the pool's 12"):
        choose_opponents(["n"], pool, n_comparisons=13)
    with pytest.raises(DataError, match="names of pool images"):
        choose_opponents(["p01"], pool, n_comparisons=3)
    with pytest.raises(DataError, match="more than once"):
        choose_opponents(["n", "n"], pool, n_comparisons=3)
    with pytest.raises(ArgumentError, match="not in the pool"):
        choose_opponents(["n"], pool, n_comparisons=3, category="birds")
