"""What holds for every method, protocol and kind of interval alike."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError, CalibrationWarning, IntervalWarning

METHODS = {"davidson": ps.fuse_davidson, "elo": ps.fuse_elo, "thurstone": ps.fuse_thurstone}
FAST = {"elo": {"n_orders": 10}}


@pytest.fixture(scope="module")
def study() -> ps.Study:
    design = ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=50, dimensions=("overall",))
    return ps.simulate_study(design, random_seed=4).study


@pytest.mark.parametrize(
    ("method", "protocols", "target", "interval"),
    [
        *product(METHODS, ["both", "preferences", "ratings"], ["population", "panel", "relative"], ["auto", "hessian"]),
        *product(METHODS, ["both"], ["population"], ["bootstrap"]),
    ],
)
def test_every_score_lies_in_its_interval(study, method, protocols, target, interval):
    fusion = METHODS[method](
        study, protocols=protocols, target=target, interval=interval, n_boot=30, **FAST.get(method, {})
    )
    scores = fusion.scores
    inside = scores["score"].between(scores["lower"] - 0.02, scores["upper"] + 0.02)  # quantiles of draws wobble
    assert inside.all(), scores[~inside]
    raw_means = protocols == "ratings" and method != "davidson" and fusion.settings["interval_kind"] == "jackknife"
    assert (scores["sd"] >= 0).all() if raw_means else (scores["sd"] > 0).all()  # raters may all say the same
    assert scores["rank"].between(scores["rank_lower"], scores["rank_upper"]).mean() > 0.8
    if target != "relative":
        assert ((scores[["score", "lower", "upper"]] >= 1) & (scores[["score", "lower", "upper"]] <= 5)).all(axis=None)


@pytest.mark.parametrize("method", METHODS)
def test_one_rater_of_ratings_has_an_interval_with_a_width(study, method):
    alone = study.select(raters=[study.raters[0]]).drop_protocol("preferences")
    with pytest.warns(IntervalWarning, match="1 rater"):
        fusion = METHODS[method](alone)
    assert ((fusion.scores["upper"] - fusion.scores["lower"]) > 0.1).all()


@pytest.mark.parametrize("method", ["davidson", "elo"])
def test_nothing_but_ties_leaves_the_ratings(study, method):
    tied = ps.Study(ratings=study.ratings, preferences=study.preferences.assign(outcome="TIE"), scale=study.scale)
    only = METHODS[method](study, protocols="ratings", interval="none").scores
    found = METHODS[method](tied, interval="none").scores
    np.testing.assert_allclose(found["score"], only["score"], atol=1e-9)


def test_cells_without_ratings_are_named_and_marked(study):
    more = study.preferences.assign(dimension="mood")
    mixed = ps.Study(
        ratings=study.ratings, preferences=pd.concat([study.preferences, more], ignore_index=True), scale=study.scale
    )
    with pytest.warns(CalibrationWarning, match=r"1 of 2 cells have no ratings.*mood"):
        fusion = ps.fuse_davidson(mixed)
    by_dimension = fusion.scores.groupby("dimension")["calibrated"].all()
    assert by_dimension["overall"]
    assert not by_dimension["mood"]
    assert fusion.scores.loc[fusion.scores["calibrated"], "upper"].le(5).all()
    with pytest.raises(ArgumentError, match=r"mood"):
        fusion.to_targets("never.parquet")
    with pytest.warns(CalibrationWarning, match="no ratings"):
        other = ps.fuse_thurstone(mixed)
    agreement = ps.compare_fusions(fusion, other).tables["agreement"].set_index("dimension")
    assert np.isfinite(agreement.loc["overall", "mean_difference"])
    assert np.isnan(agreement.loc["mood", "mean_difference"])


def test_relative_scores_are_no_targets(study, tmp_path):
    with pytest.raises(ArgumentError, match="relative"):
        ps.fuse_davidson(study, target="relative").to_targets(tmp_path / "targets.parquet")


def test_a_rater_who_alone_joins_the_graph_cannot_be_left_out():
    rows = [("r0", "a", "c", "A"), ("r0", "b", "d", "B")]
    rows += [(f"r{k}", *pair) for k in range(1, 4) for pair in (("a", "b", "A"), ("b", "a", "A"), ("c", "d", "TIE"))]
    joined = ps.Study(preferences=pd.DataFrame(rows, columns=["rater", "item_a", "item_b", "outcome"]))
    with pytest.warns(IntervalWarning, match="falls apart without the comparisons of rater 'r0'"):
        assert ps.fuse_davidson(joined).settings["interval_kind"] == "hessian"
    with pytest.raises(ArgumentError, match="r0"):
        ps.fuse_davidson(joined, interval="jackknife")


def test_sparse_random_comparisons_do_no_harm():
    design = ps.PPaintDesign(
        n_categories=1, n_items=20, n_raters=4, n_pairs=30, window=1, first_estimate_sd=1e3, dimensions=("overall",)
    )
    error = {"both": [], "ratings": []}
    for seed in range(6):
        sim = ps.simulate_study(design, random_seed=seed)
        truth = sim.truth.set_index("item")["population"]
        for protocols, found in error.items():
            scores = ps.fuse_davidson(sim.study, protocols=protocols, interval="none").scores.set_index("item")["score"]
            found.append(np.sqrt(((scores - truth) ** 2).mean()))
    assert np.mean(error["both"]) < 1.1 * np.mean(error["ratings"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interval_prob": "a"}, "interval_prob"),
        ({"n_boot": 0}, "n_boot"),
        ({"random_seed": 1.5}, "random_seed"),
        ({"random_seed": -1}, "random_seed"),
        ({"rating_weight": float("inf")}, "rating_weight"),
    ],
)
def test_arguments_are_refused_by_name(study, options, message):
    with pytest.raises(ArgumentError, match=message):
        ps.fuse_davidson(study, **options)


def test_a_study_is_asked_for_by_name():
    with pytest.raises(ArgumentError, match="DataFrame, not a Study"):
        ps.fuse_davidson(pd.DataFrame())


def test_numpy_seeds_can_be_written_down(study, tmp_path):
    fusion = ps.fuse_davidson(study, random_seed=np.int64(3), interval="none")
    assert ps.load_fusion(fusion.save(tmp_path / "f.nc")).settings["random_seed"] == 3


def test_another_study_is_refused(study):
    fusion = ps.fuse_davidson(study, interval="none")
    renamed = study.preferences.replace({item: f"x{item}" for item in study.items()})
    other = ps.Study(preferences=renamed)
    with pytest.raises(ArgumentError, match="does not hold"):
        ps.compare_fusions(fusion, fusion, study=other)


def test_fit_davidson_takes_other_dataframes_and_ids():
    polars = pytest.importorskip("polars")
    rows = pd.DataFrame({"item_a": [1, 1, 2], "item_b": ["2", "2", "1"], "outcome": ["A", "TIE", "A"]}, dtype=object)
    fit = ps.fit_davidson(rows)
    assert fit.strengths.index.tolist() == ["1", "2"]
    same = ps.fit_davidson(polars.DataFrame(rows.astype(str)))
    np.testing.assert_allclose(same.strengths, fit.strengths)
    with pytest.raises(ArgumentError, match="list"):
        ps.fit_davidson([1, 2])


def test_a_penalty_gives_all_ties_a_standard_error():
    ties = pd.DataFrame({"item_a": ["x", "y"], "item_b": ["y", "z"], "outcome": ["TIE", "TIE"]})
    assert ps.fit_davidson(ties, penalty=4.0).se.tolist() == [0.5, 0.5, 0.5]
