"""The benchmarks for a GPU: without one they say so; with tiny shapes their code runs on a CPU."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

FOLDER = Path(__file__).parents[1] / "benchmarks"
NAMES = ("gpu_scoring", "gpu_training")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Run a benchmark as a program, as if no GPU were there."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def run(name: str, *words: str) -> pd.DataFrame | None:
        monkeypatch.setattr(sys, "argv", [name, "--out", str(tmp_path), *words])
        importlib.import_module(name).main()
        path = tmp_path / f"{name}_ways.csv"
        return pd.read_csv(path) if path.is_file() else None

    return run


@pytest.mark.parametrize("name", NAMES)
def test_without_a_gpu_nothing_is_measured(run, name, tmp_path, capsys):
    assert run(name) is None
    assert "no GPU here" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_scoring_runs_with_tiny_shapes(run, tmp_path):
    table = run("gpu_scoring", "--shapes", "tiny", "--batch", "1", "3")
    assert table["way"].tolist() == ["written, one at a time", "one pass, one at a time", "one pass, in batches"]
    assert table["images"].tolist() == [2, 6, 18]
    assert (table["images/s"] > 0).all()
    assert table["share of peak"].between(0, 1).all()
    # A pass takes the same work for each image, in whatever batch; a written answer takes more.
    work = table["TFLOP an image"]
    assert work[2] == pytest.approx(work[1], rel=0.02)
    assert work[0] > work[1]
    note = (tmp_path / "gpu_scoring_note.md").read_text()
    assert "CPU (a trial of the code)" in note
    assert "Measured peak" in note


def test_training_runs_with_tiny_shapes(run):
    pytest.importorskip("trl")
    table = run("gpu_training", "--shapes", "tiny")
    assert table["way"].tolist() == [
        "expected score",
        "written answers (GRPO)",
        "written answers, one at a time (naive)",
    ]
    assert (table["steps/s"] > 0).all()
    assert table["TFLOP a step"][1] > table["TFLOP a step"][0]
    assert np.isnan(table["TFLOP a step"][2])
