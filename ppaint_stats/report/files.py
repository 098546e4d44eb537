"""Reports on disk: written whole or not at all, and read again from JSON."""

import json
import os
import tempfile
from pathlib import Path

import pandas as pd

from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.report.report import Report

ENDLESS = {"inf": float("inf"), "-inf": float("-inf")}


def write_text(path: str | Path, text: str) -> Path:
    """Write a text through a temporary file beside it, so that no half-written file ever bears the name.

    Parameters
    ----------
    path
        The file; its folder is made if it is missing.
    text
        What it shall hold, as UTF-8.
    """
    path = Path(path)
    if path.is_dir():
        raise ArgumentError(f"{path} is a folder; name a file in it")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load_report(path: str | Path) -> Report:
    """Read a report that was written as JSON (:meth:`Report.to_json`, or a command with ``--out report.json``).

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Report
        The same tables, text, settings and verdict; figures are not in JSON.

    Raises
    ------
    DataError
        If there is no such file, or it holds no report.

    Examples
    --------
    >>> import tempfile
    >>> table = pd.DataFrame({"rater": ["r1"], "rate": [0.25]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_text(Path(folder) / "r.json", Report("Ties", {"rates": table}, "One.").to_json())
    ...     load_report(path)
    Report('Ties'; tables: rates)
    """
    path = Path(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except (IsADirectoryError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path} is no report as JSON: {error}") from error
    keys = {"title": str, "text": str, "settings": dict, "tables": dict}
    if not isinstance(found, dict) or any(not isinstance(found.get(key), kind) for key, kind in keys.items()):
        raise DataError(f"{path} is no report as JSON: it must have {', '.join(keys)}")
    try:
        tables = {str(name): _read_table(rows) for name, rows in found["tables"].items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} is no report as JSON: its tables must be lists of rows ({error})") from error
    passed = found.get("passed")
    return Report(
        found["title"], tables, found["text"], found["settings"], passed if isinstance(passed, bool) else None
    )


def _read_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Put records into a table; infinite numbers were written as words."""
    table = pd.DataFrame.from_records(rows)
    for name in table.columns:
        values = table[name]
        if values.dtype.kind in "Obif":
            known = [v for v in values if v is not None and v not in ENDLESS]
            if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in known) or not len(values):
                continue
            table[name] = pd.Series([ENDLESS.get(str(v), v) for v in values], dtype=float, index=values.index)
            whole = all(isinstance(v, int) for v in known) and len(known) == len(values)
            if whole:
                table[name] = table[name].astype("int64")
    return table
