"""The Netflix Prize: films, and the ratings that follow them."""

import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.formats import lines
from kd_tf.data.sources.netflix_prize import read_netflix_prize
from kd_tf.errors import UserError

FIRST = "1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n1488844,4,2005-12-26\n"
SECOND = "4500:\r\n822109,1,1999-11-11\r\n"
TITLES = b"1,2003,Dinosaur Planet\n2,NULL,Isle of Man, The Caf\xe9, and More\n4500,1999,Lilo\n"


def write(folder: Path, *combined: str, titles: bytes | None = None) -> Path:
    for number, text in enumerate(combined, 1):
        (folder / f"combined_data_{number}.txt").write_bytes(text.encode())
    if titles is not None:
        (folder / "movie_titles.csv").write_bytes(titles)
    return folder


def rows(dataset) -> list[tuple[str, str, float, int]]:
    data = dataset.interactions
    return [
        (data.user_ids[u], dataset.catalog.item_ids[i - 1], float(r), int(t))
        for u, i, r, t in zip(data.user, data.item, data.rating, data.timestamp, strict=True)
    ]


def test_ratings_belong_to_the_film_above_them(tmp_path: Path) -> None:
    dataset = read_netflix_prize(write(tmp_path, FIRST, SECOND))
    assert rows(dataset) == [
        ("1488844", "1", 3, 1125964800),
        ("822109", "1", 5, 1115942400),
        ("1488844", "2", 4, 1135555200),
        ("822109", "4500", 1, 942278400),
    ]


def test_titles_may_hold_commas_and_years_be_missing(tmp_path: Path) -> None:
    dataset = read_netflix_prize(write(tmp_path, FIRST, SECOND, titles=TITLES))
    assert dataset.catalog.frame.to_dicts() == [
        {"item_id": "1", "title": "Dinosaur Planet", "year": 2003},
        {"item_id": "2", "title": "Isle of Man, The Café, and More", "year": None},
        {"item_id": "4500", "title": "Lilo", "year": 1999},
    ]


def test_the_original_layout_has_a_file_for_each_film(tmp_path: Path) -> None:
    folder = tmp_path / "training_set"
    folder.mkdir()
    (folder / "mv_0000001.txt").write_text("1:\n5,3,2005-09-06\n")
    (folder / "mv_0000002.txt").write_text("2:\n6,4,2005-09-06\n")
    assert [row[:3] for row in rows(read_netflix_prize(tmp_path))] == [
        ("5", "1", 3),
        ("6", "2", 4),
    ]


def test_an_archive_is_read_without_unpacking(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("combined_data_1.txt", FIRST)
        archive.writestr("movie_titles.csv", TITLES)
    dataset = read_netflix_prize(tmp_path / "archive.zip")
    assert len(dataset.interactions) == 3
    assert dataset.catalog.label(1) == "Dinosaur Planet"


@pytest.mark.parametrize(
    "line",
    [
        "5,3",
        "5,6,2005-01-01",
        "5,0,2005-01-01",
        "5,3,2005-02-30",
        "5,3,01.02.2005",
        "x,3,2005-01-01",
        "5,3,2005-01-01,9",
        "x:",
        "1: ",
    ],
)
def test_a_malformed_line_is_refused_or_skipped(tmp_path: Path, line: str) -> None:
    folder = write(tmp_path, FIRST + line + "\n7,1,2005-01-01\n")
    with pytest.raises(UserError, match="neither FILM") as caught:
        read_netflix_prize(folder)
    assert caught.value.where.endswith("combined_data_1.txt:6")
    dataset = read_netflix_prize(folder, on_bad_rows="skip")
    assert rows(dataset)[-1][:2] == ("7", "2")
    assert dataset.dropped_rows == {"bad row": 1}


def test_a_film_does_not_go_on_in_the_next_file(tmp_path: Path) -> None:
    folder = write(tmp_path, FIRST, "5,3,2005-01-01\n3:\n5,4,2005-01-01\n")
    with pytest.raises(UserError, match="before any film") as caught:
        read_netflix_prize(folder)
    assert caught.value.where.endswith("combined_data_2.txt:1")


def test_a_malformed_title_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="FILM,YEAR,TITLE") as caught:
        read_netflix_prize(write(tmp_path, FIRST, titles=b"1,2003,A\n2;1999;B\n"))
    assert caught.value.where.endswith("movie_titles.csv:2")


films = st.lists(
    st.tuples(
        st.integers(1, 30),
        st.lists(st.tuples(st.integers(1, 99), st.integers(1, 5)), max_size=5),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.slow
@given(films, st.integers(1, 60))
def test_where_blocks_break_makes_no_difference(films, block: int) -> None:
    """Films and their ratings come back, however the file falls into blocks."""
    text, expected = "", []
    for film, ratings in films:
        text += f"{film}:\n"
        for user, rating in ratings:
            text += f"{user},{rating},2005-01-02\n"
            expected.append((str(user), str(film), rating))
    if not expected:
        return
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_BLOCK_BYTES", block)
        dataset = read_netflix_prize(write(Path(folder), text))
    assert [row[:3] for row in rows(dataset)] == expected
    assert np.unique(dataset.interactions.timestamp).tolist() == [1104624000]
