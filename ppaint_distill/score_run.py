"""What scoring many images takes and gives: images with names, tables of scores, lists of what has none."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ppaint_distill.config import PromptConfig
from ppaint_distill.errors import AnswerError, ImageError, SkippedWarning
from ppaint_distill.image_reading import _check_header, _to_rgb, _turn_upright
from ppaint_distill.images import MAX_PIXELS, ImageFile, find_images, load_image
from ppaint_distill.parsing import parse_scores
from ppaint_stats.columns import DIMENSION, ITEM
from ppaint_stats.errors import DataError
from ppaint_stats.fusion_io import write_whole

if TYPE_CHECKING:
    from PIL import Image

type Record = dict[str, Any]
"""One batch as plain values: ``rows`` of item, scores and sds; ``bad`` images; ``failures`` of written answers."""


@dataclass(frozen=True, eq=False)
class ScoreRun:
    """Scores of many images.

    Parameters
    ----------
    scores
        Columns ``item, dimension, score, sd``. The sd is that of the predicted levels; nan for written answers.
    skipped
        Images that could not be used: ``item, path, kind, reason``.
    failures
        Written answers that could not be read: ``item, kind, reason, text``. No score is made up for them.
    """

    scores: pd.DataFrame
    skipped: pd.DataFrame
    failures: pd.DataFrame

    @property
    def bad_images(self) -> tuple[ImageError, ...]:
        """Images that could not be used, as errors."""
        rows = self.skipped[["path", "kind", "reason"]].itertuples(index=False, name=None)
        return tuple(ImageError(path, kind, reason) for path, kind, reason in rows)


def join_records(records: Sequence[Record], items: Sequence[str]) -> Record:
    """Join batches into one, in the order of the images.

    Parameters
    ----------
    records
        Batches.
    items
        All items, in order.

    Returns
    -------
    dict
        One record.
    """
    place = {item: number for number, item in enumerate(items)}
    return {
        name: sorted((row for record in records for row in record[name]), key=lambda row: place[row[0]])
        for name in ("rows", "bad", "failures")
    }


def tabulate_scores(records: Sequence[Record], dimensions: Sequence[str]) -> ScoreRun:
    """Put batches together.

    Parameters
    ----------
    records
        Batches in order.
    dimensions
        Names of the dimensions, in the order of the scores.

    Returns
    -------
    ScoreRun
        Their scores, bad images and failures.
    """
    rows = [
        (item, name, score, sd)
        for record in records
        for item, scores, sds in record["rows"]
        for name, score, sd in zip(dimensions, scores, sds, strict=True)
    ]
    table = pd.DataFrame(rows, columns=[ITEM, DIMENSION, "score", "sd"])
    bad = [row for record in records for row in record["bad"]]
    failures = [row for record in records for row in record["failures"]]
    return ScoreRun(
        table.astype({ITEM: "str", DIMENSION: "str", "score": "float64", "sd": "float64"}),
        pd.DataFrame(bad, columns=[ITEM, "path", "kind", "reason"], dtype="str"),
        pd.DataFrame(failures, columns=[ITEM, "kind", "reason", "text"], dtype="str"),
    )


def write_scores(run: ScoreRun, out: Path, *, scale: tuple[float, float], provenance: Mapping[str, Any]) -> None:
    """Write scores, and beside them the lists of what has none, where there is any.

    Parameters
    ----------
    run
        What is written.
    out
        File of the scores, ``.parquet`` or ``.csv``.
    scale
        Lowest and highest score, for the metadata of Parquet.
    provenance
        What scored, for the same.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, listed in (("skipped", run.skipped), ("failures", run.failures)):
        path = out.with_name(f"{out.name}.{name}.csv")
        path.unlink(missing_ok=True)
        if len(listed):
            write_csv(listed, path)
    if out.suffix == ".csv":
        write_csv(run.scores, out)
        return
    table = pa.Table.from_pandas(run.scores, preserve_index=False)
    about = {"scale_low": repr(scale[0]), "scale_high": repr(scale[1]), "provenance": json.dumps(dict(provenance))}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **about})
    write_whole(out, lambda temporary: pq.write_table(table, temporary))


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, whole or not at all.

    Parameters
    ----------
    table
        What is written.
    path
        The file.
    """
    write_whole(path, lambda temporary: table.to_csv(temporary, index=False))


def name_images(
    images: "str | Path | Sequence[str | Path | ImageFile | Image.Image]",
) -> "Sequence[ImageFile | tuple[str, Image.Image]]":
    """Give every image its item: the name without suffix of a file, the place of an image in memory.

    Parameters
    ----------
    images
        A folder, or files and images in memory.

    Returns
    -------
    sequence
        Files, and pairs of item and image.

    Raises
    ------
    DataError
        If two images have one item, or something is no image.
    """
    if isinstance(images, str | Path):
        return find_images(images)
    named: list[ImageFile | tuple[str, Image.Image]] = []
    for place, image in enumerate(images):
        if isinstance(image, str | Path):
            named.append(ImageFile(Path(image).stem, Path(image)))
        else:
            if not isinstance(image, ImageFile) and not hasattr(image, "mode"):
                raise DataError(
                    f"images[{place}] is of type {type(image).__name__}: a path or an image of Pillow is allowed"
                )
            named.append(image if isinstance(image, ImageFile) else (str(place), image))
    items = pd.Series([image.item if isinstance(image, ImageFile) else image[0] for image in named], dtype="str")
    if items.duplicated().any():
        raise DataError(f"two images have one item: {items[items.duplicated()].unique()[:10].tolist()}")
    return named


def load_batch(
    batch: "Sequence[ImageFile | tuple[str, Image.Image]]",
) -> "tuple[list[str], list[Image.Image], list[list[str]]]":
    """Read the images of a batch.

    Parameters
    ----------
    batch
        What `name_images` returned, or a part of it.

    Returns
    -------
    tuple of list
        Items and images that can be used; item, path, kind and reason of those that cannot.
    """
    items: list[str] = []
    images: list[Image.Image] = []
    bad: list[list[str]] = []
    for file in batch:
        item = file.item if isinstance(file, ImageFile) else file[0]
        try:
            image = load_image(file.path) if isinstance(file, ImageFile) else read_image(file[1])
        except ImageError as error:
            bad.append([item, str(error.path), error.kind, error.reason])
            continue
        items.append(item)
        images.append(image)
    return items, images, bad


def read_image(image: "Image.Image") -> "Image.Image":
    """Turn an image in memory into what `load_image` makes of the same image in a file.

    Parameters
    ----------
    image
        An image, opened lazily or not.

    Returns
    -------
    PIL.Image.Image
        Mode RGB, upright, on white where it is transparent.

    Raises
    ------
    ImageError
        As `load_image`, for modes, sizes and animations that it refuses.
    """
    path = Path(getattr(image, "filename", "") or "in memory")
    try:
        _check_header(image, path, MAX_PIXELS)
        image.load()
        return _to_rgb(_turn_upright(image))
    except ImageError:
        raise
    except Exception as error:  # as for files: Pillow's decoders raise nearly anything on damaged data
        raise ImageError(path, "corrupt", f"damaged or cut short ({error})") from error


def read_texts(items: Sequence[str], texts: Sequence[str], prompt: PromptConfig) -> Record:
    """Read written answers; no score is made up for those that cannot be read.

    Parameters
    ----------
    items
        Names of the images.
    texts
        The answer to each.
    prompt
        What was asked.

    Returns
    -------
    dict
        Rows and failures.
    """
    rows: list[list[Any]] = []
    failures: list[list[str]] = []
    for item, text in zip(items, texts, strict=True):
        try:
            values = parse_scores(text, prompt)
            rows.append([item, [values[name] for name in prompt.dimensions], [None] * len(prompt.dimensions)])
        except AnswerError as error:
            failures.append([item, error.kind, error.reason, text])
    return {"rows": rows, "failures": failures}


def warn_of_skipped(run: ScoreRun, where: str) -> None:
    """Warn of images and answers without scores, in one message.

    Parameters
    ----------
    run
        The run.
    where
        Words at the end: where the lists are.
    """
    counts = []
    if len(run.skipped):
        shown = "; ".join(f"{path}: {reason}" for path, reason in run.skipped[["path", "reason"]].to_numpy()[:10])
        counts.append(f"{len(run.skipped):,} image(s) could not be used: {shown}")
    if len(run.failures):
        kinds = ", ".join(f"{count} {kind}" for kind, count in run.failures["kind"].value_counts().items())
        counts.append(f"{len(run.failures):,} answer(s) could not be read: {kinds}")
    if counts:
        warnings.warn("; ".join(counts) + where, SkippedWarning, stacklevel=3)
