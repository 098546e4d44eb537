"""Can a tiny scorer learn from people? Complexity of pixel patterns, five folds of whole rules, against a ridge.

In each fold `examples/distill_experts.py` fuses the ratings of the training patterns, and trains a fresh tiny model,
whole, on one thread. Beside it, on the same patterns and with the same targets: a ridge regression on hand-made
features (its strength is chosen by folds of whole rules within the training patterns), and the number of edges alone.
Needs the files of the example; a quick run simulates patterns and ratings instead.
"""

import os

if __name__ == "__main__":
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from common import read_arguments, write_results
from pattern_features import choose_strength, describe_pattern, fit_ridge, split_half

import ppaint_stats as ps
from ppaint_distill.evaluate import evaluate_scores

sys.path.append(str(Path(__file__).parents[1] / "examples"))
import distill_experts as example

DIMENSION = example.CONFIG.prompt.dimensions[0]


def simulate_data(n_items: int = 56, n_rules: int = 14, n_raters: int = 6) -> tuple[ps.Study, pd.DataFrame]:
    """Patterns of some rules, each with its own share of black cells, and ratings that follow their edges."""
    rng = np.random.default_rng(0)
    rule = np.arange(n_items) % n_rules
    cells = rng.random((n_items, 15, 15)) < (1 + rule[:, None, None]) / (2 * n_rules)
    level = 100 * (cells[:, :, 1:] != cells[:, :, :-1]).mean((1, 2))
    items = [str(number) for number in range(n_items)]
    bits = ["".join("1" if cell else "0" for cell in pattern.ravel()) for pattern in cells]
    told = np.clip(level + 10 * rng.standard_normal((n_raters, n_items)), 0, 100).round()
    raters = [f"r{number}" for number in range(n_raters)]
    index = pd.MultiIndex.from_product([raters, items], names=["rater", "item"])
    ratings = pd.DataFrame({"rating": told.ravel(), "dimension": DIMENSION}, index=index).reset_index()
    patterns = pd.DataFrame({"item": items, "rule": [f"rule {number}" for number in rule], "bits": bits})
    return ps.read_study(ratings=ratings, scale=(0, 100, 1)), patterns


def run_fold(
    study: ps.Study, patterns: pd.DataFrame, held: np.ndarray, max_steps: int
) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """Train on the patterns that are not held out, and predict those that are."""
    inside, outside = patterns[~held].reset_index(drop=True), patterns[held].reset_index(drop=True)
    config = replace(example.CONFIG, train=replace(example.CONFIG.train, max_steps=max_steps))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wall, cpu = time.perf_counter(), time.process_time()
        result = example.train_scorer(study, inside, folder, config)
        times = {"minutes": (time.perf_counter() - wall) / 60, "CPU_minutes": (time.process_time() - cpu) / 60}
        images = example.draw_patterns(outside, folder / "held_out")
        scores = result.scorer().score(list(images.values()), progressbar=False)
        targets = pd.read_parquet(folder / "targets.parquet").set_index("item")["score"]

    seen, unseen = describe_all(inside), describe_all(outside)
    x, new, y = seen.to_numpy(), unseen.to_numpy(), targets[inside["item"]].to_numpy()
    strength = choose_strength(x, y, example.split_rules(inside["rule"], 5))
    edges = unseen[["edges across", "edges down"]].mean(axis=1).to_numpy()
    plain = {"ridge": fit_ridge(x, y, strength)(new), "edges": 100 * edges}
    told = {name: outside[["item"]].assign(dimension=DIMENSION, score=values) for name, values in plain.items()}
    about = {"patterns": len(outside), "rules": outside["rule"].nunique(), "trained_on": result.n_training}
    about |= {"watched": result.n_validation, "steps": result.steps, "kept": result.best_step, **times}
    half = split_half(study.ratings, outside["item"].tolist())
    about |= {"split_half": half, "reliability": 2 * half / (1 + half)}
    return {"scorer": scores, **told}, about


def describe_all(patterns: pd.DataFrame) -> pd.DataFrame:
    cells = [(np.array(list(bits)) == "1").astype(int).reshape(15, 15) for bits in patterns["bits"]]
    return pd.DataFrame([describe_pattern(pattern) for pattern in cells])


def main() -> None:
    args = read_arguments(__doc__, data={"default": os.environ.get("PPAINT_DATA")})
    if args.quick:
        (study, patterns), n_folds, max_steps = simulate_data(), 2, 3
    elif args.data is None:
        sys.exit(f"--data or $PPAINT_DATA must name a folder with {' and '.join(example.FILES)}")
    else:
        (study, patterns), n_folds, max_steps = example.read_data(Path(args.data)), 5, example.CONFIG.train.max_steps
    fold = example.split_rules(patterns["rule"], n_folds)
    known = ps.fuse_davidson(study, protocols="ratings").scores
    known["category"] = known["item"].map(dict(zip(patterns["item"], [f"fold {k + 1}" for k in fold], strict=True)))

    predictions, rows = {}, []
    for k in range(n_folds):
        found, about = run_fold(study, patterns, fold == k, max_steps)
        for model, frame in found.items():
            predictions.setdefault(model, []).append(frame.assign(category=f"fold {k + 1}"))
        rows.append({"category": f"fold {k + 1}", **about})
        print(rows[-1], flush=True)
    report = evaluate_scores(
        {model: pd.concat(frames) for model, frames in predictions.items()}, known, baseline="ridge"
    )
    measured = report.tables["scores"]
    wide = measured.pivot_table("srcc", "category", "model")[["scorer", "ridge", "edges"]]
    wide["scorer_/_ridge"] = wide["scorer"] / wide["ridge"]
    wide["ceiling"] = measured.groupby("category")["noise_ceiling"].first()
    folds = pd.DataFrame(rows).set_index("category").join(wide).reset_index(names="fold")
    total = {"fold": "all", **folds.mean(numeric_only=True)}
    total |= {"scorer_/_ridge": total["scorer"] / total["ridge"], **folds[["patterns", "rules"]].sum()}
    quality = [
        "fold",
        "patterns",
        "rules",
        "scorer",
        "ridge",
        "edges",
        "scorer_/_ridge",
        "split_half",
        "reliability",
        "ceiling",
    ]
    costs = ["fold", "trained_on", "watched", "steps", "kept", "minutes", "CPU_minutes"]
    overall = measured[measured["category"] == "all categories"].drop(columns=["category", "dimension", "n_items"])
    differences = report.tables["differences"]
    differences = differences[differences["category"] == "all categories"].drop(columns=["category", "dimension"])
    data = "simulated patterns and ratings" if args.quick else f"{len(patterns)} patterns, {len(study.raters)} people"
    note = (
        f"{data}; rank correlation with the people's score, on patterns whose rules were held out, and its mean over "
        "folds. Split half: of the means of two halves of the people; reliability: the same stepped up to all of them; "
        "ceiling: of a scorer who knew the true scores. 95 % intervals over patterns."
    )
    quality_table = pd.concat([folds[quality], pd.DataFrame([total])[quality]], ignore_index=True)
    quality_table = quality_table.astype({"patterns": "int64", "rules": "int64"})
    tables = {"folds": quality_table, "costs": folds[costs], "means": overall, "differences": differences}
    write_results(args.out, "distill_experts", tables, note=note)


if __name__ == "__main__":
    main()
