"""Qwen3-VL-8B distilled into a scorer of your images on one GPU, without labels; ten scores by hand set the scale.

    python examples/distill_qwen3vl.py --dry-run
    accelerate launch --num_processes 1 examples/distill_qwen3vl.py --pool pool/ --images train/ --out paintings

Nothing below was measured. --dry-run derives it from the model's shapes (`ppaint_distill.estimate` says how), for
150 images in the pool, 1,000 to train on, and 400 TFLOP/s: 40 % of what the data sheet of an H100 says.

    stage                                         hours    memory, GB (leave 3 more for the rest)
    compare within the pool, 3,000 questions       0.2     19.3
    compare with the pool, 40,000 questions        3.2     19.3
    train 500 steps of 32 images                   0.4     20.9 (19.3 with micro batches of 4)
    score 1,000 images                             0.01    19.5

An A100 sustains about a third of that, an RTX 4090 a sixth. A question is one pass in each of five dimensions. Written
answers with reasoning (mode="generate") need one, and then up to 512 steps, each of which reads all parameters.
Images are resized to 512 tokens; the model's own limit is 16,384 tokens, thirty times the work.
"""

import argparse
from pathlib import Path

import pandas as pd

from ppaint_distill.config import Config, JudgeConfig, ModelConfig, PromptConfig, TrainConfig
from ppaint_distill.prompts import pairwise_prompt, pointwise_prompt

CONFIG = Config(
    prompt=PromptConfig(think=False),  # technique, coloration, composition, mood, overall; from 1 to 5
    model=ModelConfig(name="Qwen/Qwen3-VL-8B-Instruct", max_pixels=512 * 32 * 32),
    judge=JudgeConfig(mode="probabilities", batch_size=8),
    train=TrainConfig(max_steps=500, batch_size=32, micro_batch_size=8, gradient_checkpointing=True),
)


def rehearse(name: str, teraflops: float) -> None:
    """Build the model on the meta device, attach adapters, check the prompts, and count."""
    from ppaint_distill.adapters import add_adapters
    from ppaint_distill.estimate import build_empty, estimate_run
    from ppaint_distill.processor import load_processor
    from ppaint_distill.reading import SlotReader
    from ppaint_distill.tiny import make_tiny

    model = build_empty()
    n_all = sum(parameter.numel() for parameter in model.parameters())
    adapted = add_adapters(model, CONFIG.train)
    trained = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    size = sum(parameter.numel() * parameter.element_size() for parameter in adapted.parameters())
    n_trained = sum(parameter.numel() for parameter in trained)
    print(f"{n_all:,} parameters, and {n_trained:,} in {len(trained)} adapter matrices of {trained[0].dtype}")
    print(f"{size:,} bytes of parameters; on {next(adapted.parameters()).device}: nothing was loaded\n")

    prompts = {"pointwise": pointwise_prompt(CONFIG.prompt), "pairwise": pairwise_prompt(CONFIG.prompt)}
    own = Path(name).is_dir()
    tokenizer = (load_processor(name) if own else make_tiny(prompts=[*prompts.values()]).processor).tokenizer
    print(f"tokenizer: {name if own else 'a small one with the same rules; --model FOLDER checks that of the model'}")
    for kind, prompt in prompts.items():
        SlotReader(tokenizer, prompt)  # refuses values whose probabilities cannot be read
        print(f"{kind} prompt {prompt.hash}: values {', '.join(prompt.values)} can be read")
    print()
    table = estimate_run(adapted, CONFIG, n_pool=150, n_images=1000, teraflops=teraflops)
    print(table.round({"petaflop": 0, "hours": 2, "memory_gb": 1}).to_string(index=False))


def main() -> None:
    """Rehearse, or judge, train, and say where the scorer is."""
    parser = argparse.ArgumentParser(description="Distill Qwen3-VL-8B into a scorer of your images.")
    parser.add_argument("--pool", help="folder of the reference pool: 50 to 200 images, none of them to train on")
    parser.add_argument("--images", help="folder of the images to train on")
    parser.add_argument("--anchors", help="CSV of pool images with known scores: item, score, perhaps dimension")
    parser.add_argument("--out", default="distill-qwen3vl", help="folder for everything that is written")
    parser.add_argument("--model", default=CONFIG.model.name, help="hub name, or a folder with the model")
    parser.add_argument("--dry-run", action="store_true", help="build everything without memory, check, and count")
    parser.add_argument("--teraflops", type=float, default=400, help="what the GPU sustains, for the dry run")
    args = parser.parse_args()
    if args.dry_run:
        return rehearse(args.model, args.teraflops)
    if not (args.pool and args.images):
        parser.error("--pool and --images are needed, or --dry-run")

    from dataclasses import replace

    from ppaint_distill.chain import distill
    from ppaint_distill.models import load_model

    config = replace(CONFIG, model=replace(CONFIG.model, name=args.model))
    anchors = pd.read_csv(args.anchors, dtype={"item": str}) if args.anchors else None
    chain = distill(load_model(config.model), args.pool, args.images, args.out, config=config, anchors=anchors)
    print(chain.pool.parameters.round(3).to_string(index=False), chain.pseudo, chain.training, sep="\n")
    print(f"ppaint-distill score --model {chain.training.folder} --images FOLDER --out scores.csv")
    return None


if __name__ == "__main__":
    main()
