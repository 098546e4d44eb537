"""Training by either objective."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ppaint_distill.config import Config
from ppaint_distill.images import ImageFile
from ppaint_distill.models import LoadedModel
from ppaint_distill.targets import Targets
from ppaint_distill.trainer.expected import train_expected
from ppaint_distill.trainer.grpo import train_grpo
from ppaint_distill.trainer.result import TrainResult


def train(
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
    """Train a scorer by the objective that ``config.train.objective`` names.

    Parameters
    ----------
    config
        All settings; ``prompt``, ``model``, ``train`` and ``score`` are used, and ``grpo`` for that objective. The
        prompt's scale becomes that of the targets, and its dimensions theirs unless others than the built-in ones were
        chosen.
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
        If the model cannot be loaded or read, or the loss is no longer finite; with ``grpo`` also if the extra of that
        name is not installed, or the model does not write answers that can be read.
    ResumeError
        If the folder holds another run.

    Notes
    -----
    `train_expected` and `train_grpo` say what each does. Everything random is seeded by ``config.train.random_seed``
    and the number of the step, so that a run that was killed goes on to the same result, bit for bit on a CPU with the
    same number of threads. ``accelerate launch`` runs either in several processes.
    """
    chosen = train_grpo if config.train.objective == "grpo" else train_expected
    return chosen(
        config,
        targets,
        images,
        out,
        model=model,
        validation=validation,
        resume=resume,
        progressbar=progressbar,
    )
