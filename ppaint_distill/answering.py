"""Questions as batches of inputs, and the answers that a model writes to them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ppaint_distill.errors import ModelError
from ppaint_distill.processor import ImageTextProcessor, quiet_transformers
from ppaint_distill.prompts import THINK_CLOSE, THINK_OPEN
from ppaint_stats.seeds import split_seed

if TYPE_CHECKING:
    from PIL.Image import Image

    from ppaint_distill.models import LoadedModel
    from ppaint_distill.prompts import Prompt

_TOKENISING = threading.Lock()
"""Fast tokenizers refuse to be used by two threads at once."""

CLOSED_THOUGHT = f"\n{THINK_CLOSE}\n\n"
"""What follows an opened reasoning that is left empty."""


def encode(
    loaded: "LoadedModel",
    prompt: "Prompt",
    images: "Sequence[Sequence[Image]]",
    *,
    answers: Sequence[str] | None = None,
) -> dict[str, Tensor]:
    """Turn questions into a batch of inputs, padded on the left.

    Parameters
    ----------
    loaded
        Whose tokenizer, image processor and device are used.
    prompt
        The question.
    images
        The images of each question.
    answers
        Beginnings of the assistant's turns. They are tokenised apart from what stands before them, as a model
        writes them. Where the chat template opens the reasoning itself, as that of the Thinking models does, it is
        closed before them.

    Returns
    -------
    dict
        ``input_ids``, ``attention_mask``, ``mm_token_type_ids``, ``pixel_values``, ``image_grid_thw``.

    Raises
    ------
    ModelError
        If the number of images or answers does not fit.
    """
    for shown in images:
        if len(shown) != prompt.n_images:
            raise ModelError(f"a {prompt.kind} question shows {prompt.n_images} image(s), not {len(shown)}")
    if not images or (answers is not None and len(answers) != len(images)):
        raise ModelError(f"{len(images)} questions with {len(answers or ())} answers cannot be a batch")
    processor = loaded.processor
    tokens = processor.tokenizer
    with _TOKENISING:
        begin = begin_turn(processor, prompt)
        thought = CLOSED_THOUGHT if opens_thought(processor, prompt) else ""
        parts = {text for text in (thought, *(answers or ())) if text}
        tokenised = {text: tokens(text, add_special_tokens=False)["input_ids"] for text in sorted(parts)}
    # The same image often stands in several questions of a batch: it is cut into patches once.
    patches: dict[int, tuple[Tensor, Tensor]] = {}
    pixels, grids, rows = [], [], []
    for row, shown in enumerate(images):
        ids = list(begin[0])
        for image, text in zip(shown, begin[1:], strict=True):
            if id(image) not in patches:
                cut = processor.image_processor(images=[image], return_tensors="pt")
                patches[id(image)] = (cut["pixel_values"], cut["image_grid_thw"])
            pixel, grid = patches[id(image)]
            n_tokens = int(grid.prod()) // processor.image_processor.merge_size**2
            ids += [processor.image_token_id] * n_tokens + text
            pixels.append(pixel)
            grids.append(grid)
        if answers is not None:
            for written in filter(None, (thought, answers[row])):
                ids += tokenised[written]
        rows.append(ids)
    width = max(map(len, rows))
    input_ids = torch.tensor([[tokens.pad_token_id] * (width - len(ids)) + ids for ids in rows])
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in rows])
    batch = {
        "input_ids": input_ids,
        "attention_mask": mask,
        "mm_token_type_ids": input_ids.eq(processor.image_token_id).int(),
        "pixel_values": torch.cat(pixels),
        "image_grid_thw": torch.cat(grids),
    }
    return {name: tensor.to(loaded.device) for name, tensor in batch.items()}


def begin_turn(processor: ImageTextProcessor, prompt: "Prompt") -> list[list[int]]:
    """Tokenise a question up to the beginning of the answer, in the pieces that stand around its images.

    Parameters
    ----------
    processor
        With a chat template.
    prompt
        The question.

    Returns
    -------
    list of list of int
        One piece more than there are images.
    """
    pieces = _write_question(processor, prompt).split(processor.image_token)
    if len(pieces) != prompt.n_images + 1:
        raise ModelError(f"the chat template shows {len(pieces) - 1} image(s) instead of {prompt.n_images}")
    return [processor.tokenizer(piece, add_special_tokens=False)["input_ids"] for piece in pieces]


def opens_thought(processor: ImageTextProcessor, prompt: "Prompt") -> bool:
    """Whether the chat template itself begins the reasoning, as that of the Thinking models does.

    Parameters
    ----------
    processor
        With a chat template.
    prompt
        The question.

    Returns
    -------
    bool
        True if what the model writes begins within the reasoning.
    """
    return _write_question(processor, prompt).rstrip().endswith(THINK_OPEN)


def _write_question(processor: ImageTextProcessor, prompt: "Prompt") -> str:
    text = processor.tokenizer.apply_chat_template(
        prompt.messages(), chat_template=processor.chat_template, add_generation_prompt=True, tokenize=False
    )
    return str(text)


@torch.no_grad()
def generate(
    loaded: "LoadedModel",
    prompt: "Prompt",
    images: "Sequence[Sequence[Image]]",
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    random_seed: int | Sequence[int] = 0,
) -> list[str]:
    """Let a model write answers.

    Parameters
    ----------
    loaded
        The model.
    prompt
        The question.
    images
        The images of each question.
    max_new_tokens
        Longest answer.
    temperature
        0 takes the likeliest token each time; above, tokens are drawn from the whole distribution.
    random_seed
        Of the drawing: one for all (answer k then has its own stream k), or one an answer.

    Returns
    -------
    list of str
        The answers, without special tokens. A model never draws a token that stands for an image. Where the chat
        template opens the reasoning, its tag stands before the answer, so that reasoning without an end is seen.
    """
    from transformers import GenerationConfig, LogitsProcessorList

    config, tokenizer = loaded.model.config, loaded.processor.tokenizer
    own = loaded.model.generation_config.eos_token_id
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=max_new_tokens,
        do_sample=False,
        # What is not said here is taken from the model's own settings, and Qwen2.5-VL's repel tokens of the question.
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id if own is None else own,
        suppress_tokens=list_image_tokens(config),
    )
    processors = LogitsProcessorList()
    if temperature > 0:
        processors.append(_Noise(temperature, _list_seeds(random_seed, len(images))))
    batch = encode(loaded, prompt, images)
    with _evaluating(loaded.model), quiet_transformers():
        written = loaded.model.generate(**batch, generation_config=settings, logits_processor=processors)
    new = written[:, batch["input_ids"].shape[1] :]
    opened = f"{THINK_OPEN}\n" if opens_thought(loaded.processor, prompt) else ""
    return [opened + text for text in tokenizer.batch_decode(new, skip_special_tokens=True)]


def list_image_tokens(config: Any) -> list[int]:
    """List the tokens that stand for images or video: a model that wrote one would be asked for an image it never saw.

    Parameters
    ----------
    config
        Settings of a model.

    Returns
    -------
    list of int
        Tokens that are never to be sampled.
    """
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    return [token for name in names if (token := getattr(config, name, None)) is not None]


def _list_seeds(random_seed: int | Sequence[int], n: int) -> Sequence[int]:
    """Return a seed for each answer."""
    if not isinstance(random_seed, int):
        if len(random_seed) != n:
            raise ModelError(f"random_seed: {len(random_seed)} seeds were given for {n} answers")
        return random_seed
    return [int(part.generate_state(1, np.uint64)[0] >> np.uint64(1)) for part in split_seed(random_seed, n)]


class _Noise:
    """Adds Gumbel noise to logits: the largest is then a draw from their softmax.

    Each answer has its own generator, on the CPU, so that it depends neither on the device nor on its neighbours.
    """

    def __init__(self, temperature: float, seeds: Sequence[int]) -> None:
        self.temperature = temperature
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002 (named so by transformers)
        width = scores.shape[-1]
        uniform = torch.stack([torch.rand(width, generator=generator) for generator in self.generators])
        noise = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
        return scores.float() / self.temperature + noise.to(scores.device)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout off for a while."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
