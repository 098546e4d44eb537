"""A world for training on written answers: pictures, targets, and a tiny model that has learned to write answers."""

from pathlib import Path

import numpy as np
import pandas as pd

from ppaint_distill import tiny_world
from ppaint_distill.config import Config, GRPOConfig, ModelConfig, TrainConfig
from ppaint_distill.models import LoadedModel, load_model, save_model
from ppaint_distill.targets import Targets, read_targets, write_targets
from ppaint_distill.trainer import TrainResult, train

PROMPT = tiny_world.make_prompt_config("brightness")
WHOLE = TrainConfig(
    objective="grpo",
    max_steps=6,
    batch_size=6,
    learning_rate=1e-3,
    warmup_steps=2,
    evaluate_every=2,
    save_every=2,
    validation_fraction=0.3,
    lora=False,
    augment=("flip-horizontal",),
)
WRITTEN = GRPOConfig(n_answers=4, max_new_tokens=16)
N = 24


def make_world(folder: Path) -> Path:
    """Write pictures, targets with joint draws, and a model that writes mostly readable answers."""
    pictures, truth = tiny_world.draw_images(N, random_seed=3)
    (folder / "images").mkdir()
    for picture, item in zip(pictures, truth["item"], strict=True):
        picture.save(folder / "images" / f"{item}.png")
    score = (1 + 4 * (truth["brightness"].rank() - 1) / (N - 1)).to_numpy()
    frame = pd.DataFrame({"category": "c", "dimension": "brightness", "item": truth["item"], "score": score, "sd": 0.3})
    draws = score + 0.3 * np.random.default_rng(0).standard_normal((20, N))
    write_targets(Targets(frame, (1, 5), {("c", "brightness"): draws}), folder / "targets.parquet")
    before = tiny_world.N_PICTURES, tiny_world.N_PAIRS
    tiny_world.N_PICTURES, tiny_world.N_PAIRS = 100, 1  # seconds of lessons rather than a minute
    try:
        taught = tiny_world.pretrain_tiny("brightness", vision_steps=2, steps=70, distracted=None)
    finally:
        tiny_world.N_PICTURES, tiny_world.N_PAIRS = before
    save_model(taught, folder / "base")
    return folder


def load_base(folder: Path) -> LoadedModel:
    return load_model(ModelConfig(name=str(folder / "base"), device="cpu"))


def run(
    folder: Path, out: Path, settings: TrainConfig = WHOLE, written: GRPOConfig = WRITTEN, **options: object
) -> TrainResult:
    config = Config(
        prompt=PROMPT, model=ModelConfig(name=str(folder / "base"), device="cpu"), train=settings, grpo=written
    )
    targets = read_targets(folder / "targets.parquet")
    return train(config, targets, folder / "images", out, **{"progressbar": False, **options})
