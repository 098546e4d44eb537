"""Options that several commands share, and the settings that they add up to."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppaint_distill.config import Config, load_config
from ppaint_stats.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = "Settings"

Images = Annotated[Path, typer.Option("--images", "-i", help="Folder of images.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="Settings, as YAML.", rich_help_panel=SETTINGS)]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.NAME=VALUE", help="One setting; may be given again.", rich_help_panel=SETTINGS
    ),
]
Model = Annotated[
    str | None, typer.Option("--model", "-m", help="A folder, a hub name, or tiny.", rich_help_panel=SETTINGS)
]


def gather_config(
    path: Path | None, settings: Sequence[str] | None, *, model: str | None = None, more: Sequence[str] = ()
) -> Config:
    """Settings from the file, then from ``--set``, then from options of their own."""
    overrides = [*(settings or ()), *more]
    if model is not None:
        overrides.append(f"model.name='{model}'")
    return load_config(path, overrides)


def read_table(path: Path, *, text: Sequence[str] = (), encoding: str = "utf-8") -> "pd.DataFrame":
    """Read a table from ``.parquet`` or ``.csv``, ids and the columns of ``text`` as text."""
    import pandas as pd

    if not path.is_file():
        raise DataError(f"there is no file {path}")
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix != ".csv":
        raise DataError(f"{path} is neither .parquet nor .csv")
    kinds = dict.fromkeys(("category", "dimension", "item", "item_a", "item_b", "rater", *text), str)
    try:
        return pd.read_csv(path, dtype=kinds, encoding=encoding)
    except LookupError as error:
        raise ArgumentError(f"--encoding {encoding!r} is not known; utf-8 and latin-1 are, for example") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not in {encoding} ({error.reason} at byte {error.start:,}): save it anew, or name its "
            "encoding, where the command has --encoding (latin-1 reads any file)"
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path} is no table of commas: {error}") from error


def read_preferences(paths: Sequence[Path]) -> "pd.DataFrame":
    """Read tables of one judge as one: parts that were judged on several machines."""
    import pandas as pd

    tables = [read_table(path) for path in paths]
    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


def read_anchors(path: Path) -> "pd.DataFrame":
    """Read known scores of pool images; ratings, such as ``judge --pointwise`` writes, become their means."""
    table = read_table(path)
    if "score" in table or "rating" not in table:
        return table
    heads = [name for name in ("category", "dimension", "item") if name in table]
    means: pd.DataFrame = table.groupby(heads, sort=False)["rating"].mean().rename("score").reset_index()
    return means


def check_parquet(out: Path) -> None:
    """Refuse another kind of file before any work is done."""
    if out.suffix != ".parquet":
        raise ArgumentError(f"--out {out} is not allowed: a file name that ends in .parquet is")


def is_main_process() -> bool:
    """Whether this process is the one that speaks, of those that ``accelerate launch`` started."""
    return int(os.environ.get("RANK", "0")) == 0
