"""What becomes of strengths when ties are counted as wins: slope of the estimates on the truth, by convention."""

import numpy as np
import pandas as pd
from common import mean_interval, read_arguments, simulate_davidson, write_results

import ppaint_stats as ps

CONVENTIONS = ("Davidson", "half a win each", "one win each", "left out")


def fit_convention(frame: pd.DataFrame, convention: str) -> pd.Series:
    """Strengths of items; all conventions but the first are Bradley-Terry fits."""
    if convention == "Davidson":
        return ps.fit_davidson(frame, standard_errors=False).strengths
    tie = frame["outcome"] == "TIE"
    decided, ties = frame[~tie].assign(count=1.0), frame[tie]
    parts = [decided]
    if convention != "left out":
        count = 0.5 if convention == "half a win each" else 1.0
        parts += [ties.assign(outcome=side, count=count) for side in ("A", "B")]
    return ps.fit_davidson(pd.concat(parts, ignore_index=True), standard_errors=False).strengths


def compare(n_items: int, n_comparisons: int, nu: float, seed: int) -> tuple[dict[str, object], pd.DataFrame]:
    truth, frame = simulate_davidson(n_items, n_comparisons, nu=nu, seed=seed)
    points = pd.DataFrame({"truth": truth})
    row: dict[str, object] = {"nu": nu, "seed": seed, "tie_rate": float((frame["outcome"] == "TIE").mean())}
    for convention in CONVENTIONS:
        points[convention] = fit_convention(frame, convention).reindex(truth.index)
        row[convention] = float(np.polyfit(points["truth"], points[convention], 1)[0])
    return row, points


def main() -> None:
    args = read_arguments(__doc__)
    n_items, n_comparisons, seeds = (30, 6_000, 2) if args.quick else (200, 200_000, 20)
    found = [compare(n_items, n_comparisons, 0.45, seed) for seed in range(seeds)]
    runs = pd.DataFrame([row for row, _ in found])
    rows = []
    for convention in CONVENTIONS:
        slopes = runs[convention]
        row = {"ties counted as": convention, **mean_interval(slopes), "sd over seeds": slopes.std()}
        rows.append(row | {"lowest": slopes.min(), "highest": slopes.max()})
    levels = (0.1, 1.0) if args.quick else (0.02, 0.1, 0.2, 0.45, 0.8, 1.2, 2.0, 3.0)
    by_rate = pd.DataFrame([compare(n_items, n_comparisons // 2, nu, 1000)[0] for nu in levels])
    found[0][1].to_csv(args.out / "ties_points.csv", index=False, float_format="%.5g")
    note = (
        f"{seeds} data sets of {n_items} items and {n_comparisons:,} comparisons from Davidson's model with standard "
        f"normal strengths; mean tie rate {runs['tie_rate'].mean():.1%}. Slope of the estimated on the true strengths, "
        "90 % t intervals."
    )
    write_results(args.out, "ties", {"slope": pd.DataFrame(rows), "by_rate": by_rate}, note=note, digits=4)


if __name__ == "__main__":
    main()
