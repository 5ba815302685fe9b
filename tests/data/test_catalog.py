"""The catalog: ids, titles and texts of the items."""

import polars as pl
import pytest

from kd_tf.data.catalog import Catalog
from kd_tf.errors import UserError


def test_the_texts_of_an_item_are_joined_without_missing_ones() -> None:
    frame = pl.DataFrame(
        {
            "item_id": ["1", "2", "3"],
            "text": ["a description", None, None],
            "title": ["The Title", None, "Only"],
            "year": [1999, 2000, None],
            "cover": ["x.jpg", "y.jpg", None],
        },
        schema_overrides={"year": pl.Int32},
    )
    assert Catalog(frame).to_texts() == ["The Title a description", "", "Only"]
    assert Catalog(frame.select("item_id")).to_texts() == ["", "", ""]


def test_an_item_without_id_is_refused_with_its_row():
    with pytest.raises(UserError, match="no id") as caught:
        Catalog(pl.DataFrame({"item_id": ["a", None, "b"]}))
    assert caught.value.where == "catalog row 2"


def test_a_catalog_without_items_is_refused():
    with pytest.raises(UserError, match="no items"):
        Catalog(pl.DataFrame({"item_id": []}, schema={"item_id": pl.String}))


@pytest.mark.parametrize(
    "columns",
    [{"title": ["A"]}, {"item_id": ["a"], "price": [1.5]}, {"item_id": ["a"], "year": ["1999"]}],
)
def test_a_catalog_has_ids_and_columns_of_known_types(columns):
    with pytest.raises(ValueError, match="a catalog"):
        Catalog(pl.DataFrame(columns))


def test_an_item_is_labelled_by_title_and_author_or_by_its_id():
    catalog = Catalog(
        pl.DataFrame(
            {
                "item_id": ["a", "b", "c", "d"],
                "title": ["Emma", "Emma", None, ""],
                "authors": ["Austen", None, "Homer", None],
            }
        )
    )
    assert [catalog.label(item) for item in (1, 2, 3, 4)] == [
        "Emma (Austen)",
        "Emma",
        "book c (Homer)",
        "book d",
    ]
    assert Catalog(pl.DataFrame({"item_id": ["a"]})).label(1) == "book a"
    for item in (0, 5, -1):
        with pytest.raises(ValueError, match=r"1\.\.4"):
            catalog.label(item)
