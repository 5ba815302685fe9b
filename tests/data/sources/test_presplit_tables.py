"""Published splits in tables: shared ids, and a part for every row."""

import os
from pathlib import Path

import numpy as np
import pytest

from kd_tf.data.sources.own_tables import InteractionColumns, ItemColumns
from kd_tf.data.sources.presplit_tables import read_presplit_tables
from kd_tf.errors import UserError

COLUMNS = InteractionColumns("user", "item")


@pytest.fixture
def split(tmp_path: Path) -> dict[str, Path]:
    files = {
        "train": "user,item\na,x\nb,y\n",
        "validation": "user,item\na,z\n",
        "test": "user,item\nc,x\nb,w\n",
    }
    paths = {name: tmp_path / f"{name}.csv" for name in files}
    for name, text in files.items():
        paths[name].write_text(text)
    return paths


def test_all_tables_share_one_numbering(split: dict[str, Path]) -> None:
    dataset = read_presplit_tables(columns=COLUMNS, name="mine", **split)
    assert dataset.name == "mine"
    assert dataset.interactions.user_ids == ["a", "b", "c"]
    assert dataset.catalog.item_ids == ["x", "y", "z", "w"]
    assert dataset.interactions.user.tolist() == [0, 1, 0, 2, 1]
    assert dataset.interactions.item.tolist() == [1, 2, 3, 1, 4]
    assert dataset.split_labels.tolist() == [0, 0, 1, 2, 2]


def test_validation_may_be_missing(split: dict[str, Path]) -> None:
    dataset = read_presplit_tables(split["train"], split["test"], COLUMNS)
    assert dataset.split_labels.tolist() == [0, 0, 2, 2]


def test_without_headers_the_columns_stand_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("1\t10\t5\n2\t11\t4\n")
    (tmp_path / "b.tsv").write_text("1\t12\t3\n")
    columns = InteractionColumns("user", "item", "rating")
    dataset = read_presplit_tables(tmp_path / "a.tsv", tmp_path / "b.tsv", columns)
    assert dataset.catalog.item_ids == ["10", "11", "12"]
    assert dataset.interactions.rating.tolist() == [5, 4, 3]


def test_bad_rows_of_every_table_are_named_or_counted(split: dict[str, Path]) -> None:
    split["train"].write_text("user,item\na,x\nb\n")
    split["test"].write_text("user,item\n,x\nb,w\n")
    with pytest.raises(UserError) as caught:
        read_presplit_tables(columns=COLUMNS, **split)
    assert caught.value.where == f"{split['train']}:3"
    dataset = read_presplit_tables(columns=COLUMNS, on_bad_rows="skip", **split)
    assert dataset.dropped_rows == {"bad row": 2}
    assert [note.split(" ")[-1] for note in dataset.notes if "skipped" in note]
    assert dataset.split_labels.tolist() == [0, 1, 2]


def test_items_come_first_where_there_is_a_table(split: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "books.csv").write_text("id,name\nw,Walden\nx,Xanadu\n")
    dataset = read_presplit_tables(
        columns=COLUMNS,
        items=tmp_path / "books.csv",
        item_columns=ItemColumns("id", title="name"),
        min_matched_share=0.3,
        **split,
    )
    assert dataset.catalog.item_ids == ["w", "x", "y", "z"]
    assert dataset.catalog.label(1) == "Walden"
    assert any(
        "2 of 4 items with interactions are not in the item table" in n for n in dataset.notes
    )


@pytest.mark.real_data
def test_the_published_citeulike_split_has_its_counts() -> None:
    place = Path(os.environ.get("KD_TF_DATA", "/nowhere")) / "citeulike-loo"
    if not place.is_dir():
        pytest.skip("KD_TF_DATA does not name a folder that has citeulike-loo")
    dataset = read_presplit_tables(
        place / "train.tsv.gz",
        place / "test.tsv",
        COLUMNS,
        validation=place / "valid.tsv",
    )
    parts = np.bincount(dataset.split_labels).tolist()
    assert parts[0] == 115_142
    assert parts[1] == parts[2]
