"""Answers as tables: preferences and ratings such as people's, and the list of what could not be used."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ppaint_distill.judge.base import Answer, Kind, Question
from ppaint_stats.columns import (
    CATEGORY,
    DEFAULT_CATEGORY,
    DIMENSION,
    ITEM,
    ITEM_A,
    ITEM_B,
    OUTCOME,
    RATER,
    RATING,
    TRIAL,
)
from ppaint_stats.errors import DataError

TEXT = "str"
_EXTRAS = ("model", "prompt", "vote")


def make_preferences(
    questions: Sequence[Question],
    answers: Sequence[Answer | None],
    source: Mapping[str, str],
    *,
    categories: Mapping[str, str] | str | None = None,
) -> pd.DataFrame:
    """Tabulate the answers to pairwise questions; `JudgeRun.preferences` describes the table.

    Parameters
    ----------
    questions, answers
        Questions of any kind, and the answer to each.
    source
        ``rater``, ``model`` and ``prompt``.
    categories
        Category of each item, or of all items.

    Returns
    -------
    DataFrame
        A row for each dimension of each answer.

    Raises
    ------
    DataError
        If an item has no category, or a pair has two.
    """
    names = (CATEGORY, DIMENSION, RATER, ITEM_A, ITEM_B, OUTCOME, TRIAL, *_EXTRAS)
    columns: dict[str, list[object]] = {name: [] for name in names}
    odds: list[tuple[float, ...] | None] = []
    for question, answer, dimension, value in _walk(questions, answers, "pairwise"):
        a, b = question.items
        category = _find_category(a, categories)
        if _find_category(b, categories) != category:
            raise DataError(f"items {a!r} and {b!r} were compared, but their categories differ; compare within one")
        _add(columns, (category, dimension, source["rater"], a, b, value, *_describe(question, source)))
        odds.append(None if answer.probabilities is None else answer.probabilities[dimension])
    frame = _to_frame(columns)
    if any(part is not None for part in odds):
        table = np.array([(np.nan,) * 3 if part is None else part for part in odds])
        frame["p_a"], frame["p_b"], frame["p_tie"] = table.T
        frame = frame[[*names, "p_a", "p_tie", "p_b"]]
    return frame


def make_ratings(
    questions: Sequence[Question],
    answers: Sequence[Answer | None],
    source: Mapping[str, str],
    *,
    categories: Mapping[str, str] | str | None = None,
    scale: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """Tabulate the answers to pointwise questions; `JudgeRun.ratings` describes the table.

    Parameters
    ----------
    questions, answers
        Questions of any kind, and the answer to each.
    source
        ``rater``, ``model`` and ``prompt``.
    categories
        Category of each item, or of all items.
    scale
        Lowest and highest score, which are those of the lowest and highest level; needed where probabilities were read
        and their spread is wanted.

    Returns
    -------
    DataFrame
        A row for each dimension of each answer.

    Raises
    ------
    DataError
        If an item has no category.
    """
    columns: dict[str, list[object]] = {
        name: [] for name in (CATEGORY, DIMENSION, RATER, ITEM, RATING, TRIAL, *_EXTRAS)
    }
    spreads: list[float] = []
    for question, answer, dimension, value in _walk(questions, answers, "pointwise"):
        (item,) = question.items
        category = _find_category(item, categories)
        _add(columns, (category, dimension, source["rater"], item, value, *_describe(question, source)))
        odds = answer.probabilities
        spreads.append(np.nan if odds is None or scale is None else level_spread(odds[dimension], scale))
    frame = _to_frame(columns)
    if not np.isnan(spreads).all():
        frame["sd"] = spreads
    return frame


def make_failures(questions: Sequence[Question], answers: Sequence[Answer | None]) -> pd.DataFrame:
    """List the answers that could not be used.

    Parameters
    ----------
    questions, answers
        Questions, and the answer to each.

    Returns
    -------
    DataFrame
        ``question`` (pairwise or pointwise), ``item_a, item_b`` (missing for pointwise questions), ``vote``, ``kind``
        and ``reason`` of the failure, ``text`` of the answer.
    """
    columns = ["question", ITEM_A, ITEM_B, "vote", "kind", "reason", "text"]
    rows = [
        (
            question.kind,
            question.items[0],
            question.items[1] if len(question.items) > 1 else None,
            question.vote,
            answer.failure,
            answer.reason,
            answer.text,
        )
        for question, answer in zip(questions, answers, strict=True)
        if answer is not None and answer.failure is not None
    ]
    types = dict.fromkeys(columns, TEXT) | {"vote": "int64"}
    return pd.DataFrame(rows, columns=columns).astype(types)


def level_scores(n_levels: int, scale: tuple[float, float]) -> tuple[float, ...]:
    """Return the score of each level: equally spaced from one end of the scale to the other.

    Parameters
    ----------
    n_levels
        Number of levels, at least 2.
    scale
        Lowest and highest score.

    Returns
    -------
    tuple of float
        Scores.

    Examples
    --------
    >>> level_scores(3, (1.0, 5.0))
    (1.0, 3.0, 5.0)
    """
    return tuple(np.linspace(scale[0], scale[1], n_levels).tolist())


def level_mean(probabilities: Sequence[float], scale: tuple[float, float]) -> float:
    """Return the expected score under the probabilities of levels.

    Parameters
    ----------
    probabilities
        Of the levels, from the lowest up.
    scale
        Lowest and highest score.

    Returns
    -------
    float
        The mean.
    """
    return float(np.dot(probabilities, level_scores(len(probabilities), scale)))


def level_spread(probabilities: Sequence[float], scale: tuple[float, float]) -> float:
    """Return the standard deviation of the score under the probabilities of levels.

    Parameters
    ----------
    probabilities
        Of the levels, from the lowest up.
    scale
        Lowest and highest score.

    Returns
    -------
    float
        The standard deviation.

    Examples
    --------
    >>> level_spread((0.5, 0.0, 0.5), (1.0, 5.0))
    2.0
    """
    deviations = np.subtract(level_scores(len(probabilities), scale), level_mean(probabilities, scale))
    return float(np.sqrt(np.dot(probabilities, deviations**2)))


def write_preferences(frame: pd.DataFrame, path: str | Path, *, provenance: Mapping[str, object] | None = None) -> Path:
    """Write a table of preferences as Parquet, readable by `ppaint_stats.read_study`.

    Parameters
    ----------
    frame
        The table.
    path
        File to write; an existing one is replaced at the end, in one step.
    provenance
        What the file's metadata say under ``provenance``, as JSON; by default ``frame.attrs["provenance"]``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        If the table has no rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ppaint_stats.fusion_io import write_whole

    if frame.empty:
        raise DataError(f"{path}: there are no judgments to write; no answer could be used")
    note = frame.attrs.get("provenance", {}) if provenance is None else provenance
    plain = frame.copy()
    plain.attrs = {}  # pandas would write them into the metadata a second time
    table = pa.Table.from_pandas(plain, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), "provenance": json.dumps(note, sort_keys=True)}
    table = table.replace_schema_metadata(metadata)
    return write_whole(path, lambda temporary: pq.write_table(table, temporary))


def read_provenance(path: str | Path) -> dict[str, object]:
    """Read what `write_preferences` wrote about the origin of a file.

    Parameters
    ----------
    path
        A Parquet file.

    Returns
    -------
    dict
        The provenance; empty where the file says nothing.
    """
    import pyarrow.parquet as pq

    metadata = pq.read_schema(path).metadata or {}
    found: dict[str, object] = json.loads(metadata.get(b"provenance", b"{}"))
    return found


def _walk(
    questions: Sequence[Question], answers: Sequence[Answer | None], kind: Kind
) -> Iterator[tuple[Question, Answer, str, str | float]]:
    for question, answer in zip(questions, answers, strict=True):
        if question.kind == kind and answer is not None and answer.values is not None:
            for dimension, value in answer.values.items():
                yield question, answer, dimension, value


def _describe(question: Question, source: Mapping[str, str]) -> tuple[object, ...]:
    """Trial and extra columns of a row."""
    return (question.vote + 1, source["model"], source["prompt"], question.vote)


def _add(columns: Mapping[str, list[object]], row: tuple[object, ...]) -> None:
    """Append by column: millions of rows as mappings would fill the memory."""
    for values, value in zip(columns.values(), row, strict=True):
        values.append(value)


def _to_frame(columns: Mapping[str, list[object]]) -> pd.DataFrame:
    numbers = {RATING: "float64", TRIAL: "int64", "vote": "int64"}
    return pd.DataFrame({name: pd.Series(values, dtype=numbers.get(name, TEXT)) for name, values in columns.items()})


def _find_category(item: str, categories: Mapping[str, str] | str | None) -> str:
    if categories is None:
        return DEFAULT_CATEGORY
    if isinstance(categories, str):
        return categories
    if item not in categories:
        raise DataError(f"item {item!r} has no category; {len(categories)} items have one")
    return categories[item]
