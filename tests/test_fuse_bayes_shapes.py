"""The joint Bayesian fusion on every shape of study, that taste matters, and another engine's word on it."""

import warnings

import numpy as np
import pytest
from bayes_helpers import assert_sound, fuse, glance, remake, simulate

import ppaint_stats as ps
from ppaint_stats.errors import (
    CalibrationWarning,
    DiscardedDataWarning,
    IntervalWarning,
)

KEYS = ["category", "dimension", "item"]


# Every shape of study.


def test_one_rater():
    whole = simulate()
    study = whole.select(raters=whole.raters[:1])
    found = glance(study)
    assert_sound(found, study)
    assert len(found.raters) == 2
    np.testing.assert_allclose(found.raters["sharpness"], 1)


@pytest.mark.parametrize("n_items", [2, 3])
def test_few_items(n_items):
    study = simulate(n_items=n_items, n_pairs=n_items * (n_items - 1) // 2)
    assert_sound(glance(study), study)


def test_one_dimension():
    study = simulate(dimensions=("overall",))
    found = glance(study)
    assert_sound(found, study)
    assert found.dimensions.empty
    assert list(found.dimensions.columns[:3]) == ["dimension", "dimension_bis", "item_correlation"]


def test_no_ties():
    study = simulate()
    decided = remake(study, preferences=study.preferences[study.preferences["outcome"] != "TIE"])
    found = glance(decided)
    assert_sound(found, decided)
    assert found.raters["tie_rate"].isna().all()


def test_only_ties():
    study = simulate()
    tied = remake(study, preferences=study.preferences.assign(outcome="TIE"))
    found = glance(tied)
    assert_sound(found, tied)
    assert (found.raters["tie_rate"] > 0.5).all()


@pytest.mark.parametrize(
    ("scale", "low", "high"),
    [((1, 5, 0.5), 1, 5), ((0, 1, 1), 0, 1), ((0, 100), 0, 100), ((1, 5, 0.01), 1, 5), ((-3, 3, 1), -3, 3)],
    ids=["half points", "two levels", "continuous", "hundredths", "signed"],
)
def test_scales(scale, low, high):
    study = simulate(scale=scale)
    found = glance(study)
    assert_sound(found, study, low=low, high=high)
    fine = study.scale.step is None or study.scale.step == 0.01
    assert found.raters["noise"].notna().all() == fine
    assert_sound(glance(study, target="panel"), study, low=low, high=high)
    relative = glance(study, target="relative").scores
    np.testing.assert_allclose(relative.groupby("dimension")["score"].sum(), 0, atol=1e-9 * (high - low))


def test_missing_cells():
    study = simulate(n_categories=2, n_raters=3, missing_ratings=0.4, missing_comparisons=0.4)
    assert_sound(glance(study), study)
    p, r = study.preferences, study.ratings
    first = study.categories[0]
    without = remake(
        study,
        ratings=r[(r["category"] != first) | (r["dimension"] != "a")],
        preferences=p[(p["category"] == first) | (p["dimension"] != "b")],
    )
    with pytest.warns(CalibrationWarning, match="1 of 4 cells have no ratings"):
        found = glance(without)
    latent = found.scores[~found.scores["calibrated"]]
    assert len(latent) == 7
    assert found.calibrated is False
    np.testing.assert_array_equal(latent["score"], latent["latent"])
    assert found.scores.loc[found.scores["calibrated"], "score"].between(1, 5).all()


def test_relative_scores_sum_to_zero_over_the_items_that_a_dimension_judges():
    study = simulate()
    item = study.items()[0]
    p, r = study.preferences, study.ratings
    partly = remake(
        study,
        ratings=r[(r["item"] != item) | (r["dimension"] != "b")],
        preferences=p[((p["item_a"] != item) & (p["item_b"] != item)) | (p["dimension"] != "b")],
    )
    found = glance(partly, target="relative").scores
    assert len(found) == 2 * 7 - 1
    np.testing.assert_allclose(found.groupby("dimension")["score"].sum(), 0, atol=1e-9)


def test_items_missing_in_one_protocol():
    study = simulate()
    items = study.items()
    p, r = study.preferences, study.ratings
    partial = remake(
        study,
        ratings=r[r["item"] != items[0]],
        preferences=p[(p["item_a"] != items[1]) & (p["item_b"] != items[1])],
    )
    found = glance(partial)
    assert_sound(found, partial)
    table = found.scores.set_index("item")
    assert (table.loc[items[0], "n_ratings"] == 0).all()
    assert (table.loc[items[1], "n_comparisons"] == 0).all()
    assert_sound(glance(partial, target="panel"), partial)
    with pytest.warns(DiscardedDataWarning, match=f"1 items.*{items[1]}"):
        only = glance(partial, protocols="preferences")
    assert items[1] not in set(only.scores["item"])
    with pytest.warns(DiscardedDataWarning, match=f"1 items.*{items[0]}"):
        only = glance(partial, protocols="ratings")
    assert items[0] not in set(only.scores["item"])


def test_raters_in_one_protocol_only():
    study = simulate(n_raters=4)
    names = study.raters
    p, r = study.preferences, study.ratings
    split = remake(study, ratings=r[r["rater"] != names[0]], preferences=p[p["rater"] != names[1]])
    found = glance(split)
    assert_sound(found, split)
    table = found.raters.set_index("rater")
    assert table.loc[names[0], "severity"].isna().all()
    assert table.loc[names[1], "sharpness"].isna().all()
    assert table.loc[names[1], "taste_sd"].isna().all()
    assert (table.loc[names[0], "n_ratings"] == 0).all()
    apart = remake(study, preferences=p.assign(rater="other " + p["rater"]))
    assert_sound(glance(apart), apart)


def test_unused_levels():
    study = simulate()
    narrow = ps.Study(
        ratings=study.ratings.assign(rating=study.ratings["rating"].clip(2, 3)),
        preferences=study.preferences,
        scale=(1, 9, 1),
    )
    assert_sound(glance(narrow), narrow, high=9)


def test_all_ratings_the_same():
    study = simulate()
    flat = remake(study, ratings=study.ratings.assign(rating=3.0))
    found = glance(flat)
    assert_sound(found, flat)
    assert found.scores["score"].between(2, 4).all()


def test_repeats():
    study = simulate(n_trials=2)
    found = glance(study)
    assert_sound(found, study)
    assert (found.scores["n_ratings"] == 6).all()
    alone = glance(study, protocols="ratings", target="panel")  # repeats tell taste from noise
    assert_sound(alone, study)
    assert alone.protocols["taste_sd"].notna().all()


@pytest.mark.parametrize("crossed", [False, True])
def test_two_categories(crossed):
    study = simulate(n_categories=2, crossed=crossed)
    found = glance(study)
    assert_sound(found, study)
    assert found.settings["categories_comparable"] is crossed
    assert len(found.raters) == 2 * (3 if crossed else 6)
    levels = found.posterior["posterior"]["category_level"]
    assert levels.dims == ("chain", "draw", "category", "dimension")
    np.testing.assert_allclose(levels.sum("category"), 0, atol=1e-9)
    np.testing.assert_allclose(found.scores.groupby(["category", "dimension"])["latent"].sum(), 0, atol=1e-9)


# Taste.

CLEAR_TASTE = ps.PPaintDesign(
    n_categories=1, n_items=20, n_raters=5, n_pairs=190, dimensions=("a", "b"), taste_sd=2.0, severity_sd=0.4,
    severity_dimension_sd=0.2,
)  # fmt: skip


def cover(simulation, study):
    """Share of the 90 % intervals that hold the truth: of the population's scores, and of items against the mean."""
    found = fuse(study, draws=150, tune=200, random_seed=simulation.random_seed)
    both = found.scores.merge(simulation.truth, on=KEYS)
    draws = found.spread.draws.copy()
    for columns in both.groupby("dimension").indices.values():
        draws[:, columns] -= draws[:, columns].mean(axis=1, keepdims=True)
    lower, upper = np.quantile(draws, [0.05, 0.95], axis=0)
    relative = (lower <= both["relative"]) & (both["relative"] <= upper)
    return both["population"].between(both["lower"], both["upper"]).mean(), relative.mean()


def test_a_careless_rater_is_found():
    design = ps.PPaintDesign(
        n_categories=1, n_items=25, n_raters=5, n_pairs=150, dimensions=("overall",), n_careless=1, careless_lapse=0.5
    )
    simulation = ps.simulate_study(design, random_seed=3)
    raters = fuse(simulation.study).raters.set_index("rater")
    careless = simulation.raters.set_index("rater")["lapse"] > 0
    assert careless.sum() == 1
    assert (raters.loc[careless, "lapse_lower"] > 0.2).all()
    assert raters.loc[careless, "lapse"].between(0.35, 0.75).all()
    assert (raters.loc[~careless, "lapse"] < 0.08).all()


def test_intervals_hold_the_truth_because_of_taste():
    """Without raters' own tastes, hundreds of comparisons by one person count as so many independent witnesses.

    Over 16 seeds coverage of the population's scores was 0.90 with tastes and 0.71 without.
    """
    with_taste, without = [], []
    for seed in range(1, 5):
        simulation = ps.simulate_study(CLEAR_TASTE, random_seed=seed)
        study = simulation.study
        with_taste.append(cover(simulation, study))
        with pytest.warns(IntervalWarning):
            without.append(cover(simulation, remake(study, preferences=study.preferences.drop(columns="rater"))))
    population, relative = np.mean(with_taste, axis=0)
    population_without, relative_without = np.mean(without, axis=0)
    assert population >= 0.80
    assert relative >= 0.80
    assert population_without < 0.75
    assert relative_without < 0.70


# Another engine.


@pytest.mark.slow
def test_pymc_finds_the_same_posterior():
    from arviz_stats.base import array_stats

    study = simulate(n_items=5, n_pairs=10, dimensions=("a",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of compilers and their caches, which are no subject here
        one = fuse(study, draws=2000, tune=500)
        two = fuse(study, draws=300, tune=300, sampler="pymc", cores=1)
    assert two.settings["sampler"] == "pymc"
    assert_sound(two, study)
    error = np.zeros(len(one.scores))
    for found in (one, two):
        chains = found.spread.draws.reshape(2, -1, len(error))
        error += array_stats.mcse(chains, chain_axis=0, draw_axis=1, method="mean") ** 2
    z = (one.scores["score"] - two.scores["score"]) / np.sqrt(error)
    assert z.abs().max() < 4.5
    np.testing.assert_allclose(one.scores["sd"], two.scores["sd"], rtol=0.35)


@pytest.mark.slow
def test_comparisons_that_never_contradict_themselves_are_sampled(data_dir):
    """RankME: 100 separate triples without contradictions, by raters who tie always, never, or at random."""
    study = ps.read_study(
        ratings=data_dir / "rankme_ratings.csv",
        preferences=data_dir / "rankme_pairs.csv",
        scale=(1, 6, 1),
        columns={"winner": "outcome"},
    )
    found = ps.fuse_bayes(study, draws=4000, tune=1000, max_treedepth=12, random_seed=1, progressbar=False)
    assert found.converged, ps.diagnose(found).text
