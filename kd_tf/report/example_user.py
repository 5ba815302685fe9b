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
from kd_tf.evaluate.top_k import select_unseen_top_k
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.recommender import Recommender

MIN_ITEMS, MAX_ITEMS = 8, 15
"""How many shown books the reader has: enough to see a taste, few enough to read."""

MAX_PRINTED_ITEMS = 12
"""Of a longer shelf only that many books are printed."""

NUM_RECOMMENDATIONS = 10
MAX_WIDTH = 120
"""Columns beyond which lines grow hard to follow."""


@dataclass(frozen=True)
class UserExample:
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

    user_index: int
    num_test_users: int
    selection_rule: str
    is_ordered: bool
    history: tuple[int, ...]
    targets: tuple[int, ...]
    teacher_recommendations: tuple[int, ...]
    bundle_recommendations: tuple[int, ...]
    bundle_name: str
    catalog: Catalog

    @property
    def num_shared(self) -> int:
        """How many books stand in both lists."""
        return len(set(self.teacher_recommendations) & set(self.bundle_recommendations))


def build_user_example(
    dataset: Dataset,
    split: Split,
    teacher: HistoryModel,
    bundle: Bundle,
    *,
    user_index: int | None = None,
) -> UserExample:
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
    if user_index is None:
        fitting = np.flatnonzero(
            (histories.lengths >= MIN_ITEMS) & (histories.lengths <= MAX_ITEMS)
        )
        user_index = int(fitting[0]) if len(fitting) else 0
        why = (
            f"the first with {MIN_ITEMS} to {MAX_ITEMS} books shown"
            if len(fitting)
            else "the first"
        )
    elif 0 <= user_index < len(histories):
        why = "as asked for"
    else:
        raise UserError(f"there are test readers 0 to {len(histories) - 1}, not {user_index}")
    recommender = Recommender.load(bundle.folder)
    k = min(NUM_RECOMMENDATIONS, recommender.model.k)
    item_ids = dataset.catalog.item_ids
    shown = histories[user_index].tolist()
    shelf = histories.take(np.array([user_index]))
    best = select_unseen_top_k(make_score_fn(teacher)(shelf), shelf, k)[0].tolist()
    answer = recommender.recommend([item_ids[item - 1] for item in shown], k)
    # A bundle may have its books in another order.
    numbers = {item_id: number for number, item_id in enumerate(item_ids, start=1)}
    return UserExample(
        user_index=user_index,
        num_test_users=len(histories),
        selection_rule=why,
        is_ordered=dataset.interactions.timestamp is not None,
        history=tuple(shown),
        targets=tuple(split.test.targets[user_index].tolist()),
        teacher_recommendations=tuple(item for item in best if item),
        bundle_recommendations=tuple(numbers[one.item.item_id] for one in answer),
        bundle_name=f"model.tflite ({bundle.config.quantization})",
        catalog=dataset.catalog,
    )


def print_user_example(example: UserExample, console: Console) -> None:
    """Prints the shelf and both lists side by side; ``*`` marks books that were read later."""
    width = min(console.width, MAX_WIDTH)
    order = "oldest first" if example.is_ordered else "the order of reading is not known"
    count = f"{len(example.history)} book{'s' if len(example.history) != 1 else ''}"
    if len(example.history) > MAX_PRINTED_ITEMS:
        count += f", the {'newest' if example.is_ordered else 'last'} {MAX_PRINTED_ITEMS}"

    def say(message: str, style: str = "") -> None:
        console.print(Text(message, style), width=width)

    say("")
    say(
        f"Test reader {example.user_index + 1:,} of {example.num_test_users:,} ({example.selection_rule})",
        "bold",
    )
    say(f"Shown to the models: {count} ({order})")
    console.print(_build_history_table(example), width=width)
    what = "read next" if example.is_ordered else "read too"
    say("")
    say(f"Recommended; * is a book that this reader really {what}, held out from both:")
    console.print(_build_recommendation_table(example), width=width)
    longest = max(len(example.teacher_recommendations), len(example.bundle_recommendations))
    say(
        f"{example.num_shared} of {longest} stand in both lists. Of {len(example.targets)} held-out "
        f"books the teacher found {_count_hits(example, example.teacher_recommendations)}, "
        f"the .tflite {_count_hits(example, example.bundle_recommendations)}."
    )


def _build_history_table(shelf: UserExample) -> Table:
    has_genres = "genre" in shelf.catalog.frame.columns
    table = _make_table(show_header=False)
    table.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
    if has_genres:
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis", style="dim")
    for item in shelf.history[-MAX_PRINTED_ITEMS:]:
        cells = [_format_line(shelf.catalog.label(item))]
        if has_genres:
            cells.append(_format_line(shelf.catalog.frame["genre"][item - 1] or ""))
        table.add_row(*cells)
    return table


def _build_recommendation_table(shelf: UserExample) -> Table:
    table = _make_table(show_header=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column("the teacher", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(shelf.bundle_name, ratio=1, no_wrap=True, overflow="ellipsis")
    for place in range(max(len(shelf.teacher_recommendations), len(shelf.bundle_recommendations))):
        cells = [
            _format_recommendation(shelf, one[place]) if place < len(one) else Text()
            for one in (shelf.teacher_recommendations, shelf.bundle_recommendations)
        ]
        table.add_row(Text(f"{place + 1}."), *cells)
    return table


def _make_table(*, show_header: bool) -> Table:
    return Table(box=None, expand=True, show_header=show_header, pad_edge=False, header_style="")


def _format_recommendation(shelf: UserExample, item: int) -> Text:
    is_read = item in shelf.targets
    label = _format_line(shelf.catalog.label(item))
    return Text("* " if is_read else "  ", "bold green" if is_read else "") + label


def _count_hits(shelf: UserExample, items: tuple[int, ...]) -> int:
    return len(set(items) & set(shelf.targets))


def _format_line(text: str) -> Text:
    """Text from a catalogue, without line breaks and without anything that steers a terminal."""
    printable = (
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in text
    )
    return Text(" ".join("".join(printable).split()))
