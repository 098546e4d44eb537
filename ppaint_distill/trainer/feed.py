"""What the training loop is fed: micro batches with targets and prepared images, from any step on."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from ppaint_distill.batches import MicroBatch, augment_image, draw_batch, look_ahead, make_micro_batch
from ppaint_distill.config import TrainConfig
from ppaint_distill.data import IntArray, TrainingData
from ppaint_distill.errors import ConfigError
from ppaint_distill.images import load_image
from ppaint_distill.reading import SlotInputs
from ppaint_distill.trainer.student import Student


@dataclass(frozen=True)
class Piece:
    """One forward pass.

    Parameters
    ----------
    part
        Rows and their targets.
    totals
        Weight of pairs, number of targets and of slots in the whole batch.
    inputs
        Prepared images and text.
    last
        Whether it is this process's last of the step.
    """

    part: MicroBatch
    totals: tuple[float, float, float]
    inputs: SlotInputs
    last: bool


def feed(
    student: Student,
    data: TrainingData,
    rows: IntArray,
    settings: TrainConfig,
    *,
    after: int,
    n_parts: int,
    process: int = 0,
    n_processes: int = 1,
) -> Generator[Piece, None, None]:
    """Yield the pieces of every step, one ahead of the loop.

    Parameters
    ----------
    student
        Prepares images.
    data
        Training data.
    rows
        Rows that are trained on.
    settings
        Of training.
    after
        Step after which to begin.
    n_parts
        Micro batches of a step, over all processes.
    process, n_processes
        Number of this process, which takes every ``n_processes``-th piece, and how many there are.

    Yields
    ------
    Piece
        In order.
    """

    def plan() -> Iterator[tuple[MicroBatch, tuple[float, float, float], bool]]:
        for step in range(after + 1, settings.max_steps + 1):
            batch = draw_batch(rows, step, batch_size=settings.batch_size, random_seed=settings.random_seed)
            # Rows are sorted by category, so that a part holds few categories and many pairs.
            parts = [
                make_micro_batch(data, part, step=step, preferences=settings.preferences, weigh=settings.confidence)
                for part in np.array_split(batch, n_parts)
            ]
            pairs, targets, slots = np.sum([part.totals for part in parts], axis=0).tolist()
            own = parts[process::n_processes]
            yield from ((part, (pairs, targets, slots), part is own[-1]) for part in own)

    def prepare(planned: tuple[MicroBatch, tuple[float, float, float], bool]) -> Piece:
        part, totals, last = planned
        shown = []
        for row in part.rows:
            rng = np.random.default_rng([settings.random_seed, part.step, int(row)])
            shown.append(augment_image(load_image(data.files[row].path), settings.augment, rng))
        return Piece(part, totals, student.prepare(shown), last)

    yield from look_ahead(plan(), prepare)


def count_parts(settings: TrainConfig, n_rows: int, n_processes: int) -> int:
    """Return the number of micro batches in a step.

    Parameters
    ----------
    settings
        Of training.
    n_rows
        Rows that are trained on.
    n_processes
        Processes that share a batch.

    Returns
    -------
    int
        The same for every step.

    Raises
    ------
    ConfigError
        If the processes would not get equally many.
    """
    batch_size = min(settings.batch_size, n_rows)
    largest = settings.micro_batch_size or -(-batch_size // n_processes)
    n_parts = -(-batch_size // largest)
    if n_parts % n_processes:
        raise ConfigError(
            f"train.batch_size={batch_size} makes {n_parts} micro batches of at most {largest}, which {n_processes} "
            "processes cannot share equally; choose a multiple"
        )
    return n_parts
