"""What a run needs to go on after it was killed: trained parameters, the optimiser's state, and a few numbers.

There is no state of random generators: every step seeds its own (`seed_step`).
"""

import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ppaint_distill.errors import ResumeError
from ppaint_stats.fusion_io import write_whole

PARAMETERS, OPTIMIZER, STATE = "parameters.safetensors", "optimizer.pt", "state.json"


@dataclass(frozen=True)
class State:
    """How far a run has come.

    Parameters
    ----------
    step
        Steps done.
    best_step, best_srcc
        Of the evaluation with the highest mean rank correlation; None before there is one.
    waited
        Evaluations since then.
    """

    step: int = 0
    best_step: int | None = None
    best_srcc: float | None = None
    waited: int = 0


def save_checkpoint(folder: Path, state: State, model: nn.Module, optimizer: torch.optim.Optimizer) -> Path:
    """Write a checkpoint, whole or not at all, and remove those before it.

    Parameters
    ----------
    folder
        Folder of the checkpoints.
    state
        How far the run has come.
    model
        Its trained parameters are written.
    optimizer
        Its state is written.

    Returns
    -------
    Path
        Folder of this checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{state.step:08d}"
    temporary = Path(tempfile.mkdtemp(prefix=".", dir=folder))
    write_parameters(temporary / PARAMETERS, model)
    torch.save(optimizer.state_dict(), temporary / OPTIMIZER)
    (temporary / STATE).write_text(json.dumps(asdict(state)), encoding="utf-8")
    for file in temporary.iterdir():
        _flush(file)
    temporary.rename(path)
    for other in folder.iterdir():
        if other != path:
            shutil.rmtree(other)
    return path


def find_checkpoint(folder: Path) -> Path | None:
    """Return the latest whole checkpoint.

    Parameters
    ----------
    folder
        Folder of the checkpoints.

    Returns
    -------
    Path or None
        None if there is none.
    """
    whole = sorted(path for path in folder.glob("[0-9]*") if path.is_dir())
    return whole[-1] if whole else None


def load_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """Bring a model and its optimiser to where a checkpoint left them.

    Parameters
    ----------
    path
        Folder of a checkpoint.
    model, optimizer
        Changed in place.

    Returns
    -------
    State
        How far the run had come.

    Raises
    ------
    ResumeError
        If the parameters are not those of the model.
    """
    read_parameters(path / PARAMETERS, model)
    optimizer.load_state_dict(torch.load(path / OPTIMIZER, map_location="cpu", weights_only=True))
    return State(**json.loads((path / STATE).read_text(encoding="utf-8")))


def write_parameters(path: Path, model: nn.Module) -> Path:
    """Write the parameters that are trained, as safetensors.

    Parameters
    ----------
    path
        File to write; it appears whole or not at all.
    model
        The model.

    Returns
    -------
    Path
        The file.
    """
    from safetensors.torch import save_file

    tensors = {name: parameter.detach().cpu().contiguous() for name, parameter in list_trained(model).items()}
    return write_whole(path, lambda temporary: save_file(tensors, temporary))


def read_parameters(path: Path, model: nn.Module) -> None:
    """Read parameters that `write_parameters` wrote into a model.

    Parameters
    ----------
    path
        The file.
    model
        Changed in place.

    Raises
    ------
    ResumeError
        If the parameters are not those of the model.
    """
    from safetensors.torch import load_file

    tensors, trained = load_file(path), list_trained(model)
    if {name: tensor.shape for name, tensor in tensors.items()} != {name: p.shape for name, p in trained.items()}:
        raise ResumeError(f"{path} holds the parameters of another model")
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(tensors[name])


def list_trained(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters that are trained, by name.

    Parameters
    ----------
    model
        The model.

    Returns
    -------
    dict
        Parameters; those that two modules share are there once.
    """
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def seed_step(random_seed: int, step: int, process: int = 0) -> None:
    """Seed torch's generators for one step, so that its dropout depends on nothing before it.

    Parameters
    ----------
    random_seed
        Seed of the run.
    step
        Number of the step.
    process
        Number of the process; each drops out others.
    """
    words = np.random.SeedSequence([random_seed, step, process]).generate_state(1, dtype=np.uint64)
    torch.manual_seed(int(words[0] >> np.uint64(1)))


def cut_metrics(path: Path, step: int) -> None:
    """Drop the lines of a metrics file that come after a step, or were not written to their end.

    Parameters
    ----------
    path
        File of JSON lines.
    step
        Last step that stays; -1 drops all.
    """
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            break
        if record["step"] <= step:
            kept.append(line + "\n")
    write_whole(path, lambda temporary: temporary.write_text("".join(kept), encoding="utf-8"))


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
