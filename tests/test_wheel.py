"""Wheel and sdist: built, installed into an empty environment, and run. Slow, and needs a package index."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def run(*command: object, cwd: Path) -> str:
    """Standard output of a command that must succeed, run without the caller's Python environment."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "COV_"))}
    words = [str(part) for part in command]
    done = subprocess.run(words, cwd=cwd, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("dist")
    # First the sdist, then the wheel from it: so the sdist is known to be complete.
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


@pytest.fixture(scope="module")
def empty_python(tmp_path_factory) -> Path:
    """Python of an environment that holds the locked core and nothing else."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    lock = ROOT / "requirements-core.lock"
    uv = shutil.which("uv")
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    run(*install, "--quiet", "--no-deps", "-r", lock, cwd=folder.parent)
    return python


def test_both_packages_and_no_tests_are_inside(distributions):
    names = zipfile.ZipFile(distributions["wheel"]).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"ppaint_stats", "ppaint_distill"}
    assert {"ppaint_stats/py.typed", "ppaint_distill/py.typed"} <= set(names)
    with tarfile.open(distributions["sdist"]) as archive:
        inside = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "ppaint_stats/__init__.py"} <= inside
    assert not any(name.startswith(("tests", "docs", "examples")) for name in inside)


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_installs_into_an_empty_environment_and_runs_the_demo(kind, distributions, empty_python, tmp_path):
    # The lock holds what is declared and no more: `pip check` finds what it lacks, the demo what is not declared.
    pip = (empty_python, "-m", "pip")
    run(*pip, "install", "--quiet", "--force-reinstall", "--no-deps", distributions[kind], cwd=tmp_path)
    run(*pip, "check", cwd=tmp_path)
    out = tmp_path / "out"
    run(empty_python.parent / "ppaint", "demo", "--quick", "--out", out, cwd=tmp_path)
    assert json.loads((out / "result.json").read_text(encoding="utf-8"))
