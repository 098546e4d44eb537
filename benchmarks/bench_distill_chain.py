"""The label-free chain on generated pictures: two properties, a control, three seeds, and other ways to train.

A tiny model taught here stands in for a pretrained one (`pretrain_tiny`): its comparisons are nearly right, and its
pointwise answers are drawn aside by another property. In the control it is the other way round: the comparisons are
drawn aside, and there is nothing to gain. On one property the same student is also trained on the base's own pointwise
scores, on plain shares of wins, and without confidence weights. Runs that are on the disk are not run again.
"""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from common import mean_interval, read_arguments, write_results

SETTINGS = {
    "brightness": ("brightness", "warmth", "pointwise"),
    "coverage": ("coverage", "brightness", "pointwise"),
    "control": ("brightness", "warmth", "pairwise"),
}
OTHERS_ON = "brightness"
SHOWN = {
    "srcc_base": "base, pointwise",
    "srcc_judge": "base, comparisons",
    "srcc_scorer": "scorer",
    "gain": "scorer - base",
    "gap_to_judge": "comparisons - scorer",
}


def train_others(folder: Path, *, quick: bool, seed: int) -> pd.DataFrame:
    """Rank correlations of students trained in other ways, on the chain of a finished demonstration."""
    from ppaint_distill.config import load_config
    from ppaint_distill.demo import use_one_thread
    from ppaint_distill.evaluate import evaluate_scores, majority_vote
    from ppaint_distill.models import ModelConfig, load_model
    from ppaint_distill.scorer import Scorer
    from ppaint_distill.targets import Targets, read_targets
    from ppaint_distill.trainer import train

    config = load_config(folder / "config.yaml")
    targets = read_targets(folder / "chain" / "targets.parquet")
    base = load_model(ModelConfig(name=str(folder / "base"), device="cpu"))
    votes = majority_vote(pd.read_parquet(folder / "chain" / "preferences.parquet"), scale=targets.scale)
    votes = votes[votes["item"].isin(set(targets.frame["item"]))]
    with use_one_thread():
        pointwise = Scorer(base, config.prompt, config.score).score(folder / "train", progressbar=False)
        own = pointwise.assign(category=targets.frame["category"].iloc[0])
        plain = replace(config, train=replace(config.train, confidence=False))
        hard = replace(config, train=replace(config.train, preferences="hard"))
        ways = {
            "pseudo-scores": (config, targets),
            "pseudo-scores, no confidence": (plain, targets),
            "shares of wins": (hard, Targets(votes.assign(sd=0.0), targets.scale)),
            "base's pointwise scores": (hard, Targets(own.assign(sd=0.0), targets.scale)),
        }
        found = {}
        for name, (settings, labels) in ways.items():
            out = folder / "ways" / name.replace(" ", "-").replace("'", "")
            run = train(settings, labels, folder / "train", out, model=base, progressbar=False)
            found[name] = run.scorer().score(folder / "test", progressbar=False)
    truth = pd.read_csv(folder / "truth.csv")
    table = evaluate_scores(found, truth, baseline="pseudo-scores", n_boot=0 if quick else 200).tables["scores"]
    return table.set_index("model")["srcc"].rename(seed)


def run(folder: Path, name: str, seed: int, *, quick: bool) -> dict[str, Any]:
    """One chain, or what is on the disk of it."""
    from ppaint_distill.demo import run_demo

    result = folder / "result.json"
    if result.is_file():
        return json.loads(result.read_text())
    judged, distractor, distracted = SETTINGS[name]
    return run_demo(
        folder, property=judged, distractor=distractor, distracted=distracted, quick=quick, random_seed=seed
    )


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for name, group in runs.groupby("setting", sort=False):
        row: dict[str, object] = {"setting": name, "seeds": len(group)}
        for column, label in SHOWN.items():
            row[label] = group[column].mean()
            if column in {"gain", "gap_to_judge"}:
                interval = mean_interval(group[column], prob=0.95)
                row |= {f"{label}, lower": interval["lower"], f"{label}, upper": interval["upper"]}
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    args = read_arguments(
        __doc__,
        seeds={"type": int, "default": 3},
        work={"type": Path, "default": None, "help": "folder that keeps the runs"},
    )
    seeds, names = range(1, args.seeds + 1), list(SETTINGS)
    if args.quick:
        seeds, names = range(1, 2), ["brightness"]
    with TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        rows, others = [], []
        for seed in seeds:
            for name in names:
                folder = work / f"{name}-{seed}"
                rows.append({"setting": name} | run(folder, name, seed, quick=args.quick))
                if name == OTHERS_ON:
                    others.append(train_others(folder, quick=args.quick, seed=seed))
    columns = ["setting", "property", "distractor", "distracted", "random_seed", *SHOWN, "comparisons"]
    runs = pd.DataFrame(rows)
    ways = pd.DataFrame(others)
    means = [{"trained on": way} | mean_interval(ways[way], prob=0.95) for way in ways]
    for row in means:
        row["below pseudo-scores"] = float(np.mean(ways["pseudo-scores"] - ways[row["trained on"]]))
    note = (
        "Simulated: generated pictures, and a tiny model taught to compare them that stands in for a pretrained one. "
        f"Rank correlation with the true property on {runs['sizes'].iloc[0]['test']} pictures that were never seen; "
        "means over seeds with 95 % t intervals over seeds. Control: here comparisons are the distracted answers."
    )
    tables = {"summary": summarise(runs), "runs": runs[columns], "ways": pd.DataFrame(means)}
    write_results(args.out, "distill_chain", tables, note=note)


if __name__ == "__main__":
    main()
