"""Simulation-based calibration: bands of ranks, draws from the prior, and what a wrong posterior looks like."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ppaint_stats import PPaintDesign, Study, simulate_study
from ppaint_stats.errors import ArgumentError
from ppaint_stats.joint.density import prepare_data
from ppaint_stats.joint.draws import derive_draws, expand_utilities
from ppaint_stats.joint.encoding import encode_study
from ppaint_stats.joint.parameters import lay_out
from ppaint_stats.joint.predict import Preferences, Ratings
from ppaint_stats.joint.prior_draws import simulate_prior
from ppaint_stats.joint.variables import FACTORS, flatten_variables
from ppaint_stats.kernels.joint.density import joint_logp
from ppaint_stats.kernels.rank_uniformity import band_ranks, count_below, judge_uniformity
from ppaint_stats.priors import Priors

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def simulate(**changes):
    small = {"n_categories": 1, "n_items": 6, "n_raters": 3, "dimensions": ("tone", "line"), "n_pairs": 12}
    return simulate_study(PPaintDesign(**(small | changes)), random_seed=1).study


def count_outside(ranks, n_values, prob=0.95):
    """Share of the rows that leave the band."""
    band = band_ranks(ranks.shape[1], n_values, prob=prob)
    counts = np.array([count_below(row, n_values) for row in ranks])
    return ((counts < band.lower) | (counts > band.upper)).any(axis=1).mean(), band.coverage


@pytest.mark.parametrize(("n", "n_values", "prob"), [(300, 100, 0.95), (100, 20, 0.9), (7, 4, 0.5)])
def test_uniform_ranks_leave_the_band_as_often_as_it_says(n, n_values, prob):
    ranks = np.random.default_rng(n).integers(n_values, size=(6000, n))
    outside, coverage = count_outside(ranks, n_values, prob)
    assert coverage >= prob
    assert outside == pytest.approx(1 - coverage, abs=3.5 * np.sqrt(coverage * (1 - coverage) / 6000))


def test_band_of_two_values_is_binomial():
    band = band_ranks(10, 2)  # P(2 <= Bin(10, 1/2) <= 8) = 1002 / 1024
    assert (band.lower.tolist(), band.upper.tolist()) == ([2], [8])
    assert band.coverage == pytest.approx(1002 / 1024)


def test_band_is_symmetric_and_does_not_cross():
    band = band_ranks(50, 40)
    np.testing.assert_array_equal(band.upper, 50 - band.lower[::-1])
    assert (np.diff(band.lower) >= 0).all()
    assert (band.lower <= band.upper).all()
    assert band_ranks(50, 40, prob=0.5).coverage < band.coverage
    assert (band_ranks(1, 3).lower == 0).all()


def test_p_values_of_uniform_ranks_are_uniform_and_agree_with_the_band():
    rng = np.random.default_rng(2)
    band = band_ranks(200, 50)
    p = []
    for ranks in rng.integers(50, size=(400, 200)):
        counts = count_below(ranks, 50)
        p.append(judge_uniformity(ranks, 50))
        assert (p[-1] <= 1 - band.coverage + 1e-9) == bool(((counts < band.lower) | (counts > band.upper)).any())
    for level in (0.05, 0.2, 0.5, 0.8):
        assert np.mean(np.array(p) <= level) == pytest.approx(level, abs=0.09)
    assert judge_uniformity(np.zeros(100, dtype=int), 50) < 1e-10


@pytest.mark.parametrize(("factor", "shift", "passes"), [(1.0, 0.0, True), (0.7, 0.0, False), (1.0, 0.4, False)])
def test_conjugate_normal_posterior_too_narrow_or_shifted_is_caught(factor, shift, passes):
    rng = np.random.default_rng(3)
    n, n_draws = 300, 99
    truth = rng.standard_normal(n)
    mean = (truth + rng.standard_normal((4, n))).sum(axis=0) / 5  # four observations of sd 1, a standard normal prior
    draws = mean + np.sqrt(1 / 5) * (shift + factor * rng.standard_normal((n_draws, n)))
    p = judge_uniformity((draws < truth).sum(axis=0), n_draws + 1)
    assert (p > 0.05) == passes
    assert passes or p < 1e-3


@pytest.fixture(scope="module")
def drawn():
    return simulate_prior(simulate(), n=4, random_seed=1)


def test_draws_are_studies_with_the_tables_of_the_design(drawn):
    studies = list(drawn)
    assert len(studies) == len(drawn) == 4
    for k, study in enumerate(studies):
        judgments = ["rating", "outcome"]
        for table, own in (("ratings", drawn.design.ratings), ("preferences", drawn.design.preferences)):
            new = getattr(study, table)
            assert new.drop(columns=judgments, errors="ignore").equals(own.drop(columns=judgments, errors="ignore"))
        np.testing.assert_array_equal(study.ratings["rating"], drawn.ratings[k])
        assert study.preferences["outcome"].tolist() == [("A", "TIE", "B")[o] for o in drawn.outcomes[k]]
    assert set(np.unique(drawn.ratings)) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    again = simulate_prior(drawn.design, n=4, random_seed=1)
    np.testing.assert_array_equal(again.flat, drawn.flat)
    np.testing.assert_array_equal(again.outcomes, drawn.outcomes)


def test_variables_make_the_round_trip_through_the_models_own_transforms():
    import pymc as pm
    import pytensor.tensor as pt
    from pytensor.compile.mode import Mode

    from ppaint_stats.model import build_model

    plain = Mode("py", None)
    study = simulate()
    encoding = encode_study(study)
    layout = lay_out(encoding, Priors(), discrepancy=True)
    model = build_model(study, protocol_discrepancy=True)
    names = [*layout.names, "item_utility", "threshold"]
    values = dict(zip(names, pm.draw([model[n] for n in names], mode=plain, random_seed=4), strict=True))
    flat = flatten_variables(values, layout)
    found = derive_draws(flat[None], encoding, layout, seed=np.random.SeedSequence(1)).values
    np.testing.assert_allclose(found["consensus"][0], values["item_utility"], atol=1e-10)
    np.testing.assert_allclose(found["threshold"][0], values["threshold"], atol=1e-10)
    parts = layout.unpack(flat)
    transforms = {rv.name: (rv, transform) for rv, transform in model.rvs_to_transforms.items() if transform}
    assert {"item_cov", "protocol_correlation"} <= set(transforms)
    for name in layout.names:
        own = values[name]
        if name in transforms:
            rv, transform = transforms[name]
            own = transform.forward(pt.as_tensor(own), *rv.owner.inputs).eval(mode=plain)
        np.testing.assert_allclose(parts[name], own, rtol=1e-10, atol=1e-12)
    factor = parts["taste_cov"].copy()
    factor[[0, 2]] = np.exp(factor[[0, 2]])
    np.testing.assert_allclose(factor, values["taste_cov"])
    stacked = {name: np.stack([np.stack([value] * 3)] * 2) for name, value in values.items()}
    np.testing.assert_array_equal(flatten_variables(stacked, layout), np.broadcast_to(flat, (2, 3, len(flat))))
    assert set(FACTORS) <= set(layout.names)
    # What the compiled density makes of the vector differs from the model by a constant.
    terms = model.logp(sum=False)
    others = [flat, flat + 0.1 * np.random.default_rng(1).standard_normal(len(flat))]
    variables = [model.rvs_to_values[model[name]] for name in layout.unpack(flat)]
    total = sum(term.sum() for term in terms)
    gaps = [
        total.eval(dict(zip(variables, layout.unpack(x).values(), strict=True)), mode=plain)
        - joint_logp(x, prepare_data(encoding, layout, Priors()))[0]
        for x in others
    ]
    assert gaps[0] == pytest.approx(gaps[1], rel=1e-9)


def test_likelihood_of_drawn_judgments_does_not_depend_on_whose_outcomes_the_basis_is_of(drawn):
    """The outcomes choose a basis of the utilities, and nothing else: rows and quantities mean the same."""
    judged = encode_study(drawn.study(0))
    layout = lay_out(judged, Priors(), discrepancy=False)
    assert layout.parameters == drawn.layout.parameters
    own, other = drawn.encoding.category_bases[0], judged.category_bases[0]
    assert not np.allclose(own, other)
    parts = layout.unpack(drawn.flat[:1])
    turned = layout.pack(parts | {"consensus": other.T @ own @ parts["consensus"][0]})[None]
    seed = np.random.SeedSequence(1)
    found = []
    for flat, encoding in ((drawn.flat[:1], drawn.encoding), (turned, judged)):
        draws = derive_draws(flat, encoding, layout, seed=seed)
        utilities = expand_utilities(flat, draws, encoding, layout, seed=seed)
        rows = np.concatenate([utilities, draws.values["consensus"]], axis=1)
        terms = [kind(judged).log_likelihood(draws, rows).ravel() for kind in (Ratings, Preferences)]
        found.append(np.concatenate([draws.values["consensus"].ravel(), *terms]))
    np.testing.assert_allclose(*found, atol=1e-9)


def test_other_kinds_of_studies_can_be_drawn():
    study = simulate(dimensions=("tone",), scale=(0, 10), n_pairs=5)
    counts = study.preferences.assign(count=2)
    both = simulate_prior(
        Study(ratings=study.ratings, preferences=counts, scale=study.scale), n=1, protocol_discrepancy=True
    )
    assert len(both.study(0).preferences) == 2 * len(study.preferences)
    assert "count" not in both.study(0).preferences
    assert ((both.ratings >= 0) & (both.ratings <= 10)).all()
    alone = simulate_prior(study.drop_protocol("preferences"), n=1, random_seed=1)
    assert alone.outcomes is None
    assert alone.study(0).preferences is None
    with pytest.raises(ArgumentError, match="needs both"):
        simulate_prior(study.drop_protocol("ratings"), n=1, protocol_discrepancy=True)
    with pytest.raises(ArgumentError, match="n=0"):
        simulate_prior(study, n=0)


FIT = {"stage": 1, "has_ties": True, "seconds": 1.0, "checks": {"divergences": 0.0}}


def test_fits_are_resumed_and_reported(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    bench = importlib.import_module("bench_sbc")
    made = []

    def rank(drawn, k, seed, *, stages):
        made.append((seed, stages))
        return {**FIT, "names": ["a"], "passed": k > 0, "ranks": [10 * seed % 100]}

    monkeypatch.setattr(bench, "rank_truth", rank)
    monkeypatch.setattr(bench, "simulate", lambda *_, seed: None)
    for fits in ("2", "3"):
        monkeypatch.setattr(sys, "argv", ["bench_sbc", "--fits", fits, "--many", "0", "--out", str(tmp_path)])
        bench.main()
    assert len(made) == 3
    assert len({seed for seed, _ in made}) == 3
    lines = (tmp_path / "sbc_fits.jsonl").read_text().splitlines()
    assert [json.loads(line)["fit"] for line in lines] == [0, 1, 2]
    monkeypatch.setattr(sys, "argv", ["bench_sbc", "--report", "--out", str(tmp_path)])
    bench.main()
    assert len(made) == 3
    assert ["names" in json.loads(line) for line in lines] == [True, False, False]
    assert "| few | 3 |" in (tmp_path / "sbc_fits.md").read_text()


@pytest.mark.parametrize(("known", "wanted"), [({}, "5"), ({"seed": 5}, "6")])
def test_fits_of_another_seed_are_kept_apart(tmp_path, monkeypatch, known, wanted):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    bench = importlib.import_module("bench_sbc")
    monkeypatch.setattr(bench, "run_fits", lambda *_, **__: pytest.fail("fits were made"))
    path = tmp_path / "sbc_fits.jsonl"
    path.write_text(json.dumps({"design": "few", "fit": 0} | known) + "\n")
    monkeypatch.setattr(sys, "argv", ["bench_sbc", "--seed", wanted, "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="--out"):
        bench.main()
    assert len(path.read_text().splitlines()) == 1


def test_fits_know_their_seed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    bench = importlib.import_module("bench_sbc")
    monkeypatch.setattr(bench, "rank_truth", lambda *_, **__: {**FIT, "names": ["a"], "passed": True, "ranks": [3]})
    monkeypatch.setattr(bench, "simulate", lambda *_, seed: None)
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", ["bench_sbc", "--fits", "2", "--seed", "5", "--out", str(tmp_path)])
        bench.main()
    rows = [json.loads(line) for line in (tmp_path / "sbc_fits.jsonl").read_text().splitlines()]
    assert [row["seed"] for row in rows] == [5, 5]
