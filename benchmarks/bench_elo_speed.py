"""Seconds of each fusion of a full PPaint study: point scores, and with rater jackknife intervals."""

import pandas as pd
from common import QUICK, best_time, read_arguments, write_results

import ppaint_stats as ps


def main() -> None:
    args = read_arguments(__doc__)
    design = ps.PPaintDesign(**(QUICK if args.quick else {}))
    repeats, n_orders = (1, 10) if args.quick else (5, 200)
    study = ps.simulate_study(design, random_seed=1).study
    rows = []
    for name, fuse, options in (
        ("fuse_elo", ps.fuse_elo, {"n_orders": n_orders}),
        ("fuse_davidson", ps.fuse_davidson, {}),
        ("fuse_thurstone", ps.fuse_thurstone, {}),
    ):
        row: dict[str, object] = {"fusion": f"{name}, {n_orders} orders" if options else name}
        for interval, times in (("none", repeats), ("jackknife", min(repeats, 3))):
            call = lambda fuse=fuse, interval=interval, options=options: fuse(study, interval=interval, **options)  # noqa: E731
            row["point scores" if interval == "none" else "with jackknife"] = best_time(call, repeats=times)
        rows.append(row)
    note = (
        f"{len(study.preferences):,} preferences and {len(study.ratings):,} ratings in {len(study.cells)} cells; "
        f"seconds, best of {repeats} (jackknife {min(repeats, 3)}) warm runs in one process."
    )
    write_results(args.out, "elo_speed", {"seconds": pd.DataFrame(rows)}, note=note)


if __name__ == "__main__":
    main()
