"""The sections of the settings, one frozen dataclass a stage: every knob with its default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

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
    votes
        What repeated answers to one question are worth: ``share`` gives them the weight of one, ``count`` takes each
        for an answer.
    random_seed
        Seed of choice, design and draws.
    """

    n_opponents: int = 20
    n_draws: int = 200
    votes: Literal["share", "count"] = "share"
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
    """Training of a scorer.

    Parameters
    ----------
    objective
        ``expected``: the expected score, read in one pass an image; ``grpo``: written answers, rewarded
        (`GRPOConfig`). With ``grpo`` these have no part: ``micro_batch_size``, ``ranking_weight``, ``score_weight``,
        ``kl_weight``, ``huber_delta`` and ``lora_dropout``.
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

    objective: Literal["expected", "grpo"] = "expected"
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
class GRPOConfig:
    """Training on written answers: group relative policy optimisation. The rest is set under ``train``.

    Parameters
    ----------
    n_answers
        Answers that are sampled to each image of a batch, 2 or more.
    temperature
        Of the sampling, above 0; probabilities are those at this temperature throughout.
    max_new_tokens
        Longest answer; a longer one is cut off, and can then not be read.
    beta
        Weight of the divergence from the base model, above 0.
    scale_rewards
        ``batch`` divides what an answer has over the mean of its image by the standard deviation of all rewards of the
        batch; ``none`` leaves it.
    format_weight
        Reward of an answer that can be read.
    micro_batch_size
        Answers in one forward and backward pass. None is a process's whole share of the batch, and 8 or fewer where
        adapters are trained on a GPU.
    """

    n_answers: int = 8
    temperature: float = 1.0
    max_new_tokens: int = 512
    beta: float = 0.04
    scale_rewards: Literal["batch", "none"] = "batch"
    format_weight: float = 1.0
    micro_batch_size: int | None = None


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
    by_shape
        Whether images of one shape are put together, so that little is padded. None does so on a GPU. Scores are those
        of any other batches but for rounding, and come in the same order.
    n_threads
        Threads that read images and cut them into patches, ahead of the model.
    compile
        Whether the model's layers are compiled (`torch.compile`), once for each shape of a batch: minutes at the
        beginning, for many images on a GPU.
    """

    mode: Literal["expected", "generate"] = "expected"
    batch_size: int = 16
    max_new_tokens: int = 512
    by_shape: bool | None = None
    n_threads: int = 2
    compile: bool = False
