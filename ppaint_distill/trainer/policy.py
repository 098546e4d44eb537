"""TRL's `GRPOTrainer` as it is used here: its arguments, what is changed of it, and the hooks by which a run is kept.

The one module that imports trl.
"""

import contextlib
import logging
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from transformers import TrainerCallback
from trl.trainer.grpo_config import GRPOConfig as Arguments
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from ppaint_distill.answering import list_image_tokens
from ppaint_distill.config import Config
from ppaint_distill.processor import quiet_transformers

__all__ = ["Policy", "Steps", "make_arguments", "quiet_trl"]


class Policy(GRPOTrainer):
    """TRL's trainer with a reference model of our own.

    TRL reads the reference of a model that is trained whole from the disk, by its name, and gives a model with adapters
    a second set of them. Here it is a copy in memory, or the same model with its adapters switched off.

    Parameters
    ----------
    model
        The model, with or without adapters.
    reference
        What it is held to; None is the model with its adapters switched off.
    beta
        Weight of the divergence from it.
    **options
        As of `trl.GRPOTrainer`.
    """

    def __init__(self, model: Any, *, reference: Any, beta: float, **options: Any) -> None:
        super().__init__(model=model, **options)
        if reference is not None:
            add_fused_lm_head(reference, temperature=self.temperature)
        self.ref_model, self.beta = reference, beta

    def _send_telemetry(self) -> None:
        """Send nothing: TRL tells its makers of each trainer that is made."""

    def restore(self) -> None:
        """Take back what TRL changed in the forward pass of the models."""
        models: list[Any] = [self.model, *([] if self.ref_model is None else [self.ref_model])]
        for model in models:
            inner = model.get_base_model() if hasattr(model, "get_base_model") else model
            vars(inner).pop("forward", None)


class Steps(TrainerCallback):
    """Calls back before and after each step.

    Parameters
    ----------
    before
        Called before a step's answers are sampled.
    after
        Called after a step, with what TRL logged of it; returns whether training ends.
    """

    def __init__(self, before: Callable[[], None], after: Callable[[Mapping[str, Any]], bool]) -> None:
        self.before, self.after = before, after

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 (named so there)
        """Begin a step."""
        self.before()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        """End a step; TRL logs once more in the end, without a loss."""
        if logs and "loss" in logs and self.after(logs):
            control.should_training_stop = True


def make_arguments(
    config: Config, model: Any, *, folder: str, size: int, passes: int, steps: int, on_cpu: bool
) -> Arguments:
    """Return TRL's arguments.

    Parameters
    ----------
    config
        All settings.
    model
        The model, whose tokens for images are never sampled.
    folder
        Where TRL may write; nothing of it is kept.
    size, passes
        Answers in a pass of a process, and passes in a step.
    steps
        Steps to do.
    on_cpu
        Whether training is on the CPU.

    Returns
    -------
    trl.GRPOConfig
        Beta is 0 there: `Policy` sets it.
    """
    train, grpo = config.train, config.grpo
    return Arguments(
        output_dir=folder,
        use_cpu=on_cpu,
        bf16=False,  # adapters are in float32 and cast for themselves, the rest is as it was loaded
        max_steps=steps,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=passes,
        num_generations=grpo.n_answers,
        temperature=grpo.temperature,
        top_p=1.0,
        top_k=0,
        repetition_penalty=1.0,
        max_completion_length=grpo.max_new_tokens,
        generation_kwargs={"suppress_tokens": list_image_tokens(model.config)},
        loss_type="grpo",
        beta=0.0,
        num_iterations=1,
        scale_rewards=grpo.scale_rewards,
        max_grad_norm=train.clip_norm,
        gradient_checkpointing=bool(train.gradient_checkpointing),
        gradient_checkpointing_kwargs={"use_reentrant": False},
        shuffle_dataset=False,  # the data set is in the order of the steps
        remove_unused_columns=False,
        seed=train.random_seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


@contextlib.contextmanager
def quiet_trl() -> Iterator[None]:
    """Silence what TRL and transformers say, and leave the generators of Python and NumPy as they were."""
    logger = logging.getLogger("trl.trainer.grpo_trainer")
    level, state, numbers = logger.level, random.getstate(), np.random.get_state()  # noqa: NPY002 (TRL seeds it)
    logger.setLevel(logging.ERROR)
    try:
        with quiet_transformers(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"(trl|transformers|accelerate|torch)\.")
            warnings.filterwarnings("ignore", category=UserWarning, module=r"(trl|transformers|accelerate|torch)\.")
            yield
    finally:
        logger.setLevel(level)
        random.setstate(state)
        np.random.set_state(numbers)  # noqa: NPY002
