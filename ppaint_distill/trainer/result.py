"""What a finished run gives back."""

import json
import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ppaint_distill.config import Config
from ppaint_distill.models import LoadedModel, load_model
from ppaint_distill.scorer import Scorer
from ppaint_distill.trainer.run import RunFolder


@dataclass(frozen=True, eq=False, repr=False)
class TrainResult:
    """A finished run.

    Parameters
    ----------
    folder
        Folder of the run.
    config
        All settings, as they were used.
    model
        The trained model, in evaluation mode.
    steps
        Steps done.
    best_step
        Step whose parameters the model has: that of the best evaluation, or the last.
    stopped_early
        Whether training ended for want of improvement.
    n_training, n_validation
        Rows, one per category and item, trained on and held out.
    evaluations
        One row per evaluation: ``step, srcc, plcc, mae``, means over categories and dimensions; step 0 is before
        training.
    metrics
        One row per step: ``step, loss, ranking, score, kl, learning_rate, gradient_norm, seconds``. Of written answers
        ``step, loss, reward, fidelity, answers, unreadable, dropped, tokens, kl, entropy, learning_rate, gradient_norm,
        seconds``: rewards, answers of which so many could not be read, images without weight, tokens an answer.
    skipped
        Images and targets that were left out: ``item, path, kind, reason``.
    answers
        Of written answers: how many there were (``answers``), how many could not be read (``unreadable``), and why
        (``failures``, by kind); None where none are written.
    resumed
        Steps after which the run went on from a checkpoint.
    """

    folder: Path
    config: Config
    model: LoadedModel
    steps: int
    best_step: int
    stopped_early: bool
    n_training: int
    n_validation: int
    evaluations: pd.DataFrame
    metrics: pd.DataFrame
    skipped: pd.DataFrame
    answers: dict[str, Any] | None = None
    resumed: tuple[int, ...] = ()

    def __repr__(self) -> str:
        """One line with sizes and the agreement of the kept parameters."""
        kept = self.summary()
        unknown = "no rank correlation of the images held out" if self.n_validation else "no images held out"
        agreement = unknown if kept["srcc"] is None else f"validation SRCC {kept['srcc']:.3f}"
        early = ", stopped early" if self.stopped_early else ""
        again = f", resumed after step {', '.join(map(str, self.resumed))}" if self.resumed else ""
        lost = ""
        if self.answers is not None:
            lost = f", {self.answers['unreadable']:,} of {self.answers['answers']:,} answers unreadable"
        return (
            f"TrainResult({self.n_training} images, {self.steps} steps{early}{again}, kept {self.best_step}, "
            f"{agreement}{lost})"
        )

    def summary(self) -> dict[str, Any]:
        """Return how training went, as plain values for JSON.

        Returns
        -------
        dict
            ``run, steps, best_step, stopped_early, n_training, n_validation, n_skipped, loss`` of the last step, and
            ``srcc, plcc, mae`` of the kept parameters on the images held out, null where there are none; ``resumed``
            and ``answers`` as they are here.
        """
        at_best = self.evaluations[self.evaluations["step"] == self.best_step]
        measures = at_best.iloc[-1] if len(at_best) else pd.Series(dtype="float64")
        return {
            "run": str(self.folder),
            "steps": self.steps,
            "best_step": self.best_step,
            "stopped_early": self.stopped_early,
            "n_training": self.n_training,
            "n_validation": self.n_validation,
            "n_skipped": len(self.skipped),
            "loss": float(self.metrics["loss"].iloc[-1]) if len(self.metrics) else None,
            **{name: _number(measures.get(name)) for name in ("srcc", "plcc", "mae")},
            "resumed": list(self.resumed),
            "answers": self.answers,
        }

    @property
    def improved(self) -> bool | None:
        """Whether the kept parameters order the held-out images better than the untrained model; None if unknown."""
        srcc = self.evaluations.set_index("step")["srcc"]
        before, after = (srcc.get(step, math.nan) for step in (0, self.best_step))
        return None if math.isnan(before) or math.isnan(after) else bool(after > before)

    def scorer(self) -> Scorer:
        """Return a scorer with the trained model.

        Returns
        -------
        Scorer
            As `Scorer.from_pretrained` reads it from the folder.
        """
        return Scorer(self.model, self.config.prompt, self.config.score)


def read_result(
    run: RunFolder, config: Config, skipped: pd.DataFrame, *, model: LoadedModel | None = None
) -> TrainResult:
    """Read a finished run from its folder.

    Parameters
    ----------
    run
        The folder.
    config
        All settings, as they were used.
    skipped
        What was left out of the data.
    model
        The trained model, where it is at hand.

    Returns
    -------
    TrainResult
        The run.
    """
    outcome: dict[str, Any] = json.loads(run.result.read_text(encoding="utf-8"))
    records = run.read_metrics()
    steps, evaluations = tabulate(records)
    if model is None:
        model = load_model(replace(config.model, name=str(run.model), revision=None))
    return TrainResult(
        folder=run.path,
        config=config,
        model=model,
        steps=outcome["steps"],
        best_step=outcome["best_step"],
        stopped_early=outcome["stopped_early"],
        n_training=outcome["n_training"],
        n_validation=outcome["n_validation"],
        evaluations=evaluations,
        metrics=steps,
        skipped=skipped,
        answers=count_unreadable(records),
        resumed=tuple(record["step"] for record in records if record.get("resumed")),
    )


def count_unreadable(records: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Add up the written answers of a run, and those that could not be read.

    Parameters
    ----------
    records
        Lines of the metrics.

    Returns
    -------
    dict or None
        As of `TrainResult`.
    """
    steps = [record for record in records if "answers" in record]
    if not steps:
        return None
    failures: Counter[str] = Counter()
    for record in steps:
        failures.update(record["failures"])
    totals = {name: sum(record[name] for record in steps) for name in ("answers", "unreadable")}
    return {**totals, "failures": dict(sorted(failures.items()))}


def tabulate(records: list[dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sort the lines of a metrics file into a table of steps and one of evaluations.

    Parameters
    ----------
    records
        The lines.

    Returns
    -------
    tuple of DataFrame
        Steps and evaluations.
    """
    found = [record for record in records if "loss" in record]
    written = ["reward", "fidelity", "answers", "unreadable", "dropped", "tokens", "kl", "entropy"]
    parts = written if found and "reward" in found[0] else ["ranking", "score", "kl"]
    steps = pd.DataFrame(found, columns=["step", "loss", *parts, "learning_rate", "gradient_norm", "seconds"])
    held = [{"step": record["step"], **record["validation"]} for record in records if "validation" in record]
    evaluations = pd.DataFrame(held, columns=["step", "srcc", "plcc", "mae"])
    return steps, evaluations.astype({"step": "int64", "srcc": "float64", "plcc": "float64", "mae": "float64"})


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
