"""Colour, layout and edges: what makes two images alike, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from kd_tf.encoders.base import normalize_rows
from kd_tf.encoders.images.statistics import StatisticsEncoder, convert_to_oklab

HEIGHT, WIDTH = StatisticsEncoder.height, StatisticsEncoder.width


def make_stripes(colours: list[tuple[int, int, int]], vertical: bool = False) -> np.ndarray:
    index = np.arange(WIDTH if vertical else HEIGHT) // 12 % len(colours)
    stripes = np.array(colours, np.uint8)[index]
    return np.broadcast_to(stripes if vertical else stripes[:, None], (HEIGHT, WIDTH, 3))


RED, DARK_RED, BLUE, WHITE = (200, 30, 30), (180, 20, 25), (30, 30, 200), (250, 250, 250)
IMAGES = {
    "red stripes": make_stripes([RED, WHITE]),
    "darker red stripes": make_stripes([DARK_RED, WHITE]),
    "red columns": make_stripes([RED, WHITE], vertical=True),
    "blue stripes": make_stripes([BLUE, WHITE]),
    "blue columns": make_stripes([BLUE, WHITE], vertical=True),
}


def compare(first: str, second: str) -> float:
    vectors = StatisticsEncoder().encode_pixels(np.stack(list(IMAGES.values())))
    vectors = np.asarray(normalize_rows(vectors))
    names = list(IMAGES)
    return float(vectors[names.index(first)] @ vectors[names.index(second)])


@pytest.mark.parametrize(
    ("closer", "farther"),
    [
        (("red stripes", "darker red stripes"), ("red stripes", "blue stripes")),
        (("red stripes", "red columns"), ("red stripes", "blue columns")),
        (("red stripes", "blue stripes"), ("red stripes", "blue columns")),
    ],
)
def test_like_colours_and_like_forms_are_closer(
    closer: tuple[str, str], farther: tuple[str, str]
) -> None:
    assert compare(*closer) > compare(*farther) + 0.01


def test_the_three_parts_count_the_same() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, HEIGHT, WIDTH, 3), np.uint8)
    vectors = StatisticsEncoder().encode_pixels(pixels)
    for part in np.split(vectors, [245, 245 + 72], axis=1):
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 1, rtol=1e-5)


def test_a_batch_gives_the_same_vectors_as_single_images() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, HEIGHT, WIDTH, 3), np.uint8)
    together = StatisticsEncoder().encode_pixels(pixels)
    alone = np.concatenate([StatisticsEncoder().encode_pixels(image[None]) for image in pixels])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 255)])
def test_a_plain_image_has_colour_and_layout_and_no_edges(colour: tuple[int, int, int]) -> None:
    (vector,) = StatisticsEncoder().encode_pixels(np.full((1, HEIGHT, WIDTH, 3), colour, np.uint8))
    assert np.isfinite(vector).all()
    assert vector[:245].any()
    assert not vector[245 + 72 :].any()


def test_an_edge_has_the_same_direction_from_dark_to_light_and_back() -> None:
    pixels = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
    pixels[0, :, WIDTH // 4 :] = pixels[1, :, : WIDTH // 4] = 255
    vectors = StatisticsEncoder().encode_pixels(pixels)[:, 245 + 72 :]
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    assert vectors[0].any()


def test_greys_have_no_hue_and_lightness_grows() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    lab = convert_to_oklab(greys)
    np.testing.assert_allclose(lab[:, 1:], 0, atol=1e-3)
    assert (np.diff(lab[:, 0]) > 0).all()


def test_oklab_of_the_primary_colours_is_that_of_its_author() -> None:
    # B. Ottosson's reference values of linear sRGB (1, 0, 0), (0, 1, 0) and (0, 0, 1).
    primaries = (255 * np.eye(3)).astype(np.uint8)
    expected = [[0.628, 0.225, 0.126], [0.866, -0.234, 0.179], [0.452, -0.032, -0.312]]
    np.testing.assert_allclose(convert_to_oklab(primaries), expected, atol=1e-3)
