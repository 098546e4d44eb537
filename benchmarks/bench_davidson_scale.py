"""Davidson's model on 100,000 items and 5,000,000 comparisons: seconds by stage, peak memory, standard errors."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np
import pandas as pd
from common import peak_memory, read_arguments, simulate_davidson, write_results

import ppaint_stats as ps
from ppaint_stats import davidson
from ppaint_stats.kernels import newton
from ppaint_stats.kernels.davidson import outcome_probabilities
from ppaint_stats.kernels.laplacian import Laplacian

STAGES = [
    (davidson, "_encode", "string ids to codes, checks"),
    (davidson, "link_components", "components of the graph"),
    (davidson, "count_pairs", "counts by pair"),
    (davidson, "find_separation", "separation"),
    (davidson, "fit_maximum_likelihood", "Newton steps"),
    (newton, "_standard_errors", "standard errors"),
]


@contextmanager
def time_stages(seconds: dict[str, float]) -> Iterator[None]:
    """Let every stage of `fit_davidson` add its time to ``seconds``."""

    def watch(function: Callable[..., object], label: str) -> Callable[..., object]:
        def timed(*args: object, **kwargs: object) -> object:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds[label] = seconds.get(label, 0.0) + time.perf_counter() - start

        return timed

    with ExitStack() as stack:
        for module, name, label in STAGES:
            stack.enter_context(patch.object(module, name, watch(getattr(module, name), label)))
        yield


def compare_standard_errors(n: int) -> pd.DataFrame:
    """Relative error of approximate standard errors on graphs where the exact ones can be had."""
    rng = np.random.default_rng(0)
    rows = []
    for graph, per_item in (("random", 24), ("random", 100), ("locally dense", 24), ("chain of neighbours", 4)):
        if graph == "random":
            a = rng.integers(n, size=n * per_item // 2)
            b = (a + rng.integers(1, n, size=len(a))) % n
        elif graph == "locally dense":
            pairs = ps.locally_dense_pairs([f"{i:05d}" for i in range(n)], n_pairs=n * per_item // 2, random_seed=0)
            a, b = pairs["item_a"].astype(int).to_numpy(), pairs["item_b"].astype(int).to_numpy()
        else:
            a = np.tile(np.arange(n), per_item // 2)
            b = (a + np.repeat(np.arange(1, per_item // 2 + 1), n)) % n
        strength = np.sort(rng.standard_normal(n))
        p_a, _, p_b = outcome_probabilities(strength[a] - strength[b], np.log(0.8))
        laplacian = Laplacian(a, b, n, np.zeros(n, dtype=np.int64))
        laplacian.set_weights((p_a + p_b - (p_a - p_b) ** 2) / 4)
        exact = np.sqrt(laplacian.inverse_diagonal(exact=True))
        error = np.sqrt(laplacian.inverse_diagonal(exact=False)) / exact - 1
        row = {"graph": graph, "items": n, "comparisons per item": per_item, "mean standard error": exact.mean()}
        rows.append({**row, "mean error": error.mean(), "sd of error": error.std(), "largest": np.abs(error).max()})
    return pd.DataFrame(rows)


def main() -> None:
    args = read_arguments(__doc__, repeats={"type": int, "default": 2})
    n_items, n_comparisons, small = (3_000, 60_000, 300) if args.quick else (100_000, 5_000_000, 2_000)
    truth, frame = simulate_davidson(n_items, n_comparisons, nu=0.8, seed=1)
    before = peak_memory()
    seconds: dict[str, float] = {}
    runs = []
    for _ in range(1 if args.quick else args.repeats):
        seconds.clear()
        start = time.perf_counter()
        with time_stages(seconds):
            fit = ps.fit_davidson(frame)
        runs.append({"whole": time.perf_counter() - start, **seconds})
    best = min(runs, key=lambda run: run["whole"])
    best["Newton steps"] -= best["standard errors"]
    rows = [{"stage": label, "seconds": best[label]} for label in [*(label for *_, label in STAGES), "whole"]]
    slope = np.polyfit(truth.reindex(fit.strengths.index), fit.strengths, 1)[0]
    miss = (fit.strengths - truth.reindex(fit.strengths.index)) / fit.se
    note = (
        f"{n_items:,} items, {n_comparisons:,} comparisons, string ids, best of {len(runs)} runs. "
        f"Peak memory {peak_memory():.2f} GB, of which {before:.2f} GB before the fit (the data and their simulation). "
        f"{fit.iterations} Newton steps, converged {fit.converged}; slope on the true strengths {slope:.4f}; "
        f"sd of (estimate - truth) / standard error {miss.std():.3f}."
    )
    tables = {"stages": pd.DataFrame(rows), "standard_errors": compare_standard_errors(small)}
    write_results(args.out, "davidson_scale", tables, note=note)


if __name__ == "__main__":
    main()
