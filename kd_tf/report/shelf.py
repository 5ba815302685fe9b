"""One test reader's books, and what the teacher and the shipped file recommend next."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kd_tf.data.catalog import Catalog
from kd_tf.data.interactions import Dataset
from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.evaluate.top_k import top_k_excluding
from kd_tf.models.base import HistoryModel
from kd_tf.models.ranking import scorer
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.recommender import Recommender

FEWEST, MOST = 8, 15
"""How many shown books the reader has: enough to see a taste, few enough to read."""

NEWEST = 12
"""Of a longer shelf only that many books are printed."""

RECOMMENDATIONS = 10
WIDEST = 120
"""Columns beyond which lines grow hard to follow."""


@dataclass(frozen=True)
class Shelf:
    """A test reader and two lists of recommendations.

    Attributes:
        reader: Row among the test readers, from 0.
        test_readers: How many there are.
        why: By which rule the reader was chosen.
        is_ordered: Whether `books` and `held_out` are in the order of reading.
        books: Model ids that were shown to both models, oldest first.
        held_out: Model ids that the reader really read and that no model was shown.
        teacher: The teacher's model ids, best first.
        bundle: The same from the bundle's .tflite, by running it.
        bundle_name: What the second list is called.
        catalog: The books.
    """

    reader: int
    test_readers: int
    why: str
    is_ordered: bool
    books: tuple[int, ...]
    held_out: tuple[int, ...]
    teacher: tuple[int, ...]
    bundle: tuple[int, ...]
    bundle_name: str
    catalog: Catalog

    @property
    def shared(self) -> int:
        """How many books stand in both lists."""
        return len(set(self.teacher) & set(self.bundle))


def choose_shelf(
    dataset: Dataset,
    split: Split,
    teacher: HistoryModel,
    bundle: Bundle,
    *,
    reader: int | None = None,
) -> Shelf:
    """Asks teacher and bundle for ten books for one test reader.

    The reader is not picked by how good the answer looks: it is the first test reader with
    `FEWEST` to `MOST` shown books, or the first of all where none has so many.

    Args:
        dataset: The books, and whether times of reading are known.
        split: Its test readers.
        teacher: Trained.
        bundle: Read from its folder once more, as an app does.
        reader: Row among the test readers, to see another one.

    Raises:
        UserError: There is no such reader, or the bundle is refused.
    """
    histories = split.test.histories
    if reader is None:
        fitting = np.flatnonzero((histories.lengths >= FEWEST) & (histories.lengths <= MOST))
        reader = int(fitting[0]) if len(fitting) else 0
        why = f"the first with {FEWEST} to {MOST} books shown" if len(fitting) else "the first"
    elif 0 <= reader < len(histories):
        why = "as asked for"
    else:
        raise UserError(f"there are test readers 0 to {len(histories) - 1}, not {reader}")
    recommender = Recommender.load(bundle.folder)
    k = min(RECOMMENDATIONS, recommender.model.k)
    item_ids = dataset.catalog.item_ids
    shown = histories[reader].tolist()
    shelf = histories.take(np.array([reader]))
    best = top_k_excluding(scorer(teacher)(shelf), shelf, k)[0].tolist()
    answer = recommender.recommend([item_ids[book - 1] for book in shown], k)
    # A bundle may have its books in another order.
    numbers = {item_id: number for number, item_id in enumerate(item_ids, start=1)}
    return Shelf(
        reader=reader,
        test_readers=len(histories),
        why=why,
        is_ordered=dataset.interactions.timestamp is not None,
        books=tuple(shown),
        held_out=tuple(split.test.targets[reader].tolist()),
        teacher=tuple(book for book in best if book),
        bundle=tuple(numbers[one.book.item_id] for one in answer),
        bundle_name=f"model.tflite ({bundle.config.quantization})",
        catalog=dataset.catalog,
    )


def print_shelf(shelf: Shelf, console: Console) -> None:
    """Prints the shelf and both lists side by side; ``*`` marks books that were read later."""
    width = min(console.width, WIDEST)
    order = "oldest first" if shelf.is_ordered else "the order of reading is not known"
    count = f"{len(shelf.books)} book{'s' if len(shelf.books) != 1 else ''}"
    if len(shelf.books) > NEWEST:
        count += f", the {'newest' if shelf.is_ordered else 'last'} {NEWEST}"

    def say(message: str, style: str = "") -> None:
        console.print(Text(message, style), width=width)

    say("")
    say(f"Test reader {shelf.reader + 1:,} of {shelf.test_readers:,} ({shelf.why})", "bold")
    say(f"Shown to the models: {count} ({order})")
    console.print(_shelf_table(shelf), width=width)
    what = "read next" if shelf.is_ordered else "read too"
    say("")
    say(f"Recommended; * is a book that this reader really {what}, held out from both:")
    console.print(_lists(shelf), width=width)
    longest = max(len(shelf.teacher), len(shelf.bundle))
    say(
        f"{shelf.shared} of {longest} stand in both lists. Of {len(shelf.held_out)} held-out "
        f"books the teacher found {_found(shelf, shelf.teacher)}, "
        f"the .tflite {_found(shelf, shelf.bundle)}."
    )


def _shelf_table(shelf: Shelf) -> Table:
    has_genres = "genre" in shelf.catalog.frame.columns
    table = _table(show_header=False)
    table.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
    if has_genres:
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis", style="dim")
    for book in shelf.books[-NEWEST:]:
        cells = [_one_line(shelf.catalog.label(book))]
        if has_genres:
            cells.append(_one_line(shelf.catalog.frame["genre"][book - 1] or ""))
        table.add_row(*cells)
    return table


def _lists(shelf: Shelf) -> Table:
    table = _table(show_header=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column("the teacher", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(shelf.bundle_name, ratio=1, no_wrap=True, overflow="ellipsis")
    for place in range(max(len(shelf.teacher), len(shelf.bundle))):
        cells = [
            _recommended(shelf, one[place]) if place < len(one) else Text()
            for one in (shelf.teacher, shelf.bundle)
        ]
        table.add_row(Text(f"{place + 1}."), *cells)
    return table


def _table(*, show_header: bool) -> Table:
    return Table(box=None, expand=True, show_header=show_header, pad_edge=False, header_style="")


def _recommended(shelf: Shelf, book: int) -> Text:
    is_read = book in shelf.held_out
    label = _one_line(shelf.catalog.label(book))
    return Text("* " if is_read else "  ", "bold green" if is_read else "") + label


def _found(shelf: Shelf, books: tuple[int, ...]) -> int:
    return len(set(books) & set(shelf.held_out))


def _one_line(text: str) -> Text:
    """Text from a catalogue, without line breaks and without anything that steers a terminal."""
    printable = (
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in text
    )
    return Text(" ".join("".join(printable).split()))
