"""Seconds of 1,000 bootstrap replicates of Krippendorff's alpha, beside a loop around the krippendorff package."""

import time
from functools import partial

import krippendorff
import numpy as np
import pandas as pd
from common import best_time, read_arguments, write_results

from ppaint_stats.reliability import krippendorff_alpha


def simulate_ratings(n_units: int, n_raters: int) -> np.ndarray:
    """Ratings 1 to 5, raters x units, one in a hundred missing."""
    rng = np.random.default_rng(1)
    values = rng.normal(3, 0.8, n_units) + rng.normal(0, 0.8, (n_raters, n_units))
    values = np.clip(np.round(values), 1, 5)
    values[rng.random(values.shape) < 0.01] = np.nan
    return values


def time_loop(values: np.ndarray, n_loop: int) -> tuple[float, np.ndarray]:
    """Seconds per replicate of resampled columns handed to the package, and the replicates."""
    rng = np.random.default_rng(1)
    start = time.perf_counter()
    draws = []
    for _ in range(n_loop):
        columns = rng.integers(values.shape[1], size=values.shape[1])
        draws.append(krippendorff.alpha(reliability_data=values[:, columns], level_of_measurement="ordinal"))
    return (time.perf_counter() - start) / n_loop, np.array(draws)


def main() -> None:
    args = read_arguments(__doc__)
    sizes = [(200, 5, 3)] if args.quick else [(150, 15, 50), (10_000, 20, 20), (1_000_000, 5, 3)]
    n_boot = 50 if args.quick else 1000
    rows = []
    for n_units, n_raters, n_loop in sizes:
        values = simulate_ratings(n_units, n_raters)
        row: dict[str, object] = {"units": f"{n_units:,}", "raters": n_raters}
        repeats = 1 if n_units > 100_000 else 3
        for resample in ("items", "both"):
            options = {"n_boot": n_boot, "random_seed": 1, "resample": resample}
            call = partial(krippendorff_alpha, values, **options)
            row[f"{resample} resampled"] = best_time(call, repeats=repeats)
        found = krippendorff_alpha(values, n_boot=n_boot, random_seed=1, resample="items")
        per_replicate, draws = time_loop(values, n_loop)
        row["loop, items resampled"] = per_replicate * n_boot
        row["loop replicates timed"] = n_loop
        row["sd of replicates"] = float(np.nanstd(found.draws))
        row["sd in loop"] = float(draws.std(ddof=1))
        rows.append(row)
    note = (
        f"Krippendorff's ordinal alpha with {n_boot:,} bootstrap replicates, reading the array included; seconds, best "
        "of 3 (a million units: second of two runs). The loop around the krippendorff package is timed on a few "
        "replicates."
    )
    write_results(args.out, "alpha_speed", {"seconds": pd.DataFrame(rows)}, note=note)


if __name__ == "__main__":
    main()
