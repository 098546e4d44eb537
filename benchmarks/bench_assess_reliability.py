"""Seconds of the whole report on reliability of a full PPaint study, and of its parts."""

import time

import pandas as pd
from common import QUICK, read_arguments, write_results

import ppaint_stats as ps
from ppaint_stats.reliability.assess import STEPS, choose_levels
from ppaint_stats.reliability.cell_statistics import match_cell, measure_preferences, measure_ratings
from ppaint_stats.reliability.items import tabulate_items
from ppaint_stats.reliability.raters import tabulate_raters
from ppaint_stats.reliability.study_cells import Options, split_study


def time_parts(study: ps.Study, n_boot: int) -> dict[str, float]:
    """Seconds of each part of the work, over all cells."""
    options = Options(n_boot, 0.95, "both", choose_levels(study, "auto"), 3)
    calls = {"match": match_cell, "ratings": measure_ratings, "preferences": measure_preferences}
    calls["raters"] = lambda cell, options: (tabulate_raters(cell, options), tabulate_items(cell))
    spent = dict.fromkeys(STEPS, 0.0)
    for cell in split_study(study, 1):
        for step in STEPS:
            start = time.perf_counter()
            calls[step](cell, options)
            spent[step] += time.perf_counter() - start
    return spent


def main() -> None:
    args = read_arguments(__doc__)
    study = ps.simulate_study(ps.PPaintDesign(**(QUICK if args.quick else {})), random_seed=1).study
    rows = []
    for n_boot in (10, 50) if args.quick else (500, 2000):
        start = time.perf_counter()
        ps.assess_reliability(study, n_boot=n_boot, random_seed=1)
        whole = time.perf_counter() - start
        rows.append({"replicates": n_boot, "whole report": whole, **time_parts(study, n_boot)})
    note = (
        f"assess_reliability of {len(study.ratings):,} ratings and {len(study.preferences):,} preferences in "
        f"{len(study.cells)} cells; seconds of one run, one process."
    )
    write_results(args.out, "assess_reliability", {"seconds": pd.DataFrame(rows)}, note=note)


if __name__ == "__main__":
    main()
