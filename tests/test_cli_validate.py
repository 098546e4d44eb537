"""``ppaint validate``, as a person and as a program would use it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ppaint_stats.cli import app

FAST = ("--methods", "ratings,preferences,davidson")


def run(*words, status=0):
    """Run a command line, and see that it ended as it should and left no traceback."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(word) for word in words])
    assert done.exit_code == status, done.output
    assert "Traceback" not in done.output
    return done


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "sim"
    words = ("--items", 10, "--raters", 4, "--pairs", 25, "--categories", 1, "--dimensions", "overall")
    run("simulate", "--out", folder, *words, "--quiet")
    return folder


def test_screen_and_files(simulated, tmp_path):
    done = run("validate", simulated, *FAST, "--out", tmp_path / "report.json", "--cache", tmp_path / "kept")
    assert "Prediction of held-out judgments (simulated data)" in done.stdout
    assert "the joint fusion (davidson)" in done.stdout.replace("\n", " ")
    assert len(list((tmp_path / "kept").iterdir())) == 12
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {"scores", "verdict", "differences", "protocols", "cells", "raters", "calibration", "folds"} == set(
        found["tables"]
    )
    again = run("validate", simulated, *FAST, "--cache", tmp_path / "kept", "--json")
    assert json.loads(again.stdout)["tables"]["scores"] == found["tables"]["scores"]


def test_items_and_mistakes(simulated, tmp_path):
    done = run("validate", simulated, *FAST, "--by", "item", "--n-folds", 3, "--out", tmp_path / "report.md", "--quiet")
    assert done.output == ""
    assert "groups of items" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "glicko" in run("validate", simulated, "--methods", "glicko", status=2).output
    assert ".md, .html, .json" in run("validate", simulated, "--out", tmp_path / "report.txt", status=2).output


def test_the_example_runs(data_dir, tmp_path):
    script = Path(__file__).parents[1] / "examples" / "validate_voices.py"
    words = ("--data", data_dir, "--quick", "--cache", tmp_path / "folds", "--out", tmp_path / "validation.html")
    done = subprocess.run(
        [sys.executable, script, *words], check=False, capture_output=True, text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "is not worse than the best single protocol (preferences)" in done.stdout
    assert "francistown" in done.stdout
    assert len(list((tmp_path / "folds").iterdir())) == 5 * 13
    assert (tmp_path / "validation.html").is_file()
