"""Steps of training a second on a GPU by a model of Qwen3-VL-8B's shapes: both objectives, and a naive loop.

Adapters are trained in the language model, with the settings that a GPU gets unless told. Weights are random, since
speed does not depend on them. What random weights write can be neither read nor ended: answers are as long as a real
one is estimated to be, and each is given a made-up score, so that a step does all of its work.

The naive loop samples the same answers one at a time, and takes the gradient of one at a time; a few of them are timed,
and their time is multiplied. Without a GPU nothing is measured, and the exit status is 0.
"""

import zlib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from common import read_arguments, write_results
from gpu_common import (
    NO_GPU,
    PROMPT,
    build_model,
    choose_device,
    count_answer_tokens,
    count_operations,
    describe_model,
    make_settings,
    measure_peak,
    peak_memory,
    reset_memory,
    time_call,
    write_pictures,
)

from ppaint_distill.config import Config, GRPOConfig, TrainConfig
from ppaint_distill.models import LoadedModel, add_adapters, encode, generate
from ppaint_distill.prompts import pointwise_prompt
from ppaint_distill.targets import Targets

BATCH = {"8b": 32, "tiny": 4}
N_ANSWERS = {"8b": 8, "tiny": 2}
N_NAIVE = 4
"""Answers of the naive loop that are timed."""

N_STEPS = {"8b": 4, "tiny": 2}
"""Steps of a run; the first is not counted."""


def make_targets(n: int) -> Targets:
    """Scores that mean nothing."""
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame(
            {"item": [f"p{place:05d}" for place in range(n)], "dimension": name, "score": rng.uniform(1, 5, n)}
        )
        for name in PROMPT.dimensions
    ]
    return Targets(pd.concat(parts).assign(category="c", sd=0.3), (1, 5))


def make_training(shapes: str, objective: str, *, steps: int) -> Config:
    """Settings of a run that keeps nothing."""
    train = TrainConfig(
        objective=objective, max_steps=steps, batch_size=BATCH[shapes], warmup_steps=1, validation_fraction=0.0,
        evaluate_every=0, save_every=0, keep_best=False, lora_rank=16,
    )  # fmt: skip
    tokens = count_answer_tokens(pointwise_prompt(PROMPT))
    written = GRPOConfig(n_answers=N_ANSWERS[shapes], max_new_tokens=tokens)
    return replace(make_settings(shapes), train=train, grpo=written)


def make_up(row: int, text: str, config: Any) -> Any:
    """Give an answer of random weights a score, by its text."""
    from ppaint_distill.trainer.rollouts import Answer

    low, high = config.scale
    share = zlib.crc32(text.encode()) / 2**32
    return Answer(row, (low + share * (high - low),) * len(config.dimensions))


def measure(
    loaded: LoadedModel, folder: Path, out: Path, shapes: str, objective: str, *, peak: float
) -> dict[str, Any]:
    """Train a few steps by one objective."""
    from ppaint_distill.trainer import train

    targets = make_targets(len(list(folder.iterdir())))

    def run(steps: int) -> Any:
        config = make_training(shapes, objective, steps=steps)
        with mock.patch("ppaint_distill.trainer.rollouts.read_answer", make_up):
            return train(config, targets, folder, out / f"{objective}-{steps}", model=loaded, progressbar=False)

    work = count_operations(lambda: run(1))
    before = reset_memory(loaded.device)
    metrics = run(N_STEPS[shapes]).metrics
    seconds = float(metrics["seconds"].iloc[1:].mean())
    return {
        "steps/s": 1 / seconds,
        "seconds a step": seconds,
        "GB beside a copy of the weights": (peak_memory(loaded.device) - before) / 1e9,
        "TFLOP a step": work / 1e12,
        "share of peak": work / seconds / peak,
    }


def measure_naive(loaded: LoadedModel, folder: Path, shapes: str) -> dict[str, Any]:
    """Sample and learn from one answer at a time; the seconds of a step are those of its answers."""
    from ppaint_distill.images import load_image

    prompt, config = pointwise_prompt(PROMPT), make_training(shapes, "grpo", steps=1)
    model = add_adapters(loaded.model, config.train)
    model.train()
    student = replace(loaded, model=model)
    image = load_image(min(folder.iterdir()))

    def learn(seed: int) -> None:
        (text,) = generate(
            student, prompt, [[image]], max_new_tokens=config.grpo.max_new_tokens, temperature=1.0, random_seed=seed
        )
        batch = encode(student, prompt, [[image]], answers=[text])
        written = torch.arange(-config.grpo.max_new_tokens - 1, 0, device=loaded.device) + batch["input_ids"].shape[1]
        with torch.autocast(loaded.device.type, dtype=torch.bfloat16, enabled=loaded.dtype == torch.bfloat16):
            logits = model(**batch, logits_to_keep=written, use_cache=False).logits
        logits.float().log_softmax(-1)[..., 0].mean().backward()

    learn(0)
    seconds = time_call(lambda: [learn(seed) for seed in range(N_NAIVE)], loaded.device) / N_NAIVE
    seconds *= BATCH[shapes] * N_ANSWERS[shapes]
    model.unload()
    return {"steps/s": 1 / seconds, "seconds a step": seconds}


def run(shapes: str, device: torch.device) -> tuple[pd.DataFrame, str]:
    """Measure both objectives and the naive loop; return the table, and what it rests on."""
    loaded, peak = build_model(shapes, device), measure_peak(device)
    rows = []
    with TemporaryDirectory() as temporary:
        folder = write_pictures(Path(temporary) / "pictures", BATCH[shapes], shapes)
        for objective, way in (("expected", "expected score"), ("grpo", "written answers (GRPO)")):
            found = measure(loaded, folder, Path(temporary) / "runs", shapes, objective, peak=peak)
            rows.append({"way": way} | found)
        rows.append({"way": "written answers, one at a time (naive)"} | measure_naive(loaded, folder, shapes))
    table = pd.DataFrame(rows)
    table["times the naive loop"] = table["steps/s"] / table["steps/s"].iloc[-1]
    tokens = count_answer_tokens(pointwise_prompt(PROMPT))
    note = (
        f"{describe_model(loaded, shapes)}, adapters of rank 16. A step: {BATCH[shapes]} images, {N_ANSWERS[shapes]} "
        f"written answers to each, of {tokens} tokens; the expected score reads each image once. The naive loop is "
        f"{N_NAIVE} answers, multiplied. Measured peak of matrix products: {peak / 1e12:.3g} TFLOP/s. Scores of "
        "written answers are made up, since random weights write none."
    )
    return table, note


def main() -> None:
    args = read_arguments(__doc__, shapes={"choices": ["8b", "tiny"], "default": "8b"})
    device = choose_device(args.shapes)
    if device is None:
        print(NO_GPU)
        return
    table, note = run(args.shapes, device)
    write_results(args.out, "gpu_training", {"ways": table}, note=note)


if __name__ == "__main__":
    main()
