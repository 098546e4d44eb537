"""Orthonormal bases of vectors that sum to zero: how utilities are sampled without a direction that nothing fixes."""

import numpy as np

from ppaint_stats.kernels.davidson import PairCounts, pair_terms, scatter_pairs
from ppaint_stats.typing import FloatArray, IntArray

PENALTY = 0.1
"""Ridge of the first estimate, so that items that always win have finite strengths."""

NEWTON_STEPS = 8


def helmert_basis(n: int) -> FloatArray:
    """Build an orthonormal basis of the vectors of length n that sum to zero.

    Parameters
    ----------
    n
        Length.

    Returns
    -------
    ndarray of shape (n, n - 1)
        Columns of length one, orthogonal to each other and to the constant vector.

    Examples
    --------
    >>> helmert_basis(2).round(3).tolist()
    [[0.707], [-0.707]]
    """
    basis = np.zeros((n, max(n - 1, 0)))
    for j in range(1, n):
        basis[:j, j - 1] = 1.0
        basis[j, j - 1] = -j
        basis[:, j - 1] /= np.sqrt(j * (j + 1))
    return basis


def spectral_basis(pairs: PairCounts) -> FloatArray:
    """Build such a basis of the directions in which comparisons inform independently.

    Comparisons determine slow waves along a chain of items far less than fast ones, and tell little of items far
    apart. The eigenvectors of the information matrix, at a first estimate of the items' strengths, take both into
    account: in this basis the posterior's precision is nearly diagonal, which a diagonal mass matrix can follow.

    Parameters
    ----------
    pairs
        Comparisons of all raters in all dimensions.

    Returns
    -------
    ndarray of shape (items, items - 1)
        Columns of length one, orthogonal to each other and to the constant vector, well informed directions last.
    """
    inner = helmert_basis(pairs.n_items)
    if not len(pairs.a):
        return inner
    ties, decided = pairs.ties.sum(), (pairs.wins_a + pairs.wins_b).sum()
    log_nu = float(np.log(2 * (ties + 1) / (decided + 1)))
    strength = np.zeros(pairs.n_items)
    for _ in range(NEWTON_STEPS):
        terms = pair_terms(pairs, strength[pairs.a] - strength[pairs.b], log_nu)
        information = _laplacian(pairs, terms.info_dd)
        pull = scatter_pairs(pairs, terms.score_d) - PENALTY * strength
        strength += np.linalg.solve(information + PENALTY * np.eye(pairs.n_items), pull)
    # The eigenproblem is solved among the vectors that sum to zero: with several components the constant vector
    # would otherwise mix with the others of eigenvalue zero.
    vectors = np.linalg.eigh(inner.T @ information @ inner)[1]
    return np.asarray(inner @ vectors)


def _laplacian(pairs: PairCounts, weight: FloatArray) -> FloatArray:
    matrix = np.zeros((pairs.n_items, pairs.n_items))
    np.add.at(matrix, (pairs.a, pairs.b), -weight)
    matrix += matrix.T
    matrix[np.diag_indices(pairs.n_items)] -= matrix.sum(axis=1)
    return matrix


def mean_basis(n: int) -> FloatArray:
    """Build an orthonormal basis whose last vector is the constant one and whose others sum to zero.

    Parameters
    ----------
    n
        Length.

    Returns
    -------
    ndarray of shape (n, n)
        The basis, empty for n = 0.
    """
    return np.column_stack([helmert_basis(n), np.full(n, 1 / np.sqrt(max(n, 1)))]) if n else np.zeros((0, 0))


def panel_basis(panel: IntArray) -> FloatArray:
    """Build an orthonormal basis of the vectors that sum to zero over each panel.

    Parameters
    ----------
    panel
        Panel of each rater, from 0.

    Returns
    -------
    ndarray of shape (raters, raters - panels)
        The basis.

    Examples
    --------
    >>> panel_basis(np.array([0, 1, 0])).round(3).tolist()
    [[0.707], [0.0], [-0.707]]
    """
    n_panels = len(np.unique(panel))
    basis = np.zeros((len(panel), len(panel) - n_panels))
    column = 0
    for k in range(n_panels):
        members = np.flatnonzero(panel == k)
        basis[members, column : column + len(members) - 1] = helmert_basis(len(members))
        column += len(members) - 1
    return basis
