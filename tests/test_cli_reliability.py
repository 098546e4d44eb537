"""``ppaint reliability``, as a person and as a program would use it."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

import ppaint_stats as ps
from ppaint_stats.cli import app
from ppaint_stats.cli.reliability import average_raters, shorten_reliability

FAST = ("--n-boot", 20)


def run(*words, status=0):
    """Run a command line, and see that it ended as it should and left no traceback."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(word) for word in words])
    assert done.exit_code == status, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
    return done


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "sim"
    words = ("--items", 10, "--raters", 3, "--pairs", 25, "--categories", 1, "--dimensions", "mood,overall")
    run("simulate", "--out", folder, *words, "--quiet")
    return folder


def test_screen(simulated):
    done = run("reliability", simulated, *FAST)
    assert "Reliability of the study (simulated data)" in done.stdout
    assert "Krippendorff's alpha (ordinal)" in done.stdout
    assert "overview" in done.stdout
    assert "items most disputed" in done.stdout
    assert "Example: ppaint reliability" in run("reliability", "--help").output
    assert run("reliability", simulated, *FAST, "--quiet").output == ""


def test_json_and_markdown(simulated):
    words = ("reliability", simulated, *FAST, "--seed", 5)
    found = json.loads(run(*words, "--json").stdout)
    assert found["settings"]["random_seed"] == 5
    assert {"summary", "raters", "items", "matched", "curves", "design", "checklist"} <= set(found["tables"])
    protocols = {row["protocol"] for row in found["tables"]["summary"]}
    assert protocols == {"ratings", "preferences", "difference"}
    assert run(*words, "--json").stdout == run(*words, "--json").stdout
    assert run(*words, "--markdown").stdout.startswith("# Reliability of the study (simulated data)")
    assert "give one of them" in run(*words, "--json", "--markdown", status=2).stderr


def test_out(simulated, tmp_path):
    run("reliability", simulated, *FAST, "--out", tmp_path / "r.html", "--quiet")
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    done = run("reliability", simulated, *FAST, "--out", tmp_path / "all")
    assert "Written: " in done.stdout
    summary = pd.read_csv(tmp_path / "all" / "summary.csv")
    assert "alpha_sym" in set(summary["statistic"])
    assert {path.suffix for path in (tmp_path / "all").iterdir()} == {".md", ".html", ".json", ".csv"}
    assert "allowed are .md, .html, .json" in run("reliability", simulated, "--out", "x.pdf", status=2).stderr
    (tmp_path / "file").write_text("")
    assert "this is a file" in run("reliability", simulated, *FAST, "--out", tmp_path / "file", status=2).stderr


def test_files_and_bad_input(tmp_path):
    ratings = pd.DataFrame({"who": list("aabb"), "item": list("xyxy"), "rating": [1, 5, 2, 4]})
    ratings.to_csv(tmp_path / "r.csv", index=False)
    words = ("--ratings", tmp_path / "r.csv", "--scale", 1, 5, 1, "--columns", "who=rater")
    found = json.loads(run("reliability", *words, *FAST, "--level", "interval", "--json").stdout)
    assert found["settings"]["level"] == "interval"
    assert "n_boot" in run("reliability", *words, "--n-boot", -1, status=2).stderr
    assert "no study is named" in run("reliability", status=2).stderr


def test_short_tables():
    design = ps.PPaintDesign(n_categories=1, n_items=8, n_pairs=20, n_raters=4, dimensions=("mood", "line"))
    report = ps.assess_reliability(ps.simulate_study(design, random_seed=1).study, n_boot=10, random_seed=1)
    short = shorten_reliability(report)
    overview = short.tables["overview"]
    assert overview[["dimension", "protocol"]].drop_duplicates().shape[0] == 6
    assert (overview.loc[overview["protocol"] == "preferences", "alpha"] == "").all()
    raters = average_raters(report.tables["raters"])
    assert raters["cells"].eq(2).all()
    assert raters["leave_one_out"].is_monotonic_increasing
