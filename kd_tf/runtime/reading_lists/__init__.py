"""Reads what a reading service exports, and finds the books of a catalog that the user has read.

Goodreads, StoryGraph, LibraryThing, Calibre, BookWyrm, Openreads, Open Library, and any other table
with a column "Title". ``tests/reading_lists/README.md`` has the rules, which the browser page and
the Android app follow too.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> from kd_tf.runtime.catalog import Item
    >>> rows = ["Title,Author,Exclusive Shelf", "The Hobbit,Tolkien,read", "Dune,Herbert,to-read"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "goodreads_library_export.csv"
    ...     _ = path.write_text("\\n".join(rows), "utf-8")
    ...     reading_list = read_reading_list(path)
    >>> reading_list.format.label
    'Goodreads'
    >>> items = [Item(1, "b1", title="The Hobbit (Saga, #1)", authors="J.R.R. Tolkien")]
    >>> [item.item_id for item in match_reading_list(reading_list, items).history]
    ['b1']
"""

from kd_tf.runtime.reading_lists.entries import ReadingList, ReadingListEntry, ReadingListError
from kd_tf.runtime.reading_lists.matching import (
    DEFAULT_MIN_RATING,
    ReadingListMatch,
    match_reading_list,
)
from kd_tf.runtime.reading_lists.read import read_reading_list

__all__ = [
    "DEFAULT_MIN_RATING",
    "ReadingList",
    "ReadingListEntry",
    "ReadingListError",
    "ReadingListMatch",
    "match_reading_list",
    "read_reading_list",
]
