"""What an image looks like without any network: its colours, where they are, and its edges."""

from __future__ import annotations

import numpy as np

from kd_tf.encoders.base import normalize_rows
from kd_tf.encoders.images.base import ImageEncoder

LIGHTNESS_BINS, HUE_BINS = 5, 7
"""Bins of the colour histogram: lightness, and each of the two axes of hue and saturation."""

MAX_CHROMA = 0.3
"""Largest value of such an axis in OKLab that sRGB has, about."""

ROWS, COLUMNS = 6, 4
"""Fields of the layout."""

EDGE_ROWS, EDGE_COLUMNS, ORIENTATIONS = 3, 2, 8
"""Fields and directions of the edges."""

# From sRGB to the cones' responses, and from their cube roots to OKLab.
_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)


class StatisticsEncoder(ImageEncoder):
    """Encodes an image by colour, layout and edges, which count the same; needs no weights.

    - Colour: a histogram, Swain and Ballard, "Color Indexing", 1991, in the perceptual space OKLab
      (Ottosson, "A perceptual color space for image processing", 2020). Between two bins a pixel
      counts for both, and square roots are taken, so that products compare distributions.
    - Layout: the mean colour of each field of a coarse grid.
    - Edges: how strong they are in each direction, by field: Dalal and Triggs, "Histograms of
      Oriented Gradients for Human Detection", 2005.

    Example:
        >>> images = np.zeros((2, 72, 48, 3), np.uint8)
        >>> images[1, :36] = 255
        >>> StatisticsEncoder().encode_pixels(images).shape
        (2, 365)
    """

    name = "statistics"
    width, height = 48, 72

    @property
    def fingerprint(self) -> str:
        """The method."""
        return "image-statistics-1"

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Returns float32 [n, 245 + 72 + 48]."""
        colours = convert_to_oklab(pixels)
        parts = (_count_colours(colours), _average_fields(colours), _measure_edges(colours[..., 0]))
        return np.concatenate([np.asarray(normalize_rows(part)) for part in parts], axis=1)


def convert_to_oklab(pixels: np.ndarray) -> np.ndarray:
    """Converts sRGB uint8 [..., 3] to OKLab float32: lightness 0..1, green-red, blue-yellow.

    Example:
        >>> convert_to_oklab(np.array([255, 0, 0], np.uint8)).round(2)
        array([0.63, 0.22, 0.13], dtype=float32)
    """
    values = pixels.astype(np.float32) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _RGB_TO_LMS.T) @ _LMS_TO_LAB.T, np.float32)


def _count_colours(colours: np.ndarray) -> np.ndarray:
    """Returns the square roots of the histograms: float32 [n, bins]."""
    num_images = len(colours)
    sizes = (LIGHTNESS_BINS, HUE_BINS, HUE_BINS)
    lightness, *hues = np.moveaxis(colours.reshape(num_images, -1, 3), -1, 0)
    shares = [lightness, *((hue / MAX_CHROMA + 1) / 2 for hue in hues)]
    positions = [
        np.clip(share, 0, 1) * (size - 1) for share, size in zip(shares, sizes, strict=True)
    ]
    lower = [
        np.minimum(position.astype(np.int64), size - 2)
        for position, size in zip(positions, sizes, strict=True)
    ]
    histogram = np.zeros(num_images * int(np.prod(sizes)))
    offset = np.arange(num_images)[:, None] * int(np.prod(sizes))
    for corner in np.ndindex(2, 2, 2):
        bins = [low + step for low, step in zip(lower, corner, strict=True)]
        weight = np.ones(lightness.shape)
        for position, number in zip(positions, bins, strict=True):
            weight *= 1 - np.abs(position - number)
        index = offset + np.ravel_multi_index(tuple(bins), sizes)
        histogram += np.bincount(index.ravel(), weight.ravel(), len(histogram))
    return np.asarray(np.sqrt(histogram.reshape(num_images, -1)), np.float32)


def _average_fields(colours: np.ndarray) -> np.ndarray:
    """Returns the mean colour of each field: float32 [n, ROWS * COLUMNS * 3]."""
    n, height, width, _ = colours.shape
    fields = colours.reshape(n, ROWS, height // ROWS, COLUMNS, width // COLUMNS, 3)
    return np.asarray(fields.mean(axis=(2, 4)).reshape(n, -1))


def _measure_edges(lightness: np.ndarray) -> np.ndarray:
    """Returns the square roots of the strength of edges by field and direction: float32 [n, d]."""
    n, height, width = lightness.shape
    vertical, horizontal = np.gradient(lightness, axis=(1, 2))
    strength = np.hypot(vertical, horizontal)
    angle = np.arctan2(vertical, horizontal)
    # An edge from dark to light has the direction of one from light to dark, half a turn away.
    direction = np.rint(angle / np.pi * ORIENTATIONS).astype(np.int64) % ORIENTATIONS
    strengths = (direction[..., None] == np.arange(ORIENTATIONS)) * strength[..., None]
    fields = strengths.reshape(
        *(n, EDGE_ROWS, height // EDGE_ROWS, EDGE_COLUMNS, width // EDGE_COLUMNS, ORIENTATIONS)
    )
    return np.asarray(np.sqrt(fields.sum(axis=(2, 4)).reshape(n, -1)), np.float32)
