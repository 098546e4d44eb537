"""Targets: what is checked, and what survives a file."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ppaint_stats as ps
from ppaint_distill.targets import Targets, read_targets, write_targets
from ppaint_stats.errors import ArgumentError, DataError


def make_frame() -> pd.DataFrame:
    rows = [("c", d, i, 1.5 + k, 0.1 * k) for d in ("mood", "overall") for k, i in enumerate("xyz")]
    return pd.DataFrame(rows, columns=["category", "dimension", "item", "score", "sd"])


def make_draws(n: int = 4) -> dict[tuple[str, str], np.ndarray]:
    rng = np.random.default_rng(1)
    return {("c", d): 1 + 4 * rng.random((n, 3)) for d in ("mood", "overall")}


def test_draws_come_back_in_the_order_of_the_rows(tmp_path: Path) -> None:
    mixed = make_frame().sample(frac=1, random_state=3)  # cells interleave
    draws = make_draws()
    path = write_targets(Targets(mixed, (1, 5), draws, {"method": "test"}), tmp_path / "deep" / "targets.parquet")
    found = read_targets(path)
    assert found.scale == (1.0, 5.0)
    assert found.provenance == {"method": "test"}
    assert found.n_draws == 4
    pd.testing.assert_frame_equal(found.frame, mixed.reset_index(drop=True), check_dtype=False)
    for cell, array in draws.items():
        np.testing.assert_allclose(found.draws[cell], array, rtol=1e-6)
        assert found.select(*cell)["item"].tolist() == mixed[mixed["dimension"] == cell[1]]["item"].tolist()


def test_targets_of_a_fusion_are_read(tmp_path: Path) -> None:
    sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=8, n_pairs=20), random_seed=1)
    fusion = ps.fuse_davidson(sim.study)
    fusion.to_targets(tmp_path / "t.parquet")
    found = read_targets(tmp_path / "t.parquet")
    assert found.draws is None
    assert found.n_draws == 0
    assert found.provenance["method"] == "davidson"
    assert found.dimensions == sim.study.dimensions
    np.testing.assert_allclose(found.frame["score"], fusion.scores["score"])


def test_scale_is_asked_for_where_the_file_has_none(tmp_path: Path) -> None:
    make_frame().to_parquet(tmp_path / "plain.parquet")
    with pytest.raises(ArgumentError, match="on which scale"):
        read_targets(tmp_path / "plain.parquet")
    assert read_targets(tmp_path / "plain.parquet", scale=(0, 10)).scale == (0.0, 10.0)
    write_targets(Targets(make_frame(), (1, 5)), tmp_path / "t.parquet")
    assert read_targets(tmp_path / "t.parquet", scale=(0, 10)).scale == (0.0, 10.0)  # told otherwise
    with pytest.raises(DataError, match="scale"):
        read_targets(tmp_path / "t.parquet", scale=(3, 3.1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": 5.5}, r"column 'score', rows .0, 1, 2"),
        ({"score": np.nan}, "column 'score'"),
        ({"sd": -0.1}, "column 'sd'"),
        ({"sd": np.inf}, "column 'sd'"),
        ({"item": "x"}, "once per category"),
        ({"category": None}, "a name is needed"),
    ],
)
def test_what_is_not_allowed_is_named(change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Targets(make_frame().assign(**change), (1, 5))


def test_draws_must_fit() -> None:
    frame, draws = make_frame(), make_draws()
    with pytest.raises(DataError, match="have shape"):
        Targets(frame, (1, 5), {cell: array[:, :2] for cell, array in draws.items()})
    with pytest.raises(DataError, match="equally many"):
        Targets(frame, (1, 5), {cell: array[: 2 + k] for k, (cell, array) in enumerate(draws.items())})
    with pytest.raises(DataError, match="of the cells"):
        Targets(frame, (1, 5), {("c", "mood"): draws["c", "mood"]})
    with pytest.raises(DataError, match="not all finite"):
        Targets(frame, (1, 5), {cell: array * np.nan for cell, array in draws.items()})


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DataError, match="not a Parquet file"):
        read_targets(tmp_path / "text")
    with pytest.raises(DataError, match="no such file"):
        read_targets(tmp_path / "none")
    with pytest.raises(DataError, match="a folder"):
        read_targets(tmp_path)
    make_frame().drop(columns="sd").to_parquet(tmp_path / "lacks")
    with pytest.raises(DataError, match=r"lacks the columns .'sd'"):
        read_targets(tmp_path / "lacks", scale=(1, 5))
    lists = pa.array([[1.0, 2.0]] * 5 + [[1.0]])
    table = pa.Table.from_pandas(make_frame(), preserve_index=False).append_column("draws", lists)
    pq.write_table(table, tmp_path / "ragged")
    with pytest.raises(DataError, match="equally many draws"):
        read_targets(tmp_path / "ragged", scale=(1, 5))


def test_provenance_is_plain_json(tmp_path: Path) -> None:
    path = write_targets(Targets(make_frame(), (1, 5), None, {"a": [1, None]}), tmp_path / "t.parquet")
    stored = pq.read_schema(path).metadata
    assert json.loads(stored[b"provenance"]) == {"a": [1, None]}
