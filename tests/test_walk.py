"""The walk of a newcomer: the commands of the how-to, as they stand there, from two CSV files to the report."""

import re
import shlex
from pathlib import Path

import pytest
from bayes_helpers import simulate
from typer.testing import CliRunner

from ppaint_stats.cli import app

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "report.md"


def read_commands(page):
    """Commands of the page's console blocks, continued lines joined."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two CSV files as the page asks for them."""
    place = tmp_path_factory.mktemp("walk")
    study = simulate(n_items=8, n_raters=3, n_pairs=20, dimensions=("mood",))
    study.ratings.to_csv(place / "ratings.csv", index=False)
    study.preferences.to_csv(place / "preferences.csv", index=False)
    return place


def test_from_two_files_to_the_report(folder, monkeypatch):
    monkeypatch.chdir(folder)
    commands = [words for words in read_commands(PAGE) if words[0] == "ppaint"]
    assert [words[1] for words in commands[:4]] == ["check", "fuse", "reliability", "report"]
    for words in commands:
        if "bayes" in words:
            continue  # it samples for minutes
        if "joint.nc" in words:
            words[words.index("joint.nc")] = "davidson.nc"
        done = CliRunner(env={"COLUMNS": "200"}).invoke(app, words[1:])
        assert done.exit_code == 0, f"{' '.join(words)}\n{done.output}"
        assert "Traceback" not in done.output
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    for heading in ("The short answer", "Reliability", "Fused scores", "Held-out prediction", "Methods and settings"):
        assert f"<h2>{heading}</h2>" in page
    assert len(page) < 8e6
