"""Parquet tables are read like text: ids as they are, missing values as empty fields."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from kd_tf.data.formats import parquet
from kd_tf.data.sources.csv_files import read_csv
from kd_tf.data.sources.interaction_rows import InteractionColumns
from kd_tf.data.sources.item_rows import ItemColumns
from kd_tf.data.sources.own_tables import read_files
from kd_tf.errors import UserError

COLUMNS = InteractionColumns("user", "item", "rating", "when")


def write(folder: Path, **columns) -> Path:
    path = folder / "loans.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return path


def test_ids_ratings_and_times_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        user=["a", "007"],
        item=[2**63 - 1, -5],
        rating=[4.5, 3.0],
        when=[datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)],
        other=[None, 1],
    )
    dataset = read_files(path, COLUMNS)
    assert dataset.name == "loans"
    assert dataset.interactions.user_ids == ["a", "007"]
    assert dataset.catalog.item_ids == [str(2**63 - 1), "-5"]
    assert dataset.interactions.rating.tolist() == [4.5, 3.0]
    assert dataset.interactions.timestamp.tolist() == [-1, 1_577_836_800]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([date(1970, 1, 2)], 86_400),
        ([datetime(1970, 1, 2)], 86_400),
        ([86_400], 86_400),
        ([86_400.7], 86_400),
        (["1970-01-02"], 86_400),
    ],
)
def test_times_of_every_type_are_seconds(tmp_path: Path, values, expected) -> None:
    path = write(tmp_path, user=["a"], item=["x"], when=values)
    dataset = read_files(path, InteractionColumns("user", "item", timestamp="when"))
    assert dataset.interactions.timestamp.tolist() == [expected]


def test_lists_are_read_as_texts_and_other_types_are_refused_by_name(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        user=["a", "b"],
        item=["x", "y"],
        authors=[["Ann", "Bo"], None],
        when=[timedelta(1), None],
        place=[{"shelf": 1}, {"shelf": 2}],
    )
    dataset = read_csv(path, user="user", item="item", authors="authors")
    assert dataset.catalog.frame["authors"].to_list() == ["Ann, Bo", None]
    for column, type_name in (("when", "Duration"), ("place", "Struct")):
        with pytest.raises(UserError, match=f"'{column}' has the type {type_name}"):
            read_csv(path, user="user", item="item", timestamp=column)
    with pytest.raises(UserError, match="Did you mean 'user'"):
        read_csv(path, user="User", item="item")


def test_a_missing_value_is_a_bad_row_with_its_number(tmp_path: Path) -> None:
    path = write(tmp_path, user=["a", None, "c"], item=["x", "y", "z"])
    plain = InteractionColumns("user", "item")
    with pytest.raises(UserError, match="not a user id") as caught:
        read_files(path, plain)
    assert caught.value.where == f'{path}:2, column "user"'
    dataset = read_files(path, plain, on_bad_rows="skip")
    assert dataset.interactions.user_ids == ["a", "c"]


def test_ids_that_are_fractions_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, user=[1.0, 2.0], item=["x", "y"])
    with pytest.raises(UserError, match="fractions"):
        read_files(path, InteractionColumns("user", "item"))


def test_a_missing_column_and_another_file_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, user=["a"], item=["x"])
    with pytest.raises(UserError, match="no column 'reader'"):
        read_files(path, InteractionColumns("reader", "item"))
    path.write_bytes(b"user,item\na,x\n")
    with pytest.raises(UserError, match="not a Parquet file"):
        read_files(path, InteractionColumns("user", "item"))


def test_a_table_is_read_in_blocks_with_its_row_numbers(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(parquet, "_BLOCK_ROWS", 3)
    users = [f"u{i}" for i in range(7)]
    path = write(tmp_path, user=[*users, ""], item=["x"] * 8)
    plain = InteractionColumns("user", "item")
    assert read_files(path, plain, on_bad_rows="skip").interactions.user_ids == users
    with pytest.raises(UserError) as caught:
        read_files(path, plain)
    assert caught.value.where.startswith(f"{path}:8")


def test_items_can_be_parquet_too(tmp_path: Path) -> None:
    path = write(tmp_path, user=["a"], item=[2])
    items = tmp_path / "books.parquet"
    pl.DataFrame({"id": [1, 2], "title": ["A", None], "year": [1999, None]}).write_parquet(items)
    dataset = read_files(
        path,
        InteractionColumns("user", "item"),
        items=items,
        item_columns=ItemColumns("id", title="title", year="year"),
    )
    assert dataset.catalog.frame.to_dicts() == [
        {"item_id": "1", "title": "A", "year": 1999},
        {"item_id": "2", "title": None, "year": None},
    ]
    assert dataset.interactions.item.tolist() == [2]
