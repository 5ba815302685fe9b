from __future__ import annotations

import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.errors import UserError
from kd_tf.runtime.catalog import Item
from kd_tf.runtime.titles import MAX_LENGTH, MIN_SIMILARITY, TitleIndex

TITLES = {
    "10": "The Hobbit",
    "11": "Les Misérables",
    "12": "三体",
    "13": "三体II：黑暗森林",
    "14": "Мастер и Маргарита",
    "15": "The Hunger Games (The Hunger Games, #1)",
    "16": "Catching Fire (The Hunger Games, #2)",
    "17": "Naruto (Vol. 1)",
    "18": "Fullmetal Alchemist, Vol. 1",
    "19": "Fullmetal Alchemist, Vol. 2",
    "20": "Fire",
    "21": "Emma",
    "22": "EMMA",
    "23": None,
    "24": "10",
    "25": "Sao Paulo",
    "26": "São Paulo",
    "27": "Histoire de vie et recherche biographique /",
    "x9": "1984",
}
ITEMS = [
    Item(row, item_id, title=title, authors="Somebody")
    for row, (item_id, title) in enumerate(TITLES.items(), start=1)
]
INDEX = TitleIndex(ITEMS)


def found(name) -> str:
    return INDEX.resolve(name).item.item_id


@pytest.mark.parametrize("name", ["13", " 13 ", 13, np.int64(13)])
def test_an_id_is_found(name):
    assert found(name) == "13"


def test_an_id_goes_before_a_title():
    assert found("10") == "10"
    assert found("1984") == "x9"


def test_a_number_is_never_a_title():
    with pytest.raises(UserError, match="no book has the id 1984"):
        INDEX.resolve(1984)


def test_an_item_without_a_title_is_found_by_its_id():
    assert found("23") == "23"


@pytest.mark.parametrize(
    ("name", "item_id"),
    [
        ("The Hobbit", "10"),
        ("  the   HOBBIT ", "10"),
        ("三体", "12"),
        ("三体II:黑暗森林", "13"),  # NFKC makes the wide colon a plain one
        ("МАСТЕР И МАРГАРИТА", "14"),
        ("Les Mise\u0301rables", "11"),
        ("LES MISÉRABLES", "11"),
        ("les miserables", "11"),
        ("São Paulo", "26"),
        ("sao paulo", "25"),
        ("The Hunger Games", "15"),
        ("the hunger games (THE HUNGER GAMES, #1)", "15"),
        ("Histoire de vie et recherche biographique", "27"),
    ],
)
def test_a_title_is_found_whatever_its_case_accents_and_unicode_form(name, item_id):
    match = INDEX.resolve(name)
    assert match.item.item_id == item_id
    assert match.score == 100


@pytest.mark.parametrize(
    ("name", "item_id"),
    [
        ("The Hobit", "10"),
        ("Les Miserable", "11"),
        ("Мастер и Маргорита", "14"),
        ("Hunger Games", "15"),
        ("Fulmetal Alchemist, Vol. 2", "19"),
    ],
)
def test_a_misspelt_title_is_found_with_a_lower_score(name, item_id):
    match = INDEX.resolve(name)
    assert match.item.item_id == item_id
    assert MIN_SIMILARITY <= match.score < 100


@pytest.mark.parametrize(
    "name",
    [
        "Naruto (Vol. 3)",
        "Fullmetal Alchemist, Vol. 7",
        "Fire and Ice and a lot more",
        "On the art of fire",
        "zzzzqqqq",
        "三國",
        "!",
    ],
)
def test_another_item_is_never_taken_for_the_one_that_was_named(name):
    with pytest.raises(UserError, match="no book is called"):
        INDEX.resolve(name)


def test_a_refusal_lists_the_five_closest_titles_with_their_ids():
    with pytest.raises(UserError) as refusal:
        INDEX.resolve("Hobbit")
    lines = str(refusal.value).splitlines()
    assert "10: The Hobbit (Somebody)" in lines[2]
    assert len(lines) == 2 + 5


def test_items_of_the_same_title_are_told_apart_by_id():
    with pytest.raises(UserError, match="could be several books") as refusal:
        INDEX.resolve("emma")
    assert "21: Emma (Somebody)" in str(refusal.value)
    assert "22: EMMA (Somebody)" in str(refusal.value)


def test_two_titles_equally_close_are_not_guessed_between():
    index = TitleIndex([Item(1, "a", title="The Grey Abbey"), Item(2, "b", title="The Gray Abbey")])
    assert index.resolve("The Grey Abey").item.id == 1
    with pytest.raises(UserError, match="could be several books"):
        index.resolve("The Groy Abbey")


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_refused(name):
    with pytest.raises(UserError, match="empty"):
        INDEX.resolve(name)


def test_a_catalogue_without_titles_asks_for_ids():
    index = TitleIndex([Item(1, "a"), Item(2, "b", title=" ")])
    assert index.resolve("b").item.id == 2
    with pytest.raises(UserError, match="has no titles"):
        index.resolve("Dune")


words = st.text(min_size=1, max_size=12).filter(lambda text: bool(text.strip()))


def id_unless_ambiguous(index: TitleIndex, name: str) -> int | None:
    try:
        return index.resolve(name).item.id
    except UserError as refusal:
        if "could be several" in str(refusal):
            return None
        raise


@given(st.lists(words, min_size=1, max_size=8, unique_by=lambda text: text.casefold()))
def test_every_item_is_found_by_its_own_title_or_refused_but_never_mistaken(titles):
    index = TitleIndex(
        [Item(row, f"id of {row}", title=title) for row, title in enumerate(titles, start=1)]
    )
    for row, title in enumerate(titles, start=1):
        for form in (
            title,
            unicodedata.normalize("NFD", title),
            unicodedata.normalize("NFC", title),
        ):
            assert id_unless_ambiguous(index, form) in (row, None)


@given(words)
def test_every_unicode_form_of_a_title_finds_it(title):
    index = TitleIndex([Item(1, "the id", title=title)])
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        written = unicodedata.normalize(form, title)
        if written.strip():
            assert index.resolve(written).score == 100


@pytest.mark.parametrize(
    "title",
    ["(" * 200_000, "a" + "\u0301" * 200_000, "( " * 100_000 + ")", "ß" * 200_000, "1" * 200_000],
    ids=["brackets", "accents", "spaces", "case", "digits"],
)
def test_hostile_titles_and_names_take_no_time(title):
    items = [Item(id=number + 1, item_id=str(number), title=title) for number in range(20)]
    begin = time.process_time()
    index = TitleIndex(items)
    with pytest.raises(UserError, match=r"could be several|is called"):
        index.resolve(title[:MAX_LENGTH])
    with pytest.raises(UserError, match=r"200,0.* characters|100,.* characters"):
        index.resolve(title)
    assert time.process_time() - begin < 2
