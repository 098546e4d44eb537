"""Every benchmark runs, quickly, and writes its tables."""

import importlib
import os
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
NAMES = sorted(path.stem for path in FOLDER.glob("bench_*.py"))

# These train models, which takes half a minute to a minute even in their trial; what they call has quick tests.
HEAVY = ("bench_distill_ablations", "bench_distill_chain", "bench_grpo")
TRIALS = [pytest.param(name, marks=[pytest.mark.slow] if name in HEAVY else []) for name in NAMES]


def read_threads() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.endswith("_NUM_THREADS")}


@pytest.mark.parametrize("name", TRIALS)
@pytest.mark.filterwarnings("default::ppaint_stats.errors.PPaintWarning")  # the quick sizes are too small for good fits
def test_benchmark_runs_quickly(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "bench_davidson_speed":
        pytest.importorskip("evalica")
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "argv", [name, "--quick", "--out", str(tmp_path)])
    threads = read_threads()
    importlib.import_module(name).main()
    assert read_threads() == threads, "a benchmark must not change the settings of other tests"
    written = {path.name for path in tmp_path.iterdir()}
    stem = name.removeprefix("bench_")
    assert {f"{stem}.json", f"{stem}_note.md"} <= written
    assert any(entry.endswith(".csv") for entry in written)


def test_results_are_kept() -> None:
    kept = {path.stem for path in (FOLDER / "results").glob("*.json")}
    on_gpu = {path.stem for path in FOLDER.glob("gpu_*.py")}  # these are there once a GPU was at hand
    assert kept - on_gpu == {name.removeprefix("bench_") for name in NAMES}


def test_figures_are_drawn_from_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "argv", ["draw_figures", "--quick", "--out", str(tmp_path)])
    importlib.import_module("draw_figures").main()
    written = {path.name for path in tmp_path.iterdir()}
    gallery = {name for name in written if name.startswith("plot_")}
    assert len(gallery) == 2 * 12  # a caption beside each
    assert written - gallery == {
        "agreement.svg",
        "coverage.svg",
        "distillation.svg",
        "error.svg",
        "grpo.svg",
        "labels.md",
        "labels.svg",
        "plan.svg",
        "priors.md",
        "priors.svg",
        "sbc.svg",
        "taste.svg",
        "ties.svg",
        "verdict.svg",
    }
