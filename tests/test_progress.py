"""What long work shows while it runs: bars for people, a log for whoever asks, silence elsewhere."""

import io
import logging
import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

import ppaint_stats as ps
from ppaint_stats.cli import app
from ppaint_stats.progress import LOG, step, track

COMMANDS = typer.main.get_command(app).commands
RANDOM = {"demo", "simulate", "design", "plan", "fuse", "reliability", "compare", "validate", "report"}


class Terminal(io.StringIO):
    """Standard error of somebody who looks."""

    def isatty(self):
        return True


def watch(monkeypatch):
    """Sit before the terminal: in the test itself, since pytest takes standard error back after a fixture."""
    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setenv("TERM", "xterm")
    return found


def test_a_bar_shows_the_share_done_and_the_time_left(monkeypatch):
    terminal = watch(monkeypatch)
    assert list(track(range(3), total=3, description="counting", progressbar=True)) == [0, 1, 2]
    for part in ("counting", "3/3", "0:00:00"):
        assert part in terminal.getvalue()


def test_a_bar_waits_for_two_seconds_where_it_is_told(monkeypatch):
    terminal = watch(monkeypatch)
    assert list(track(range(3), total=3, description="counting", progressbar=True, patience=2)) == [0, 1, 2]
    assert terminal.getvalue() == ""


def test_nothing_is_shown_where_nobody_looks(capsys):
    list(track(range(3), total=3, description="counting", progressbar=True))
    assert capsys.readouterr().err == ""


def test_long_functions_show_bars(monkeypatch):
    design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=3, n_pairs=15, dimensions=("mood",))
    study = ps.simulate_study(design, random_seed=1).study
    ps.fuse_elo(study, interval="none", n_orders=5)  # numba wraps standard error while it loads: not the one below
    terminal = watch(monkeypatch)
    davidson = ps.fuse_davidson(study, progressbar=True)
    elo = ps.fuse_elo(study, interval="bootstrap", n_boot=3, n_orders=5, random_seed=1, progressbar=True)
    assert "leaving out raters" in terminal.getvalue()
    assert "bootstrap" in terminal.getvalue()
    ps.compare_fusions(davidson, elo, study=study, n_splits=1, n_permutations=1, n_boot=5, progressbar=True)
    assert "refitting" in terminal.getvalue()
    assert "comparing pairs" in terminal.getvalue()
    ps.cross_validate(study, methods=("ratings", "preferences"), progressbar=True)
    assert "fitting folds" in terminal.getvalue()
    ps.fusion_sensitivity(davidson, study, progressbar=True)
    assert "other choices" in terminal.getvalue()
    ps.elo_sensitivity(study, k=(16,), anchor_scale=(1,), max_passes=(5,), n_orders=5, progressbar=True)
    assert "Elo's choices" in terminal.getvalue()


def test_the_log_says_what_was_done_and_how_long_it_took(caplog):
    caplog.set_level(logging.INFO, logger=LOG.name)
    with step("adding"):
        list(track(range(3), total=3, description="counting", progressbar=False))
    first, counted, last = caplog.messages
    assert first == "adding ..."
    assert counted.startswith("counting: 3 done in ")
    assert last.startswith("adding: ")


def test_verbose_speaks_on_standard_error_alone(tmp_path):
    words = ["simulate", "--items", "6", "--categories", "1", "--raters", "2"]
    quiet = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "a"), "--quiet"])
    assert (quiet.stdout, quiet.stderr) == ("", "")
    told = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "b"), "-v", "--json"])
    assert told.stdout.startswith("{")
    assert "simulating: 0." in told.stderr
    assert f"ppaint {ps.__version__}" in told.stderr.splitlines()[0]
    assert LOG.handlers == []  # the next command in this process is silent again


def test_verbose_shows_where_an_error_came_from(tmp_path):
    nowhere = str(tmp_path / "nowhere")
    told = CliRunner().invoke(app, ["check", nowhere, "-v"])
    assert told.exit_code == 2
    assert "Traceback" in told.stderr
    assert told.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in CliRunner().invoke(app, ["check", nowhere]).stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_same_habits(name):
    options = {word for parameter in COMMANDS[name].params for word in parameter.opts}
    assert {"--json", "--quiet", "-q", "--verbose", "-v"} <= options
    assert ("--seed" in options) == (name in RANDOM)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell):
    asked = {"COMP_WORDS": "ppaint re", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "ppaint re"}
    asked |= {"_PPAINT_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [sys.executable, "-m", "ppaint_stats"], check=False, capture_output=True, text=True, env={**os.environ, **asked}
    )
    assert "reliability" in done.stdout, done.stderr
    assert "report" in done.stdout
    assert "fuse" not in done.stdout
