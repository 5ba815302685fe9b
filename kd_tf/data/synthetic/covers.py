"""Draws the covers of the synthetic bookshop, so that image encoders can be tried without any."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kd_tf.data.synthetic.books import SyntheticItem
from kd_tf.errors import UserError
from kd_tf.extras import require_modules
from kd_tf.keyed_folder import KEY_FILE, fill_folder, list_other_files

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

WIDTH, HEIGHT = 96, 144
"""Pixels of a cover."""

VERSION = 1
"""Rises when covers are drawn in another way, so that kept ones are drawn again."""

ODD_SHARE = 0.15
"""Share of the books whose cover has the colours and the layout of any other genre."""

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2

Colour = tuple[int, int, int]


def draw_covers(
    items: Sequence[SyntheticItem], names: Sequence[str], folder: Path, seed: int
) -> None:
    """Draws the cover of each item as a PNG of some kilobytes.

    As in a real shop a cover says what a book is like, and not exactly: the genre has its range of
    colours and a layout, the theme a pattern, and the volumes of a series share an ornament; some
    covers (`ODD_SHARE`) look like another genre. The title is written on it.

    Args:
        items: The items.
        names: Name of each file.
        folder: A new or empty folder, or that of an earlier call, whose files are drawn again only
            if anything has changed.
        seed: Draws what genre, theme and series leave open.

    Raises:
        UserError: The folder holds other files.
        MissingExtraError: Pillow is not installed.
    """
    require_modules("PIL")
    is_filled = folder.is_dir() and any(folder.iterdir())
    if is_filled and (not (folder / KEY_FILE).is_file() or list_other_files(folder)):
        raise UserError(
            "the folder for the covers holds other files",
            where=str(folder),
            hint="Give a new or an empty folder.",
        )

    def draw_all(new_folder: Path) -> None:
        for row, (item, name) in enumerate(zip(items, names, strict=True)):
            _draw(item, row, seed).save(new_folder / name)

    fill_folder(folder, {"version": VERSION, "num_items": len(items), "seed": seed}, draw_all)


def _draw(item: SyntheticItem, row: int, seed: int) -> Any:
    """Draws one cover: a picture of Pillow."""
    from PIL import Image, ImageDraw

    # Streams of their own: neither items nor users change if covers are drawn.
    random = np.random.default_rng([seed, 2, row])
    series = np.random.default_rng([seed, 3, item.work])
    is_odd = random.random() < ODD_SHARE
    genre = int(random.integers(1000)) if is_odd else item.genre
    theme = np.random.default_rng([seed, 4, genre if is_odd else item.theme])
    hue = genre * GOLDEN_RATIO + theme.normal(0, 0.03) + random.normal(0, 0.015)
    lightness = 0.35 + 0.4 * ((genre * 5) % 8) / 7 + random.normal(0, 0.03)
    ground = _make_colour(hue, lightness, 0.6)
    shape = _make_colour(hue + 0.12 + 0.2 * theme.random(), 1 - lightness, 0.7)
    picture = Image.new("RGB", (WIDTH, HEIGHT), ground)
    draw = ImageDraw.Draw(picture)
    _LAYOUTS[genre % len(_LAYOUTS)](draw, shape, int(theme.integers(2, 8)))
    _draw_ornament(draw, series)
    _write_title(draw, item.title, ground)
    return picture


def _make_colour(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue % 1, min(max(lightness, 0.1), 0.9), saturation)
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw_bands(draw: ImageDraw, colour: Colour, count: int) -> None:
    for band in range(count):
        y = HEIGHT * (2 * band + 1) // (2 * count + 1)
        draw.rectangle((0, y, WIDTH, y + HEIGHT // (2 * count + 1)), fill=colour)


def _draw_columns(draw: ImageDraw, colour: Colour, count: int) -> None:
    for column in range(count):
        x = WIDTH * (2 * column + 1) // (2 * count + 1)
        draw.rectangle((x, 0, x + WIDTH // (2 * count + 1), HEIGHT), fill=colour)


def _draw_rings(draw: ImageDraw, colour: Colour, count: int) -> None:
    for ring in range(count):
        radius = (ring + 1) * WIDTH // (2 * count)
        centre_x, centre_y = WIDTH // 2, HEIGHT // 2
        draw.ellipse(
            (centre_x - radius, centre_y - radius, centre_x + radius, centre_y + radius),
            outline=colour,
            width=3,
        )


def _draw_horizon(draw: ImageDraw, colour: Colour, count: int) -> None:
    y = HEIGHT * (count + 3) // 12
    draw.rectangle((0, y, WIDTH, HEIGHT), fill=colour)


def _draw_diagonals(draw: ImageDraw, colour: Colour, count: int) -> None:
    for line in range(2 * count):
        x = -HEIGHT + line * (WIDTH + HEIGHT) // (2 * count)
        draw.line((x, HEIGHT, x + HEIGHT, 0), fill=colour, width=5)


def _draw_frame(draw: ImageDraw, colour: Colour, count: int) -> None:
    draw.rectangle((3, 3, WIDTH - 4, HEIGHT - 4), outline=colour, width=2 + 2 * count)


_LAYOUTS = (_draw_bands, _draw_rings, _draw_horizon, _draw_columns, _draw_diagonals, _draw_frame)
"""What covers of a genre are made of; the number is that of the theme."""


def _draw_ornament(draw: ImageDraw, random: np.random.Generator) -> None:
    """Draws a polygon that the volumes of a series share."""
    colour = _make_colour(random.random(), 0.3 + 0.4 * random.random(), 0.9)
    sides, radius = int(random.integers(3, 8)), int(random.integers(9, 18))
    x = int(random.integers(radius, WIDTH - radius))
    y = int(random.integers(HEIGHT // 2, HEIGHT - radius))
    draw.regular_polygon((x, y, radius), sides, fill=colour)


def _write_title(draw: ImageDraw, title: str, ground: Colour) -> None:
    """Writes the first words of the title, in the font that Pillow brings."""
    from PIL import ImageFont

    # It has the letters of Latin-1 only.
    words = title.encode("latin-1", "replace").decode("latin-1").split()
    colour = "black" if sum(ground) > 384 else "white"
    font = ImageFont.load_default_imagefont()
    for line, word in enumerate(words[:4]):
        draw.text((8, 10 + 13 * line), word, fill=colour, font=font)
