"""Batches of training: their order, the targets of their pairs, random changes of images, work done ahead.

Whatever is random depends on the seed and the step alone, so that a run can go on from any step.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ppaint_distill.data import FloatArray, IntArray, TrainingData
from ppaint_distill.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import Tensor

AUGMENTATIONS = ("flip-horizontal", "flip-vertical", "rotate", "invert")


@dataclass(frozen=True)
class MicroBatch:
    """Images of one forward pass, with their targets.

    Parameters
    ----------
    step
        The optimiser step to which it belongs.
    rows
        Rows of the training data.
    scores, present
        Targets, 0 where there is none, and where there is one; shape (B, D).
    preferences, weights
        Target preferences and weights of pairs, shape (B, B, D); only i < j counts.
    """

    step: int
    rows: IntArray
    scores: "Tensor"
    present: "Tensor"
    preferences: "Tensor"
    weights: "Tensor"

    @property
    def totals(self) -> FloatArray:
        """Weight of the pairs, number of targets, and number of slots."""
        pairs = self.weights.sum().item() / 2  # both [i, j] and [j, i]; [i, i] has no weight
        return np.array([pairs, self.present.sum().item(), self.present.numel()], dtype=np.float64)

    def to(self, device: "torch.device") -> "MicroBatch":
        """Return the same targets on another device."""
        names = ("scores", "present", "preferences", "weights")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def draw_batch(rows: IntArray, step: int, *, batch_size: int, random_seed: int) -> IntArray:
    """Return the rows of a step: each epoch is a new order of all rows, cut into batches.

    Parameters
    ----------
    rows
        Rows of training.
    step
        Number of the step, from 1.
    batch_size
        Rows in a batch; with fewer rows than that all of them are one batch. What is left at the end of an epoch is
        left out of that epoch.
    random_seed
        Seed.

    Returns
    -------
    ndarray
        Rows, ascending.

    Examples
    --------
    >>> first = draw_batch(np.arange(6), 1, batch_size=3, random_seed=0)
    >>> second = draw_batch(np.arange(6), 2, batch_size=3, random_seed=0)
    >>> sorted([*first.tolist(), *second.tolist()])
    [0, 1, 2, 3, 4, 5]
    """
    per_epoch = max(1, len(rows) // batch_size)
    epoch, place = divmod(step - 1, per_epoch)
    order = np.random.default_rng([random_seed, epoch]).permutation(len(rows))
    return np.sort(rows[order[place * batch_size : (place + 1) * batch_size]])


def make_micro_batch(
    data: TrainingData, rows: IntArray, *, step: int, preferences: Literal["soft", "hard"], weigh: bool
) -> MicroBatch:
    """Build the targets of some rows.

    Parameters
    ----------
    data
        Training data.
    rows
        Rows of the micro batch.
    step
        Number of the step.
    preferences
        ``soft``: P(score i > score j) from joint draws, or from mean and sd where there are none; ``hard``: the order
        of the scores.
    weigh
        Whether pairs are weighted by abs(2 p - 1).

    Returns
    -------
    MicroBatch
        Targets as float32 tensors; pairs across categories and pairs without targets have weight 0.
    """
    import torch

    from ppaint_distill.objectives import confidence, hard_preferences, normal_preferences, target_preferences

    scores = torch.from_numpy(data.scores[rows])
    present = ~scores.isnan()
    if preferences == "hard":
        pairs = hard_preferences(scores)
    elif data.draws is not None:
        pairs = target_preferences(torch.from_numpy(data.draws[:, rows])).double()
    else:
        pairs = normal_preferences(scores, torch.from_numpy(data.sds[rows]))
    names = np.array([data.categories[row] for row in rows])
    alike = torch.from_numpy(names[:, None] == names[None, :]).unsqueeze(-1)
    others = ~torch.eye(len(rows), dtype=torch.bool).unsqueeze(-1)
    usable = alike & others & present.unsqueeze(0) & present.unsqueeze(1)
    pairs = torch.where(usable, pairs, 0.5)
    weights = usable * (confidence(pairs) if weigh else torch.ones_like(pairs))
    return MicroBatch(step, rows, scores.nan_to_num(0.0).float(), present, pairs.float(), weights.float())


def augment_image(image: "Image.Image", names: Sequence[str], rng: np.random.Generator) -> "Image.Image":
    """Change an image at random, in ways that leave its score as it is.

    Parameters
    ----------
    image
        An RGB image.
    names
        Which changes may be made, of `AUGMENTATIONS`; flips and inversion with probability one half, all quarter turns
        with equal probability.
    rng
        Generator.

    Returns
    -------
    PIL.Image.Image
        A changed copy, or the image itself.
    """
    from PIL import ImageOps
    from PIL.Image import Transpose

    check_augmentations(names)
    transposes = {
        "flip-horizontal": (None, Transpose.FLIP_LEFT_RIGHT),
        "flip-vertical": (None, Transpose.FLIP_TOP_BOTTOM),
        "rotate": (None, Transpose.ROTATE_90, Transpose.ROTATE_180, Transpose.ROTATE_270),
    }
    for name in names:
        if name == "invert":
            image = ImageOps.invert(image) if rng.integers(2) else image
        else:
            turn = transposes[name][rng.integers(len(transposes[name]))]
            image = image if turn is None else image.transpose(turn)
    return image


def check_augmentations(names: Sequence[str]) -> None:
    """Refuse names of changes that are not known.

    Parameters
    ----------
    names
        Names.

    Raises
    ------
    ConfigError
        If one is not in `AUGMENTATIONS`.
    """
    unknown = [name for name in names if name not in AUGMENTATIONS]
    if unknown:
        raise ConfigError(f"train.augment={unknown!r} is not allowed: names out of {', '.join(AUGMENTATIONS)} are")


def look_ahead[T, R](
    work: Iterable[T], make: Callable[[T], R], *, depth: int = 1, n_threads: int = 1
) -> Generator[R, None, None]:
    """Yield ``make`` of each piece of work in order, made in threads while the caller works on the one before.

    Parameters
    ----------
    work
        Pieces of work; iterated in the caller's thread.
    make
        Makes a result.
    depth
        How many results are made ahead.
    n_threads
        How many threads make them.
    """
    with ThreadPoolExecutor(n_threads) as pool:
        ahead: deque[Future[R]] = deque()
        try:
            for piece in work:
                ahead.append(pool.submit(make, piece))
                if len(ahead) > depth:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
