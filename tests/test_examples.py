"""The examples run as a person would run them, on real data."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest

import ppaint_stats as ps

EXAMPLES = Path(__file__).parents[1] / "examples"
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}


def run(script, *words, env=ENVIRONMENT):
    command = [sys.executable, str(EXAMPLES / script), *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=env)


def test_voices_are_fused_with_intervals(data_dir, tmp_path):
    done = run("fuse_voices.py", "--data", data_dir, "--out", tmp_path / "scores.csv")
    assert done.returncode == 0, done.stderr
    assert "1 of 195 rows left out" in done.stderr
    assert "13.3% of the comparisons" in done.stdout
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert len(scores) == 15
    assert scores["score"].between(scores["lower"], scores["upper"]).all()
    ranked = scores.sort_values("score")["item"].tolist()
    assert set(ranked[-2:]) == {"malabo", "rotterdam"}
    assert "kigali" in ranked[:2]


def test_disconnected_triples_are_refused_alone_and_linked_by_ratings(data_dir, tmp_path):
    done = run("fuse_rankme.py", "--data", data_dir, "--interval", "none", "--out", tmp_path / "scores.csv")
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout
    assert "100 components" in done.stdout
    assert "rating_share" in done.stdout
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert scores.groupby("dimension").size().tolist() == [300, 300, 300]
    assert scores["score"].between(1, 6).all()


def test_the_joint_model_says_what_two_protocols_share(data_dir, tmp_path):
    done = run("fuse_bayes.py", "--data", data_dir, "--draws", 500, "--out", tmp_path / "fusion.nc")
    assert done.returncode == 0, done.stderr
    fusion = ps.load_fusion(tmp_path / "fusion.nc")
    found = fusion.protocols.iloc[0]
    assert 0.6 < found["protocol_correlation"] < 0.9
    assert found["protocol_correlation_lower"] < 0.6
    assert f"ratings and preferences measure: {found['protocol_correlation']:.2f}" in done.stdout
    assert set(fusion.select()["item"].iloc[:2]) == {"malabo", "rotterdam"}


def find_row(text, *words):
    """Cells of the first line of printed tables that holds these words."""
    line = next(line for line in text.splitlines() if all(word in line for word in words))
    return [cell.strip() for cell in line.strip("│").split("│")]


def find_line(text, words):
    """First line that holds these words."""
    return next(line for line in text.splitlines() if words in line)


def test_published_tables_are_reproduced():
    done = run("reliability_tables.py", "--n-boot", 20)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "rippendorff 20" in line]
    assert len(lines) == 8
    for line in lines:
        _, _, published, exact, found = find_row(line, "")
        value = float(Fraction(exact)) if exact else 0.797402774711612
        assert float(found) == pytest.approx(value, abs=1e-12)
        assert not published or f"{float(found):.{len(published) - 1}f}".removeprefix("0") == published
    for name, value in {"ICC(1,1)": 0.165741768, "ICC(A,1)": 0.289763780, "ICC(C,k)": 0.909315542}.items():
        row = find_row(done.stdout, name)
        assert row[2] == f"{value:.9f}"
        assert f"{value:.2f}".removeprefix("0") == row[1]
    assert find_row(done.stdout, "ICC(A,1)")[3] == "0.018787 to 0.761084"
    assert float(find_row(done.stdout, "ICC(A,1)")[4]) == pytest.approx(0.304979, abs=1e-4)
    assert find_row(done.stdout, "circular triads")[1:] == ["5", "5"]
    assert find_row(done.stdout, "zeta")[1:] == [".375", "0.375000000"]
    assert len([line for line in done.stdout.splitlines() if "│ preferences" in line]) == 15


def test_protocols_are_compared_on_the_same_voices(data_dir):
    done = run("reliability_voices.py", "--data", data_dir, "--n-boot", 200)
    assert done.returncode == 0, done.stderr
    assert find_row(done.stdout, "alpha_sym ")[1:4] == ["0.129051", "0.189255", "0.060204"]
    assert find_row(done.stdout, "kendall_w ")[2] == "0.407125"
    assert find_row(done.stdout, "lilongwe")[1:] == ["10 of 455", "114", "0.929"]
    assert "it is not decided" in done.stdout
    assert "105 comparisons" in done.stdout


def test_a_study_is_planned_from_a_pilot():
    done = run("plan_study.py", "--draws", 150, "--worlds", 2)
    assert done.returncode == 0, done.stderr
    assert "50 new items" in done.stdout
    assert "pilot as it stands" in done.stdout


@pytest.mark.parametrize(
    "script", ["fuse_bayes.py", "fuse_voices.py", "fuse_rankme.py", "reliability_voices.py", "validate_voices.py"]
)
def test_without_data_an_example_says_where_they_come_from(script):
    done = run(script, env={name: value for name, value in ENVIRONMENT.items() if name != "PPAINT_DATA"})
    assert done.returncode == 1
    assert "--data" in done.stderr
    assert "github.com" in done.stderr


def test_the_label_free_chain_runs(tmp_path):
    done = run("distill_tiny.py", "--quick", "--out", tmp_path / "tiny")
    assert done.returncode == 0, done.stderr
    assert "on 24 pictures that nothing was trained on" in done.stdout
    assert [find_line(done.stdout, name) for name in ("base, one pass", "base, comparisons", "distilled, one pass")]
    assert (tmp_path / "tiny" / "chain" / "run" / "model" / "README.md").is_file()
    assert (tmp_path / "tiny" / "evaluation.html").is_file()


def test_the_large_model_is_rehearsed_without_its_weights():
    done = run("distill_qwen3vl.py", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "8,767,123,696 parameters, and 43,646,976 in 504 adapter matrices of torch.float32" in done.stdout
    assert "17,708,835,296 bytes of parameters; on meta" in done.stdout
    assert "values A, B, TIE can be read" in done.stdout
    source = (EXAMPLES / "distill_qwen3vl.py").read_text(encoding="utf-8")
    for stage, hours, memory in (("judge the pool", 0.2, 19.3), ("judge against it", 3.2, 19.3), ("train", 0.4, 20.9)):
        words = find_line(done.stdout, f"{stage} ").split()
        assert (round(float(words[-2]), 1), float(words[-1])) == (hours, memory)
        assert f"{hours}     {memory}" in source  # the table at its top
    assert run("distill_qwen3vl.py").returncode == 2


def test_examples_are_short():
    scripts = sorted(EXAMPLES.glob("*.py"))
    assert scripts
    for script in scripts:
        assert len(script.read_text(encoding="utf-8").splitlines()) < 100, script.name
