"""Predictions and truth on common items."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ppaint_distill.targets import Cell, find_rows
from ppaint_stats.columns import CATEGORY, DEFAULT_CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import DataError
from ppaint_stats.typing import FloatArray


@dataclass(frozen=True)
class MatchedCell:
    """Truth and predictions of the items of one cell that every model scored.

    Parameters
    ----------
    items
        Names, sorted.
    truth, sd
        Known scores and their sd, shape (items,); the sd is None where it is not known.
    predictions
        By model, shape (items,).
    """

    items: pd.Index
    truth: FloatArray
    sd: FloatArray | None
    predictions: dict[str, FloatArray]


def match_scores(
    predictions: Mapping[str, pd.DataFrame], truth: pd.DataFrame
) -> tuple[dict[Cell, MatchedCell], pd.DataFrame]:
    """Match predictions with the truth.

    Parameters
    ----------
    predictions, truth
        As for `evaluate_scores`.

    Returns
    -------
    cells
        Items that all models scored, cell by cell.
    missing
        A row a model: what it did not score, and how many of its scores have no counterpart in the truth.
    """
    known = _check(truth, "truth")
    keys = [CATEGORY, DIMENSION, ITEM]
    missing = []
    for number, (model, frame) in enumerate(predictions.items()):
        checked = _check(frame, f"predictions of {model!r}")
        on = keys if CATEGORY in frame else keys[1:]
        column = f"score_{number}"
        matched = known.merge(checked[[*on, "score"]].rename(columns={"score": column}), on=on, how="left")
        absent = known[matched[column].isna().to_numpy()]
        asked = pd.MultiIndex.from_frame(known[on])
        unasked = int((~pd.MultiIndex.from_frame(checked[on]).isin(asked)).sum())
        named = ", ".join(absent[ITEM].unique()[:10])
        missing.append({"model": model, "missing": len(absent), "not_in_truth": unasked, "missing_items": named})
        if len(absent) == len(known):
            raise DataError(f"predictions of {model!r} share no item and dimension with the truth")
        known = known.assign(**{column: matched[column].to_numpy()})
    columns = [f"score_{number}" for number in range(len(predictions))]
    full = known.dropna(subset=columns).reset_index(drop=True)
    if full.empty:
        raise DataError("no item was scored by all models")
    cells = {}
    for cell, rows in find_rows(full).items():
        part = full.iloc[rows].sort_values(ITEM, kind="stable")
        cells[cell] = MatchedCell(
            items=pd.Index(part[ITEM]),
            truth=part["score"].to_numpy(dtype=np.float64),
            sd=part["sd"].to_numpy(dtype=np.float64) if "sd" in part else None,
            predictions={
                model: part[name].to_numpy(dtype=np.float64) for model, name in zip(predictions, columns, strict=True)
            },
        )
    return cells, pd.DataFrame(missing)


def _check(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    lacking = [column for column in (ITEM, DIMENSION, "score") if column not in frame]
    if lacking:
        raise DataError(f"{name} lack the columns {lacking}; they have {[str(c) for c in frame.columns]}")
    table = frame.reset_index(drop=True).copy()
    if CATEGORY not in table:
        table[CATEGORY] = DEFAULT_CATEGORY
    keys = [CATEGORY, DIMENSION, ITEM]
    table[keys] = table[keys].astype(str)
    for column in ("score", "sd"):
        if column in table:
            table[column] = pd.to_numeric(table[column], errors="coerce")
    unique = keys if CATEGORY in frame else keys[1:]
    twice = np.flatnonzero(table.duplicated(unique))
    if len(twice):
        raise DataError(f"{name}: items occur twice in a dimension: {table[ITEM].iloc[twice[:10]].tolist()}")
    if name == "truth" and not np.isfinite(table["score"]).all():
        rows = np.flatnonzero(~np.isfinite(table["score"]))
        raise DataError(f"truth, column 'score', rows {rows[:10].tolist()}: numbers are needed")
    columns = [*keys, "score", *(["sd"] if "sd" in table else [])]
    kept: pd.DataFrame = table.loc[np.isfinite(table["score"]), columns]
    return kept.reset_index(drop=True)
