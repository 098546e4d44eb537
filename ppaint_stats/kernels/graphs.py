"""Connectivity of comparison graphs: which items can be ranked against which."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order, connected_components

from ppaint_stats.kernels.davidson import PairCounts
from ppaint_stats.typing import FloatArray, IntArray


def link_components(a: IntArray, b: IntArray, n: int) -> IntArray:
    """Connected component of each of ``n`` nodes under the undirected edges (a, b), numbered from 0."""
    graph = sp.coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(n, n)).tocsr()
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


@dataclass(frozen=True)
class Separation:
    """Where the maximum-likelihood strengths run off to infinity.

    ``component`` numbers the groups inside which finite strengths exist (strongly connected by wins and ties);
    ``limit`` is 0 for items of the largest group of each connected component, +-inf for items that are
    above or below it by an unbroken chain, nan for those that no chain orders against it.
    """

    component: IntArray
    limit: FloatArray


def find_separation(pairs: PairCounts, weak: IntArray) -> Separation:
    """Find the items without finite strengths (Ford 1957; ties link both ways, Davidson 1970)."""
    n = pairs.n_items
    tied = pairs.ties > 0
    a_beats, b_beats = (pairs.wins_a > 0) | tied, (pairs.wins_b > 0) | tied
    winner = np.r_[pairs.a[a_beats], pairs.b[b_beats]]
    loser = np.r_[pairs.b[a_beats], pairs.a[b_beats]]
    beats = sp.coo_matrix((np.ones(len(winner), dtype=np.int8), (winner, loser)), shape=(n, n)).tocsr()
    strong = np.asarray(connected_components(beats, directed=True, connection="strong")[1], dtype=np.int64)
    limit = np.zeros(n)
    if strong.max(initial=-1) == weak.max(initial=-1):  # every component is strongly connected
        return Separation(weak, limit)
    sizes = np.bincount(strong)
    is_beaten_by = beats.T.tocsr()
    for group in range(int(weak.max()) + 1):
        members = np.flatnonzero(weak == group)
        main = members[np.argmax(sizes[strong[members]])]
        inside = strong == strong[main]
        below, above = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        below[breadth_first_order(beats, main, return_predecessors=False)] = True
        above[breadth_first_order(is_beaten_by, main, return_predecessors=False)] = True
        outside = members[~inside[members]]
        limit[outside] = np.where(below[outside], -np.inf, np.where(above[outside], np.inf, np.nan))
    return Separation(strong, limit)


def fits_order_alone(a: IntArray, b: IntArray, n: int) -> bool:
    """Whether strengths can imitate an advantage of the first position: some vector has x[a] - x[b] = 1 on every edge.

    Then an order effect is not determined by the comparisons, as where no pair was shown in both orders and no cycle of
    pairs tells.
    """
    edges = len(a)
    forward = sp.coo_matrix((np.ones(edges), (a, b)), shape=(n, n)).tocsr()
    if forward.multiply(forward.T).nnz:  # one pair in both orders is enough to tell
        return False
    graph = (forward + forward.T).tocsr()
    component = link_components(a, b, n)
    level = np.zeros(n)
    for root in np.unique(component, return_index=True)[1]:
        order, before = breadth_first_order(graph, root, directed=False)
        parent = before[order[1:]]
        step = np.where(np.asarray(forward[order[1:], parent]).ravel() > 0, 1.0, -1.0)
        for node, above, up in zip(order[1:].tolist(), parent.tolist(), step.tolist(), strict=True):
            level[node] = level[above] + up
    return bool((level[a] - level[b] == 1).all())
