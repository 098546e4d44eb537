"""Watching a run: scores of the held-out images, the best parameters so far, and the end that keeps them."""

import contextlib
import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch

from ppaint_distill.card import write_card
from ppaint_distill.config import Config
from ppaint_distill.data import FloatArray, IntArray, TrainingData
from ppaint_distill.models import LoadedModel, compute_fingerprint, save_model
from ppaint_distill.scorer import write_scorer_settings
from ppaint_distill.targets import Targets
from ppaint_distill.trainer.checkpoint import State, read_parameters, write_parameters
from ppaint_distill.trainer.display import TrainingBar
from ppaint_distill.trainer.measure import average, measure
from ppaint_distill.trainer.result import TrainResult, read_result
from ppaint_distill.trainer.run import RunFolder
from ppaint_distill.trainer.student import Student, switch_checkpointing


class Processes(Protocol):
    """The processes of a run, as accelerate's `Accelerator` and `PartialState` know them."""

    @property
    def process_index(self) -> int:
        """Number of this process."""
        ...

    @property
    def num_processes(self) -> int:
        """How many there are."""
        ...

    @property
    def is_main_process(self) -> bool:
        """Whether this is the one that writes."""
        ...

    def wait_for_everyone(self) -> None:
        """Wait until all processes are here."""
        ...


@dataclass(frozen=True)
class Watch:
    """Evaluates a model in training on the images held out.

    Parameters
    ----------
    processes
        Each scores its share.
    student
        The model.
    data
        Training data.
    rows
        Rows that are held out.
    run
        Folder of the run.
    bar
        Shows the rank correlation.
    batch_size
        Images in a pass.
    keep_best
        Whether the best parameters are kept.
    """

    processes: Processes
    student: Student
    data: TrainingData
    rows: IntArray
    run: RunFolder
    bar: TrainingBar
    batch_size: int
    keep_best: bool

    def evaluate(self, state: State, *, saved: int | None) -> State:
        """Score the held-out images, and keep the parameters if they are the best so far.

        Parameters
        ----------
        state
            How far the run has come.
        saved
            Best step of the last checkpoint, whose parameters must stay too.

        Returns
        -------
        State
            With this evaluation in it. The model is in evaluation mode.
        """
        predicted = predict_together(self.processes, self.student, self.data, self.rows, batch_size=self.batch_size)
        table = measure(self.data, self.rows, predicted)
        means = average(table)
        self.bar.show(state.step, srcc=means["srcc"])
        main = self.processes.is_main_process
        if main:
            self.run.log({"step": state.step, "validation": means, "cells": table.to_dict(orient="records")})
        if state.step == 0:  # to be seen, not to be kept: an untrained model is no scorer
            return state
        better = not math.isnan(means["srcc"]) and (state.best_srcc is None or means["srcc"] > state.best_srcc)
        if main and better and self.keep_best:
            write_parameters(self.run.best_file(state.step), self.student.loaded.model)
            self.run.prune_best([state.step, saved])
        if better:
            return dataclasses.replace(state, best_step=state.step, best_srcc=means["srcc"], waited=0)
        return dataclasses.replace(state, waited=state.waited + 1)


def predict_together(
    processes: Processes, student: Student, data: TrainingData, rows: IntArray, *, batch_size: int
) -> FloatArray:
    """Score images, each process its share.

    Parameters
    ----------
    processes
        The processes.
    student
        The model.
    data
        Training data.
    rows
        Rows to score.
    batch_size
        Images in a pass.

    Returns
    -------
    ndarray
        Scores, shape (rows, dimensions), the same in every process.
    """
    from accelerate.utils import gather_object

    share = np.arange(len(rows))[processes.process_index :: processes.num_processes]
    gathered = gather_object([(share, student.predict(data, rows[share], batch_size=max(1, batch_size)))])
    scores = np.full((len(rows), len(data.dimensions)), np.nan)
    for places, predicted in gathered:
        scores[places] = predicted
    return scores


def finish_run(
    run: RunFolder,
    state: State,
    student: Student,
    config: Config,
    targets: Targets,
    *,
    processes: Processes,
    base: LoadedModel,
    outcome: dict[str, Any],
    skipped: pd.DataFrame,
) -> TrainResult:
    """End a run: keep the best parameters, or the last, and write the scorer.

    Parameters
    ----------
    run
        Folder of the run.
    state
        How far it came.
    student
        The trained model.
    config
        All settings, as they were used.
    targets
        Targets of training.
    processes
        The processes.
    base
        The model before training: its name and number format.
    outcome
        What is said of the run in its result, besides steps and the fingerprint of the model.
    skipped
        What was left out of the data.

    Returns
    -------
    TrainResult
        The run.
    """
    processes.wait_for_everyone()
    kept = state.best_step if config.train.keep_best and state.best_step is not None else state.step
    if kept != state.step:
        read_parameters(run.best_file(kept), student.loaded.model)
    finished = dataclasses.replace(base, model=student.loaded.model.to(base.dtype).eval())
    if config.train.gradient_checkpointing:
        switch_checkpointing(finished.model, on=False)
    main = processes.is_main_process
    if main:
        save_model(finished, run.model)
    processes.wait_for_everyone()
    fingerprint = compute_fingerprint(finished.model, finished.processor, files=run.model)
    finished = dataclasses.replace(finished, name=str(run.model), fingerprint=fingerprint)
    outcome = {"steps": state.step, "best_step": kept, **outcome, "fingerprint": fingerprint}
    if main:
        write_scorer_settings(run.model, config)
        about = targets.provenance
        write_card(run.model, config, base=base.name, provenance=about, outcome=outcome, records=run.read_metrics())
        run.finish(outcome)
    processes.wait_for_everyone()
    return read_result(run, config, skipped, model=finished)


def keep_random_state(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Leave torch's global generators as they were.

    Parameters
    ----------
    device
        Device whose generator is used besides the CPU's.

    Returns
    -------
    context manager
        Restores the state in the end.
    """
    devices = [device.index or 0] if device.type == "cuda" else []
    return torch.random.fork_rng(devices=devices)


def is_due(step: int, every: int) -> bool:
    """Whether something that is done every so many steps is done after this one.

    Parameters
    ----------
    step
        Number of the step.
    every
        How often; 0 is never.

    Returns
    -------
    bool
        True if it is.
    """
    return every > 0 and step % every == 0
