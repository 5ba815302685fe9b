from __future__ import annotations

import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.errors import UserError
from kd_tf.runtime.catalog import Item
from kd_tf.runtime.title_forms import MAX_LENGTH
from kd_tf.runtime.titles import TitleIndex

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
    "28": "Flesh &amp; Blood",
    "29": "Caf&eacute;",
    "30": "&amp;quot;Salt&amp;quot;",
    "31": "Q&sections",
    "32": "The <i>Carpenter&#39;s</i> Bench",
    "33": "Carpenter’s Bench",
    "34": "The Bench of 1000 Carpenters",
    "35": "P. S. I Write",
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
        ("Flesh & Blood", "28"),
        ("flesh and blood", "28"),
        ("Flesh &amp; Blood", "28"),
        ("Cafe", "29"),
        ("Salt", "30"),
        ("Q&sections", "31"),
        ("Carpenters Bench", "33"),
        ("Carpenters Bench, The", "32"),
        ("The Carpenter’s Bench", "32"),
        ("The Bench of 1,000 Carpenters", "34"),
        ("PS: I Write", "35"),
    ],
)
def test_a_title_is_found_however_it_is_written(name, item_id):
    match = INDEX.resolve(name)
    assert match.item.item_id == item_id
    assert match.is_exact


NEAR_TITLES = [
    ("The Hobbit", "The Hobit"),
    ("The Hobbit", "Hobbit"),
    ("Les Misérables Rois", "Les Miserable Rois"),
    ("Мастер и Маргарита", "Мастер и Маргорита"),
    ("The Hunger Games (The Hunger Games, #1)", "Hunger Games"),
    ("Fullmetal Alchemist, Vol. 2", "Fulmetal Alchemist, Vol. 2"),
    ("Anna Karenina", "Anna Karenin"),
    ("A Tale of Two Cities", "The Tale of Two Cities"),
    ("A Tale of Two Cities", "Tale of Two Citeis"),
    ("The Colour of Paint", "The Color of Paint"),
    ("The Lighthouse Keeper", "The Light House Keeper"),
    ("The Dry Garden", "The Dry Garden: A Novel"),
    ("Rivers: A Short History of Floods", "Rivers"),
    ("Rivers", "Rivers: A Short History of Floods"),
    ("The Long Way Home over Many Hills: Walks", "The Long Way Home over Many Hills"),
]

OTHER_TITLES = [
    ("Naruto (Vol. 1)", "Naruto (Vol. 3)"),
    ("Fullmetal Alchemist, Vol. 2", "Fullmetal Alchemist, Vol. 7"),
    ("Fire", "Fire and Ice and a lot more"),
    ("Fire", "On the art of fire"),
    ("三体", "三國"),
    ("かき", "がき"),
    ("The Kind Wife", "The Kind Life"),
    ("Into the Mist", "Into the Most"),
    ("The Fight Garden", "The Light Garden"),
    ("The Horse in the Window", "The Horse in the Widow"),
    ("Salt and Place", "Salt and Peace"),
    ("A Summer to Wander", "A Summer to Wonder"),
    ("The Morning After", "The Mourning After"),
    ("A House of Gardens", "A House of Wardens"),
    ("The Carriage House", "The Marriage House"),
    ("The Rose Garden", "The Rose Gardener"),
    ("The Painter", "The Painters"),
    ("Murder at the Mill", "Murder on the Mill"),
    ("One", "The One"),
    ("A Ship", "The Ship"),
    ("Henry IV", "Henry VI"),
    ("Ships 16", "Ships 17"),
    ("Sixteen Ships", "Sixteenth Ships"),
    ("Sands: The House of Reeds", "Sands"),
    ("Sands", "Sands: The House of Reeds"),
    ("Log of a Tired Cook: Soup", "Log of a Tired Cook: Bread"),
    ("Fire", "!"),
]


@pytest.mark.parametrize(("title", "name"), NEAR_TITLES)
def test_a_near_title_is_taken_and_said(title, name):
    index = TitleIndex([Item(1, "a", title=title), Item(2, "b", title="Something Else")])
    match = index.resolve(name)
    assert match.item.item_id == "a"
    assert not match.is_exact
    assert match.note == f"{name!r} is taken for a: {title}"


@pytest.mark.parametrize(("title", "name"), OTHER_TITLES)
def test_another_title_is_refused_with_the_closest_ones(title, name):
    index = TitleIndex([Item(1, "a", title=title), Item(2, "b", title="Something Else")])
    with pytest.raises(UserError, match="no book is called") as refusal:
        index.resolve(name)
    assert f"a: {title}" in str(refusal.value) or len(name) == 1


def test_a_word_of_the_catalogue_is_no_misspelling():
    strangler = Item(1, "a", title="The Strangler of Stone")
    assert TitleIndex([strangler]).resolve("The Stranger of Stone").item is strangler
    index = TitleIndex([strangler, Item(2, "b", title="A Stranger")])
    with pytest.raises(UserError, match="no book is called"):
        index.resolve("The Stranger of Stone")


def test_what_cannot_be_a_word_is_a_misspelling_in_a_large_catalogue():
    words = ["spade", "park", "care", "bridge", "winter", "forest", "castle", "window"]
    titles = [
        f"{first} of {second} {number}"
        for number in range(60)
        for first in words
        for second in words
    ]
    items = [Item(row, f"b{row}", title=title) for row, title in enumerate(titles, start=1)]
    index, small_index = TitleIndex(items), TitleIndex(items[:64])
    assert index.resolve("Brdge of Winter 0").item.title == "bridge of winter 0"
    for refused_index, name in ((small_index, "Brdge of Winter 0"), (index, "Spare of Winter 0")):
        with pytest.raises(UserError, match="no book is called"):
            refused_index.resolve(name)


def test_a_refusal_lists_the_five_closest_titles_with_their_ids():
    with pytest.raises(UserError) as refusal:
        INDEX.resolve("The Hobo")
    lines = str(refusal.value).splitlines()
    assert "10: The Hobbit (Somebody)" in lines[2]
    assert len(lines) == 2 + 5


def test_items_of_the_same_title_are_told_apart_by_id():
    with pytest.raises(UserError, match="could be several books") as refusal:
        INDEX.resolve("emma")
    assert "21: Emma (Somebody)" in str(refusal.value)
    assert "22: EMMA (Somebody)" in str(refusal.value)


def test_two_titles_equally_close_are_not_guessed_between():
    index = TitleIndex([Item(1, "a", title="Lighthouse"), Item(2, "b", title="The Lighthouse")])
    assert index.resolve("The Lighthouse").item.id == 2
    with pytest.raises(UserError, match="could be several books"):
        index.resolve("Lighthuose")


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
            assert index.resolve(written).is_exact


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
    with pytest.raises(UserError, match="could be several") as refusal:
        index.resolve(title)
    assert len(str(refusal.value)) < 20 * MAX_LENGTH
    with pytest.raises(UserError, match=r"200,0.* characters"):
        index.resolve(title + "x")
    assert time.process_time() - begin < 2
