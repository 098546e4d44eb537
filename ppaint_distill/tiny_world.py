"""A tiny model that has been taught to judge generated pictures: a stand-in for a pretrained one, in under a minute.

What it is taught makes the case for which distillation is meant: its comparisons are nearly right while its scores are
drawn aside by another property of the picture. All of it is simulated, and says nothing about a real model.
"""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from transformers.models.qwen3_vl.modeling_qwen3_vl import BaseModelOutputWithDeepstackFeatures

from ppaint_distill.errors import ConfigError
from ppaint_distill.models import LoadedModel, encode, refresh_fingerprint
from ppaint_distill.pictures import PROPERTIES, draw_images, make_prompt_config, write_images
from ppaint_distill.prompts import Prompt, pairwise_prompt, pointwise_prompt
from ppaint_distill.tiny import make_tiny
from ppaint_stats.progress import track
from ppaint_stats.seeds import check_seed

__all__ = ["PROPERTIES", "draw_images", "make_prompt_config", "pretrain_tiny", "write_images"]

N_PICTURES = 2000
N_SEEN = 64  # pictures in a step of the first part
N_PAIRS, N_SINGLES = 48, 16  # questions in a step of the second part
TIE_WIDTH = 0.03  # of a quantile: closer pairs are ties
DISTRACTION = 0.6  # weight of the distractor in a distracted label
VISION_RATE, TEXT_RATE = 3e-3, 3e-3


def pretrain_tiny(
    property: str = "brightness",  # noqa: A002 (the word for it)
    *,
    distractor: str = "warmth",
    distracted: Literal["pointwise", "pairwise"] | None = "pointwise",
    vision_steps: int = 250,
    steps: int = 200,
    random_seed: int = 0,
    progressbar: bool = False,
) -> LoadedModel:
    """Teach a fresh tiny model to answer questions about one property of generated pictures.

    First its vision tower learns to tell all properties, then its language model to answer in the form of the prompts,
    which are those of `make_prompt_config(property)`.

    Parameters
    ----------
    property
        What is asked, out of ``brightness``, ``warmth`` and ``coverage``.
    distractor
        The property by which distracted answers are drawn aside.
    distracted
        Which answers are distracted: labels are then the order of a mixture of both properties. ``pairwise`` is a
        control: a base model that is better without its comparisons.
    vision_steps, steps
        Optimiser steps of the two parts: fixed numbers, so that a result does not depend on the machine's speed.
    random_seed
        Of initialisation, pictures and batches.
    progressbar
        Whether progress is shown.

    Returns
    -------
    LoadedModel
        The model, in evaluation mode, on the CPU.

    Raises
    ------
    ConfigError
        If a property is unknown, or its own distractor.
    """
    check_seed(random_seed)
    config = make_prompt_config(property)
    make_prompt_config(distractor)
    if property == distractor:
        raise ConfigError(f"distractor={distractor!r} is not allowed: a property other than the one asked for is")
    pointwise, pairwise = pointwise_prompt(config), pairwise_prompt(config)
    loaded = make_tiny(random_seed=random_seed, prompts=[pointwise, pairwise])
    pictures, truth = draw_images(N_PICTURES, random_seed=random_seed)
    quantiles = {name: (truth[name].rank() - 0.5).to_numpy() / N_PICTURES for name in PROPERTIES}
    pixels = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))
    mixture = (1 - DISTRACTION) * quantiles[property] + DISTRACTION * quantiles[distractor]
    mixture = (mixture.argsort().argsort() + 0.5) / N_PICTURES
    targets = {kind: mixture if kind == distracted else quantiles[property] for kind in ("pointwise", "pairwise")}
    loaded.model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_seed)
        everything = torch.tensor(np.stack(list(quantiles.values()), axis=1), dtype=torch.float32)
        _teach_vision(loaded, pixels, everything, steps=vision_steps, random_seed=random_seed, progressbar=progressbar)
        lessons = (
            _Lesson(loaded, pairwise, pictures[:2], targets["pairwise"]),
            _Lesson(loaded, pointwise, pictures[:1], targets["pointwise"]),
        )
        _teach_answers(loaded, lessons, pixels, steps=steps, random_seed=random_seed, progressbar=progressbar)
    loaded.model.eval()
    return refresh_fingerprint(loaded)


def _teach_vision(
    loaded: LoadedModel, pixels: Tensor, quantiles: Tensor, *, steps: int, random_seed: int, progressbar: bool
) -> None:
    """Train the vision tower until a linear map of its mean output tells the properties."""
    vision = loaded.model.model.visual
    head = nn.Linear(vision.config.out_hidden_size, quantiles.shape[1])
    optimiser, schedule = _make_optimiser([*vision.parameters(), *head.parameters()], VISION_RATE, steps)
    rng = np.random.default_rng([random_seed, 1])
    for _ in track(range(steps), total=steps, description="vision", progressbar=progressbar):
        chosen = rng.integers(0, len(pixels), size=N_SEEN)
        pooled, deep = _run_vision(loaded, _turn(pixels[chosen], rng))
        told = head((pooled + deep).mean(1))
        loss = (told - (2 * quantiles[chosen] - 1)).square().mean(0).sum()
        _step(loss, optimiser, schedule)


def _teach_answers(
    loaded: LoadedModel,
    lessons: "tuple[_Lesson, _Lesson]",
    pixels: Tensor,
    *,
    steps: int,
    random_seed: int,
    progressbar: bool,
) -> None:
    """Train the language model on whole answers, over pictures that the vision tower has seen once."""
    with torch.no_grad():
        seen = [_run_vision(loaded, part) for part in torch.split(pixels, 200)]
    pooled, deep = (torch.cat(parts) for parts in zip(*seen, strict=True))
    language = [*loaded.model.model.language_model.parameters()]
    optimiser, schedule = _make_optimiser(language, TEXT_RATE, steps)
    rng = np.random.default_rng([random_seed, 2])
    for _ in track(range(steps), total=steps, description="answers", progressbar=progressbar):
        loss = torch.zeros(())
        for lesson, n_questions in zip(lessons, (N_PAIRS, N_SINGLES), strict=True):
            chosen = rng.integers(0, len(pixels), size=(n_questions, lesson.n_images))
            shown = torch.from_numpy(chosen).reshape(-1)
            loss = loss + lesson.compute_loss(chosen, pooled[shown].flatten(0, 1), deep[shown].flatten(0, 1))
        _step(loss, optimiser, schedule)


class _Lesson:
    """Questions of one kind with their right answers: the same tokens each time, but for the value in the slot."""

    def __init__(
        self, loaded: LoadedModel, prompt: Prompt, pictures: list[Image.Image], target: NDArray[np.float64]
    ) -> None:
        self.model, self.target, self.n_images = loaded.model, target, prompt.n_images
        tokenizer = loaded.processor.tokenizer
        answers = [prompt.answer(dict.fromkeys(prompt.dimensions, value)) for value in prompt.values]
        batches = [encode(loaded, prompt, [pictures], answers=[answer + tokenizer.eos_token]) for answer in answers]
        self.rows = torch.cat([batch["input_ids"] for batch in batches])
        self.kinds, self.grid = batches[0]["mm_token_type_ids"], batches[0]["image_grid_thw"]
        n_begin = encode(loaded, prompt, [pictures])["input_ids"].shape[1]
        self.answered = torch.arange(n_begin, self.rows.shape[1])
        self.slot = int((self.rows != self.rows[0]).any(0).nonzero()[0, 0]) - n_begin

    def compute_loss(self, chosen: NDArray[np.int64], pooled: Tensor, deep: Tensor) -> Tensor:
        """Cross-entropy of the slot, and of the whole answer."""
        # The model takes the parts that the images fill as tuples, whatever the class says.
        features: Any = {"pooler_output": (pooled,), "deepstack_features": [(deep,)]}
        ids = self.rows[torch.from_numpy(self._label(chosen))]
        output = self.model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=self.kinds.expand(len(ids), -1),
            image_grid_thw=self.grid.repeat(len(ids), 1),
            mm_encoder_outputs={"image": BaseModelOutputWithDeepstackFeatures(**features)},
            logits_to_keep=self.answered - 1,
            use_cache=False,
        )
        losses = nn.functional.cross_entropy(output.logits.mT, ids[:, self.answered], reduction="none")
        return losses[:, self.slot].mean() + losses.mean()

    def _label(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the right value's place: level of a picture, or outcome of a pair."""
        quantile = self.target[chosen]
        if self.n_images == 1:
            return (quantile[:, 0] * len(self.rows)).astype(np.int64)
        ahead = quantile[:, 0] - quantile[:, 1]
        return np.where(np.abs(ahead) < TIE_WIDTH, 2, np.where(ahead > 0, 0, 1))


def _run_vision(loaded: LoadedModel, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return both outputs of the vision tower, (n, tokens, width), for pixels of shape (n, side, side, 3)."""
    images = loaded.processor.image_processor
    patch, merge = images.patch_size, images.merge_size
    n, side = pixels.shape[:2]
    across = side // patch // merge
    light = (pixels.float() / 255 - 0.5) / 0.5
    cut = light.view(n, across, merge, patch, across, merge, patch, 3).permute(0, 1, 4, 2, 5, 7, 3, 6)
    cut = cut.unsqueeze(6).expand(*cut.shape[:6], images.temporal_patch_size, patch, patch)
    grid = torch.tensor([[1, side // patch, side // patch]]).expand(n, 3)
    seen = loaded.model.model.visual(cut.reshape(-1, 3 * images.temporal_patch_size * patch**2), grid_thw=grid)
    return seen.pooler_output.view(n, across**2, -1), seen.deepstack_features[0].view(n, across**2, -1)


def _turn(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn and mirror a batch of pictures, all in the same way: no property changes."""
    turned = torch.rot90(pixels, int(rng.integers(4)), (1, 2))
    return turned.flip(2) if rng.random() < 0.5 else turned


def _make_optimiser(
    parameters: list[nn.Parameter], rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW with a rise over a tenth of the steps and a fall over the others."""
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
    total = max(steps, 2) + (steps == 10)  # a rise of a single step would have no length to divide by
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=total, pct_start=0.1)
    return optimiser, schedule


def _step(loss: Tensor, optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler) -> None:
    """Take one step down."""
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], 1.0)
    optimiser.step()
    schedule.step()
