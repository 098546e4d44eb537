r"""Triads of one rater's comparisons, counted by products of adjacency matrices.

With P[i, j] = 1 where i is preferred to j, and T[i, j] = 1 where the two are tied, the strict cycles i > j > k > i are
:math:`\mathrm{tr}(P^3) / 3`, and every other pattern of three judged pairs is such a product as well.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ppaint_stats.typing import FloatArray, IntArray

DENSE_LIMIT = 1000
"""Items up to which matrices are dense."""


@dataclass(frozen=True)
class Triads:
    """Triads of items whose three pairs were all judged, by pattern.

    Parameters
    ----------
    judged
        All of them.
    decided
        Without a tie.
    circular
        Without a tie and in a cycle, i > j > k > i.
    one_tie, two_ties, all_ties
        By the number of ties among the three pairs.
    broken_chains
        One tie, though a third item stands between the two tied ones: i > k > j, but i ~ j.

    Notes
    -----
    Every triad with exactly two ties, i ~ k and k ~ j but i > j, breaks the transitivity of indifference.
    """

    judged: int
    decided: int
    circular: int
    one_tie: int
    two_ties: int
    all_ties: int
    broken_chains: int


def count_triads(a: IntArray, b: IntArray, sign: FloatArray, n_items: int) -> Triads:
    """Count the triads of one rater.

    Parameters
    ----------
    a, b
        Items of each judged pair, each pair once, shape (pairs,).
    sign
        Above 0 where a is preferred, below 0 where b is, 0 for a tie.
    n_items
        Number of items.

    Examples
    --------
    >>> import numpy as np
    >>> count_triads(np.array([0, 1, 0]), np.array([1, 2, 2]), np.array([1.0, 1.0, -1.0]), 3).circular
    1
    """
    prefer = _matrix(np.where(sign > 0, a, b)[sign != 0], np.where(sign > 0, b, a)[sign != 0], n_items)
    tied = _matrix(np.r_[a, b][np.r_[sign, sign] == 0], np.r_[b, a][np.r_[sign, sign] == 0], n_items)
    decided = prefer + prefer.T
    chain, both_tied = prefer @ prefer, tied @ tied
    parts = {
        "decided": _overlap(decided @ decided, decided) // 6,
        "one_tie": _overlap(decided @ decided, tied) // 2,
        "two_ties": _overlap(both_tied, decided) // 2,
        "all_ties": _overlap(both_tied, tied) // 6,
    }
    return Triads(
        judged=sum(parts.values()),
        circular=_overlap(chain, prefer.T) // 3,
        broken_chains=_overlap(chain, tied),
        **parts,
    )


def _matrix(row: IntArray, column: IntArray, n: int) -> Any:
    if n > DENSE_LIMIT:
        return sp.csr_array((np.ones(len(row)), (row, column)), shape=(n, n))
    dense = np.zeros((n, n))
    dense[row, column] = 1.0
    return dense


def _overlap(x: Any, y: Any) -> int:
    """Sum of the products of equal places."""
    if isinstance(x, np.ndarray):
        return round(float(np.vdot(x, np.ascontiguousarray(y))))
    return round(float(x.multiply(y).sum()))
