"""The trainer of the expected score: one forward pass an image, no sampling. Read `train_expected` from the top."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from ppaint_distill.config import Config
from ppaint_distill.data import match_targets, split_rows
from ppaint_distill.errors import ModelError
from ppaint_distill.images import ImageFile
from ppaint_distill.models import LoadedModel
from ppaint_distill.objectives import total_loss
from ppaint_distill.targets import Targets
from ppaint_distill.trainer.checkpoint import (
    State,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
    seed_step,
)
from ppaint_distill.trainer.display import TrainingBar
from ppaint_distill.trainer.feed import count_parts, feed
from ppaint_distill.trainer.result import TrainResult, read_result
from ppaint_distill.trainer.run import RunFolder, describe_run
from ppaint_distill.trainer.settings import check_patience, check_settings, fit_device, fit_prompt, learning_rate
from ppaint_distill.trainer.student import (
    choose_device,
    load_base,
    make_student,
    wants_adapters,
)
from ppaint_distill.trainer.watch import Watch, finish_run, is_due, keep_random_state


def train_expected(  # noqa: PLR0912, PLR0915 (it is meant to be read in one go)
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
    """Train a scorer: one forward pass gives the expected score of every dimension.

    Parameters
    ----------
    config
        All settings; ``prompt``, ``model``, ``train`` and ``score`` are used. The prompt's scale becomes that of the
        targets, and its dimensions theirs unless others than the built-in ones were chosen.
    targets
        Scores with sd, and joint draws where there are any.
    images
        A folder, a mapping of item to file, or images. An image's item is its file name without suffix.
    out
        Folder of the run.
    model
        The model to train instead of the one that ``config.model`` names; a copy of it is trained.
    validation
        Items to hold out instead of a random part.
    resume
        Whether a run that is there goes on, or is returned if it is complete. False begins anew.
    progressbar
        Whether progress is shown where standard error is a terminal.

    Returns
    -------
    TrainResult
        The trained model and how it got there.

    Raises
    ------
    ConfigError
        If settings are not allowed.
    DataError
        If too few images have targets.
    ModelError
        If the model cannot be loaded or read, or the loss is no longer finite.
    ResumeError
        If the folder holds another run.

    Notes
    -----
    Everything random is seeded by ``config.train.random_seed`` and the number of the step, so that a run that was
    killed goes on to the same result, bit for bit on a CPU with the same number of threads. Under
    ``accelerate launch`` each process takes a share of the micro batches.
    """
    from accelerate import Accelerator

    check_settings(config.train, named=validation is not None)
    config = fit_prompt(config, targets)
    on_cpu = config.model.device == "cpu" if model is None else model.device.type == "cpu"
    accelerator = Accelerator(cpu=on_cpu, mixed_precision="no")  # `Student.read` knows the model's numbers
    main, n_processes = accelerator.is_main_process, accelerator.num_processes
    device = choose_device(config.model, model, offered=accelerator.device, n_processes=n_processes)
    config = fit_device(config, on_gpu=device.type != "cpu", adapters=wants_adapters(config, model))
    settings = config.train

    # Data. A row is a pair of category and item.
    named = None if validation is None else list(validation)
    data = match_targets(targets, images, dimensions=config.prompt.dimensions, progressbar=progressbar and main)
    train_rows, valid_rows = split_rows(
        data, fraction=settings.validation_fraction, validation=named, random_seed=settings.random_seed
    )
    check_patience(settings, data, valid_rows)
    n_parts = count_parts(settings, len(train_rows), n_processes)

    # The folder of the run, which may hold a part of it, or all.
    base = load_base(config.model, model, device=device, random_seed=settings.random_seed)
    run = RunFolder(out)
    identity = describe_run(config, targets, data, fingerprint=base.fingerprint, validation=named)
    identity["processes"] = n_processes  # they cut the batches, within which pairs are formed
    if main:
        run.open(identity, config, data.skipped, resume=resume)
    accelerator.wait_for_everyone()
    if run.result.is_file():
        return read_result(run, config, data.skipped)

    # The model: adapters in the language model, or all parameters.
    student = make_student(base, config, adapters=wants_adapters(config, model))
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
    net, optimizer = accelerator.prepare(student.loaded.model, optimizer, device_placement=[False, False])
    bar = TrainingBar(settings.max_steps, done=state.step, progressbar=progressbar and main)

    watch = Watch(
        processes=accelerator,
        student=student,
        data=data,
        rows=valid_rows,
        run=run,
        bar=bar,
        batch_size=settings.batch_size // n_parts,
        keep_best=settings.keep_best,
    )
    pieces = feed(
        student,
        data,
        train_rows,
        settings,
        after=state.step,
        n_parts=n_parts,
        process=accelerator.process_index,
        n_processes=n_processes,
    )
    with keep_random_state(device), bar, contextlib.closing(pieces):
        net.train()
        if checkpoint is None and len(valid_rows):
            state = watch.evaluate(state, saved=saved.best_step)
            net.train()
        stopped = False
        while state.step < settings.max_steps and not stopped:
            step, started = state.step + 1, time.perf_counter()
            seed_step(settings.random_seed, step, accelerator.process_index)
            rate = learning_rate(settings, step)
            for group in optimizer.param_groups:
                group["lr"] = rate

            # Gradients of the whole batch, micro batch by micro batch.
            optimizer.zero_grad()
            losses = torch.zeros(4, device=device)
            for _ in range(n_parts // n_processes):
                piece = next(pieces)
                with contextlib.nullcontext() if piece.last else accelerator.no_sync(net):
                    part = piece.part.to(device)
                    base_logits = student.read_base(piece.inputs) if settings.kl_weight > 0 else None
                    loss = total_loss(
                        student.read(net, piece.inputs),
                        student.values,
                        scores=part.scores,
                        present=part.present,
                        preferences=part.preferences,
                        weights=part.weights,
                        base_logits=base_logits,
                        ranking_weight=settings.ranking_weight,
                        score_weight=settings.score_weight,
                        kl_weight=settings.kl_weight,
                        huber_delta=settings.huber_delta,
                        totals=piece.totals,
                    )
                    # Totals are those of the whole batch, and gradients are averaged over processes.
                    accelerator.backward(loss.total * n_processes)
                losses += torch.stack([loss.total, loss.ranking, loss.score, loss.kl]).detach()
            norm = float(accelerator.clip_grad_norm_(net.parameters(), settings.clip_norm))
            total, ranking, score, kl = accelerator.reduce(losses, reduction="sum").tolist()
            if not (math.isfinite(total) and math.isfinite(norm)):
                raise ModelError(
                    f"step {step}: the loss is {total} and the norm of its gradient {norm}; a lower "
                    f"train.learning_rate (now {settings.learning_rate}) or a longer train.warmup_steps may help"
                )
            optimizer.step()

            state = dataclasses.replace(state, step=step)
            record = {"step": step, "loss": total, "ranking": ranking, "score": score, "kl": kl, "learning_rate": rate}
            if main:
                run.log({**record, "gradient_norm": norm, "seconds": round(time.perf_counter() - started, 4)})
            bar.show(step, loss=total)
            if len(valid_rows) and (is_due(step, settings.evaluate_every) or step == settings.max_steps):
                state = watch.evaluate(state, saved=saved.best_step)
                net.train()
                stopped = settings.patience is not None and state.waited >= settings.patience
            if main and is_due(step, settings.save_every) and step < settings.max_steps and not stopped:
                save_checkpoint(run.checkpoints, state, student.loaded.model, optimizer)
                run.prune_best([state.best_step])
                saved = state

    # The end: the best parameters, or the last.
    outcome = {
        "stopped_early": stopped,
        "adapters": wants_adapters(config, model),
        "n_training": len(train_rows),
        "n_validation": len(valid_rows),
    }
    return finish_run(
        run,
        state,
        student,
        config,
        targets,
        processes=accelerator,
        base=base,
        outcome=outcome,
        skipped=data.skipped,
    )
