"""fusion_sensitivity: what other choices do to the scores, and weights for other priors."""

import numpy as np
import pandas as pd
import pytest
from bayes_helpers import fuse, simulate
from scipy import stats

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError
from ppaint_stats.priors import LogNormal, Normal, Priors
from ppaint_stats.validation.prior_weights import PriorChange, change_priors, list_prior_changes, weigh_draws
from ppaint_stats.validation.sensitivity import fusion_sensitivity, map_linearly

KEYS = ["category", "dimension", "item"]
DESIGN = ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40, dimensions=("overall",))


@pytest.fixture(scope="module")
def study():
    return ps.simulate_study(DESIGN, random_seed=1).study


@pytest.fixture(scope="module")
def davidson(study):
    return ps.fuse_davidson(study)


@pytest.fixture(scope="module")
def bayes():
    return fuse(simulate(), draws=200, tune=200)


def test_davidson(study, davidson):
    report = fusion_sensitivity(davidson, study)
    table = report.tables["choices"]
    assert set(zip(table["choice"], table["setting"], strict=True)) >= {
        ("rating_weight", "/ 4"),
        ("rating_weight", "x 4"),
        ("rating_weight", "0"),
        ("discount", "all"),
        ("order_effect", "False"),
        ("bend", "False"),
        ("map", "linear"),
    }
    row = table[(table["choice"] == "bend")].iloc[0]
    other = ps.fuse_davidson(study, bend=False, interval="none").scores["score"]
    gap = (davidson.scores["score"] - other).abs()
    assert row["mean_difference"] == pytest.approx(gap.mean())
    assert row["max_difference"] == pytest.approx(gap.max())
    assert row["mean_difference_sd"] == pytest.approx((gap / davidson.scores["sd"]).mean())
    assert row["srcc"] == pytest.approx(stats.spearmanr(davidson.scores["score"], other).statistic)
    outside = (other < davidson.scores["lower"]) | (other > davidson.scores["upper"])
    assert row["outside"] == pytest.approx(outside.mean())
    assert "matters most" in report.text
    worst = table.loc[table["mean_difference_sd"].idxmax(), "choice"]
    assert f"{worst} (" in report.text


def test_elo_and_fusions_without_intervals(study):
    elo = ps.fuse_elo(study, n_orders=10, interval="none")
    report = fusion_sensitivity(elo, study, factor=2)
    table = report.tables["choices"].set_index(["choice", "setting"])
    assert table.loc[("nothing", "fitted again"), "max_difference"] == pytest.approx(0, abs=1e-9)
    assert {("k", "/ 2"), ("k", "x 2"), ("anchor_games", "none"), ("start_slope", "x 2")} <= set(table.index)
    assert table["mean_difference_sd"].isna().all()
    assert "no intervals" in report.text


def test_the_linear_map_has_the_ratings_mean_and_sd(study, davidson):
    scores = map_linearly(davidson, study)
    rated = study.ratings.groupby("item")["rating"].mean()
    assert scores.mean() == pytest.approx(rated.mean())
    assert scores.std() == pytest.approx(rated.std())
    assert stats.spearmanr(scores, davidson.scores["latent"]).statistic == pytest.approx(1)


def test_one_protocol_has_fewer_choices(study):
    ratings = fusion_sensitivity(ps.fuse_thurstone(study), study)
    assert ratings.tables["choices"]["choice"].tolist() == ["map"]
    only = ps.fuse_davidson(study, protocols="preferences", interval="none")
    assert set(fusion_sensitivity(only, study).tables["choices"]["choice"]) == {"order_effect", "bend", "map"}


def test_priors(bayes):
    report = fusion_sensitivity(bayes, simulate(), refit=False)
    table = report.tables["choices"]
    assert table["choice"].iloc[0] == "nothing"
    assert {"weights"} <= set(table["made"]) <= {"refit", "weights", "weights, unreliable"}
    weighed = table[table["made"] != "refit"]
    assert weighed["pareto_k"].notna().all()
    assert set(weighed["setting"]) >= {"prior / 2", "prior x 2", "density to the power 2"}
    assert len(report.tables["cells"]) == 2 * len(table)


def test_unreliable_weights_are_fitted_again(bayes, monkeypatch):
    from ppaint_stats.validation import prior_weights, sensitivity

    monkeypatch.setattr(sensitivity, "reliable_k", lambda _: -np.inf)
    monkeypatch.setattr(prior_weights, "GROUPS", {"spread of items": ("item_sd",)})
    monkeypatch.setattr(sensitivity, "QUICK_REFITS", {"bayes": {"draws": 20, "tune": 20, "chains": 1}})
    found = fusion_sensitivity(bayes, simulate()).tables["choices"]
    assert (found["made"] == "refit").all()
    assert found["pareto_k"].notna().sum() == len(found) - 1


def test_weights_follow_the_ratio_of_the_priors(bayes):
    posterior = bayes.posterior["posterior"].to_dataset()
    change = PriorChange("spread of severity", "x 1.3", ("severity_sd",), factor=1.3)
    weights, k = weigh_draws(posterior, Priors(), change)
    assert weights.sum() == pytest.approx(1)
    assert k < 0.7
    log_sd = np.log(posterior["severity_sd"].to_numpy().ravel())
    ratio = stats.norm.pdf(log_sd, np.log(0.7 * 1.3), 0.7) / stats.norm.pdf(log_sd, np.log(0.7), 0.7)
    assert np.corrcoef(weights, ratio)[0, 1] > 0.99
    assert weights @ log_sd > log_sd.mean()  # a prior of larger spreads moves the posterior up


def test_changes_of_priors():
    plain = Priors()
    wider = change_priors(plain, PriorChange("g", "w", ("item_sd", "log_slope", "threshold_span"), factor=2))
    assert wider.item_sd == LogNormal(4.0, 0.8)
    assert wider.log_slope == Normal(pytest.approx(-0.2 + np.log(2)), 0.8)
    assert wider.threshold_span == 16
    assert change_priors(plain, PriorChange("g", "w", ("item_sd",), power=4)).item_sd == LogNormal(2.0, 0.4)


def test_ratings_alone_have_no_slope_to_change():
    fusion = fuse(simulate().drop_protocol("preferences"), draws=30, tune=30, chains=1)
    posterior = fusion.posterior["posterior"].to_dataset()
    groups = {change.group for change in list_prior_changes(posterior, 2)}
    assert "spread of items" in groups
    assert not groups & {"rating slope", "spread of tastes", "spread of ties and positions"}


def test_arguments(study, davidson):
    with pytest.raises(ArgumentError, match="above 1"):
        fusion_sensitivity(davidson, study, factor=1.0)
    with pytest.raises(ArgumentError, match="takes a fusion"):
        fusion_sensitivity(pd.DataFrame(), study)
    with pytest.raises(ArgumentError, match="does not hold"):
        fusion_sensitivity(davidson, study.select(items=study.items()[:5]))
    assert isinstance(fusion_sensitivity(davidson, study), ps.Report)
