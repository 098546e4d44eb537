"""Settings of training: which are allowed together, what targets decide, and the learning rate of a step."""

import dataclasses
import math

import numpy as np

from ppaint_distill.batches import check_augmentations
from ppaint_distill.config import DIMENSIONS, Config, GRPOConfig, TrainConfig
from ppaint_distill.data import IntArray, TrainingData
from ppaint_distill.errors import ConfigError
from ppaint_distill.targets import Targets
from ppaint_distill.trainer.measure import MIN_ITEMS
from ppaint_stats.errors import DataError

LARGE_MICRO_BATCH = 8
"""Images in one forward pass of a large model, unless told."""


def check_settings(settings: TrainConfig, *, named: bool = False) -> None:
    """Refuse settings of training that cannot be.

    Parameters
    ----------
    settings
        Of training.
    named
        Whether the items that are held out are named, instead of being drawn.

    Raises
    ------
    ConfigError
        Names the setting, its value, and what is allowed.
    """
    smallest = {
        "max_steps": 1,
        "batch_size": 1,
        "warmup_steps": 0,
        "evaluate_every": 0,
        "save_every": 0,
        "ranking_weight": 0,
        "score_weight": 0,
        "kl_weight": 0,
        "weight_decay": 0,
        "random_seed": 0,
        "lora_rank": 1,
    }
    for name, low in smallest.items():
        if not low <= getattr(settings, name) < math.inf:
            raise ConfigError(f"train.{name}={getattr(settings, name)!r} is not allowed: {low} or more is")
    for name in ("learning_rate", "clip_norm", "huber_delta"):
        if not 0 < getattr(settings, name) < math.inf:
            raise ConfigError(f"train.{name}={getattr(settings, name)!r} is not allowed: a number above 0 is")
    for name in ("micro_batch_size", "patience"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise ConfigError(f"train.{name}={value!r} is not allowed: 1 or more is, or null")
    expected = settings.objective == "expected"
    if expected and settings.ranking_weight == 0 and settings.score_weight == 0:
        raise ConfigError("train.ranking_weight and train.score_weight are both 0: there is nothing to learn")
    if expected and settings.ranking_weight > 0 and 1 in {settings.batch_size, settings.micro_batch_size}:
        raise ConfigError(
            "train.batch_size and train.micro_batch_size must be 2 or more, since pairs are formed within a micro "
            "batch; train.ranking_weight=0 allows 1"
        )
    if settings.patience is not None and settings.validation_fraction == 0 and not named:
        raise ConfigError("train.patience needs a validation set: train.validation_fraction=0 leaves none")
    check_augmentations(settings.augment)


def check_grpo(settings: GRPOConfig) -> None:
    """Refuse settings of training on written answers that cannot be.

    Parameters
    ----------
    settings
        Of written answers.

    Raises
    ------
    ConfigError
        Names the setting, its value, and what is allowed.
    """
    for name, low in {"n_answers": 2, "max_new_tokens": 1, "format_weight": 0, "micro_batch_size": 1}.items():
        value = getattr(settings, name)
        if value is not None and not low <= value < math.inf:
            raise ConfigError(f"grpo.{name}={value!r} is not allowed: {low} or more is")
    for name in ("temperature", "beta"):
        if not 0 < getattr(settings, name) < math.inf:
            raise ConfigError(f"grpo.{name}={getattr(settings, name)!r} is not allowed: a number above 0 is")


def check_patience(settings: TrainConfig, data: TrainingData, rows: IntArray) -> None:
    """Refuse to wait for an improvement that cannot be measured: training would end early whatever it learns.

    Parameters
    ----------
    settings
        Of training.
    data
        Training data.
    rows
        Rows that are held out.

    Raises
    ------
    ConfigError
        If no category and dimension has enough held-out targets for a rank correlation.
    """
    if settings.patience is None:
        return
    names = np.array([data.categories[row] for row in rows], dtype=object)
    there = ~np.isnan(data.scores[rows])
    most = max((int(there[names == name].sum(axis=0).max()) for name in dict.fromkeys(names)), default=0)
    if most < MIN_ITEMS:
        raise ConfigError(
            f"train.patience={settings.patience} needs a validation rank correlation, and at most {most} of the "
            f"{len(rows)} held-out rows are of one category with a target in one dimension: {MIN_ITEMS} are needed. "
            f"Raise train.validation_fraction (now {settings.validation_fraction}), or take train.patience=null"
        )


def fit_device(config: Config, *, on_gpu: bool, adapters: bool) -> Config:
    """Choose what was left open: what fits into the memory of one GPU where adapters of a large model are trained.

    Parameters
    ----------
    config
        All settings.
    on_gpu
        Whether training is on a GPU.
    adapters
        Whether adapters are trained.

    Returns
    -------
    Config
        The same settings, with ``train.gradient_checkpointing`` and, on a GPU, ``train.micro_batch_size`` decided.
    """
    large, train = on_gpu and adapters, config.train
    checkpointing = large if train.gradient_checkpointing is None else train.gradient_checkpointing
    micro = train.micro_batch_size
    if large and micro is None:
        micro = min(LARGE_MICRO_BATCH, train.batch_size)
    chosen = dataclasses.replace(train, gradient_checkpointing=checkpointing, micro_batch_size=micro)
    return dataclasses.replace(config, train=chosen)


def fit_prompt(config: Config, targets: Targets) -> Config:
    """Ask for what the targets know: their scale and their dimensions.

    Parameters
    ----------
    config
        All settings. Dimensions other than the built-in ones count as chosen.
    targets
        Targets of training.

    Returns
    -------
    Config
        The same settings with the targets' scale; and, where no dimensions were chosen, with the targets' dimensions.

    Raises
    ------
    DataError
        If a chosen dimension has no targets.
    """
    chosen = config.prompt.dimensions
    if chosen == DIMENSIONS:
        known = [name for name in chosen if name in targets.dimensions]
        chosen = (*known, *(name for name in targets.dimensions if name not in known))
    unknown = [name for name in chosen if name not in targets.dimensions]
    if unknown:
        raise DataError(f"no targets for the dimensions {unknown}; there are targets for {list(targets.dimensions)}")
    prompt = dataclasses.replace(config.prompt, scale=targets.scale, dimensions=chosen)
    return dataclasses.replace(config, prompt=prompt)


def learning_rate(settings: TrainConfig, step: int) -> float:
    """Return the learning rate of a step: a linear warm-up, then the schedule down to zero after the last step.

    Parameters
    ----------
    settings
        Of training. A warm-up that would take the whole training is cut to a tenth of it.
    step
        Number of the step, from 1.

    Returns
    -------
    float
        Learning rate.

    Examples
    --------
    >>> settings = TrainConfig(max_steps=4, warmup_steps=2, learning_rate=1.0, schedule="linear")
    >>> [learning_rate(settings, step) for step in (1, 2, 3, 4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warmup = settings.warmup_steps if settings.warmup_steps < settings.max_steps else settings.max_steps // 10
    if step <= warmup:
        return settings.learning_rate * step / warmup
    part = (step - 1 - warmup) / (settings.max_steps - warmup)
    factors = {"constant": 1.0, "linear": 1 - part, "cosine": (1 + math.cos(math.pi * part)) / 2}
    return settings.learning_rate * factors[settings.schedule]
