"""Reads image files that may be anybody's: broken, huge, or no images at all."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kd_tf.extras import require_modules
from kd_tf.limited_read import read_limited

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""Formats that are read. Pillow has decoders of many more, some of which run other programs."""

MAX_FILE_BYTES = 32 * 2**20
"""Largest file that is read; a cover has some hundred kB."""

MAX_PIXELS = 50_000_000
"""Largest picture that is decoded: 200 MB of memory, and 400 MB for transparent ones. A small file
can declare far more."""

MIN_SIDE = 8
"""Smaller pictures are what services send where they have no cover."""

_WEB_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]+:)?//|data:", re.IGNORECASE)


class UnusableImageError(Exception):
    """An image cannot be used; the message says why, as it follows the path and a colon."""


@dataclass(frozen=True)
class ImageFile:
    """A file whose content was read once.

    Attributes:
        path: The file, without links.
        digest: SHA-256 of its content.
    """

    path: Path
    digest: bytes


def is_web_address(path: str) -> bool:
    """Says whether a cell of a table holds an address instead of a path.

    Example:
        >>> is_web_address("https://books.example/1.jpg"), is_web_address("covers/1.jpg")
        (True, False)
    """
    return _WEB_ADDRESS.match(path) is not None


def find_image(path: str, folders: Sequence[Path]) -> ImageFile:
    """Finds the file at a path of a table.

    Args:
        path: Relative to one of the folders, or absolute.
        folders: The first that has the file counts. A path that leads out of all of them, also by
            a link, is refused: a table of somebody else's must not choose what is read.

    Raises:
        UnusableImageError: There is no such file, it may not be read, or it is too large.
    """
    try:
        roots = [folder.expanduser().resolve() for folder in folders]
        places = [(root / path).resolve() for root in roots]
        inside = [
            place
            for place in places
            if any(place != root and place.is_relative_to(root) for root in roots)
        ]
        if not inside:
            raise UnusableImageError(f"it lies outside of {', '.join(map(str, folders))}")
        existing = [place for place in inside if place.exists()]
        if not existing:
            raise UnusableImageError("there is no such file")
        files = [place for place in existing if place.is_file()]
        if not files:
            raise UnusableImageError("it is no file")
        return ImageFile(files[0], hashlib.sha256(_read_content(files[0])).digest())
    # A path can also be no path at all: with a null byte, too long, or a circle of links.
    except (OSError, ValueError, RuntimeError) as error:
        raise UnusableImageError(
            f"it cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error


def read_pixels(image: ImageFile, width: int, height: int) -> np.ndarray:
    """Decodes an image and scales it to a size, whatever its proportions.

    Of an animation the first picture counts. Transparent parts are white, 16 bits become 8, and
    CMYK and palettes RGB; a photograph is turned as its camera says.

    Args:
        image: The file.
        width: Pixels of a row.
        height: Rows.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        UnusableImageError: It is no image of `FORMATS`, is damaged, or has too many pixels.
        MissingExtraError: Pillow is not installed.
    """
    try:
        content = _read_content(image.path)
    except OSError as error:
        raise UnusableImageError(f"it cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(content).digest() != image.digest:
        raise UnusableImageError("it changed while it was read")
    return _decode(content, width, height)


def _read_content(path: Path) -> bytes:
    """Reads a file.

    Raises:
        UnusableImageError: It is empty or too large.
        OSError: It cannot be read.
    """
    try:
        content = read_limited(path, MAX_FILE_BYTES)
    except ValueError as error:
        raise UnusableImageError(f"it has more than {MAX_FILE_BYTES // 2**20} MB") from error
    if not content:
        raise UnusableImageError("it is empty")
    return content


def _decode(content: bytes, width: int, height: int) -> np.ndarray:
    require_modules("PIL")
    from PIL import ImageOps, UnidentifiedImageError
    from PIL.Image import DecompressionBombError, Resampling
    from PIL.Image import open as open_image

    try:
        with warnings.catch_warnings():
            # Pillow only warns of pictures that are large; the limit here is lower.
            warnings.simplefilter("ignore")
            with open_image(io.BytesIO(content), formats=FORMATS) as picture:
                _check_size(*picture.size)
                # A JPEG is decoded at a fraction of its size where that is enough.
                picture.draft("RGB", (2 * width, 2 * height))
                picture.load()
                ImageOps.exif_transpose(picture, in_place=True)
                # Scaled first, as each conversion takes the memory of a whole picture.
                small_picture = _make_continuous(picture).resize(
                    (width, height), Resampling.BICUBIC, reducing_gap=3
                )
                small_picture = _remove_alpha(small_picture)
        return np.asarray(small_picture, np.uint8)
    except UnusableImageError:
        raise
    except UnidentifiedImageError as error:
        raise UnusableImageError(
            f"it is no image in a format that is read ({', '.join(FORMATS)})"
        ) from error
    except DecompressionBombError as error:
        raise UnusableImageError(f"it has more than {MAX_PIXELS:,} pixels") from error
    # Pillow's decoders raise whatever a damaged file leads them to: OSError, SyntaxError,
    # ValueError, struct.error, IndexError and more.
    except Exception as error:
        raise UnusableImageError(f"it is damaged: {error}") from error


def _check_size(width: int, height: int) -> None:
    """Checks what the header of a picture declares, before it is decoded.

    Raises:
        UnusableImageError: It is too large, or a placeholder.
    """
    if width * height > MAX_PIXELS:
        raise UnusableImageError(
            f"it has {width:,} x {height:,} pixels, more than {MAX_PIXELS:,} together"
        )
    if min(width, height) < MIN_SIDE:
        raise UnusableImageError(
            f"it has {width} x {height} pixels: a placeholder, no picture of a book"
        )


def _make_continuous(picture: Image) -> Image:
    """Converts a picture to a mode in which pixels can be averaged."""
    from PIL.Image import fromarray

    if picture.mode.startswith("I"):  # 16 bits of grey; `convert` would cut off what is above 255
        return fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8))
    if "transparency" in picture.info or picture.mode == "PA":
        return picture.convert("RGBA")
    if picture.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return picture
    return picture.convert("RGB")


def _remove_alpha(picture: Image) -> Image:
    """Puts a picture on white."""
    from PIL.Image import alpha_composite, new

    if picture.mode in ("LA", "RGBA"):
        picture = picture.convert("RGBA")
        picture = alpha_composite(new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")
