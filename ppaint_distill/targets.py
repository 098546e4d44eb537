"""Targets of training: one score with its sd per category, dimension and item, and joint draws where there are any.

One file for all origins: fused expert scores (`Fusion.to_targets`) and pseudo-scores (`PseudoScores.to_targets`). The
latter has one more column, ``draws``: a list of equal length in every row, whose s-th members belong together.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.fusion_io import write_whole
from ppaint_stats.scale import RatingScale
from ppaint_stats.typing import BoolArray, FloatArray, IntArray

__all__ = ["Targets", "read_targets", "write_targets"]

DRAWS = "draws"
COLUMNS = (CATEGORY, DIMENSION, ITEM, "score", "sd")
SLACK = 1e-6
"""How far a score may lie outside the scale, as a part of its span: room for 32-bit rounding."""

type Cell = tuple[str, str]


@dataclass(frozen=True, eq=False, repr=False)
class Targets:
    """What a scorer is trained on.

    Parameters
    ----------
    frame
        Columns ``category, dimension, item, score, sd``, one row per category, dimension and item; others are dropped.
    scale
        Lowest and highest score.
    draws
        Joint draws of the scores: for each (category, dimension) an array of shape (draws, items), its columns in the
        order of that cell's rows in ``frame``. The s-th draws of all items belong together. None where the origin
        knows no joint draws; errors then count as independent.
    provenance
        Where the scores come from: plain values, as JSON can hold them.

    Raises
    ------
    DataError
        If a column lacks, a score is missing or outside the scale, an sd is negative, a row occurs twice, or the draws
        do not fit the rows.

    Examples
    --------
    >>> frame = pd.DataFrame({"category": "c", "dimension": "mood", "item": ["x", "y"], "score": [2, 4], "sd": 0.5})
    >>> targets = Targets(frame, scale=(1, 5), draws={("c", "mood"): np.array([[2.1, 3.9], [1.9, 4.1]])})
    >>> targets
    Targets(2 items, 1 dimension(s), scores from 1 to 5, 2 joint draws)
    """

    frame: pd.DataFrame
    scale: tuple[float, float]
    draws: Mapping[Cell, FloatArray] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits = RatingScale.parse(tuple(self.scale))
        scale = (limits.low, limits.high)
        frame = _check_frame(self.frame, scale)
        object.__setattr__(self, "frame", frame)
        object.__setattr__(self, "scale", scale)
        if self.draws is not None:
            object.__setattr__(self, "draws", _check_draws(self.draws, frame))

    def __repr__(self) -> str:
        """One line with sizes."""
        drawn = f"{self.n_draws} joint draws" if self.draws is not None else "no joint draws"
        low, high = self.scale
        return (
            f"Targets({self.frame[ITEM].nunique()} items, {len(self.dimensions)} dimension(s), "
            f"scores from {low:g} to {high:g}, {drawn})"
        )

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Pairs of category and dimension, in order of first appearance."""
        pairs = self.frame[[CATEGORY, DIMENSION]].drop_duplicates()
        return tuple((str(c), str(d)) for c, d in pairs.itertuples(index=False, name=None))

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Dimensions in order of first appearance."""
        return tuple(str(name) for name in self.frame[DIMENSION].unique())

    @property
    def n_draws(self) -> int:
        """Number of joint draws; 0 where there are none."""
        return 0 if not self.draws else len(next(iter(self.draws.values())))

    def select(self, category: str, dimension: str) -> pd.DataFrame:
        """Rows of one cell, in the order of the columns of its draws.

        Parameters
        ----------
        category, dimension
            Names.

        Returns
        -------
        DataFrame
            Columns ``category, dimension, item, score, sd``; empty for an unknown cell.
        """
        inside = (self.frame[CATEGORY] == category) & (self.frame[DIMENSION] == dimension)
        return self.frame[inside].reset_index(drop=True)


def read_targets(path: str | Path, *, scale: tuple[float, float] | None = None) -> Targets:
    """Read targets of training.

    Parameters
    ----------
    path
        Parquet file of `Fusion.to_targets`, `PseudoScores.to_targets` or `write_targets`; any other with the columns
        ``category, dimension, item, score, sd`` will do if the scale is given.
    scale
        Lowest and highest score, for a file that does not say, or instead of what it says; no score may lie outside.

    Returns
    -------
    Targets
        The checked targets.

    Raises
    ------
    DataError
        If there is no such file, it is no Parquet file, or its rows are not allowed.
    ArgumentError
        If the scale is missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file" if not path.is_dir() else f"{path} is a folder, not a file")
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} is not a Parquet file: {error}") from error
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    found = _read_scale(metadata, path)
    limits = found if scale is None else scale
    if limits is None:
        raise ArgumentError(f"{path} does not say on which scale its scores are: give scale=(low, high)")
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(f"{path} lacks the columns {missing}; it has {table.column_names}")
    frame = table.select(list(COLUMNS)).to_pandas()
    drawn = _read_draws(table.column(DRAWS).combine_chunks(), path) if DRAWS in table.column_names else None
    try:
        provenance = json.loads(metadata.get("provenance", "{}"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: the metadata 'provenance' are not JSON: {error}") from error
    draws = None
    if drawn is not None:
        draws = {cell: np.asarray(drawn[rows].T, dtype=np.float64) for cell, rows in find_rows(frame).items()}
    try:
        return Targets(frame, limits, draws, provenance)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def write_targets(targets: Targets, path: str | Path) -> Path:
    """Write targets as Parquet, in the form that `read_targets` reads.

    Parameters
    ----------
    targets
        The targets. Draws are stored with 32 bits.
    path
        File to write; an existing one is replaced at the end, in one step.

    Returns
    -------
    Path
        The file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(targets.frame, preserve_index=False)
    if targets.draws is not None:
        drawn = np.empty((len(targets.frame), targets.n_draws), dtype=np.float32)
        for cell, rows in find_rows(targets.frame).items():
            drawn[rows] = targets.draws[cell].T
        lists = pa.FixedSizeListArray.from_arrays(pa.array(drawn.ravel()), targets.n_draws)
        table = table.append_column(DRAWS, lists)
    low, high = targets.scale
    metadata = {"scale_low": repr(low), "scale_high": repr(high), "provenance": json.dumps(dict(targets.provenance))}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata})
    return write_whole(path, lambda temporary: pq.write_table(table, temporary))


def find_rows(frame: pd.DataFrame) -> dict[Cell, IntArray]:
    """Positions of the rows of each (category, dimension), in order of first appearance.

    Parameters
    ----------
    frame
        A table with these two columns.

    Returns
    -------
    dict
        Row positions by cell.
    """
    if frame.empty:
        return {}
    codes, cells = pd.MultiIndex.from_frame(frame[[CATEGORY, DIMENSION]].astype(str)).factorize()
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(codes, minlength=len(cells)))[:-1])
    return {(str(c), str(d)): part.astype(np.int64) for (c, d), part in zip(cells, parts, strict=True)}


def _read_scale(metadata: Mapping[str, str], path: Path) -> tuple[float, float] | None:
    """Scale from a file's metadata; None where they do not have one."""
    texts = [metadata[name] for name in ("scale_low", "scale_high") if name in metadata]
    if not texts:
        return None
    try:
        low, high = map(float, texts)
    except ValueError as error:
        raise DataError(f"{path}: the metadata scale_low and scale_high are {texts}, not two numbers") from error
    return low, high


def _read_draws(column: Any, path: Path) -> FloatArray:
    """Draws of shape (rows, draws) from a column of lists, which must all be equally long."""
    import pyarrow as pa

    kind = column.type
    if not (pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind)) or not pa.types.is_floating(kind.value_type):
        raise DataError(f"{path}, column {DRAWS!r}: lists of numbers are allowed, not {kind}")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    n_rows = len(column)
    lengths = column.value_lengths().to_numpy(zero_copy_only=False) if n_rows else np.zeros(0)
    if n_rows and not (lengths == lengths[0]).all():
        raise DataError(f"{path}, column {DRAWS!r}: all rows need equally many draws")
    return np.asarray(flat.reshape(n_rows, -1) if n_rows else np.zeros((0, 0)))


def _check_frame(frame: pd.DataFrame, scale: tuple[float, float]) -> pd.DataFrame:
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        raise DataError(f"targets lack the columns {missing}; they have {[str(c) for c in frame.columns]}")
    frame = frame[list(COLUMNS)].reset_index(drop=True)
    if frame.empty:
        raise DataError("targets have no rows")
    for name in (CATEGORY, DIMENSION, ITEM):
        _refuse(frame, frame[name].isna(), name, "a name is needed")
        frame[name] = frame[name].astype(str)
    for name in ("score", "sd"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype(np.float64)
    low, high = scale
    slack = SLACK * (high - low)
    score, sd = frame["score"], frame["sd"]
    _refuse(frame, ~((score >= low - slack) & (score <= high + slack)), "score", f"from {low:g} to {high:g} is allowed")
    _refuse(
        frame,
        ~((sd >= 0) & np.isfinite(sd)),
        "sd",
        "0 or a finite number above is allowed (an sd comes with intervals)",
    )
    _refuse(frame, frame.duplicated([CATEGORY, DIMENSION, ITEM]), ITEM, "once per category and dimension is allowed")
    frame["score"] = score.clip(low, high)
    return frame


def _check_draws(draws: Mapping[Cell, FloatArray], frame: pd.DataFrame) -> dict[Cell, FloatArray]:
    cells = {cell: len(rows) for cell, rows in find_rows(frame).items()}
    if set(draws) != set(cells):
        raise DataError(f"draws are of the cells {sorted(draws)}, and the rows of {sorted(cells)}")
    checked = {cell: np.asarray(draws[cell], dtype=np.float64) for cell in cells}
    n_draws = {len(array) for array in checked.values()}
    if len(n_draws) != 1 or 0 in n_draws:
        raise DataError(f"every cell needs equally many draws, at least 1; found {sorted(n_draws)}")
    for cell, array in checked.items():
        if array.ndim != 2 or array.shape[1] != cells[cell]:
            raise DataError(f"draws of {cell} have shape {array.shape}; (draws, {cells[cell]}) is allowed")
        if not np.isfinite(array).all():
            raise DataError(f"draws of {cell} are not all finite")
    return checked


def _refuse(frame: pd.DataFrame, bad: "pd.Series | BoolArray", column: str, allowed: str) -> None:
    rows = np.flatnonzero(np.asarray(bad))
    if len(rows):
        shown = frame[column].iloc[rows[:10]].tolist()
        more = f" (and {len(rows) - 10} more rows)" if len(rows) > 10 else ""
        raise DataError(f"targets, column {column!r}, rows {rows[:10].tolist()}{more}: {shown}; {allowed}")
