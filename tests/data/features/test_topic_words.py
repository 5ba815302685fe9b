"""The words that say what items are about: computed by hand, in any language, few and shared."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kd_tf as kd
from kd_tf.data.catalog import Catalog
from kd_tf.data.features.topic_words import (
    MAX_SHARE,
    MAX_WORDS,
    choose_topic_words,
    split_words,
)

TYPES = {"text": pl.String}


def choose(texts: list[str | None], **columns: list[str | None]) -> list[str]:
    ids = [f"b{number}" for number in range(len(texts))]
    frame = pl.DataFrame({"item_id": ids, "text": texts, **columns}, schema_overrides=TYPES)
    return choose_topic_words(Catalog(frame))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The DRAGON's 3 eggs, ok", ["the", "dragon", "eggs"]),
        ("<p>caf&eacute;s</p> 2nd mp3 A1 x_y", ["cafés"]),
        ("don't can’t won't it's", []),
        ("l'amour d’Étienne", ["amour", "étienne"]),
        ("cafe\u0301s", ["cafés"]),
        ("हिन्दी कविता", ["हिन्दी", "कविता"]),
        ("ดอกไม้", ["ดอกไม้"]),
        ("三体 龙 魔法。图书馆", ["三体", "魔法", "图书馆"]),
        ("마법 책", ["마법"]),
        ("x" * 20 + " " + "y" * 21, ["x" * 20]),
        ("", []),
    ],
)
def test_words_are_letters_of_any_language_in_lower_case(text, words):
    assert split_words(text) == words


def test_the_strongest_words_come_first_and_those_of_one_item_or_of_many_are_left_out():
    # Of 9 items 3 may have a word, the square root of 9. "sea" is twice in the first item, and as
    # rare as "lamp"; "fog" is in three items, so weighs less; "the" is in all, "whale" in one.
    texts = ["the fog lamp sea sea whale", "the fog lamp", "the sea", "the fog", *["the"] * 5]
    assert choose(texts) == ["sea lamp fog", "lamp fog", "sea", "fog", *[""] * 5]


def test_an_item_has_no_words_of_its_authors_and_its_series():
    texts = ["king of harbour lights or storms"] * 2
    assert choose(texts, authors=["S. King", None], series=["Harbour Lights", None]) == [
        "storms",
        "storms",
    ]


def test_title_genre_and_text_count_and_nothing_else():
    columns = {
        "title": ["Sea", "Fog", None, None],
        "genre": [None, None, "Sea", "Fog"],
        "subjects": ["lamp", "lamp", None, None],
    }
    assert choose([None] * 4, **columns) == ["sea", "fog", "sea", "fog"]


def test_catalogs_without_texts_have_no_words():
    assert choose([None, None]) == ["", ""]
    assert choose(["", "12 . !"]) == ["", ""]
    assert choose_topic_words(Catalog(pl.DataFrame({"item_id": ["a"]}))) == [""]


def test_two_books_of_every_word_and_not_many_in_the_bookshop():
    catalog = kd.data.bookshop(items=600, users=30, seed=1).catalog
    rows = [words.split(" ") for words in choose_topic_words(catalog) if words]
    counts = Counter(word for row in rows for word in row)
    assert len(rows) > 500
    assert min(counts.values()) > 1
    assert max(counts.values()) <= max(MAX_SHARE * 600, 600**0.5)
    assert max(map(len, rows)) == MAX_WORDS


WORDS = st.sampled_from(["sea", "fog", "Lamp", "é", "三体", "don't", "12", "<b>", "&amp;", "\n"])


@given(st.lists(st.none() | st.lists(WORDS, max_size=6).map(" ".join), min_size=1, max_size=8))
def test_any_texts_give_words_that_a_bundle_takes(texts):
    chosen = choose(texts)
    assert len(chosen) == len(texts)
    counts = Counter(word for words in chosen for word in words.split(" "))
    for text, words in zip(texts, chosen, strict=True):
        assert len(words) < 1000
        for word in filter(None, words.split(" ")):
            assert word in (text or "").lower()
            assert counts[word] > 1
