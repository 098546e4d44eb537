"""Votes: several answers of one judge to one question, as observations of one rater."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm

from ppaint_distill.comparisons import gather_pairs
from ppaint_distill.evaluate import majority_vote
from ppaint_distill.judge import draw_pairs
from ppaint_distill.kernels.answers import find_patterns, tabulate_answers
from ppaint_distill.pool import choose_opponents, fit_pool
from ppaint_distill.pseudo import score_against_pool
from ppaint_distill.simulated import SimulatedJudge
from ppaint_stats.errors import ArgumentError

CELL = ("all", "overall")


def limits(d: float, log_nu: float, answer: int) -> tuple[float, float]:
    """Where a normal variable lies for an answer: 0 wins, 1 ties, 2 loses."""
    worth = np.exp([-d / 2, log_nu, d / 2])
    lose, tie, _ = worth / worth.sum()
    ends = [-np.inf, norm.ppf(lose), norm.ppf(lose + tie), np.inf]
    return ends[2 - answer], ends[3 - answer]


def rectangle(d: float, answers: list[tuple[int, int]], *, log_nu: float, effect: float, rho: float) -> float:
    """Chance of (order, answer) after (order, answer): a rectangle of a normal with equal correlations."""
    ends = [limits(d + (effect, -effect)[order], log_nu, answer) for order, answer in answers]
    cov = np.full((len(ends), len(ends)), rho) + (1 - rho) * np.eye(len(ends))
    total = 0.0
    for corner in product((0, 1), repeat=len(ends)):
        at = [np.clip(end[side], -8, 8) for end, side in zip(ends, corner, strict=True)]
        value = multivariate_normal(cov=cov, abseps=1e-9, releps=1e-9, seed=1).cdf(at)
        total += (-1) ** (len(ends) - sum(corner)) * value
    return total


@pytest.mark.parametrize("rho", [0.2, 0.7])
def test_votes_are_a_rectangle_of_a_normal_with_a_shared_part(rho: float) -> None:
    about = {"log_nu": -0.4, "effect": 0.6, "rho": rho}
    answers = [(0, 0), (0, 1), (1, 0)]
    weights = np.zeros((1, 6))
    for order, answer in answers:
        weights[0, 3 * order + answer] += 1
    for d in (-1.0, 0.3):
        table = tabulate_answers(np.array([d]), weights, log_nu=-0.4, order_effect=0.6, correlation=rho)
        assert np.exp(table[0, 0]) == pytest.approx(rectangle(d, answers, **about), rel=2e-3)


def test_chances_of_all_votes_sum_to_one() -> None:
    """Patterns of two votes in each order, weighted by the number of sequences that give them."""
    sequences = list(product(range(3), repeat=4))
    weights = np.zeros((len(sequences), 6))
    for row, (a, b, c, e) in enumerate(sequences):
        for place in (a, b, 3 + c, 3 + e):
            weights[row, place] += 1
    patterns, code = find_patterns(weights)
    table = tabulate_answers(np.linspace(-3, 3, 5), patterns, log_nu=-0.5, order_effect=0.4, correlation=0.5)
    np.testing.assert_allclose(np.exp(table)[code].sum(axis=0), 1, atol=1e-8)


def test_weights_of_any_size_are_powers() -> None:
    rng = np.random.default_rng(1)
    patterns = rng.random((5, 6)) * 3
    table = tabulate_answers(np.array([0.7]), patterns, log_nu=-0.5, order_effect=0.2, correlation=0.0)
    worths = [np.exp([x / 2, -0.5, -x / 2]) for x in (0.9, 0.5)]
    logs = np.concatenate([np.log(worth / worth.sum()) for worth in worths])
    np.testing.assert_allclose(table[:, 0], patterns @ logs, atol=1e-9)


def make_votes(votes: int, *, shared: float, n: int = 16, seed: int = 3) -> tuple[pd.DataFrame, pd.Series]:
    names = [f"i{k:02d}" for k in range(n)]
    strength = pd.Series(np.random.default_rng(seed).standard_normal(n), index=names)
    pairs = draw_pairs(names, n_opponents=8, random_seed=seed)
    judge = SimulatedJudge(order_effect=0.8, shared=shared)
    return judge.compare(pairs, strength.to_dict(), votes=votes, random_seed=seed), strength


def test_votes_are_counted_or_share_the_weight_of_one() -> None:
    frame, _ = make_votes(3, shared=0.3)
    counted, shared = gather_pairs(frame, votes="count")[CELL], gather_pairs(frame)[CELL]
    assert (counted.weights.reshape(-1, 2, 3).sum(axis=2) == 3).all()
    np.testing.assert_allclose(counted.weights / 3, shared.weights)
    assert (counted.in_both_orders == shared.in_both_orders).all()
    with pytest.raises(ArgumentError, match="votes='all' is not allowed"):
        fit_pool(frame, votes="all", progressbar=False)


def test_position_bias_and_correlation_are_found_and_votes_tell_more() -> None:
    frame, strength = make_votes(6, shared=0.3)
    pools = {name: fit_pool(frame, n_draws=60, votes=name, progressbar=False) for name in ("share", "count")}
    about = pools["count"].parameters.iloc[0]
    assert abs(about["order_effect"] - 0.8) < 4 * about["order_effect_sd"] < 0.8
    assert abs(about["order_correlation"] - 0.3) < 0.2
    assert about["same_answer"] == pytest.approx(pools["share"].parameters.loc[0, "same_answer"])
    assert pools["count"].strengths["sd"].mean() < 0.95 * pools["share"].strengths["sd"].mean()
    found = pools["count"].strengths.set_index("item")
    z = (found["strength"] - (strength - strength.mean())) / found["sd"]
    assert 0.3 < (z**2).mean() < 2.2  # 1 is expected, and the root of 16 images' variance is a third


def test_position_bias_is_taken_out_where_pairs_have_one_order() -> None:
    """Images alike, of which some stand first more often: shares of wins take that for strength, the fit does not."""
    names = [f"i{k:02d}" for k in range(16)]
    pairs = pd.DataFrame([(a, b) for a in names for b in names if a < b], columns=["item", "opponent"])
    judge = SimulatedJudge(order_effect=2.0, shared=0.0)
    both = judge.compare(pairs, dict.fromkeys(names, 0.0), random_seed=1)
    rng = np.random.default_rng(1)
    first = np.where(rng.random(len(pairs)) < 0.85, pairs["item"], pairs["opponent"])
    shown = dict(zip(map(frozenset, pairs.to_numpy().tolist()), first, strict=True))
    one = both[[shown[frozenset(row)] == row[0] for row in both[["item_a", "item_b"]].to_numpy().tolist()]]
    assert len(one) == len(pairs)
    naive = majority_vote(one).set_index("item")["score"].loc[names]
    fit = fit_pool(one, n_draws=40, progressbar=False)
    found = fit.strengths.set_index("item").loc[names]
    assert abs(fit.parameters.loc[0, "order_effect"] - 2.0) < 4 * fit.parameters.loc[0, "order_effect_sd"]
    place = np.arange(16)
    assert naive.corr(pd.Series(place, names), "spearman") < -0.9
    assert abs(found["strength"].corr(pd.Series(place, names), "spearman")) < 0.5
    assert (found["strength"].abs() < 3 * found["sd"]).all()


def test_a_judge_who_repeats_himself_is_one_witness() -> None:
    once, _ = make_votes(1, shared=0.98, n=12)
    often = pd.concat([once.assign(trial=k + 1) for k in range(3)], ignore_index=True)
    one, three = (fit_pool(frame, n_draws=30, votes="count", progressbar=False) for frame in (once, often))
    assert three.parameters.loc[0, "order_correlation"] > 0.9
    assert three.strengths["sd"].mean() == pytest.approx(one.strengths["sd"].mean(), rel=0.25)


def test_new_images_are_read_as_the_pool_was() -> None:
    frame, strength = make_votes(4, shared=0.3)
    judge = SimulatedJudge(order_effect=0.8, shared=0.3)
    spread = {}
    for votes in ("share", "count"):
        pool = fit_pool(frame, n_draws=30, votes=votes, progressbar=False)
        pairs = choose_opponents(["new"], pool, n_comparisons=8)
        answers = judge.compare(pairs, {**strength.to_dict(), "new": 0.5}, votes=4, random_seed=1)
        spread[votes] = score_against_pool(answers, pool, progressbar=False).scores.loc[0, "latent_sd"]
    assert spread["count"] < spread["share"]


def test_votes_of_a_simulated_judge_repeat_themselves_within_an_order() -> None:
    pairs = pd.DataFrame({"item": [f"x{k}" for k in range(300)], "opponent": "y"})
    strength = {**{f"x{k}": 0.0 for k in range(300)}, "y": 0.0}
    same = []
    for repeated in (0.0, 0.9, 1.0):
        frame = SimulatedJudge(shared=0.0, repeated=repeated).compare(pairs, strength, votes=2, random_seed=1)
        wide = frame.pivot_table(index=["item_a", "item_b"], columns="trial", values="outcome", aggfunc="first")
        same.append(float((wide[1] == wide[2]).mean()))
    assert same[0] < 0.5 < 0.75 < same[1] < same[2] == 1.0
    with pytest.raises(ArgumentError, match="repeated"):
        SimulatedJudge(repeated=-0.1)
