"""What the distribution promises: versions, typing markers, light imports, no traces of a machine."""

import importlib.metadata
import importlib.resources
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ppaint_distill
import ppaint_stats

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# What `import ppaint_stats` must not load. Each takes between a tenth of a second and several seconds.
HEAVY = ("pymc", "pytensor", "torch", "arviz", "numba", "matplotlib", "pingouin", "scipy.stats", "scipy.optimize")


def modules_after(statement: str) -> set[str]:
    """Names in sys.modules of a fresh interpreter that ran the statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def tracked_files() -> list[Path]:
    """Every file under version control; the test is skipped where the tree is no checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    done = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def pins(lock: str) -> dict[str, str]:
    """Version of each name in a lock file."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower() for requirement in requirements}


def test_importing_the_statistics_loads_nothing_heavy():
    loaded = modules_after("import ppaint_stats")
    assert not loaded.intersection(HEAVY)


def test_importing_the_distillation_loads_neither_torch_nor_pymc():
    loaded = modules_after("import ppaint_distill")
    assert not loaded.intersection(["pymc", "pytensor", "torch", "transformers"])


def test_versions_are_one():
    version = PROJECT["version"]
    assert ppaint_stats.__version__ == version
    assert ppaint_distill.__version__ == version
    assert importlib.metadata.version("ppaint") == version
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(rf"^version: {re.escape(version)}$", citation, re.MULTILINE)


@pytest.mark.parametrize("package", ["ppaint_stats", "ppaint_distill"])
def test_packages_are_marked_as_typed(package):
    assert importlib.resources.files(package).joinpath("py.typed").is_file()


def test_commands_point_at_callables():
    scripts = importlib.metadata.distribution("ppaint").entry_points.select(group="console_scripts")
    assert "ppaint" in scripts.names
    for script in scripts:
        assert callable(script.load())


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-core.lock"])
def test_locks_have_exact_versions_hashes_and_no_addresses(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    requirements = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]
    assert requirements
    for block in requirements:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+", block), block
        assert "--hash=sha256:" in block, block


def test_core_lock_is_a_part_of_the_whole_lock_and_has_no_torch():
    core, whole = pins("requirements-core.lock"), pins("requirements.lock")
    assert core.items() <= whole.items()
    assert "torch" in whole
    assert "torch" not in core


def test_locks_hold_every_declared_dependency():
    extras = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]
    assert names(PROJECT["dependencies"]) <= pins("requirements-core.lock").keys()
    assert names(extras) - {"ppaint"} <= pins("requirements.lock").keys()  # an extra may name another one


def test_no_file_names_a_path_of_some_machine():
    pattern = re.compile(rb"(^|[^A-Za-z0-9_.])/(work|root|home|tmp|opt)/[a-z.]", re.MULTILINE)
    found = [str(path.relative_to(ROOT)) for path in tracked_files() if pattern.search(path.read_bytes())]
    assert not found
