"""The Elo kernel: one game by hand, laws, and where it converges to."""

import numba
import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import expit

from ppaint_stats.kernels.elo import ELO_PER_LOGIT, run_elo, trace_elo


def play(n=6, games=120, seed=0, anchor=0.0, **changes):
    rng = np.random.default_rng(seed)
    strength = np.linspace(-1, 1, n)
    a, b = rng.integers(n, size=(2, games))
    a = np.where(a == b, (a + 1) % n, a)
    score = (rng.random(games) < expit(strength[a] - strength[b])).astype(float)
    score[rng.random(games) < 0.15] = 0.5
    start = 1500 + 60 * strength + rng.normal(0, 20, n)
    options = {"k": 32.0, "n_orders": 50, "random_seed": 1} | changes
    data = (a, b, score, np.ones(games), start, np.full(n, float(anchor)))
    return data, run_elo(*data, **options)


@pytest.mark.parametrize(("score", "advantage"), [(1.0, 0.0), (0.5, 0.0), (0.0, 25.0), (1.0, 25.0)])
def test_one_game_by_hand(score, advantage):
    run = run_elo(
        np.array([0]), np.array([1]), np.array([score]), np.ones(1), np.array([1600.0, 1500.0]), np.zeros(2),
        order_effect=advantage, k=32.0, n_orders=1, max_passes=1, random_seed=0,
    )  # fmt: skip
    expected = 1 / (1 + 10 ** (-(100 + advantage) / 400))
    np.testing.assert_allclose(run.rating, [1600 + 32 * (score - expected), 1500 - 32 * (score - expected)], rtol=1e-12)
    assert run.passes == 1
    assert np.isnan(run.monte_carlo_se).all()


def test_two_passes_by_hand():
    """The second pass has half the step; the anchor is a draw against the start value, once per pass."""
    run = run_elo(
        np.array([0]), np.array([1]), np.ones(1), np.ones(1), np.array([1500.0, 1500.0]), np.array([2.0, 0.0]),
        k=20.0, n_orders=1, max_passes=2, tol=0.0, random_seed=0,
    )  # fmt: skip
    x, y = 1510.0, 1490.0  # the first pull is zero: the item stands at its start

    def expect(d):
        return 1 / (1 + 10 ** (-d / 400))

    step = 1 - expect(x - y)
    x, y = x + 10 * (step + 2 * (0.5 - expect(x - 1500))), y - 10 * step
    np.testing.assert_allclose(run.rating, [x, y], rtol=1e-12)


def test_same_on_any_number_of_threads_and_other_with_another_seed():
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = play()[1]
        if numba.config.NUMBA_NUM_THREADS > 1:
            numba.set_num_threads(2)
        two = play()[1]
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(one.rating, two.rating)
    np.testing.assert_array_equal(one.monte_carlo_se, two.monte_carlo_se)
    assert not np.array_equal(one.rating, play(random_seed=2)[1].rating)


def test_orders_are_permutations_and_differ():
    from ppaint_stats.kernels.elo import _shuffle

    seeds = np.random.SeedSequence(3).generate_state(400, dtype=np.uint64)
    orders = _shuffle(10, seeds)
    assert (np.sort(orders, axis=1) == np.arange(10)).all()
    assert len(np.unique(orders, axis=0)) == 400
    share = np.array([(orders[:, position] == game).mean() for position in range(10) for game in range(10)])
    assert np.abs(share - 0.1).max() < 0.075  # every game comes at every place about as often


def test_without_anchors_points_are_only_exchanged():
    (_, _, _, _, start, _), run = play()
    assert run.rating.sum() == pytest.approx(start.sum(), abs=1e-6)


def test_an_item_without_games_stays():
    (a, b, score, weight, start, _), _ = play()
    run = run_elo(a, b, score, weight, np.r_[start, 1723.0], np.full(7, 5.0), random_seed=1)
    assert run.rating[6] == 1723.0
    assert run.monte_carlo_se[6] == 0


def test_weights_multiply_the_step():
    data, _ = play(games=1)
    a, b, score, _, start, anchor = data
    double = run_elo(a, b, score, np.array([2.0]), start, anchor, k=16.0, n_orders=2, max_passes=1, random_seed=0)
    plain = run_elo(a, b, score, np.array([1.0]), start, anchor, k=32.0, n_orders=2, max_passes=1, random_seed=0)
    np.testing.assert_allclose(double.rating, plain.rating, rtol=1e-12)


@pytest.mark.parametrize("anchor", [0.0, 4.0])
def test_small_steps_reach_the_penalised_bradley_terry_optimum(anchor):
    """Where steps shrink, expected and actual scores balance for every item, virtual draws included."""
    (a, b, score, _, start, weight), run = play(games=200, anchor=anchor, k=24.0, n_orders=40, max_passes=400, tol=0.0)

    def balance(x):
        x = x / ELO_PER_LOGIT
        surprise = score - expit(x[a] - x[b])
        total = np.bincount(a, surprise, 6) - np.bincount(b, surprise, 6)
        total += weight * (0.5 - expit(x - start / ELO_PER_LOGIT))
        return total + (0 if anchor else (x.sum() - start.sum() / ELO_PER_LOGIT))

    optimum = root(balance, start, tol=1e-10).x
    np.testing.assert_allclose(run.rating, optimum, atol=1.0)


def test_monte_carlo_error_is_that_of_the_mean_over_orders():
    means = np.array([play(random_seed=s, max_passes=3)[1].rating for s in range(60)])
    stated = play(random_seed=100, max_passes=3)[1].monte_carlo_se
    ratio = means.std(axis=0, ddof=1) / stated
    assert (ratio > 0.6).all()
    assert (ratio < 1.6).all()


def test_passes_end_when_stable_or_say_that_they_did_not():
    run = play(anchor=4.0, tol=0.5, max_passes=200)[1]
    assert run.converged
    assert run.passes < 200
    assert np.abs(run.trace[-1] - run.trace[-2]).max() < 0.5
    assert len(run.trace) == run.passes + 1
    short = play(max_passes=2, tol=1e-9)[1]
    assert not short.converged
    assert short.passes == 2


def test_heavy_anchors_hold_and_do_not_swing():
    (_, _, _, _, start, _), run = play(anchor=1e6)
    np.testing.assert_allclose(run.rating, start, atol=40)
    gentle = play(anchor=1e6, k=1e-3, max_passes=300)[1]
    np.testing.assert_allclose(gentle.rating, start, atol=1)


def test_traces_end_where_the_run_does():
    data, run = play(anchor=0.5, n_orders=6, max_passes=3, tol=0.0)
    played, traces = trace_elo(*data, n_orders=6, n_passes=3, n_points=7, random_seed=1)
    assert traces.shape == (len(played), 6, 6)
    np.testing.assert_array_equal(played[[0, 7, 14, 21]], [0, 120, 240, 360])
    np.testing.assert_allclose(traces[[0, 7, 14, 21]].mean(axis=1), run.trace, rtol=1e-12)


def test_traces_of_few_games_keep_each_of_them():
    data, _ = play(games=3)
    played, traces = trace_elo(*data, n_orders=2, n_points=50, random_seed=1)
    assert played.tolist() == [0, 1, 2, 3]
    assert (np.abs(np.diff(traces, axis=0)).max(axis=2) > 0).all()
