"""The gate on made-up chains: good ones pass, and each fault is found and named."""

import numpy as np
import pandas as pd
import pytest

import ppaint_stats as ps
from ppaint_stats.convergence import check_convergence, explain_failures
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.spread import Spread

CHAINS, DRAWS = 4, 1000


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def make_stats(rng, *, chains=CHAINS, draws=DRAWS):
    none = np.zeros((chains, draws), dtype=bool)
    return {"diverging": none.copy(), "reached_max_treedepth": none.copy(), "energy": rng.standard_normal(none.shape)}


def judge(values, sampler, *, score=None):
    """The gate over one quantity of two values and, if it is given, a score."""
    quantities, labels = {"spread": values}, {"spread": ["spread[a]", "spread[b]"]}
    if score is not None:
        quantities["score"], labels["score"] = score, [f"score of item {k}" for k in range(score.shape[2])]
    return check_convergence(quantities, labels, sampler).set_index("check")


def autocorrelate(noise, phi):
    """First-order autoregressive chains along the axis of draws."""
    out = noise.copy()
    for t in range(1, out.shape[1]):
        out[:, t] = phi * out[:, t - 1] + np.sqrt(1 - phi**2) * noise[:, t]
    return out


def test_independent_normal_draws_pass(rng):
    checks = judge(
        rng.standard_normal((CHAINS, DRAWS, 2)), make_stats(rng), score=rng.standard_normal((CHAINS, DRAWS, 3))
    )
    assert list(checks.index) == ["r_hat", "ess_bulk", "ess_tail", "divergences", "tree_depth", "bfmi", "mcse"]
    assert list(checks.columns) == ["value", "threshold", "passed", "where", "advice"]
    assert checks["passed"].all()
    assert (checks["advice"] == "").all()
    assert checks.loc["r_hat", "value"] == pytest.approx(1, abs=0.01)
    assert checks.loc["ess_bulk", "value"] > 0.7 * CHAINS * DRAWS
    assert checks.loc["ess_bulk", "threshold"] == 100 * CHAINS
    assert checks.loc["mcse", "value"] == pytest.approx(1 / np.sqrt(CHAINS * DRAWS), rel=0.3)
    assert checks.loc["bfmi", "value"] == pytest.approx(2, rel=0.2)  # independent energies
    assert explain_failures(checks.reset_index()) == []


def test_a_shifted_chain_fails_r_hat(rng):
    values = rng.standard_normal((CHAINS, DRAWS, 2))
    values[2, :, 1] += 0.7
    checks = judge(values, make_stats(rng))
    assert not checks.loc["r_hat", "passed"]
    assert checks.loc["r_hat", "value"] > 1.05
    assert checks.loc["r_hat", "where"] == "spread[b]"
    assert "more draws and tuning" in checks.loc["r_hat", "advice"]
    assert explain_failures(checks.reset_index())[0].startswith("R-hat is 1.")
    assert "spread[b]" in explain_failures(checks.reset_index())[0]


def test_a_chain_of_another_width_fails_r_hat(rng):
    """Chains of one mean and different spreads: what the rank-normalised, folded R-hat is for."""
    values = rng.standard_normal((CHAINS, DRAWS, 2))
    values[0, :, 0] *= 3
    checks = judge(values, make_stats(rng))
    assert not checks.loc["r_hat", "passed"]
    assert checks.loc["r_hat", "where"] == "spread[a]"


def test_a_drift_within_every_chain_fails_r_hat(rng):
    values = rng.standard_normal((CHAINS, DRAWS, 2))
    values[:, :, 1] += np.linspace(-1, 1, DRAWS)
    checks = judge(values, make_stats(rng))
    assert not checks.loc["r_hat", "passed"]
    assert checks.loc["r_hat", "where"] == "spread[b]"


def test_autocorrelated_chains_fail_the_effective_sample_size(rng):
    values = rng.standard_normal((CHAINS, DRAWS, 2))
    values[:, :, 0] = autocorrelate(values[:, :, 0], 0.97)
    checks = judge(values, make_stats(rng))
    for check in ("ess_bulk", "ess_tail"):
        assert not checks.loc[check, "passed"]
        assert checks.loc[check, "where"] == "spread[a]"
        assert checks.loc[check, "advice"] == "run more draws"
    assert checks.loc["ess_bulk", "value"] < 400
    assert any("effective sample size" in reason for reason in explain_failures(checks.reset_index()))


def test_the_monte_carlo_error_is_checked_of_scores_alone(rng):
    slow = autocorrelate(rng.standard_normal((CHAINS, DRAWS, 2)), 0.99)
    good = rng.standard_normal((CHAINS, DRAWS, 2))
    assert judge(slow, make_stats(rng), score=good).loc["mcse", "passed"]
    checks = judge(good, make_stats(rng), score=slow)
    assert not checks.loc["mcse", "passed"]
    assert checks.loc["mcse", "value"] > 0.1
    assert checks.loc["mcse", "where"].startswith("score of item")


def test_a_divergence_fails(rng):
    sampler = make_stats(rng)
    sampler["diverging"][1, 5] = sampler["diverging"][3, 7] = True
    checks = judge(rng.standard_normal((CHAINS, DRAWS, 2)), sampler)
    assert checks.index[~checks["passed"]].tolist() == ["divergences"]
    assert checks.loc["divergences", "value"] == 2
    assert "target_accept" in checks.loc["divergences", "advice"]
    assert explain_failures(checks.reset_index()) == ["2 transitions diverged"]


def test_the_largest_tree_depth_fails(rng):
    sampler = make_stats(rng)
    sampler["reached_max_treedepth"][0, 0] = True
    checks = judge(rng.standard_normal((CHAINS, DRAWS, 2)), sampler)
    assert checks.index[~checks["passed"]].tolist() == ["tree_depth"]


def test_energies_that_creep_fail(rng):
    sampler = make_stats(rng)
    sampler["energy"][2] = autocorrelate(rng.standard_normal((1, DRAWS)), 0.95)[0]
    checks = judge(rng.standard_normal((CHAINS, DRAWS, 2)), sampler)
    assert checks.index[~checks["passed"]].tolist() == ["bfmi"]
    assert checks.loc["bfmi", "where"] == "chain 3"


def test_what_never_moves_is_left_out(rng):
    """The diagonal of a correlation matrix is 1 in every draw."""
    values = rng.standard_normal((CHAINS, DRAWS, 2))
    values[:, :, 0] = 1.0
    checks = judge(values, make_stats(rng))
    assert checks["passed"].all()
    assert checks.loc["ess_bulk", "where"] == "spread[b]"


def test_the_threshold_follows_the_chains(rng):
    values = rng.standard_normal((2, 300, 2))
    checks = judge(values, make_stats(rng, chains=2, draws=300))
    assert checks.loc["ess_bulk", "threshold"] == 200
    assert checks.loc["ess_bulk", "passed"]


# The verdict in words.


def make_fusion(checks, *, method="bayes"):
    none = pd.DataFrame()
    failed = explain_failures(checks) if len(checks) else []
    settings = {"interval_kind": "posterior", "interval_prob": 0.9, "target": "population", "calibrated": True,
                "failed_checks": failed, "draws": DRAWS, "tune": 500, "chains": CHAINS, "sampler": "nutpie",
                "target_accept": 0.8, "random_seed": 1}  # fmt: skip
    scores = pd.DataFrame({"category": ["c"], "dimension": ["a"], "item": ["x"], "score": [3.0], "sd": [0.1]})
    return Fusion(method, scores, Spread(draws=np.full((10, 1), 3.0)), ps.RatingScale(1, 5), settings, none, none, none,
                  not failed, convergence=checks)  # fmt: skip


def test_diagnose_of_a_good_sampler(rng):
    checks = judge(rng.standard_normal((CHAINS, DRAWS, 2)), make_stats(rng)).reset_index()
    fusion = make_fusion(checks)
    report = ps.diagnose(fusion)
    assert report.passed is True
    pd.testing.assert_frame_equal(report.tables["checks"], checks)
    assert "NOT CONVERGED" not in repr(fusion)


def test_diagnose_of_a_bad_sampler(rng):
    values = rng.standard_normal((CHAINS, DRAWS, 2))
    values[1] += 1
    sampler = make_stats(rng)
    sampler["diverging"][0, :3] = True
    fusion = make_fusion(judge(values, sampler).reset_index())
    report = ps.diagnose(fusion)
    assert report.passed is False
    assert "R-hat" in report.text
    assert "3 transitions diverged" in report.text
    assert "target_accept" in report.text
    assert "NOT CONVERGED: R-hat is" in repr(fusion)
    assert "failed" in report.to_markdown().lower()


def test_diagnose_refuses_what_was_not_sampled():
    with pytest.raises(ArgumentError, match=r"davidson.*was not sampled"):
        ps.diagnose(make_fusion(pd.DataFrame(), method="davidson"))


def test_a_missing_draw_fails(rng):
    values = rng.standard_normal((CHAINS, DRAWS, 2))
    values[0, 10, 1] = np.nan
    checks = judge(values, make_stats(rng))
    assert not checks.loc["r_hat", "passed"]
    assert checks.loc["r_hat", "where"] == "spread[b]"


def test_one_chain_is_held_against_itself(rng):
    sampler = make_stats(rng, chains=1)
    still = rng.standard_normal((1, DRAWS, 2))
    assert judge(still, sampler)["passed"].all()
    drifting = still + np.linspace(-1, 1, DRAWS)[:, None]
    assert not judge(drifting, sampler).loc["r_hat", "passed"]
