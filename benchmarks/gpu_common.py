"""What the benchmarks on a GPU share: random weights of a large model's shapes, pictures, the peak of products."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ppaint_distill.config import Config, ModelConfig, PromptConfig, ScoreConfig
from ppaint_distill.estimate import CHARACTERS, QWEN3_VL_8B
from ppaint_distill.models import LoadedModel, compute_fingerprint
from ppaint_distill.processor import ImageTextProcessor, set_pixels
from ppaint_distill.prompts import Prompt, pairwise_prompt, pointwise_prompt
from ppaint_distill.tiny import CHAT_TEMPLATE, make_config, make_tiny, make_tokenizer

NO_GPU = "no GPU here: nothing was measured. --shapes tiny runs the same code on a CPU, for its numbers to be ignored."
PROMPT = PromptConfig(think=False)
"""The built-in question: five dimensions, an answer without reasoning."""

SIZES = {"8b": (1024, 896), "tiny": (80, 72)}
"""Width and height of the pictures, which the processor reduces to the budget of pixels."""

PIXELS = {"8b": 524_288, "tiny": 64 * 64}
N_DISTINCT = 16
"""Pictures that are drawn; the others are copies of their files."""


def describe_model(loaded: LoadedModel, shapes: str) -> str:
    """Say what was measured, and on what."""
    dtype = str(loaded.dtype).removeprefix("torch.")
    return f"{name_device(loaded.device)}; random weights of the shapes {shapes!r} in {dtype}"


def choose_device(shapes: str) -> torch.device | None:
    """Return the GPU, or the CPU for a trial with tiny shapes; None where there is nothing to measure."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("cpu") if shapes == "tiny" else None


def name_device(device: torch.device) -> str:
    """Return the name under which a device is sold."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU (a trial of the code)"


def build_model(shapes: str, device: torch.device) -> LoadedModel:
    """Build a model of random weights on the device, in bfloat16 on a GPU.

    The tokenizer is a small one, trained on the questions: it cuts them about as finely as that of the real model. All
    else, vocabulary included, has the shapes of the real one.
    """
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    prompts = [make(PROMPT) for make in (pointwise_prompt, pairwise_prompt)]
    tokenizer = make_tokenizer(prompts, whole_lines=False)
    config = make_config(tokenizer)
    if shapes == "8b":
        names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
        special = {name: getattr(config, name) for name in names}
        text = {name: getattr(config.text_config, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
        known = {**QWEN3_VL_8B, "text_config": {**QWEN3_VL_8B["text_config"], **text}}
        config = Qwen3VLConfig(**known, **special)
        config._attn_implementation = "sdpa"  # noqa: SLF001
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device, torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = Qwen3VLForConditionalGeneration(config).to(device=device, dtype=dtype).eval()
    finally:
        torch.set_default_dtype(before)
    cutter = make_tiny().processor.image_processor
    processor = ImageTextProcessor(cutter, tokenizer, chat_template=CHAT_TEMPLATE)
    set_pixels(processor, min_pixels=32 * 32, max_pixels=PIXELS[shapes])
    fingerprint = compute_fingerprint(model, processor)
    return LoadedModel(model, processor, f"random weights, {shapes}", fingerprint, device, dtype)


def make_settings(shapes: str, **score: Any) -> Config:
    """Return the settings of scoring."""
    return Config(prompt=PROMPT, model=ModelConfig(max_pixels=PIXELS[shapes]), score=ScoreConfig(**score))


def write_pictures(folder: Path, n: int, shapes: str) -> Path:
    """Write JPEG files of smooth noise, all of one size."""
    from PIL import Image

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    width, height = SIZES[shapes]
    for place in range(n):
        path = folder / f"p{place:05d}.jpg"
        if place < N_DISTINCT:
            coarse = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((width, height)).save(path, quality=90)
        else:
            shutil.copyfile(folder / f"p{place % N_DISTINCT:05d}.jpg", path)
    return folder


def count_answer_tokens(prompt: Prompt) -> int:
    """Estimate the tokens of a written answer, rather too few: the loop that writes them is then rather too fast."""
    return -(-len(prompt.answer(dict.fromkeys(prompt.dimensions, "3.50"))) // CHARACTERS)


def measure_peak(device: torch.device) -> float:
    """Measure the floating point operations a second of large matrix products, the best of several."""
    size, repeats = (8192, 20) if device.type == "cuda" else (512, 5)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = 0.0
    for _ in range(5):
        best = max(best, repeats * 2 * size**3 / time_call(lambda: [left @ right for _ in range(repeats)], device))
    return best


def time_call(call: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of a call, until the device is done with it."""
    wait(device)
    start = time.perf_counter()
    call()
    wait(device)
    return time.perf_counter() - start


def wait(device: torch.device) -> None:
    """Wait until a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def count_operations(call: Callable[[], object]) -> float:
    """Count the floating point operations of matrix products and attention in a call."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops())


def reset_memory(device: torch.device) -> float:
    """Begin to watch memory anew; return the bytes in use."""
    if device.type != "cuda":
        return 0.0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return float(torch.cuda.memory_allocated(device))


def peak_memory(device: torch.device) -> float:
    """Return the most bytes in use since `reset_memory`; nan on a CPU."""
    return float(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else float("nan")
