"""The command line, as a person and as a program would use it."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

import ppaint_stats as ps
from ppaint_stats.cli import app, main
from ppaint_stats.cli.frame import join_words, speak_options
from ppaint_stats.cli.inputs import parse_columns, parse_scale
from ppaint_stats.cli.studies import parse_settings
from ppaint_stats.errors import ArgumentError

COMMANDS = ("demo", "check", "simulate", "design", "plan", "fuse", "compare", "validate", "report", "targets", "doctor")


def run(*words, status=0, stdin=None):
    """Run a command line, and see that it ended as it should and left no traceback."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(word) for word in words], input=stdin)
    assert done.exit_code == status, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
    return done


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A small simulated study, written by the command itself."""
    folder = tmp_path_factory.mktemp("cli") / "sim"
    words = ("--items", 10, "--raters", 3, "--pairs", 25, "--categories", 1, "--dimensions", "mood,overall")
    run("simulate", "--out", folder, *words, "--quiet")
    return folder


@pytest.fixture(scope="module")
def fused(simulated):
    """A fusion of it as a file."""
    path = simulated.parent / "davidson.nc"
    run("fuse", simulated, "--out", path, "--quiet")
    return path


@pytest.fixture
def tables(tmp_path):
    """Two files as people have them, under names of their own."""
    pairs = [
        ("ann", "x", "y", "A", 30),
        ("ann", "y", "z", "B", 4),
        ("bob", "z", "x", "B", 12),
        ("bob", "x", "y", "A", 2),
    ]
    pd.DataFrame(pairs, columns=["who", "left", "right", "winner", "margin"]).to_csv(tmp_path / "p.csv", index=False)
    ratings = [
        ("ann", "x", 80),
        ("ann", "y", 40),
        ("ann", "z", 50),
        ("bob", "x", 90),
        ("bob", "y", 70),
        ("bob", "z", 60),
    ]
    pd.DataFrame(ratings, columns=["who", "voice", "stars"]).to_csv(tmp_path / "r.csv", index=False)
    names = ("who=rater", "voice=item", "stars=rating", "left=item_a", "right=item_b", "winner=outcome")
    files = ("--ratings", tmp_path / "r.csv", "--preferences", tmp_path / "p.csv")
    return (*files, "--scale", 0, 100, "--columns", *names, "--tie-margin", 5)


def test_help_of_every_command_has_an_example():
    assert "demo" in run("--help").output
    for command in COMMANDS:
        assert f"Example: ppaint {command}" in run(command, "--help").output
    assert run("--version").output == f"ppaint {ps.__version__}\n"
    assert callable(main)


def test_simulate_writes_the_study_and_the_truth_and_says_what_it_is(simulated):
    done = run("simulate", "--out", simulated, "--items", 8, status=2)
    assert done.stderr.startswith("error: ")
    assert "--overwrite replaces it" in done.stderr
    truth = pd.read_csv(simulated / "truth.csv")
    assert len(truth) == 20
    small = ("--items", 6, "--categories", 1, "--raters", 2, "--set", "taste_sd=0.5", "--scale", 0, 10)
    done = run("simulate", "--out", simulated.parent / "other", *small)
    assert "SIMULATED DATA" in done.stdout
    design = json.loads((simulated.parent / "other" / "design.json").read_text(encoding="utf-8"))
    assert design["simulated"] is True
    assert design["design"]["taste_sd"] == 0.5
    facts = json.loads(run("simulate", "--out", simulated.parent / "third", *small, "--json").stdout)
    assert facts["simulated"] is True
    assert facts["n_ratings"] == 6 * 2 * 5


def test_check_shows_and_writes_what_a_study_holds(simulated, tmp_path):
    done = run("check", simulated, "--out", tmp_path / "check.html")
    assert "What the study holds (simulated data)" in done.stdout
    assert (tmp_path / "check.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    found = json.loads(run("check", simulated / "study", "--json").stdout)
    assert found["title"].endswith("(simulated data)")
    assert {"notes", "cells", "raters"} <= set(found["tables"])
    assert run("check", simulated, "--quiet").output == ""
    assert "allowed are .md, .html, .json" in run("check", simulated, "--out", "x.pdf", status=2).stderr


def test_check_reads_files_under_their_own_names(tables):
    done = run("check", *tables)
    assert "6 ratings on 0 to 100, continuous; 4 comparisons" in done.stdout
    assert "simulated" not in done.stdout
    cells = json.loads(run("check", *tables, "--json").stdout)["tables"]["cells"]
    assert cells[0]["ties"] == 0.5


def test_strict_check_fails_where_something_needs_a_look(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("rater,item_a,item_b,outcome\nann,x,y,A\nann,u,v,B\n", encoding="utf-8")
    assert "fall into 2 separate parts" in run("check", "--preferences", path).stdout
    run("check", "--preferences", path, "--strict", status=1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("check", "nowhere"), "there is no study folder nowhere"),
        (("check", "--ratings", "nowhere.csv", "--scale", "1", "5"), "there is no file nowhere.csv"),
        (("check",), "no study is named"),
        (("check", "--ratings", "r.csv"), "--scale LOW HIGH"),
        (("check", "--ratings", "r.csv", "--scale", "1:x"), "LOW HIGH or LOW HIGH STEP"),
        (("fuse", "nowhere", "--out", "scores.xlsx"), "allowed are .nc"),
        (("targets", "nowhere.nc", "--out", "t.parquet"), "nowhere.nc"),
        (("targets", "nowhere.nc", "--out", "t.csv"), ".parquet"),
        (("compare", "nowhere.nc", "other.nc"), "nowhere.nc"),
        (("design", "nowhere.csv", "--pairs", "9"), "nowhere.csv"),
        (("design", "--pairs", "9"), "--n-items"),
        (("simulate", "--out", "never", "--set", "colour=3"), "with a name of n_categories"),
    ],
)
def test_bad_input_is_one_line_and_status_2(words, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*words, status=2)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert expected in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bad_value_names_file_row_and_column(tables, tmp_path):
    (tmp_path / "r.csv").write_text("who,voice,stars\nann,x,101\n", encoding="utf-8")
    stderr = run("check", *tables, status=2).stderr
    for part in ("r.csv", "line 2", "101", "0 to 100"):
        assert part in stderr


def test_missing_rows_are_left_out_with_a_note(tables, tmp_path):
    with (tmp_path / "r.csv").open("a", encoding="utf-8") as file:
        file.write("cy,x,\n")
    assert "(--missing drop)" in run("check", *tables, status=2).stderr
    done = run("check", *tables, "--missing", "drop", "--quiet")
    assert done.stderr.startswith("note: ")
    assert "1 of 7 rows left out" in done.stderr


@pytest.mark.parametrize("method", ["davidson", "thurstone"])
def test_fuse_writes_every_output_that_is_named(method, simulated, tmp_path):
    done = run("fuse", simulated, "-m", method, "--out", tmp_path / "f.nc", "--out", tmp_path / "s.csv", "--seed", 3)
    assert f"Fusion by {method} (simulated data)" in done.stdout
    assert "20 scores in 2 cells" in done.stdout
    fusion = ps.load_fusion(tmp_path / "f.nc")
    assert fusion.method == method
    assert fusion.settings["simulated"] is True
    assert fusion.settings["random_seed"] == 3
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "s.csv"), fusion.scores, check_dtype=False)


def test_fuse_by_the_joint_model_shows_the_verdict_on_its_sampler(simulated, tmp_path):
    words = ("fuse", simulated, "-m", "bayes", "--draws", 30, "--tune", 50, "--chains", 2, "--out", tmp_path / "f.nc")
    done = run(*words, status=1)  # so few draws cannot pass the gate
    assert "Fusion by bayes (simulated data)" in done.stdout
    assert "NOT CONVERGED" in done.stdout
    assert "What to try" in done.stdout
    fusion = ps.load_fusion(tmp_path / "f.nc")
    assert (fusion.settings["draws"], fusion.settings["chains"], fusion.converged) == (30, 2, False)


def test_fuse_refuses_options_of_another_method(simulated):
    assert "--draws goes with --method bayes" in run("fuse", simulated, "--draws", 30, status=2).stderr
    assert (
        "--interval hessian does not go with"
        in run("fuse", simulated, "-m", "bayes", "--interval", "hessian", status=2).stderr
    )


def test_fuse_sends_scores_to_standard_output_and_words_elsewhere(simulated, tmp_path):
    done = run("fuse", simulated, "--interval", "none", "--out", "-", "--out", tmp_path / "both")
    scores = pd.read_csv(pd.io.common.StringIO(done.stdout))
    assert len(scores) == 20
    assert "davidson" in done.stderr
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == ["fusion.nc", "scores.csv"]


def test_fuse_as_json_holds_settings_and_parameters(tables):
    done = run("fuse", *tables, "--interval", "none", "--target", "relative", "--json")
    found = json.loads(done.stdout)
    assert found["settings"]["target"] == "relative"
    assert found["parameters"][0]["rating_share"] > 0
    assert found["simulated"] is False


def test_fuse_refuses_preferences_alone_that_fall_apart(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("rater,item_a,item_b,outcome\nann,x,y,A\nbob,u,v,B\n", encoding="utf-8")
    stderr = run("fuse", "--preferences", path, status=2).stderr
    assert "2 components" in stderr
    assert "--protocols both" in stderr


def test_fuse_exits_with_1_where_a_fit_did_not_converge(simulated, monkeypatch):
    from dataclasses import replace

    import ppaint_stats.fuse.davidson as module

    honest = module.fuse_davidson
    monkeypatch.setattr(ps, "fuse_davidson", lambda *a, **k: replace(honest(*a, **k), converged=False), raising=False)
    done = run("fuse", simulated, "--interval", "none", status=1)
    assert "NOT CONVERGED" in done.stdout


def test_compare_and_targets_read_fusions(simulated, fused, tmp_path):
    other = tmp_path / "thurstone.nc"
    run("fuse", simulated, "-m", "thurstone", "--out", other, "--quiet")
    done = run("compare", fused, other, "--n-boot", 20, "--out", tmp_path / "agreement.md")
    assert "Agreement of fusions (simulated data)" in done.stdout
    assert "difference_over_sd" in (tmp_path / "agreement.md").read_text(encoding="utf-8")
    words = ("--study", simulated, "--n-boot", 20, "--json")
    tables = json.loads(run("compare", fused, other, *words).stdout)["tables"]
    assert len(tables["agreement"]) == 2
    assert "shared_inputs" in tables
    assert "at least 2 fusions" in run("compare", fused, status=2).stderr

    facts = json.loads(run("targets", fused, "--out", tmp_path / "t.parquet", "--json").stdout)
    assert facts == {"out": str(tmp_path / "t.parquet"), "rows": 20, "method": "davidson", "simulated": True}
    assert list(pd.read_parquet(tmp_path / "t.parquet")) == ["category", "dimension", "item", "score", "sd"]


def test_one_fusion_is_examined_under_other_choices(simulated, fused, tmp_path):
    out = tmp_path / "sensitivity.json"
    done = run("compare", fused, "--study", simulated, "--sensitivity", "--out", out, "--quiet")
    assert not done.stdout
    choices = json.loads(out.read_text(encoding="utf-8"))["tables"]["choices"]
    assert {"srcc", "mean_difference", "max_difference"} <= set(choices[0])
    assert "--study" in run("compare", fused, "--sensitivity", status=2).stderr
    words = ("--study", simulated, "--sensitivity")
    assert "one fusion at a time" in run("compare", fused, fused, *words, status=2).stderr
    assert "protocol_discrepancy" in run("compare", fused, "--protocols", status=2).stderr


def test_a_study_is_planned_for_its_hours(tmp_path):
    out = tmp_path / "plan.json"
    grid = ("--raters", "3,5", "--ratings", "1", "--pairs", "0,60", "--worlds", 2)
    run("plan", "--items", 15, *grid, "--hours", 3, "--out", out, "--quiet")
    tables = json.loads(out.read_text(encoding="utf-8"))["tables"]
    assert {"designs", "frontier", "recommended"} <= set(tables)
    assert min(row["minutes"] for row in tables["designs"]) > 0
    assert run("plan", status=2).stderr


def test_design_plans_pairs_and_presentations(tmp_path):
    done = run("design", "--n-items", 12, "--pairs", 40)
    pairs = pd.read_csv(pd.io.common.StringIO(done.stdout))
    assert list(pairs) == ["item_a", "item_b"]
    assert len(pairs) == 40
    assert "40 pairs of 12 items" in done.stderr

    items = tmp_path / "items.csv"
    items.write_text("category,item,first\na,x,1\na,y,3\na,z,2\nb,u,1\nb,v,2\nb,w,3\n", encoding="utf-8")
    out = tmp_path / "plan.csv"
    run("design", items, "--pairs", 2, "--raters", "ann,bob", "--order-by", "first", "--out", out)
    plan = pd.read_csv(out)
    assert list(plan) == ["category", "rater", "position", "item_a", "item_b"]
    assert plan.groupby(["category", "rater"]).size().tolist() == [2, 2, 2, 2]
    # best first: y, z, x, so that x and y are no neighbours
    assert {frozenset(pair) for pair in plan.loc[plan["category"] == "a", ["item_a", "item_b"]].to_numpy()} == {
        frozenset("yz"),
        frozenset("zx"),
    }
    again = run("design", "-", "--pairs", 2, "--raters", 2, stdin="item\nx\ny\nz\n")
    assert again.stdout.startswith("rater,position,item_a,item_b\nrater-1,1,")
    assert "no column 'name'" in run("design", items, "--item-column", "name", "--pairs", 2, status=2).stderr


def test_options_of_several_words():
    assert join_words(["--scale", "-3", "3", "study"]) == ["--scale=-3:3", "study"]
    assert join_words(["--scale", "1", "5", "1", "2"]) == ["--scale=1:5:1", "2"]
    assert join_words(["--columns", "a=b", "--", "--scale", "1", "2"]) == ["--columns=a=b", "--", "--scale", "1", "2"]
    assert parse_scale("1 6 1") == (1, 6, 1)
    assert parse_columns(["preferences.a=item_a"]) == {"preferences": {"a": "item_a"}}
    assert parse_settings(["crossed=true", "dimensions=[1, 2]", "link=probit"]) == {
        "crossed": True,
        "dimensions": (1, 2),
        "link": "probit",
    }
    assert speak_options("tie_margin= is for preferences") == "--tie-margin is for preferences"
    for wrong in ("winner", "=item", "winner="):
        with pytest.raises(ArgumentError, match="OWN=NAME"):
            parse_columns([wrong])


def test_demo_as_a_process_writes_everything_it_promises(tmp_path):
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "ppaint_stats", "demo", "--quick", "--out", str(out)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert "ALL DATA ON THIS SCREEN AND IN ITS FILES ARE SIMULATED" in done.stdout
    assert "Traceback" not in done.stderr
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert result["simulated"] is True
    for method in ("davidson", "elo", "thurstone"):
        assert result["converged"][method]
        assert result["methods"][method]["rmse"] < 0.6
        assert result["methods"][method]["srcc"] > 0.8
        assert 0.5 < result["methods"][method]["coverage"] <= 1
        assert ps.load_fusion(out / f"fusion-{method}.nc").settings["simulated"] is True
    assert result["agreement"][0]["srcc"] > 0.95
    assert "ppaint" in result["versions"]
    assert (out / "scores.png").read_bytes().startswith(b"\x89PNG")
    assert len(pd.read_parquet(out / "targets.parquet")) == 40
    for name in ("check.md", "truth.md", "agreement.md", "README.md"):
        assert "simulated" in (out / name).read_text(encoding="utf-8").splitlines()[0].lower()


def test_demo_touches_no_folder_that_is_not_its_own(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    assert "no earlier demo" in run("demo", "--quick", "--out", tmp_path, status=2).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_help_imports_nothing_heavy():
    code = "import sys, ppaint_stats.cli; print({'numpy', 'pandas', 'scipy', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
