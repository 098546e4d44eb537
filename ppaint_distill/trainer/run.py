"""The folder of a run: what was trained with what, so that only the same run goes on in it.

``run.json`` says what the run is, ``config.yaml`` holds all settings, ``metrics.jsonl`` one line a step and one an
evaluation, ``skipped.csv`` what was left out, ``model/`` the scorer, ``result.json`` the end. ``checkpoints/`` and
``best/`` are there until then.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ppaint_distill.config import Config, save_config, to_plain
from ppaint_distill.data import TrainingData
from ppaint_distill.errors import ResumeError
from ppaint_distill.targets import Targets
from ppaint_distill.trainer.checkpoint import cut_metrics
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.fusion_io import write_whole

FORMAT = "ppaint training run 1"
WITHOUT_EFFECT = ("save_every", "objective")
"""Settings of training that a run may change when it goes on; the objective is known by the section of its settings."""


class RunFolder:
    """A run on the disk.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.best = self.path / "best"
        self.model = self.path / "model"
        self.metrics = self.path / "metrics.jsonl"
        self.result = self.path / "result.json"

    def open(self, identity: Mapping[str, Any], config: Config, skipped: pd.DataFrame, *, resume: bool) -> bool:
        """Begin a run, or go on with the same one.

        Parameters
        ----------
        identity
            What decides the run's result (`describe_run`).
        config
            All settings.
        skipped
            What was left out of the data.
        resume
            False removes a run that is there and begins anew.

        Returns
        -------
        bool
            Whether the run is complete.

        Raises
        ------
        ResumeError
            If the folder holds another run, or something else.
        """
        described = self.path / "run.json"
        if described.is_file() and resume:
            self._compare(json.loads(described.read_text(encoding="utf-8")), identity)
        elif described.is_file():
            self._clear()
        elif self.path.exists() and not self.path.is_dir():
            raise ResumeError(f"{self.path} is a file; a run needs a folder")
        elif self.path.is_dir() and any(not path.name.startswith(".") for path in self.path.iterdir()):
            raise ResumeError(f"{self.path} holds something that is no training run; name another folder")
        text = json.dumps({"format": FORMAT, **identity}, indent=2)
        write_whole(described, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        save_config(config, self.path / "config.yaml")
        write_whole(self.path / "skipped.csv", lambda temporary: skipped.to_csv(temporary, index=False))
        return self.result.is_file()

    def log(self, record: Mapping[str, Any]) -> None:
        """Append a line to the metrics.

        Parameters
        ----------
        record
            Plain values; numbers that are not finite become null.
        """
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_finite(record), allow_nan=False) + "\n")

    def rewind(self, step: int) -> None:
        """Drop what was written after a step.

        Parameters
        ----------
        step
            Last step that stays; -1 drops all.
        """
        cut_metrics(self.metrics, step)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the lines of the metrics.

        Returns
        -------
        list of dict
            Steps and evaluations, in order.
        """
        return [json.loads(line) for line in self.metrics.read_text(encoding="utf-8").splitlines()]

    def best_file(self, step: int) -> Path:
        """Return the file for the trained parameters of an evaluation.

        Parameters
        ----------
        step
            Step of the evaluation.

        Returns
        -------
        Path
            The file, whether or not it is there.
        """
        return self.best / f"{step:08d}.safetensors"

    def prune_best(self, kept: Iterable[int | None]) -> None:
        """Remove parameters of evaluations that can no longer be asked for.

        Parameters
        ----------
        kept
            Steps that stay.
        """
        files = {self.best_file(step) for step in kept if step is not None}
        for file in self.best.glob("*.safetensors"):
            if file not in files:
                file.unlink()

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result, and remove what only an unfinished run needs.

        Parameters
        ----------
        result
            Plain values.
        """
        text = json.dumps(result, indent=2)
        write_whole(self.result, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        shutil.rmtree(self.best, ignore_errors=True)

    def _compare(self, found: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
        if found.get("format") != FORMAT:
            raise ResumeError(f"{self.path / 'run.json'} is of the format {found.get('format')!r}, not {FORMAT!r}")
        before, now = _flatten(found), _flatten({"format": FORMAT, **json.loads(json.dumps(identity))})
        changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        if changed:
            shown = "; ".join(f"{name}: {before.get(name)} there, {now.get(name)} here" for name in changed[:10])
            raise ResumeError(
                f"{self.path} holds another run ({shown}). Name another folder, or begin anew in this one"
            )

    def _clear(self) -> None:
        for folder in (self.checkpoints, self.best, self.model):
            shutil.rmtree(folder, ignore_errors=True)
        for name in ("result.json", "metrics.jsonl", "skipped.csv", "config.yaml", "run.json"):
            (self.path / name).unlink(missing_ok=True)


def describe_run(
    config: Config, targets: Targets, data: TrainingData, *, fingerprint: str, validation: Iterable[str] | None
) -> dict[str, Any]:
    """Describe all that decides the result of a run.

    Parameters
    ----------
    config
        All settings, as they are used.
    targets
        Targets of training.
    data
        Images with targets.
    fingerprint
        Of the model that is trained.
    validation
        Items that are held out, where they were named.

    Returns
    -------
    dict
        Settings, and hashes of targets, images and model.
    """
    train = {name: value for name, value in to_plain(config.train).items() if name not in WITHOUT_EFFECT}
    written = {"grpo": to_plain(config.grpo)} if config.train.objective == "grpo" else {}
    images = [[file.item, file.hash] for file in data.files]
    return {
        "prompt": to_plain(config.prompt),
        "train": train,
        **written,
        "model": fingerprint,
        "targets": hash_targets(targets),
        "images": hashlib.sha256(json.dumps(images).encode()).hexdigest()[:16],
        "validation": None if validation is None else _short(sorted(validation)),
    }


def hash_targets(targets: Targets) -> str:
    """Hash targets by what they say.

    Parameters
    ----------
    targets
        The targets.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    frame = targets.frame
    digest = hashlib.sha256(
        json.dumps([list(targets.scale), frame[[CATEGORY, DIMENSION, ITEM]].to_numpy().tolist()]).encode()
    )
    digest.update(frame[["score", "sd"]].to_numpy(dtype=np.float64).tobytes())
    for cell, draws in sorted((targets.draws or {}).items()):
        digest.update(json.dumps(cell).encode() + np.asarray(draws, dtype=np.float32).tobytes())
    return digest.hexdigest()[:16]


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _short(names: list[str]) -> str:
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
