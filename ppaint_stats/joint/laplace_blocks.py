"""Parameters that are close to normal given the others: utilities of raters in categories, and consensus of categories.

A rater's block of utilities in a category hangs on the category's consensus and on no other block, so that the negative
Hessian, all else given, is H = [[U, A], [A', C]] with U block diagonal over raters in categories and C over categories.
It is found by differences of the compiled gradient and factored block by block.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from ppaint_stats.joint.encoding import Encoding
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.kernels.joint.data import JointData
from ppaint_stats.kernels.joint.density import joint_logp
from ppaint_stats.typing import FloatArray, IntArray

STEP = 1e-5

FIRST_RIDGE = 1e-3
"""What is first added to a block's diagonal, as a share of it, where the block is not positive definite."""


@dataclass(frozen=True)
class Blocks:
    """Where the blocks stand in the flat vector.

    Parameters
    ----------
    categories, units
        Consensus of each category's items; utilities or tastes of each rater in a category.
    unit_category
        Category of each unit.
    names
        What the blocks are called, units first.
    others
        Parameters that belong to no block: habits, thresholds, slopes, levels, hyperparameters.
    """

    categories: tuple[IntArray, ...]
    units: tuple[IntArray, ...]
    unit_category: IntArray
    names: tuple[str, ...]
    others: IntArray

    @property
    def parts(self) -> tuple[IntArray, ...]:
        """Units, then categories."""
        return self.units + self.categories

    def split(self, columns: FloatArray) -> tuple[list[FloatArray], list[FloatArray]]:
        """Rows of the units and of the categories, copied out of columns over the flat vector."""
        return [columns[p] for p in self.units], [columns[p] for p in self.categories]


def find_blocks(encoding: Encoding, layout: Layout) -> Blocks:
    """Find the blocks of a study."""
    e = encoding
    n_dims = len(e.dimensions)

    contrast = (e.item_start - np.arange(len(e.item_start))) * n_dims
    consensus = layout.places("consensus")
    categories = tuple(consensus[contrast[c] : contrast[c + 1]] for c in range(len(e.categories)))
    units, column, cell = [], 0, 0
    utility, taste = layout.places("utility"), layout.places("taste")
    for unit in e.units:
        if unit.rich:
            size = (len(unit.items) - 1) * n_dims
            units.append(utility[column : column + size])
            column += size
        else:
            size = int(unit.judged.sum())
            units.append(taste[cell : cell + size])
            cell += size
    raters = [f"rater {e.taste_raters[unit.taste_rater]} in category {e.categories[unit.category]}" for unit in e.units]
    return Blocks(
        categories=categories,
        units=tuple(units),
        unit_category=np.array([unit.category for unit in e.units], dtype=np.int64),
        names=(*raters, *(f"category {name}" for name in e.categories)),
        others=np.setdiff1d(np.arange(layout.starts[-1]), np.concatenate([*units, *categories])),
    )


@dataclass(frozen=True)
class BlockCurvature:
    """Negative Hessian of the log density by the blocks, all else given."""

    units: list[FloatArray]
    unit_by_category: list[FloatArray]
    categories: list[FloatArray]


def find_curvature(points: FloatArray, data: JointData, blocks: Blocks, pool: ThreadPoolExecutor) -> BlockCurvature:
    """Find the curvature, a mean over points.

    Units do not touch each other, nor do categories: the k-th parameters of all of them are moved at the same time.
    """
    centre = np.sum([joint_logp(x, data)[1] for x in points], axis=0)
    n_of = [len(p) for p in blocks.categories]
    units = [np.zeros((len(p), len(p))) for p in blocks.units]
    categories = [np.zeros((n, n)) for n in n_of]
    across = [np.zeros((len(p), n_of[c])) for p, c in zip(blocks.units, blocks.unit_category, strict=True)]

    def run(moved: tuple[IntArray, ...], read: Callable[[int, FloatArray], None]) -> None:
        def difference(k: int) -> None:
            places = [p[k] for p in moved if k < len(p)]
            change = centre.copy()
            for x in points:
                y = x.copy()
                y[places] += STEP
                change -= joint_logp(y, data)[1]
            read(k, change / (STEP * len(points)))

        list(pool.map(difference, range(max((len(p) for p in moved), default=0))))

    def read_units(k: int, change: FloatArray) -> None:
        for block, p in zip(units, blocks.units, strict=True):
            if k < len(p):
                block[:, k] = change[p]

    def read_categories(k: int, change: FloatArray) -> None:
        for block, p in zip(categories, blocks.categories, strict=True):
            if k < len(p):
                block[:, k] = change[p]
        for block, p in zip(across, blocks.units, strict=True):
            if k < block.shape[1]:
                block[:, k] = change[p]

    run(blocks.units, read_units)
    run(blocks.categories, read_categories)
    for block in (*units, *categories):
        _make_symmetric(block)
    return BlockCurvature(units, across, categories)


@dataclass(frozen=True)
class BlockFactor:
    """Cholesky factor of the blocks' curvature, lower triangles: H = F F'.

    ``rest`` joins each unit to its category; ``ridge`` is the largest share of a diagonal that had to be added to it.
    """

    blocks: Blocks
    units: list[FloatArray]
    rest: list[FloatArray]
    categories: list[FloatArray]
    ridge: float

    def whiten(self, columns: FloatArray) -> FloatArray:
        """F^-1 times columns over the flat vector; 0 outside the blocks."""
        units, categories = self.blocks.split(columns)
        for j, c in enumerate(self.blocks.unit_category):
            units[j] = _lower(self.units[j], units[j])
            categories[c] -= self.rest[j].T @ units[j]
        categories = [_lower(f, part) for f, part in zip(self.categories, categories, strict=True)]
        return self._join(units, categories, columns)

    def colour(self, columns: FloatArray) -> FloatArray:
        """F'^-1 times columns: independent standard normal ones get the covariance H^-1; 0 outside the blocks."""
        units, categories = self.blocks.split(columns)
        categories = [_upper(f, part) for f, part in zip(self.categories, categories, strict=True)]
        for j, c in enumerate(self.blocks.unit_category):
            units[j] = _upper(self.units[j], units[j] - self.rest[j] @ categories[c])
        return self._join(units, categories, columns)

    def _join(self, units: list[FloatArray], categories: list[FloatArray], like: FloatArray) -> FloatArray:
        out = np.zeros(like.shape)
        for p, part in zip(self.blocks.parts, (*units, *categories), strict=True):
            out[p] = part
        return out


def factorise(curvature: BlockCurvature, blocks: Blocks) -> BlockFactor:
    """Factor the curvature, whose blocks are let go on the way: in large categories they are large."""
    ridges, rest = [0.0], []
    for j, c in enumerate(blocks.unit_category):
        curvature.units[j] = _factorise_block(curvature.units[j], ridges)
        rest.append(_lower(curvature.units[j], curvature.unit_by_category[j]))
        curvature.unit_by_category[j] = rest[-1]
        curvature.categories[c] -= rest[-1].T @ rest[-1]
    categories = [_factorise_block(block, ridges) for block in curvature.categories]
    return BlockFactor(blocks, curvature.units, rest, categories, max(ridges))


def _factorise_block(block: FloatArray, ridges: list[float]) -> FloatArray:
    """Factor a block, with the smallest ridge of a coarse ladder that makes it positive definite."""
    ridge = 0.0
    diagonal = np.diagonal(block).copy()
    while True:
        lifted = block.copy()
        lifted[np.diag_indices(len(block))] += ridge * (0.1 + np.abs(diagonal))
        try:
            factor = np.asarray(cholesky(lifted, lower=True, overwrite_a=True, check_finite=False))
        except np.linalg.LinAlgError:
            ridge = max(4 * ridge, FIRST_RIDGE)
        else:
            ridges.append(ridge)
            return factor


def _make_symmetric(block: FloatArray) -> None:
    block += block.T.copy()
    block *= 0.5


def _lower(factor: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(solve_triangular(factor, b, lower=True, check_finite=False)) if b.size else np.zeros(b.shape)


def _upper(factor: FloatArray, b: FloatArray) -> FloatArray:
    if not b.size:
        return np.zeros(b.shape)
    return np.asarray(solve_triangular(factor, b, lower=True, trans=1, check_finite=False))
