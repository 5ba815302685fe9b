"""Finds the item that a person means by an id, a title, or a misspelt title."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from kd_tf.errors import UserError
from kd_tf.runtime.bundle import Item

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
        self._by_id = {item.item_id: item for item in items}
        self._items_with_title = [item for item in items if item.title and item.title.strip()]
        self._by_folded_title = _group(self._items_with_title, _fold_case)
        self._by_plain_title = _group(self._items_with_title, _strip_accents)
        self._by_bare_title = _group(self._items_with_title, _strip_brackets)
        self._bare_titles = [_strip_brackets(_get_title(item)) for item in self._items_with_title]
        self._plain_titles = [_strip_accents(_get_title(item)) for item in self._items_with_title]

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
            if str(name) not in self._by_id:
                raise UserError(
                    f"no book has the id {name}", hint="Give an item id of the catalog."
                )
            return Match(self._by_id[str(name)], 100.0)
        item = self._by_id.get(name) or self._by_id.get(name.strip())
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
        for items_by_title, title in (
            (self._by_folded_title, _fold_case(name)),
            (self._by_plain_title, plain_name),
            (self._by_bare_title, plain_name),
        ):
            items = items_by_title.get(title, [])
            if len(items) == 1:
                return Match(items[0], 100.0)
            if items:
                raise _make_ambiguous_error(name, items)
        return self._match_fuzzily(name, plain_name)

    def _match_fuzzily(self, name: str, query: str) -> Match:
        titles = self._plain_titles if "(" in query else self._bare_titles
        closest = process.extract(query, titles, scorer=fuzz.WRatio, limit=NUM_SUGGESTIONS)
        matches = [
            Match(self._items_with_title[row], score)
            for title, score, row in closest
            if score >= MIN_SIMILARITY and _extract_numbers(title) == _extract_numbers(query)
        ]
        if not matches:
            raise _make_unknown_error(name, [self._items_with_title[row] for _, _, row in closest])
        if len(matches) > 1 and matches[0].score - matches[1].score < MIN_MARGIN:
            raise _make_ambiguous_error(name, [match.item for match in matches])
        return matches[0]


def _group(items: list[Item], normalize: Callable[[str], str]) -> dict[str, list[Item]]:
    """Groups items by their normalized title."""
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[normalize(_get_title(item))].append(item)
    return dict(groups)


def _get_title(item: Item) -> str:
    """Returns the part of a title that is compared."""
    return (item.title or "")[:MAX_LENGTH]


def _fold_case(title: str) -> str:
    """Normalizes Unicode form, case and white space."""
    folded_title = unicodedata.normalize("NFKC", title).casefold()
    # Case folding can break the normal form: normalize again.
    return " ".join(unicodedata.normalize("NFKC", folded_title).split())


def _strip_accents(title: str) -> str:
    """Removes accents from a title, after `_fold_case`."""
    characters = unicodedata.normalize("NFKD", _fold_case(title))
    return "".join(char for char in characters if unicodedata.category(char) != "Mn")


def _strip_brackets(title: str) -> str:
    """Removes a suffix in brackets from a title, after `_strip_accents`."""
    plain = _strip_accents(title)
    # Library catalogs separate title and author by " /".
    return re.sub(r"\s*\([^()]*\)$", "", plain).rstrip(" /") or plain


def _extract_numbers(title: str) -> list[str]:
    return re.findall(r"\d+", title)


def _format_items(items: Sequence[Item]) -> str:
    return "\n".join(f"    {item.item_id}: {item.label}" for item in items[:NUM_SUGGESTIONS])


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
