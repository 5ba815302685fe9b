"""Finds the item that a person means by an id, a title, or a misspelt title."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz, process

from kd_tf.errors import UserError
from kd_tf.runtime.catalog import CatalogItems, Item

MIN_SIMILARITY = 91.0
"""Minimum rapidfuzz WRatio (0 to 100) at which a misspelt title matches.

WRatio gives at most 90 to a text that merely contains the other one. With more, the two titles must
be nearly equal, so that "Fire" does not match all longer titles with that word. A wrong match would
spoil recommendations without notice; an error lists the closest titles instead.
"""

MIN_MARGIN = 2.0
"""Minimum number of points between the best fuzzy match and the next one."""

MAX_LENGTH = 500
"""Characters of a title that are compared; longer names are refused, as some normal
forms and matches take time with the square of the length."""

NUM_SUGGESTIONS = 5
"""Number of titles that an error message lists."""


@dataclass(frozen=True)
class Match:
    """An item and how well its title matches a name.

    Attributes:
        item: The item.
        score: 100 for an id or a title that is equal except for case, accents and a suffix in
            brackets; otherwise rapidfuzz's WRatio, at least `MIN_SIMILARITY`.
    """

    item: Item
    score: float


class TitleIndex:
    """Finds items by item id or title.

    The first of these rules that matches is used:

    1. the item id, even if it looks like a title: ``"1984"``;
    2. the title, ignoring case and Unicode normalization;
    3. the title without accents: "Les Miserables";
    4. the catalog's title without a suffix in brackets: "The Hunger Games" for "The Hunger
       Games (The Hunger Games, #1)";
    5. a similar title (`MIN_SIMILARITY`) that contains the same numbers, because volume 2 is not
       a misspelling of volume 3.

    Args:
        items: The catalog. Items without a title are found by their id only.

    Example:
        >>> index = TitleIndex(
        ...     [
        ...         Item(id=1, item_id="b1", title="Les Misérables"),
        ...         Item(id=2, item_id="b2", title="The Hobbit (Middle-earth, #1)"),
        ...     ]
        ... )
        >>> index.resolve("les miserables").item.item_id
        'b1'
        >>> index.resolve("The Hobit").item.item_id
        'b2'
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    @functools.cached_property
    def _ids(self) -> HashIndex:
        items = self._items
        ids = items.list_item_ids() if isinstance(items, CatalogItems) else None
        return HashIndex(ids or (item.item_id for item in items), len(items))

    @functools.cached_property
    def _titles(self) -> tuple[HashIndex, ...]:
        """One index for each of `_NORMAL_FORMS`; empty titles are in none."""
        hashes = np.zeros((len(_NORMAL_FORMS), len(self._items)), np.int64)
        for row, item in enumerate(self._items):
            title = _get_title(item)
            if title.strip():
                hashes[:, row] = [hash(normalize(title)) for normalize in _NORMAL_FORMS]
        return tuple(HashIndex.from_hashes(form_hashes) for form_hashes in hashes)

    def _find_title(self, number: int, title: str) -> list[Item]:
        """Finds the items whose title has this normal form, the `number`-th of `_NORMAL_FORMS`."""
        normalize = _NORMAL_FORMS[number]
        items = (self._items[row] for row in self._titles[number].find(title))
        return [item for item in items if item.title and normalize(_get_title(item)) == title != ""]

    def resolve(self, name: str | int) -> Match:
        """Finds the item with an id or a title.

        Args:
            name: Your own item id, or a title; a number is always an id.

        Returns:
            The item and its match score.

        Raises:
            UserError: No title is similar enough, or several are equally similar; the message
                lists the closest titles with their ids.
        """
        if not isinstance(name, str):
            item = self._find_id(str(name))
            if item is None:
                raise UserError(
                    f"no book has the id {name}", hint="Give an item id of the catalog."
                )
            return Match(item, 100.0)
        item = self._find_id(name) or self._find_id(name.strip())
        if item:
            return Match(item, 100.0)
        if not name.strip():
            raise UserError("the name of a book is empty", hint="Give an item id or a title.")
        if len(name) > MAX_LENGTH:
            raise UserError(
                f"the name of a book has {len(name):,} characters, at most {MAX_LENGTH} are read: "
                f"{name[:40]!r}...",
                hint="Give an item id or a title.",
            )
        # Brackets are removed from the catalog's titles but not from the name: "Naruto (Vol. 3)"
        # does not mean "Naruto (Vol. 1)".
        plain_name = _strip_accents(name)
        for number, title in enumerate((_fold_case(name), plain_name, plain_name)):
            items = self._find_title(number, title)
            if len(items) == 1:
                return Match(items[0], 100.0)
            if items:
                raise _make_ambiguous_error(name, items)
        return self._match_fuzzily(name, plain_name)

    def _find_id(self, item_id: str) -> Item | None:
        items = (self._items[row] for row in self._ids.find(item_id))
        return next((item for item in items if item.item_id == item_id), None)

    def _match_fuzzily(self, name: str, query: str) -> Match:
        normalize = _strip_accents if "(" in query else _strip_brackets
        # rapidfuzz passes over None.
        titles = [
            normalize(title) if title.strip() else None for title in map(_get_title, self._items)
        ]
        closest = process.extract(query, titles, scorer=fuzz.WRatio, limit=NUM_SUGGESTIONS)
        matches = [
            Match(self._items[row], score)
            for title, score, row in closest
            if score >= MIN_SIMILARITY and _extract_numbers(title) == _extract_numbers(query)
        ]
        if not matches:
            raise _make_unknown_error(name, [self._items[row] for _, _, row in closest])
        if len(matches) > 1 and matches[0].score - matches[1].score < MIN_MARGIN:
            raise _make_ambiguous_error(name, [match.item for match in matches])
        return matches[0]


def _get_title(item: Item) -> str:
    """Returns the part of a title that is compared."""
    return (item.title or "")[:MAX_LENGTH]


def _fold_case(title: str) -> str:
    """Normalizes Unicode form, case and white space."""
    if title.isascii():
        return " ".join(title.lower().split())
    folded_title = unicodedata.normalize("NFKC", title).casefold()
    # Case folding can break the normal form: normalize again.
    return " ".join(unicodedata.normalize("NFKC", folded_title).split())


def _strip_accents(title: str) -> str:
    """Removes accents from a title, after `_fold_case`."""
    if title.isascii():
        return _fold_case(title)
    characters = unicodedata.normalize("NFKD", _fold_case(title))
    return "".join(char for char in characters if unicodedata.category(char) != "Mn")


def _strip_brackets(title: str) -> str:
    """Removes a suffix in brackets from a title, after `_strip_accents`."""
    plain = _strip_accents(title)
    # Library catalogs separate title and author by " /".
    return re.sub(r"\s*\([^()]*\)$", "", plain).rstrip(" /") or plain


_NORMAL_FORMS = (_fold_case, _strip_accents, _strip_brackets)
"""Forms in which titles are compared, strictest first."""


class HashIndex:
    """Finds the rows of a text by its hash: 12 bytes for each row instead of the texts.

    Args:
        texts: A text for each row.
        count: Number of rows.

    Example:
        >>> HashIndex(["a", "b", "a"], 3).find("a").tolist()
        [0, 2]
    """

    def __init__(self, texts: Iterable[str], count: int) -> None:
        self._sort(np.fromiter((hash(text) for text in texts), np.int64, count))

    @classmethod
    def from_hashes(cls, hashes: np.ndarray) -> HashIndex:
        """Makes an index of the hashes of the texts, int64."""
        index = cls.__new__(cls)
        index._sort(hashes)
        return index

    def _sort(self, hashes: np.ndarray) -> None:
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._rows = hashes[order], order.astype(np.int32)

    def find(self, text: str) -> np.ndarray:
        """Finds the rows that may have the text, int32: those with the same hash."""
        key = hash(text)
        begin, end = np.searchsorted(self._hashes, [key, key + 1])
        return self._rows[begin:end]


def _extract_numbers(title: str) -> list[str]:
    return re.findall(r"\d+", title)


def _format_items(items: Sequence[Item]) -> str:
    # One line each, also if an id has line breaks.
    lines = [" ".join(f"{item.item_id}: {item.label}".split()) for item in items[:NUM_SUGGESTIONS]]
    return "\n".join(f"    {line}" for line in lines)


def _make_ambiguous_error(name: str, items: list[Item]) -> UserError:
    return UserError(
        f"{name!r} could be several books",
        hint=f"Give the id of one of them:\n{_format_items(items)}",
    )


def _make_unknown_error(name: str, closest: list[Item]) -> UserError:
    if not closest:
        return UserError(
            f"no book has the id {name!r}",
            hint="This catalog has no titles. Give item ids.",
        )
    return UserError(
        f"no book is called {name!r}",
        hint=f"Give an item id, or one of the closest titles:\n{_format_items(closest)}",
    )
