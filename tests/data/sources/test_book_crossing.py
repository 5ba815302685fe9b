import csv
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.sources.book_crossing import read_book_crossing
from kd_tf.errors import UserError


def original(*rows: tuple[str, ...]) -> str:
    """Rows as the author's database wrote them."""
    return "".join(
        ";".join('"' + field.replace("\\", r"\\").replace('"', r"\"") + '"' for field in row)
        + "\r\n"
        for row in rows
    )


def covers(isbn: str) -> tuple[str, str, str]:
    stem = f"http://images.amazon.com/images/P/{isbn}.01."
    return (f"{stem}THUMBZZZ.jpg", f"{stem}MZZZZZZZ.jpg", f"{stem}LZZZZZZZ.jpg")


ITEM_NAMES = (
    *("ISBN", "Book-Title", "Book-Author", "Year-Of-Publication", "Publisher"),
    *("Image-URL-S", "Image-URL-M", "Image-URL-L"),
)
XMEN = "DK Readers: Creating the X-Men (Level 4: Proficient Readers)"
ITEMS = (
    '"ISBN";"Book-Title";"Book-Author";"Year-Of-Publication";"Publisher";"Image-URL-S";'
    '"Image-URL-M";"Image-URL-L"\r\n'
    '"0195153448";"Classical Mythology";"Mark P. O. Morford";"2002";"Oxford University Press";'
    '"s.jpg";"m.jpg";"l.jpg"\r\n'
    r'"0735201994";"Peterman Rides Again: Life with the Real \"J. Peterman\" Through Life &amp;'
    r' the Catalog";"John Peterman";"2000";"Prentice Hall Art";"s.jpg";"m.jpg";"l2.jpg"' + "\r\n"
    rf'"078946697X";"{XMEN}\"";"Michael Teitelbaum";"2000";"DK Publishing Inc";"s";"m";"l3.jpg"'
    "\r\n"
    '"3442353866";"Der Fluch der Kaiserin; ein Fall für Richter Di";NULL;"0";"btb";"s";"m";""\r\n'
    r'"9627982032";"Say \"no\"; then go \\ stay";"NULL";"DK Publishing Inc";"Edinburgh";"s";"m";"l"'
    "\r\n"
)
RATINGS = (
    '"User-ID";"ISBN";"Book-Rating"\r\n'
    '"276725";"034545104X";"0"\r\n'
    '"276726";"0195153448";"5"\r\n'
    '"276725";"078946697X";"10"\r\n'
    r'"277965";"\"0432534220\"";"8"' + "\r\n"
    '"276726";"3-257-21538-ü";"0"\r\n'
)

# What others made of it, without regard for the backslashes.
NEW_ITEMS = (
    "ISBN,Book-Title,Book-Author,Year-Of-Publication,Publisher,Image-URL-S,Image-URL-M,Image-URL-L"
    "\n"
    "0195153448,Classical Mythology,Mark P. O. Morford,2002,Oxford University Press,s.jpg,m.jpg,"
    "l.jpg\n"
    f'078946697X,"{XMEN}\\"";Michael Teitelbaum""",2000,DK Publishing Inc,s,m,l3.jpg,\n'
    '2070426769,"Peuple du ciel, suivi de \'Les Bergers\\"";Jean-Marie Gustave Le ClÃ©zio""",'
    "2003,Gallimard,s,m,l4.jpg,\n"
    "0553280341,Für dich &amp; mich,Ann,1990,Bantam,s,m,l5.jpg\n"
)
NEW_RATINGS = (
    '"User-ID","ISBN","Book-Rating"\n'
    '"276725","034545104X","0"\n'
    "276726,0195153448,5\n"
    "276725,078946697X,10\n"
)


def folder(tmp_path: Path, ratings: str = RATINGS, items: str | None = ITEMS) -> Path:
    (tmp_path / "BX-Book-Ratings.csv").write_bytes(ratings.encode("latin-1"))
    if items is not None:
        (tmp_path / "BX-Books.csv").write_bytes(items.encode("latin-1"))
    return tmp_path


def new_folder(tmp_path: Path, ratings: str = NEW_RATINGS, items: str = NEW_ITEMS) -> Path:
    (tmp_path / "Ratings.csv").write_text(ratings, encoding="utf-8")
    (tmp_path / "Books.csv").write_text(items, encoding="utf-8")
    return tmp_path


def test_the_original_is_read_with_its_escaped_quotes_entities_and_missing_values(tmp_path):
    dataset = read_book_crossing(folder(tmp_path))
    assert dataset.name == "book-crossing"
    assert dataset.catalog.frame.head(5).select(
        "item_id", "title", "authors", "year", "cover"
    ).rows() == [
        ("0195153448", "Classical Mythology", "Mark P. O. Morford", 2002, "l.jpg"),
        (
            "0735201994",
            'Peterman Rides Again: Life with the Real "J. Peterman" Through Life & the Catalog',
            "John Peterman",
            2000,
            "l2.jpg",
        ),
        ("078946697X", XMEN + '"', "Michael Teitelbaum", 2000, "l3.jpg"),
        ("3442353866", "Der Fluch der Kaiserin; ein Fall für Richter Di", None, None, None),
        ("9627982032", 'Say "no"; then go \\ stay', None, None, "l"),
    ]


def test_items_that_only_ratings_name_keep_their_id_as_written(tmp_path):
    dataset = read_book_crossing(folder(tmp_path))
    assert dataset.catalog.item_ids[5:] == ["034545104X", '"0432534220"', "3-257-21538-ü"]
    assert dataset.interactions.item.tolist() == [6, 1, 3, 7, 8]
    assert dataset.interactions.user_ids == ["276725", "276726", "277965"]
    assert dataset.interactions.user.tolist() == [0, 1, 0, 2, 1]
    assert dataset.interactions.rating.tolist() == [0, 5, 10, 8, 0]
    assert dataset.interactions.timestamp is None
    assert dataset.dropped_rows == {}


def test_years_that_are_no_numbers_are_counted_but_0_and_null_are_only_missing(tmp_path):
    without = '"1";"A";"B";NULL;"P";"s";"m";"l"\r\n"2";"A";"B";"";"P";"s";"m";"l"\r\n'
    dataset = read_book_crossing(folder(tmp_path, items=ITEMS + without))
    notes = dataset.notes
    assert dataset.catalog.frame["year"].to_list()[:7] == [2002, 2000, 2000, *[None] * 4]
    assert [note for note in notes if "year" in note] == [
        "1 books of BX-Books.csv have a year that is not a number (the first is 'DK Publishing "
        "Inc'): they are kept without a year"
    ]


@pytest.mark.parametrize(
    ("feedback", "ratings", "others"),
    [("all", [0, 5, 10, 8, 0], 0), ("explicit", [5, 10, 8], 2), ("implicit", [0, 0], 3)],
)
def test_feedback_chooses_rows_and_counts_the_others(tmp_path, feedback, ratings, others):
    dataset = read_book_crossing(folder(tmp_path), feedback=feedback)
    assert dataset.interactions.rating.tolist() == ratings
    expected = {f"rating that is not {feedback} feedback": others} if others else {}
    assert dataset.dropped_rows == expected


def test_feedback_that_no_row_has_raises(tmp_path):
    ratings = '"User-ID";"ISBN";"Book-Rating"\r\n"1";"2";"0"\r\n'
    with pytest.raises(UserError, match="no row has explicit feedback") as caught:
        read_book_crossing(folder(tmp_path, ratings), feedback="explicit")
    assert caught.value.where == f"{tmp_path / 'BX-Book-Ratings.csv'}:1"


def test_the_newer_release_has_its_shifted_columns_put_right(tmp_path):
    dataset = read_book_crossing(new_folder(tmp_path))
    assert dataset.interactions.rating.tolist() == [0, 5, 10]
    assert dataset.interactions.item.tolist() == [5, 1, 2]
    assert dataset.catalog.frame.select("item_id", "title", "authors", "year", "cover").rows() == [
        ("0195153448", "Classical Mythology", "Mark P. O. Morford", 2002, "l.jpg"),
        ("078946697X", XMEN, "Michael Teitelbaum", 2000, "l3.jpg"),
        (
            "2070426769",
            "Peuple du ciel, suivi de 'Les Bergers",
            "Jean-Marie Gustave Le ClÃ©zio",
            2003,
            "l4.jpg",
        ),
        ("0553280341", "Für dich & mich", "Ann", 1990, "l5.jpg"),
        ("034545104X", None, None, None, None),
    ]
    assert dataset.notes[0] == (
        "2 books of Books.csv had title and author in one column (the first is '078946697X'): "
        "this was corrected"
    )
    assert not any("year" in note for note in dataset.notes)


def test_a_title_with_a_quote_before_a_semicolon_is_not_taken_for_a_shifted_row(tmp_path):
    title = 'The "Art"; or, 2000 Ways'
    items = original(
        ITEM_NAMES,
        ("1", title, "2001", "2002", "P", *covers("1")),
        ("2", title, "Ann", "none", "P", *covers("2")),
    )
    frame = read_book_crossing(folder(tmp_path, items=items)).catalog.frame
    assert frame.select("title", "authors", "year").rows()[:2] == [
        (title, "2001", 2002),
        (title, "Ann", None),
    ]


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Simon &amp; Schuster", "Simon & Schuster"),
        ("&quot;Caf&eacute;&quot; &#39;x&#39; &#xe9;", "\"Café\" 'x' é"),
        ("R&B, Q&A and Q&sections", "R&B, Q&A and Q&sections"),
        ("&nothing; at all", "&nothing; at all"),
        ("  NULL ", None),
    ],
)
def test_titles_lose_their_html_entities_and_nothing_else(tmp_path, written, title):
    items = original(ITEM_NAMES, ("1", written, written, "2000", "P", *covers("1")))
    frame = read_book_crossing(folder(tmp_path, items=items)).catalog.frame
    assert frame.select("title", "authors").row(0) == (title, title)


@pytest.mark.parametrize("make", [folder, new_folder])
def test_packed_and_plain_are_the_same_data(tmp_path, make):
    (tmp_path / "plain").mkdir()
    place = make(tmp_path / "plain")
    plain = read_book_crossing(place)
    (tmp_path / "gz").mkdir()
    with zipfile.ZipFile(tmp_path / "BX-CSV-Dump.zip", "w") as archive:
        for file in place.iterdir():
            archive.writestr(f"dump/{file.name}", file.read_bytes())
            (tmp_path / "gz" / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    for packed in (tmp_path / "BX-CSV-Dump.zip", tmp_path / "gz"):
        other = read_book_crossing(packed)
        assert other.catalog.frame.equals(plain.catalog.frame)
        assert other.notes == plain.notes
        np.testing.assert_array_equal(other.interactions.user, plain.interactions.user)
        np.testing.assert_array_equal(other.interactions.item, plain.interactions.item)
        np.testing.assert_array_equal(other.interactions.rating, plain.interactions.rating)


def test_ratings_load_without_the_items(tmp_path):
    place = folder(tmp_path)
    alone = read_book_crossing(place / "BX-Book-Ratings.csv")
    assert alone.catalog.frame.columns == ["item_id"]
    assert len(alone.interactions) == 5
    (place / "BX-Books.csv").unlink()
    assert read_book_crossing(place).catalog.item_ids == alone.catalog.item_ids


def test_the_original_is_read_in_utf_8_too(tmp_path):
    place = folder(tmp_path)
    (place / "BX-Books.csv").write_text(ITEMS, encoding="utf-8")
    assert "für" in read_book_crossing(place).catalog.frame["title"][3]


@pytest.mark.parametrize(
    ("file", "line", "where", "what"),
    [
        ("BX-Book-Ratings.csv", '"1";"2"', ":7", "has 2 fields, the first line has 3"),
        ("BX-Book-Ratings.csv", '"1";"2";"3";"4"', ":7", "has 4 fields"),
        ("BX-Book-Ratings.csv", '"1";"2";"x"', ':7, column "Book-Rating"', "'x' is not a finite"),
        ("BX-Book-Ratings.csv", '"";"2";"3"', ':7, column "User-ID"', "is not a user id"),
        ("BX-Book-Ratings.csv", '"1";"";"3"', ':7, column "ISBN"', "is not an item id"),
        ("BX-Book-Ratings.csv", '"1";"a"b";"3"', ":7", "a quote inside a quoted field"),
        ("BX-Books.csv", '"1";"A";"B";"2000";"P";"s";"m"', ":7", "has 7 fields"),
        (
            "BX-Books.csv",
            '"";"A";"B";"2000";"P";"s";"m";"l"',
            ':7, column "ISBN"',
            "not the ISBN of a book",
        ),
        (
            "BX-Books.csv",
            '"0195153448";"A";"B";"2000";"P";"s";"m";"l"',
            ':7, column "ISBN"',
            "'0195153448' is the ISBN of a book in an earlier line",
        ),
    ],
)
def test_a_bad_row_stops_with_its_place_or_is_skipped_and_noted(tmp_path, file, line, where, what):
    place = folder(tmp_path)
    good = read_book_crossing(place)
    with (place / file).open("a", newline="") as stream:
        stream.write(line + "\r\n")
    with pytest.raises(UserError) as caught:
        read_book_crossing(place)
    assert caught.value.where == f"{place / file}{where}"
    assert what in caught.value.what

    dataset = read_book_crossing(place, on_bad_rows="skip")
    assert f"1 bad row was skipped in {file}" in dataset.notes[0]
    assert what in dataset.notes[0]
    assert dataset.interactions.item.tolist() == good.interactions.item.tolist()
    assert dataset.catalog.frame.equals(good.catalog.frame)
    assert dataset.dropped_rows == ({"bad row": 1} if "Ratings" in file else {})


def test_skipped_rows_and_other_feedback_are_counted_apart(tmp_path):
    place = folder(tmp_path, RATINGS + '"1";"2";"x"\r\n')
    dataset = read_book_crossing(place, feedback="explicit", on_bad_rows="skip")
    assert dataset.dropped_rows == {"bad row": 1, "rating that is not explicit feedback": 2}


def test_missing_ratings_are_refused_with_both_names(tmp_path):
    (tmp_path / "BX-Books.csv").write_text(ITEMS)
    with pytest.raises(UserError, match=r"Ratings\.csv of Book-Crossing") as caught:
        read_book_crossing(tmp_path)
    assert "BX-Book-Ratings.csv" in caught.value.what
    assert "BX-Books.csv" in caught.value.hint


def test_another_table_of_ratings_is_refused(tmp_path):
    (tmp_path / "ratings.csv").write_text("book_id,user_id,rating\n1,2,3\n")
    with pytest.raises(UserError, match="no column 'User-ID'"):
        read_book_crossing(tmp_path)


# Without what a reader changes on purpose: blanks at the ends, entities, and missing values.
TEXTS = st.text(st.sampled_from("aZ9\";\\,'éü -."), min_size=1, max_size=12).map(
    lambda text: f"a{text}z"
)
RATED = st.lists(st.tuples(st.integers(1, 99), TEXTS, st.integers(0, 10)), min_size=1, max_size=12)
DESCRIBED = st.lists(
    st.tuples(TEXTS, TEXTS, TEXTS, st.integers(1, 2050)),
    min_size=1,
    max_size=12,
    unique_by=lambda book: book[0],
)


@pytest.mark.slow
@given(RATED, DESCRIBED, st.sampled_from(["original", "newer"]))
def test_what_is_written_is_read_back(tmp_path_factory, rated, described, form):
    ratings = [("User-ID", "ISBN", "Book-Rating")]
    ratings += [(str(user), isbn, str(rating)) for user, isbn, rating in rated]
    items = [ITEM_NAMES]
    items += [(*book[:3], str(book[3]), "P", "s", "m", book[0]) for book in described]
    place = tmp_path_factory.mktemp("bx")
    if form == "original":
        folder(place, original(*ratings), original(*items))
    else:
        new_folder(place, with_commas(ratings), with_commas(items))
    dataset = read_book_crossing(place)
    actual, catalog = dataset.interactions, dataset.catalog
    assert [
        (int(actual.user_ids[user]), catalog.item_ids[item - 1], rating)
        for user, item, rating in zip(
            actual.user.tolist(), actual.item.tolist(), actual.rating.tolist(), strict=True
        )
    ] == rated
    assert (
        catalog.frame.select("item_id", "title", "authors", "year").rows()[: len(described)]
        == described
    )
    assert catalog.frame["cover"].to_list()[: len(described)] == [book[0] for book in described]


def with_commas(rows: list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
