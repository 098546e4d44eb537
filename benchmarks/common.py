"""What the benchmarks share: arguments, timing, the description of the machine, tables on disk."""

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ppaint_stats.kernels.davidson import outcome_probabilities

QUICK = {"n_categories": 1, "n_items": 10, "n_pairs": 25, "dimensions": ("overall",)}
"""Design of the studies of a quick run."""

RESULTS = Path(__file__).parent / "results"


def read_arguments(description: str | None, **extra: dict) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a run of seconds that only shows that the script works")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    for name, options in extra.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **options)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    return args


def best_time(call: Callable[[], object], *, repeats: int = 5) -> float:
    """Shortest wall-clock time of ``repeats`` calls, in seconds, after one call that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def peak_memory() -> float:
    """Largest resident set of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def describe_machine() -> dict[str, str]:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "date": date.today().isoformat(),  # noqa: DTZ011 - the day is enough
        "cpu": f"{models[0]}, {len(models)} cores" if models else cpu,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pandas": pd.__version__,
    }


def mean_interval(values: pd.Series, *, prob: float = 0.9) -> dict[str, float]:
    """Mean over studies with its t interval."""
    n, mean = len(values), float(values.mean())
    half = float(stats.t.ppf((1 + prob) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    return {"mean": mean, "lower": mean - half, "upper": mean + half}


def write_results(out: Path, name: str, tables: dict[str, pd.DataFrame], *, note: str = "", digits: int = 3) -> None:
    """Write each table as CSV and as the markdown that the documentation includes, with the machine; print them."""
    machine = describe_machine()
    (out / f"{name}.json").write_text(json.dumps({"benchmark": name, "note": note, **machine}, indent=1) + "\n")
    page = [name, note, ", ".join(machine.values())]
    pieces = {"note": f"{note} {machine['date']}; {machine['cpu']}; Python {machine['python']}."}
    for title, table in tables.items():
        table.to_csv(out / f"{name}_{title}.csv", index=False, float_format="%.5g")
        pieces[title] = to_markdown(table, digits=digits)
        page += [title, pieces[title]]
    for title, text in pieces.items():
        (out / f"{name}_{title}.md").write_text(text + "\n")
    print("\n\n".join(page) + "\n", flush=True)


def to_markdown(table: pd.DataFrame, *, digits: int = 3) -> str:
    def show(value: object) -> str:
        if isinstance(value, float | np.floating):
            whole = float(value).is_integer() and abs(value) >= 2  # a count among shares
            return "" if np.isnan(value) else f"{value:.0f}" if whole or abs(value) >= 1000 else f"{value:.{digits}f}"
        return str(value)

    numbers = [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    rows = [[str(c).replace("_", " ") for c in table.columns], ["--:" if n else "---" for n in numbers]]
    rows += [[show(v) for v in row] for row in table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def simulate_davidson(n_items: int, n_comparisons: int, *, nu: float, seed: int) -> tuple[pd.Series, pd.DataFrame]:
    """Standard normal strengths and comparisons of random pairs by Davidson's model, under string ids."""
    rng = np.random.default_rng(seed)
    ids = pd.Index([f"item{i:06d}" for i in range(n_items)])
    strength = rng.standard_normal(n_items)
    a = rng.integers(n_items, size=n_comparisons)
    b = (a + rng.integers(1, n_items, size=n_comparisons)) % n_items
    p_a, p_tie, _ = outcome_probabilities(strength[a] - strength[b], np.log(nu))
    u = rng.random(n_comparisons)
    outcome = np.array(["A", "TIE", "B"])[np.where(u < p_a, 0, np.where(u < p_a + p_tie, 1, 2))]
    return pd.Series(strength, index=ids), pd.DataFrame({"item_a": ids[a], "item_b": ids[b], "outcome": outcome})
