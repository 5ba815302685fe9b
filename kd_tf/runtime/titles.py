"""Finds the item that a person means by an id, a title, or a misspelt title."""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from kd_tf.errors import UserError
from kd_tf.runtime.catalog import CatalogItems, Item
from kd_tf.runtime.misspelling import Vocabulary, count_allowed_slips, count_slips
from kd_tf.runtime.title_forms import (
    MAX_LENGTH,
    TitleForms,
    clean,
    fold_case,
    get_article,
    simplify,
    strip_articles,
)

NUM_SUGGESTIONS = 5
"""Number of titles that an error message lists."""

MAX_LABEL_PARTS = 8
"""Number of brackets or colons at which a name is taken apart as a label. It bounds the time that
a name of many brackets takes; a longer label is shown as the item's id."""

MIN_WORDS_WITH_ANY_ARTICLE = 3
"""Words, without articles, of a title that may be named with another article: "The Tale of Two
Cities". Of shorter ones it may be left out only: "The One" is not "One"."""

MAX_CANDIDATES = 50
"""Number of titles that are compared word by word with a misspelt one."""

_NORMALIZERS: dict[str, Callable[[str], str]] = {"folded_text": fold_case, "simple": simplify}
"""How the forms of `TitleForms` are computed in which a label is compared, strictest first."""


class NearTitleWarning(UserWarning):
    """A name is not the title of a book in the catalog, but a near one was taken.

    Example:
        >>> import warnings
        >>> warnings.simplefilter("error", NearTitleWarning)  # refuses all near titles
    """


@dataclass(frozen=True)
class Match:
    """An item and how a name matched it.

    Attributes:
        item: The item.
        name: The name that was looked for.
        is_exact: Whether the name is the item's id, its title or its label, but for case, accents,
            punctuation and a suffix in brackets. Otherwise it differs by an article, by the
            subtitle or by a slip of the fingers.
    """

    item: Item
    name: str
    is_exact: bool

    @property
    def note(self) -> str:
        """What to tell the person who gave the name, if the match is not exact."""
        return f"{self.name!r} is taken for {_shorten(_format_item(self.item))}"


class TitleIndex:
    """Finds items by item id or title.

    The first of these rules that matches is used:

    1. the item id, even if it looks like a title: ``"1984"``;
    2. the title or the label (`Item.label`), ignoring case and Unicode normalization, or both as
       error messages list them: ``"b2: The Hobbit (J. R. R. Tolkien)"``;
    3. both without accents and punctuation: "Les Miserables";
    4. the catalog's title without a suffix in brackets: "The Hunger Games" for "The Hunger
       Games (The Hunger Games, #1)";
    5. the title without articles and a subtitle that says nothing of its own ("a novel"), or
       without a subtitle that begins with "a";
    6. a misspelt title (`kd_tf.runtime.misspelling`).

    Rules 5 and 6 give a match that is not exact. Everything else is refused with the closest
    titles, as another title spoils recommendations without notice.

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
        >>> index.resolve("The Hobit").note
        "'The Hobit' is taken for b2: The Hobbit (Middle-earth, #1)"
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def resolve(self, name: str | int) -> Match:
        """Finds the item with an id or a title.

        Args:
            name: Your own item id, or a title; a number is always an id.

        Returns:
            The item, and whether it has exactly this name.

        Raises:
            UserError: No title is near enough, or several are; the message lists the closest
                titles with their ids.
        """
        if not isinstance(name, str):
            item = self._find_id(str(name))
            if item is None:
                raise UserError(
                    f"no book has the id {name}", hint="Give an item id of the catalog."
                )
            return Match(item, str(name), is_exact=True)
        item = self._find_id(name) or self._find_id(name.strip())
        if item:
            return Match(item, name, is_exact=True)
        if not name.strip():
            raise UserError("the name of a book is empty", hint="Give an item id or a title.")
        for form in _NORMALIZERS:
            items = self._find_label(form, name)
            if items:
                return _make_match(name, items, is_exact=True)
        if len(name) > MAX_LENGTH:
            raise UserError(
                f"the name of a book has {len(name):,} characters, at most {MAX_LENGTH} are read: "
                f"{name[:40]!r}...",
                hint="Give an item id or a title.",
            )
        # Brackets are removed from the catalog's titles but not from the name: "Naruto (Vol. 3)"
        # does not mean "Naruto (Vol. 1)".
        items = self._find_title("bracketless", simplify(name))
        if items:
            return _make_match(name, items, is_exact=True)
        return self._find_near(name)

    def make_label(self, item: Item) -> str:
        """Makes a text for display that finds the item again.

        Args:
            item: An item of the catalog.

        Returns:
            The item's label. If other items have it too, the item's id and the label, or the id.

        Example:
            >>> items = [Item(1, "b1", title="Emma"), Item(2, "b2", title="Emma")]
            >>> TitleIndex(items).make_label(items[0])
            'b1: Emma'
        """
        for label in (clean(item.label), _format_item(item)):
            try:
                match = self.resolve(label)
            except UserError:
                continue
            if match.is_exact and match.item.id == item.id:
                return label
        return item.item_id

    @functools.cached_property
    def _ids(self) -> HashIndex:
        items = self._items
        ids = items.list_item_ids() if isinstance(items, CatalogItems) else None
        return HashIndex(ids or (item.item_id for item in items), len(items))

    @functools.cached_property
    def _folded_titles(self) -> HashIndex:
        return HashIndex(
            (fold_case(item.title) if item.title else "" for item in self._items), len(self._items)
        )

    @functools.cached_property
    def _loose_titles(self) -> dict[str, HashIndex]:
        """An index for each of the other forms of `TitleForms`, made in one pass."""
        names = TitleForms._fields[1:]
        hashes = np.zeros((len(names), len(self._items)), np.int64)
        for row, item in enumerate(self._items):
            if item.title:
                hashes[:, row] = [hash(form) for form in TitleForms.from_text(item.title)[1:]]
        return {
            name: HashIndex.from_hashes(form_hashes)
            for name, form_hashes in zip(names, hashes, strict=True)
        }

    def _find_id(self, item_id: str) -> Item | None:
        items = (self._items[row] for row in self._ids.find(item_id))
        return next((item for item in items if item.item_id == item_id), None)

    def _find_title(self, form: str, text: str) -> list[Item]:
        """Finds the items whose title has a text as a form, a field of `TitleForms`."""
        if not text:
            return []
        index = self._folded_titles if form == "folded_text" else self._loose_titles[form]
        items = (self._items[row] for row in index.find(text))
        return [
            item
            for item in items
            if item.title and getattr(TitleForms.from_text(item.title), form) == text
        ]

    def _find_label(self, form: str, name: str) -> list[Item]:
        """Finds the items whose title or label is the name, both folded or simple."""
        name = clean(name)
        candidates = {
            (item.id, label): item for item, label in self._list_label_candidates(form, name)
        }
        items = {
            item.id: item
            for (_, label), item in candidates.items()
            if _is_equal(_NORMALIZERS[form], name, clean(label))
        }
        return list(items.values())

    def _list_label_candidates(self, form: str, name: str) -> Iterator[tuple[Item, str]]:
        """Lists the items that the name may be a label of, each with that label."""
        normalize = _NORMALIZERS[form]
        for item in self._find_title(form, normalize(name)):
            yield item, item.title or ""
        brackets = [match.start() for match in re.finditer(r" \(", name)]
        for end in [*brackets[-MAX_LABEL_PARTS:], len(name)]:
            title = name[:end]
            item_by_id = self._find_id(re.sub("^book ", "", title, flags=re.IGNORECASE))
            items = self._find_title(form, normalize(title))
            for item in [*items, item_by_id] if item_by_id else items:
                yield item, item.label
        for colon in [*re.finditer(":( |$)", name)][:MAX_LABEL_PARTS]:
            item_by_id = self._find_id(name[: colon.start()])
            if item_by_id:
                yield item_by_id, _format_item(item_by_id)

    def _find_near(self, name: str) -> Match:
        """Finds the item whose title differs only by articles, a subtitle or a slip."""
        query, main = strip_articles(name), TitleForms.from_text(name).main
        items = _filter_by_article(
            name,
            query,
            [
                *self._find_title("bare", query),
                *self._find_title("main", query),
                *self._find_title("bare", main),
            ],
        )
        if items:
            return _make_match(name, items, is_exact=False)
        return self._find_misspelt(name, query)

    def _find_misspelt(self, name: str, query: str) -> Match:
        # rapidfuzz passes over None.
        titles = [
            TitleForms.from_text(item.title).bare or None if item.title else None
            for item in self._items
        ]
        vocabulary = Vocabulary(title for title in titles if title)
        words = query.split()
        candidates = process.extract(
            query,
            titles,
            scorer=OSA.distance,
            score_cutoff=count_allowed_slips(words),
            limit=MAX_CANDIDATES,
        )
        slips: dict[int, list[Item]] = collections.defaultdict(list)
        for title, _, row in candidates:
            count = count_slips(words, title.split(), vocabulary)
            if count is not None:
                slips[count].append(self._items[row])
        if slips:
            items = _filter_by_article(name, query, slips[min(slips)])
            if items:
                return _make_match(name, items, is_exact=False)
        closest = process.extract(query, titles, scorer=fuzz.WRatio, limit=NUM_SUGGESTIONS)
        # Titles of nearly the same letters first: WRatio prefers any that contain the words.
        rows = dict.fromkeys(row for _, _, row in [*candidates, *closest])
        raise _make_unknown_error(name, [self._items[row] for row in rows])


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


def _filter_by_article(name: str, query: str, items: Iterable[Item]) -> list[Item]:
    """Leaves out items of a short title whose article is another one than that of the name."""
    article = get_article(name)
    return list(
        {
            item.id: item
            for item in items
            if len(query.split()) >= MIN_WORDS_WITH_ANY_ARTICLE
            or article in ("", get_article(item.title or ""))
        }.values()
    )


def _is_equal(normalize: Callable[[str], str], name: str, label: str) -> bool:
    """Says whether a name is a label; forms hold the beginning of long ones only."""
    if len(name) > MAX_LENGTH or len(label) > MAX_LENGTH:
        return name == label
    return normalize(name) == normalize(label) != ""


def _format_item(item: Item) -> str:
    return clean(f"{item.item_id}: {item.label}")


def _shorten(text: str) -> str:
    """Cuts off a long text so that it can be seen."""
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}..."


def _format_items(items: Sequence[Item]) -> str:
    return "\n".join(f"    {_shorten(_format_item(item))}" for item in items[:NUM_SUGGESTIONS])


def _make_match(name: str, items: list[Item], *, is_exact: bool) -> Match:
    if len(items) > 1:
        raise UserError(
            f"{_shorten(name)!r} could be several books",
            hint=f"Give the id of one of them:\n{_format_items(items)}",
        )
    return Match(items[0], name, is_exact)


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
