"""How far scores move under other choices: Elo, Davidson, Thurstone and the joint model on one study."""

import warnings

import pandas as pd
from common import QUICK, read_arguments, write_results

import ppaint_stats as ps
from ppaint_stats.errors import PPaintWarning
from ppaint_stats.validation.sensitivity import fusion_sensitivity

DESIGN = {"n_categories": 1, "n_items": 50, "n_raters": 6, "n_pairs": 250, "dimensions": ("overall",)}
RUN = {"draws": 500, "tune": 400, "chains": 2, "cores": 1}


def main() -> None:
    args = read_arguments(__doc__)
    design = ps.PPaintDesign(**(QUICK if args.quick else DESIGN))
    study = ps.simulate_study(design, random_seed=1).study
    parts, words = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PPaintWarning)
        fusions = [ps.fuse_davidson(study)]
        if not args.quick:
            fusions = [ps.fuse_elo(study, n_orders=50), *fusions, ps.fuse_thurstone(study)]
            fusions.append(ps.fuse_bayes(study, **RUN, random_seed=1, progressbar=False))
        for fusion in fusions:
            report = fusion_sensitivity(fusion, study)
            parts.append(report.tables["choices"].assign(fusion=fusion.method))
            words.append({"fusion": fusion.method, "in words": report.text})
            print(report.text, flush=True)
    table = pd.concat(parts, ignore_index=True)
    table = table[["fusion", *(column for column in table if column != "fusion")]]
    note = (
        f"One simulated study (seed 1): {design.n_items} items, {design.n_raters} raters, {design.n_pairs} pairs, one "
        f"dimension; the joint model with {RUN}."
    )
    write_results(args.out, "sensitivity", {"choices": table, "words": pd.DataFrame(words)}, note=note)


if __name__ == "__main__":
    main()
