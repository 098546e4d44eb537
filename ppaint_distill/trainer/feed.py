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
            if n_parts > 1:
                batch = mix_within_categories(data, batch, step=step, random_seed=settings.random_seed)
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


def mix_within_categories(data: TrainingData, batch: IntArray, *, step: int, random_seed: int) -> IntArray:
    """Order a batch so that it can be cut: by category, for many pairs, and at random within each.

    In the order of the rows, which is that of the items' names, only images of neighbouring names would ever meet:
    those of one artist, or of one generator, if names say so.

    Parameters
    ----------
    data
        Training data.
    batch
        Rows of a batch.
    step
        Number of the step.
    random_seed
        Seed.

    Returns
    -------
    ndarray
        The same rows.
    """
    number = {name: place for place, name in enumerate(dict.fromkeys(data.categories))}
    mixed = np.random.default_rng([random_seed, step, 0, 1]).permutation(batch)
    category = np.array([number[data.categories[row]] for row in mixed])
    return np.asarray(mixed[np.argsort(category, kind="stable")])


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
        If the processes would not get equally many, or no micro batch would have a pair.
    """
    batch_size = min(settings.batch_size, n_rows)
    largest = settings.micro_batch_size or -(-batch_size // n_processes)
    n_parts = -(-batch_size // largest)
    if n_parts % n_processes:
        raise ConfigError(
            f"train.batch_size={batch_size} makes {n_parts} micro batches of at most {largest}, which {n_processes} "
            "processes cannot share equally; choose a multiple"
        )
    if settings.ranking_weight > 0 and batch_size <= n_parts:
        raise ConfigError(
            f"a batch of {batch_size} (train.batch_size={settings.batch_size}, {n_rows} training rows) is cut into "
            f"{n_parts} micro batches of one image, without any pair: a larger batch, fewer processes, or "
            "train.ranking_weight=0 is allowed"
        )
    return n_parts
