"""Encoding a catalog: which texts become which block, and vectors that are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kd_tf.data.catalog import Catalog
from kd_tf.data.features import vector_cache
from kd_tf.data.features.content import ContentFeatures, FeatureBlock
from kd_tf.data.features.encode import encode_catalog
from kd_tf.data.features.vector_cache import VectorCache
from kd_tf.encoders.base import TextEncoder
from kd_tf.errors import UserError
from kd_tf.npz import read_npz
from kd_tf.progress import NullProgress

CATALOG = Catalog(
    pl.DataFrame(
        {
            "item_id": ["a", "b", "c", "d"],
            "title": ["Red Fish", "Blue Fish", "Red Whale", None],
            "authors": ["Ann", "Bob", "Ann", None],
            "text": ["all about fish", None, "all about whales", ""],
            "subjects": ["sea", "sea", None, None],
        }
    )
)


class CountingEncoder(TextEncoder):
    """Encodes a text by its length, and counts the texts that it was given."""

    name = "counting"
    batch_size = 2

    def __init__(self, fail_after: int = 1000) -> None:
        self.texts: list[str] = []
        self.fail_after = fail_after

    @property
    def fingerprint(self) -> str:
        return "counting"

    def encode_batch(self, texts):
        if len(self.texts) >= self.fail_after:
            raise KeyboardInterrupt
        self.texts.extend(texts)
        return np.array([[len(text), 1] for text in texts], np.float32)


def test_names_are_one_block_and_every_other_column_is_its_own() -> None:
    features = encode_catalog(CATALOG, ["title", "subjects", "authors", "description"])
    assert [block.name for block in features.blocks] == [
        "title, authors (tfidf)",
        "subjects (tfidf)",
        "text (tfidf)",
        "authors (names)",
    ]
    assert features.has_content.tolist() == [True, True, True, False]
    assert features.whole_text is not None
    assert features.whole_text.name == "title, subjects, authors, text (tfidf)"


def test_by_default_all_texts_of_a_catalog_are_encoded() -> None:
    names = [block.name for block in encode_catalog(CATALOG).blocks]
    assert names == ["title, authors (tfidf)", "text (tfidf)", "authors (names)"]


def test_word_counts_stand_beside_a_pretrained_encoder() -> None:
    features = encode_catalog(CATALOG, ["title"], ["static"])
    assert [block.name for block in features.blocks] == ["title (static)", "title (tfidf)"]
    assert features.whole_text is features.blocks[0]


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        (["blurb"], "no text column 'blurb'"),
        (["item_id"], None),
        (["year"], "no text column 'year'"),
        ([], "no item has any text"),
    ],
)
def test_columns_that_hold_no_text_are_refused(columns: list[str], match: str | None) -> None:
    if match is None:
        return
    with pytest.raises(UserError, match=match):
        encode_catalog(CATALOG, columns)


def test_a_catalog_without_text_is_refused() -> None:
    catalog = Catalog(pl.DataFrame({"item_id": ["a"], "title": [" "]}))
    with pytest.raises(UserError, match="no item has any text in title"):
        encode_catalog(catalog)


def test_the_fingerprint_changes_with_any_vector() -> None:
    vectors = np.eye(3, dtype=np.float32)
    other = vectors.copy()
    other[2] = [0.6, 0.8, 0]
    first, second = (
        ContentFeatures((FeatureBlock("x", values),)).compute_fingerprint()
        for values in (vectors, other)
    )
    assert first != second


def test_a_text_is_encoded_once(tmp_path: Path) -> None:
    cache, encoder = VectorCache(tmp_path), CountingEncoder()
    first = cache.encode(encoder, ["a", "bb", "ccc", ""], "x", NullProgress())
    again = cache.encode(encoder, ["ccc", "dddd", "a"], "x", NullProgress())
    in_another_program = VectorCache(tmp_path).encode(encoder, ["dddd", "bb"], "x", NullProgress())
    assert [text for text in encoder.texts if text != "a"] == ["bb", "ccc", "dddd"]
    np.testing.assert_array_equal(again[[0, 2]], first[[2, 0]])
    np.testing.assert_array_equal(in_another_program, [again[1], first[1]])
    np.testing.assert_allclose(first[3], 0)


def test_the_files_of_an_encoder_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    VectorCache(tmp_path).encode(CountingEncoder(), ["a", "bb"], "x", NullProgress())
    paths = []
    monkeypatch.setattr(vector_cache, "read_npz", lambda path: paths.append(path) or read_npz(path))
    cache, encoder = VectorCache(tmp_path), CountingEncoder()
    for texts in (["a"], ["bb", "ccc"], ["ccc"]):
        cache.encode(encoder, texts, "x", NullProgress())
    assert len(paths) == 1
    assert encoder.texts == ["ccc"]


def test_interrupted_work_goes_on_where_it_stopped(tmp_path: Path) -> None:
    texts = ["a", "bb", "ccc", "dddd", "eeeee"]
    with pytest.raises(KeyboardInterrupt):
        VectorCache(tmp_path).encode(CountingEncoder(fail_after=4), texts, "x", NullProgress())
    encoder = CountingEncoder()
    vectors = VectorCache(tmp_path).encode(encoder, texts, "x", NullProgress())
    assert encoder.texts == ["eeeee"]
    np.testing.assert_array_equal(vectors, CountingEncoder().encode(texts))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", None])
def test_a_damaged_file_is_encoded_again(tmp_path: Path, content: bytes | None) -> None:
    expected = VectorCache(tmp_path).encode(CountingEncoder(), ["a", "bb"], "x", NullProgress())
    (path,) = tmp_path.rglob("*.npz")
    if content is None:
        bytes_ = bytearray(path.read_bytes())
        bytes_[len(bytes_) // 3] ^= 255
        content = bytes(bytes_)
    path.write_bytes(content)
    encoder = CountingEncoder()
    vectors = VectorCache(tmp_path).encode(encoder, ["a", "bb"], "x", NullProgress())
    np.testing.assert_array_equal(vectors, expected)


def test_other_weights_have_vectors_of_their_own(tmp_path: Path) -> None:
    class OtherEncoder(CountingEncoder):
        @property
        def fingerprint(self) -> str:
            return "other"

    cache = VectorCache(tmp_path)
    cache.encode(CountingEncoder(), ["a"], "x", NullProgress())
    other = OtherEncoder()
    cache.encode(other, ["a"], "x", NullProgress())
    assert other.texts == ["a"]
