"""The simulator: counts, outcomes, truth."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ppaint_stats.errors import ArgumentError
from ppaint_stats.io import read_study
from ppaint_stats.simulate import PPaintDesign, Simulation, outcome_probabilities, simulate_study
from ppaint_stats.truth import population_scores

SMALL = PPaintDesign(n_categories=2, n_items=8, n_raters=3, n_pairs=16, dimensions=("mood", "overall"))
NO_RATER_EFFECTS: dict[str, Any] = {
    "taste_sd": 0.0,
    "severity_sd": 0.0,
    "severity_dimension_sd": 0.0,
    "rating_discrimination_log_sd": 0.0,
}


@pytest.fixture(scope="module")
def paper() -> Simulation:
    return simulate_study(random_seed=1)


def test_paper_counts(paper: Simulation) -> None:
    ratings, preferences = paper.study.ratings, paper.study.preferences
    assert ratings is not None
    assert preferences is not None
    assert (len(preferences), len(ratings)) == (45_900, 3_750)
    assert (len(paper.study.raters), len(paper.study.items()), len(paper.study.cells)) == (15, 150, 15)
    assert paper.study.categories == ("flower-and-bird", "figure", "landscape")
    assert set(ratings["rating"]) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert (preferences.groupby(["category", "dimension", "rater"]).size() == 612).all()
    assert (ratings.groupby(["category", "dimension", "rater"])["item"].nunique() == 50).all()
    assert "trial" not in ratings
    assert len(paper.truth) == 750
    assert len(paper.raters) == 75


def test_raters_share_pairs_but_not_positions(paper: Simulation) -> None:
    preferences = paper.study.preferences
    assert preferences is not None
    cell = preferences[(preferences["category"] == "figure") & (preferences["dimension"] == "mood")]
    groups = [g for _, g in cell.groupby("rater")]
    pair_sets = [{frozenset(p) for p in zip(g["item_a"], g["item_b"], strict=True)} for g in groups]
    assert all(pair_set == pair_sets[0] for pair_set in pair_sets)
    positions = [set(zip(g["item_a"], g["item_b"], strict=True)) for g in groups]
    assert 200 < len(positions[0] & positions[1]) < 412
    for g in groups:
        first, second = g["item_a"].value_counts(), g["item_b"].value_counts()
        assert first.sub(second, fill_value=0).abs().max() <= 1


def test_default_resembles_a_real_study(paper: Simulation) -> None:
    ratings, preferences = paper.study.ratings, paper.study.preferences
    assert ratings is not None
    assert preferences is not None
    assert 0.1 < (preferences["outcome"] == "TIE").mean() < 0.25
    assert ratings["rating"].value_counts(normalize=True).between(0.04, 0.45).all()
    means = ratings.groupby(["category", "dimension", "item"])["rating"].mean()
    truth = paper.truth.set_index(["category", "dimension", "item"])
    assert np.corrcoef(means, truth["population"].loc[means.index])[0, 1] > 0.88
    assert np.sqrt(np.mean((means - truth["panel"].loc[means.index]) ** 2)) < 0.4


def test_same_seed_same_study() -> None:
    one, two, other = (simulate_study(SMALL, random_seed=seed) for seed in (4, 4, 5))
    assert one.study == two.study
    pd.testing.assert_frame_equal(one.truth, two.truth)
    pd.testing.assert_frame_equal(one.raters, two.raters)
    assert one.study != other.study
    sequence = np.random.SeedSequence(4)
    assert simulate_study(SMALL, random_seed=sequence).study == simulate_study(SMALL, random_seed=sequence).study
    fresh = simulate_study(SMALL)
    assert simulate_study(SMALL, random_seed=fresh.random_seed).study == fresh.study


def test_options_leave_other_streams_alone() -> None:
    whole = simulate_study(SMALL, random_seed=4)
    thinned = simulate_study(replace(SMALL, missing_ratings=0.25, missing_comparisons=0.1), random_seed=4)
    pd.testing.assert_frame_equal(whole.truth, thinned.truth)
    assert (thinned.study.n_ratings, thinned.study.n_preferences) == (72, 173)  # of 96 and 192
    joined = thinned.study.ratings.merge(whole.study.ratings, how="left", indicator=True)  # type: ignore[union-attr]
    assert (joined["_merge"] == "both").all()


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_outcomes_follow_the_model(link: Any) -> None:
    """Many judgments of one pair, in both positions, have the frequencies of the formula."""
    design = PPaintDesign(
        n_categories=1, n_items=2, n_pairs=1, n_raters=1, n_trials=80, dimensions=tuple(map(str, range(200))),
        item_correlation=1.0, item_sd=0.8, position_mean=0.4, tie_dimension_log_sd=0.0, link=link, **NO_RATER_EFFECTS,
    )  # fmt: skip
    simulation = simulate_study(design, random_seed=3)
    utility = simulation.truth[simulation.truth["dimension"] == "0"].set_index("item")["latent_preference"]
    rater = simulation.raters.iloc[0]
    frame = simulation.study.preferences
    assert frame is not None
    assert len(frame) == 16_000
    for (a, b), rows in frame.groupby(["item_a", "item_b"]):
        difference = rater["preference_discrimination"] * (utility[a] - utility[b]) + rater["position_effect"]
        if link == "logit":
            weights = np.array([np.exp(difference / 2), rater["nu"], np.exp(-difference / 2)])
            expected = weights / weights.sum()
        else:
            scale = np.pi / np.sqrt(3)
            band = -scale * stats.norm.ppf(1 / (2 + rater["nu"]))
            win, loss = stats.norm.cdf([(difference - band) / scale, (-difference - band) / scale])
            expected = np.array([win, 1 - win - loss, loss])
        observed = rows["outcome"].value_counts().reindex(["A", "TIE", "B"], fill_value=0)
        assert len(rows) > 5_000
        assert stats.chisquare(observed, expected * len(rows)).pvalue > 1e-3


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_outcome_probabilities(link: str) -> None:
    difference = np.array([-900.0, -3.0, 0.0, 3.0, 900.0])
    p = outcome_probabilities(difference, 0.7, link=link)
    assert np.allclose(p.sum(axis=0), 1)
    assert np.allclose(p, p[::-1, ::-1])  # swapping the items mirrors
    assert p[1, 2] == pytest.approx(0.7 / 2.7)
    assert np.allclose(outcome_probabilities(difference, 0.0, link=link)[1], 0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"taste": "t3"},
        {"link": "probit"},
        {"taste": "t3", "taste_sd": 3.0, "severity_sd": 2.0, "rating_discrimination_log_sd": 0.6},
        {"scale": (0, 100)},
        {"scale": (1, 5, 0.5), "thresholds": (-6, -4, -2.5, -1, 0.5, 1, 3, 6)},
    ],
)
def test_population_is_the_mean_of_fresh_raters(options: dict[str, Any]) -> None:
    """Ratings by 200,000 raters drawn afresh, straight from the formulas of the model."""
    design = PPaintDesign(**options)
    rng = np.random.default_rng(11)
    n = 200_000
    theta, mu = np.array([-5.0, -0.5, 3.0]), 0.4
    scores = population_scores(theta.reshape(1, 3, 1), np.array([[mu]]), design=design).ravel()
    spread = design.taste_sd * np.exp(design.taste_log_sd * rng.standard_normal((n, 1)))
    unit = rng.standard_t(3, (n, 3)) / np.sqrt(3) if design.taste == "t3" else rng.standard_normal((n, 3))
    severity = design.severity_sd * rng.standard_normal((n, 1))
    severity = severity + design.severity_dimension_sd * rng.standard_normal((n, 1))
    a = np.exp(design.rating_discrimination_log_sd * rng.standard_normal((n, 1)))
    noise = rng.logistic(size=(n, 3))
    if design.link == "probit":
        noise = np.pi / np.sqrt(3) * rng.standard_normal((n, 3))
    latent = mu + design.rating_slope * a * (theta + spread * unit) - severity
    scale = design.rating_scale
    if scale.step is None:
        factor = np.exp(design.rating_noise_log_sd * rng.standard_normal((n, 1)))
        z = 4 * (latent + design.rating_shift + factor * noise) / design.rating_span
        ratings = scale.low + scale.span / (1 + np.exp(-z))
    else:
        ratings = scale.low + scale.step * (latent[..., None] + noise[..., None] > design.kappa).sum(axis=-1)
    error = ratings.std(axis=0) / np.sqrt(n)
    assert np.abs((ratings.mean(axis=0) - scores) / error).max() < 4


@pytest.mark.parametrize("scale", [(1, 5, 1), (0, 100)])
def test_panel_is_the_mean_of_repeated_ratings(scale: tuple[float, ...]) -> None:
    design = PPaintDesign(n_categories=2, n_items=6, n_pairs=5, n_raters=2, n_trials=60, scale=scale)
    simulation = simulate_study(design, random_seed=6)
    ratings = simulation.study.ratings
    assert ratings is not None
    assert set(ratings["trial"]) == set(range(1, 61))
    means = ratings.groupby(["category", "dimension", "item"])["rating"].agg(["mean", "std"])
    panel = simulation.truth.set_index(["category", "dimension", "item"])["panel"].loc[means.index]
    z = (means["mean"] - panel) / (means["std"].clip(lower=0.1) / np.sqrt(120))
    assert np.abs(z).max() < 4.5
    assert np.mean(z**2) < 1.4  # taste and severity are in the panel's score: only noise is left


def test_equal_raters_make_panel_and_population_one() -> None:
    truth = simulate_study(replace(SMALL, **NO_RATER_EFFECTS), random_seed=2).truth
    assert np.abs(truth["panel"] - truth["population"]).max() < 1e-4
    assert np.abs(truth["relative"] - truth["relative_panel"]).max() < 1e-4
    sums = truth.groupby(["category", "dimension"])[["latent", "relative"]].sum()
    assert np.abs(sums.to_numpy()).max() < 1e-9


def test_protocol_discrepancy_parts_the_latents() -> None:
    one = simulate_study(SMALL, random_seed=2).truth
    pd.testing.assert_series_equal(one["latent"], one["latent_preference"], check_names=False)
    design = PPaintDesign(n_categories=1, n_items=400, n_raters=1, n_pairs=399, protocol_correlation=0.5)
    apart = simulate_study(design, random_seed=2).truth
    assert np.corrcoef(apart["latent"], apart["latent_preference"])[0, 1] == pytest.approx(0.5, abs=0.12)
    by_dimension = apart.pivot_table(index="item", columns="dimension", values="latent").corr()
    assert by_dimension.loc["mood", "technique"] == pytest.approx(0.6, abs=0.15)
    assert by_dimension.loc["mood", "overall"] == pytest.approx(0.75, abs=0.12)


def test_careless_raters_answer_at_random() -> None:
    design = PPaintDesign(n_categories=1, n_raters=4, n_careless=1, careless_lapse=1.0)
    simulation = simulate_study(design, random_seed=8)
    careless = simulation.raters.loc[simulation.raters["careless"], "rater"].unique()
    assert len(careless) == 1
    preferences, ratings = simulation.study.preferences, simulation.study.ratings
    assert preferences is not None
    assert ratings is not None
    shares = preferences[preferences["rater"] == careless[0]]["outcome"].value_counts(normalize=True)
    assert np.allclose(shares, 1 / 3, atol=0.04)
    latent = simulation.truth.set_index(["dimension", "item"])["latent"]
    for rater, rows in ratings.groupby("rater"):
        utility = latent.loc[pd.MultiIndex.from_frame(rows[["dimension", "item"]])]
        correlation = np.corrcoef(utility, rows["rating"])[0, 1]
        assert (abs(correlation) < 0.25) == (rater == careless[0])


def test_crossed_design_has_one_panel() -> None:
    simulation = simulate_study(replace(SMALL, crossed=True), random_seed=1)
    assert len(simulation.study.raters) == 3
    by_category = simulation.raters.pivot_table("severity_drawn", index=["rater", "dimension"], columns="category")
    assert np.allclose(by_category.iloc[:, 0], by_category.iloc[:, 1])


@pytest.mark.parametrize("options", [{"taste": "t3"}, {"link": "probit"}, {"scale": (0, 10, 0.01)}, {"lapse": 0.1}])
def test_robustness_options_run(options: dict[str, Any]) -> None:
    simulation = simulate_study(replace(SMALL, **options), random_seed=1)
    scale = simulation.design.rating_scale
    assert simulation.truth["population"].between(scale.low, scale.high).all()
    assert np.corrcoef(simulation.truth["population"], simulation.truth["latent"])[0, 1] > 0.9


def test_heavy_tails_keep_the_spread() -> None:
    design = PPaintDesign(n_categories=1, n_items=1000, n_pairs=999, n_raters=2, taste="t3", dimensions=("mood",))
    quiet = {**NO_RATER_EFFECTS, "taste_sd": 1.5, "taste_log_sd": 0.0, "item_sd": 1e-6, "scale": (-500, 500)}
    simulation = simulate_study(replace(design, **quiet, rating_span=1000.0, rating_shift=0.0), random_seed=1)
    ratings = simulation.study.ratings
    assert ratings is not None
    # On so wide a scale a rating is nearly the latent: slope times taste, plus noise.
    quartiles = np.quantile(ratings["rating"], [0.25, 0.75])
    rng = np.random.default_rng(0)
    noise = np.exp(0.2 * rng.standard_normal(100_000)) * rng.logistic(size=100_000)
    draws = 1.5 * design.rating_slope * rng.standard_t(3, 100_000) / np.sqrt(3) + noise
    assert np.allclose(quartiles, np.quantile(draws, [0.25, 0.75]), atol=0.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_items": 1}, "n_items = 1"),
        ({"n_items": 20}, "612 exceeds the 190 different pairs"),
        ({"n_raters": 2.5}, "n_raters = 2.5"),
        ({"taste_sd": -1.0}, "taste_sd = -1.0"),
        ({"item_sd": 0.0}, "positive"),
        ({"taste_sd": float("nan")}, "finite"),
        ({"missing_ratings": 1.0}, "empty table"),
        ({"lapse": 1.5}, "share from 0 to 1"),
        ({"item_correlation": 1.2}, "correlation from -1 to 1"),
        ({"item_correlation": 0.0, "overall_correlation": 0.9}, "no 5 dimensions"),
        ({"taste_correlation": -0.9}, "no 5 dimensions"),
        ({"taste": "cauchy"}, "taste = 'cauchy'"),
        ({"link": "cloglog"}, "link = 'cloglog'"),
        ({"n_careless": 16}, "exceeds the 15 raters"),
        ({"dimensions": ("mood", "mood")}, "different names"),
        ({"scale": (5, 1, 1)}, "less than high"),
        ({"thresholds": (1.0, 2.0)}, "4 increasing numbers"),
        ({"thresholds": (1.0,), "scale": (0, 1)}, "continuous"),
    ],
)
def test_bad_values_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        PPaintDesign(**options)


def test_save(tmp_path: Path) -> None:
    simulation = simulate_study(SMALL, random_seed=4)
    folder = simulation.save(tmp_path / "new" / "simulated")
    assert read_study(folder) == simulation.study
    about = json.loads((folder.parent / "design.json").read_text(encoding="utf-8"))
    assert (about["simulated"], about["random_seed"], about["design"]["n_items"]) == (True, 4, 8)
    truth = pd.read_csv(folder.parent / "truth.csv")
    assert np.allclose(truth["population"], simulation.truth["population"])
    with pytest.raises(ArgumentError):
        simulation.save(folder.parent)
