"""Every setting of every stage: frozen dataclasses, from YAML and ``section.name=value``, saved with each run.

Unknowns of the published method (pool size, comparisons per image, confidence, learning rate, ...) are settings here,
with a default; `docs/explanation/distillation.md` says what each does.
"""

import contextlib
import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ppaint_distill.errors import ConfigError

DIMENSIONS = ("technique", "coloration", "composition", "mood", "overall")
"""The five dimensions on which paintings are judged."""


MAX_PIXELS = 524_288
"""Pixels to which images are resized at most, unless told: 512 tokens of Qwen3-VL."""


@dataclass(frozen=True)
class PromptConfig:
    """What is asked, and in which words.

    Parameters
    ----------
    dimensions
        Names of the dimensions, in the order of the answer.
    descriptions
        What each dimension means, by name; those of `DIMENSIONS` have a built-in description.
    subject
        What the images show, in the singular.
    think
        Whether answers begin with reasoning between think tags.
    scale
        Lowest and highest score of a pointwise answer.
    n_levels
        Number of level tokens, 2 to 9, over which an expected score is taken: the digits from 1 up.
    """

    dimensions: tuple[str, ...] = DIMENSIONS
    descriptions: Mapping[str, str] = field(default_factory=dict)
    subject: str = "painting"
    think: bool = True
    scale: tuple[float, float] = (1.0, 5.0)
    n_levels: int = 5


@dataclass(frozen=True)
class ModelConfig:
    """Which model, and how it is loaded.

    Parameters
    ----------
    name
        A folder, a hub name, or ``tiny``: a small, seeded, randomly initialised model of the same classes.
    revision
        Revision of a hub model.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1`` ...
    dtype
        ``auto`` is bfloat16 on a GPU and float32 on a CPU.
    attention
        Implementation of attention, by its name in transformers.
    min_pixels, max_pixels
        Range of the number of pixels to which images are resized. None keeps the processor's own range, but takes no
        more than `MAX_PIXELS`; Qwen3-VL's own goes up to 16 million, which are 16,384 tokens.
    """

    name: str = "Qwen/Qwen3-VL-8B-Instruct"
    revision: str | None = None
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    attention: str = "sdpa"
    min_pixels: int | None = None
    max_pixels: int | None = None


@dataclass(frozen=True)
class JudgeConfig:
    """How a model judges.

    Parameters
    ----------
    mode
        ``generate`` writes an answer, which is parsed; ``probabilities`` reads the probabilities of the answer's tokens
        in one pass a dimension.
    both_orders
        Whether each pair is shown in both orders.
    votes
        Answers to each question; more than one needs a temperature.
    temperature
        0 is greedy.
    max_new_tokens
        Longest answer.
    batch_size
        Questions at a time.
    random_seed
        Seed of sampled answers.
    """

    mode: Literal["generate", "probabilities"] = "generate"
    both_orders: bool = True
    votes: int = 1
    temperature: float = 0.0
    max_new_tokens: int = 512
    batch_size: int = 8
    random_seed: int = 0


@dataclass(frozen=True)
class PoolConfig:
    """The reference pool and its comparisons.

    Parameters
    ----------
    n_opponents
        Opponents of each image within the pool.
    n_draws
        Joint draws of the pool's strengths.
    random_seed
        Seed of choice, design and draws.
    """

    n_opponents: int = 20
    n_draws: int = 200
    random_seed: int = 0


@dataclass(frozen=True)
class PseudoConfig:
    """Pseudo-scores of new images.

    Parameters
    ----------
    n_comparisons
        Pool images with which each new image is compared.
    interval_prob
        Probability of the intervals.
    random_seed
        Seed of design and draws.
    """

    n_comparisons: int = 20
    interval_prob: float = 0.9
    random_seed: int = 0


@dataclass(frozen=True)
class TrainConfig:
    """The trainer of the expected score.

    Parameters
    ----------
    max_steps
        Optimiser steps.
    batch_size
        Images in a step, over all processes and accumulation.
    micro_batch_size
        Images in one forward pass, within which pairs are formed. None is the whole batch, and 8 where adapters are
        trained on a GPU.
    learning_rate, weight_decay, warmup_steps, schedule
        Of AdamW; the schedule is applied after the warm-up, which is cut to a tenth where it would take all steps.
    clip_norm
        Largest norm of the gradient.
    preferences
        ``soft`` takes P(score i > score j) from the targets, ``hard`` their order.
    confidence
        Whether pairs are weighted by abs(2 p - 1).
    ranking_weight, score_weight, kl_weight
        Weights of ranking loss, Huber loss of the score, and divergence from the base model.
    huber_delta
        Where the Huber loss turns linear, as a part of the scale's span.
    lora
        Adapters instead of the whole model; a tiny fresh model is trained whole.
    lora_rank, lora_alpha, lora_dropout, lora_modules
        Of the adapters; the last is a regular expression on module names.
    gradient_checkpointing
        Trades time for memory. None does so where adapters are trained on a GPU.
    augment
        Random changes of training images that do not change their score: names out of ``flip-horizontal``,
        ``flip-vertical``, ``rotate`` (quarter turns), ``invert``.
    validation_fraction
        Part of the items that is held out to watch training.
    evaluate_every, save_every
        In steps; 0 is only at the end.
    patience
        Evaluations without a better validation rank correlation before training stops; None never stops.
    keep_best
        Whether the final model is that of the best evaluation.
    random_seed
        Seed of split, order and initialisation.
    """

    max_steps: int = 1000
    batch_size: int = 32
    micro_batch_size: int | None = None
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    warmup_steps: int = 50
    schedule: Literal["constant", "cosine", "linear"] = "cosine"
    clip_norm: float = 1.0
    preferences: Literal["soft", "hard"] = "soft"
    confidence: bool = True
    ranking_weight: float = 1.0
    score_weight: float = 1.0
    kl_weight: float = 0.0
    huber_delta: float = 0.1
    lora: bool = True
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.05
    lora_modules: str = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
    gradient_checkpointing: bool | None = None
    augment: tuple[str, ...] = ()
    validation_fraction: float = 0.1
    evaluate_every: int = 100
    save_every: int = 100
    patience: int | None = None
    keep_best: bool = True
    random_seed: int = 0


@dataclass(frozen=True)
class ScoreConfig:
    """Scoring of images.

    Parameters
    ----------
    mode
        ``expected``: one pass, the expected value over level tokens; ``generate``: a written answer, which is parsed.
    batch_size
        Images at a time.
    max_new_tokens
        Longest written answer.
    """

    mode: Literal["expected", "generate"] = "expected"
    batch_size: int = 16
    max_new_tokens: int = 512


@dataclass(frozen=True)
class Config:
    """All sections.

    Parameters
    ----------
    prompt, model, judge, pool, pseudo, train, score
        One section a stage.
    """

    prompt: PromptConfig = field(default_factory=PromptConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    pool: PoolConfig = field(default_factory=PoolConfig)
    pseudo: PseudoConfig = field(default_factory=PseudoConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    score: ScoreConfig = field(default_factory=ScoreConfig)


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read settings from a YAML file, then from ``section.name=value``.

    Parameters
    ----------
    path
        File with one mapping per section; None is the defaults.
    overrides
        Settings that replace those of the file; values are YAML.

    Returns
    -------
    Config
        All settings.

    Raises
    ------
    ConfigError
        If a section, a name or a value is not allowed; the message says which are.

    Examples
    --------
    >>> config = load_config(overrides=["train.max_steps=20", "prompt.dimensions=[mood]"])
    >>> config.train.max_steps, config.prompt.dimensions
    (20, ('mood',))
    """
    import yaml

    sections: dict[str, dict[str, Any]] = {}
    if path is not None:
        try:
            found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(found, dict | None):
            raise ConfigError(f"{path} must hold one mapping per section, not {type(found).__name__}")
        for section, values in (found or {}).items():
            if not isinstance(values, dict):
                raise ConfigError(f"{path}: section {section!r} must be a mapping of settings")
            sections[str(section)] = dict(values)
    for text in overrides:
        name, equals, value = text.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise ConfigError(f"{text!r} is not allowed: SECTION.NAME=VALUE is, such as train.max_steps=200")
        try:
            sections.setdefault(section, {})[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"{text!r}: the value is not YAML") from error
    return make_config(sections)


def make_config(sections: Mapping[str, Mapping[str, Any]]) -> Config:
    """Build the settings from plain mappings, as read from YAML or JSON.

    Parameters
    ----------
    sections
        Mapping of section to mapping of name to value.

    Returns
    -------
    Config
        All settings.

    Raises
    ------
    ConfigError
        If a section, a name or a value is not allowed.
    """
    known = {part.name: part.default_factory for part in dataclasses.fields(Config)}
    built = {}
    for section, values in sections.items():
        if section not in known:
            raise ConfigError(f"there is no section {section!r}; sections are {', '.join(known)}")
        cls = typing.cast("type[Any]", known[section])
        hints = typing.get_type_hints(cls)
        for name in values:
            if name not in hints:
                raise ConfigError(f"there is no setting {section}.{name}; settings are {', '.join(hints)}")
        built[section] = cls(**{name: _fit(value, hints[name], f"{section}.{name}") for name, value in values.items()})
    return Config(**built)


def save_config(config: Config, path: str | Path) -> Path:
    """Write all settings as YAML, in the form that `load_config` reads.

    Parameters
    ----------
    config
        The settings.
    path
        File to write.

    Returns
    -------
    Path
        The file.
    """
    import yaml

    from ppaint_stats.fusion_io import write_whole

    text = yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True)
    return write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def to_plain(config: object) -> dict[str, Any]:
    """Return settings as plain mappings and lists, for YAML, JSON and file metadata.

    Parameters
    ----------
    config
        All settings, or one section.

    Returns
    -------
    dict
        Plain values.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(inner) for key, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, tuple | list) else value

    return {key: plain(value) for key, value in dataclasses.asdict(config).items()}  # type: ignore[call-overload]


def _fit(value: Any, hint: Any, name: str) -> Any:
    """Return a value in the type of its setting, or refuse it."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value in parts:
            return value
        raise ConfigError(f"{name}={value!r} is not allowed: one of {', '.join(map(repr, parts))} is")
    if origin is types.UnionType:
        if value is None and types.NoneType in parts:
            return None
        return _fit(value, next(part for part in parts if part is not types.NoneType), name)
    if origin is tuple:
        if not isinstance(value, list | tuple) or (parts[-1] is not ... and len(value) != len(parts)):
            length = "" if parts[-1] is ... else f" of {len(parts)}"
            raise ConfigError(f"{name}={value!r} is not allowed: a list{length} is")
        return tuple(_fit(part, parts[0], name) for part in value)
    if origin is not None:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{name}={value!r} is not allowed: a mapping is")
        return {str(key): str(inner) for key, inner in value.items()}
    if hint is float and isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)  # YAML reads 1e-4 as text
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{name}={value!r} is not allowed: a value of type {hint.__name__} is")
    return value
