"""The options that name a study, and reading it: shared by check, fuse and compare."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.progress import LOG, step

if TYPE_CHECKING:
    from ppaint_stats.fusion import Fusion
    from ppaint_stats.study import Study

INPUT = "Study"
SIMULATED = "simulated data"


class Missing(StrEnum):
    """What to do with rows that lack a needed value."""

    ERROR = "error"
    DROP = "drop"


StudyFolder = Annotated[
    Path | None, typer.Argument(metavar="STUDY", help="Study folder, or a folder that simulate or demo wrote.")
]
RatingsFile = Annotated[
    Path | None, typer.Option("--ratings", help="Ratings: .csv, .tsv, .jsonl or .parquet.", rich_help_panel=INPUT)
]
PreferencesFile = Annotated[
    Path | None, typer.Option("--preferences", help="Comparisons, in a file of these kinds.", rich_help_panel=INPUT)
]
Scale = Annotated[
    str | None,
    typer.Option(
        "--scale", metavar="LOW HIGH [STEP]", help="Rating scale; no step: continuous.", rich_help_panel=INPUT
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="OWN=NAME ...",
        help="Your column names, such as winner=outcome; ratings.x=item for one table only.",
        rich_help_panel=INPUT,
    ),
]
TieMargin = Annotated[
    float | None,
    typer.Option(
        "--tie-margin", metavar="K", help="Comparisons with a margin up to K are ties.", rich_help_panel=INPUT
    ),
]
MissingRows = Annotated[
    Missing,
    typer.Option("--missing", help="Rows that lack a value: refuse, or leave out and say so.", rich_help_panel=INPUT),
]
Encoding = Annotated[str, typer.Option("--encoding", help="Encoding of text files.", rich_help_panel=INPUT)]


def open_study(
    folder: Path | None,
    *,
    ratings: Path | None = None,
    preferences: Path | None = None,
    scale: str | None = None,
    columns: list[str] | None = None,
    tie_margin: float | None = None,
    missing: Missing = Missing.ERROR,
    encoding: str = "utf-8",
) -> "tuple[Study, bool]":
    """Read the study that the options name, and say whether it is known to be simulated."""
    from ppaint_stats.io import read_study

    if folder is not None:
        if not folder.exists():
            raise DataError(
                f"there is no study folder {folder}; name tables by --ratings and --preferences, or make a study: "
                f"ppaint simulate --out {folder}"
            )
        if not (folder / "study.json").exists() and (folder / "study" / "study.json").exists():
            folder = folder / "study"
    elif ratings is None and preferences is None:
        raise ArgumentError("no study is named: give a study folder, --ratings FILE, --preferences FILE or both")
    elif ratings is not None and scale is None:
        raise ArgumentError("--ratings needs the scale that the raters used: --scale LOW HIGH [STEP]")
    with step("reading the study"):
        study = read_study(
            folder,
            ratings=ratings,
            preferences=preferences,
            scale=None if scale is None else parse_scale(scale),
            columns=parse_columns(columns) if columns else None,
            tie_margin=tie_margin,
            missing=missing.value,
            encoding=encoding,
        )
    LOG.info("%r", study)
    return study, folder is not None and is_simulated(folder)


def is_simulated(folder: Path) -> bool:
    """Whether the file beside a study folder says that the study was simulated."""
    about = folder.resolve().parent / "design.json"
    if folder.name != "study" or not about.is_file():
        return False
    try:
        return bool(json.loads(about.read_text(encoding="utf-8")).get("simulated"))
    except (ValueError, AttributeError):
        return False


def parse_scale(text: str) -> tuple[float, ...]:
    """Read a scale.

    Examples
    --------
    >>> parse_scale("1:5:0.5"), parse_scale("0, 100")
    ((1.0, 5.0, 0.5), (0.0, 100.0))
    """
    words = text.replace(":", " ").replace(",", " ").split()
    try:
        values = tuple(float(word) for word in words)
    except ValueError:
        values = ()
    if len(values) not in (2, 3):
        raise ArgumentError(f"--scale {text!r} is not allowed: LOW HIGH or LOW HIGH STEP is, such as --scale 1 5 0.5")
    return values


def parse_columns(pairs: list[str]) -> dict[str, dict[str, str]] | dict[str, str]:
    """Read renamings of columns, for both tables or for one.

    Examples
    --------
    >>> parse_columns(["winner=outcome,who=rater"])
    {'winner': 'outcome', 'who': 'rater'}
    >>> parse_columns(["ratings.x=item", "who=rater"])
    {'ratings': {'x': 'item'}, 'who': 'rater'}
    """
    both: dict[str, str] = {}
    one: dict[str, dict[str, str]] = {}
    for pair in (part.strip() for text in pairs for part in text.split(",")):
        own, equals, name = pair.rpartition("=")
        if not equals or not own or not name:
            raise ArgumentError(f"--columns {pair!r} is not allowed: OWN=NAME is, such as winner=outcome")
        table, dot, column = own.partition(".")
        if dot and column and table in ("ratings", "preferences"):
            one.setdefault(table, {})[column] = name
        else:
            both[own] = name
    return one | both if one else both  # type: ignore[operator]  # read_study takes the two mixed


def load_fusions(paths: list[Path]) -> "list[Fusion]":
    """Read fusions, each from its file."""
    from ppaint_stats.fusion_io import load_fusion

    fusions = []
    for path in paths:
        with step(f"reading {path}"):
            fusions.append(load_fusion(path))
    return fusions
