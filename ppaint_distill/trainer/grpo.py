"""The trainer on written answers: several are sampled to each image, and rewarded. Read `train_grpo` from the top.

The loop, the sampling and the loss are those of TRL's `GRPOTrainer`; what is asked, what is rewarded, what is watched
and what is kept on the disk is the same as in the trainer of the expected score.
"""

import dataclasses
import importlib.util
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ppaint_distill.answering import opens_thought
from ppaint_distill.config import Config
from ppaint_distill.data import match_targets, split_rows
from ppaint_distill.errors import ConfigError, ModelError
from ppaint_distill.images import ImageFile
from ppaint_distill.models import LoadedModel
from ppaint_distill.prompts import THINK_OPEN, pointwise_prompt
from ppaint_distill.targets import Targets
from ppaint_distill.trainer.checkpoint import State, find_checkpoint, load_checkpoint, save_checkpoint, seed_step
from ppaint_distill.trainer.display import TrainingBar
from ppaint_distill.trainer.result import TrainResult, read_result
from ppaint_distill.trainer.rollouts import RankingReward, count_answers, plan_steps
from ppaint_distill.trainer.run import RunFolder, describe_run
from ppaint_distill.trainer.settings import (
    check_grpo,
    check_patience,
    check_settings,
    fit_device,
    fit_prompt,
    learning_rate,
)
from ppaint_distill.trainer.student import choose_device, load_base, make_student, wants_adapters
from ppaint_distill.trainer.watch import Watch, finish_run, is_due, keep_random_state

EXTRA = "grpo"


def train_grpo(  # noqa: C901, PLR0915 (it is meant to be read in one go)
    config: Config,
    targets: Targets,
    images: str | Path | Mapping[str, str | Path] | Sequence[ImageFile],
    out: str | Path,
    *,
    model: LoadedModel | None = None,
    validation: Iterable[str] | None = None,
    resume: bool = True,
    progressbar: bool = True,
) -> TrainResult:
    """Train a scorer by group relative policy optimisation: answers are sampled, and rewarded for how they rank.

    Parameters
    ----------
    config
        All settings; ``prompt``, ``model``, ``train``, ``grpo`` and ``score`` are used.
    targets, images, out, model, validation, resume, progressbar
        As of `ppaint_distill.trainer.train`.

    Returns
    -------
    TrainResult
        The trained model and how it got there. Its `answers` counts the answers that could not be read.

    Raises
    ------
    ConfigError
        If settings are not allowed.
    DataError
        If too few images have targets.
    ModelError
        If the extra ``grpo`` is not installed, the model cannot be loaded, none of its first answers can be read, or
        the loss is no longer finite.
    ResumeError
        If the folder holds another run.

    Notes
    -----
    A step samples ``grpo.n_answers`` answers to each image of the batch, and rewards each (`rollout_rewards`) against
    the answers to all other images of the batch, whichever process wrote them. One update follows each sampling, so
    that the ratio of the clipped objective is 1 and its clip never acts. The base model is the reference.

    Images held out are scored as a trained scorer scores them: the expected value over level tokens, in one pass.

    References
    ----------
    Shao et al. 2024, DeepSeekMath: pushing the limits of mathematical reasoning in open language models.
    """
    check_trl()
    from accelerate import PartialState
    from transformers import PrinterCallback

    from ppaint_distill.trainer.policy import Policy, Steps, make_arguments, quiet_trl

    check_settings(config.train, named=validation is not None)
    check_grpo(config.grpo)
    config = fit_prompt(config, targets)
    on_cpu = config.model.device == "cpu" if model is None else model.device.type == "cpu"
    processes: Any = PartialState(cpu=on_cpu)
    main, n_processes = processes.is_main_process, processes.num_processes
    device = choose_device(config.model, model, offered=processes.device, n_processes=n_processes)
    if device.type == "cuda" and (device.index or 0) != (processes.device.index or 0):
        raise ConfigError(f"model.device={str(device)!r}: this objective takes {processes.device}; set what is visible")
    adapters = wants_adapters(config, model)
    config = fit_device(config, on_gpu=device.type != "cpu", adapters=adapters)
    settings = config.train

    # Data. A row is a pair of category and item.
    named = None if validation is None else list(validation)
    data = match_targets(targets, images, dimensions=config.prompt.dimensions, progressbar=progressbar and main)
    train_rows, valid_rows = split_rows(
        data, fraction=settings.validation_fraction, validation=named, random_seed=settings.random_seed
    )
    check_patience(settings, data, valid_rows)
    size, passes = count_answers(config, len(train_rows), n_processes, large=adapters and device.type != "cpu")

    # The folder of the run, which may hold a part of it, or all.
    base = load_base(config.model, model, device=device, random_seed=settings.random_seed)
    run = RunFolder(out)
    identity = describe_run(config, targets, data, fingerprint=base.fingerprint, validation=named)
    identity["processes"] = n_processes  # each samples from a stream of its own
    if main:
        run.open(identity, config, data.skipped, resume=resume)
    processes.wait_for_everyone()
    if run.result.is_file():
        return read_result(run, config, data.skipped)

    # The model: adapters in the language model, or all parameters and a copy of the base. Answers are sampled from what
    # is trained, without dropout; TRL switches checkpointing on and off.
    made = dataclasses.replace(settings, kl_weight=config.grpo.beta, lora_dropout=0.0, gradient_checkpointing=False)
    student = make_student(base, dataclasses.replace(config, train=made), adapters=adapters)
    trained = [parameter for parameter in student.loaded.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)

    # Where the run stands.
    state, saved, checkpoint = State(), State(), find_checkpoint(run.checkpoints)
    if checkpoint is not None:
        state = saved = load_checkpoint(checkpoint, student.loaded.model, optimizer)
    if main:
        run.rewind(state.step if checkpoint is not None else -1)
        if checkpoint is not None:
            run.log({"step": state.step, "resumed": True})
    bar = TrainingBar(settings.max_steps, done=state.step, progressbar=progressbar and main)
    watch = Watch(
        processes=processes,
        student=student,
        data=data,
        rows=valid_rows,
        run=run,
        bar=bar,
        batch_size=settings.batch_size // n_processes,
        keep_best=settings.keep_best,
    )
    opening = f"{THINK_OPEN}\n" if opens_thought(base.processor, pointwise_prompt(config.prompt)) else ""
    reward = RankingReward(data, config, opening=opening)
    started, stopped = time.perf_counter(), False

    def begin() -> None:
        """Seed a step, and set its learning rate."""
        step = state.step + 1
        seed_step(settings.random_seed, step, processes.process_index)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step)

    def end(logs: Mapping[str, Any]) -> bool:
        """Record a step, watch, save; return whether training stops early."""
        nonlocal state, saved, started, stopped
        step, seconds = state.step + 1, time.perf_counter() - started
        record = reward.record
        if step == 1 and record["unreadable"] == record["answers"]:
            raise ModelError(
                f"none of the {record['answers']} answers of the first step can be read ({record['failures']}; one "
                f"is {record['example']!r}): there is nothing to reward. A model that does not write the asked form "
                "has to learn it first; answers that are cut off need a larger grpo.max_new_tokens"
            )
        loss, norm = float(logs["loss"]), float(logs["grad_norm"])
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise ModelError(
                f"step {step}: the loss is {loss} and the norm of its gradient {norm}; a lower train.learning_rate "
                f"(now {settings.learning_rate}) or a longer train.warmup_steps may help"
            )
        state = dataclasses.replace(state, step=step)
        measured = {"reward": logs["reward"], "kl": logs["kl"], "entropy": logs["entropy"]}
        length = {"tokens": logs["completions/mean_length"]}
        rate = {"learning_rate": learning_rate(settings, step), "gradient_norm": norm, "seconds": round(seconds, 4)}
        if main:
            run.log({"step": step, "loss": loss, **measured, **record, **length, **rate})
        bar.show(step, reward=logs["reward"])  # the loss hardly leaves 0: advantages sum to 0
        if len(valid_rows) and (is_due(step, settings.evaluate_every) or step == settings.max_steps):
            state = watch.evaluate(state, saved=saved.best_step)
            student.loaded.model.train()
            stopped = settings.patience is not None and state.waited >= settings.patience
        if main and is_due(step, settings.save_every) and step < settings.max_steps and not stopped:
            save_checkpoint(run.checkpoints, state, student.loaded.model, optimizer)
            run.prune_best([state.best_step])
        if is_due(step, settings.save_every):
            saved = state
        started = time.perf_counter()
        return stopped

    with keep_random_state(device), quiet_trl(), bar, TemporaryDirectory() as scratch:
        if checkpoint is None and len(valid_rows):
            state = watch.evaluate(state, saved=saved.best_step)
        student.loaded.model.train()
        if state.step < settings.max_steps:
            policy = Policy(
                student.loaded.model,
                reference=student.frozen,
                beta=config.grpo.beta,
                reward_funcs=[reward],
                args=make_arguments(
                    config,
                    student.loaded.model,
                    folder=scratch,
                    size=size,
                    passes=passes,
                    steps=settings.max_steps - state.step,
                    on_cpu=device.type == "cpu",
                ),
                train_dataset=plan_steps(data, train_rows, config, after=state.step),
                processing_class=base.processor,
                callbacks=[Steps(begin, end)],
                optimizers=(optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)),
            )
            policy.remove_callback(PrinterCallback)
            started = time.perf_counter()
            policy.train()
            policy.restore()

    # The end: the best parameters, or the last.
    outcome = {
        "stopped_early": stopped,
        "adapters": adapters,
        "n_training": len(train_rows),
        "n_validation": len(valid_rows),
    }
    return finish_run(
        run,
        state,
        student,
        config,
        targets,
        processes=processes,
        base=base,
        outcome=outcome,
        skipped=data.skipped,
    )


def check_trl() -> None:
    """Say which extra is missing, before anything is loaded.

    Raises
    ------
    ModelError
        If trl is not installed.
    """
    if importlib.util.find_spec("trl") is None:
        raise ModelError(
            "train.objective='grpo' needs trl, which is not installed: pip install \"ppaint[grpo]\". "
            "train.objective='expected' needs nothing more"
        )
