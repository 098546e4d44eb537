"""Composites, ranks, the best items and the ceiling for any model, from deviations and from draws."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.spread import Spread

CATEGORY = "flower-and-bird"


@pytest.fixture(scope="module")
def jackknife():
    design = ps.PPaintDesign(n_categories=2, n_items=8, n_pairs=24, dimensions=("mood", "overall"))
    return ps.fuse_davidson(ps.simulate_study(design, random_seed=5).study)


def make_fusion(draws, cells, *, prob=0.9):
    """A fusion of given draws; ``cells`` maps (category, dimension) to its items, columns in that order."""
    rows = [(c, d, item) for (c, d), items in cells.items() for item in items]
    scores = pd.DataFrame(rows, columns=["category", "dimension", "item"])
    scores["score"], scores["sd"] = draws.mean(axis=0), draws.std(axis=0, ddof=1)
    by_cell = scores.groupby(["category", "dimension"], sort=False)["score"]
    scores["rank"] = by_cell.rank(ascending=False, method="min").astype(int)
    settings = {"interval_kind": "posterior", "interval_prob": prob, "target": "population", "calibrated": True}
    none = pd.DataFrame()
    return Fusion("bayes", scores, Spread(draws=draws), ps.RatingScale(1, 5), settings, none, none, none, True)


ITEMS = ("x", "y", "z")
CERTAIN = np.tile([3.0, 1.0, 2.0, 1.0, 2.0, 3.0], (50, 1))


@pytest.fixture(scope="module")
def sampled():
    """Two dimensions of three items whose errors go together: the second's error is the first's."""
    error = np.random.default_rng(0).standard_normal((4000, 3))
    centre = np.array([3.0, 2.0, 1.0, 1.0, 3.0, 2.0])
    draws = centre + np.tile(error, 2)
    return make_fusion(draws, {("c", "a"): ITEMS, ("c", "b"): ITEMS})


@pytest.fixture(scope="module")
def certain():
    return make_fusion(CERTAIN, {("c", "a"): ITEMS, ("c", "b"): ITEMS})


# Composites.


def test_composite_of_draws(sampled):
    table = ps.composite_scores(sampled)
    assert list(table.columns) == ["category", "item", "score", "sd", "lower", "upper", "rank"]
    assert table["item"].tolist() == list(ITEMS)
    draws = sampled.spread.draws
    mean = (draws[:, :3] + draws[:, 3:]) / 2
    np.testing.assert_allclose(table["score"], mean.mean(axis=0))
    np.testing.assert_allclose(table["sd"], mean.std(axis=0, ddof=1))
    np.testing.assert_allclose(table[["lower", "upper"]].to_numpy().T, np.quantile(mean, [0.05, 0.95], axis=0))
    # errors that go together do not average out
    assert table["sd"].to_numpy() == pytest.approx(sampled.scores["sd"][:3].to_numpy(), rel=1e-6)
    assert table["rank"].tolist() == [2, 1, 3]


def test_weights_of_a_composite(sampled):
    table = ps.composite_scores(sampled, {"a": 3, "b": 1})
    score = sampled.scores["score"].to_numpy()
    np.testing.assert_allclose(table["score"], 0.75 * score[:3] + 0.25 * score[3:])
    only = ps.composite_scores(sampled, {"b": 2.0})
    np.testing.assert_allclose(only["score"], score[3:])
    pd.testing.assert_frame_equal(only, ps.composite_scores(sampled, {"a": 0, "b": 1}))
    narrow = ps.composite_scores(sampled, interval_prob=0.5)
    wide = ps.composite_scores(sampled)
    assert (narrow["upper"] - narrow["lower"] < wide["upper"] - wide["lower"]).all()


def test_composite_of_deviations(jackknife):
    table = ps.composite_scores(jackknife)
    assert len(table) == 16
    scores = jackknife.scores.groupby(["category", "item"], sort=False)["score"].mean()
    np.testing.assert_allclose(table["score"], scores[list(zip(table["category"], table["item"], strict=True))])
    assert ((table["lower"] < table["score"]) & (table["score"] < table["upper"])).all()
    assert (table.groupby("category")["rank"].min() == 1).all()
    assert table["rank"].between(1, 8).all()
    pd.testing.assert_frame_equal(table, ps.composite_scores(jackknife))
    other = ps.composite_scores(jackknife, random_seed=1)
    np.testing.assert_allclose(table["score"], other["score"])
    assert (table["sd"] != other["sd"]).any()


def test_items_that_a_dimension_does_not_score_have_no_composite():
    draws = np.random.default_rng(1).standard_normal((100, 5))
    fusion = make_fusion(draws, {("c", "a"): ITEMS, ("c", "b"): ITEMS[:2]})
    assert ps.composite_scores(fusion)["item"].tolist() == ["x", "y"]
    assert ps.composite_scores(fusion, {"a": 1})["item"].tolist() == list(ITEMS)


def test_rows_in_another_order_change_nothing(sampled):
    order = [5, 0, 3, 1, 4, 2]
    turned = replace(
        sampled,
        scores=sampled.scores.iloc[order],  # its index is not a plain count
        spread=Spread(draws=sampled.spread.draws[:, order]),
    )
    one, two = (ps.composite_scores(fusion).set_index("item") for fusion in (sampled, turned))
    pd.testing.assert_frame_equal(one, two.loc[list(ITEMS)])
    for fusion in (sampled, turned):
        table = ps.rank_probabilities(fusion, category="c", dimension="b")
        assert table.index.tolist() == ["y", "z", "x"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weights": {"hue": 1}}, r"weights name \['hue'\].*\['a', 'b'\]"),
        ({"weights": {"a": -1, "b": 2}}, "at least 0.*'a': -1"),
        ({"weights": {"a": np.inf}}, "finite"),
        ({"weights": {"a": np.nan}}, "finite"),
        ({"weights": {"a": 0}}, "not all 0"),
        ({"weights": {}}, "not all 0"),
        ({"interval_prob": 1.0}, "interval_prob=1.0"),
    ],
)
def test_bad_weights_are_named(sampled, options, words):
    with pytest.raises(ArgumentError, match=words):
        ps.composite_scores(sampled, **options)


# Ranks.


def test_rank_probabilities_of_draws(sampled):
    table = ps.rank_probabilities(sampled, category="c", dimension="a")
    assert table.index.tolist() == ["x", "y", "z"]
    assert table.index.name == "item"
    assert table.columns.tolist() == [1, 2, 3]
    np.testing.assert_allclose(table.sum(axis=0), 1)
    np.testing.assert_allclose(table.sum(axis=1), 1)
    draws = sampled.spread.draws[:, :3]
    best = np.bincount(draws.argmax(axis=1), minlength=3) / len(draws)
    np.testing.assert_allclose(table[1], best)


def test_rank_probabilities_of_deviations(jackknife):
    for dimension in ("mood", "overall"):
        table = ps.rank_probabilities(jackknife, category=CATEGORY, dimension=dimension)
        assert table.shape == (8, 8)
        assert table.ge(0).all(axis=None)
        np.testing.assert_allclose(table.sum(axis=0), 1)
        np.testing.assert_allclose(table.sum(axis=1), 1)
        expected = table.to_numpy() @ table.columns.to_numpy(float)
        assert (np.diff(expected) >= 0).all()
        best = jackknife.select(category=CATEGORY, dimension=dimension)["item"].iloc[0]
        assert table.loc[best, 1] > 1 / 8
    pd.testing.assert_frame_equal(
        table, ps.rank_probabilities(jackknife, category=CATEGORY, dimension="overall", random_seed=0)
    )


def test_certain_ranks(certain):
    table = ps.rank_probabilities(certain, category="c", dimension="b")
    assert table.index.tolist() == ["z", "y", "x"]
    np.testing.assert_array_equal(table, np.eye(3))


def test_top_k(sampled, certain, jackknife):
    for k in (1, 2, 3):
        found = ps.top_k_probabilities(sampled, k, category="c", dimension="a")
        assert found.sum() == pytest.approx(k)
        assert found.between(0, 1 + 1e-12).all()
        assert found.is_monotonic_decreasing
        assert found.name == "probability"
        assert ps.top_k_probabilities(jackknife, k, category=CATEGORY, dimension="mood").sum() == pytest.approx(k)
    assert found.to_numpy() == pytest.approx(1)
    two = ps.top_k_probabilities(certain, 2, category="c", dimension="a")
    assert two.to_dict() == {"x": 1.0, "z": 1.0, "y": 0.0}


@pytest.mark.parametrize("k", [0, 4, 1.5, -1])
def test_bad_k_is_named(sampled, k):
    with pytest.raises(ArgumentError, match=f"k={k}"):
        ps.top_k_probabilities(sampled, k, category="c", dimension="a")


def test_unknown_cells_are_named(sampled):
    with pytest.raises(ArgumentError, match="category='d'"):
        ps.rank_probabilities(sampled, category="d", dimension="a")
    with pytest.raises(ArgumentError, match="dimension='hue'"):
        ps.top_k_probabilities(sampled, 1, category="c", dimension="hue")
    draws = np.random.default_rng(2).standard_normal((10, 4))
    apart = make_fusion(draws, {("c", "a"): ("x", "y"), ("d", "b"): ("v", "w")})
    with pytest.raises(ArgumentError, match="no scores of category 'c' in dimension 'b'"):
        ps.rank_probabilities(apart, category="c", dimension="b")


# The ceiling.


def test_noise_ceiling(sampled, certain, jackknife):
    table = ps.noise_ceiling(certain)
    assert list(table.columns) == ["category", "dimension", "estimate", "lower", "upper"]
    np.testing.assert_allclose(table[["estimate", "lower", "upper"]], 1)
    for fusion in (sampled, jackknife):
        table = ps.noise_ceiling(fusion)
        assert len(table) == len(fusion.scores[["category", "dimension"]].drop_duplicates())
        assert table[["estimate", "lower", "upper"]].apply(lambda column: column.between(-1, 1)).all(axis=None)
        assert (table["lower"] <= table["estimate"]).all()
        assert (table["estimate"] <= table["upper"]).all()
        assert (table["estimate"] < 1).all()
    less = replace(sampled, spread=Spread(draws=sampled.scores["score"].to_numpy() + 3 * (
        sampled.spread.draws - sampled.scores["score"].to_numpy())))  # fmt: skip
    assert (ps.noise_ceiling(less)["estimate"] < ps.noise_ceiling(sampled)["estimate"]).all()


def test_two_items_have_no_ceiling():
    draws = np.random.default_rng(3).standard_normal((10, 5))
    table = ps.noise_ceiling(make_fusion(draws, {("c", "a"): ("x", "y"), ("c", "b"): ITEMS}))
    assert table["estimate"].isna().tolist() == [True, False]


def test_fusions_without_intervals_are_refused(sampled):
    bare = replace(sampled, settings={**sampled.settings, "interval_kind": "none"})
    for ask in (
        ps.composite_scores,
        ps.noise_ceiling,
        lambda fusion: ps.rank_probabilities(fusion, category="c", dimension="a"),
        lambda fusion: ps.top_k_probabilities(fusion, 1, category="c", dimension="a"),
    ):
        with pytest.raises(ArgumentError, match="uncertainty"):
            ask(bare)
