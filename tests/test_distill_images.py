"""Images on disk: every kind of bad file, what good ones become, and hashes that follow the content."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ppaint_distill.errors import ImageError, SkippedWarning
from ppaint_distill.images import (
    ImageFile,
    find_images,
    hash_image,
    hash_pixels,
    inspect_images,
    list_other_files,
    load_image,
)
from ppaint_stats.errors import ArgumentError, DataError, PPaintError


def draw_noise(width: int = 20, height: int = 30, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encode_png(width: int, height: int, bits: int, colour: int, body: bytes = b"") -> bytes:
    """What Pillow itself cannot write: colour at 16 bits, or a header that promises more than there is."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


NOISE = draw_noise()
DEEP = Image.fromarray(np.full((4, 4), 40000, np.uint16))
FRAMES = {"save_all": True, "append_images": [draw_noise(seed=1), draw_noise(seed=2)]}
BAD = {
    "empty.png": (b"", "corrupt"),
    "cut.png": (encode(NOISE, "PNG")[:700], "corrupt"),
    "cut.jpg": (encode(NOISE, "JPEG")[:700], "corrupt"),
    "cut.webp": (encode(NOISE, "WEBP")[:300], "corrupt"),
    "cut-header.png": (encode(NOISE, "PNG")[:12], "corrupt"),
    "cut-header.avif": (encode(NOISE, "AVIF")[:40], "corrupt"),
    "checksum.png": (encode(NOISE, "PNG").replace(b"IDAT", b"IDAX"), "corrupt"),
    "text.jpg": (b"no image at all", "not-an-image"),
    "postscript.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not-an-image"),
    "huge.png": (encode_png(10_000, 6_000, 8, 2), "huge"),
    "bomb.png": (encode_png(20_000, 20_000, 8, 2), "huge"),
    "strip.png": (encode(Image.new("RGB", (1000, 3)), "PNG"), "shape"),
    "cmyk.jpg": (encode(Image.new("CMYK", (9, 9)), "JPEG"), "mode"),
    "cmyk.tif": (encode(Image.new("CMYK", (9, 9)), "TIFF"), "mode"),
    "lab.tif": (encode(Image.new("LAB", (9, 9)), "TIFF"), "mode"),
    "float.tif": (encode(Image.new("F", (9, 9)), "TIFF"), "mode"),
    "grey16.png": (encode(DEEP, "PNG"), "mode"),
    "grey16.tif": (encode(DEEP, "TIFF"), "mode"),
    "grey16.jp2": (encode(DEEP, "JPEG2000"), "mode"),
    "colour16.png": (encode_png(4, 4, 16, 2, b"".join([b"\0" + np.full(12, 40000, ">u2").tobytes()] * 4)), "mode"),
    "colour16.ppm": (b"P6 2 2 65535\n" + np.full(12, 40000, ">u2").tobytes(), "mode"),
    "moving.gif": (encode(NOISE, "GIF", **FRAMES), "animated"),
    "moving.png": (encode(NOISE, "PNG", **FRAMES), "animated"),
    "moving.webp": (encode(NOISE, "WEBP", **FRAMES), "animated"),
    "pages.tif": (encode(NOISE, "TIFF", **FRAMES), "animated"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_its_kind(name: str, tmp_path: Path) -> None:
    content, kind = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    for read in (load_image, hash_image):
        with pytest.raises(ImageError, match=r"^\S.*: \S") as caught:
            read(path)
        assert (caught.value.kind, caught.value.path) == (kind, path)
        assert str(path) not in caught.value.reason
        assert "\n" not in str(caught.value)


def test_what_is_no_file_is_named_with_its_kind(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    for name, kind in (("no.png", "missing"), ("folder.png", "not-an-image"), ("a\0b.png", "missing")):
        with pytest.raises(ImageError) as caught:
            load_image(tmp_path / name)
        assert caught.value.kind == kind
    assert issubclass(ImageError, PPaintError)


def test_all_bad_files_are_listed_and_the_good_ones_hashed(tmp_path: Path) -> None:
    for name, (content, _) in BAD.items():
        (tmp_path / name).write_bytes(content)
    NOISE.save(tmp_path / "good.png")
    found = inspect_images([*(tmp_path / name for name in BAD), tmp_path / "good.png", tmp_path / "none.png"])
    good, bad = found
    assert good == (ImageFile("good", tmp_path / "good.png", hash_image(tmp_path / "good.png")),)
    assert [error.kind for error in bad] == [*(kind for _, kind in BAD.values()), "missing"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_usual_modes_become_rgb(mode: str, kind: str, tmp_path: Path) -> None:
    image = NOISE.convert(mode)
    path = tmp_path / "image"
    image.save(path, kind)
    read = load_image(path)
    assert (read.mode, read.size, read.info) == ("RGB", (20, 30), {})
    assert read.tobytes() == image.convert("RGB").tobytes()


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}])
def test_large_compressed_files_are_not_taken_for_16_bits(options: dict[str, object], tmp_path: Path) -> None:
    image = draw_noise(300, 200)
    image.save(tmp_path / "a.tif", **options)
    image.save(tmp_path / "a.jp2")
    image.save(tmp_path / "a.ppm")
    assert {hash_image(tmp_path / f"a.{ending}") for ending in ("tif", "jp2", "ppm")} == {hash_pixels(image)}


def test_16_bits_a_pixel_are_not_16_a_channel(tmp_path: Path) -> None:
    header = struct.pack("<IHHI", 74, 0, 0, 66) + struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 16, 3, 8, 0, 0, 0, 0)
    path = tmp_path / "a.bmp"
    path.write_bytes(b"BM" + header + struct.pack("<III", 0xF800, 0x7E0, 0x1F) + b"\xff" * 8)
    assert load_image(path).getpixel((1, 1)) == (255, 255, 255)


def test_transparency_is_shown_on_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(path)
    assert load_image(path).getpixel((0, 0)) == (255, 255, 255)
    Image.new("RGBA", (4, 4), (255, 0, 0, 255)).save(path)
    assert load_image(path).getpixel((0, 0)) == (255, 0, 0)
    Image.new("RGBA", (4, 4), (255, 0, 0, 128)).save(path)
    assert load_image(path).getpixel((0, 0)) == (255, 127, 127)
    Image.new("LA", (4, 4), (7, 0)).save(path)
    assert load_image(path).getpixel((0, 0)) == (255, 255, 255)
    Image.new("RGB", (4, 4), (9, 9, 9)).save(path, transparency=(9, 9, 9))
    assert load_image(path).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for ending in ("png", "tif", "webp"):
        NOISE.save(tmp_path / f"a.{ending}", exif=exif, **({"lossless": True} if ending == "webp" else {}))
        with Image.open(tmp_path / f"a.{ending}") as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        read = load_image(tmp_path / f"a.{ending}")
        assert read.size == ((20, 30) if orientation < 5 else (30, 20))
        assert read.tobytes() == upright.tobytes()


def test_a_jpeg_with_a_preview_behind_it_is_one_picture(tmp_path: Path) -> None:
    NOISE.save(tmp_path / "a.jpg", "MPO", **FRAMES)
    NOISE.save(tmp_path / "b.jpg", "JPEG")
    assert hash_image(tmp_path / "a.jpg") == hash_image(tmp_path / "b.jpg")


def test_damaged_metadata_do_not_matter(tmp_path: Path) -> None:
    NOISE.save(tmp_path / "a.png", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff nonsense")
    assert hash_image(tmp_path / "a.png") == hash_pixels(NOISE)


def test_copies_have_one_hash_and_others_another(tmp_path: Path) -> None:
    names = {"a.png": {}, "b.bmp": {}, "c.tif": {}, "d.webp": {"lossless": True}, "e.png": {"compress_level": 1}}
    for name, options in names.items():
        NOISE.save(tmp_path / name, **options)
    hashes = {hash_image(tmp_path / name) for name in names}
    assert len(hashes) == 1
    assert len(hashes.pop()) == 64
    NOISE.save(tmp_path / "lossy.jpg")
    assert hash_image(tmp_path / "lossy.jpg") != hash_pixels(NOISE)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
def test_the_hash_tells_pixels_and_shape_apart(width: int, height: int, seed: int) -> None:
    image = draw_noise(width, height, seed)
    assert hash_pixels(image) == hash_pixels(image.copy())
    changed = image.copy()
    red, green, blue = changed.getpixel((0, 0))
    changed.putpixel((0, 0), (red ^ 1, green, blue))
    assert hash_pixels(changed) != hash_pixels(image)
    if width != height:
        turned = Image.frombytes("RGB", (height, width), image.tobytes())
        assert hash_pixels(turned) != hash_pixels(image)


def test_only_rgb_is_hashed() -> None:
    with pytest.raises(ArgumentError, match="RGB"):
        hash_pixels(Image.new("L", (2, 2)))


@settings(max_examples=300)
@given(data=st.data())
def test_damaged_files_raise_nothing_else(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF"]))
    content = bytearray(encode(NOISE, kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        mode = load_image(path).mode
    except ImageError as error:
        mode = error.kind
    assert mode in {"RGB", "corrupt", "not-an-image", "huge", "shape", "mode", "animated"}


def test_images_are_found_by_their_endings(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.d.webp", ".hidden.png"):
        (tmp_path / name).write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [file.item for file in find_images(tmp_path)] == ["a", "b", "c.d"]
    for name in ("notes.txt", "table.csv"):
        (tmp_path / name).write_text("")
    with pytest.warns(SkippedWarning, match=r"2 file\(s\) left out.*notes.txt, table.csv"):
        found = find_images(str(tmp_path))
    assert found[0] == ImageFile("a", tmp_path / "a.JPG")
    assert list_other_files(tmp_path) == (tmp_path / "notes.txt", tmp_path / "table.csv")


def test_folders_are_searched_where_asked(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"no image found.*recursive=True"):
        find_images(tmp_path)
    assert find_images(tmp_path, recursive=True) == (ImageFile("x", tmp_path / "sub" / "x.png"),)
    (tmp_path / "x.tif").write_bytes(b"")
    assert [file.path.name for file in find_images(tmp_path)] == ["x.tif"]
    with pytest.raises(DataError, match=r"x\.tif and .*x\.png have one item id, 'x'"):
        find_images(tmp_path, recursive=True)


def test_a_folder_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name, message in (("none", "no such folder"), ("file", "not a folder")):
        with pytest.raises(DataError, match=message):
            find_images(tmp_path / name)
    with pytest.raises(DataError, match=r"no image found \(1 other"):
        find_images(tmp_path)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    try:
        (tmp_path / "a\udcff.png").write_bytes(b"")
    except OSError:
        pytest.skip("the file system refuses such names itself")
    with pytest.raises(DataError, match="no valid text"):
        find_images(tmp_path)
