"""Nested arrow matrices: blocks of units hang on blocks of categories, both on a common core; Cholesky block by block.

With H = [[U, A, B], [A', C, E], [B', E', S]], where U is block diagonal over units and C over categories, the factor of
a block is taken, the block is eliminated, and what it leaves is subtracted from those on which it hangs.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.linalg import cholesky, solve_triangular

from ppaint_stats.typing import FloatArray, IntArray

FIRST_RIDGE, LAST_RIDGE = 1e-3, 1e9


@dataclass(frozen=True)
class Arrow:
    """A symmetric matrix by its blocks.

    Parameters
    ----------
    units, unit_category
        Block of each unit, and the category it hangs on.
    unit_by_category, unit_by_values
        What joins each unit to its category's block, and to some of the values.
    unit_values
        Which values those are.
    categories, category_by_values, category_values
        Likewise for categories.
    values
        Block of the values, of which the core's parameters are a linear map.
    values_by_core
        That map.
    core
        What the core has beyond what it has through the values: its prior's share.
    """

    units: list[FloatArray]
    unit_category: IntArray
    unit_by_category: list[FloatArray]
    unit_by_values: list[FloatArray]
    unit_values: list[IntArray]
    categories: list[FloatArray]
    category_by_values: list[FloatArray]
    category_values: list[IntArray]
    values: FloatArray
    values_by_core: sparse.csr_matrix
    core: FloatArray


@dataclass(frozen=True)
class ArrowFactor:
    """Cholesky factor of an :class:`Arrow`; vectors are lists: one array per unit, per category, and the core's.

    ``unit_rest`` and ``category_rest`` are the factors' off-diagonal blocks.
    """

    arrow: Arrow
    units: list[FloatArray]
    unit_rest: list[tuple[FloatArray, FloatArray]]
    categories: list[FloatArray]
    category_rest: list[FloatArray]
    core: FloatArray

    def solve(self, part: "Parts") -> "Parts":
        """Solve H x = b; right-hand sides are columns."""
        return self._back(self._forward(part))

    def colour(self, white: "Parts") -> "Parts":
        """Turn independent standard normal columns into columns of covariance H^-1."""
        return self._back(white)

    def colour_blocks(self, white: "Parts") -> "Parts":
        """Likewise given the core, which stays at 0."""
        return self._back(Parts(white.units, white.categories, np.zeros_like(white.core)))

    def _forward(self, b: "Parts") -> "Parts":
        a = self.arrow
        n = b.core.shape[1]
        values = np.zeros((a.values_by_core.shape[0], n))
        categories = [part.copy() for part in b.categories]
        units = []
        for j, c in enumerate(a.unit_category):
            own = _lower(self.units[j], b.units[j])
            units.append(own)
            by_category, by_values = self.unit_rest[j]
            categories[c] -= by_category.T @ own
            values[a.unit_values[j]] -= by_values.T @ own
        for c in range(len(categories)):
            categories[c] = _lower(self.categories[c], categories[c])
            values[a.category_values[c]] -= self.category_rest[c].T @ categories[c]
        core = _lower(self.core, b.core + a.values_by_core.T @ values)
        return Parts(units, categories, core)

    def _back(self, b: "Parts") -> "Parts":
        a = self.arrow
        core = _upper(self.core, b.core)
        values = a.values_by_core @ core
        categories = [
            _upper(self.categories[c], b.categories[c] - self.category_rest[c] @ values[a.category_values[c]])
            for c in range(len(b.categories))
        ]
        units = []
        for j, c in enumerate(a.unit_category):
            by_category, by_values = self.unit_rest[j]
            own = b.units[j] - by_category @ categories[c] - by_values @ values[a.unit_values[j]]
            units.append(_upper(self.units[j], own))
        return Parts(units, categories, core)


@dataclass(frozen=True)
class Parts:
    """Columns split over units, categories and core."""

    units: list[FloatArray]
    categories: list[FloatArray]
    core: FloatArray

    def join(self) -> FloatArray:
        """Stack the parts: units, categories, core."""
        return np.concatenate([*self.units, *self.categories, self.core])


def factorise(arrow: Arrow, *, ridge: float = 0.0, pool: ThreadPoolExecutor | None = None) -> ArrowFactor:
    """Factor a positive definite arrow; raises LinAlgError where it is none.

    ``ridge`` multiplies the diagonal by one more than itself, as Levenberg's and Marquardt's steps do.
    """
    run: Callable[..., Iterable[tuple[FloatArray, FloatArray, FloatArray]]] = map if pool is None else pool.map
    categories = [block.copy() for block in arrow.categories]
    category_by_values = [block.copy() for block in arrow.category_by_values]
    values = arrow.values.copy()
    units, rests = [], []

    def eliminate(j: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        factor = cholesky(_lift(arrow.units[j], ridge), lower=True, check_finite=False)
        return factor, _lower(factor, arrow.unit_by_category[j]), _lower(factor, arrow.unit_by_values[j])

    category_values = [{int(v): i for i, v in enumerate(chosen)} for chosen in arrow.category_values]
    for j, (factor, by_category, by_values) in enumerate(run(eliminate, range(len(arrow.units)))):
        c = arrow.unit_category[j]
        units.append(factor)
        rests.append((by_category, by_values))
        categories[c] -= by_category.T @ by_category
        place = [category_values[c][int(v)] for v in arrow.unit_values[j]]
        category_by_values[c][:, place] -= by_category.T @ by_values
        chosen = arrow.unit_values[j]
        values[np.ix_(chosen, chosen)] -= by_values.T @ by_values
    factors, category_rest = [], []
    for c, block in enumerate(categories):
        factor = cholesky(_lift(block, ridge), lower=True, check_finite=False)
        rest = _lower(factor, category_by_values[c])
        factors.append(factor)
        category_rest.append(rest)
        chosen = arrow.category_values[c]
        values[np.ix_(chosen, chosen)] -= rest.T @ rest
    to_values = arrow.values_by_core
    core = to_values.T @ np.asarray(to_values.T @ values).T + arrow.core
    return ArrowFactor(arrow, units, rests, factors, category_rest, cholesky(_lift(core, ridge), lower=True))


def factorise_ridged(arrow: Arrow, *, pool: ThreadPoolExecutor | None = None) -> tuple[ArrowFactor, float]:
    """Factor an arrow, with the smallest ridge of a coarse ladder that makes it positive definite; and that ridge."""
    ridge = 0.0
    while True:
        try:
            return factorise(arrow, ridge=ridge, pool=pool), ridge
        except np.linalg.LinAlgError:
            ridge = max(4 * ridge, FIRST_RIDGE)
            if ridge > LAST_RIDGE:
                raise


def factorise_blocks(arrow: Arrow, *, pool: ThreadPoolExecutor | None = None) -> tuple[ArrowFactor, float]:
    """Factor the blocks of units and categories given the core, ridged if need be; and the ridge."""
    alone = replace(
        arrow,
        values=np.zeros_like(arrow.values),
        unit_by_values=[block[:, :0] for block in arrow.unit_by_values],
        unit_values=[chosen[:0] for chosen in arrow.unit_values],
        category_by_values=[block[:, :0] for block in arrow.category_by_values],
        category_values=[chosen[:0] for chosen in arrow.category_values],
        core=np.eye(len(arrow.core)),
        values_by_core=sparse.csr_matrix(arrow.values_by_core.shape),
    )
    return factorise_ridged(alone, pool=pool)


def _lift(block: FloatArray, ridge: float) -> FloatArray:
    if not ridge:
        return block
    out = block.copy()
    out[np.diag_indices(len(out))] += ridge * (0.1 + np.abs(np.diagonal(block)))
    return out


def _lower(factor: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(solve_triangular(factor, b, lower=True, check_finite=False)) if b.size else np.zeros(b.shape)


def _upper(factor: FloatArray, b: FloatArray) -> FloatArray:
    return (
        np.asarray(solve_triangular(factor, b, lower=True, trans=1, check_finite=False))
        if b.size
        else np.zeros(b.shape)
    )
