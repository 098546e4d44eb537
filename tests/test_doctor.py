"""The examination of an installation."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ppaint_stats import doctor
from ppaint_stats.cli import app


def find(report, check):
    return report.tables["findings"].set_index("check").loc[check]


def test_a_whole_installation_passes():
    report = doctor.examine_installation()
    assert report.passed
    assert report.tables["versions"]["fits"].all()
    assert "cores" in set(report.tables["findings"]["check"])


@pytest.mark.parametrize(("need", "word"), [("no-such-package>=1", "is missing"), ("numpy>=99", "wanted >=99")])
def test_what_is_missing_or_old_fails(monkeypatch, need, word):
    monkeypatch.setattr(doctor, "requires", lambda _: ["pandas>=2", need, 'torch>=99; extra == "distill"'])
    report = doctor.examine_installation()
    assert report.passed is False
    assert word in find(report, "packages")["found"]
    assert "install the project again" in report.text


def test_a_folder_that_was_never_installed(monkeypatch):
    def absent(_):
        raise doctor.PackageNotFoundError

    monkeypatch.setattr(doctor, "requires", absent)
    assert doctor.examine_installation().passed


def test_kernels_that_cannot_be_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "0")
    assert "compiles" in find(doctor.examine_installation(), "compiled kernels")["advice"]
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert "NUMBA_CACHE_DIR" in find(doctor.examine_installation(), "compiled kernels")["advice"]
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert "hundreds" in find(doctor.examine_installation(), "compiled kernels")["advice"]


def test_the_gpu_is_named_or_its_driver_blamed(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda _: "nvidia-smi")
    done = subprocess.CompletedProcess([], 0, stdout="Big GPU, 81559 MiB\n")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: done)
    assert find(doctor.examine_installation(), "GPU")["found"] == "Big GPU, 81559 MiB"

    def fail(*_, **__):
        raise subprocess.TimeoutExpired("nvidia-smi", 20)

    monkeypatch.setattr(doctor.subprocess, "run", fail)
    assert "driver" in find(doctor.examine_installation(), "GPU")["advice"]


def test_a_container_with_a_quota(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "150000 100000\n")
    assert doctor._read_quota() == 1.5
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "max 100000\n")
    assert doctor._read_quota() is None


def test_the_command():
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["passed"]
    assert facts["findings"]
