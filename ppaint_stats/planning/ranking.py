"""How well items are expected to be ranked: estimates are drawn around the true consensus, and put in order."""

from dataclasses import dataclass

import numpy as np

from ppaint_stats.planning.contrasts import contrast_basis
from ppaint_stats.typing import FloatArray

_REPLICATES = 40


@dataclass(frozen=True)
class Ranking:
    """Means over dimensions and replicates.

    ``srcc`` is the rank correlation of estimates and truth, ``pairs_right`` the share of item pairs in the right order,
    ``best_right`` how often the truly best item comes first.
    """

    srcc: float
    pairs_right: float
    best_right: float


def expect_ranking(
    theta: FloatArray, mean: FloatArray, cov: FloatArray, prior_precision: FloatArray, *, rng: np.random.Generator
) -> Ranking:
    r"""Rank estimates of the consensus.

    Parameters
    ----------
    theta
        True utilities, shape (item, dimension).
    mean
        What was believed of their contrasts before, dimension by dimension; a vector or empty for 0.
    cov
        Posterior covariance C of the contrasts.
    prior_precision
        Precision P of what was believed before.
    rng
        Random numbers.

    Returns
    -------
    Ranking
        Expected accuracy.

    Notes
    -----
    A posterior mean is the prior's plus :math:`(I - C P)(\theta - m)` plus noise of covariance :math:`C - C P C`.
    Errors are largest at the ends, where answers saturate, yet an item at an end stays there: errors are therefore
    added on a scale that is stretched so that all items are known equally well, a variance-stabilising map that keeps
    the order.
    """
    n_items, n_dims = theta.shape
    basis = contrast_basis(n_items)
    truth = (basis.T @ theta).T.ravel()
    before = np.zeros_like(truth) if mean.size == 0 else mean
    kept = cov @ prior_precision
    noise = cov - kept @ cov
    values, vectors = np.linalg.eigh((noise + noise.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    centre = before + (truth - before) - kept @ (truth - before)
    drawn = centre + rng.standard_normal((_REPLICATES, len(truth))) @ root.T
    error = drawn.reshape(_REPLICATES, n_dims, n_items - 1) @ basis.T - theta.T
    blocks = cov.reshape(n_dims, n_items - 1, n_dims, n_items - 1)
    sd = np.stack([np.sqrt(np.einsum("ij,jk,ik->i", basis, blocks[d, :, d], basis)) for d in range(n_dims)])
    even = _even_out(theta.T, sd)
    return Ranking(*(float(np.mean(x)) for x in _compare_orders(even + error / sd, theta.T)))


def _even_out(theta: FloatArray, sd: FloatArray) -> FloatArray:
    """Put utilities on a scale on which all are known equally well, both of shape (dimension, item)."""
    order = np.argsort(theta, axis=1)
    ranked, own = np.take_along_axis(theta, order, 1), np.take_along_axis(sd, order, 1)
    steps = np.diff(ranked, axis=1) * (1 / own[:, 1:] + 1 / own[:, :-1]) / 2
    even = np.zeros_like(theta)
    np.put_along_axis(even, order, np.concatenate([np.zeros((len(theta), 1)), np.cumsum(steps, axis=1)], axis=1), 1)
    return even


def _compare_orders(found: FloatArray, true: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rank correlation, share of pairs in order, and whether the best is found; `found` is (replicate, dim, item)."""
    n = true.shape[1]
    rank, rank_true = (x.argsort(axis=-1).argsort(axis=-1) - (n - 1) / 2 for x in (found, true))
    srcc = (rank * rank_true).sum(axis=-1) / (rank_true**2).sum(axis=-1)
    i, j = np.triu_indices(n, 1)
    right = np.sign(found[..., i] - found[..., j]) == np.sign(true[:, i] - true[:, j])
    best = found.argmax(axis=-1) == true.argmax(axis=-1)
    return srcc, right.mean(axis=-1), best.astype(float)
