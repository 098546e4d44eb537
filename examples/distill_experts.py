"""Train a scorer on what people said: how complex are these pixel patterns? Then score patterns that it never saw.

80 people, each of one of four groups, rated 216 patterns. Their ratings become a score with an sd for each pattern, the
scores become targets, and a tiny vision-language model, whole and untaught, is trained on them: a minute of one core.
Patterns of one rule are alike, so they are all trained on, all watched or all held out, and their ratings with them.

The files come from the repository named below (rater, item, dimension, rating, is_repeated; item, rule, bits by row).

    python examples/distill_experts.py --data FOLDER --fold 0 --out distill-experts
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import ppaint_stats as ps
from ppaint_distill.batches import AUGMENTATIONS
from ppaint_distill.config import Config, ModelConfig, PromptConfig, TrainConfig
from ppaint_distill.evaluate import evaluate_scores
from ppaint_distill.prompts import pointwise_prompt
from ppaint_distill.scorer import Scorer
from ppaint_distill.targets import read_targets
from ppaint_distill.tiny import make_tiny
from ppaint_distill.trainer import TrainResult, train

REPOSITORY = "surabhisnath/Relating_ObjectiveComplexity_SubjectiveComplexity_Beauty_BinaryPixelPatterns"
FILES = ("pixelpattern_complexity_ratings.csv", "pixelpattern_images.csv")
CELL = 4  # pixels: a patch of the model's vision tower is 16, and so holds 4 x 4 whole cells
CONFIG = Config(
    prompt=PromptConfig(("complexity",), {"complexity": "how complex it is"}, "pattern", think=False, scale=(0, 100)),
    model=ModelConfig(name="tiny", device="cpu"),
    train=TrainConfig(400, learning_rate=1e-3, lora=False, augment=AUGMENTATIONS, evaluate_every=50, patience=4),
)


def read_data(folder: Path) -> tuple[ps.Study, pd.DataFrame]:
    """Read ratings, some of which a person gave twice, and patterns."""
    ratings = pd.read_csv(folder / FILES[0], dtype={"item": str}).drop(columns="is_repeated")
    ratings["trial"] = ratings.groupby(["rater", "item"]).cumcount()
    return ps.read_study(ratings=ratings, scale=(0, 100, 1)), pd.read_csv(folder / FILES[1], dtype=str)


def draw_patterns(patterns: pd.DataFrame, folder: Path) -> dict[str, Path]:
    """Draw each pattern as a PNG, with a strip of grey that fills the last patches; a flip then moves cells too."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {item: folder / f"{item}.png" for item in patterns["item"]}
    for file, bits in zip(files.values(), patterns["bits"], strict=True):
        cells = np.array(list(bits)).reshape(15, 15)
        light = np.pad(np.where(cells == "1", 0, 255).astype(np.uint8), (0, 1), constant_values=128)
        Image.fromarray(light.repeat(CELL, axis=0).repeat(CELL, axis=1)).save(file)
    return files


def split_rules(rules: pd.Series, n_parts: int) -> np.ndarray:
    """Give whole rules to parts of about the same size, the largest rules first: number of each pattern's part."""
    sizes, part_of = np.zeros(n_parts, dtype=int), {}
    for rule, size in rules.value_counts(sort=False).sort_values(ascending=False, kind="stable").items():
        part_of[rule] = int(sizes.argmin())
        sizes[part_of[rule]] += size
    return rules.map(part_of).to_numpy()


def train_scorer(study: ps.Study, patterns: pd.DataFrame, folder: Path, config: Config = CONFIG) -> TrainResult:
    """Fuse the ratings of these patterns, and train on six in seven of them; the seventh says when to stop."""
    fusion = ps.fuse_davidson(study.select(items=patterns["item"]), protocols="ratings")
    targets = read_targets(fusion.to_targets(folder / "targets.parquet"))
    watched = patterns["item"][split_rules(patterns["rule"], 7) == 6]
    model = make_tiny(random_seed=config.train.random_seed, prompts=[pointwise_prompt(config.prompt)])
    images = draw_patterns(patterns, folder / "images")
    return train(config, targets, images, folder / "run", model=model, validation=watched)


def main() -> None:
    """Read, hold out a fifth of the rules' patterns, train on the others, and score those held out."""
    parser = argparse.ArgumentParser(description="Train a scorer on human ratings of the complexity of pixel patterns.")
    parser.add_argument("--data", default=os.environ.get("PPAINT_DATA"), help="folder of the files ($PPAINT_DATA)")
    parser.add_argument("--fold", type=int, default=0, choices=range(5), help="fifth of the patterns to hold out")
    parser.add_argument("--out", type=Path, default=Path("distill-experts"), help="folder to write")
    args = parser.parse_args()
    if args.data is None or not all((Path(args.data) / name).is_file() for name in FILES):
        sys.exit(f"--data or $PPAINT_DATA must name a folder with {' and '.join(FILES)}, of github.com/{REPOSITORY}")
    study, patterns = read_data(Path(args.data))
    held_out = patterns[split_rules(patterns["rule"], 5) == args.fold]
    print(train_scorer(study, patterns.drop(held_out.index), args.out))
    images = draw_patterns(held_out, args.out / "held_out")
    scores = Scorer.from_pretrained(args.out / "run").score(list(images.values()))
    known = ps.fuse_davidson(study, protocols="ratings").scores
    report = evaluate_scores({"scorer": scores}, known[known["item"].isin(images)])
    print(f"\n{report.text}\n\nWritten: {args.out / 'run'}")


if __name__ == "__main__":
    main()
