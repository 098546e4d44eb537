"""The three fusions of a study: columns, scale, protocols, limits, laws, what they refuse and what they warn of."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import ppaint_stats as ps
from ppaint_stats.columns import SCORE_COLUMNS
from ppaint_stats.errors import (
    ArgumentError,
    CalibrationWarning,
    DiscardedDataWarning,
    DisconnectedGraphError,
    DisconnectedWarning,
    PPaintWarning,
)

KEYS = ["category", "dimension", "item"]
DESIGN = ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40, dimensions=("overall",))


def fuse_elo(study, **options):
    """Fewer orders; unanchored points of a small study creep apart for many passes, which a wider tol accepts."""
    unanchored = options.get("protocols") == "preferences" or study.ratings is None
    return ps.fuse_elo(study, **({"n_orders": 20, "tol": 5.0 if unanchored else 0.5} | options))


FUSIONS = {"davidson": ps.fuse_davidson, "elo": fuse_elo, "thurstone": ps.fuse_thurstone}
each_method = pytest.mark.parametrize("method", list(FUSIONS))


@pytest.fixture(scope="module")
def simulation():
    return ps.simulate_study(DESIGN, random_seed=1)


@pytest.fixture(scope="module")
def study(simulation):
    return simulation.study


@pytest.fixture(scope="module")
def fusions(study):
    return {name: fuse(study) for name, fuse in FUSIONS.items()}


def remake(study, *, ratings="same", preferences="same", scale="same"):
    return ps.Study(
        ratings=study.ratings if isinstance(ratings, str) else ratings,
        preferences=study.preferences if isinstance(preferences, str) else preferences,
        scale=study.scale if isinstance(scale, str) else scale,
    )


def by_item(fusion, column="score"):
    return fusion.scores.set_index(KEYS)[column]


# What every fusion returns.


@each_method
def test_scores_table(fusions, study, method):
    fusion = fusions[method]
    table = fusion.scores
    assert fusion.method == method
    assert tuple(table.columns[: len(SCORE_COLUMNS)]) == SCORE_COLUMNS
    assert "rating" not in table.columns
    assert sorted(table["item"]) == sorted(study.items())
    assert np.isfinite(table[["score", "sd", "lower", "upper", "latent"]]).all(axis=None)
    assert table["score"].between(1, 5).all()
    assert table["lower"].between(1, 5).all()
    assert table["upper"].between(1, 5).all()
    assert (table["lower"] <= table["score"]).all()
    assert (table["score"] <= table["upper"]).all()
    assert (table["rank"] == table["score"].rank(ascending=False, method="min")).all()
    assert (table["rank_lower"] <= table["rank"]).all()
    assert (table["rank"] <= table["rank_upper"]).all()
    assert (table["n_ratings"] == 5).all()
    assert table["n_comparisons"].sum() == 2 * len(study.preferences)
    assert stats.spearmanr(table["score"], table["latent"]).statistic == pytest.approx(1, abs=1e-3)
    settings = fusion.settings
    assert settings["interval_prob"] == 0.9
    assert settings["interval_kind"] == "jackknife"
    assert settings["target"] == "population"
    assert settings["protocols"] == "both"
    assert settings["calibrated"] is True
    assert fusion.converged
    assert fusion.scale == study.scale
    assert list(fusion.raters["rater"]) == list(study.raters)
    assert fusion.raters["severity"].sum() == pytest.approx(0, abs=1e-9)


@each_method
def test_the_same_seed_gives_the_same_scores(fusions, study, method):
    again = FUSIONS[method](study)
    pd.testing.assert_frame_equal(fusions[method].scores, again.scores)


@each_method
def test_scores_follow_the_truth(fusions, simulation, method):
    truth = simulation.truth.set_index(KEYS)["population"]
    assert stats.spearmanr(by_item(fusions[method]), truth[by_item(fusions[method]).index]).statistic > 0.8


@each_method
@pytest.mark.parametrize("protocols", ["both", "ratings", "preferences"])
def test_protocols(study, method, protocols):
    fusion = FUSIONS[method](study, protocols=protocols, interval="none")
    assert fusion.settings["protocols"] == protocols
    assert fusion.calibrated
    assert fusion.scores["score"].between(1, 5).all()
    assert fusion.scores["sd"].isna().all()
    raw = study.ratings.groupby("item")["rating"].mean()
    if protocols == "ratings":  # complete ratings: raw means, shrunken or not
        assert stats.pearsonr(fusion.scores["score"], raw[fusion.scores["item"]]).statistic == pytest.approx(1)
        one_sided = FUSIONS[method](study.drop_protocol("preferences"), protocols="both", interval="none")
        np.testing.assert_allclose(by_item(fusion), by_item(one_sided))
    if protocols == "preferences":  # what the ratings say about order does not matter
        turned = study.ratings.assign(rating=study.ratings["rating"].sample(frac=1, random_state=3).to_numpy())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PPaintWarning)  # a flat map is no subject here
            other = FUSIONS[method](remake(study, ratings=turned), protocols=protocols, interval="none")
        np.testing.assert_allclose(fusion.scores["latent"], other.scores["latent"])


@each_method
def test_preferences_without_ratings_stay_latent(study, method):
    fusion = FUSIONS[method](study.drop_protocol("ratings"))
    assert not fusion.calibrated
    assert fusion.settings["calibrated"] is False
    np.testing.assert_array_equal(fusion.scores["score"], fusion.scores["latent"])
    assert (fusion.scores["sd"] > 0).all()
    assert fusion.calibration.empty
    with pytest.raises(ArgumentError, match="scale"):
        fusion.to_targets("nowhere.parquet")


@each_method
def test_targets(study, fusions, method):
    relative = FUSIONS[method](study, target="relative")
    assert relative.scores["score"].sum() == pytest.approx(0, abs=1e-9)
    population = by_item(fusions[method])
    np.testing.assert_allclose(by_item(relative), population - population.mean(), atol=1e-9)
    assert (relative.scores["upper"] > relative.scores["score"]).all()
    # the panel's common severity is not in a difference
    assert relative.scores["sd"].mean() < fusions[method].scores["sd"].mean()
    panel = FUSIONS[method](study, target="panel")
    assert panel.settings["interval_kind"] == "hessian"
    np.testing.assert_allclose(by_item(panel), population)


def test_agreement_of_elo_and_davidson(fusions):
    elo, davidson = by_item(fusions["elo"]), by_item(fusions["davidson"])
    assert stats.spearmanr(elo, davidson).statistic > 0.97
    assert (elo - davidson).abs().mean() < 0.1


# Limits of the weight.


def test_limits_of_the_rating_weight(study):
    rated = ps.fuse_davidson(study, protocols="ratings", interval="none")
    preferred = ps.fuse_davidson(study, protocols="preferences", interval="none")
    zero = ps.fuse_davidson(study, rating_weight=0.0, interval="none")
    pd.testing.assert_frame_equal(zero.scores, preferred.scores)
    huge = ps.fuse_davidson(study, rating_weight=1e5, interval="none", discount="none")
    raw = study.ratings.groupby("item")["rating"].mean()[huge.scores["item"]]
    assert stats.spearmanr(huge.scores["latent"], raw).statistic > 0.99
    assert stats.spearmanr(huge.scores["score"], rated.scores["score"]).statistic > 0.99
    assert huge.parameters["rating_share"][0] > zero.parameters["rating_share"][0] == 0


@each_method
def test_the_ratings_say_what_they_weigh(fusions, method):
    row = fusions[method].parameters.iloc[0]
    assert 0 < row["rating_share"] < 1
    if method == "davidson":
        assert row["slope"] > 0
        assert np.isfinite(row[["loglik_preferences", "loglik_ratings", "log_marginal"]].astype(float)).all()


@each_method
def test_contradicting_ratings_are_never_ignored_in_silence(study, method):
    reversed_ratings = study.ratings.assign(rating=6 - study.ratings["rating"])
    contradicting = remake(study, ratings=reversed_ratings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fusion = FUSIONS[method](contradicting, interval="none")
    assert any(issubclass(warning.category, CalibrationWarning) for warning in caught)
    assert np.isfinite(fusion.scores["score"]).all()
    if method == "thurstone":
        row = fusion.parameters.iloc[0]
        assert row["slope"] > 0
        assert row["rating_share"] > 0
        assert np.isfinite(row["loglik_ratings"])


# Laws.


@each_method
def test_swapping_the_sides_mirrors(study, method):
    preferences = study.preferences
    swapped = preferences.assign(
        item_a=preferences["item_b"],
        item_b=preferences["item_a"],
        outcome=preferences["outcome"].map({"A": "B", "B": "A", "TIE": "TIE"}),
    )
    options = {"n_orders": 400} if method == "elo" else {}
    one = FUSIONS[method](study, interval="none", **options)
    two = FUSIONS[method](remake(study, preferences=swapped), interval="none", **options)
    np.testing.assert_allclose(by_item(one), by_item(two), atol=1e-3)
    if method != "thurstone":
        delta = one.parameters["order_effect"][0]
        assert two.parameters["order_effect"][0] == pytest.approx(-delta, rel=1e-2)


@each_method
def test_relabelling_permutes(study, method):
    items = list(study.items())
    new = dict(zip(items, np.random.default_rng(0).permutation([f"x{i}" for i in range(12)]), strict=True))
    renamed = remake(
        study,
        ratings=study.ratings.assign(item=study.ratings["item"].map(new)),
        preferences=study.preferences.assign(
            item_a=study.preferences["item_a"].map(new), item_b=study.preferences["item_b"].map(new)
        ),
    )
    one = FUSIONS[method](study, interval="none").scores.set_index("item")["score"]
    two = FUSIONS[method](renamed, interval="none").scores.set_index("item")["score"]
    np.testing.assert_allclose(one[items], two[[new[i] for i in items]], atol=1e-6)


@pytest.mark.parametrize("method", ["davidson", "thurstone"])
def test_counts_equal_rows(study, method):
    columns = ["category", "dimension", "rater", "item_a", "item_b", "outcome"]
    counted = study.preferences.groupby(columns, sort=False).size().rename("count").reset_index()
    counted = counted.assign(count=2 * counted["count"])
    doubled = pd.concat([study.preferences, study.preferences])
    one = FUSIONS[method](remake(study, preferences=counted), interval="none")
    two = FUSIONS[method](remake(study, preferences=doubled), interval="none")
    np.testing.assert_allclose(by_item(one), by_item(two), atol=1e-5)
    assert one.scores["n_comparisons"].sum() == 4 * len(study.preferences)


def test_elo_plays_counts_as_games(study):
    columns = ["category", "dimension", "item_a", "item_b", "outcome"]
    counted = study.preferences.groupby(columns, sort=False).size().rename("count").reset_index()
    one = ps.fuse_elo(remake(study, preferences=counted), interval="none", n_orders=300)
    two = ps.fuse_elo(study, interval="none", n_orders=300)
    np.testing.assert_allclose(by_item(one), by_item(two), atol=0.05)  # the design effect needs raters
    huge = counted.assign(count=10_000_000)
    with pytest.raises(ArgumentError, match="more than the 20,000,000"):
        ps.fuse_elo(remake(study, preferences=huge), interval="none")


# Missing parts.


def test_items_missing_in_one_protocol(study):
    items = study.items()
    ratings = study.ratings[study.ratings["item"] != items[0]]
    preferences = study.preferences
    preferences = preferences[(preferences["item_a"] != items[1]) & (preferences["item_b"] != items[1])]
    partial = remake(study, ratings=ratings, preferences=preferences)
    for fuse in FUSIONS.values():
        scores = fuse(partial, interval="none").scores.set_index("item")
        assert np.isfinite(scores["score"]).all()
        assert len(scores) == 12
        assert scores.loc[items[0], "n_ratings"] == 0
        assert scores.loc[items[1], "n_comparisons"] == 0
    with pytest.warns(DiscardedDataWarning, match=f"1 items.*{items[1]}"):
        only = ps.fuse_davidson(partial, protocols="preferences", interval="none")
    assert items[1] not in set(only.scores["item"])
    with pytest.warns(DiscardedDataWarning, match=f"1 items.*{items[0]}"):
        only = ps.fuse_davidson(partial, protocols="ratings", interval="none")
    assert items[0] not in set(only.scores["item"])


def split_comparisons(study, groups):
    """Keep comparisons within groups of items."""
    group = {item: k for k, members in enumerate(groups) for item in members}
    p = study.preferences
    return p[p["item_a"].map(group) == p["item_b"].map(group)]


@each_method
def test_disconnected_preferences(study, method):
    order = np.array(study.items())
    rng = np.random.default_rng(2)
    three = [order[:4], order[4:8], order[8:]]
    level = study.ratings.groupby("item")["rating"].mean()
    rows = [
        (f"rater-0{rater + 1}", a, b, rng.choice(["A", "B"], p=[p := 1 / (1 + np.exp(level[b] - level[a])), 1 - p]))
        for group in three
        for i, a in enumerate(group)
        for b in group[i + 1 :]
        for rater in range(5)
    ]
    apart = remake(study, preferences=pd.DataFrame(rows, columns=["rater", "item_a", "item_b", "outcome"]).assign(
        category=study.categories[0], dimension="overall"))  # fmt: skip
    with pytest.raises(DisconnectedGraphError, match="3 components"):
        FUSIONS[method](apart, protocols="preferences")
    with pytest.raises(DisconnectedGraphError, match="3 components"):
        FUSIONS[method](apart.drop_protocol("ratings"))
    fusion = FUSIONS[method](apart, interval="none")
    assert np.isfinite(fusion.scores["score"]).all()
    assert fusion.parameters["rating_share"][0] > 0
    loose = remake(apart, ratings=apart.ratings[~apart.ratings["item"].isin(list(three[2]))])
    with pytest.raises(DisconnectedGraphError, match="1 of them hold no rated item"):
        FUSIONS[method](loose)


def test_two_categories_with_panels_of_their_own():
    design = ps.PPaintDesign(n_categories=2, n_items=8, n_pairs=20, n_raters=4, dimensions=("mood", "overall"))
    both = ps.simulate_study(design, random_seed=3).study
    fusion = ps.fuse_davidson(both)
    assert len(fusion.scores) == 32
    assert len(fusion.parameters) == 4
    for category in both.categories:
        alone = ps.fuse_davidson(both.select(categories=[category]))
        columns = ["score", "sd", "lower", "upper", "rank"]
        inside = fusion.scores[fusion.scores["category"] == category].reset_index(drop=True)
        pd.testing.assert_frame_equal(inside[columns], alone.scores[columns], rtol=1e-9)


def test_ratings_of_disjoint_panels_are_shrunken_with_a_warning(study):
    raters, items = study.raters, study.items()
    first = study.ratings["item"].isin(items[:6])
    with_first = study.ratings["rater"].isin(raters[:2])
    apart = remake(study, ratings=study.ratings[first == with_first])
    with pytest.warns(DisconnectedWarning, match="2 separate groups"):
        fusion = ps.fuse_davidson(apart, interval="none")
    assert np.isfinite(fusion.scores["score"]).all()


@each_method
def test_a_single_rater(study, method):
    alone = study.select(raters=[study.raters[0]])
    with pytest.warns(PPaintWarning, match="1 rater, and 2 are needed"):
        fusion = FUSIONS[method](alone)
    assert fusion.settings["interval_kind"] == "hessian"
    with pytest.raises(ArgumentError, match="jackknife"):
        FUSIONS[method](alone, interval="jackknife")


@each_method
def test_comparisons_without_a_rater(study, method):
    anonymous = remake(study, preferences=study.preferences.drop(columns="rater"))
    with pytest.raises(ArgumentError, match="rater is not recorded"):
        FUSIONS[method](anonymous, interval="jackknife")
    with pytest.raises(ArgumentError, match="rater is not recorded"):
        FUSIONS[method](anonymous, interval="bootstrap")
    with pytest.warns(PPaintWarning, match="these judgments only"):
        fusion = FUSIONS[method](anonymous)
    assert fusion.settings["interval_kind"] == "hessian"
    assert (fusion.scores["sd"] > 0).all()


def test_no_ties_and_nothing_but_ties(study):
    decided = study.preferences[study.preferences["outcome"] != "TIE"]
    fusion = ps.fuse_davidson(remake(study, preferences=decided), interval="none")
    assert fusion.parameters["log_nu"][0] == -np.inf
    tied = remake(study, preferences=study.preferences.assign(outcome="TIE"))
    for fuse in (ps.fuse_davidson, fuse_elo):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CalibrationWarning)  # without the ratings these items are all alike
            found = fuse(tied, interval="none")
        assert np.isfinite(found.scores["score"]).all()


def test_all_ratings_equal(study):
    flat = remake(study, ratings=study.ratings.assign(rating=3.0))
    for fuse in (ps.fuse_davidson, fuse_elo):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fusion = fuse(flat, interval="none")
        assert any(issubclass(warning.category, CalibrationWarning) for warning in caught)
        np.testing.assert_allclose(fusion.scores["score"], 3, atol=0.3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"interval": "bayes"}, "interval='bayes'"),
        ({"target": "me"}, "target='me'"),
        ({"protocols": "none"}, "protocols='none'"),
        ({"interval_prob": 1.0}, "interval_prob=1.0"),
        ({"rating_weight": -1.0}, "rating_weight=-1.0"),
        ({"rating_weight": np.nan}, "rating_weight=nan"),
        ({"discount": "some"}, "discount='some'"),
        ({"random_seed": -1}, "random_seed"),
    ],
)
def test_bad_arguments_are_named(study, options, words):
    with pytest.raises(ArgumentError, match=words):
        ps.fuse_davidson(study, **options)


@pytest.mark.parametrize("option", ["k", "n_orders", "max_passes", "anchor_games"])
def test_bad_elo_arguments_are_named(study, option):
    with pytest.raises(ArgumentError, match=f"{option}=-1"):
        ps.fuse_elo(study, **{option: -1})


def test_protocols_that_are_not_there(study):
    with pytest.raises(ArgumentError, match="no ratings"):
        ps.fuse_davidson(study.drop_protocol("ratings"), protocols="ratings")
    with pytest.raises(ArgumentError, match="no preferences"):
        ps.fuse_davidson(study.drop_protocol("preferences"), protocols="preferences")


def test_discount_of_comparisons_by_other_people(study):
    """Comparisons by people who rated count fully; by others they are divided by their design effect."""
    same = ps.fuse_davidson(study, interval="none")
    none = ps.fuse_davidson(study, interval="none", discount="none")
    everyone = ps.fuse_davidson(study, interval="none", discount="all")
    pd.testing.assert_frame_equal(same.scores, none.scores)
    assert same.parameters["discount"][0] == 1
    assert everyone.parameters["discount"][0] == pytest.approx(everyone.parameters["design_effect"][0], rel=0.03)
    assert everyone.parameters["rating_share"][0] >= same.parameters["rating_share"][0]
    others = remake(study, preferences=study.preferences.assign(rater="other " + study.preferences["rater"]))
    apart = ps.fuse_davidson(others, interval="none")
    np.testing.assert_allclose(by_item(apart), by_item(everyone), atol=1e-6)


def test_elo_sensitivity(study):
    table = ps.elo_sensitivity(study, k=(16.0, 32.0), anchor_scale=(0.0, 1.0), max_passes=(50,), n_orders=10)
    assert len(table) == 4
    assert table["srcc"].between(0.5, 1).all()
    assert table.loc[(table["k"] == 32) & (table["anchor_games"] > 0), "srcc"].iloc[0] > 0.98


# Real data.


def test_rankme(data_dir):
    """The comparisons of 300 texts fall into 100 triples: only ratings link them."""
    rankme = ps.read_study(
        ratings=data_dir / "rankme_ratings.csv",
        preferences=data_dir / "rankme_pairs.csv",
        scale=(1, 6, 1),
        columns={"winner": "outcome"},
    )
    for fuse in (ps.fuse_davidson, ps.fuse_thurstone):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DisconnectedWarning)  # some raters share no text with the others
            fusion = fuse(rankme, interval="none")
        assert len(fusion.scores) == 900
        assert np.isfinite(fusion.scores["score"]).all()
        assert fusion.scores["score"].between(1, 6).all()
        assert (fusion.parameters["rating_share"] > 0.01).all()
        assert (fusion.parameters["slope"] > 0).all()
        with pytest.raises(DisconnectedGraphError, match="100 components"):
            fuse(rankme, protocols="preferences")
    with pytest.raises(DisconnectedGraphError, match="100 components"):
        ps.fuse_elo(rankme, protocols="preferences")


def test_voicelik(data_dir):
    ratings = pd.read_csv(data_dir / "voicelik_ratings.csv").dropna()
    voices = ps.read_study(
        ratings=ratings,
        preferences=data_dir / "voicelik_pairs.csv",
        scale=(0, 100),
        columns={"winner": "outcome"},
        tie_margin=5,
    )
    davidson, elo = ps.fuse_davidson(voices), fuse_elo(voices, interval="none")
    assert davidson.settings["interval_kind"] == "jackknife"
    assert davidson.scores["score"].between(0, 100).all()
    pairs = pd.read_csv(data_dir / "voicelik_pairs.csv").rename(columns={"winner": "outcome"})
    worth = np.exp(ps.fit_davidson(pairs).strengths)
    share = worth / worth.sum()
    published = [0.01330492, 0.18394959, 0.18983382]  # by a source that stopped a little early
    assert share[["kigali", "rotterdam", "malabo"]].tolist() == pytest.approx(published, rel=2e-4)
    means = ratings.groupby("item")["rating"].mean()
    assert np.corrcoef(means, share[means.index])[0, 1] == pytest.approx(0.7877601, abs=1e-4)
    assert stats.spearmanr(by_item(davidson), by_item(elo)).statistic > 0.97
