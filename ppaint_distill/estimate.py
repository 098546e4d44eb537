"""What a run on a large model takes, by arithmetic from the model's shapes: nothing is downloaded, nothing is run."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from torch import nn

from ppaint_distill.config import MAX_PIXELS, Config
from ppaint_distill.prompts import pairwise_prompt, pointwise_prompt
from ppaint_distill.trainer.settings import fit_device

__all__ = ["QWEN3_VL_8B", "build_empty", "count_tokens", "estimate_run"]

QWEN3_VL_8B: Mapping[str, Any] = {
    "text_config": {
        "vocab_size": 151936,
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 262144,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5e6,
            "mrope_section": [24, 20, 20],
            "mrope_interleaved": True,
        },
    },
    "vision_config": {
        "depth": 27,
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_heads": 16,
        "patch_size": 16,
        "out_hidden_size": 4096,
        "num_position_embeddings": 2304,
        "deepstack_visual_indexes": [8, 16, 24],
    },
    "tie_word_embeddings": False,
}
"""Shapes of Qwen3-VL-8B: 8,767,123,696 parameters, 576,388,336 of them in the vision tower."""

CHARACTERS = 4
"""Of English text in a token: few, so that tokens are rather overestimated."""


def build_empty(shapes: Mapping[str, Any] = QWEN3_VL_8B) -> nn.Module:
    """Build a Qwen3-VL without memory for its parameters, on the meta device, in bfloat16.

    Parameters
    ----------
    shapes
        Settings of `transformers.Qwen3VLConfig`.

    Returns
    -------
    torch.nn.Module
        The model: every module and every shape, no value.
    """
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    with torch.device("meta"):
        model: nn.Module = Qwen3VLForConditionalGeneration(Qwen3VLConfig(**shapes))
    return model.to(torch.bfloat16)


def count_tokens(config: Config, *, kind: str, patch: int = 32) -> int:
    """Estimate the tokens of a question with its images and the form of the answer.

    Parameters
    ----------
    config
        Prompt, and ``model.max_pixels``: images are taken to be that large.
    kind
        ``pointwise`` or ``pairwise``.
    patch
        Side of the square of pixels behind one image token.

    Returns
    -------
    int
        Tokens.
    """
    prompt = pointwise_prompt(config.prompt) if kind == "pointwise" else pairwise_prompt(config.prompt)
    image = (config.model.max_pixels or MAX_PIXELS) // patch**2
    text = sum(len(part or "") for part in prompt.parts) + sum(map(len, prompt.answer_parts()))
    return prompt.n_images * image + math.ceil(text / CHARACTERS)


def estimate_run(model: Any, config: Config, *, n_pool: int, n_images: int, teraflops: float) -> pd.DataFrame:
    """Estimate work and memory of the stages of a label-free run on one GPU.

    Parameters
    ----------
    model
        Of `build_empty`, perhaps with adapters.
    config
        All settings.
    n_pool, n_images
        Images of the pool, and to train on.
    teraflops
        What the GPU sustains in bfloat16, per second; 40 % of the number on its data sheet is usual.

    Returns
    -------
    DataFrame
        A row a stage: ``stage, passes`` (of one question or image), ``tokens`` in each, ``petaflop, hours, memory_gb``.

    Notes
    -----
    A pass takes 2 operations per token and parameter of the language model (its embedding apart), and as many per
    image patch and parameter of the vision tower's blocks. Training of adapters takes three passes of the language
    model (forward, again forward under gradient checkpointing, backward to the activations) and one of the vision
    tower. Left out: attention itself, a few per cent at these lengths; validation; and written answers, which are bound
    by memory, not by arithmetic.

    Memory: parameters in their formats; 12 bytes more for each that is trained (gradient and two moments in float32);
    one activation of the hidden size per token and layer in bfloat16 where training checkpoints, and the widest layer's
    for every pass. Attention, the CUDA context and fragmentation come on top: leave 3 GB.
    """
    text, vision = model.config.text_config, model.config.vision_config
    count = {"vision": 0, "embedding": 0, "language": 0, "trained": 0}
    size = 0
    for name, parameter in model.named_parameters():
        part = "vision" if ".visual." in name else "embedding" if "embed_tokens" in name or "lm_head" in name else ""
        count[part or "language"] += parameter.numel()
        count["trained"] += parameter.numel() * parameter.requires_grad
        size += parameter.numel() * parameter.element_size()
    per_image = (config.model.max_pixels or MAX_PIXELS) / vision.patch_size**2 * 2 * count["vision"]
    width = text.hidden_size * 10 + text.intermediate_size * 3  # numbers that one layer holds for a token
    n_dimensions, orders, train = (
        len(config.prompt.dimensions),
        1 + config.judge.both_orders,
        fit_device(config, on_gpu=True, adapters=True).train,
    )
    reads = n_dimensions if config.judge.mode == "probabilities" else 1
    among = n_pool * min(config.pool.n_opponents, n_pool - 1) // 2 * orders
    against = n_images * config.pseudo.n_comparisons * orders
    micro = train.micro_batch_size or train.batch_size
    stages = [
        ("judge the pool", among * reads * config.judge.votes, "pairwise", config.judge.batch_size, False),
        ("judge against it", against * reads * config.judge.votes, "pairwise", config.judge.batch_size, False),
        ("train", train.max_steps * train.batch_size, "pointwise", micro, True),
        ("score 1,000", 1000, "pointwise", config.score.batch_size, False),
    ]
    rows = []
    for stage, passes, kind, batch, training in stages:
        tokens = count_tokens(config, kind=kind, patch=vision.patch_size * vision.spatial_merge_size)
        language = 2 * count["language"] * tokens * (3 if training else 1)
        work = passes * (language + per_image * (2 if kind == "pairwise" else 1))
        held = batch * tokens * width * 2
        if training:
            kept = 1 if train.gradient_checkpointing else width / text.hidden_size
            held += count["trained"] * 12 + batch * tokens * text.num_hidden_layers * text.hidden_size * 2 * kept
        row = {"stage": stage, "passes": passes, "tokens": tokens, "petaflop": work / 1e15}
        rows.append(row | {"hours": work / teraflops / 1e12 / 3600, "memory_gb": (size + held) / 1e9})
    return pd.DataFrame(rows)
