"""Laplacian: solves and diagonals against dense linear algebra."""

import numpy as np
import pytest

from ppaint_stats.kernels.graphs import link_components
from ppaint_stats.kernels.laplacian import Laplacian


def make_graph(kind, rng):
    n = 400
    if kind == "random":
        a, b = rng.integers(n, size=(2, 10 * n))
    elif kind == "banded":  # locally dense: neighbours in one order, as in a design by a first estimate
        a, b = np.array([(i, i + gap) for i in range(n) for gap in range(1, 9) if i + gap < n]).T
    elif kind == "chain":
        a = np.r_[np.arange(n - 1), rng.integers(n, size=8)]
        b = np.r_[np.arange(1, n), rng.integers(n, size=8)]
    else:  # three random parts
        part = rng.integers(3, size=8 * n)
        a, b = (3 * rng.integers(n // 3, size=8 * n) + part for _ in range(2))
        n = 3 * (n // 3)
    keep = a != b
    return a[keep], b[keep], n


def dense_inverse(a, b, n, weight, ridge):
    incidence = np.zeros((len(a), n))
    incidence[np.arange(len(a)), a], incidence[np.arange(len(a)), b] = 1, -1
    matrix = incidence.T @ (weight[:, None] * incidence) + ridge * np.eye(n)
    return matrix, np.linalg.pinv(matrix, hermitian=True) if ridge == 0 else np.linalg.inv(matrix)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["random", "banded", "chain", "parts"])
def test_solves_and_exact_diagonals(kind, ridge):
    rng = np.random.default_rng(2)
    a, b, n = make_graph(kind, rng)
    graph = Laplacian(a, b, n, link_components(a, b, n), ridge=ridge)
    weight = rng.uniform(0.2, 2, len(a))
    graph.set_weights(weight)
    matrix, inverse = dense_inverse(a, b, n, weight, ridge)
    rhs = rng.normal(size=(n, 3))
    before = rhs.copy()
    np.testing.assert_allclose(graph.solve(rhs), inverse @ rhs, atol=1e-5 * np.abs(inverse @ rhs).max())
    np.testing.assert_array_equal(rhs, before)
    np.testing.assert_allclose(graph.inverse_diagonal(), np.diag(inverse), rtol=1e-7)
    np.testing.assert_allclose(np.diag(matrix), graph.degree)


# Relative errors of variances with 64 samples: (median, largest). Only the opponents' uncertainty is estimated, so that
# well-connected graphs are nearly exact; where errors travel far (bands, chains, a ridge that barely holds the common
# level) that is most of the variance, and the error is that of 64 samples, sqrt(2 / 64) = 0.18.
BOUNDS = {
    ("random", 0.0): (0.01, 0.06), ("random", 0.3): (0.06, 0.2),
    ("parts", 0.0): (0.01, 0.08), ("parts", 0.3): (0.06, 0.3),
    ("banded", 0.0): (0.2, 0.6), ("banded", 0.3): (0.15, 0.6), ("chain", 0.0): (0.2, 0.7), ("chain", 0.3): (0.15, 0.7),
}  # fmt: skip


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["random", "banded", "chain", "parts"])
def test_estimated_diagonals(kind, ridge):
    rng = np.random.default_rng(3)
    a, b, n = make_graph(kind, rng)
    graph = Laplacian(a, b, n, link_components(a, b, n), ridge=ridge)
    graph.set_weights(rng.uniform(0.2, 2, len(a)))
    exact = graph.inverse_diagonal(exact=True)
    error = np.abs(graph.inverse_diagonal(exact=False) / exact - 1)
    median, largest = BOUNDS[kind, ridge]
    assert np.median(error) < median
    assert error.max() < largest
    # unbiased: over many seeds the mean comes close
    many = np.mean([graph.inverse_diagonal(exact=False, random_seed=s) for s in range(12)], axis=0)
    assert np.median(np.abs(many / exact - 1)) < median / 2


def test_a_lone_node_and_a_pair():
    graph = Laplacian(np.array([0]), np.array([1]), 3, np.array([0, 0, 1]))
    graph.set_weights(np.array([2.0]))
    np.testing.assert_allclose(graph.inverse_diagonal(exact=True), [1 / 8, 1 / 8, 0], atol=1e-12)
    estimate = graph.inverse_diagonal(exact=False, n_samples=4000)
    np.testing.assert_allclose(estimate, [1 / 8, 1 / 8, 0], rtol=0.1)
    np.testing.assert_allclose(graph.solve(np.array([[1.0], [-1.0], [0.0]])), [[1 / 4], [-1 / 4], [0]])


def test_parallel_edges_add():
    one = Laplacian(np.array([0, 0]), np.array([1, 1]), 2, np.zeros(2, dtype=int), ridge=1.0)
    one.set_weights(np.array([1.0, 2.0]))
    two = Laplacian(np.array([0]), np.array([1]), 2, np.zeros(2, dtype=int), ridge=1.0)
    two.set_weights(np.array([3.0]))
    np.testing.assert_allclose(one.inverse_diagonal(), two.inverse_diagonal())


def test_a_singular_matrix_is_refused():
    graph = Laplacian(np.array([0]), np.array([1]), 3, np.zeros(3, dtype=int))  # node 2 is not linked
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        graph.inverse_diagonal()
    chain = Laplacian(np.arange(99), np.arange(1, 100), 100, np.zeros(100, dtype=int))
    with pytest.raises(np.linalg.LinAlgError, match="did not converge in 5"):
        chain.solve(np.arange(100.0)[:, None], max_iter=5)
