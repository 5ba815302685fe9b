"""Tables that add columns to the catalog of a data set."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from kd_tf.data.dataset import Dataset, from_frame
from kd_tf.data.sources.item_tables import join_item_table
from kd_tf.errors import UserError


def make_dataset() -> Dataset:
    interactions = pl.DataFrame({"user": ["u", "u", "v"], "item": ["10", "11", "12"]})
    items = pl.DataFrame({"item_id": ["10", "11", "12"], "title": ["A", None, "C"]})
    return from_frame("shop", interactions, items)


def write(folder: Path, text: str) -> Path:
    path = folder / "more.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_known_columns_fill_gaps_and_others_are_added(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "id,Title,description,Subjects\n"
        '12,Z,"a, b",sea\n10,Y,&amp; c,\n11,X,NULL,land\n99,W,unknown,x\n',
    )
    dataset = join_item_table(make_dataset(), path, "id")
    frame = dataset.catalog.frame
    assert frame["item_id"].to_list() == ["10", "11", "12"]
    assert frame["title"].to_list() == ["A", "X", "C"]
    assert frame["text"].to_list() == ["& c", None, "a, b"]
    assert frame["subjects"].to_list() == [None, "land", "sea"]
    assert dataset.interactions is not None


def test_two_tables_can_be_joined(tmp_path: Path) -> None:
    dataset = join_item_table(make_dataset(), write(tmp_path, "i,a\n10,x\n11,\n12,z\n"), "i")
    dataset = join_item_table(dataset, write(tmp_path, "i,a,b\n10,no,1\n11,y,2\n12,no,3\n"), "i")
    assert dataset.catalog.frame["a"].to_list() == ["x", "y", "z"]
    assert dataset.catalog.frame["b"].to_list() == ["1", "2", "3"]


def test_items_that_the_table_lacks_are_counted(tmp_path: Path) -> None:
    dataset = join_item_table(make_dataset(), write(tmp_path, "i,a\n10,x\n11,y\n"), "i")
    assert dataset.notes[-1] == "2 of 3 items are in more.csv, which has 2"


def test_the_bundle_gets_known_columns_only(tmp_path: Path) -> None:
    dataset = join_item_table(make_dataset(), write(tmp_path, "i,a\n10,x\n11,y\n12,z\n"), "i")
    assert dataset.catalog.list_known_rows()[0] == {"item_id": "10", "title": "A"}


@pytest.mark.parametrize(
    ("text", "id_column", "match"),
    [
        ("id,a\n10,x\n", "book", "no column 'book'"),
        ("id,a\n010,x\n011,y\n012,z\n", "id", "only 0 of 3 items"),
        ("id,a\n10,x\n10,y\n", "id", "already the id"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    tmp_path: Path, text: str, id_column: str, match: str
) -> None:
    with pytest.raises(UserError, match=match):
        join_item_table(make_dataset(), write(tmp_path, text), id_column)


def test_ids_in_another_writing_are_explained(tmp_path: Path) -> None:
    path = write(tmp_path, "id,a\n10.0,x\n11.0,y\n12.0,z\n")
    with pytest.raises(UserError, match="same numbers in other writing"):
        join_item_table(make_dataset(), path, "id")
