"""Intervals: the jackknife against an explicit loop of refits, bootstrap, curvature, and when they are refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError, PPaintWarning
from ppaint_stats.fuse.cells import build_cells
from ppaint_stats.fuse.davidson import fit_anchored_cell
from ppaint_stats.fuse.intervals import list_panels, list_strata

KEYS = ["category", "dimension", "item"]
DESIGN = ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40, dimensions=("mood", "overall"))


@pytest.fixture(scope="module")
def study():
    return ps.simulate_study(DESIGN, random_seed=5).study


@pytest.fixture(scope="module")
def jackknifed(study):
    return ps.fuse_davidson(study)


def drop_rater(study, rater):
    return study.select(raters=[r for r in study.raters if r != rater])


@pytest.mark.parametrize("method", ["davidson", "thurstone"])
@pytest.mark.parametrize("target", ["population", "relative"])
def test_jackknife_is_a_loop_of_refits(study, method, target):
    fuse = {"davidson": ps.fuse_davidson, "thurstone": ps.fuse_thurstone}[method]
    fusion = fuse(study, target=target, interval_prob=0.8)
    refits = np.array(
        [
            fuse(drop_rater(study, rater), target=target, interval="none").scores.set_index(KEYS)["score"]
            for rater in study.raters
        ]
    )
    n = len(study.raters)
    sd = np.sqrt((n - 1) / n * ((refits - refits.mean(axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose(fusion.scores["sd"], sd, rtol=0.02, atol=2e-3)  # refits start elsewhere
    half = stats.t.ppf(0.9, n - 1) * fusion.scores["sd"]
    upper = fusion.scores["score"] + half
    np.testing.assert_allclose(fusion.scores["upper"], upper if target == "relative" else upper.clip(upper=5))
    covariance = fusion.spread.deviations.T @ fusion.spread.deviations
    centred = refits - refits.mean(axis=0)
    np.testing.assert_allclose(covariance, (n - 1) / n * centred.T @ centred, atol=5e-3)


def test_influence_is_the_change_without_a_rater(study, jackknifed):
    rater = study.raters[2]
    without = ps.fuse_davidson(drop_rater(study, rater), interval="none").scores
    change = without["score"] - jackknifed.scores["score"]
    by_dimension = np.sqrt((change**2).groupby(without["dimension"]).mean())
    table = jackknifed.raters[jackknifed.raters["rater"] == rater].set_index("dimension")["influence"]
    np.testing.assert_allclose(table[by_dimension.index], by_dimension, rtol=0.05)


def test_strata_are_left_out_apart(study):
    """Other people compare than rate: two strata, whose variances add."""
    others = ps.Study(
        ratings=study.ratings,
        preferences=study.preferences.assign(rater="p" + study.preferences["rater"]),
        scale=study.scale,
    )
    fusion = ps.fuse_davidson(others)
    variance = np.zeros(len(fusion.scores))
    for stratum in (study.raters, ["p" + r for r in study.raters]):
        refits = np.array([ps.fuse_davidson(drop_rater(others, r), interval="none").scores["score"] for r in stratum])
        variance += (len(stratum) - 1) / len(stratum) * ((refits - refits.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(fusion.scores["sd"], np.sqrt(variance), rtol=0.1, atol=0.01)
    assert (fusion.spread.dof == 8).all()


def test_raters_without_a_judgment_in_a_cell_do_not_count_there(study):
    """Three of five raters judge one of the dimensions: its intervals are those of three."""
    few = study.raters[:3]

    def trim(table):
        return table[(table["dimension"] == "mood") | table["rater"].isin(few)]

    part = ps.Study(ratings=trim(study.ratings), preferences=trim(study.preferences), scale=study.scale)
    fusion = ps.fuse_davidson(part)
    alone = ps.fuse_davidson(part.select(dimensions=["overall"]))
    inside = fusion.scores[fusion.scores["dimension"] == "overall"].reset_index(drop=True)
    columns = ["score", "sd", "lower", "upper"]
    pd.testing.assert_frame_equal(inside[columns], alone.scores[columns], rtol=1e-6)
    cells = build_cells(part, protocols="both", random_seed=0)
    assert {cell.dimension: len(list_strata(cell, list_panels(cells)[0])[0]) for cell in cells} == {
        "mood": 5,
        "overall": 3,
    }


def test_bootstrap_is_reproducible_and_of_the_jackknife_s_size(study, jackknifed):
    one = ps.fuse_davidson(study, interval="bootstrap", n_boot=20, random_seed=3)
    two = ps.fuse_davidson(study, interval="bootstrap", n_boot=20, random_seed=3)
    pd.testing.assert_frame_equal(one.scores, two.scores)
    assert one.settings["n_boot"] == 20
    assert one.spread.draws.shape == (20, 24)
    np.testing.assert_allclose(one.scores["score"], jackknifed.scores["score"])
    assert 0.6 < one.scores["sd"].mean() / jackknifed.scores["sd"].mean() < 1.7


def test_curvature_intervals_are_narrower(study, jackknifed):
    fusion = ps.fuse_davidson(study, interval="hessian")
    assert fusion.settings["interval_kind"] == "hessian"
    assert 0.2 < fusion.scores["sd"].mean() / jackknifed.scores["sd"].mean() < 1.2
    assert (fusion.scores["lower"] < fusion.scores["score"]).all()
    assert (fusion.scores["score"] < fusion.scores["upper"]).all()


def test_curvature_covers_the_strengths_where_raters_have_no_taste():
    """With independent judgments the curvature is all of the strengths' uncertainty."""
    design = ps.PPaintDesign(
        n_categories=1, n_items=25, n_pairs=200, n_raters=6, dimensions=("overall",), taste_sd=0.0, severity_sd=0.0,
        severity_dimension_sd=0.0, rating_discrimination_log_sd=0.0, preference_discrimination_log_sd=0.0,
    )  # fmt: skip
    z = []
    for seed in range(8):
        simulation = ps.simulate_study(design, random_seed=seed)
        (cell,) = build_cells(simulation.study, protocols="both", random_seed=0)
        found = fit_anchored_cell(cell)
        truth = simulation.truth.set_index("item").loc[list(cell.items), "latent"].to_numpy()
        centre = np.eye(25) - 1 / 25
        sd = np.sqrt(np.diag(centre @ found.noise_covariance() @ centre))
        z.extend(centre @ (found.fit.strength - truth) / sd)
    assert 0.9 < np.sqrt(np.mean(np.square(z))) < 1.3
    assert 0.82 < np.mean(np.abs(z) < 1.645) < 0.96


def test_intervals_widen_with_their_probability(study):
    narrow, wide = (ps.fuse_davidson(study, interval_prob=p) for p in (0.5, 0.95))
    assert (wide.scores["upper"] >= narrow.scores["upper"]).all()
    assert (wide.scores["lower"] <= narrow.scores["lower"]).all()
    assert (wide.scores["rank_upper"] >= narrow.scores["rank_upper"]).all()


def test_without_intervals(study):
    fusion = ps.fuse_davidson(study, interval="none")
    assert fusion.settings["interval_kind"] == "none"
    assert fusion.scores[["sd", "lower", "upper", "rank_lower", "rank_upper"]].isna().all(axis=None)
    assert "no intervals" in repr(fusion)


def test_a_lone_rater_of_ratings_cannot_be_left_out(study):
    """Without that rater's ratings no score is on the rating scale: refits would be latent scores."""
    lone = ps.Study(
        ratings=study.ratings[study.ratings["rater"] == study.raters[0]],
        preferences=study.preferences[study.preferences["rater"] != study.raters[0]],
        scale=study.scale,
    )
    with pytest.raises(ArgumentError, match="one rater alone"):
        ps.fuse_davidson(lone, interval="jackknife")
    with pytest.warns(PPaintWarning, match="one rater alone"):
        fusion = ps.fuse_davidson(lone)
    assert fusion.settings["interval_kind"] == "hessian"
    assert fusion.scores["score"].between(1, 5).all()


def test_items_rated_by_one_rater_alone_forbid_the_jackknife_of_ratings(study):
    items = study.items()
    ratings = study.ratings[(study.ratings["item"] != items[0]) | (study.ratings["rater"] == study.raters[0])]
    rated = ps.Study(ratings=ratings, scale=study.scale)
    with pytest.raises(ArgumentError, match=f"1 items judged by one rater alone.*{items[0]}"):
        ps.fuse_davidson(rated, interval="jackknife")
    with pytest.warns(PPaintWarning, match="one rater alone"):
        fusion = ps.fuse_davidson(rated)
    assert np.isfinite(fusion.scores["sd"]).all()


def test_a_dimension_with_one_rater(study):
    def trim(table):
        return table[(table["dimension"] == "mood") | (table["rater"] == study.raters[0])]

    part = ps.Study(ratings=trim(study.ratings), preferences=trim(study.preferences), scale=study.scale)
    with pytest.warns(PPaintWarning, match="one rater"):
        fusion = ps.fuse_davidson(part)
    assert fusion.settings["interval_kind"] == "hessian"


@pytest.mark.slow
def test_jackknife_covers_the_population():
    """Nominal 90 % intervals of the default design's taste, over studies."""
    inside = {"population": [], "panel": []}
    design = ps.PPaintDesign(n_categories=1, n_items=30, n_pairs=200, dimensions=("overall",))
    for seed in range(40):
        simulation = ps.simulate_study(design, random_seed=seed)
        scores = ps.fuse_davidson(simulation.study).scores
        truth = simulation.truth.set_index(KEYS).loc[pd.MultiIndex.from_frame(scores[KEYS])]
        for name, found in inside.items():
            found.extend((scores["lower"] <= truth[name].to_numpy()) & (truth[name].to_numpy() <= scores["upper"]))
    for name, found in inside.items():
        assert 0.85 <= np.mean(found) <= 0.97, name
