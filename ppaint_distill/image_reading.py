"""One image file: read as plain RGB or refused with a reason, and known by what it shows rather than by its name."""

import hashlib
import re
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ppaint_distill.errors import ImageError
from ppaint_stats.errors import ArgumentError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
"""Formats that are read, by Pillow's names; others (PostScript, say) are not even tried."""

MAX_PIXELS = 50_000_000
MAX_ASPECT = 200.0
"""Longest side over shortest side; the processors of the Qwen family refuse images beyond it."""

_MODES = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX"})
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\x00", b"MM\x00*", b"BM", b"GIF8", b"\x00\x00\x00\x0cjP  ")
_ORIENTATION = 0x0112  # the EXIF tag


def load_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> "Image.Image":
    """Read an image as 8-bit RGB, upright.

    Parameters
    ----------
    path
        The file.
    max_pixels
        Largest width times height; checked before anything is decoded.

    Returns
    -------
    PIL.Image.Image
        Mode RGB, with neither metadata nor file behind it.

    Raises
    ------
    ImageError
        With the kind ``missing`` (no such file, or no leave to read it), ``not-an-image`` (nor a folder, nor a format
        outside `FORMATS`), ``corrupt`` (empty, damaged or cut short), ``huge`` (more than ``max_pixels``), ``shape``
        (one side over `MAX_ASPECT` times the other), ``mode`` (CMYK, Lab, 16 or 32 bits a channel:
        a conversion that would change what is judged is left to the owner) or ``animated`` (more than one frame
        or page; the second pictures that cameras put into a JPEG file do not count).

    Notes
    -----
    The EXIF orientation is applied; one that cannot be read counts as upright. Transparent parts are shown on white,
    as on a page. Grey, black-and-white and palette images become RGB. Embedded colour profiles are not applied.

    Examples
    --------
    >>> load_image("no_such_file.png")
    Traceback (most recent call last):
        ...
    ppaint_distill.errors.ImageError: no_such_file.png: there is no such file
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    head = _read_head(path)
    with _QUIET:
        try:
            opened = Image.open(path, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise _not_identified(path, head) from error
        except Image.DecompressionBombError as error:
            raise ImageError(path, "huge", f"more pixels than Pillow opens ({error})") from error
        except Exception as error:
            raise ImageError(path, "corrupt", f"its header cannot be read ({_explain(error)})") from error
        try:
            with opened as image:
                _check_header(image, path, max_pixels)
                image.load()
                return _to_rgb(_turn_upright(image))
        except (ImageError, KeyboardInterrupt):
            raise
        except Exception as error:  # Pillow's decoders raise nearly anything on damaged data
            raise ImageError(path, "corrupt", f"damaged or cut short ({_explain(error)})") from error


def hash_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> str:
    """Hash what an image shows.

    Parameters
    ----------
    path
        The file.
    max_pixels
        As in `load_image`.

    Returns
    -------
    str
        SHA-256 over width, height and decoded RGB pixels, as 64 hexadecimal digits: copies under another name, with
        other metadata or in another lossless format have the same hash. A copy in a lossy format has another.

    Raises
    ------
    ImageError
        As in `load_image`.
    """
    return hash_pixels(load_image(path, max_pixels=max_pixels))


def hash_pixels(image: "Image.Image") -> str:
    """Hash an image in memory as `hash_image` hashes a file.

    Parameters
    ----------
    image
        An image as `load_image` returns it.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ArgumentError
        If the mode is not RGB.

    Examples
    --------
    >>> from PIL import Image
    >>> hash_pixels(Image.new("RGB", (2, 3)))[:16]
    '9a9a6076dc8e7c65'
    """
    if image.mode != "RGB":
        raise ArgumentError(f"an image of mode RGB is needed, not {image.mode}")
    digest = hashlib.sha256(f"RGB {image.width} {image.height}\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


class _Quiet:
    """Silences Pillow, which warns of large images, measured here, and of damaged metadata, which do not matter here.

    `warnings.catch_warnings` is not made for several threads: what one restores, another has just silenced. So the
    first of those that read sets the filter, and the last takes it away.
    """

    def __init__(self) -> None:
        self.lock, self.readers = threading.Lock(), 0
        self.caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self.lock:
            if self.readers == 0:
                self.caught = warnings.catch_warnings()
                self.caught.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.|ppaint_distill\.image_reading")
            self.readers += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.readers -= 1
            if self.readers == 0:
                self.caught.__exit__(None, None, None)


_QUIET = _Quiet()


def read_size(image: "str | Path | Image.Image") -> tuple[int, int] | None:
    """Read the size of an image from its header, as it is when it stands upright.

    Parameters
    ----------
    image
        A file, or an image of Pillow.

    Returns
    -------
    tuple of int
        Width and height; None for what is no image. `load_image` says why.
    """
    from PIL import Image

    try:
        with _QUIET:
            if isinstance(image, str | Path):
                with Image.open(image, formats=FORMATS) as opened:
                    return _upright_size(opened)
            return _upright_size(image)
    except Exception:  # noqa: BLE001 - Pillow's decoders raise nearly anything on damaged data
        return None


def _upright_size(image: "Image.Image") -> tuple[int, int]:
    width, height = image.size
    try:
        turned = image.getexif().get(_ORIENTATION) in {5, 6, 7, 8}
    except Exception:  # noqa: BLE001 - as where images are turned
        turned = False
    return (height, width) if turned else (width, height)


def _read_head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except FileNotFoundError as error:
        raise ImageError(path, "missing", "there is no such file") from error
    except OSError as error:
        if path.is_dir():
            raise ImageError(path, "not-an-image", "this is a folder") from error
        raise ImageError(path, "missing", f"it cannot be opened ({error.strerror})") from error
    except ValueError as error:  # a zero byte in the name
        raise ImageError(path, "missing", f"no file can have this name ({error})") from error


def _not_identified(path: Path, head: bytes) -> ImageError:
    if not head:
        return ImageError(path, "corrupt", "the file is empty")
    if head.startswith(_SIGNATURES) or head[4:8] == b"ftyp":
        return ImageError(path, "corrupt", "it begins like an image, but its header is damaged or of a kind not read")
    return ImageError(path, "not-an-image", f"no image of a format that is read ({', '.join(FORMATS)})")


def _check_header(image: "Image.Image", path: Path, max_pixels: int) -> None:
    """Refuse by the header alone what is not to be decoded."""
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(path, "huge", f"{width} x {height} pixels are more than {max_pixels:,}; make it smaller")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(path, "shape", f"{width} x {height} pixels: one side is over {MAX_ASPECT:g} times the other")
    if image.mode.startswith(("I", "F")) or _is_deep(image):
        raise ImageError(path, "mode", "more than 8 bits a channel; convert it to 8")
    if image.mode not in _MODES:
        raise ImageError(path, "mode", f"its colours are {image.mode}; convert it to RGB")
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise ImageError(path, "animated", f"{getattr(image, 'n_frames', 0)} frames or pages; keep one")


def _is_deep(image: "Image.Image") -> bool:
    """Tell colour images of more than 8 bits, which Pillow reads as 8, by the layout of the file's pixels."""
    for tile in getattr(image, "tile", ()):
        layout = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if re.search(r"(?<!BGR);(16|32)", str(layout[0])):
            return True
        if image.format == "PPM" and len(layout) > 1 and isinstance(layout[1], int) and layout[1] > 255:
            return True
    return False


def _turn_upright(image: "Image.Image") -> "Image.Image":
    from PIL.Image import Transpose

    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - damaged metadata raise nearly anything, and say nothing of the pixels
        return image
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _to_rgb(image: "Image.Image") -> "Image.Image":
    """Compose on white where anything is transparent; return a copy that holds pixels alone."""
    from PIL import Image

    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        plain = Image.alpha_composite(white, layer).convert("RGB")
    else:
        plain = image.convert("RGB")
    clean = Image.new("RGB", plain.size)
    clean.paste(plain)
    return clean


def _explain(error: Exception) -> str:
    """One line of what Pillow says, without its own name of the file."""
    return " ".join(str(error).split())[:200] or type(error).__name__
