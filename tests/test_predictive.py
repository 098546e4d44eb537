"""Log-likelihood and replicates of single judgments: equal to the model's, by slow means."""

import numpy as np
import pytensor
import pytest
from bayes_helpers import fuse, simulate
from test_model import PLAIN, make_case

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError
from ppaint_stats.joint.predict import Preferences, Ratings, split_draws

SHAPES = (
    "repeated",
    "anonymous counts",
    "counts",
    "ratings",
    "preferences",
    "partial",
    "repeats of some",
    "sparse",
    "two levels",
    "discrepancy, continuous",
)


@pytest.mark.parametrize("name", SHAPES)
def test_log_likelihood_is_the_models(name):
    case = make_case(name)
    model, layout, encoding = case.model, case.layout, case.encoding
    observed = {variable.name: variable for variable in model.observed_RVs}
    values = [model.rvs_to_values[model[parameter]] for parameter in layout.unpack(np.zeros(layout.starts[-1]))]
    terms = model.logp(vars=list(observed.values()), sum=False)
    evaluate = pytensor.function(values, terms, mode=PLAIN, on_unused_input="ignore")
    flat = np.random.default_rng(4).normal(0, 0.6, (2, layout.starts[-1]))
    judged = {"rating": Ratings, "preference": Preferences}
    for place, draws, utility in split_draws(flat, encoding, layout):
        expected = [evaluate(*layout.unpack(x).values()) for x in flat[place]]
        for k, protocol in enumerate(observed):
            found = judged[protocol](encoding).log_likelihood(draws, utility)
            np.testing.assert_allclose(found, [row[k] for row in expected], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["counts", "continuous", "partial"])
def test_chunks_do_not_matter(name, monkeypatch):
    case = make_case(name)
    flat = np.random.default_rng(4).normal(0, 0.6, (7, case.layout.starts[-1]))

    def collect(kind):
        judged = kind(case.encoding)
        parts = split_draws(flat, case.encoding, case.layout)
        return [judged.log_likelihood(draws, utility) for _, draws, utility in parts]

    whole = {kind: collect(kind) for kind in (Ratings, Preferences)}
    monkeypatch.setattr("ppaint_stats.joint.predict.CHUNK", 1)
    for kind, (expected,) in whole.items():
        parts = collect(kind)
        assert len(parts) == 7
        np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [(1, 5, 1), (0, 10)])
def test_replicates_resemble_the_study(scale):
    study = simulate(n_items=12, n_pairs=40, scale=scale)
    fusion = fuse(study)
    found = ps.posterior_predictive(fusion, study, random_seed=1)
    assert found["rating"].dims == ("chain", "draw", "answer")
    assert found["preference"].dims == ("chain", "draw", "comparison")
    assert study.scale.contains(found["rating"].to_numpy().astype(float)).all()
    mean = found["rating"].mean(("chain", "draw")).to_numpy()
    assert np.corrcoef(mean, study.ratings["rating"])[0, 1] > 0.6
    assert mean.mean() == pytest.approx(study.ratings["rating"].mean(), abs=0.05 * study.scale.span)
    outcome = study.preferences["outcome"].map({"A": 0, "TIE": 1, "B": 2}).to_numpy()
    assert float((found["preference"] == 1).mean()) == pytest.approx((outcome == 1).mean(), abs=0.08)
    assert float((found["preference"] == outcome).mean()) > 0.5
    again = ps.posterior_predictive(fusion, study, random_seed=1)
    assert found.equals(again)
    assert not found.equals(ps.posterior_predictive(fusion, study, random_seed=2))


def test_replicates_follow_the_log_likelihood():
    case = make_case("one category")
    flat = np.tile(np.random.default_rng(3).normal(0, 0.4, case.layout.starts[-1]), (4000, 1))
    judged, rated = Preferences(case.encoding), Ratings(case.encoding)
    rng = np.random.default_rng(5)
    hits, logp = {Preferences: [], Ratings: []}, {}
    for _, draws, utility in split_draws(flat, case.encoding, case.layout):
        for kind, one, observed in (
            (Preferences, judged, judged.observed),
            (Ratings, rated, rated.data.value),
        ):
            hits[kind].append(one.replicate(draws, utility, rng) == observed)
            logp[kind] = one.log_likelihood(draws, utility)[0]
    for kind, found in hits.items():
        share = np.concatenate(found).mean(axis=0)
        np.testing.assert_allclose(share, np.exp(logp[kind]), atol=4 * np.sqrt(0.25 / 4000))


def test_draws_are_thinned_and_the_size_is_bounded():
    study = simulate()
    fusion = fuse(study)
    whole, thin = ps.log_likelihood(fusion, study), ps.log_likelihood(fusion, study, draws=3)
    assert list(thin["draw"]) == [0, 50, 99]
    np.testing.assert_array_equal(thin["rating"], whole["rating"].isel(draw=[0, 50, 99]))
    with pytest.raises(ArgumentError, match=r"more than max_gb=1e-05: give draws=\d+ or a larger max_gb"):
        ps.log_likelihood(fusion, study, max_gb=1e-5)
    alone = ps.log_likelihood(fuse(study, protocols="ratings", draws=30, tune=60), study)
    assert list(alone) == ["rating"]


def test_the_fusion_must_be_of_the_study(tmp_path):
    study = simulate()
    fusion = fuse(study, draws=30, tune=60)
    with pytest.raises(ArgumentError, match="by 'davidson'"):
        ps.log_likelihood(ps.fuse_davidson(study, interval="none"), study)
    with pytest.raises(ArgumentError, match="of another study"):
        ps.log_likelihood(fusion, simulate(n_items=8))
    loaded = ps.load_fusion(fusion.save(tmp_path / "fusion.nc"))
    assert ps.log_likelihood(loaded, study).equals(ps.log_likelihood(fusion, study))
