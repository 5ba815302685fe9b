"""Texts of rows as vectors: what is encoded, and that no row is told its own label."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from kd_tf.data.ranking import encode_texts as encode_module
from kd_tf.data.ranking.encode_texts import encode_texts
from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.data.ranking.fit_schema import FeatureOptions
from kd_tf.data.ranking.read_ranking import read_ranking_split
from kd_tf.data.ranking.row_splits import SplitRules
from kd_tf.encoders.base import TextEncoder
from kd_tf.errors import UserError

WORDS = ["ship", "storm", "harbour", "oven", "bread", "spice", "castle", "queen", "siege"]
NUM_ITEMS = 24


def make_table(num_rows: int = 400) -> pl.DataFrame:
    """Users who like an item whose title has one of their words; some titles are missing."""
    random = np.random.default_rng(3)
    titles = [
        " ".join(random.choice(WORDS, 3, replace=False)) if item % 8 else None
        for item in range(NUM_ITEMS)
    ]
    user, item = random.integers(0, 12, num_rows), random.integers(0, NUM_ITEMS, num_rows)
    liked = [int(WORDS[u % 9] in (titles[i] or "")) for u, i in zip(user, item, strict=True)]
    return pl.DataFrame(
        {
            "user": [f"u{number}" for number in user],
            "item": [f"i{number}" for number in item],
            "title": [titles[number] for number in item],
            "liked": liked,
        }
    )


def read(table: pl.DataFrame, protocol: str = "random", **options) -> RankingSplit:
    return read_ranking_split(
        table,
        label="liked",
        split=SplitRules(protocol, seed=1),
        features=FeatureOptions(**{"text": ("title",), **options}),
    )


def get_profiles(examples: RankingExamples) -> np.ndarray:
    assert examples.texts is not None
    return examples.texts.profiles[examples.texts.ids[:, 1]]


def get_vectors(examples: RankingExamples) -> np.ndarray:
    assert examples.texts is not None
    return examples.texts.vectors[examples.texts.ids[:, 0]]


def test_equal_texts_have_one_vector_and_missing_ones_none() -> None:
    split = encode_texts(read(make_table()))
    assert split.texts is not None
    assert len(split.texts) == split.texts.n_unique() == NUM_ITEMS - NUM_ITEMS // 8
    vectors = get_vectors(split.train)
    is_missing = split.train.text_ids == -1
    assert 0 < is_missing.mean() < 1
    assert not vectors[is_missing].any()
    assert vectors[~is_missing].any(axis=1).all()
    for item in np.unique(split.train.items):
        assert len(np.unique(vectors[split.train.items == item], axis=0)) == 1


def test_profiles_of_test_rows_are_means_of_what_users_liked_in_training() -> None:
    split = encode_texts(read(make_table()))
    train, vectors = split.train, get_vectors(split.train)
    is_liked = (train.labels == 1) & (train.text_ids >= 0)
    for part in (split.validation, split.test):
        for row, user in enumerate(part.users):
            rows = is_liked & (train.users == user)
            expected = vectors[rows].mean(axis=0) if rows.any() else np.zeros(vectors.shape[1])
            np.testing.assert_allclose(get_profiles(part)[row], expected, atol=1e-5)


def test_a_training_row_is_not_told_its_own_label() -> None:
    """Whatever its label is, its profile is the same; and other rows make it."""
    split = read(make_table())
    profiles = get_profiles(encode_texts(split).train)
    num_changes = 0
    for row in range(0, len(split.train), 9):
        labels = split.train.labels.copy()
        labels[row] = 1 - labels[row]
        flipped = dataclasses.replace(split, train=dataclasses.replace(split.train, labels=labels))
        flipped_profiles = get_profiles(encode_texts(flipped).train)
        np.testing.assert_allclose(flipped_profiles[row], profiles[row], atol=1e-6)
        num_changes += int((abs(flipped_profiles - profiles) > 1e-3).any(axis=1).sum())
    assert num_changes > 100


def test_texts_of_other_rows_change_nothing_of_training() -> None:
    table = make_table()
    split = read(table, "cold-items")
    # The titles of cold items become words that training has never seen.
    cold_items = np.setdiff1d(split.test.items, split.train.items)
    names = table["item"].unique(maintain_order=True)
    renamed = table.with_columns(
        title=pl.when(pl.col("item").is_in(names.gather(cold_items).to_list()))
        .then(pl.lit("zebra giraffe"))
        .otherwise(pl.col("title"))
    )
    assert (renamed["title"].fill_null("") != table["title"].fill_null("")).sum() > 10
    before, after = (encode_texts(read(frame, "cold-items")) for frame in (table, renamed))
    np.testing.assert_allclose(get_vectors(before.train), get_vectors(after.train), atol=1e-6)
    np.testing.assert_allclose(get_profiles(before.train), get_profiles(after.train), atol=1e-6)


class CountingEncoder(TextEncoder):
    """The length of a text and its first letter; remembers what it encoded."""

    name = "counting"
    is_pretrained = False

    def __init__(self) -> None:
        self.texts: list[str] = []

    @property
    def fingerprint(self) -> str:
        return "counting"

    def encode_batch(self, texts) -> np.ndarray:
        self.texts += texts
        return np.array([[len(text), ord(text[0]), 1] for text in texts], np.float32)


def test_each_text_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = CountingEncoder()
    monkeypatch.setattr(encode_module, "open_encoder", lambda name: encoder)
    split = read(make_table())
    encode_texts(split, "counting")
    assert sorted(encoder.texts) == sorted(split.texts)


def test_models_of_features_see_the_same_rows_with_and_without_texts() -> None:
    table = make_table()
    with_texts = encode_texts(read(table))
    without = read(table.drop("title"), text=())
    assert with_texts.train.layout == without.train.layout
    np.testing.assert_array_equal(with_texts.train.categorical, without.train.categorical)
    assert with_texts.schema == without.schema


def test_sentences_are_texts_unless_columns_are_named() -> None:
    random = np.random.default_rng(0)
    about = [" ".join(random.choice(WORDS, 9)) for _ in range(400)]
    table = make_table().with_columns(about=pl.Series(about))
    assert read(table, text=()).texts.n_unique() > 300
    assert read(table, text=("title",)).texts.n_unique() < NUM_ITEMS
    assert read(table.drop("about"), text=()).texts is None


@pytest.mark.parametrize(
    ("columns", "encoder", "message"),
    [
        (("user", "item", "liked"), "tfidf", "no column of texts"),
        (("user", "item", "title", "liked"), "no-such-encoder", "no encoder and no folder"),
    ],
)
def test_what_cannot_be_encoded_is_refused(columns, encoder: str, message: str) -> None:
    table = make_table().select(columns)
    split = read(table, text=("title",) if "title" in columns else ())
    with pytest.raises(UserError, match=message):
        encode_texts(split, encoder)


def test_columns_without_any_text_are_refused() -> None:
    table = make_table().with_columns(title=pl.lit(None, pl.String))
    with pytest.raises(UserError, match="no column of texts"):
        encode_texts(read(table))


def test_cold_items_are_in_no_other_part() -> None:
    split = read(make_table(), "cold-items")
    parts = [set(part.items) for part in (split.train, split.validation, split.test)]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert split.is_cold.all()
    random_split = read(make_table())
    assert not random_split.is_cold.any()
