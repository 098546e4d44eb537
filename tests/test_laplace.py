"""The Laplace approximation: its algebra against dense matrices, its posterior against NUTS, its labels."""

import json
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow.parquet as pq
import pytest
from bayes_helpers import assert_sound, simulate
from scipy.linalg import block_diag
from test_model import PRIORS, STUDIES, make_case

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError, ConvergenceWarning
from ppaint_stats.joint.density import prepare_data
from ppaint_stats.joint.laplace_blocks import (
    _factorise_block,
    factorise,
    find_blocks,
    find_curvature,
)
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


def make_dense(curvature, blocks):
    """The whole matrix, units then categories."""
    units, categories = (block_diag(np.zeros((0, 0)), *parts) for parts in (curvature.units, curvature.categories))
    across = np.zeros((len(units), len(categories)))
    rows = np.cumsum([0, *(len(b) for b in curvature.units)])
    columns = np.cumsum([0, *(len(b) for b in curvature.categories)])
    for j, c in enumerate(blocks.unit_category):
        across[rows[j] : rows[j + 1], columns[c] : columns[c + 1]] = curvature.unit_by_category[j]
    return np.block([[units, across], [across.T, categories]])


def prepare(name):
    case = make_case(name)
    blocks = find_blocks(case.encoding, case.layout)
    inner = np.concatenate([np.empty(0, dtype=int), *blocks.parts])
    return prepare_data(case.encoding, case.layout, PRIORS), blocks, inner, int(case.layout.starts[-1])


@pytest.mark.parametrize("name", STUDIES)
def test_curvature_is_that_of_the_density(name):
    data, blocks, inner, size = prepare(name)
    assert sorted([*inner, *blocks.others]) == list(range(size))
    points = np.random.default_rng(1).normal(0, 0.3, (2, size))
    with ThreadPoolExecutor(1) as pool:
        found = make_dense(find_curvature(points, data, blocks, pool), blocks)
    step = 1e-5
    expected = np.zeros((len(inner), len(inner)))
    for x in points:
        for i, place in enumerate(inner):
            sides = []
            for sign in (1, -1):
                y = x.copy()
                y[place] += sign * step
                sides.append(joint_logp(y, data)[1][inner])
            expected[:, i] += (sides[1] - sides[0]) / (2 * step) / len(points)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max(initial=1.0))


@pytest.mark.parametrize("name", ["one category", "partial", "anonymous counts", "preferences"])
def test_factor_whitens_and_colours(name):
    data, blocks, inner, size = prepare(name)
    with ThreadPoolExecutor(1) as pool:
        curvature = find_curvature(np.zeros((1, size)), data, blocks, pool)
    for block in (*curvature.units, *curvature.categories):
        block[np.diag_indices(len(block))] += 20.0
    dense = make_dense(curvature, blocks)
    factor = factorise(curvature, blocks)
    assert factor.ridge == 0.0
    unit = np.zeros((size, len(inner)))
    unit[inner, np.arange(len(inner))] = 1.0
    root = factor.colour(unit)
    assert not root[blocks.others].any()
    np.testing.assert_allclose(root[inner] @ root[inner].T, np.linalg.inv(dense), atol=1e-10)
    np.testing.assert_allclose(factor.colour(factor.whiten(unit))[inner], np.linalg.inv(dense), atol=1e-10)


def test_what_is_not_positive_definite_is_lifted_and_told():
    ridges = []
    assert np.isfinite(_factorise_block(np.array([[1.0, 2.0], [2.0, 1.0]]), ridges)).all()
    assert ridges[0] > 0


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
    assert fusion.summary().attrs["approximate"] == "short NUTS run and Laplace"
    assert ps.diagnose(fusion).text.startswith("Approximate (Laplace)")
    loaded = ps.load_fusion(fusion.save(tmp_path / "fusion.nc"))
    assert repr(loaded) == repr(fusion)
    np.testing.assert_array_equal(loaded.scores["score"], fusion.scores["score"])
    np.testing.assert_array_equal(loaded.spread.draws, fusion.spread.draws)
    metadata = pq.read_metadata(fusion.to_targets(tmp_path / "targets.parquet")).metadata
    assert metadata[b"approximate"] == b"short NUTS run and Laplace"
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
