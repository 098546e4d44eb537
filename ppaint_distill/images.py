"""The images of a folder: found, checked and hashed. Single files are read in `ppaint_distill.image_reading`."""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ppaint_distill.errors import ImageError, SkippedWarning
from ppaint_distill.image_reading import FORMATS, MAX_ASPECT, MAX_PIXELS, hash_image, hash_pixels, load_image
from ppaint_stats.errors import DataError
from ppaint_stats.progress import track

__all__ = [
    "FORMATS",
    "MAX_ASPECT",
    "MAX_PIXELS",
    "SUFFIXES",
    "ImageFile",
    "Inspection",
    "find_images",
    "hash_image",
    "hash_pixels",
    "inspect_images",
    "list_other_files",
    "load_image",
]

_ENDINGS = "png apng jpg jpeg jpe jfif webp tif tiff bmp gif ppm pgm pbm pnm jp2 j2k avif mpo"
SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())
"""Endings of file names by which images are found, in lower case."""

_SHOWN = 10  # how many files a message lists


@dataclass(frozen=True, order=True)
class ImageFile:
    """One image.

    Parameters
    ----------
    item
        Its id: the file's name without suffix.
    path
        The file.
    hash
        Hash of its content (`hash_image`); None until `inspect_images` has read it.
    """

    item: str
    path: Path
    hash: str | None = None


class Inspection(NamedTuple):
    """What `inspect_images` found.

    Attributes
    ----------
    good
        Images that can be used, with their hashes, in the order given.
    bad
        One error for each file that cannot, in the order given.
    """

    good: tuple[ImageFile, ...]
    bad: tuple[ImageError, ...]


def find_images(folder: str | Path, *, recursive: bool = False) -> tuple[ImageFile, ...]:
    """Find the images of a folder by the endings of their names; none is opened.

    Parameters
    ----------
    folder
        The folder. Files whose names begin with a dot are no images.
    recursive
        Whether folders in it are searched, too.

    Returns
    -------
    tuple of ImageFile
        Sorted by item.

    Raises
    ------
    DataError
        If there is no such folder, no image in it, two files have one item id, or a name is no valid text.

    Warns
    -----
    SkippedWarning
        If there are other files; `list_other_files` lists all of them.
    """
    found, others, folders = _scan(folder, recursive=recursive)
    if not found:
        hint = f"; there are {folders} folder(s) in it, which recursive=True searches" if folders else ""
        raise DataError(f"{folder}: no image found ({len(others)} other file(s)){hint}")
    paths: dict[str, Path] = {}
    for path in found:
        try:
            path.stem.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"{folder}: the file name {path.name!r} is no valid text; rename it") from error
        if path.stem in paths:
            message = f"{paths[path.stem]} and {path} have one item id, {path.stem!r}: the name without suffix"
            raise DataError(f"{message}; rename or remove one")
        paths[path.stem] = path
    if others:
        shown = ", ".join(str(path.relative_to(folder)) for path in others[:_SHOWN])
        more = f" and {len(others) - _SHOWN:,} more" if len(others) > _SHOWN else ""
        message = f"{folder}: {len(others):,} file(s) left out, because their names end like no image's: {shown}{more}"
        warnings.warn(f"{message} (list_other_files lists all)", SkippedWarning, stacklevel=2)
    return tuple(ImageFile(item, paths[item]) for item in sorted(paths))


def list_other_files(folder: str | Path, *, recursive: bool = False) -> tuple[Path, ...]:
    """List the files that `find_images` leaves out, save those whose names begin with a dot.

    Parameters
    ----------
    folder, recursive
        As in `find_images`.

    Returns
    -------
    tuple of Path
        Sorted.

    Raises
    ------
    DataError
        If there is no such folder.
    """
    return tuple(_scan(folder, recursive=recursive)[1])


def inspect_images(
    images: Iterable[ImageFile | str | Path], *, max_pixels: int = MAX_PIXELS, progressbar: bool = True
) -> Inspection:
    """Read every image once: hash those that can be used, and list those that cannot.

    Parameters
    ----------
    images
        Images, or paths.
    max_pixels
        As in `load_image`.
    progressbar
        Whether progress is shown where standard error is a terminal.

    Returns
    -------
    Inspection
        ``good`` images with hashes, and one error for each ``bad`` file.

    Examples
    --------
    >>> [error.kind for error in inspect_images(["no_such_file.png"]).bad]
    ['missing']
    """
    files = [image if isinstance(image, ImageFile) else ImageFile(Path(image).stem, Path(image)) for image in images]
    good: list[ImageFile] = []
    bad: list[ImageError] = []
    for file in track(files, total=len(files), description="Reading images", progressbar=progressbar):
        try:
            good.append(replace(file, hash=hash_image(file.path, max_pixels=max_pixels)))
        except ImageError as error:
            bad.append(error)
    return Inspection(tuple(good), tuple(bad))


def _scan(folder: str | Path, *, recursive: bool) -> tuple[list[Path], list[Path], int]:
    """Return image files, other files, and the number of folders in a folder."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: {'this is a file, not a folder' if folder.exists() else 'there is no such folder'}")
    images: list[Path] = []
    others: list[Path] = []
    n_folders = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        n_folders += len(folders)
        for name in sorted(names):
            if not name.startswith("."):
                path = Path(place, name)
                (images if path.suffix.lower() in SUFFIXES else others).append(path)
        if not recursive:
            break
    return images, others, n_folders
