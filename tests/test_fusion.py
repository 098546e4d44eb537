"""Fusion: what it answers, and what it writes to disk and reads back."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xarray as xr

import ppaint_stats as ps
from ppaint_stats import fusion_io
from ppaint_stats.errors import ArgumentError, DataError

DESIGN = ps.PPaintDesign(n_categories=2, n_items=8, n_pairs=24, dimensions=("mood", "overall"))


@pytest.fixture(scope="module")
def study():
    return ps.simulate_study(DESIGN, random_seed=2).study


@pytest.fixture(scope="module")
def fusion(study):
    return ps.fuse_davidson(study)


def assert_same(one, two):
    pd.testing.assert_frame_equal(one.scores, two.scores, check_exact=True)
    for name in fusion_io.TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name), check_exact=True)
    for name in ("deviations", "dof", "draws"):
        np.testing.assert_array_equal(getattr(one.spread, name), getattr(two.spread, name))
    assert (one.method, one.scale, one.converged) == (two.method, two.scale, two.converged)
    assert dict(one.settings) == dict(two.settings)
    assert repr(one) == repr(two)


@pytest.mark.parametrize("interval", ["jackknife", "bootstrap", "hessian", "none"])
def test_round_trip(study, tmp_path, interval):
    fusion = ps.fuse_davidson(study, interval=interval, n_boot=10)
    path = fusion.save(tmp_path / "deep" / "fusion.nc")
    assert path.is_file()
    assert_same(fusion, ps.load_fusion(path))


def test_round_trip_of_odd_values(study, tmp_path):
    """Without ties log nu is -inf; without ratings there is no scale and no map."""
    decided = study.preferences[study.preferences["outcome"] != "TIE"]
    latent = ps.fuse_davidson(ps.Study(preferences=decided))
    assert (latent.parameters["log_nu"] == -np.inf).all()
    assert_same(latent, ps.load_fusion(latent.save(tmp_path / "latent.nc")))
    elo = ps.fuse_elo(study, n_orders=10, interval="none")
    assert_same(elo, ps.load_fusion(elo.save(tmp_path / "elo.nc")))


def test_what_is_no_fusion_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        ps.load_fusion(tmp_path / "absent.nc")
    text = tmp_path / "text.nc"
    text.write_text("category,item\n")
    with pytest.raises(DataError, match="not a NetCDF file"):
        ps.load_fusion(text)
    xr.Dataset({"x": ("row", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="holds no fusion"):
        ps.load_fusion(tmp_path / "other.nc")


def test_targets(fusion, tmp_path):
    path = fusion.to_targets(tmp_path / "targets.parquet")
    table = pd.read_parquet(path)
    pd.testing.assert_frame_equal(table, fusion.scores[["category", "dimension", "item", "score", "sd"]])
    metadata = pq.read_schema(path).metadata
    assert float(metadata[b"scale_low"]) == 1
    assert float(metadata[b"scale_high"]) == 5
    provenance = json.loads(metadata[b"provenance"])
    assert provenance["method"] == "davidson"
    assert provenance["converged"] is True
    assert provenance["settings"]["interval_kind"] == "jackknife"


def test_csv_keeps_every_digit(fusion, tmp_path):
    table = pd.read_csv(fusion.to_csv(tmp_path / "scores.csv"))
    np.testing.assert_array_equal(table["score"], fusion.scores["score"])
    assert list(table.columns) == list(fusion.scores.columns)


def test_a_failed_write_leaves_nothing(fusion, tmp_path):
    path = tmp_path / "kept.nc"
    fusion.save(path)
    before = path.read_bytes()

    def fail(temporary):
        temporary.write_text("half")
        message = "disk full"
        raise OSError(message)

    with pytest.raises(OSError, match="disk full"):
        fusion_io.write_whole(path, fail)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["kept.nc"]
    fusion.save(path)  # an existing file is replaced
    assert [p.name for p in tmp_path.iterdir()] == ["kept.nc"]


def test_probability_better(fusion, study):
    category = study.categories[0]
    best, *_, worst = fusion.select(category=category, dimension="mood")["item"]
    p = fusion.probability_better(best, worst, dimension="mood")
    assert 0.5 < p <= 1
    assert fusion.probability_better(worst, best, dimension="mood") == pytest.approx(1 - p)
    assert fusion.probability_better(best, best, dimension="mood") == 0.5
    every = fusion.probability_better(best, worst)
    assert list(every.index) == ["mood", "overall"]
    assert every["mood"] == p
    rows = fusion.scores.reset_index().query("dimension == 'mood'").set_index("item")["index"]
    draws = fusion.sample_scores(20_000, random_seed=1)
    sampled = (draws[:, rows[best]] > draws[:, rows[worst]]).mean()
    assert p == pytest.approx(sampled, abs=0.03)


def test_questions_that_have_no_answer(fusion, study):
    one, other = study.items(study.categories[0])[0], study.items(study.categories[1])[0]
    with pytest.raises(ArgumentError, match="'nobody' is not in the fusion"):
        fusion.probability_better("nobody", one)
    with pytest.raises(ArgumentError, match="no dimension scores both"):
        fusion.probability_better(one, other)
    with pytest.raises(ArgumentError, match="dimension='taste'"):
        fusion.probability_better(one, study.items(study.categories[0])[1], dimension="taste")
    with pytest.raises(ArgumentError, match="category='none' is not in the fusion"):
        fusion.select(category="none")


def test_rank_intervals_hold_the_rank(fusion):
    table = fusion.scores
    assert ((table["rank_lower"] <= table["rank"]) & (table["rank"] <= table["rank_upper"])).all()
    assert table[["rank_lower", "rank_upper"]].isin(range(1, 9)).all(axis=None)


def test_summary(fusion):
    table = fusion.summary()
    assert len(table) == 4
    group = fusion.scores.groupby(["category", "dimension"], sort=False)
    np.testing.assert_allclose(table["mean"], group["score"].mean())
    np.testing.assert_allclose(table["between_sd"], group["score"].std())
    assert table["reliability"].between(0, 1).all()
    assert "jackknife" in fusion.__rich__().title


def test_the_same_samples_from_the_same_seed(fusion):
    np.testing.assert_array_equal(fusion.sample_scores(5, random_seed=1), fusion.sample_scores(5, random_seed=1))
    assert fusion.sample_scores(5).shape == (5, len(fusion.scores))
