"""Independent random streams from one seed."""

import operator

import numpy as np

from ppaint_stats.errors import ArgumentError
from ppaint_stats.typing import RandomSeed


def split_seed(random_seed: RandomSeed, n_parts: int) -> list[np.random.SeedSequence]:
    """Derive independent seeds from one, the same ones every time.

    `numpy.random.SeedSequence.spawn` counts its calls; here the same sequence object gives the same children again.

    Parameters
    ----------
    random_seed : int or numpy.random.SeedSequence or None
        The parent; None draws fresh entropy.
    n_parts : int
        Number of children. The first ones do not depend on it.

    Returns
    -------
    list of numpy.random.SeedSequence
        The children.

    Raises
    ------
    ArgumentError
        If the seed is negative.

    Examples
    --------
    >>> [int(child.generate_state(1)[0]) for child in split_seed(1, 2)] == [
    ...     int(child.generate_state(1)[0]) for child in split_seed(1, 3)[:2]
    ... ]
    True
    """
    check_seed(random_seed)
    parent = random_seed if isinstance(random_seed, np.random.SeedSequence) else np.random.SeedSequence(random_seed)
    return [
        np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, part), pool_size=parent.pool_size)
        for part in range(n_parts)
    ]


def check_seed(random_seed: RandomSeed) -> None:
    """Refuse what is no seed.

    Parameters
    ----------
    random_seed : int or numpy.random.SeedSequence or None
        A seed.

    Raises
    ------
    ArgumentError
        If it is none, or negative.
    """
    if random_seed is None or isinstance(random_seed, np.random.SeedSequence):
        return
    try:
        value = operator.index(random_seed)
    except TypeError:
        value = -1
    if value < 0:
        raise ArgumentError(f"random_seed = {random_seed!r} is not allowed: a non-negative integer is")


def describe_seed(random_seed: RandomSeed) -> int | None:
    """Return the integer that settings record: the seed itself, or the first word of a sequence's state.

    Parameters
    ----------
    random_seed : int or numpy.random.SeedSequence or None
        A seed.

    Returns
    -------
    int or None
        A seed that can be written down.
    """
    if isinstance(random_seed, np.random.SeedSequence):
        return int(random_seed.generate_state(1, dtype=np.uint64)[0])
    return None if random_seed is None else operator.index(random_seed)
