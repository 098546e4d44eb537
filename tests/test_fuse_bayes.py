"""The joint Bayesian fusion: what it returns and what it refuses."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from bayes_helpers import assert_sound, fuse, glance, remake
from scipy import stats

import ppaint_stats as ps
from ppaint_stats.errors import (
    ArgumentError,
    ConvergenceWarning,
    DisconnectedGraphError,
    IntervalWarning,
)
from ppaint_stats.joint.density import prepare_data
from ppaint_stats.joint.encoding import encode_study
from ppaint_stats.joint.parameters import lay_out
from ppaint_stats.kernels.joint.density import joint_logp
from ppaint_stats.priors import LogNormal, Normal, Priors

KEYS = ["category", "dimension", "item"]
DESIGN = ps.PPaintDesign(n_categories=1, n_items=10, n_raters=4, n_pairs=30, dimensions=("a", "b"))


@pytest.fixture(scope="module")
def simulation():
    return ps.simulate_study(DESIGN, random_seed=1)


@pytest.fixture(scope="module")
def study(simulation):
    return simulation.study


@pytest.fixture(scope="module")
def fusion(study):
    return fuse(study, draws=600, tune=400)


@pytest.fixture(scope="module")
def brief(study):
    return fuse(study)


# What it returns.


def test_scores_table(fusion, study):
    assert_sound(fusion, study)
    table = fusion.scores
    other = ps.fuse_davidson(study).scores
    pd.testing.assert_series_equal(table.dtypes, other.dtypes)
    pd.testing.assert_frame_equal(
        table[[*KEYS, "calibrated", "n_ratings", "n_comparisons"]],
        other[[*KEYS, "calibrated", "n_ratings", "n_comparisons"]],
    )
    assert ((table["lower"] <= table["score"]) & (table["score"] <= table["upper"])).all()
    by_cell = table.groupby(["category", "dimension"])
    assert (table["rank"] == by_cell["score"].rank(ascending=False, method="min")).all()
    assert ((table["rank_lower"] <= table["rank"]) & (table["rank"] <= table["rank_upper"])).all()
    np.testing.assert_allclose(by_cell["latent"].sum(), 0, atol=1e-9)
    for _, cell in by_cell:  # the score rises with the utility in every draw
        assert stats.spearmanr(cell["score"], cell["latent"]).statistic > 0.98
    draws = fusion.spread.draws
    assert draws.shape == (1200, 20)
    np.testing.assert_allclose(table["score"], draws.mean(axis=0))
    np.testing.assert_allclose(table["sd"], draws.std(axis=0, ddof=1))
    np.testing.assert_allclose(table[["lower", "upper"]].to_numpy().T, np.quantile(draws, [0.05, 0.95], axis=0))


def test_scores_follow_the_truth_and_davidson(fusion, simulation, study):
    truth = simulation.truth.set_index(KEYS)["population"]
    found = fusion.scores.set_index(KEYS)["score"]
    assert stats.spearmanr(found, truth[found.index]).statistic > 0.85
    davidson = ps.fuse_davidson(study).scores.set_index(KEYS)["score"]
    assert stats.pearsonr(found, davidson[found.index]).statistic > 0.95
    assert (found - davidson[found.index]).abs().mean() < 0.3


def test_the_verdict_is_that_of_the_checks(fusion):
    checks = fusion.convergence
    assert checks["check"].tolist() == ["r_hat", "ess_bulk", "ess_tail", "divergences", "tree_depth", "bfmi", "mcse"]
    assert fusion.converged == checks["passed"].all() == (not fusion.settings["failed_checks"])
    by_name = checks.set_index("check")
    assert by_name.loc["ess_bulk", "threshold"] == 200
    assert by_name.loc["r_hat", "value"] < 1.05
    assert by_name.loc["bfmi", "passed"]
    assert by_name.loc["mcse", "passed"]
    assert ps.diagnose(fusion).passed == fusion.converged


def test_raters_table(fusion, study):
    table = fusion.raters
    assert list(zip(table["rater"], table["dimension"], strict=True)) == [
        (rater, dimension) for rater in study.raters for dimension in study.dimensions
    ]
    assert (table["n_ratings"] == 10).all()
    assert (table["n_comparisons"] == 30).all()
    for name in ("severity", "discrimination", "sharpness", "tie_rate", "position", "lapse", "taste_sd"):
        low, middle, high = (table[name + end] for end in ("_lower", "", "_upper"))
        assert ((low < middle) & (middle < high)).all(), name
    assert table["noise"].isna().all()  # an ordinal scale has none
    np.testing.assert_allclose(table.groupby("dimension")["severity"].sum(), 0, atol=1e-9)
    assert table["tie_rate"].between(0, 1).all()
    posterior = fusion.posterior["posterior"]
    for name in ("discrimination", "sharpness"):  # geometric means of 1
        np.testing.assert_allclose(np.log(posterior[name]).sum(posterior[name].dims[-1]), 0, atol=1e-9)


def test_dimensions_and_protocols_tables(fusion):
    dimensions, protocols = fusion.dimensions, fusion.protocols
    assert dimensions[["dimension", "dimension_bis"]].to_numpy().tolist() == [["a", "b"]]
    for name in ("item_correlation", "taste_correlation"):
        row = dimensions.iloc[0]
        assert -1 <= row[f"{name}_lower"] < row[name] < row[f"{name}_upper"] <= 1
    assert protocols["dimension"].tolist() == ["a", "b"]
    for name in ("item_sd", "taste_sd", "slope"):
        low, middle, high = (protocols[name + end] for end in ("_lower", "", "_upper"))
        assert ((low > 0) & (low < middle) & (middle < high)).all(), name
    assert protocols["protocol_correlation"].isna().all()
    assert fusion.parameters[["category", "dimension"]].to_numpy().tolist() == [
        ["flower-and-bird", "a"],
        ["flower-and-bird", "b"],
    ]
    np.testing.assert_allclose(fusion.parameters["slope"], protocols["slope"])
    assert fusion.calibration.empty


def test_posterior(fusion, study):
    tree = fusion.posterior
    assert set(tree.children) == {"posterior", "sample_stats", "unconstrained_posterior"}
    posterior = tree["posterior"]
    sizes = {"chain": 2, "draw": 600, "item": 10, "dimension": 2, "preference_rater": 4, "rating_rater": 4, "cut": 4}
    assert sizes.items() <= dict(posterior.sizes).items()
    assert posterior["item"].to_numpy().tolist() == list(study.items())
    assert posterior["dimension"].to_numpy().tolist() == list(study.dimensions)
    for name in ("preference_rater", "rating_rater", "taste_rater"):
        assert posterior[name].to_numpy().tolist() == list(study.raters)
    assert posterior["score"].dims == ("chain", "draw", "item", "dimension")
    assert posterior["severity"].dims == ("chain", "draw", "rating_rater", "dimension")
    assert posterior["item_correlation"].dims == ("chain", "draw", "dimension", "dimension_bis")
    assert posterior["utility"].sizes["utility_row"] == 40
    for row in fusion.scores.itertuples():
        own = posterior["score"].sel(item=row.item, dimension=row.dimension)
        assert float(own.mean()) == pytest.approx(row.score)
    assert (np.diff(posterior["threshold"], axis=3) > 0).all()
    stats_ = tree["sample_stats"]
    for name in ("diverging", "energy", "n_steps", "reached_max_treedepth", "step_size"):
        assert stats_[name].dims == ("chain", "draw")


def test_settings(study):
    priors = Priors(item_sd=LogNormal(1.0, 0.5))
    found = glance(
        study, interval_prob=0.8, target="relative", priors=priors, target_accept=0.9, max_treedepth=5, random_seed=7
    )
    wanted = {
        "interval_prob": 0.8, "interval_kind": "posterior", "target": "relative", "protocols": "both",
        "calibrated": True, "uncalibrated_reason": None, "protocol_discrepancy": False, "sampler": "nutpie",
        "draws": 30, "tune": 60, "chains": 1, "target_accept": 0.9, "max_treedepth": 5, "random_seed": 7,
        "categories_comparable": True, "ppaint_version": ps.__version__,
    }  # fmt: skip
    assert {name: found.settings[name] for name in wanted} == wanted
    assert found.settings["priors"]["item_sd"] == (1.0, 0.5)
    assert 0 < found.settings["leapfrog_steps"] < 2**5
    assert found.settings["sampling_seconds"] > 0
    json.dumps(dict(found.settings))
    draws = found.spread.draws
    np.testing.assert_allclose(found.scores[["lower", "upper"]].to_numpy().T, np.quantile(draws, [0.1, 0.9], axis=0))


def test_the_same_seed_gives_the_same_scores(brief, study):
    again = fuse(study, cores=1)
    pd.testing.assert_frame_equal(brief.scores, again.scores, check_exact=True)
    np.testing.assert_array_equal(brief.spread.draws, again.spread.draws)
    pd.testing.assert_frame_equal(brief.raters, again.raters, check_exact=True)
    assert (fuse(study, random_seed=2).scores["score"] != brief.scores["score"]).all()


def test_repr(brief):
    text = repr(brief)
    assert text.startswith("Fusion(bayes: 20 scores in 2 cells on 1 to 5 in steps of 1, target population, 90%")
    assert "posterior intervals" in text


def test_round_trip(brief, tmp_path):
    loaded = ps.load_fusion(brief.save(tmp_path / "bayes.nc"))
    pd.testing.assert_frame_equal(brief.scores, loaded.scores, check_exact=True)
    for name in ("parameters", "raters", "dimensions", "protocols", "convergence"):
        pd.testing.assert_frame_equal(getattr(brief, name), getattr(loaded, name), check_exact=True)
    np.testing.assert_array_equal(brief.spread.draws, loaded.spread.draws)
    assert loaded.converged == brief.converged
    assert repr(loaded) == repr(brief)
    assert set(loaded.posterior.children) == set(brief.posterior.children)
    for group, tree in brief.posterior.children.items():
        back = loaded.posterior[group]
        assert set(tree.data_vars) == set(back.data_vars)
        assert set(tree.coords) == set(back.coords)
        for name, array in tree.data_vars.items():
            assert array.dims == back[name].dims
            np.testing.assert_array_equal(array, back[name])
    one, two = ps.diagnose(brief), ps.diagnose(loaded)
    assert one.to_json() == two.to_json()
    composite = ps.composite_scores(brief)
    pd.testing.assert_frame_equal(composite, ps.composite_scores(loaded), check_exact=True)


def test_to_targets(brief, tmp_path):
    path = brief.to_targets(tmp_path / "targets.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(path), brief.scores[[*KEYS, "score", "sd"]])
    provenance = json.loads(pq.read_schema(path).metadata[b"provenance"])
    assert provenance["method"] == "bayes"
    assert provenance["converged"] == brief.converged
    assert provenance["settings"]["failed_checks"] == brief.settings["failed_checks"]


def test_what_the_draws_answer(fusion):
    best = fusion.select(dimension="a")["item"].iloc[0]
    worst = fusion.select(dimension="a")["item"].iloc[-1]
    assert fusion.probability_better(best, worst, dimension="a") > 0.95
    table = ps.rank_probabilities(fusion, category="flower-and-bird", dimension="a")
    assert table.loc[best, 1] > table.loc[worst, 1]
    assert ps.noise_ceiling(fusion)["estimate"].between(0.8, 1).all()


# Protocols and targets.


def test_ratings_alone(study):
    found = fuse(study, protocols="ratings")
    assert_sound(found, study)
    assert found.calibrated
    assert (found.scores["n_comparisons"] == 0).all()
    np.testing.assert_allclose(found.protocols["slope"], 1)
    assert found.protocols["taste_sd"].isna().all()  # one rating per item cannot tell taste from noise
    assert found.raters["sharpness"].isna().all()
    raw = study.ratings.groupby(["dimension", "item"])["rating"].mean()
    found_scores = found.scores.set_index(["dimension", "item"])["score"]
    assert stats.pearsonr(found_scores, raw[found_scores.index]).statistic > 0.9
    same = fuse(study.drop_protocol("preferences"))
    np.testing.assert_allclose(same.scores["score"], found.scores["score"])


def test_preferences_alone(study, tmp_path):
    found = fuse(study, protocols="preferences")
    assert found.calibrated is False
    assert "no ratings were used" in found.settings["uncalibrated_reason"]
    assert not found.scores["calibrated"].any()
    np.testing.assert_array_equal(found.scores["score"], found.scores["latent"])
    np.testing.assert_allclose(found.scores.groupby("dimension")["score"].sum(), 0, atol=1e-9)
    assert (found.scores["sd"] > 0).all()
    assert "score" not in found.posterior["posterior"]
    assert found.raters["severity"].isna().all()
    assert found.protocols["slope"].isna().all()
    assert "latent scale" in repr(found)
    with pytest.raises(ArgumentError, match="scale"):
        found.to_targets(tmp_path / "none.parquet")
    assert ps.load_fusion(found.save(tmp_path / "latent.nc")).calibrated is False
    same = fuse(study.drop_protocol("ratings"))
    np.testing.assert_allclose(same.scores["score"], found.scores["score"])


def test_panel(brief, study, simulation):
    found = fuse(study, target="panel")
    assert_sound(found, study)
    # the same draws of the sampler: what these raters say is known better than what others would say
    np.testing.assert_array_equal(found.posterior["unconstrained_posterior"]["flat"],
                                  brief.posterior["unconstrained_posterior"]["flat"])  # fmt: skip
    assert found.scores["sd"].mean() < 0.8 * brief.scores["sd"].mean()
    truth = simulation.truth.set_index(KEYS)["panel"]
    scores = found.scores.set_index(KEYS)["score"]
    assert (scores - truth[scores.index]).abs().mean() < 0.25
    with pytest.raises(ArgumentError, match=r"target='panel' needs each rater's own taste.*rater-01"):
        fuse(study, target="panel", protocols="ratings")
    with pytest.raises(ArgumentError, match="target='panel' needs ratings"):
        fuse(study, target="panel", protocols="preferences")
    silent = study.preferences[study.preferences["rater"] != study.raters[0]]
    with pytest.raises(ArgumentError, match=rf"\('{study.raters[0]}', 'flower-and-bird'\)\]"):
        fuse(remake(study, preferences=silent), target="panel")


def test_relative(brief, study, tmp_path):
    found = fuse(study, target="relative")
    np.testing.assert_allclose(found.scores.groupby("dimension")["score"].sum(), 0, atol=1e-9)
    population = brief.scores.groupby("dimension")["score"]
    np.testing.assert_allclose(found.scores["score"], brief.scores["score"] - population.transform("mean"), atol=1e-9)
    assert found.scores["sd"].mean() < brief.scores["sd"].mean()
    with pytest.raises(ArgumentError, match="relative"):
        found.to_targets(tmp_path / "none.parquet")


def test_protocol_discrepancy(study):
    found = fuse(study, protocol_discrepancy=True)
    assert_sound(found, study)
    table = found.protocols
    bounds = table[[f"protocol_correlation{end}" for end in ("_lower", "", "_upper")]]
    assert bounds.apply(lambda column: column.between(-1, 1)).all(axis=None)
    assert (table["protocol_correlation_lower"] < table["protocol_correlation_upper"]).all()
    assert (table["protocol_correlation"] > 0.3).all()  # one utility made both protocols
    assert {"consensus", "consensus_rating"} <= set(found.posterior["posterior"].data_vars)
    for protocol in ("ratings", "preferences"):
        with pytest.raises(ArgumentError, match="protocol_discrepancy=True needs both"):
            fuse(study, protocol_discrepancy=True, protocols=protocol)


def test_comparisons_without_a_rater(study):
    anonymous = remake(study, preferences=study.preferences.drop(columns="rater"))
    with pytest.warns(IntervalWarning, match="bear no rater"):
        found = fuse(anonymous)
    assert_sound(found, study)
    assert found.protocols["taste_sd"].isna().all()
    with pytest.raises(ArgumentError, match="panel"):
        glance(anonymous, target="panel")


def test_counts_equal_rows(study):
    columns = ["category", "dimension", "rater", "item_a", "item_b", "outcome"]
    counted = study.preferences.groupby(columns, sort=False).size().rename("count").reset_index()
    counted = remake(study, preferences=counted.assign(count=2 * counted["count"]))
    doubled = remake(study, preferences=pd.concat([study.preferences, study.preferences]))
    values = []
    for given in (counted, doubled):
        encoding = encode_study(given)
        layout = lay_out(encoding, Priors(), discrepancy=False)
        data = prepare_data(encoding, layout, Priors())
        x = 0.3 * np.random.default_rng(0).standard_normal(int(layout.starts[-1]))
        values.append(joint_logp(x, data))
    assert values[0][0] == pytest.approx(values[1][0], rel=1e-10)
    np.testing.assert_allclose(values[0][1], values[1][1], rtol=1e-7, atol=1e-7)
    one, two = fuse(counted), fuse(doubled)
    assert (one.scores["n_comparisons"] == two.scores["n_comparisons"]).all()
    assert (one.raters["n_comparisons"] == 60).all()
    np.testing.assert_allclose(one.scores["score"], two.scores["score"], atol=0.2)


# What it refuses.


def test_disconnected_preferences(study):
    items = study.items()
    half = set(items[:5])
    p = study.preferences
    apart = remake(study, preferences=p[p["item_a"].isin(half) == p["item_b"].isin(half)])
    with pytest.raises(DisconnectedGraphError, match="components"):
        fuse(apart, protocols="preferences")
    with pytest.raises(DisconnectedGraphError, match="components"):
        fuse(apart.drop_protocol("ratings"))
    assert_sound(glance(apart), study)
    loose = remake(apart, ratings=study.ratings[study.ratings["item"].isin(half)])
    with pytest.raises(DisconnectedGraphError, match="hold no rated item"):
        fuse(loose)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"draws": 0}, "draws=0 must be a whole number, 10 or more"),
        ({"tune": 1}, "tune=1"),
        ({"draws": 10.5}, "draws=10.5"),
        ({"chains": 0}, "chains=0"),
        ({"cores": 0}, "cores=0"),
        ({"sampler": "x"}, r"sampler='x' is not one of \['nutpie', 'pymc'\]"),
        ({"target_accept": 2}, "target_accept=2"),
        ({"target_accept": 0}, "target_accept=0"),
        ({"max_treedepth": 0}, "max_treedepth=0 must be a whole number, 1 or more"),
        ({"interval_prob": 1.0}, "interval_prob=1.0"),
        ({"target": "me"}, "target='me'"),
        ({"protocols": "none"}, "protocols='none'"),
        ({"random_seed": -1}, "random_seed"),
    ],
)
def test_bad_arguments_are_named(study, options, words):
    with pytest.raises(ArgumentError, match=words):
        fuse(study, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"item_sd": LogNormal(-1.0, 0.5)}, "item_sd.*positive median"),
        ({"taste_sd": LogNormal(1.0, 0.0)}, "taste_sd"),
        ({"position_mean": Normal(0.0, -1.0)}, "position_mean.*positive sd"),
        ({"correlation": 0.0}, "correlation=0.0"),
        ({"threshold_span": -8.0}, "threshold_span"),
    ],
)
def test_bad_priors_are_named(options, words):
    with pytest.raises(ArgumentError, match=words):
        Priors(**options)


def test_what_is_no_study_is_refused(study):
    with pytest.raises(ArgumentError, match="not a Study"):
        ps.fuse_bayes(study.ratings)
    with pytest.raises(ArgumentError, match="no ratings"):
        fuse(study.drop_protocol("ratings"), protocols="ratings")
    with pytest.raises(ArgumentError, match="no preferences"):
        fuse(study.drop_protocol("preferences"), protocols="preferences")


def test_a_sampler_that_has_not_converged_says_so_everywhere(study, tmp_path):
    with pytest.warns(ConvergenceWarning, match=r"did not converge: .*diagnose\(fusion\) says what to try"):
        found = ps.fuse_bayes(study, draws=20, tune=20, chains=2, random_seed=1, progressbar=False)
    assert found.converged is False
    assert found.settings["failed_checks"]
    assert "NOT CONVERGED" in repr(found)
    report = ps.diagnose(found)
    assert report.passed is False
    assert "What to try" in report.text
    assert "run more draws" in report.text
    failed = report.tables["checks"][~report.tables["checks"]["passed"]]
    assert (failed["advice"] != "").all()
    assert {"r_hat", "ess_bulk"} <= set(failed["check"])
    loaded = ps.load_fusion(found.save(tmp_path / "bad.nc"))
    assert loaded.converged is False
    assert "NOT CONVERGED" in repr(loaded)
    provenance = json.loads(pq.read_schema(found.to_targets(tmp_path / "bad.parquet")).metadata[b"provenance"])
    assert provenance["converged"] is False


def test_other_fusions_were_not_sampled(study):
    with pytest.raises(ArgumentError, match=r"davidson.*was not sampled"):
        ps.diagnose(ps.fuse_davidson(study, interval="none"))
