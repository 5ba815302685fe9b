"""From what a person types to a book: an id, a title, or nearly a title."""

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
"""Least rapidfuzz WRatio (0..100) at which a misspelt title counts as found.

WRatio gives a text that merely contains the other at most 90. Above that, one title must be
nearly the other, so that "Fire" is never taken for every longer name with that word in it. A
wrong book would spoil the recommendations unseen; a refusal lists the closest titles instead.
"""

MIN_MARGIN = 2.0
"""The best fuzzy match must be this many points better than the next one."""

NUM_SUGGESTIONS = 5
"""Titles that a refusal lists."""


@dataclass(frozen=True)
class Match:
    """A book and how well its name fitted.

    Attributes:
        book: The book.
        score: 100 for the id, or for the title but for case, accents and an ending in brackets;
            else rapidfuzz's WRatio, at least `CUT_OFF`.
    """

    item: Item
    score: float


class TitleIndex:
    """Finds books by the caller's own id or by title.

    The first of these that fits decides:

    1. the id, also where it looks like a title: ``"1984"``;
    2. the title without regard to case and Unicode form;
    3. the title without accents: "Les Miserables";
    4. the catalogue's title without an ending in brackets: "The Hunger Games" for "The Hunger
       Games (The Hunger Games, #1)";
    5. a title that is nearly the same (`CUT_OFF`) and has the same numbers in it, for volume 2
       is no misspelling of volume 3.

    Args:
        books: The catalogue. A book without a title is found by its id only.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self._by_id = {item.item_id: item for item in items}
        self._items_with_title = [item for item in items if item.title and item.title.strip()]
        self._by_folded_title = _group(self._items_with_title, _fold_case)
        self._by_plain_title = _group(self._items_with_title, _strip_accents)
        self._by_bare_title = _group(self._items_with_title, _strip_brackets)
        self._bare_titles = [_strip_brackets(item.title or "") for item in self._items_with_title]
        self._plain_titles = [_strip_accents(item.title or "") for item in self._items_with_title]

    def resolve(self, name: str | int) -> Match:
        """The book that `name` means.

        Args:
            name: The caller's own item id, or a title; a number is always an id.

        Raises:
            UserError: Nothing is close enough, or several books are equally close; the message
                lists the closest titles with their ids.
        """
        if not isinstance(name, str):
            if str(name) not in self._by_id:
                raise UserError(
                    f"no book has the id {name}", hint="Give an item id of the catalogue."
                )
            return Match(self._by_id[str(name)], 100.0)
        item = self._by_id.get(name) or self._by_id.get(name.strip())
        if item:
            return Match(item, 100.0)
        if not name.strip():
            raise UserError("the name of a book is empty", hint="Give an item id or a title.")
        # The brackets of the catalogue are left out, not those of the caller: who types
        # "Naruto (Vol. 3)" does not mean "Naruto (Vol. 1)".
        whole = _strip_accents(name)
        for titles, form in (
            (self._by_folded_title, _fold_case(name)),
            (self._by_plain_title, whole),
            (self._by_bare_title, whole),
        ):
            found = titles.get(form, [])
            if len(found) == 1:
                return Match(found[0], 100.0)
            if found:
                raise _make_ambiguous_error(name, found)
        return self._match_fuzzily(name, whole)

    def _match_fuzzily(self, name: str, query: str) -> Match:
        titles = self._plain_titles if "(" in query else self._bare_titles
        closest = process.extract(query, titles, scorer=fuzz.WRatio, limit=NUM_SUGGESTIONS)
        found = [
            (self._items_with_title[row], score)
            for title, score, row in closest
            if score >= MIN_SIMILARITY and _extract_numbers(title) == _extract_numbers(query)
        ]
        if not found:
            raise _make_unknown_error(name, [self._items_with_title[row] for _, _, row in closest])
        best, score = found[0]
        if len(found) > 1 and score - found[1][1] < MIN_MARGIN:
            raise _make_ambiguous_error(name, [item for item, _ in found])
        return Match(best, score)


def _group(items: list[Item], form: Callable[[str], str]) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[form(item.title or "")].append(item)
    return dict(groups)


def _fold_case(title: str) -> str:
    folded = unicodedata.normalize("NFKC", title).casefold()
    # Folding can undo the normal form, so it is restored.
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _strip_accents(title: str) -> str:
    parts = unicodedata.normalize("NFKD", _fold_case(title))
    return "".join(character for character in parts if unicodedata.category(character) != "Mn")


def _strip_brackets(title: str) -> str:
    plain = _strip_accents(title)
    # Library catalogues end a title with " /" before the author's name.
    return re.sub(r"\s*\([^()]*\)$", "", plain).rstrip(" /") or plain


def _extract_numbers(title: str) -> list[str]:
    return re.findall(r"\d+", title)


def _format_items(items: Sequence[Item]) -> str:
    return "\n".join(f"    {item.item_id}: {item.label}" for item in items[:NUM_SUGGESTIONS])


def _make_ambiguous_error(name: str, items: list[Item]) -> UserError:
    return UserError(
        f"{name!r} could be several books",
        hint=f"Give the id of the one that is meant:\n{_format_items(items)}",
    )


def _make_unknown_error(name: str, closest: list[Item]) -> UserError:
    if not closest:
        return UserError(
            f"no book has the id {name!r}",
            hint="This catalogue has no titles: give item ids.",
        )
    return UserError(
        f"no book is called {name!r}",
        hint=f"Give an item id, or one of the closest titles:\n{_format_items(closest)}",
    )
