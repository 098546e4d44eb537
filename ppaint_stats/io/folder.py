"""Study folders: two Parquet files and a small JSON file, written whole or not at all."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.scale import RatingScale
from ppaint_stats.study import Study
from ppaint_stats.tables import TableSource, show_values

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "ppaint study"
VERSION = 1
STUDY_FILE = "study.json"
TABLE_FILES = {"ratings": "ratings.parquet", "preferences": "preferences.parquet"}


def save_study(study: Study, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a study into a folder; see ``Study.save``."""
    target = Path(folder)
    _check_target(target, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Everything is written beside the target first: a crash leaves a stray temporary folder, never half a study.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        new.mkdir()
        _write_tables(study, new)
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
        if old.exists():
            shutil.rmtree(old)
    return target


def _check_target(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise ArgumentError(f"{target} is a file; a study is saved into a folder")
    held = {path.name for path in target.iterdir()}
    if not held:
        return
    if STUDY_FILE not in held:
        raise ArgumentError(f"{target} is not empty and holds no study; name a new or empty folder")
    if others := sorted(held - {STUDY_FILE, *TABLE_FILES.values()}):
        raise ArgumentError(f"{target} holds more than a study ({show_values(others)}); name a new or empty folder")
    if not overwrite:
        raise ArgumentError(f"{target} holds a study already; overwrite=True replaces it")


def _write_tables(study: Study, folder: Path) -> None:
    rows: dict[str, int | None] = {}
    for name, file in TABLE_FILES.items():
        table: pd.DataFrame | None = getattr(study, name)
        rows[name] = None if table is None else len(table)
        if table is None:
            continue
        try:
            table.to_parquet(folder / file, index=False)
        except (ValueError, TypeError, NotImplementedError) as error:  # pyarrow's own errors derive from these
            raise DataError(f"{name}: a column cannot be written as Parquet: {error}") from error
    scale = study.scale
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "scale": None if scale is None else {"low": scale.low, "high": scale.high, "step": scale.step},
        "rows": rows,
    }
    (folder / STUDY_FILE).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def load_study(folder: Path) -> Study:
    """Read a folder that ``Study.save`` wrote, and check it again."""
    meta = _read_meta(folder)
    tables: dict[str, pd.DataFrame | None] = {}
    sources: dict[str, TableSource] = {}
    for name, file in TABLE_FILES.items():
        path = folder / file
        expected = meta["rows"].get(name)
        if expected is None:
            if path.exists():
                raise DataError(f"{path} is there, but {STUDY_FILE} says that the study has no {name}")
            tables[name] = None
            continue
        if not path.exists():
            raise DataError(f"{path} is lacking, but {STUDY_FILE} says that the study has {name}")
        table = read_parquet(path)
        tables[name], sources[name] = table, TableSource(name, path=str(path))
        if len(table) != expected:
            raise DataError(f"{path} has {len(table):,} rows, but {STUDY_FILE} says {expected:,}")
    scale = None if meta["scale"] is None else RatingScale(**meta["scale"])
    return Study(tables["ratings"], tables["preferences"], scale, sources=sources)


def _read_meta(folder: Path) -> "Mapping[str, Any]":
    path = folder / STUDY_FILE
    if not path.exists():
        raise DataError(
            f"{folder} is no study folder: it has no {STUDY_FILE}; ratings= and preferences= read other files"
        )
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DataError(f"{path} does not describe a study: 'format' must be {FORMAT!r}")
    if meta.get("version") != VERSION:
        raise DataError(f"{path}: version {meta.get('version')!r} of the format is not known; allowed is {VERSION}")
    if not isinstance(meta.get("rows"), dict) or not isinstance(meta.get("scale"), dict | None):
        raise DataError(f"{path}: 'rows' or 'scale' is lacking or malformed")
    if meta["scale"] is not None and set(meta["scale"]) != {"low", "high", "step"}:
        raise DataError(f"{path}: 'scale' must hold 'low', 'high' and 'step'")
    return meta


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file, or say that it is none."""
    try:
        return pd.read_parquet(path)
    except (ValueError, OSError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error
