"""Fixtures and settings that every test module shares."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Without matplotlib's windows, on every machine; set before anything imports matplotlib.
os.environ.setdefault("MPLBACKEND", "Agg")

# Tests run side by side, and threads of several processes that wait for each other are many times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples on every run; no deadline, because the first call of a kernel compiles it.
settings.register_profile("ppaint", derandomize=True, deadline=None, database=None)
settings.load_profile("ppaint")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real data, named by PPAINT_DATA; the test is skipped where there is none."""
    value = os.environ.get("PPAINT_DATA")
    if not value:
        pytest.skip("real data: the environment variable PPAINT_DATA is not set")
    folder = Path(value)
    if not folder.is_dir():
        pytest.fail(f"PPAINT_DATA is {value!r}, which is not a folder")
    return folder
