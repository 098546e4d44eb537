"""What each part of the chain is worth: one part changed at a time, every student trained and tested alike.

A simulated judge compares generated pictures, since only then can its noise be set; the student is a tiny model taught
here to give scores that another property draws aside (`pretrain_tiny`). With the nearly faultless judge and the 240
pictures of `bench_distill_chain` every variant ends at .99, and no part could be seen to matter. Here comparisons are
noisy and few, and so are the pictures: what is left to learn from is little enough that parts can differ.

A line of JSON is kept for every run that is done, and a run that is there is not made again.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from bench_grpo import count_time
from common import mean_interval, read_arguments, write_results

PROPERTY, DISTRACTOR = "brightness", "warmth"
SCALE = (1.0, 5.0)
ANCHOR_SD = 0.5
"""Error of the score of an anchor: that of the mean of a few experts."""


@dataclass(frozen=True)
class Variant:
    """One way to train; what is not named is as in the reference."""

    name: str
    labels: str = "pseudo-scores"
    confidence: bool = True
    objective: str = "expected"
    n_anchors: int = 10
    n_pool: int = 40
    n_comparisons: int = 6
    paper: dict[str, float] = field(default_factory=dict)
    """What the paper reports of its own experiment, on real paintings with a real judge."""


REFERENCE = Variant("reference", paper={"srcc": 0.709, "plcc": 0.695})
VARIANTS = (
    REFERENCE,
    Variant("no confidence", confidence=False, paper={"srcc": 0.660}),
    Variant("majority vote", labels="votes", paper={"srcc": 0.628}),
    Variant("pointwise labels", labels="pointwise", paper={"srcc": 0.557}),
    Variant("5 anchors", n_anchors=5, paper={"plcc": 0.565}),
    Variant("20 anchors", n_anchors=20),
    Variant("pool of 12", n_pool=12),
    Variant("pool of 80", n_pool=80),
    Variant("3 comparisons", n_comparisons=3),
    Variant("12 comparisons", n_comparisons=12),
    Variant("written answers, same time", objective="grpo"),
)
QUICK_VARIANTS = (REFERENCE, *VARIANTS[2:4], VARIANTS[-1])
"""One of each kind of labels and objective."""

STATISTICS = {"srcc": "SRCC", "plcc": "PLCC", "mae": "MAE"}


@dataclass(frozen=True)
class Setup:
    """Everything that all variants share; a run under another setup is another run."""

    n_train: int = 60
    n_test: int = 200
    strength_sd: float = 1.0
    shared: float = 0.5
    pool_opponents: int = 8
    steps: int = 80
    batch_size: int = 32
    learning_rate: float = 1e-3
    trial_steps: int = 3
    n_answers: int = 8
    vision_steps: int = 250
    answer_steps: int = 200
    n_draws: int = 200

    @property
    def digest(self) -> str:
        """Short hash of the setup and of what is fixed above."""
        known = [asdict(self), ANCHOR_SD, PROPERTY, DISTRACTOR]
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]


QUICK = Setup(
    n_train=16,
    n_test=16,
    steps=2,
    batch_size=8,
    trial_steps=1,
    n_answers=2,
    vision_steps=5,
    answer_steps=60,
    n_draws=20,
)


class World:
    """Pictures with a known truth, a judge, and a base model, all of one seed."""

    def __init__(self, folder: Path, setup: Setup, seed: int) -> None:
        from scipy.special import ndtri

        from ppaint_distill.pictures import write_images
        from ppaint_distill.simulated import SimulatedJudge

        self.folder, self.setup, self.seed = folder, setup, seed
        self.judge = SimulatedJudge(shared=setup.shared)
        sizes = {"pool": max(variant.n_pool for variant in VARIANTS), "train": setup.n_train, "test": setup.n_test}
        rows = []
        for k, (name, n) in enumerate(sizes.items()):
            truth = write_images(folder / name, n, random_seed=1000 * seed + k, prefix=name)
            quantile = (truth[PROPERTY].rank() - 0.5) / n
            strength = setup.strength_sd * ndtri(quantile)
            score = SCALE[0] + (SCALE[1] - SCALE[0]) * quantile
            rows.append(pd.DataFrame({"set": name, "item": truth["item"], "strength": strength, "score": score}))
        self.truth = pd.concat(rows, ignore_index=True)
        self.strength = dict(zip(self.truth["item"], self.truth["strength"], strict=True))
        rng = np.random.default_rng([seed, 1])
        self.anchor_error = dict(zip(self.truth["item"], ANCHOR_SD * rng.standard_normal(len(self.truth)), strict=True))

    @cached_property
    def base(self) -> Any:
        """A model whose scores are drawn aside."""
        from ppaint_distill import tiny_world

        steps = {"vision_steps": self.setup.vision_steps, "steps": self.setup.answer_steps}
        lessons = {"N_PICTURES": 200, "N_PAIRS": 1} if self.setup is QUICK else {"N_PICTURES": tiny_world.N_PICTURES}
        with mock.patch.multiple(tiny_world, **lessons):
            return tiny_world.pretrain_tiny(PROPERTY, distractor=DISTRACTOR, random_seed=self.seed, **steps)

    @cached_property
    def own_scores(self) -> pd.DataFrame:
        """The base's own scores of the pictures to train on and to test with."""
        from ppaint_distill.scorer import Scorer

        scorer = Scorer(self.base, self.config.prompt, self.config.score)
        parts = [scorer.score(self.folder / name, progressbar=False) for name in ("train", "test")]
        return pd.concat(parts, ignore_index=True)

    @property
    def config(self) -> Any:
        """Settings of the reference."""
        from ppaint_distill.config import Config, GRPOConfig, TrainConfig
        from ppaint_distill.pictures import make_prompt_config

        train = TrainConfig(
            max_steps=self.setup.steps, batch_size=self.setup.batch_size, learning_rate=self.setup.learning_rate,
            warmup_steps=10, lora=False, validation_fraction=0.0, keep_best=False, evaluate_every=0, save_every=0,
            random_seed=self.seed,
        )  # fmt: skip
        written = GRPOConfig(n_answers=self.setup.n_answers, max_new_tokens=24)
        return Config(prompt=make_prompt_config(PROPERTY), train=train, grpo=written)

    def items(self, name: str) -> list[str]:
        """Pictures of one set."""
        return self.truth.loc[self.truth["set"] == name, "item"].tolist()

    def make_labels(self, variant: Variant) -> Any:
        """Targets of the pictures to train on."""
        from ppaint_distill.evaluate import majority_vote
        from ppaint_distill.pool import choose_anchors, choose_opponents, fit_pool
        from ppaint_distill.pseudo import score_against_pool
        from ppaint_distill.targets import Targets

        heads = {"category": "all", "dimension": PROPERTY}
        train = self.items("train")
        if variant.labels == "pointwise":
            own = self.own_scores[self.own_scores["item"].isin(train)]
            return Targets(own.assign(category="all", sd=0.0), SCALE)
        names = np.array(self.items("pool")[: variant.n_pool])
        first, second = np.triu_indices(len(names), 1)
        rng = np.random.default_rng([self.seed, 2])
        n_pairs = min(len(first), len(names) * self.setup.pool_opponents // 2)
        chosen = rng.choice(len(first), n_pairs, replace=False)
        pairs = pd.DataFrame({"a": names[first[chosen]], "b": names[second[chosen]]})
        within = self.judge.compare(pairs, self.strength, **heads, random_seed=[self.seed, 3])
        pool = fit_pool(within, n_draws=self.setup.n_draws, random_seed=self.seed, progressbar=False)
        met = choose_opponents(train, pool, n_comparisons=variant.n_comparisons, random_seed=self.seed)
        answers = self.judge.compare(met, self.strength, **heads, random_seed=[self.seed, 4])
        if variant.labels == "votes":
            shares = majority_vote(answers, scale=SCALE)
            return Targets(shares[shares["item"].isin(train)].assign(sd=0.0), SCALE)
        anchors = choose_anchors(pool, n_anchors=variant.n_anchors)[["item"]]
        known = self.truth.set_index("item")["score"]
        noisy = [float(np.clip(known[item] + self.anchor_error[item], *SCALE)) for item in anchors["item"]]
        scored = score_against_pool(
            answers, pool, anchors=anchors.assign(score=noisy), scale=SCALE, random_seed=self.seed, progressbar=False
        )
        return scored.targets()

    def train(self, variant: Variant, labels: Any, *, steps: int | None = None) -> tuple[Any, float]:
        """A trained run, and the processor time of its steps."""
        from ppaint_distill.trainer import train

        hard = "hard" if variant.labels != "pseudo-scores" else "soft"
        changes = {"confidence": variant.confidence, "objective": variant.objective, "preferences": hard}
        if variant.objective == "grpo":
            changes["warmup_steps"] = 2
        settings = replace(self.config.train, **changes, **({} if steps is None else {"max_steps": steps}))
        out = self.folder / "runs" / f"{variant.name}-{settings.max_steps}".replace(" ", "-").replace(",", "")
        config, base = replace(self.config, train=settings), self.base  # taught before the clock runs
        with count_time() as records:
            run = train(config, labels, self.folder / "train", out, model=base, progressbar=False)
        return run, float(records[-1]["spent"])

    def measure(self, scores: pd.DataFrame, name: str) -> dict[str, float]:
        """Correlations and error on one set of pictures."""
        from ppaint_distill.evaluate import evaluate_scores

        truth = self.truth[self.truth["set"] == name].assign(dimension=PROPERTY)[["item", "dimension", "score"]]
        table = evaluate_scores({"m": scores}, truth, n_boot=0).tables["scores"]
        return {statistic: float(table[statistic].iloc[0]) for statistic in STATISTICS}


def run_variant(world: World, variant: Variant, *, reference_cpu: float | None) -> dict[str, Any]:
    """One run as plain values."""
    start = time.process_time()
    labels, steps = world.make_labels(variant), None
    if variant.objective == "grpo":
        # As many steps as fit into the time of the reference; a first trial says how long one takes.
        trial = world.setup.trial_steps
        _, spent = world.train(variant, labels, steps=trial)
        steps = max(2, round((reference_cpu or 0.0) / spent * trial))
        steps += steps == trial  # a folder of its own
    run, spent = world.train(variant, labels, steps=steps)
    scores = run.scorer().score(world.folder / "test", progressbar=False)
    return {
        "setup": world.setup.digest,
        "seed": world.seed,
        "variant": variant.name,
        "steps": run.steps,
        "cpu": round(spent, 2),
        "cpu_all": round(time.process_time() - start, 2),
        **{f"test_{name}": value for name, value in world.measure(scores, "test").items()},
        **{f"label_{name}": value for name, value in world.measure(labels.frame, "train").items()},
        **{f"base_{name}": value for name, value in world.measure(world.own_scores, "test").items()},
    }


def read_runs(path: Path, digest: str) -> list[dict[str, Any]]:
    """Runs of the file; those of another setup are refused, since a table must not mix them."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if any(row["setup"] != digest for row in rows):
        raise SystemExit(f"{path} holds runs of another setup: --fresh begins anew")
    return rows


def make_runs(
    path: Path, setup: Setup, seeds: range, variants: tuple[Variant, ...] = VARIANTS
) -> Iterator[dict[str, Any]]:
    """Make the runs that the file does not hold yet."""
    from ppaint_distill.demo import use_one_thread

    for seed in seeds:
        done = {row["variant"]: row for row in read_runs(path, setup.digest) if row["seed"] == seed}
        missing = [variant for variant in variants if variant.name not in done]
        if not missing:
            continue
        with TemporaryDirectory() as temporary, use_one_thread():
            world = World(Path(temporary), setup, seed)
            for variant in missing:
                known = done.get(REFERENCE.name)
                row = run_variant(world, variant, reference_cpu=None if known is None else known["cpu"])
                done[variant.name] = row
                yield row


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a variant: means, and paired differences to the reference, with intervals over seeds."""
    rows = []
    for variant in VARIANTS:
        own = runs[runs["variant"] == variant.name].set_index("seed")
        if own.empty:
            continue
        reference = runs[runs["variant"] == REFERENCE.name].set_index("seed").loc[own.index]
        row: dict[str, object] = {"variant": variant.name, "SRCC of labels": own["label_srcc"].mean()}
        for name in ("srcc", "plcc"):
            interval = mean_interval(own[f"test_{name}"], prob=0.95)
            row[STATISTICS[name]] = describe(interval)
            if variant.name == REFERENCE.name:
                row[f"{STATISTICS[name]} - reference"] = ""
                continue
            gap = mean_interval(own[f"test_{name}"] - reference[f"test_{name}"], prob=0.95)
            row[f"{STATISTICS[name]} - reference"] = describe(gap, signed=True)
        row["MAE"] = own["test_mae"].mean()
        for name in ("srcc", "plcc"):
            reported = variant.paper.get(name)
            row[f"paper reports, {STATISTICS[name]}"] = "" if reported is None else f"{reported:.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def describe(interval: dict[str, float], *, signed: bool = False) -> str:
    """Mean with its interval as text."""
    form = "+.3f" if signed else ".3f"
    return f"{interval['mean']:{form}} ({interval['lower']:{form}}, {interval['upper']:{form}})"


def main() -> None:
    args = read_arguments(
        __doc__,
        seeds={"type": int, "default": 4},
        fresh={"action": "store_true", "help": "start over: drop the runs at hand"},
        report={"action": "store_true", "help": "summarise the runs at hand, make no new ones"},
    )
    setup, seeds, variants = Setup(), range(1, args.seeds + 1), VARIANTS
    if args.quick:
        setup, seeds, variants = QUICK, range(1, 2), QUICK_VARIANTS
    path = args.out / "distill_ablations_runs.jsonl"
    if args.fresh:
        path.unlink(missing_ok=True)
    if not args.report:
        read_runs(path, setup.digest)
        with path.open("a") as file:
            for row in make_runs(path, setup, seeds, variants):
                file.write(json.dumps(row) + "\n")
                file.flush()
    runs = pd.DataFrame(read_runs(path, setup.digest))
    base = mean_interval(runs.drop_duplicates("seed")["base_srcc"], prob=0.95)
    note = (
        f"Simulated: generated pictures, a simulated judge, a tiny model as the student. On {setup.n_test} pictures "
        f"that nothing was trained on or chosen by; means over {runs['seed'].nunique()} seeds with 95 % t intervals "
        "over seeds; differences are paired by seed. Reference: pseudo-scores, confidence, "
        f"{REFERENCE.n_anchors} anchors, a pool of {REFERENCE.n_pool}, {REFERENCE.n_comparisons} comparisons of each "
        f"picture in both orders, expected score, {setup.steps} steps, {setup.n_train} pictures to train on. Judge: "
        f"Davidson's model, strengths with sd {setup.strength_sd:g}, a share of {setup.shared:g} of the noise common "
        f"to both orders. Anchors err with sd {ANCHOR_SD:g}. SRCC of the base's own scores: {describe(base)}. The "
        "columns 'paper reports' are the paper's statements about its own experiment on paintings; nothing of them "
        "was measured here."
    )
    columns = ["variant", "seed", "steps", "cpu", "cpu_all", "label_srcc", "test_srcc", "test_plcc", "test_mae"]
    tables = {"summary": summarise(runs), "runs": runs.sort_values(["seed"], kind="stable")[columns]}
    write_results(args.out, "distill_ablations", tables, note=note)


if __name__ == "__main__":
    main()
