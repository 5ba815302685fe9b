"""Encoding the images of a catalog: which are used, what is said of the others, and the cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import kd_tf as kd
from kd_tf.data.catalog import Catalog
from kd_tf.data.features import covers
from kd_tf.data.features.covers import encode_images
from kd_tf.data.features.vector_cache import VectorCache
from kd_tf.encoders.images.base import ImageEncoder
from kd_tf.encoders.images.image_files import ImageFile
from kd_tf.errors import UserError


class CountingEncoder(ImageEncoder):
    """Encodes an image by its mean colour, and counts the files that it was given."""

    name = "counting"
    batch_size = 2
    width = height = 4

    def __init__(self, fail_after: int = 1000) -> None:
        self.files: list[str] = []
        self.fail_after = fail_after

    @property
    def fingerprint(self) -> str:
        return "counting"

    def encode(self, values: Sequence[ImageFile]) -> np.ndarray:
        if len(self.files) >= self.fail_after:
            raise KeyboardInterrupt
        self.files.extend(image.path.name for image in values)
        return super().encode(values)

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return pixels.mean(axis=(1, 2)).astype(np.float32) + 1


COLOURS = {"a.png": "red", "b.png": "green", "c.png": "blue", "d.png": "yellow", "e.png": "cyan"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "covers"
    folder.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (20, 30), colour).save(folder / name)
    (folder / "copy.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:60])
    return folder


def make_catalog(*paths: str | None) -> Catalog:
    ids = [f"i{row}" for row in range(len(paths))]
    return Catalog(pl.DataFrame({"item_id": ids, "cover": pl.Series(paths, dtype=pl.String)}))


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> CountingEncoder:
    encoder = CountingEncoder()
    monkeypatch.setattr(covers, "open_image_encoder", lambda name: encoder)
    return encoder


def test_what_has_no_image_is_zero_and_the_notes_say_why(
    folder: Path, encoder: CountingEncoder
) -> None:
    catalog = make_catalog(
        *("a.png", " b.png ", None, "", "https://x.example/1.jpg", "broken.png", "gone.png"),
        *("a.png", "copy.png", "../secret.png"),
    )
    (block,), notes = encode_images(catalog, ["cover"], ["counting"], [folder])
    assert block.name == "cover (counting)"
    assert isinstance(block.vectors, np.ndarray)
    has_image = [True, True, *[False] * 5, True, True, False]
    np.testing.assert_allclose(np.linalg.norm(block.vectors, axis=1), has_image, atol=1e-6)
    np.testing.assert_array_equal(block.vectors[0], block.vectors[7])
    np.testing.assert_array_equal(block.vectors[0], block.vectors[8])
    assert sorted(encoder.files) == ["a.png", "b.png", "broken.png"]
    assert notes[0] == "2 of 10 items have no path in cover"
    assert notes[1].startswith("1 of 10 items have an address of the web in cover; images are not")
    assert notes[2].startswith("3 images of cover cannot be used, and their items have none: ")
    for reason in (
        "broken.png: it is damaged",
        "gone.png: there is no such file",
        "../secret.png: it lies outside of",
    ):
        assert reason in notes[2]


def test_five_images_are_named_and_all_are_counted(folder: Path, encoder: CountingEncoder) -> None:
    catalog = make_catalog("a.png", *(f"gone-{number}.png" for number in range(12)))
    _, (note,) = encode_images(catalog, ["cover"], ["counting"], [folder])
    assert note.startswith("12 images of cover cannot be used")
    assert note.count("there is no such file") == 5
    assert note.endswith("; and 7 more")


@pytest.mark.parametrize(
    ("paths", "column", "message"),
    [
        (["a.png"], "title", "no column 'title' with paths of images\n.*item_columns.cover"),
        (["a.png"], "item_id", "no column 'item_id' with paths"),
        ([None, ""], "cover", "cover has no image that can be used; 2 of 2 items have no path"),
        (["https://x.example/1.jpg"], "cover", "no image that can be used.*address of the web"),
        (["broken.png", "gone.png"], "cover", "no image.*broken.png: it is damaged.*gone.png"),
    ],
)
def test_a_column_without_any_image_is_refused(
    folder: Path, encoder: CountingEncoder, paths: list[str | None], column: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        encode_images(make_catalog(*paths), [column], ["counting"], [folder])


def test_folders_have_to_exist(folder: Path, encoder: CountingEncoder) -> None:
    catalog = make_catalog("a.png")
    with pytest.raises(UserError, match="the folder of the images is not known"):
        encode_images(catalog, ["cover"], ["counting"], [])
    with pytest.raises(UserError, match="no such folder with images"):
        encode_images(catalog, ["cover"], ["counting"], [folder / "gone"])


def test_an_image_is_encoded_once_whatever_its_name(
    folder: Path, encoder: CountingEncoder, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    catalog = make_catalog("a.png", "b.png", "broken.png")
    (first,), notes = encode_images(
        catalog, ["cover"], ["counting"], [folder], cache=VectorCache(cache)
    )
    encoder.files.clear()
    (folder / "b.png").rename(folder / "renamed.png")
    catalog = make_catalog("copy.png", "renamed.png", "broken.png", "c.png")
    (second,), notes_again = encode_images(
        catalog, ["cover"], ["counting"], [folder], cache=VectorCache(cache)
    )
    # What cannot be read is tried again, and said again.
    assert encoder.files == ["broken.png", "c.png"]
    assert notes_again == notes
    np.testing.assert_array_equal(second.vectors[:3], first.vectors)


def test_other_content_under_the_same_name_is_encoded_anew(
    folder: Path, encoder: CountingEncoder, tmp_path: Path
) -> None:
    cache, catalog = tmp_path / "cache", make_catalog("a.png")
    (first,), _ = encode_images(
        catalog, ["cover"], ["counting"], [folder], cache=VectorCache(cache)
    )
    (folder / "a.png").write_bytes((folder / "b.png").read_bytes())
    (second,), _ = encode_images(
        catalog, ["cover"], ["counting"], [folder], cache=VectorCache(cache)
    )
    assert not np.allclose(first.vectors, second.vectors)


def test_interrupted_work_goes_on_where_it_stopped(
    folder: Path, encoder: CountingEncoder, tmp_path: Path
) -> None:
    cache, catalog = tmp_path / "cache", make_catalog(*COLOURS)
    encoder.fail_after = 4
    with pytest.raises(KeyboardInterrupt):
        encode_images(catalog, ["cover"], ["counting"], [folder], cache=VectorCache(cache))
    encoder.files.clear()
    encoder.fail_after = 1000
    (block,), _ = encode_images(
        catalog, ["cover"], ["counting"], [folder], cache=VectorCache(cache)
    )
    assert encoder.files == ["e.png"]
    (expected,), _ = encode_images(catalog, ["cover"], ["counting"], [folder])
    np.testing.assert_array_equal(block.vectors, expected.vectors)


def test_images_stand_alone_or_beside_texts(tmp_path: Path) -> None:
    data = kd.data.bookshop(items=60, users=80, seed=1, covers=tmp_path / "covers")
    folders = [tmp_path / "covers"]
    alone = kd.data.encode_items(data, (), image_columns=["cover"], image_folders=folders)
    both = kd.data.encode_items(data, ["title"], image_columns=["cover"], image_folders=folders)
    assert alone.content is not None
    assert both.content is not None
    assert alone.content.describe() == "cover (statistics)"
    assert both.content.describe() == "title (tfidf); cover (statistics)"
    assert alone.content.whole_text is None
    split = kd.split(alone, "cold-items", seed=1)
    assert "frozen-text" not in kd.baselines.list_baselines(split)
    assert "frozen-text" in kd.baselines.list_baselines(kd.split(both, "cold-items", seed=1))
