"""Independent random streams from one seed."""

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
    if isinstance(random_seed, int) and random_seed < 0:
        raise ArgumentError(f"random_seed = {random_seed} is not allowed: a non-negative integer is")
    parent = random_seed if isinstance(random_seed, np.random.SeedSequence) else np.random.SeedSequence(random_seed)
    return [
        np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, part), pool_size=parent.pool_size)
        for part in range(n_parts)
    ]
