"""Drawn covers: the same from the same seed, like what they stand for, and nothing else changes."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kd_tf as kd
from kd_tf.data.dataset import Dataset
from kd_tf.data.synthetic.bookshop import COVERS_NOTE
from kd_tf.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop") / "covers"


@pytest.fixture(scope="module")
def shop(folder: Path) -> Dataset:
    return kd.data.bookshop(items=200, users=20, seed=1, covers=folder)


def hash_covers(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.png")):
        digest.update(path.name.encode() + np.asarray(Image.open(path)).tobytes())
    return digest.hexdigest()


def test_every_item_has_a_small_cover(shop: Dataset, folder: Path) -> None:
    names = shop.catalog.frame["cover"].to_list()
    assert sorted(names) == sorted(path.name for path in folder.glob("*.png"))
    for name in names:
        with Image.open(folder / name) as picture:
            assert picture.size == (96, 144)
        assert (folder / name).stat().st_size < 10_000


def test_nothing_but_the_cover_and_a_note_is_added(shop: Dataset) -> None:
    plain = kd.data.bookshop(items=200, users=20, seed=1)
    assert "cover" not in plain.catalog.frame.columns
    assert plain.catalog.frame.equals(shop.catalog.frame.drop("cover"))
    for name in ("user", "item", "timestamp"):
        np.testing.assert_array_equal(
            getattr(plain.interactions, name), getattr(shop.interactions, name)
        )
    assert shop.notes == (*plain.notes, COVERS_NOTE)


def test_a_seed_gives_the_same_covers_and_another_seed_others(
    shop: Dataset, folder: Path, tmp_path: Path
) -> None:
    for seed, name in ((1, "same"), (2, "other")):
        # The number of users does not matter.
        kd.data.bookshop(items=200, users=30, seed=seed, covers=tmp_path / name)
    assert hash_covers(tmp_path / "same") == hash_covers(folder)
    assert hash_covers(tmp_path / "other") != hash_covers(folder)


def test_covers_are_drawn_again_only_if_one_has_changed(tmp_path: Path) -> None:
    covers = tmp_path / "covers"
    kd.data.bookshop(items=60, users=20, seed=1, covers=covers)
    expected, path = hash_covers(covers), covers / "bk-00001.png"
    time = path.stat().st_mtime_ns
    kd.data.bookshop(items=60, users=20, seed=1, covers=covers)
    assert path.stat().st_mtime_ns == time
    path.write_bytes(b"")
    kd.data.bookshop(items=60, users=20, seed=1, covers=covers)
    assert hash_covers(covers) == expected


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"holds other files\n.*new or an empty folder"):
        kd.data.bookshop(items=60, users=20, seed=1, covers=tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_file_added_to_drawn_covers_is_left_alone(tmp_path: Path) -> None:
    covers = tmp_path / "covers"
    kd.data.bookshop(items=60, users=20, seed=1, covers=covers)
    (covers / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="holds other files"):
        kd.data.bookshop(items=60, users=20, seed=1, covers=covers)
    assert (covers / "thesis.txt").read_text() == "years of work"


def test_covers_of_a_genre_are_alike(shop: Dataset, folder: Path) -> None:
    encoded = kd.data.encode_items(shop, (), image_columns=["cover"], image_folders=[folder])
    assert encoded.content is not None
    vectors = encoded.content.blocks[0].vectors
    assert isinstance(vectors, np.ndarray)
    vectors = vectors - vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    genres = shop.catalog.frame["genre"].to_numpy()
    is_pair = ~np.eye(len(vectors), dtype=bool)
    same_genre = (genres[:, None] == genres) & is_pair
    assert cosines[same_genre].mean() > cosines[~same_genre & is_pair].mean() + 0.2
    # Some covers look like another genre: they do not tell it exactly.
    nearest = np.where(is_pair, cosines, -1).argmax(axis=1)
    assert 0.6 < (genres[nearest] == genres).mean() < 0.95


def test_the_volumes_of_a_series_share_an_ornament(shop: Dataset, folder: Path) -> None:
    def measure_equal_share(first: str, second: str) -> float:
        """Of the lower half, which has no title; no two covers have quite the same ground."""
        pixels = [np.asarray(Image.open(folder / name))[72:] for name in (first, second)]
        return float((pixels[0] == pixels[1]).all(axis=2).mean())

    volumes = shop.catalog.frame.drop_nulls("series").sort("series", "cover")
    names, series = volumes["cover"].to_list(), volumes["series"].to_list()
    is_same = [first == second for first, second in itertools.pairwise(series)]
    shares = np.array([measure_equal_share(*pair) for pair in itertools.pairwise(names)])
    assert shares[is_same].min() > 0.01
    assert np.median(shares[np.logical_not(is_same)]) < 0.005
