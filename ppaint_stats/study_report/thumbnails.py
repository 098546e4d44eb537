"""Small pictures of items, as data that a page holds: bounded in size, and with a list of what could not be shown."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ppaint_stats.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
LARGEST = 2_500_000
"""Bytes that all pictures of a page may take together."""
EDGES = (120, 88, 64, 48)
"""Longest edges in pixels, tried in turn until all pictures fit."""


@dataclass(frozen=True)
class Thumbnails:
    """Pictures by category and item as data URIs; items without one, and why."""

    pictures: dict[tuple[str, str], str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


def read_thumbnails(folder: str | Path, items: Iterable[tuple[str, str]], *, largest: int = LARGEST) -> Thumbnails:
    """Read pictures of items: the file whose name, with or without its suffix, is the item.

    Parameters
    ----------
    folder
        Folder of pictures, at any depth; a folder with the name of the category goes before others.
    items
        Pairs of category and item.
    largest
        Bytes that all pictures may take together.

    Returns
    -------
    Thumbnails
        Pictures, and a sentence for what is missing.

    Raises
    ------
    DataError
        If there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"there is no folder of images {folder}")
    wanted = list(dict.fromkeys(items))
    files = _index(folder)
    found = {key: path for key in wanted if (path := _choose(files.get(key[1], []), key[0])) is not None}
    lacking = [item for category, item in wanted if (category, item) not in found]
    missing = [_say(lacking, "has no image in the folder", "have no image in the folder")] if lacking else []
    try:
        from PIL import Image  # noqa: F401
    except ImportError:
        return Thumbnails({}, (*missing, "No images are shown: they need Pillow (pip install pillow)."))
    for edge in EDGES:
        pictures, broken, size = {}, [], 0
        for key, path in found.items():
            data = _shrink(path, edge)
            if data is None:
                broken.append(key[1])
                continue
            size += len(data)
            if size > largest and edge != EDGES[-1]:
                break
            if size <= largest:
                pictures[key] = data
        if size <= largest:
            break
    if broken:
        missing.append(_say(broken, "has an image that cannot be read", "have images that cannot be read"))
    left_out = [item for (c, item) in found if (c, item) not in pictures and item not in broken]
    if left_out:
        missing.append(_say(left_out, "is left out: the page would grow too large",
                            "are left out: the page would grow too large"))  # fmt: skip
    return Thumbnails(pictures, tuple(missing))


def _index(folder: Path) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            for name in {path.stem, path.name}:
                files.setdefault(name, []).append(path)
    return files


def _choose(paths: list[Path], category: str) -> Path | None:
    inside = [path for path in paths if path.parent.name == category]
    return next(iter(inside or paths), None)


def _shrink(path: Path, edge: int) -> str | None:
    """Write a small JPEG as a data URI; None for what Pillow cannot read."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            opened.draft("RGB", (2 * edge, 2 * edge))
            small = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    small.thumbnail((edge, edge))
    paper = Image.new("RGB", small.size, "white")
    paper.paste(small, mask=small.getchannel("A"))
    buffer = io.BytesIO()
    paper.save(buffer, "JPEG", quality=72, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _say(items: list[str], one: str, many: str) -> str:
    shown = ", ".join(items[:10]) + (f" and {len(items) - 10} more" if len(items) > 10 else "")
    return f"{len(items):,} item{'s' if len(items) > 1 else ''} {one if len(items) == 1 else many}: {shown}."
