"""How much of the agreement of Elo and Davidson is common input: `compare_fusions` on one full study."""

import pandas as pd
from common import QUICK, read_arguments, write_results

import ppaint_stats as ps

PARTS = ["observed", "permuted", "preferences_only"]
PARTS += ["same_half", "cross_half", "within_a", "within_b", "ratio", "shared_part"]


def main() -> None:
    args = read_arguments(__doc__)
    design = ps.PPaintDesign(**(QUICK if args.quick else {}))
    study = ps.simulate_study(design, random_seed=1).study
    fusions = [ps.fuse_elo(study), ps.fuse_davidson(study), ps.fuse_thurstone(study)]
    splits = {"n_splits": 1, "n_permutations": 1, "n_boot": 20} if args.quick else {"n_splits": 10, "n_permutations": 5}
    tables: dict[str, pd.DataFrame] = {}
    for name, pair in (("elo_davidson", fusions[:2]), ("thurstone_davidson", [fusions[2], fusions[1]])):
        report = ps.compare_fusions(*pair, study=study, **splits)
        shared = report.tables["shared_inputs"][PARTS]
        columns = {"median": shared.median(), "lowest cell": shared.min(), "highest cell": shared.max()}
        tables[f"{name}_shared"] = pd.DataFrame(columns).rename_axis("part").reset_index()
        tables[f"{name}_summary"] = report.tables["summary"]
    note = f"Spearman correlations over {len(study.cells)} cells of one simulated study (seed 1); {splits}."
    write_results(args.out, "agreement", tables, note=note)


if __name__ == "__main__":
    main()
