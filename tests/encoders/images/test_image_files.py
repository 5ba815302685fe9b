"""Image files that may be anybody's: what cannot be used is said, and nothing else is read."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kd_tf.encoders.images import image_files
from kd_tf.encoders.images.image_files import (
    MAX_FILE_BYTES,
    ImageFile,
    UnusableImageError,
    find_image,
    is_web_address,
    read_pixels,
)


def encode(picture: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, file_format, **options)
    return stream.getvalue()


def make_noise(width: int = 60, height: int = 90) -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def make_png_header(width: int, height: int) -> bytes:
    """Declares a picture whose pixels, all equal, take few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


def make_unusable(folder: Path) -> dict[str, str]:
    """Writes files that cannot be used: their names, and what is said of them."""
    noise = make_noise()
    contents = {
        "empty.png": (b"", "it is empty"),
        "text.png": (b"no picture at all\n" * 50, "no image in a format that is read"),
        "cut.png": (encode(noise)[:3000], "it is damaged"),
        "cut.jpg": (encode(noise, "JPEG")[:700], "it is damaged"),
        "cut.webp": (encode(noise, "WEBP")[:700], "it is damaged|no image in a format"),
        "bits.png": (encode(noise)[:100] + b"\xff" * 3000, "it is damaged"),
        "bomb.png": (make_png_header(40_000, 40_000), "pixels"),
        "large.png": (make_png_header(9_000, 9_000), "9,000 x 9,000 pixels, more than 50,000,000"),
        "dot.gif": (encode(Image.new("RGB", (1, 1)), "GIF"), "1 x 1 pixels: a placeholder"),
        "print.tif": (encode(noise, "TIFF"), "no image in a format that is read"),
        "print.eps": (encode(noise, "EPS"), "no image in a format that is read"),
        "huge.jpg": (b"\xff\xd8" + bytes(MAX_FILE_BYTES), "it has more than 32 MB"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.png").mkdir()
    outside = folder.parent / "secret.png"
    outside.write_bytes(encode(noise))
    (folder / "link.png").symlink_to(outside)
    (folder / "circle.png").symlink_to(folder / "circle.png")
    os.mkfifo(folder / "pipe.png")  # reading it would wait for ever
    return {
        **{name: reason for name, (_, reason) in contents.items()},
        "missing.png": "there is no such file",
        "folder.png": "it is no file",
        "pipe.png": "it is no file",
        "link.png": "it lies outside of",
        "circle.png": "it cannot be read|no such file|outside",
        "../secret.png": "it lies outside of",
        str(outside): "it lies outside of",
        "/dev/zero": "it lies outside of",
        ".": "it lies outside of",
        "a\0b.png": "it cannot be read|no such file",
        "x" * 5000: "it cannot be read|no such file",
    }


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "covers"
    folder.mkdir()
    for name, reason in make_unusable(folder).items():
        with pytest.raises(UnusableImageError, match=reason):
            read_pixels(find_image(name, [folder]), 8, 8)


def test_a_path_is_relative_or_absolute_and_the_first_folder_counts(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, name in ((first, "a.png"), (second, "a.png"), (second, "b.png")):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(encode(make_noise()))
    folders = [first, second]
    assert find_image("a.png", folders).path == first / "a.png"
    assert find_image("b.png", folders).path == second / "b.png"
    assert find_image(str(second / "a.png"), folders).path == second / "a.png"
    assert find_image("../second/b.png", folders).path == second / "b.png"


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(make_noise()))
    (tmp_path / "b.png").symlink_to("a.png")
    assert find_image("b.png", [tmp_path]) == find_image("a.png", [tmp_path])


def test_a_file_that_changes_between_hash_and_decoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(make_noise()))
    image = find_image("a.png", [tmp_path])
    path.write_bytes(encode(make_noise(70)))
    with pytest.raises(UnusableImageError, match="it changed while it was read"):
        read_pixels(image, 8, 8)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("https://a.example/x.jpg", True),
        ("HTTP://a.example/x.jpg", True),
        ("//a.example/x.jpg", True),
        ("data:image/png;base64,xx", True),
        ("covers/x.jpg", False),
        ("/covers/x.jpg", False),
        ("C:\\covers\\x.jpg", False),
        ("C:/covers/x.jpg", False),
        ("", False),
    ],
)
def test_addresses_of_the_web_are_recognized(path: str, expected: bool) -> None:
    assert is_web_address(path) is expected


def read_colour(folder: Path, content: bytes) -> tuple[int, ...]:
    (folder / "x").write_bytes(content)
    pixels = read_pixels(find_image("x", [folder]), 4, 6)
    assert pixels.shape == (6, 4, 3)
    assert pixels.dtype == np.uint8
    assert np.ptp(pixels.astype(int), axis=(0, 1)).max() <= 2
    return tuple(int(value) for value in pixels[0, 0])


def make_transparent_palette() -> bytes:
    palette = Image.new("P", (20, 30), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    return encode(palette, "PNG", transparency=1)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encode(Image.new("RGB", (20, 30), (200, 30, 30))), (200, 30, 30)),
        (encode(Image.new("RGB", (20, 30), (200, 30, 30)), "BMP"), (200, 30, 30)),
        (encode(Image.new("RGB", (20, 30), (200, 30, 30)), "WEBP", lossless=True), (200, 30, 30)),
        (encode(Image.new("CMYK", (20, 30), (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),
        (encode(Image.new("L", (20, 30), 77)), (77, 77, 77)),
        (encode(Image.new("1", (20, 30), 1)), (255, 255, 255)),
        # 16 bits, of which 0x8000 is half: what is above 255 must not become white.
        (encode(Image.fromarray(np.full((30, 20), 0x8000, np.uint16))), (128, 128, 128)),
        (encode(Image.new("RGBA", (20, 30), (0, 0, 0, 0))), (255, 255, 255)),
        (encode(Image.new("LA", (20, 30), (0, 128))), (127, 127, 127)),
        (make_transparent_palette(), (255, 255, 255)),
    ],
    ids=["png", "bmp", "webp", "cmyk", "grey", "bits", "16-bits", "alpha", "grey-alpha", "palette"],
)
def test_pictures_of_any_mode_become_rgb(
    tmp_path: Path, content: bytes, expected: tuple[int, ...]
) -> None:
    assert np.abs(np.subtract(read_colour(tmp_path, content), expected)).max() <= 2


def test_the_first_picture_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 30), colour) for colour in ("red", "blue")]
    for file_format in ("GIF", "WEBP"):
        options = {"lossless": True} if file_format == "WEBP" else {}
        content = encode(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
        assert np.abs(np.subtract(read_colour(tmp_path, content), (255, 0, 0))).max() <= 2


def test_a_photograph_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    picture = Image.new("RGB", (40, 20), "white")
    picture.paste("black", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise: left becomes top
    (tmp_path / "x.jpg").write_bytes(encode(picture, "JPEG", exif=exif))
    pixels = read_pixels(find_image("x.jpg", [tmp_path]), 20, 40)
    assert pixels[:10].mean() < 40
    assert pixels[30:].mean() > 215


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_anywhere_gives_pixels_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file_format = data.draw(st.sampled_from(image_files.FORMATS))
    content = bytearray(encode(make_noise(20, 30), file_format))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))]
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "x").write_bytes(bytes(content))
    try:
        shape = read_pixels(find_image("x", [folder]), 5, 7).shape
    except UnusableImageError:
        shape = (7, 5, 3)
    assert shape == (7, 5, 3)


def test_an_image_file_is_known_by_its_content(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(encode(make_noise()))
    first, second = (find_image(name, [tmp_path]) for name in ("a.png", "b.png"))
    assert first.digest == second.digest
    assert first == ImageFile(tmp_path / "a.png", second.digest)
