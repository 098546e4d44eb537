"""Written answers that are rewarded (GRPO) against the expected score: the same base and targets, equal compute.

A tiny model taught here stands in for a pretrained one (`pretrain_tiny`). Its comparisons become pseudo-scores, on
which the same model is trained by either objective, all parameters of it. Written answers are run first, and the
expected score gets as many steps as fit into the same processor time. Both are watched, on pictures that nothing was
trained on, against the truth; neither is stopped or chosen by it.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from common import mean_interval, read_arguments, write_results

PROPERTY, DISTRACTOR = "brightness", "warmth"
OBJECTIVES = {"grpo": "written answers", "expected": "expected score"}
RATE = 1e-3
"""Learning rate: of 3e-4, 1e-3 and 3e-3 on a seed that is not shown, the best for written answers, and for the expected
score as good as the others after ten seconds."""
STEPS, TRIAL_STEPS = 20, 10
QUICK = {"max_steps": 3, "batch_size": 8}
BUDGETS = (2.5, 5.0, 10.0, 20.0)


@contextmanager
def count_time() -> Iterator[list[dict[str, Any]]]:
    """Add up the processor time of steps, without that of evaluations."""
    from ppaint_distill.trainer.run import RunFolder

    log, records, last = RunFolder.log, [], [time.process_time()]

    def record(self: RunFolder, values: dict[str, Any]) -> None:
        now = time.process_time()
        spent = records[-1]["spent"] if records else 0.0
        if "loss" in values:
            spent += now - last[0]
        records.append({"spent": spent, **values})
        log(self, values)
        last[0] = time.process_time()

    RunFolder.log = record  # type: ignore[method-assign]
    try:
        yield records
    finally:
        RunFolder.log = log  # type: ignore[method-assign]


def make_world(folder: Path, *, quick: bool, seed: int) -> tuple[Any, Any, Any, list[str]]:
    """A taught base, settings, targets (pseudo-scores; the truth of pictures held out), and the items held out."""
    from ppaint_distill.chain import distill
    from ppaint_distill.demo import QUICK_SIZES, SIZES, make_demo_config
    from ppaint_distill.pictures import make_prompt_config, write_images
    from ppaint_distill.targets import Targets
    from ppaint_distill.tiny_world import pretrain_tiny

    sizes = QUICK_SIZES if quick else SIZES
    config = make_demo_config(make_prompt_config(PROPERTY), quick=quick, random_seed=seed)
    truth = {
        name: write_images(folder / name, n, random_seed=1000 * seed + k, prefix=name)
        for k, (name, n) in enumerate(sizes.items())
    }
    steps = {"vision_steps": 20, "steps": 60} if quick else {}
    base = pretrain_tiny(PROPERTY, distractor=DISTRACTOR, random_seed=seed, **steps)
    brief = replace(config, train=replace(config.train, max_steps=1, evaluate_every=0))
    targets = distill(base, folder / "pool", folder / "train", folder / "chain", config=brief, progressbar=False)
    known = targets.pseudo.targets()
    ((cell, draws),) = known.draws.items()
    low, high = known.scale
    held = truth["test"]
    score = (low + (high - low) * held[PROPERTY].rank(pct=True)).to_numpy()
    category, dimension = cell
    rows = pd.DataFrame({"category": category, "dimension": dimension, "item": held["item"], "score": score, "sd": 0.0})
    frame = pd.concat([known.frame, rows], ignore_index=True)[known.frame.columns]
    joint = {cell: np.hstack([draws, np.tile(score, (len(draws), 1))])}
    return base, config, Targets(frame, known.scale, joint), held["item"].tolist()


def train_one(folder: Path, world: tuple[Any, Any, Any, list[str]], objective: str, **changes: Any) -> Any:
    """One run, and the records of its steps and evaluations with the processor time spent until then."""
    from ppaint_distill.config import GRPOConfig
    from ppaint_distill.trainer import train

    base, config, targets, held = world
    images = {path.stem: path for name in ("train", "test") for path in sorted((folder / name).iterdir())}
    shared = {"objective": objective, "learning_rate": RATE, "warmup_steps": 2, "keep_best": False, "save_every": 0}
    settings = replace(
        config, train=replace(config.train, **shared, **changes), grpo=GRPOConfig(n_answers=8, max_new_tokens=24)
    )
    out = folder / f"{objective}-{settings.train.max_steps}"
    with count_time() as records:
        result = train(settings, targets, images, out, model=base, validation=held, progressbar=False)
    return result, records


def train_both(folder: Path, *, quick: bool, seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Curves of both objectives from one base, and what became of the written answers."""
    from ppaint_distill.demo import use_one_thread

    with use_one_thread():
        world = make_world(folder, quick=quick, seed=seed)
        sizes = QUICK if quick else {"max_steps": STEPS}
        written, records = train_one(folder, world, "grpo", **sizes, evaluate_every=1)
        curves = [tabulate(records, "grpo", seed)]
        _, trial = train_one(folder, world, "expected", **sizes | {"max_steps": TRIAL_STEPS}, evaluate_every=0)
        n_steps = max(1, round(records[-1]["spent"] / trial[-1]["spent"] * TRIAL_STEPS))
        n_steps += n_steps == TRIAL_STEPS  # a folder of its own
        sizes = sizes | {"max_steps": n_steps, "evaluate_every": max(1, n_steps // 60)}
        _, records = train_one(folder, world, "expected", **sizes)
        curves.append(tabulate(records, "expected", seed))
    steps = written.metrics
    answers = {"seed": seed, "answers": written.answers["answers"]}
    for when, part in (("first", steps.head(3)), ("last", steps.tail(3))):
        answers[f"unreadable, {when} 3 steps"] = part["unreadable"].sum() / part["answers"].sum()
        answers[f"fidelity, {when} 3 steps"] = part["fidelity"].mean()
    return pd.concat(curves), answers


def tabulate(records: list[dict[str, Any]], objective: str, seed: int) -> pd.DataFrame:
    """One row an evaluation."""
    held = [record for record in records if "validation" in record]
    return pd.DataFrame(
        {
            "seed": seed,
            "objective": OBJECTIVES[objective],
            "step": [record["step"] for record in held],
            "cpu": [record["spent"] for record in held],
            "srcc": [record["validation"]["srcc"] for record in held],
        }
    )


def read_curves(curves: pd.DataFrame, seconds: Sequence[float]) -> pd.DataFrame:
    """Rank correlations of the last evaluation at or before so many seconds; one row a seed and objective."""
    rows = []
    for (objective, seed), curve in curves.groupby(["objective", "seed"], sort=False):
        places = np.searchsorted(curve["cpu"].to_numpy(), seconds, side="right") - 1
        found = dict(zip(seconds, curve["srcc"].to_numpy()[places], strict=True))
        rows.append({"objective": objective, "seed": seed, "base": curve["srcc"].iloc[0]} | found)
    return pd.DataFrame(rows)


def summarise(curves: pd.DataFrame, seconds: Sequence[float]) -> pd.DataFrame:
    """Rank correlation and its rise over the base by processor time, with intervals over seeds; inf is the end."""
    wide = read_curves(curves, seconds)
    rows = []
    for second in seconds:
        for objective, group in wide.groupby("objective", sort=False):
            rise = mean_interval(group[second] - group["base"], prob=0.95)
            found = {"SRCC": group[second].mean(), "rise over the base": rise["mean"]}
            when = {"CPU seconds": "all" if np.isinf(second) else f"{second:g}", "objective": objective}
            rows.append(when | found | {"lower": rise["lower"], "upper": rise["upper"]})
    return pd.DataFrame(rows)


def draw_means(curves: pd.DataFrame, *, n_points: int = 40) -> pd.DataFrame:
    """Means over seeds with their intervals at common times, for the figure."""
    steps = curves[curves["step"] > 0].groupby(["objective", "seed"])["cpu"]
    seconds = np.geomspace(steps.min().min(), steps.max().min(), n_points).tolist()
    wide = read_curves(curves, seconds)
    rows = []
    for objective, group in wide.groupby("objective", sort=False):
        rows.append({"objective": objective, "cpu": 0.0} | mean_interval(group["base"], prob=0.95))
        rows += [
            {"objective": objective, "cpu": second} | mean_interval(group[second], prob=0.95) for second in seconds
        ]
    return pd.DataFrame(rows)


def main() -> None:
    args = read_arguments(__doc__, seeds={"type": int, "default": 5})
    n_seeds = 1 if args.quick else args.seeds
    parts, answers = [], []
    for seed in range(1, n_seeds + 1):
        with TemporaryDirectory() as temporary:
            curve, written = train_both(Path(temporary), quick=args.quick, seed=seed)
        parts.append(curve)
        answers.append(written)
    curves = pd.concat(parts, ignore_index=True)
    last = curves.groupby(["objective", "seed"], sort=False).tail(1)
    runs = last[["objective", "seed", "step", "cpu", "srcc"]].rename(columns={"step": "steps", "cpu": "CPU seconds"})
    best = curves.groupby(["objective", "seed"], sort=False)["srcc"].agg(["first", "max"]).to_numpy()
    runs = runs.assign(base=best[:, 0], best=best[:, 1])
    shortest = float(runs["CPU seconds"].min())
    budgets = [*(second for second in BUDGETS if second <= shortest), np.inf]
    note = (
        "Simulated: generated pictures, and a tiny model taught to compare them that stands in for a pretrained one. "
        f"Rank correlation with the true {PROPERTY} on pictures that nothing was trained on or chosen by; means over "
        f"{n_seeds} seeds with 95 % t intervals over seeds. Time is that of the processor on one thread, spent on "
        "steps; that of evaluations is not counted. Both objectives: all parameters, batches of 32 images, learning "
        f"rate {RATE:g} after 2 steps of warm-up; written answers: 8 to each image, temperature 1, beta 0.04."
    )
    tables = {
        "summary": summarise(curves, budgets),
        "runs": runs,
        "answers": pd.DataFrame(answers),
        "curves": draw_means(curves),
    }
    write_results(args.out, "grpo", tables, note=note)


if __name__ == "__main__":
    main()
