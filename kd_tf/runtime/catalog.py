"""The catalog of a bundle: a million items are checked when it is opened, and parsed when needed.

Only the file and the place of each line stay in memory: an item is 100 bytes of JSON, but 1,000 as
Python objects.
"""

from __future__ import annotations

import dataclasses
import json
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from kd_tf.errors import UserError

CATALOG_VERSION = 1

ROWS_PER_CHUNK = 4096
"""Number of lines that are parsed at once."""

_HEADER = f'{{"version": {CATALOG_VERSION}, "books": [\n'.encode()
_FOOTER = b"\n]}\n"
_ITEM_ID = re.compile(rb'"item_id":"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Item:
    """An item of the catalog.

    Attributes:
        id: Model id, 1..V.
        item_id: The id in your own data.
        title, authors, series, genre, year, text, cover: Metadata; None if unknown.
        isbn: ISBN as 13 digits without hyphens; None if unknown.
        words: What it is about, for the reasons of a recommendation: words in lower case with
            blanks between them, strongest first; None if unknown.
        new: Whether nobody in the training data had read it.

    Example:
        >>> Item(id=1, item_id="b7", title="The Hobbit", authors="J. R. R. Tolkien").label
        'The Hobbit (J. R. R. Tolkien)'
    """

    id: int
    item_id: str
    title: str | None = None
    authors: str | None = None
    series: str | None = None
    genre: str | None = None
    year: int | None = None
    text: str | None = None
    cover: str | None = None
    isbn: str | None = None
    words: str | None = None
    new: bool = False

    @property
    def label(self) -> str:
        """Title and authors in one line, for display; the item id if there is no title."""
        title = (self.title or "").strip() or f"book {self.item_id}"
        return " ".join((f"{title} ({self.authors})" if self.authors else title).split())


MAX_WORDS_LENGTH = 1000
"""Number of characters that the words of an item may have."""

_TYPES: dict[str, type] = {
    **{field.name: str for field in dataclasses.fields(Item)},
    **{"id": int, "year": int, "new": bool},
}


class CatalogItems(Sequence[Item]):
    """The items of a catalog in the order of their model ids, parsed when they are asked for.

    Args:
        content: catalog.json as `encode_catalog` writes it, one item in a line.
        starts: Position of each line, and of the end of the last one.
        where: Path of the file, for error messages.
    """

    def __init__(self, content: bytes, starts: array[int], where: str) -> None:
        self._content, self._starts, self._where = content, starts, where

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        line = self._content[self._starts[position] : self._starts[position + 1]]
        return _make_item(parse_json(line.rstrip(b",\n"), self._where), position + 1, self._where)

    def __iter__(self) -> Iterator[Item]:
        for first in range(0, len(self), ROWS_PER_CHUNK):
            for number, row in enumerate(self._parse_rows(first), start=first + 1):
                yield _make_item(row, number, self._where)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def list_item_ids(self) -> list[str]:
        """Lists the item ids in the order of the model ids, without parsing the other fields."""
        item_ids = [
            json.loads(match[0][len('"item_id":') :]) if b"\\" in match[1] else match[1].decode()
            for match in _ITEM_ID.finditer(self._content)
        ]
        # Lines with blanks, as other programs write them, are parsed.
        return item_ids if len(item_ids) == len(self) else [item.item_id for item in self]

    def _parse_rows(self, first: int) -> list[Any]:
        """Parses the lines of a chunk at once."""
        last = min(first + ROWS_PER_CHUNK, len(self))
        chunk = self._content[self._starts[first] : self._starts[last]].rstrip(b",\n")
        rows = parse_json(b"[" + chunk + b"]", self._where)
        if len(rows) != last - first:
            raise make_damaged_error(
                f"items {first + 1} to {last} are not one in a line", self._where
            )
        return list(rows)

    def check(self) -> None:
        """Checks all items.

        Raises:
            UserError: A row is not an item, or two have the same item_id.
        """
        hashes = set()
        for first in range(0, len(self), ROWS_PER_CHUNK):
            for number, row in enumerate(self._parse_rows(first), start=first + 1):
                _check_row(row, number, self._where)
                hashes.add(hash(row["item_id"]))
        # Equal ids have equal hashes; the other way round it is too rare to keep all ids for it.
        if len(hashes) < len(self) and len(set(self.list_item_ids())) < len(self):
            raise make_damaged_error("two items have the same item_id", self._where)


def parse_catalog(content: bytes, num_items: int, where: str) -> CatalogItems:
    """Checks catalog.json and makes its items available.

    Args:
        content: The file.
        num_items: Number of items that config.json says.
        where: Path of the file, for error messages.

    Raises:
        UserError: The file is damaged, has another version, or another number of items.
    """
    starts = _find_lines(content, num_items)
    if starts is None:
        rows = _parse_any_layout(content, num_items, where)
        # ASCII, as JSON may escape half a character that UTF-8 does not have.
        content = encode_catalog(rows, ensure_ascii=True).encode("ascii")
        starts = _find_lines(content, num_items)
        assert starts is not None
    items = CatalogItems(content, starts, where)
    items.check()
    return items


def _find_lines(content: bytes, num_items: int) -> array[int] | None:
    """Finds the lines of the items; None if the file is not laid out in lines of its own."""
    if not (content.startswith(_HEADER) and content.endswith(_FOOTER)) or num_items < 1:
        return None
    starts = array("Q", [len(_HEADER)])
    end = len(content) - len(_FOOTER) + 1
    while starts[-1] < end and len(starts) <= num_items:
        starts.append(content.find(b"\n", starts[-1]) + 1)
    return starts if len(starts) == num_items + 1 and starts[-1] == end else None


def _parse_any_layout(content: bytes, num_items: int, where: str) -> list[Any]:
    """Parses a catalog of any layout."""
    document = parse_json(content, where)
    if not isinstance(document, dict) or not isinstance(document.get("books"), list):
        raise make_damaged_error("it must hold an object with a list of books", where)
    if document.get("version") != CATALOG_VERSION:
        raise UserError(
            f"the catalog has version {document.get('version')!r}, "
            f"this kd_tf reads version {CATALOG_VERSION}",
            where=where,
            hint="Export the bundle again with this version of kd_tf, or install the version "
            "that wrote it.",
        )
    rows: list[Any] = document["books"]
    if len(rows) != num_items:
        raise make_damaged_error(f"it has {len(rows)} items, config.json says {num_items}", where)
    return rows


def _check_row(row: Any, number: int, where: str) -> None:
    """Checks that a row of the catalog is the item with the id `number`."""
    if not isinstance(row, dict) or row.get("id") != number:
        raise make_damaged_error(f"item {number} must be an object with the id {number}", where)
    if not row.get("item_id"):
        raise make_damaged_error(f"item {number} has no item_id", where)
    for name, value in row.items():
        if value is not None and name in _TYPES and type(value) is not _TYPES[name]:
            raise make_damaged_error(f"item {number}: {name} cannot be {value!r}", where)
    if len(row.get("words") or "") > MAX_WORDS_LENGTH:
        raise make_damaged_error(
            f"item {number}: words cannot have more than {MAX_WORDS_LENGTH:,} characters", where
        )


def _make_item(row: Any, number: int, where: str) -> Item:
    """Converts a row to an item."""
    _check_row(row, number, where)
    return Item(
        **{name: value for name, value in row.items() if name in _TYPES and value is not None}
    )


def make_catalog_row(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Returns the catalog row of the item with the id `number`, without empty values."""
    names = [field.name for field in dataclasses.fields(Item)]
    unknown = [name for name in row if name not in names]
    if unknown:
        raise ValueError(f"unknown fields in the catalog: {unknown}; an item has {names}")
    if row.get("id", number) != number:
        raise ValueError(f"item {number} of the catalog has the id {row['id']}")
    if not row.get("item_id"):
        raise ValueError(f"item {number} of the catalog has no item_id")
    values = {"id": number, **row}
    values = {name: value for name, value in values.items() if value is not None}
    if values.get("new") is False:
        del values["new"]
    return {name: values[name] for name in names if name in values}


def encode_catalog(rows: list[dict[str, Any]], *, ensure_ascii: bool = False) -> str:
    """Encodes catalog.json."""
    # One item per line: compact, and a line-based diff still works.
    lines = (
        json.dumps(row, ensure_ascii=ensure_ascii, allow_nan=False, separators=(",", ":"))
        for row in rows
    )
    return _HEADER.decode() + ",\n".join(lines) + _FOOTER.decode()


def parse_json(content: bytes, where: str) -> Any:
    """Parses strict JSON in UTF-8; raises a UserError that names the file."""
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # bad UTF-8 is a ValueError as well
        raise make_damaged_error(f"it is not valid JSON: {error}", where) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def make_damaged_error(what: str, where: str) -> UserError:
    """Makes the error about a file that is not what kd_tf writes."""
    return UserError(
        f"the file is damaged: {what}", where=where, hint="Copy or export the bundle again."
    )
