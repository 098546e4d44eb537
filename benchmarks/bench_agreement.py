"""How much of the agreement of two fusions is common input, and whether an artificial agreement is flagged.

One full study, and many small ones of five kinds, in some of which nothing about the items is left.
"""

import warnings

import numpy as np
import pandas as pd
from common import QUICK, read_arguments, write_results

import ppaint_stats as ps
from ppaint_stats.columns import CATEGORY, DIMENSION, RATER
from ppaint_stats.errors import PPaintWarning
from ppaint_stats.validation.shared_inputs import permute_ratings, shuffle_answers

PARTS = ["observed", "permuted", "preferences_only", "same_half", "cross_half", "within_a", "within_b"]
PARTS += ["same_permuted", "cross_permuted", "same_emptied", "cross_emptied"]
PARTS += ["ratio", "shared_part", "excess", "ratings_part", "p_value"]
SMALL = {"n_categories": 1, "n_items": 50, "n_raters": 6, "n_pairs": 250, "dimensions": ("overall",)}
VERDICTS = ["real", "mostly common input", "artificial", "undecided", "no agreement"]


def permute_by_rater(study: ps.Study, seed: int) -> ps.Study:
    """Ratings shuffled over the items, for each rater by themselves; preferences as they are."""
    rng = np.random.default_rng(seed)
    ratings = study.ratings.copy()
    for rows in ratings.groupby([CATEGORY, DIMENSION, RATER], sort=False).indices.values():
        ratings.loc[rows, "rating"] = rng.permutation(ratings.loc[rows, "rating"].to_numpy())
    return ps.Study(ratings=ratings, preferences=study.preferences, scale=study.scale)


CASES = {
    "true study": (lambda study, _: study, "both"),
    "all answers shuffled, by rater": (lambda study, seed: shuffle_answers(study, random_seed=seed), "both"),
    "ratings permuted by rater, fusions of ratings alone": (permute_by_rater, "ratings"),
    "ratings permuted by rater, true preferences": (permute_by_rater, "both"),
    "ratings permuted for all raters alike, true preferences": (
        lambda study, seed: permute_ratings(study, random_seed=seed),
        "both",
    ),
}


def compare_case(design: dict, case: str, seed: int, options: dict) -> dict[str, object]:
    change, protocols = CASES[case]
    study = change(ps.simulate_study(ps.PPaintDesign(**design), random_seed=seed).study, seed)
    given = {"interval": "none", "protocols": protocols}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PPaintWarning)  # of ratings that carry no weight, as they should not
        # Davidson's ratings alone are shrunken, in noise to one value for all
        second = ps.fuse_thurstone if protocols == "ratings" else ps.fuse_davidson
        fusions = [ps.fuse_elo(study, n_orders=50, **given), second(study, **given)]
    found = ps.compare_fusions(*fusions, study=study, **options, random_seed=seed).tables["verdicts"].iloc[0]
    return {"case": case, "seed": seed} | found.drop(["fusion_a", "fusion_b"]).to_dict()


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for case, group in runs.groupby("case", sort=False):
        row: dict[str, object] = {"case": case, "studies": len(group)}
        for name in ("observed", "same_half", "cross_half", "ratings_part"):
            row[name] = group[name].mean()
        row["flagged artificial"] = (group["verdict"] == "artificial").mean()
        row |= {name: (group["verdict"] == name).mean() for name in VERDICTS if name != "artificial"}
        row["p below .05"] = (group["p_value"] < 0.05).mean()
        row["ratings part above 0"] = (group["ratings_part_lower"] > 0).mean()
        rows.append(row)
    return pd.DataFrame(rows).set_index("case").T.rename_axis("mean, or share of studies").reset_index()


def describe_study(study: ps.Study, options: dict, *, interval: str) -> dict[str, pd.DataFrame]:
    fusions = [fuse(study, interval=interval) for fuse in (ps.fuse_elo, ps.fuse_davidson, ps.fuse_thurstone)]
    report = ps.compare_fusions(*fusions, study=study, **options)
    tables: dict[str, pd.DataFrame] = {}
    pair = ["fusion_a", "fusion_b"]
    for whole in report.tables["verdicts"].to_dict("records"):
        shared, summary = (
            table[(table[pair] == [whole[name] for name in pair]).all(axis=1)]
            for table in (report.tables["shared_inputs"], report.tables["summary"])
        )
        columns = {"mean": [whole[part] for part in PARTS]}
        columns |= {end: [whole.get(f"{part}_{end}", np.nan) for part in PARTS] for end in ("lower", "upper")}
        columns |= {"lowest cell": shared[PARTS].min().to_numpy(), "highest cell": shared[PARTS].max().to_numpy()}
        name = f"{whole['fusion_a']}_{whole['fusion_b']}"
        tables[f"{name}_shared"] = pd.DataFrame(columns, index=pd.Index(PARTS, name="part")).reset_index()
        tables[f"{name}_summary"] = summary
    return tables


def main() -> None:
    args = read_arguments(__doc__, studies={"type": int, "default": 10})
    full, small, cases, n = {}, SMALL, list(CASES), args.studies
    options = {"n_splits": 5, "n_permutations": 2, "n_boot": 300}
    few = {"n_splits": 3, "n_permutations": 1, "n_boot": 300}
    if args.quick:
        full, small, cases, n = QUICK, QUICK | {"n_raters": 4}, list(CASES)[:3], 1
        options = few = {"n_splits": 1, "n_permutations": 1, "n_boot": 20}
    kept = args.out / "agreement_runs.csv"
    rows = [] if args.quick or not kept.exists() else pd.read_csv(kept).to_dict("records")
    done = {(row["case"], row["seed"]) for row in rows}
    for seed in range(1, n + 1):
        rows += [compare_case(small, case, seed, few) for case in cases if (case, seed) not in done]
        pd.DataFrame(rows).to_csv(kept, index=False, float_format="%.5g")
    runs = pd.DataFrame(rows)
    study = ps.simulate_study(ps.PPaintDesign(**full), random_seed=1).study
    tables = {"flags": summarise(runs)}
    tables |= describe_study(study, options, interval="none" if args.quick else "auto")
    design = ps.PPaintDesign(**small)
    note = (
        f"Spearman correlations. Flags: {n} simulated studies of each kind, {design.n_items} items, {design.n_raters} "
        f"raters, {design.n_pairs} pairs each; {few}. Shared: one study (seed 1), means over its {len(study.cells)} "
        f"cells with 90 % intervals over items and splits; {options}."
    )
    write_results(args.out, "agreement", tables | {"runs": runs}, note=note)


if __name__ == "__main__":
    main()
