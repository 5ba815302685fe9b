"""The bundle: the folder that an app takes. This file alone knows its format.

A bundle is flat::

    model.tflite    the student with all its signatures
    catalog.json    {"version": 1, "books": [{"id": 1, "item_id": "...", "title": "..."}, ...]}
    config.json     sizes, measurements and the SHA-256 of every file; see `BundleConfig`
    MODEL_CARD.md   what the model is, for people
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kd_tf import atomic
from kd_tf.errors import UserError

CONTRACT_VERSION = 1
CONFIG_HASH_KEY = "config_sha256"
"""The key of config.json whose value is the SHA-256 of config.json itself, worked out with 64 zeros
in its place: so that no bit of the bundle can change unseen."""

CATALOG_VERSION = 1
MODEL_FILE = "model.tflite"
CATALOG_FILE = "catalog.json"
CONFIG_FILE = "config.json"
MODEL_CARD_FILE = "MODEL_CARD.md"


@dataclass(frozen=True)
class Item:
    """One row of the catalogue.

    Attributes:
        id: The model's id, 1..V.
        item_id: The caller's own id.
        title, authors, series, genre, year, text, cover: What is known of the book, else None.
        isbn: Its 13 digits without hyphens, else None.
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

    @property
    def label(self) -> str:
        """How a person knows the book: title and authors, or its id."""
        title = self.title or f"book {self.item_id}"
        return f"{title} ({self.authors})" if self.authors else title


@dataclass(frozen=True)
class BundleConfig:
    """What config.json holds, key by key.

    Attributes:
        name: What people call the model.
        books: V, ids 1..V are books.
        history_length: L.
        recommendations: K.
        candidates: C, how many books ``score`` takes at once.
        signatures: Names of the model's signatures.
        min_runtime_version: The least TensorFlow Lite version that runs every operator.
        quantization: For example ``int8`` or ``float32``.
        metrics: The figures that the model was shipped with, by name.
        dataset: What it was trained on: name, users, items, ...
        sha256: SHA-256 in hexadecimal by file name; `write_bundle` fills it in.
        contract_version: Of the signatures; a reader refuses every other than its own.
    """

    name: str
    num_items: int
    max_length: int
    recommendations: int
    candidates: int
    signatures: tuple[str, ...]
    min_runtime_version: str
    quantization: str
    metrics: Mapping[str, float]
    dataset: Mapping[str, Any]
    sha256: Mapping[str, str] = field(default_factory=dict)
    contract_version: int = CONTRACT_VERSION

    def to_json(self) -> dict[str, Any]:
        """The content of config.json, contract version first."""
        values = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return {
            "contract_version": values.pop("contract_version"),
            **values,
            "signatures": list(self.signatures),
            "metrics": dict(self.metrics),
            "dataset": dict(self.dataset),
            "sha256": dict(self.sha256),
        }

    @classmethod
    def from_json(cls, content: Any, where: str = CONFIG_FILE) -> BundleConfig:
        """Reads what `to_json` gave; keys that a later version added are left out.

        Raises:
            UserError: The contract version is not `CONTRACT_VERSION`, or a key is missing or has
                a value of another kind.
        """
        if not isinstance(content, dict):
            raise _make_damaged_error("it must hold one JSON object", where)
        # Before anything else: the other keys mean something only under a known version.
        version = content.get("contract_version")
        if type(version) is not int or version != CONTRACT_VERSION:
            raise UserError(
                f"the bundle has contract version {version!r}, "
                f"this kd_tf reads version {CONTRACT_VERSION}",
                where=where,
                hint="Export the bundle again with this kd_tf, or install the kd_tf that made it.",
            )

        def take(key: str, kind: type, meaning: str) -> Any:
            if type(content.get(key)) is not kind:
                raise _make_damaged_error(
                    f"{key} must be {meaning}, not {content.get(key)!r}", where
                )
            return content[key]

        def take_size(key: str) -> int:
            if take(key, int, "a whole number") < 1:
                raise _make_damaged_error(f"{key} must be at least 1, not {content[key]}", where)
            return int(content[key])

        signatures = take("signatures", list, "a list of names")
        hashes = take("sha256", dict, "an object of file: hash")
        if not all(isinstance(one, str) for one in signatures):
            raise _make_damaged_error(
                f"signatures must be a list of names, not {signatures!r}", where
            )
        if not all(isinstance(one, str) for one in hashes.values()):
            raise _make_damaged_error("sha256 must be an object of file: hash", where)
        return cls(
            name=take("name", str, "a text"),
            num_items=take_size("books"),
            max_length=take_size("history_length"),
            recommendations=take_size("recommendations"),
            candidates=take_size("candidates"),
            signatures=tuple(signatures),
            min_runtime_version=take("min_runtime_version", str, "a text"),
            quantization=take("quantization", str, "a text"),
            metrics=take("metrics", dict, "an object of name: figure"),
            dataset=take("dataset", dict, "an object"),
            sha256=hashes,
        )


@dataclass(frozen=True)
class Bundle:
    """An opened bundle, every file of it checked.

    Attributes:
        folder: Where it lies.
        config: The content of config.json.
        books: The catalogue; the book with model id ``i`` is ``books[i - 1]``.
    """

    folder: Path
    config: BundleConfig
    items: list[Item]

    @classmethod
    def open(cls, folder: str | Path) -> Bundle:
        """Reads a bundle and checks the contract version, every hash, and the catalogue.

        Raises:
            UserError: Something is missing, was changed after the bundle was written, is of
                another version, or points out of the folder.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(
                "there is no such folder", where=str(folder), hint="Give the folder of a bundle."
            )
        where = str(folder / CONFIG_FILE)
        written = _read_file(folder, CONFIG_FILE)
        content = _parse_json(written, where)
        config = BundleConfig.from_json(content, where)
        _check_own_hash(written, content.get(CONFIG_HASH_KEY), where)
        for name in (MODEL_FILE, CATALOG_FILE):
            if name not in config.sha256:
                raise _make_damaged_error(f"sha256 does not list {name}", where)
        for name, expected in config.sha256.items():
            _check_hash(folder, name, expected)
        return cls(folder, config, _read_catalog(folder, config.num_items))

    @property
    def model_path(self) -> Path:
        """The .tflite file."""
        return self.folder / MODEL_FILE


def write_bundle(
    folder: Path,
    *,
    model: bytes,
    catalog: Iterable[Mapping[str, Any]],
    config: BundleConfig,
    model_card: str,
) -> Bundle:
    """Writes a bundle in one step: a killed run leaves the folder as it was before.

    Args:
        folder: Replaced when it is there.
        model: The content of the .tflite file.
        catalog: A row a book in id order, with any of the columns of `Book`; values of None are
            left out. An ``id`` need not be given.
        config: Its hashes are computed here.
        model_card: Markdown.

    Returns:
        The bundle, opened and checked.

    Raises:
        UserError: The disk is full or the folder cannot be written.
        ValueError: The catalogue does not fit the config, has an unknown column or a wrong id,
            or a figure is not finite.
    """
    rows = [_make_catalog_row(row, number) for number, row in enumerate(catalog, start=1)]
    if len(rows) != config.num_items:
        raise ValueError(f"the catalogue has {len(rows)} books, the config says {config.num_items}")
    files = {
        MODEL_FILE: model,
        CATALOG_FILE: _encode_catalog(rows).encode("utf-8"),
        MODEL_CARD_FILE: model_card.encode("utf-8"),
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    with atomic.replace_directory(folder) as unfinished:
        for name, content in files.items():
            atomic.write_bytes(unfinished / name, content)
        complete = dataclasses.replace(config, sha256=hashes).to_json()
        atomic.write_bytes(unfinished / CONFIG_FILE, encode_with_own_hash(complete))
        # A bundle that its own reader refuses must not take the place of a good one.
        bundle = Bundle.open(unfinished)
    return dataclasses.replace(bundle, folder=Path(folder))


def encode_with_own_hash(config: Mapping[str, Any]) -> bytes:
    """The content of config.json with its own hash under `OWN_HASH`."""
    open_ = {**config, CONFIG_HASH_KEY: _HASH_PLACEHOLDER.decode()}
    text = json.dumps(open_, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"
    return text.replace(_HASH_PLACEHOLDER, hashlib.sha256(text).hexdigest().encode())


_HASH_PLACEHOLDER = b"0" * 64


def _check_own_hash(written: bytes, own: Any, where: str) -> None:
    whole = isinstance(own, str) and own.isascii() and len(own) == len(_HASH_PLACEHOLDER)
    found = own.encode() if whole else b"none"
    opened = written.replace(found, _HASH_PLACEHOLDER)
    if written.count(found) != 1 or hashlib.sha256(opened).hexdigest().encode() != found:
        raise UserError(
            f"the file is not the one that was written: {CONFIG_HASH_KEY} is not its SHA-256",
            where=where,
            hint="The file was changed or damaged on the way: copy or export the bundle again.",
        )


def _make_catalog_row(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    known = [one.name for one in dataclasses.fields(Item)]
    unknown = [name for name in row if name not in known]
    if unknown:
        raise ValueError(f"a book has {known}, not {unknown}")
    if row.get("id", number) != number:
        raise ValueError(f"book {number} of the catalogue has the id {row['id']}")
    if not row.get("item_id"):
        raise ValueError(f"book {number} of the catalogue has no item_id")
    values = {"id": number, **row}
    return {name: values[name] for name in known if values.get(name) is not None}


def _encode_catalog(rows: list[dict[str, Any]]) -> str:
    # A book a line: compact, and two versions can still be compared line by line.
    lines = (
        json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")) for row in rows
    )
    return f'{{"version": {CATALOG_VERSION}, "books": [\n' + ",\n".join(lines) + "\n]}\n"


def _read_catalog(folder: Path, num_items: int) -> list[Item]:
    where = str(folder / CATALOG_FILE)
    content = _parse_json(_read_file(folder, CATALOG_FILE), where)
    if not isinstance(content, dict) or not isinstance(content.get("books"), list):
        raise _make_damaged_error("it must hold an object with a list of books", where)
    if content.get("version") != CATALOG_VERSION:
        raise UserError(
            f"the catalogue has version {content.get('version')!r}, "
            f"this kd_tf reads version {CATALOG_VERSION}",
            where=where,
            hint="Export the bundle again with this kd_tf, or install the kd_tf that made it.",
        )
    rows = content["books"]
    if len(rows) != num_items:
        raise _make_damaged_error(
            f"it has {len(rows)} books, {CONFIG_FILE} says {num_items}", where
        )
    parsed = [_parse_item(row, number, where) for number, row in enumerate(rows, start=1)]
    if len({item.item_id for item in parsed}) != len(parsed):
        raise _make_damaged_error("two books have the same item_id", where)
    return parsed


def _parse_item(row: Any, number: int, where: str) -> Item:
    if not isinstance(row, dict) or row.get("id") != number:
        raise _make_damaged_error(f"book {number} must be an object with the id {number}", where)
    if not row.get("item_id"):
        raise _make_damaged_error(f"book {number} has no item_id", where)
    for one in dataclasses.fields(Item):
        kind = int if one.name in ("id", "year") else str
        if row.get(one.name) is not None and type(row[one.name]) is not kind:
            raise _make_damaged_error(
                f"book {number}: {one.name} cannot be {row[one.name]!r}", where
            )
    values: dict[str, Any] = {one.name: row.get(one.name) for one in dataclasses.fields(Item)}
    return Item(**values)


def _check_hash(folder: Path, name: str, expected: str) -> None:
    # A plain name on every system. What a link points to is held by the hash alone: caches of
    # downloaded models are folders of links.
    if name in ("", ".", "..") or any(character in name for character in "/\\:\0"):
        raise UserError(
            f"the bundle lists {name!r}, which is not the name of a file in its folder",
            where=str(folder / CONFIG_FILE),
            hint="Do not use this bundle; get it again from whoever made it.",
        )
    if hashlib.sha256(_read_file(folder, name)).hexdigest() != expected.lower():
        raise UserError(
            f"the file is not the one that the bundle was made with: its SHA-256 differs from "
            f"{CONFIG_FILE}",
            where=str(folder / name),
            hint="The file was changed or damaged on the way: copy or export the bundle again.",
        )


def _read_file(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise UserError(
            f"a file of the bundle cannot be read: {error.strerror}",
            where=str(folder / name),
            hint="Copy or export the whole bundle again.",
        ) from error


def _parse_json(content: bytes, where: str) -> Any:
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # bad UTF-8 is a ValueError as well
        raise _make_damaged_error(f"it is not valid JSON: {error}", where) from error


def _make_damaged_error(what: str, where: str) -> UserError:
    return UserError(
        f"the file is damaged: {what}", where=where, hint="Copy or export the bundle again."
    )
