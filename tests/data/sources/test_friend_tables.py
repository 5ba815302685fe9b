"""Tables of friends beside the interactions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.clean import CleaningRules
from kd_tf.data.dataset import Dataset, from_frame
from kd_tf.data.prepare import split
from kd_tf.data.sources.friend_tables import join_friends
from kd_tf.data.split import load
from kd_tf.data.values.rules import ValueRules
from kd_tf.errors import UserError

USERS = ["ann", "bob", "cem", "dora"]


def make_dataset(users: list[str] = USERS) -> Dataset:
    return from_frame("shop", pl.DataFrame({"user": users, "item": ["x"] * len(users)}))


def list_pairs(dataset: Dataset) -> list[list[int]]:
    assert dataset.friendships is not None
    return [list(map(int, pair)) for pair in dataset.friendships]


def write(folder: Path, text: str, name: str = "friends.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("user,friend\nann,bob\nbob,ann\ncem,ann\nann,cem\n", "friends.csv"),
        ("ann,bob\nbob,ann\ncem,ann\nann,cem\n", "friends.csv"),  # the first pair is no header
        ("bob\tann\nann\tbob\nann\tcem\ncem\tann\n", "friends.txt"),
        ("a;b\nann;bob\nbob;ann\ncem;ann\nann;cem\n", "friends.csv"),
    ],
)
def test_pairs_stand_once_whatever_the_table_looks_like(
    tmp_path: Path, text: str, name: str
) -> None:
    dataset = join_friends(make_dataset(), write(tmp_path, text, name))
    assert list_pairs(dataset) == [[0, 1], [0, 2]]
    assert dataset.notes == ()


def test_a_parquet_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "friends.parquet"
    pl.DataFrame({"user": [11, 12], "friend": [12, 13]}).write_parquet(path)
    dataset = join_friends(make_dataset(["11", "12", "13"]), path)
    assert list_pairs(dataset) == [[0, 1], [1, 2]]


@pytest.mark.parametrize(
    ("rows", "friendships", "note"),
    [
        ("zoe,ann\nann,zoe\n", [[0, 1]], "2 rows of friends.csv name a user without interactions"),
        ("cem,cem\n", [[0, 1]], "1 row of friends.csv names a user as the own friend: left out"),
        ("ann,bob\nann,bob\n", [[0, 1]], "2 rows of friends.csv repeat another: counted once"),
        ("cem,bob\n", [[0, 1], [1, 2]], "1 of 2 friendships: listed in one direction only"),
        (",bob\n", [[0, 1]], "1 bad row was skipped in friends.csv"),
        ("ann,bob,cem,dora\n", [[0, 1]], "1 bad row was skipped in friends.csv"),
    ],
)
def test_what_is_left_out_is_counted_and_the_rest_is_kept(
    tmp_path: Path, rows: str, friendships: list[list[int]], note: str
) -> None:
    path = write(tmp_path, f"user,friend\nann,bob\nbob,ann\n{rows}")
    dataset = join_friends(make_dataset(), path, on_bad_rows="skip")
    assert list_pairs(dataset) == friendships
    (only_note,) = dataset.notes
    assert only_note.startswith(note)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("user,friend\nAnn ,BOB\nCem,Dora\n", "only 0 of 4 users", "--normalize-ids text"),
        ("user,friend\nu1,u2\nu3,u4\n", "only 0 of 4 users", "first two columns"),
        ("user,friend\nann,ann\nbob,bob\n", "no row names two users", "2 rows of friends.csv"),
        ("user\nann\n", "two columns", "comma or a tab"),
        ("user,friend\n,bob\n", "not a user id", "--on-bad-rows skip"),
        ("", "empty", "at least one row"),
        ("user,friend\n", "no rows", "at least one row"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        join_friends(make_dataset(), write(tmp_path, text))
    assert hint in (caught.value.hint or "")
    assert "friends.csv" in (caught.value.where or "")


def test_ids_are_made_equal_as_those_of_the_interactions(tmp_path: Path) -> None:
    path = write(tmp_path, "user,friend\nAnn ,BOB\nCem,Dora\n")
    dataset = join_friends(make_dataset(), path, values=ValueRules(normalize_ids="text"))
    assert list_pairs(dataset) == [[0, 1], [2, 3]]


def test_more_columns_are_named_in_a_note(tmp_path: Path) -> None:
    path = write(tmp_path, "user,friend,since\nann,bob,2020\nbob,ann,2020\n")
    assert "only the first two columns are read ('user', 'friend')" in " ".join(
        join_friends(make_dataset(), path).notes
    )


def test_a_second_table_adds_to_the_first(tmp_path: Path) -> None:
    dataset = join_friends(make_dataset(), write(tmp_path, "ann,bob\n"))
    dataset = join_friends(dataset, write(tmp_path, "bob,ann\ncem,dora\n"))
    assert list_pairs(dataset) == [[0, 1], [2, 3]]


@given(pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30))
def test_friendships_are_the_set_of_pairs_of_two_users(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[int, int]]
) -> None:
    users = [f"u{number}" for number in range(6)]
    pairs = [(0, 1), *pairs]
    text = "".join(f"u{first},u{second}\n" for first, second in pairs)
    path = write(tmp_path_factory.mktemp("friends"), text)
    expected = {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}
    assert list_pairs(join_friends(make_dataset(users), path)) == sorted(map(list, expected))


def test_a_split_has_the_friends_of_the_users_that_cleaning_leaves(tmp_path: Path) -> None:
    readings = {"cem": 1, "bob": 4, "ann": 4, "dora": 4, "eve": 4}
    rows = [(user, f"i{item}") for user, count in readings.items() for item in range(count)]
    dataset = from_frame("shop", pl.DataFrame(rows, schema=["user", "item"], orient="row"))
    dataset = join_friends(dataset, write(tmp_path, "cem,ann\neve,bob\nann,bob\n"))
    result = split(dataset, cleaning=CleaningRules(min_user_interactions=2))
    # Without Cem the others are 0, 1, 2 and 3.
    assert result.friendships is not None
    assert sorted(result.friendships.tolist()) == [[0, 1], [0, 3]]
    assert result.test.train is not None
    assert result.test.train.friendships is result.friendships
    path = tmp_path / "split.npz"
    result.save(path)
    np.testing.assert_array_equal(load(path).friendships, result.friendships)
