"""Shows an example: the books of a test user and the recommendations of teacher and bundle."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kd_tf.data.catalog import Catalog
from kd_tf.data.dataset import Dataset
from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.evaluation.top_k import select_unseen_top_k
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.recommender import Recommender

MIN_ITEMS, MAX_ITEMS = 8, 15
"""Bounds of the example's history length: enough books to see a taste, few enough to read."""

MAX_PRINTED_ITEMS = 12
"""Of a longer history, only this many of the last books are printed."""

NUM_RECOMMENDATIONS = 10
"""Length of both lists."""

MAX_WIDTH = 120
"""Maximum width of the printed tables in columns, so that rows stay easy to follow."""


@dataclass(frozen=True)
class UserExample:
    """A test user, and the recommendations of the teacher and the bundle.

    Attributes:
        user_index: Row of the user in the test part of the split, from 0.
        num_test_users: Number of test users.
        selection_rule: How the user was selected, for people.
        is_ordered: Whether `history` and `targets` are in chronological order.
        history: Item ids that both models got as input, oldest first.
        targets: Held-out item ids that the user really read.
        teacher_recommendations: The teacher's item ids, best first.
        bundle_recommendations: The item ids from running the bundle's .tflite, best first.
        bundle_name: Heading of the second list.
        catalog: The catalog, for titles.
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
        """Number of items that are in both lists."""
        return len(set(self.teacher_recommendations) & set(self.bundle_recommendations))


def build_user_example(
    dataset: Dataset,
    split: Split,
    teacher: HistoryModel,
    bundle: Bundle,
    *,
    user_index: int | None = None,
) -> UserExample | None:
    """Computes the recommendations of teacher and bundle for a test user.

    The user is not selected by the quality of the recommendations: it is the first test user with
    `MIN_ITEMS` to `MAX_ITEMS` items in the history, or the first of all if there is none.

    Args:
        dataset: Its catalog, and whether interactions have timestamps.
        split: Its test part.
        teacher: The trained teacher.
        bundle: Loaded again from its folder, as an app does.
        user_index: Row of another test user, from 0.

    Returns:
        The example; None without test users.

    Raises:
        UserError: There is no such user, or the bundle is invalid.
    """
    histories = split.test.histories
    if user_index is None and not len(histories):
        return None
    if user_index is None:
        candidates = np.flatnonzero(
            (histories.lengths >= MIN_ITEMS) & (histories.lengths <= MAX_ITEMS)
        )
        user_index = int(candidates[0]) if len(candidates) else 0
        selection_rule = (
            f"the first one with {MIN_ITEMS} to {MAX_ITEMS} books in the history"
            if len(candidates)
            else "the first one"
        )
    elif 0 <= user_index < len(histories):
        selection_rule = "selected by number"
    else:
        raise UserError(
            f"there is no test user {user_index}: choose one from 0 to {len(histories) - 1}"
        )
    recommender = Recommender.load(bundle.folder)
    k = min(NUM_RECOMMENDATIONS, recommender.model.k)
    item_ids = dataset.catalog.item_ids
    history = histories[user_index].tolist()
    histories_of_user = histories.take(np.array([user_index]))
    teacher_scores = make_score_fn(teacher)(histories_of_user)
    teacher_ids = select_unseen_top_k(teacher_scores, histories_of_user, k)[0].tolist()
    recommendations = recommender.recommend([item_ids[item - 1] for item in history], k)
    # The item order of the bundle may differ.
    item_by_id = {item_id: item for item, item_id in enumerate(item_ids, start=1)}
    return UserExample(
        user_index=user_index,
        num_test_users=len(histories),
        selection_rule=selection_rule,
        is_ordered=dataset.interactions.timestamp is not None,
        history=tuple(history),
        targets=tuple(split.test.targets[user_index].tolist()),
        teacher_recommendations=tuple(item for item in teacher_ids if item),
        bundle_recommendations=tuple(
            item_by_id[recommendation.item.item_id] for recommendation in recommendations
        ),
        bundle_name=f"model.tflite ({bundle.config.quantization})",
        catalog=dataset.catalog,
    )


def print_user_example(example: UserExample, console: Console) -> None:
    """Prints the user's books and both lists side by side; ``*`` marks held-out books."""
    width = min(console.width, MAX_WIDTH)
    order = "oldest first" if example.is_ordered else "reading order unknown"
    count = f"{len(example.history)} book{'s' if len(example.history) != 1 else ''}"
    if len(example.history) > MAX_PRINTED_ITEMS:
        count += f", the {'newest' if example.is_ordered else 'last'} {MAX_PRINTED_ITEMS}"

    def print_line(message: str, style: str = "") -> None:
        console.print(Text(message, style), width=width)

    print_line("")
    print_line(
        f"Test user {example.user_index + 1:,} of {example.num_test_users:,} "
        f"({example.selection_rule})",
        "bold",
    )
    print_line(f"History: {count} ({order})")
    console.print(_build_history_table(example), width=width)
    verb = "read next" if example.is_ordered else "also read"
    print_line("")
    print_line(f"Recommendations (* is a held-out book that this user really {verb}):")
    console.print(_build_recommendation_table(example), width=width)
    max_length = max(len(example.teacher_recommendations), len(example.bundle_recommendations))
    teacher_hits = _count_hits(example, example.teacher_recommendations)
    bundle_hits = _count_hits(example, example.bundle_recommendations)
    print_line(
        f"{example.num_shared} of {max_length} books are in both lists. Of {len(example.targets)} "
        f"held-out books the teacher found {teacher_hits}, the .tflite file {bundle_hits}."
    )


def _build_history_table(example: UserExample) -> Table:
    has_genres = "genre" in example.catalog.frame.columns
    table = _make_table(show_header=False)
    table.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
    if has_genres:
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis", style="dim")
    for item in example.history[-MAX_PRINTED_ITEMS:]:
        cells = [_format_line(example.catalog.label(item))]
        if has_genres:
            cells.append(_format_line(example.catalog.frame["genre"][item - 1] or ""))
        table.add_row(*cells)
    return table


def _build_recommendation_table(example: UserExample) -> Table:
    table = _make_table(show_header=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column("the teacher", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(example.bundle_name, ratio=1, no_wrap=True, overflow="ellipsis")
    for rank in range(
        max(len(example.teacher_recommendations), len(example.bundle_recommendations))
    ):
        cells = [
            _format_recommendation(example, items[rank]) if rank < len(items) else Text()
            for items in (example.teacher_recommendations, example.bundle_recommendations)
        ]
        table.add_row(Text(f"{rank + 1}."), *cells)
    return table


def _make_table(*, show_header: bool) -> Table:
    return Table(box=None, expand=True, show_header=show_header, pad_edge=False, header_style="")


def _format_recommendation(example: UserExample, item: int) -> Text:
    is_hit = item in example.targets
    label = _format_line(example.catalog.label(item))
    return Text("* " if is_hit else "  ", "bold green" if is_hit else "") + label


def _count_hits(example: UserExample, items: tuple[int, ...]) -> int:
    return len(set(items) & set(example.targets))


def _format_line(text: str) -> Text:
    """Removes line breaks and terminal control characters from a text of the catalog."""
    printable = (
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in text
    )
    return Text(" ".join("".join(printable).split()))
