"""One line per user, as graph recommenders publish their splits."""

import gzip
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.sources.user_item_lists import read_user_item_lists
from kd_tf.data.splits.published import TEST, TRAIN, VALIDATION
from kd_tf.errors import UserError


def write(folder: Path, **files: str) -> list[Path]:
    paths = []
    for name, text in files.items():
        path = folder / f"{name}.txt"
        path.write_text(text)
        paths.append(path)
    return paths


def rows(dataset) -> list[tuple[str, str, int]]:
    users, items = dataset.interactions.user_ids, dataset.catalog.item_ids
    data = dataset.interactions
    return [
        (users[u], items[i - 1], int(part))
        for u, i, part in zip(data.user, data.item, dataset.split_labels, strict=True)
    ]


def test_a_line_is_a_user_and_the_items(tmp_path: Path) -> None:
    train, test = write(tmp_path, train="0 5 2 \n1 2\n\n3\n", test="1 7 5\n0\n")
    dataset = read_user_item_lists(train, test)
    assert rows(dataset) == [
        ("0", "5", TRAIN),
        ("0", "2", TRAIN),
        ("1", "2", TRAIN),
        ("1", "7", TEST),
        ("1", "5", TEST),
    ]
    assert dataset.catalog.item_ids == ["5", "2", "7"], "in the order of their first row"
    assert dataset.split_labels.dtype == np.int8
    assert dataset.dropped_rows == {}


def test_tabs_many_blanks_and_windows_line_ends_are_no_difference(tmp_path: Path) -> None:
    plain = write(tmp_path, train="0 5 2\n1 2\n", test="1 7\n")
    expected = rows(read_user_item_lists(*plain))
    odd = write(tmp_path, a="0\t5  2\r\n1\t2\r\n", b=" 1   7 ")
    assert rows(read_user_item_lists(*odd)) == expected
    packed = tmp_path / "train.txt.gz"
    packed.write_bytes(gzip.compress(plain[0].read_bytes()))
    assert rows(read_user_item_lists(packed, plain[1])) == expected


def test_a_user_on_two_lines_has_the_items_of_both_and_validation_comes_between(
    tmp_path: Path,
) -> None:
    train, validation, test = write(tmp_path, train="0 1\n0 2\n", validation="0 3\n", test="0 4\n")
    dataset = read_user_item_lists(train, test, validation)
    assert rows(dataset) == [
        ("0", "1", TRAIN),
        ("0", "2", TRAIN),
        ("0", "3", VALIDATION),
        ("0", "4", TEST),
    ]


def test_ids_are_text(tmp_path: Path) -> None:
    dataset = read_user_item_lists(
        *write(tmp_path, train="007 1\n7 01\n", test="7 99999999999999999999\n")
    )
    assert dataset.interactions.user_ids == ["007", "7"]
    assert dataset.catalog.item_ids == ["1", "01", "99999999999999999999"]


@pytest.mark.parametrize("line", ["1 x", "a 1", "1,2", "1 2.5", "1 -2", "1 2 # no"])
def test_a_line_of_another_format_is_refused_or_skipped(tmp_path: Path, line: str) -> None:
    train, test = write(tmp_path, train=f"0 1\n\n{line}\n2 3\n", test="0 2\n")
    with pytest.raises(UserError, match="not a list of numeric user") as caught:
        read_user_item_lists(train, test)
    assert caught.value.where == f"{train}:3"
    dataset = read_user_item_lists(train, test, on_bad_rows="skip")
    assert [row[:2] for row in rows(dataset)] == [("0", "1"), ("2", "3"), ("0", "2")]
    assert dataset.dropped_rows == {"bad row": 1}
    assert "1 bad row was skipped in train.txt: line 3" in dataset.notes[0]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    train, test = write(tmp_path, train="0 1\n", test="\n")
    with pytest.raises(UserError, match="no rows") as caught:
        read_user_item_lists(train, test)
    assert caught.value.where == f"{test}:1"


lines = st.lists(
    st.tuples(st.integers(0, 99), st.lists(st.integers(0, 99), min_size=1, max_size=6)),
    min_size=1,
    max_size=9,
)


@given(lines, lines)
def test_what_is_written_comes_back(train, test) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = write(
            Path(folder),
            **{
                name: "".join(f"{user} {' '.join(map(str, items))}\n" for user, items in part)
                for name, part in (("train", train), ("test", test))
            },
        )
        dataset = read_user_item_lists(*paths)
    assert rows(dataset) == [
        (str(user), str(item), number)
        for number, part in ((TRAIN, train), (TEST, test))
        for user, items in part
        for item in items
    ]


@pytest.mark.real_data
def test_the_published_douban_split_has_its_counts() -> None:
    place = Path(os.environ.get("KD_TF_DATA", "/nowhere")) / "douban-book"
    if not place.is_dir():
        pytest.skip("KD_TF_DATA does not name a folder that has douban-book")
    dataset = read_user_item_lists(place / "train.txt.gz", place / "test.txt.gz")
    assert dataset.interactions.num_users == 13_024
    assert dataset.interactions.num_items == 22_347
    assert np.bincount(dataset.split_labels).tolist() == [633_649, 0, 158_413]
