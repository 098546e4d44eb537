r"""Weighted graph Laplacians: products, conjugate gradients, diagonals of the pseudo-inverse.

The information matrix of any model of differences is :math:`L = B^\top W B`, B the incidence matrix of the comparison
graph, plus perhaps a ridge. It is never stored densely here except for the exact diagonal of its inverse on
at most :data:`EXACT_LIMIT` nodes.
"""

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from ppaint_stats.typing import FloatArray, IntArray

EXACT_LIMIT = 2500
"""Nodes up to which :meth:`Laplacian.inverse_diagonal` is exact (a dense factor of at most 50 MB)."""


class Laplacian:
    """Laplacian of a graph whose weights change while its edges stay.

    Parameters
    ----------
    a, b
        Ends of the edges, shape (edges,); parallel edges are allowed.
    n
        Number of nodes.
    component
        Connected component of each node. Without a ridge, solutions sum to zero in each.
    ridge
        Added to the diagonal.
    """

    def __init__(self, a: IntArray, b: IntArray, n: int, component: IntArray, *, ridge: float = 0.0) -> None:
        self.a, self.b, self.n, self.ridge = a, b, n, ridge
        self.component = component
        self.sizes = np.bincount(component, minlength=int(component.max(initial=-1)) + 1).astype(np.float64)
        edges = len(a)
        index = sp.coo_matrix((np.arange(2 * edges, dtype=np.int32), (np.r_[a, b], np.r_[b, a])), shape=(n, n))
        index.has_canonical_format = True  # keeps parallel edges apart: nothing is summed
        pattern = index.tocsr()
        self._edge = pattern.data % max(edges, 1)
        self._pattern = (pattern.indices, pattern.indptr)
        self.set_weights(np.ones(edges))

    def set_weights(self, weight: FloatArray) -> None:
        """Replace the edges' weights, shape (edges,)."""
        self.weight = weight
        self.adjacency = sp.csr_matrix((weight[self._edge], *self._pattern), shape=(self.n, self.n))
        degree = np.bincount(self.a, weights=weight, minlength=self.n)
        self.degree = degree + np.bincount(self.b, weights=weight, minlength=self.n) + self.ridge

    def centre(self, x: FloatArray) -> FloatArray:
        """Subtract each component's mean from the columns of x, shape (n, k); with a ridge x stays as it is."""
        if self.ridge > 0:
            return x
        if len(self.sizes) == 1:
            return x - x.mean(axis=0)
        sums = np.stack(
            [np.bincount(self.component, weights=column, minlength=len(self.sizes)) for column in x.T], axis=1
        )
        return x - (sums / self.sizes[:, None])[self.component]

    def solve(self, rhs: FloatArray, *, rtol: float = 1e-8, max_iter: int = 5000) -> FloatArray:
        """Solve for the columns of ``rhs``, shape (n, k), by Jacobi-preconditioned conjugate gradients, all at once.

        Raises
        ------
        np.linalg.LinAlgError
            If a column has not converged after ``max_iter`` iterations.
        """
        inverse_degree = 1 / np.maximum(self.degree, np.finfo(float).tiny)[:, None]
        residual = np.array(self.centre(rhs))  # a copy: it is updated in place
        x = np.zeros_like(residual)
        goal = rtol * np.linalg.norm(residual, axis=0)
        z = self.centre(residual * inverse_degree)
        direction, rho = z.copy(), (residual * z).sum(axis=0)
        for _ in range(max_iter):
            if (np.linalg.norm(residual, axis=0) <= goal).all():
                return self.centre(x)
            image = self.degree[:, None] * direction - self.adjacency @ direction
            curvature = (direction * image).sum(axis=0)
            step = np.divide(rho, curvature, out=np.zeros_like(rho), where=curvature > 0)
            x += step * direction
            residual -= step * image
            z = self.centre(residual * inverse_degree)
            rho_next = (residual * z).sum(axis=0)
            direction = z + np.divide(rho_next, rho, out=np.zeros_like(rho), where=rho > 0) * direction
            rho = rho_next
        if (np.linalg.norm(residual, axis=0) <= goal).all():
            return self.centre(x)
        message = f"conjugate gradients did not converge in {max_iter} iterations"
        raise np.linalg.LinAlgError(message)

    def inverse_diagonal(self, *, n_samples: int = 64, random_seed: int = 0, exact: bool | None = None) -> FloatArray:
        r"""Diagonal of the pseudo-inverse, shape (n,).

        Exact by a dense factor up to :data:`EXACT_LIMIT` nodes. Beyond, the Rao-Blackwellised Monte Carlo estimate of
        Sidén, Lindgren, Bolin & Villani (2018): with D the degrees, A the weights and x drawn from
        :math:`N(0, L^+)` through one linear solve each,
        :math:`L^+_{ii} = (1 - 2/n)/D_{ii} + \mathrm{Var}[(Ax)_i / D_{ii}]`, where only the second, small part is
        estimated (its relative error is about :math:`\sqrt{2/S}`; without centring the factor is 1).
        """
        if exact if exact is not None else self.n <= EXACT_LIMIT:
            return self._exact_inverse_diagonal()
        rng = np.random.default_rng(random_seed)
        variance, batch = np.zeros(self.n), 8
        root = np.sqrt(self.weight)
        for start in range(0, n_samples, batch):
            width = min(batch, n_samples - start)
            rhs = np.empty((self.n, width))
            for k in range(width):
                noise = root * rng.standard_normal(len(root))
                rhs[:, k] = np.bincount(self.a, weights=noise, minlength=self.n)
                rhs[:, k] -= np.bincount(self.b, weights=noise, minlength=self.n)
                if self.ridge > 0:
                    rhs[:, k] += np.sqrt(self.ridge) * rng.standard_normal(self.n)
            mean = (self.adjacency @ self.solve(rhs, rtol=1e-3)) / np.maximum(self.degree, np.finfo(float).tiny)[
                :, None
            ]
            variance += (mean**2).sum(axis=1)
        share = 1.0 if self.ridge > 0 else np.maximum(1 - 2 / self.sizes[self.component], 0)
        return np.asarray(share / np.maximum(self.degree, np.finfo(float).tiny) + variance / n_samples)

    def _exact_inverse_diagonal(self) -> FloatArray:
        dense = -self.adjacency.toarray()
        dense[np.diag_indices(self.n)] += self.degree
        if self.ridge == 0:  # fill the null space, one vector per component, and take it out again afterwards
            same = self.component[:, None] == self.component[None, :] if len(self.sizes) > 1 else True
            dense += same / self.sizes[self.component][:, None]
        factor, info = lapack.dpotrf(dense.T, lower=1, overwrite_a=1, clean=0)
        if info == 0:
            inverse, info = lapack.dpotri(factor, lower=1, overwrite_c=1)
        if info != 0:
            message = "the information matrix is singular: some strengths are not determined by the comparisons"
            raise np.linalg.LinAlgError(message)
        return np.asarray(np.diag(inverse) - (1 / self.sizes[self.component] if self.ridge == 0 else 0.0))
