"""Contrasts of items: the basis that every step of a plan uses, built once for each number of items."""

from functools import lru_cache

from ppaint_stats.joint.bases import helmert_basis
from ppaint_stats.typing import FloatArray


@lru_cache(maxsize=64)
def contrast_basis(n: int) -> FloatArray:
    """Orthonormal basis of the vectors of length n that sum to zero, not to be written to.

    Examples
    --------
    >>> contrast_basis(2).round(3).tolist()
    [[0.707], [-0.707]]
    """
    basis = helmert_basis(n)
    basis.setflags(write=False)
    return basis
