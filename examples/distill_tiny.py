"""Without a single label: a model's own comparisons become its single-pass scores, on generated pictures.

A tiny vision-language model is taught here to compare pictures well and to score them badly. It stands in for a
pretrained model; nothing here is about a real one. It then compares pictures of a pool with each other, and further
pictures with the pool; what these comparisons imply becomes the target of its scores.

    python examples/distill_tiny.py --out distill-tiny

takes three to five minutes on one core; --quick is a trial of half a minute, whose numbers mean nothing. Run again with
the same --out, it takes what is finished from there: no question is asked twice.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ppaint_distill.chain import distill, judge_against_pool
from ppaint_distill.config import Config, JudgeConfig, PoolConfig, PseudoConfig, TrainConfig
from ppaint_distill.evaluate import evaluate_scores
from ppaint_distill.pictures import make_prompt_config, write_images
from ppaint_distill.scorer import Scorer
from ppaint_distill.tiny_world import pretrain_tiny

PROPERTY, DISTRACTOR = "coverage", "brightness"  # what is asked, and what draws the untrained scores aside
CONFIG = Config(
    prompt=make_prompt_config(PROPERTY),
    judge=JudgeConfig(mode="probabilities", batch_size=64),
    pool=PoolConfig(n_opponents=12),
    pseudo=PseudoConfig(n_comparisons=10),
    train=TrainConfig(150, learning_rate=1e-3, warmup_steps=10, lora=False, evaluate_every=30, save_every=30),
)
SIZES = {"pool": 60, "train": 240, "test": 200}


def main() -> None:
    """Draw pictures, teach the stand-in, distill it, and score pictures that nothing was trained on."""
    parser = argparse.ArgumentParser(description="Distill a tiny model's comparisons into its scores, without labels.")
    parser.add_argument("--out", default="distill-tiny", help="folder for pictures, answers, targets and scorer")
    parser.add_argument("--seed", type=int, default=1, help="seed of pictures and model")
    parser.add_argument("--quick", action="store_true", help="a trial, whose numbers mean nothing")
    args = parser.parse_args()
    out, config, sizes, lessons = Path(args.out), CONFIG, SIZES, {}
    if args.quick:
        config = replace(
            CONFIG,
            pool=PoolConfig(n_opponents=4),
            pseudo=PseudoConfig(n_comparisons=4),
            train=replace(CONFIG.train, max_steps=4, evaluate_every=0),
        )
        sizes, lessons = {"pool": 12, "train": 24, "test": 24}, {"vision_steps": 5, "steps": 5}

    pictures = {
        name: write_images(out / name, n, random_seed=10 * args.seed + place, prefix=name)
        for place, (name, n) in enumerate(sizes.items())
    }
    model = pretrain_tiny(PROPERTY, distractor=DISTRACTOR, random_seed=args.seed, progressbar=True, **lessons)
    chain = distill(model, out / "pool", out / "train", out / "chain", config=config)
    about = chain.pool.parameters.iloc[0]
    print(f"{chain.pool}: the picture shown first gains {about['order_effect']:+.2f} on the scale of strengths, and")
    print(f"both orders of a pair got the same answer in {about['same_answer']:.0%} of pairs")
    print(chain.pseudo, chain.training, sep="\n")

    answers = out / "test-answers.jsonl"
    judged = judge_against_pool(model, out / "pool", out / "test", chain, answers=answers, config=config)
    scores = {
        "base, one pass": Scorer(model, config.prompt).score(out / "test"),
        "base, comparisons": judged.scores,
        "distilled, one pass": chain.training.scorer().score(out / "test"),
    }
    truth = pictures["test"][["item", PROPERTY]].rename(columns={PROPERTY: "score"}).assign(dimension=PROPERTY)
    truth["score"] = 1 + 4 * truth["score"].rank(pct=True)
    report = evaluate_scores(scores, truth, baseline="base, one pass", ceiling="base, comparisons")
    report.to_html(out / "evaluation.html")
    table = report.tables["scores"][["model", "srcc", "srcc_lower", "srcc_upper"]]
    with pd.option_context("display.width", 120):
        print(f"\nRank correlation with {PROPERTY} on {sizes['test']} pictures that nothing was trained on:")
        print(table.round(3).to_string(index=False))
    print(f"\n{out / 'evaluation.html'}; the scorer: {chain.training.folder}")


if __name__ == "__main__":
    main()
