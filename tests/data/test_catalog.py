"""What a catalogue says of its books."""

import polars as pl
import pytest

from kd_tf.data.catalog import Catalog


def test_the_words_of_an_item_are_joined_and_missing_ones_passed_over() -> None:
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


def test_an_item_is_called_by_title_and_author_or_by_its_id() -> None:
    frame = pl.DataFrame(
        {"item_id": ["1", "2", "3"], "title": ["A", "B", None], "authors": ["X", None, "Y"]}
    )
    catalog = Catalog(frame)
    assert [catalog.label(item) for item in (1, 2, 3)] == ["A (X)", "B", "book 3 (Y)"]
    for item in (0, 4):
        with pytest.raises(ValueError, match=r"1\.\.3"):
            catalog.label(item)
