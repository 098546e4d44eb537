"""Training data: targets matched with images, and split into what is trained on and what watches training."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ppaint_distill.errors import ConfigError, ImageError, SkippedWarning
from ppaint_distill.images import ImageFile, find_images, inspect_images
from ppaint_distill.targets import Targets
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import DataError
from ppaint_stats.seeds import split_seed

type FloatArray = npt.NDArray[np.float64]
type IntArray = npt.NDArray[np.int64]

MIN_VALIDATION = 3
"""Fewest validation items of a category with at least `STRATIFIED` items; a rank correlation of two says nothing."""
STRATIFIED = 12


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Images with targets, one row per category and item.

    Parameters
    ----------
    items
        Item of each row.
    categories
        Category of each row.
    files
        Image of each row, with the hash of its content.
    dimensions
        Dimensions, in the order of the prompt.
    scores, sds
        Targets, shape (rows, dimensions); nan where there is none.
    draws
        Joint draws, shape (draws, rows, dimensions), nan where there is no target; None where the targets have none.
    skipped
        What was left out: columns ``item, path, kind, reason``, the kinds being those of `ImageError`, ``no-target``
        for images and ``no-image`` for targets.
    """

    items: tuple[str, ...]
    categories: tuple[str, ...]
    files: tuple[ImageFile, ...]
    dimensions: tuple[str, ...]
    scores: FloatArray
    sds: FloatArray
    draws: npt.NDArray[np.float32] | None
    skipped: pd.DataFrame

    def __len__(self) -> int:
        return len(self.items)


def match_targets(
    targets: Targets,
    images: str | Path | Mapping[str, str | Path] | Sequence[ImageFile],
    *,
    dimensions: Sequence[str],
    progressbar: bool = True,
) -> TrainingData:
    """Find the image of each target; an image's item is its file name without suffix.

    Parameters
    ----------
    targets
        Targets of training.
    images
        A folder, a mapping of item to file, or images.
    dimensions
        Dimensions that are trained; targets of others are left out.
    progressbar
        Whether progress is shown while images are read.

    Returns
    -------
    TrainingData
        Rows sorted by category, in the targets' order, and by item.

    Raises
    ------
    DataError
        If a dimension has no targets, or fewer than two rows are left.

    Warns
    -----
    SkippedWarning
        If images without target, targets without image, or images that cannot be read were left out.
    """
    unknown = [name for name in dimensions if name not in targets.dimensions]
    if unknown:
        raise DataError(f"no targets for the dimensions {unknown}; there are targets for {list(targets.dimensions)}")
    frame = targets.frame[targets.frame[DIMENSION].isin(list(dimensions))]
    files = _list_files(images)
    wanted = set(frame[ITEM])
    inspection = inspect_images([file for file in files if file.item in wanted], progressbar=progressbar)
    by_item = {file.item: file for file in inspection.good}
    item_of = {file.path: file.item for file in files}
    skipped = _list_skipped(wanted, files, inspection.bad, item_of)

    frame = frame[frame[ITEM].isin(set(by_item))]
    order = {category: place for place, category in enumerate(dict.fromkeys(targets.frame[CATEGORY]))}
    pairs = sorted(set(zip(frame[CATEGORY], frame[ITEM], strict=True)), key=lambda pair: (order[pair[0]], pair[1]))
    if len(pairs) < 2:
        raise DataError(
            f"{len(pairs)} image(s) with a target: training needs at least 2. Targets are of {_show(sorted(wanted))}, "
            f"images are {_show([file.item for file in files])}; an image's item is its file name without suffix"
        )
    row_of = {pair: row for row, pair in enumerate(pairs)}
    scores = np.full((len(pairs), len(dimensions)), np.nan)
    sds = np.full_like(scores, np.nan)
    draws = None if targets.draws is None else np.full((targets.n_draws, *scores.shape), np.nan, dtype=np.float32)
    for place, dimension in enumerate(dimensions):
        for category in order:
            cell = targets.select(category, dimension)
            rows = np.array([row_of.get((category, item), -1) for item in cell[ITEM]], dtype=np.int64)
            kept = rows >= 0
            scores[rows[kept], place] = cell["score"].to_numpy()[kept]
            sds[rows[kept], place] = cell["sd"].to_numpy()[kept]
            if draws is not None and targets.draws is not None and kept.any():
                draws[:, rows[kept], place] = targets.draws[category, dimension][:, kept]
    return TrainingData(
        items=tuple(item for _, item in pairs),
        categories=tuple(category for category, _ in pairs),
        files=tuple(by_item[item] for _, item in pairs),
        dimensions=tuple(dimensions),
        scores=scores,
        sds=sds,
        draws=draws,
        skipped=skipped,
    )


def split_rows(
    data: TrainingData, *, fraction: float, validation: Iterable[str] | None = None, random_seed: int
) -> tuple[IntArray, IntArray]:
    """Split rows into those that are trained on and those that watch training.

    Rows of one item, and of images with the same content, stay together.

    Parameters
    ----------
    data
        Training data.
    fraction
        Part of each category's items that is held out: at least `MIN_VALIDATION` items of a category with `STRATIFIED`
        or more; 0 holds none out.
    validation
        Items to hold out instead.
    random_seed
        Seed.

    Returns
    -------
    tuple of ndarray
        Rows of training and of validation, ascending.

    Raises
    ------
    DataError
        If a validation item has no target, or fewer than two rows are left to train on.
    ConfigError
        If the fraction is not at least 0 and below 1.
    """
    if not 0 <= fraction < 1:
        raise ConfigError(f"train.validation_fraction={fraction!r} is not allowed: at least 0 and below 1 is")
    contents = [file.hash or file.item for file in data.files]
    if validation is not None:
        held_items = set(validation)
        # An image that cannot be read is listed already, and does not end the run.
        lost = data.skipped[~data.skipped["kind"].isin(["no-target", "no-image"])] if len(data.skipped) else None
        unknown = sorted(held_items - set(data.items) - set([] if lost is None else lost[ITEM]))
        if unknown:
            raise DataError(f"validation items without image or target: {_show(unknown)}")
        held = {content for content, item in zip(contents, data.items, strict=True) if item in held_items}
    else:
        held = set()
        names = list(dict.fromkeys(data.categories))
        for name, seed in zip(names, split_seed(random_seed, len(names)), strict=True):
            of_category = [c for c, category in zip(contents, data.categories, strict=True) if category == name]
            units = [unit for unit in dict.fromkeys(of_category) if unit not in held]
            size = round(fraction * len(units))
            if fraction > 0 and len(units) >= STRATIFIED:
                size = max(size, MIN_VALIDATION)
            held.update(units[unit] for unit in np.random.default_rng(seed).permutation(len(units))[:size])
    mask = np.array([content in held for content in contents])
    if (~mask).sum() < 2:
        raise DataError(f"{int((~mask).sum())} row(s) are left to train on after {int(mask.sum())} were held out")
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _list_files(images: str | Path | Mapping[str, str | Path] | Sequence[ImageFile]) -> list[ImageFile]:
    if isinstance(images, str | Path):
        return list(find_images(images))
    if isinstance(images, Mapping):
        return [ImageFile(str(item), Path(path)) for item, path in sorted(images.items())]
    files = list(images)
    repeated = [item for item, count in pd.Series([file.item for file in files]).value_counts().items() if count > 1]
    if repeated:
        raise DataError(f"items with more than one image: {_show([str(item) for item in repeated])}")
    return files


def _list_skipped(
    wanted: set[str], files: Sequence[ImageFile], bad: Sequence[ImageError], item_of: Mapping[Path, str]
) -> pd.DataFrame:
    """List all that is left out, and warn of it in one message."""
    rows = [(item_of[error.path], str(error.path), error.kind, error.reason) for error in bad]
    idle = [file for file in files if file.item not in wanted]
    rows += [(file.item, str(file.path), "no-target", "there is no target for it") for file in idle]
    lacking = sorted(wanted - {file.item for file in files})
    rows += [(item, "", "no-image", "no image has this name without suffix") for item in lacking]
    if rows:
        counts = [
            f"{len(part):,} {words} ({_show(part)})"
            for part, words in (
                ([f"{error.path.name}: {error.reason}" for error in bad], "image(s) that cannot be read"),
                ([file.item for file in idle], "image(s) without target"),
                (lacking, "target(s) without image"),
            )
            if part
        ]
        warnings.warn(f"left out: {'; '.join(counts)}", SkippedWarning, stacklevel=3)
    return pd.DataFrame(rows, columns=[ITEM, "path", "kind", "reason"])


def _show(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")
