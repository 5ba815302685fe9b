"""Finds the books of a catalog that a reading list means, by ISBN, or else by title and author."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kd_tf.runtime.catalog import Item
from kd_tf.runtime.reading_lists.entries import ReadingList, ReadingListEntry
from kd_tf.runtime.reading_lists.text_keys import is_same_name, make_title_keys, split_names

DEFAULT_MIN_RATING = 3.0


@dataclass(frozen=True)
class ReadingListMatch:
    """What a reading list means for a catalog.

    Attributes:
        history: The items that the user has read and not rated low, oldest first.
        excluded_items: Further items that must not be recommended: those rated low, abandoned or
            being read, in the order of the file.
        num_low_rated: How many books that were read are rated low.
        num_repeated: How many rows mean an item that an earlier row of the history means.
        unmatched_entries: The books of the history that are not in the catalog, in the order of
            the file.
    """

    history: list[Item]
    excluded_items: list[Item]
    num_low_rated: int
    num_repeated: int
    unmatched_entries: list[ReadingListEntry]


def match_reading_list(
    reading_list: ReadingList,
    items: Iterable[Item],
    min_rating: float = DEFAULT_MIN_RATING,
) -> ReadingListMatch:
    """Finds the items that a reading list means.

    Books that the user abandoned or rated low say what not to recommend, and books to read say
    nothing yet: the history has neither. A book without a rating counts as liked.

    Args:
        reading_list: What `read_reading_list` returns.
        items: The catalog, in the order of the model ids.
        min_rating: From 0 to 5; books that are rated lower do not go into the history. 0 takes all
            that were read.

    Returns:
        The items, and what the catalog lacks. The catalog is looked through once, however long
        the list is.

    Example:
        >>> from kd_tf.runtime.reading_lists.formats import TABLE
        >>> entry = ReadingListEntry(2, "Dune", "Herbert", "Herbert", (), "read", False, 4.5, 0)
        >>> reading_list = ReadingList("mine.csv", TABLE, [entry], [])
        >>> match_reading_list(reading_list, [Item(1, "b1", "Dune", "Frank Herbert")]).history
        [Item(id=1, item_id='b1', title='Dune', authors='Frank Herbert', ...)]
    """
    read = [entry for entry in reading_list.entries if entry.status == "read"]
    liked_entries = [entry for entry in read if entry.rating is None or entry.rating >= min_rating]
    liked_lines = {entry.line for entry in liked_entries}
    others = [
        entry
        for entry in reading_list.entries
        if entry.status in ("read", "reading", "abandoned") and entry.line not in liked_lines
    ]
    index = _ItemIndex(items, [*liked_entries, *others])
    matches = {entry.line: index.find(entry) for entry in liked_entries}
    # Where no dates tell, rows keep the order of the file, which some services turn round.
    in_order = (
        reversed(liked_entries) if reading_list.format.is_newest_first else iter(liked_entries)
    )
    history: dict[int, Item] = {}
    num_repeated = 0
    for entry in sorted(in_order, key=lambda entry: entry.date):
        item = matches[entry.line]
        if item is not None:
            num_repeated += item.id in history
            history.setdefault(item.id, item)
    excluded_items = {
        item.id: item
        for entry in others
        if (item := index.find(entry)) is not None and item.id not in history
    }
    return ReadingListMatch(
        history=list(history.values()),
        excluded_items=list(excluded_items.values()),
        num_low_rated=len(read) - len(liked_entries),
        num_repeated=num_repeated,
        unmatched_entries=[entry for entry in liked_entries if matches[entry.line] is None],
    )


class _ItemIndex:
    """The items that some of the entries may mean: others are passed over.

    Args:
        items: The catalog, in the order of the model ids.
        entries: The entries that will be looked up.
    """

    def __init__(self, items: Iterable[Item], entries: Sequence[ReadingListEntry]) -> None:
        keys = [make_title_keys(entry.title) for entry in entries]
        titles = {key for pair in keys for key in pair}
        full_titles = {full_title for full_title, _ in keys}
        isbns = {isbn for entry in entries for isbn in entry.isbns}
        self._by_isbn: dict[str, Item] = {}
        self._by_title: dict[str, list[Item]] = {}
        self._by_short_title: dict[str, list[Item]] = {}
        self._names: dict[int, list[list[str]]] = {}
        for item in items:
            if item.isbn in isbns:
                self._by_isbn.setdefault(item.isbn, item)
            if not item.title:
                continue
            full_title, short_title = make_title_keys(item.title)
            if full_title and full_title in titles:
                self._by_title.setdefault(full_title, []).append(item)
            if short_title and short_title in full_titles:
                self._by_short_title.setdefault(short_title, []).append(item)

    def find(self, entry: ReadingListEntry) -> Item | None:
        """Finds the item that an entry means; of several the one with the lowest id."""
        for isbn in entry.isbns:
            if isbn in self._by_isbn:
                return self._by_isbn[isbn]
        full_title, short_title = make_title_keys(entry.title)
        names = split_names(entry.authors)
        if not full_title or not names:
            return None
        item = self._find_by_author(self._by_title.get(full_title, ()), names)
        if item is not None:
            return item
        # Equal once one of the two titles has lost its subtitle, never both: "Star Atlas: North"
        # is not "Star Atlas: South".
        candidates = [
            *(self._by_title.get(short_title, ()) if short_title else ()),
            *self._by_short_title.get(full_title, ()),
        ]
        candidates.sort(key=lambda candidate: candidate.id)
        return self._find_by_author(candidates, names)

    def _find_by_author(self, items: Iterable[Item], names: list[list[str]]) -> Item | None:
        return next(
            (
                item
                for item in items
                if any(
                    is_same_name(name, other) for name in names for other in self._get_names(item)
                )
            ),
            None,
        )

    def _get_names(self, item: Item) -> list[list[str]]:
        names = self._names.get(item.id)
        if names is None:
            names = self._names[item.id] = split_names(item.authors or "")
        return names
