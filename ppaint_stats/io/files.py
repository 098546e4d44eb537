"""One table from a file or a dataframe, with ids left as they are written."""

import csv
import json
import warnings
from codecs import lookup
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from ppaint_stats.columns import COUNT, PREFERENCE_COLUMNS, RATING_COLUMNS, TRIAL
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.io.folder import read_parquet
from ppaint_stats.tables import MISSING_WORDS, TableSource

MARGIN = "margin"
KNOWN_COLUMNS = tuple(dict.fromkeys((*RATING_COLUMNS, *PREFERENCE_COLUMNS, COUNT, TRIAL, MARGIN)))
"""Names that ``columns=`` may map to."""

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


def read_table(table: Any, *, name: str, renames: dict[str, str], encoding: str) -> tuple[pd.DataFrame, TableSource]:
    """Read a table under its own column names, and where it comes from.

    Parameters
    ----------
    table : path or dataframe
        A file, or an eager dataframe of any library that narwhals knows.
    name : str
        ``"ratings"`` or ``"preferences"``.
    renames : dict of str to str
        Own names to canonical names: tells which columns of a text file must be kept as text.
    encoding : str
        Of text files.

    Returns
    -------
    frame : pandas.DataFrame
        The table.
    source : TableSource
        For messages.
    """
    if not isinstance(table, str | PathLike):
        return to_pandas(table, name=name), TableSource(name)
    path = Path(table)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ArgumentError(
            f"{name}: the file type of {path} is not known; allowed are {', '.join(SUFFIXES)} and dataframes"
        )
    if not path.is_file():
        raise DataError(f"{name}: there is no file {path}")
    if suffix == ".parquet":
        return read_parquet(path), TableSource(name, path=str(path))
    codec = _check_encoding(path, encoding, name)
    if suffix in (".jsonl", ".ndjson"):
        frame, first_line = _read_jsonl(path, codec, name)
    else:
        frame, first_line = _read_csv(path, codec, name, "," if suffix == ".csv" else "\t", renames)
    return frame, TableSource(name, path=str(path), first_line=first_line)


def to_pandas(table: Any, *, name: str) -> pd.DataFrame:
    """Turn a dataframe of any library into one of pandas; one of pandas is returned as it is."""
    if isinstance(table, pd.DataFrame):
        return table
    # Only other libraries need it.
    import narwhals as nw

    try:
        frame = nw.from_native(table, eager_only=True)
    except TypeError as error:
        raise ArgumentError(
            f"{name} is a {type(table).__name__}; allowed are a path ({', '.join(SUFFIXES)}) and a dataframe of "
            "pandas, polars, pyarrow or another library that narwhals reads (collect a lazy one first)"
        ) from error
    converted: pd.DataFrame = frame.to_pandas()
    return converted


def _check_encoding(path: Path, encoding: str, name: str) -> str:
    """Find the first byte that the encoding does not allow, and return the codec to read with."""
    try:
        codec = lookup(encoding).name
    except LookupError as error:
        raise ArgumentError(
            f"encoding={encoding!r} is not known to Python; 'utf-8', 'utf-16' and 'latin-1' are common"
        ) from error
    data = path.read_bytes()
    if not data.strip():
        raise DataError(f"{name} ({path}): the file is empty")
    try:
        data.decode(codec)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name} ({path}): byte {error.start:,} (line {line:,}) is 0x{data[error.start]:02x}, which is not "
            f"{encoding}: {error.reason}. Give the encoding of the file with encoding="
        ) from error
    # A byte-order mark, as spreadsheets write it, is no part of the first column's name.
    return "utf-8-sig" if codec == "utf-8" else codec


def _read_csv(
    path: Path, codec: str, name: str, separator: str, renames: dict[str, str]
) -> tuple[pd.DataFrame, int | None]:
    with path.open(encoding=codec, newline="") as file:
        header = next(csv.reader(file, delimiter=separator), [])
    if repeated := sorted({column for column in header if header.count(column) > 1}):
        raise DataError(f"{name} ({path}): more than one column is called {repeated[0]!r}; names must be unique")
    if len(header) == 1 and any(other in header[0] for other in ",;\t|"):
        raise DataError(
            f"{name} ({path}): the header {header[0]!r} is one column; the file seems not to be separated by "
            f"{separator!r}. Commas are needed in .csv and tabs in .tsv; or read it yourself and pass the dataframe"
        )
    known = [column for column in header if renames.get(column, column) in KNOWN_COLUMNS]
    others = {column: ["", *MISSING_WORDS] for column in header if column not in known}
    try:
        with warnings.catch_warnings():
            # Rows with more fields than the header: pandas only warns, and shifts or cuts them.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                sep=separator,
                encoding=codec,
                # Ids stay as written: "007" is no number, "NA" may be a name.
                dtype=dict.fromkeys(known, "str"),
                keep_default_na=False,
                na_values=others,
                index_col=False,
                low_memory=False,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        raise DataError(f"{name} ({path}) cannot be read as a table: {str(error).strip()}") from error
    n_lines = _count_lines(path, codec)
    # Blank lines and line breaks within quotes make rows and lines part ways; then only rows are named.
    return frame, 2 if n_lines == len(frame) + 1 else None


def _count_lines(path: Path, codec: str) -> int | None:
    if codec not in ("utf-8-sig", "ascii", "iso8859-1", "cp1252"):
        return None
    data = path.read_bytes()
    return data.count(b"\n") + (not data.endswith(b"\n"))


def _read_jsonl(path: Path, codec: str, name: str) -> tuple[pd.DataFrame, int | None]:
    records = []
    n_blank = 0
    with path.open(encoding=codec) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                n_blank += 1
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise DataError(f"{name} ({path}), line {number}: not valid JSON: {error}") from error
            if not isinstance(record, dict):
                raise DataError(f'{name} ({path}), line {number}: each line must be an object such as {{"item": "x"}}')
            records.append(record)
    # As objects, so that whole numbers beside missing values do not turn into floats.
    frame = pd.DataFrame(records, dtype=object)
    extras = [column for column in frame.columns if column not in KNOWN_COLUMNS]
    frame = frame.assign(**{str(column): frame[column].infer_objects() for column in extras})
    return frame, None if n_blank else 1
