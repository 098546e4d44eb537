"""The Laplace approximation: its algebra against dense matrices, its posterior against NUTS, its labels."""

import json
import warnings

import numpy as np
import pyarrow.parquet as pq
import pytest
from bayes_helpers import assert_sound, simulate
from scipy.linalg import block_diag
from test_model import PRIORS, STUDIES, make_case

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError, ConvergenceWarning
from ppaint_stats.joint.density import prepare_data
from ppaint_stats.joint.laplace_arrow import Parts, factorise
from ppaint_stats.joint.laplace_curvature import Curvature
from ppaint_stats.joint.laplace_places import find_places
from ppaint_stats.kernels.joint.density import joint_logp

DESIGN = ps.PPaintDesign(n_categories=1, n_items=15, n_raters=5, dimensions=("a", "b"), n_pairs=105)


def fuse(study, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return ps.fuse_bayes(study, method="laplace", random_seed=1, progressbar=False, **options)


@pytest.fixture(scope="module")
def study():
    return ps.simulate_study(DESIGN, random_seed=2).study


@pytest.fixture(scope="module")
def fusion(study):
    return fuse(study)


def make_dense(arrow):
    """The whole matrix of an arrow: units, categories, core."""
    to_values = arrow.values_by_core.toarray()
    units, categories = (block_diag(np.zeros((0, 0)), *blocks) for blocks in (arrow.units, arrow.categories))
    across = np.zeros((len(units), len(categories)))
    rows = np.cumsum([0, *(len(b) for b in arrow.units)])
    columns = np.cumsum([0, *(len(b) for b in arrow.categories)])
    for j, c in enumerate(arrow.unit_category):
        across[rows[j] : rows[j + 1], columns[c] : columns[c + 1]] = arrow.unit_by_category[j]
    core = to_values.T @ arrow.values @ to_values + arrow.core
    empty = np.zeros((0, len(core)))
    by_core = np.vstack(
        [empty, *(b @ to_values[v] for b, v in zip(arrow.unit_by_values, arrow.unit_values, strict=True))]
    )
    category_by_core = np.vstack(
        [b @ to_values[v] for b, v in zip(arrow.category_by_values, arrow.category_values, strict=True)]
    )
    return np.block(
        [[units, across, by_core], [across.T, categories, category_by_core], [by_core.T, category_by_core.T, core]]
    )


@pytest.mark.parametrize("name", STUDIES)
def test_curvature_is_that_of_the_density(name):
    case = make_case(name)
    data = prepare_data(case.encoding, case.layout, PRIORS)
    places = find_places(case.encoding, case.layout)
    size = int(case.layout.starts[-1])
    assert sorted([*places.inner, *places.hyper]) == list(range(size))
    x = np.random.default_rng(1).normal(0, 0.3, size)
    x[: case.layout.starts[1]] = 0.0  # where lapses are likely their likelihood bends downwards, as it should
    curvature = Curvature(case.encoding, case.layout, data, places, 1)
    arrow = curvature.find(x, [np.zeros(size)])
    curvature.pool.shutdown()
    step = 1e-5
    expected = np.zeros((len(places.inner), len(places.inner)))
    for i, place in enumerate(places.inner):
        gradients = []
        for sign in (1, -1):
            y = x.copy()
            y[place] += sign * step
            gradients.append(joint_logp(y, data)[1][places.inner])
        expected[:, i] = (gradients[1] - gradients[0]) / (2 * step)
    found = make_dense(arrow)
    lapse = np.isin(places.inner, curvature.lapses)
    both = lapse[:, None] & lapse
    scale = np.abs(expected).max()
    assert np.abs(np.where(both, 0.0, found - expected)).max() < 3e-5 * scale
    assert (found[both] >= expected[both] - 3e-5 * scale).all()


@pytest.mark.parametrize("name", ["one category", "partial", "anonymous counts", "preferences"])
def test_factor_solves_and_colours(name):
    case = make_case(name)
    data = prepare_data(case.encoding, case.layout, PRIORS)
    places = find_places(case.encoding, case.layout)
    size = int(case.layout.starts[-1])
    curvature = Curvature(case.encoding, case.layout, data, places, 1)
    arrow = curvature.find(np.zeros(size), [np.zeros(size)])
    for blocks in (arrow.units, arrow.categories):
        for block in blocks:
            block[np.diag_indices(len(block))] += 20.0
    arrow.core[np.diag_indices(len(arrow.core))] += 20.0
    dense = make_dense(arrow)
    factor = factorise(arrow)
    right = np.random.default_rng(2).standard_normal((size, 3))
    solved = factor.solve(curvature.split(right)).join()
    np.testing.assert_allclose(solved, np.linalg.solve(dense, right[places.inner]), atol=1e-10)
    unit = np.zeros((size, len(places.inner)))
    unit[places.inner, np.arange(len(places.inner))] = 1.0
    root = factor.colour(curvature.split(unit)).join()
    np.testing.assert_allclose(root @ root.T, np.linalg.inv(dense), atol=1e-10)
    given = factor.colour_blocks(Parts(*vars(curvature.split(unit)).values()))
    assert not given.core.any()
    curvature.pool.shutdown()


def test_it_agrees_with_nuts(study, fusion):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        exact = ps.fuse_bayes(study, draws=500, tune=500, chains=2, random_seed=1, progressbar=False)
    away = (fusion.scores["score"] - exact.scores["score"]).abs() / exact.scores["sd"]
    ratio = fusion.scores["sd"] / exact.scores["sd"]
    assert away.median() < 0.12
    assert away.max() < 0.5
    assert 0.8 < ratio.median() < 1.25
    assert set(fusion.posterior["posterior"].data_vars) == set(exact.posterior["posterior"].data_vars)
    assert list(fusion.raters.columns) == list(exact.raters.columns)


def test_it_depends_on_the_seed_alone(study, fusion):
    np.testing.assert_array_equal(fuse(study, cores=1).scores["score"], fusion.scores["score"])


def test_it_says_that_it_is_approximate(fusion, tmp_path):
    assert fusion.method == "laplace"
    assert fusion.settings["approximate"] is True
    assert "approximate" in repr(fusion)
    assert fusion.summary().attrs["approximate"] == "nested Laplace"
    assert ps.diagnose(fusion).text.startswith("Approximate (Laplace)")
    loaded = ps.load_fusion(fusion.save(tmp_path / "fusion.nc"))
    assert repr(loaded) == repr(fusion)
    np.testing.assert_array_equal(loaded.scores["score"], fusion.scores["score"])
    np.testing.assert_array_equal(loaded.spread.draws, fusion.spread.draws)
    metadata = pq.read_metadata(fusion.to_targets(tmp_path / "targets.parquet")).metadata
    assert metadata[b"approximate"] == b"nested Laplace"
    assert json.loads(metadata[b"provenance"])["method"] == "laplace"
    assert fusion.posterior["posterior"].sizes["chain"] == 1


@pytest.mark.parametrize(
    "changes",
    [{"n_items": 2, "n_pairs": 1}, {"scale": (0, 100)}, {"n_categories": 2, "crossed": True}, {"n_raters": 1}],
)
def test_small_studies(changes):
    """Too small for a normal approximation, which the checks say; what is given is finite and on the scale."""
    small = simulate(**changes)
    found = fuse(small, draws=200)
    assert_sound(found, small, low=0 if "scale" in changes else 1, high=100 if "scale" in changes else 5)


@pytest.mark.parametrize("protocols", ["ratings", "preferences"])
def test_one_protocol(protocols):
    found = fuse(simulate(), protocols=protocols, draws=100)
    assert np.isfinite(found.scores[["score", "sd"]]).all(axis=None)


def test_refusals(study):
    with pytest.raises(ArgumentError, match="correlation"):
        fuse(study, protocol_discrepancy=True)
    with pytest.raises(ArgumentError, match="not one of"):
        ps.fuse_bayes(study, method="variational")
