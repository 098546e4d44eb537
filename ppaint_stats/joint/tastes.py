"""Tastes of raters with few comparisons, cell by cell: only what a rater judged, an item in a dimension, has one."""

from dataclasses import dataclass

import numpy as np

from ppaint_stats.joint.encoding import Encoding
from ppaint_stats.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class TasteCells:
    """Where each sampled taste belongs.

    A cell is an item in a dimension that such a rater judged; cells stand row by row, a row being a rater and an item.
    The dimensions that a row holds are its pattern: tastes correlate over dimensions, and what belongs to the others
    is integrated out.

    Parameters
    ----------
    row, dimension
        Row of each cell among those of raters with few comparisons, and its dimension.
    group
        Rater in a category, and dimension, of each cell: over a group tastes sum to zero.
    n_rows, n_groups
        Number of rows and of groups.
    row_pattern, row_start
        Pattern of each row, and its first cell.
    patterns
        Which dimensions a pattern holds, shape (pattern, dimension).
    """

    row: IntArray
    dimension: IntArray
    group: IntArray
    n_rows: int
    n_groups: int
    row_pattern: IntArray
    row_start: IntArray
    patterns: BoolArray

    @property
    def pattern_size(self) -> IntArray:
        """Number of dimensions of each pattern."""
        return self.patterns.sum(axis=1).astype(np.int64)

    @property
    def pattern_dimension(self) -> IntArray:
        """Dimensions of each pattern, those that it lacks after those that it holds, shape (pattern, dimension)."""
        return np.argsort(~self.patterns, axis=1, kind="stable").astype(np.int64)

    def center(self, tastes: FloatArray) -> FloatArray:
        """Subtract from tastes, cells on the last axis, their mean over each group."""
        count = np.bincount(self.group, minlength=self.n_groups)
        flat = tastes.reshape(-1, tastes.shape[-1])
        means = np.stack([np.bincount(self.group, row, minlength=self.n_groups) for row in flat]) / count
        return np.asarray(tastes - means[:, self.group].reshape(tastes.shape))


def list_tastes(encoding: Encoding) -> TasteCells:
    """List the cells of raters with few comparisons, in the order of the encoding's units.

    Parameters
    ----------
    encoding
        The study.

    Returns
    -------
    TasteCells
        Its cells.
    """
    n_dims = len(encoding.dimensions)
    blocks = [unit.judged for unit in encoding.units if not unit.rich]
    judged = np.concatenate([np.zeros((0, n_dims), dtype=np.bool_), *blocks])
    row, dimension = np.nonzero(judged)
    unit = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    groups, group = np.unique(unit[row] * n_dims + dimension, return_inverse=True)
    patterns, row_pattern = np.unique(judged, axis=0, return_inverse=True)
    sizes = judged.sum(axis=1)
    return TasteCells(
        row=row.astype(np.int64),
        dimension=dimension.astype(np.int64),
        group=group.astype(np.int64),
        n_rows=len(judged),
        n_groups=len(groups),
        row_pattern=np.ravel(row_pattern).astype(np.int64),
        row_start=(np.cumsum(sizes) - sizes).astype(np.int64),
        patterns=patterns,
    )
