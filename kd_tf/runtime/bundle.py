"""Reads and writes bundles, the folders that an app ships. Only this module knows their format.

A bundle is flat::

    model.tflite    the student with all its signatures
    catalog.json    {"version": 1, "books": [{"id": 1, "item_id": "...", "title": "..."}, ...]}
    config.json     sizes, measurements and the SHA-256 of every file; see `BundleConfig`
    MODEL_CARD.md   what the model is, for people
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import math
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kd_tf import atomic
from kd_tf.errors import UserError
from kd_tf.runtime.catalog import (
    CatalogItems,
    encode_catalog,
    make_catalog_row,
    make_damaged_error,
    parse_catalog,
    parse_json,
)

CONTRACT_VERSION = 1
CONFIG_HASH_KEY = "config_sha256"
"""Key in config.json of the SHA-256 of config.json itself, computed with 64 zeros as the value.
Together with the hashes of the other files it detects any change to a bundle."""

MAX_ATTEMPTS = 20
"""How often a bundle is read that is replaced while it is read."""

BUNDLE_FOLDER = "bundle"
"""Name of the bundle's folder in the folder of a run."""

MODEL_FILE = "model.tflite"
CATALOG_FILE = "catalog.json"
CONFIG_FILE = "config.json"
MODEL_CARD_FILE = "MODEL_CARD.md"

BUNDLE_FILES = frozenset((MODEL_FILE, CATALOG_FILE, CONFIG_FILE, MODEL_CARD_FILE))


@dataclass(frozen=True)
class BundleConfig:
    """The content of config.json, with one field per key.

    Attributes:
        name: Display name of the model.
        num_items: V, the number of items; their model ids are 1..V.
        max_length: L, the number of items of a history that the model sees.
        recommendations: K, the number of items in a list.
        candidates: C, the number of items that ``score`` takes at once.
        signatures: Names of the model's signatures.
        min_runtime_version: Oldest TensorFlow Lite version that supports all operators.
        quantization: Quantization of the model, such as ``int8`` or ``float32``.
        metrics: Measured metrics by name.
        dataset: Description of the training data: name, users, items and more.
        sha256: SHA-256 in hexadecimal by file name; `write_bundle` computes it.
        contract_version: Version of the signatures; other versions are rejected.

    Example:
        >>> config = BundleConfig(
        ...     name="shop",
        ...     num_items=200,
        ...     max_length=50,
        ...     recommendations=20,
        ...     candidates=100,
        ...     signatures=("recommend", "similar"),
        ...     min_runtime_version="2.5.0",
        ...     quantization="int8",
        ...     metrics={"ndcg@10": 0.21},
        ...     dataset={"name": "loans"},
        ... )
        >>> config.to_json()["contract_version"]
        1
        >>> BundleConfig.from_json(config.to_json()) == config
        True
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
        """Returns the content of config.json, with the contract version first."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
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
        """Creates a config from the content of config.json. Unknown keys are ignored.

        Args:
            content: The parsed JSON.
            where: Path of the file, for error messages.

        Returns:
            The config.

        Raises:
            UserError: The contract version is not `CONTRACT_VERSION`, or a key is missing or has
                a wrong value.
        """
        if not isinstance(content, dict):
            raise make_damaged_error("it must hold one JSON object", where)
        # Check the version first: it defines the meaning of all other keys.
        version = content.get("contract_version")
        if type(version) is not int or version != CONTRACT_VERSION:
            raise UserError(
                f"the bundle has contract version {version!r}, "
                f"this kd_tf reads version {CONTRACT_VERSION}",
                where=where,
                hint="Export the bundle again with this version of kd_tf, or install the version "
                "that wrote it.",
            )

        def get(key: str, value_type: type, description: str) -> Any:
            if type(content.get(key)) is not value_type:
                raise make_damaged_error(
                    f"{key} must be {description}, not {content.get(key)!r}", where
                )
            return content[key]

        def get_size(key: str) -> int:
            if get(key, int, "an integer") < 1:
                raise make_damaged_error(f"{key} must be at least 1, not {content[key]}", where)
            return int(content[key])

        def get_metrics() -> dict[str, float]:
            metrics: dict[str, float] = get("metrics", dict, "an object of name: number")
            for name, value in metrics.items():
                if type(value) not in (int, float) or not math.isfinite(value):
                    raise make_damaged_error(f"the metric {name} is not a number: {value!r}", where)
            return metrics

        signatures = get("signatures", list, "a list of names")
        hashes = get("sha256", dict, "an object of file: hash")
        if not all(isinstance(name, str) for name in signatures):
            raise make_damaged_error(
                f"signatures must be a list of names, not {signatures!r}", where
            )
        if not all(isinstance(digest, str) for digest in hashes.values()):
            raise make_damaged_error("sha256 must be an object of file: hash", where)
        return cls(
            name=get("name", str, "a string"),
            num_items=get_size("num_items"),
            max_length=get_size("max_length"),
            recommendations=get_size("recommendations"),
            candidates=get_size("candidates"),
            signatures=tuple(signatures),
            min_runtime_version=get("min_runtime_version", str, "a string"),
            quantization=get("quantization", str, "a string"),
            metrics=get_metrics(),
            dataset=get("dataset", dict, "an object"),
            sha256=hashes,
        )


@dataclass(frozen=True, repr=False)
class Bundle:
    """An opened bundle whose files have been verified.

    Attributes:
        folder: The bundle's folder.
        config: The content of config.json.
        items: The catalog; the item with model id ``i`` is ``items[i - 1]``.
        files: Content of each file by its name: the bytes whose hashes were checked. A file that is
            replaced or cut off later changes nothing here.
    """

    folder: Path
    config: BundleConfig
    items: CatalogItems
    files: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"<Bundle {str(self.folder)!r}: {len(self.items):,} items>"

    @classmethod
    def open(cls, folder: str | Path) -> Bundle:
        """Opens a bundle and verifies the contract version, all hashes and the catalog.

        Args:
            folder: The bundle's folder, or the folder of a run that has one.

        Returns:
            The bundle.

        Raises:
            UserError: The folder is neither, or a file is missing, was changed after the bundle
                was written, has another version, or lies outside the folder.
        """
        for attempt in range(MAX_ATTEMPTS):
            files = _FolderFiles(_find_bundle(Path(folder)))
            try:
                return cls._open(files)
            except UserError:
                # While the folder was read, a new bundle took its place: read that one.
                if attempt == MAX_ATTEMPTS - 1 or not files.was_replaced():
                    raise
            finally:
                files.close()
        raise AssertionError("unreachable")

    @classmethod
    def _open(cls, files: _FolderFiles) -> Bundle:
        """Opens a bundle whose files are read once each: what is checked is what is used."""
        where = str(files.folder / CONFIG_FILE)
        text = files.read(CONFIG_FILE)
        content = parse_json(text, where)
        config = BundleConfig.from_json(content, where)
        _check_own_hash(text, content.get(CONFIG_HASH_KEY), where)
        for name in (MODEL_FILE, CATALOG_FILE):
            if name not in config.sha256:
                raise make_damaged_error(f"sha256 does not list {name}", where)
        contents = {
            name: _read_checked(files, name, expected_hash)
            for name, expected_hash in config.sha256.items()
        }
        items = parse_catalog(
            contents[CATALOG_FILE], config.num_items, str(files.folder / CATALOG_FILE)
        )
        return cls(files.folder, config, items, {CONFIG_FILE: text, **contents})

    @property
    def model(self) -> bytes:
        """Content of the .tflite file."""
        return self.files[MODEL_FILE]

    @property
    def model_path(self) -> Path:
        """Path of the .tflite file."""
        return self.folder / MODEL_FILE


def write_bundle(
    folder: Path,
    *,
    model: bytes,
    catalog: Iterable[Mapping[str, Any]],
    config: BundleConfig,
    model_card: str,
    check: Callable[[Bundle], object] | None = None,
) -> Bundle:
    """Writes a bundle atomically: an interrupted run leaves the folder as it was.

    Args:
        folder: Target folder: new, empty, or an earlier bundle, which is replaced.
        model: Content of the .tflite file.
        catalog: One row per item in the order of ids, with any of the fields of `Item`. Values of
            None are left out; ``id`` is optional.
        config: The config; its hashes are computed here.
        model_card: The model card in Markdown.
        check: Gets the new bundle before it takes the place of an old one, and raises if it is
            not good enough; `Recommender.from_bundle` sees whether it answers.

    Returns:
        The bundle, opened and verified.

    Raises:
        UserError: The disk is full, or the folder cannot be written or has other files.
        ValueError: The catalog does not match the config, has an unknown field or a wrong id, or
            a number is not finite.
    """
    check_bundle_folder(Path(folder))
    rows = [make_catalog_row(row, number) for number, row in enumerate(catalog, start=1)]
    if len(rows) != config.num_items:
        raise ValueError(
            f"the catalog has {len(rows)} items, but the config has num_items {config.num_items}"
        )
    files = {
        MODEL_FILE: model,
        CATALOG_FILE: encode_catalog(rows).encode("utf-8"),
        MODEL_CARD_FILE: model_card.encode("utf-8"),
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    with atomic.replace_directory(folder) as temporary_folder:
        for name, content in files.items():
            atomic.write_bytes(temporary_folder / name, content)
        complete = dataclasses.replace(config, sha256=hashes).to_json()
        atomic.write_bytes(temporary_folder / CONFIG_FILE, encode_with_own_hash(complete))
        # Verify the bundle before it replaces a good one.
        bundle = Bundle.open(temporary_folder)
        if check is not None:
            check(bundle)
    return dataclasses.replace(bundle, folder=Path(folder))


def check_bundle_folder(folder: Path) -> None:
    """Checks that a bundle can take the place of a folder, before any work is done for it.

    Raises:
        UserError: The folder cannot be written, or has files that are not a bundle's.
    """
    atomic.check_replaceable(
        folder, BUNDLE_FILES, hint="Give a new folder: a bundle replaces the whole folder."
    )


def encode_with_own_hash(config: Mapping[str, Any]) -> bytes:
    """Encodes config.json with the SHA-256 of itself under `CONFIG_HASH_KEY`.

    Args:
        config: The content from `BundleConfig.to_json`.

    Returns:
        The bytes of the file.
    """
    content = {**config, CONFIG_HASH_KEY: _HASH_PLACEHOLDER.decode()}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    return text.replace(_HASH_PLACEHOLDER, hashlib.sha256(text).hexdigest().encode())


_HASH_PLACEHOLDER = b"0" * 64


def _check_own_hash(text: bytes, value: Any, where: str) -> None:
    """Checks the hash that `encode_with_own_hash` wrote."""
    is_hash = isinstance(value, str) and value.isascii() and len(value) == len(_HASH_PLACEHOLDER)
    digest = value.encode() if is_hash else b"none"
    original = text.replace(digest, _HASH_PLACEHOLDER)
    if text.count(digest) != 1 or hashlib.sha256(original).hexdigest().encode() != digest:
        raise UserError(
            f"the file was changed: {CONFIG_HASH_KEY} is not its SHA-256",
            where=where,
            hint="Copy or export the bundle again.",
        )


def _read_checked(files: _FolderFiles, name: str, expected_hash: str) -> bytes:
    """Reads a file of the bundle; checks its name and its SHA-256."""
    # The name must be a plain file name on every system. Links are allowed, as caches of
    # downloaded models are folders of links; the hash verifies their content.
    if name in ("", ".", "..") or any(character in name for character in "/\\:\0"):
        raise UserError(
            f"the bundle lists {name!r}, which is not the name of a file in its folder",
            where=str(files.folder / CONFIG_FILE),
            hint="Do not use this bundle. Get it again from its author.",
        )
    content = files.read(name)
    if hashlib.sha256(content).hexdigest() != expected_hash.lower():
        raise UserError(
            f"the file was changed: its SHA-256 differs from {CONFIG_FILE}",
            where=str(files.folder / name),
            hint="Copy or export the bundle again.",
        )
    return content


def _find_bundle(folder: Path) -> Path:
    """Returns the folder of the bundle that a folder is or has, if it is that of a run."""
    if folder.is_file():
        raise UserError(
            "this is a file, but a bundle is a folder",
            where=str(folder),
            hint=f"Give the folder that has {CONFIG_FILE} in it.",
        )
    if not folder.is_dir() or any(
        (folder / name).exists() for name in (CONFIG_FILE, CATALOG_FILE, MODEL_FILE)
    ):
        return folder
    if (folder / BUNDLE_FOLDER).is_dir():
        return folder / BUNDLE_FOLDER
    raise UserError(
        f"this folder is neither a bundle, which has a {CONFIG_FILE}, nor the folder of a run that "
        f"has finished, which has a {BUNDLE_FOLDER}/",
        where=str(folder),
        hint="Give the folder of a bundle, such as runs/NAME/bundle. If the run was interrupted, "
        "run its command again.",
    )


class _FolderFiles:
    """The files of one folder, also after another folder has taken its path.

    Where the system can, files are opened relative to the open folder and not by their path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._handle: int | None = None
        try:
            if os.open in os.supports_dir_fd:
                self._handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            elif not folder.is_dir():
                raise NotADirectoryError
        except OSError as error:
            raise UserError(
                "there is no such folder",
                where=str(folder),
                hint="Give the folder of a bundle, for example runs/demo/bundle.",
            ) from error

    def read(self, name: str) -> bytes:
        """Reads a file; raises a UserError if it cannot be read."""
        try:
            path = str(self.folder / name) if self._handle is None else name
            handle = os.open(path, os.O_RDONLY | _OPEN_FLAGS, dir_fd=self._handle)
            with os.fdopen(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise OSError(errno.EINVAL, "not a regular file")
                return file.read()
        except OSError as error:
            raise UserError(
                f"a file of the bundle cannot be read: {error.strerror}",
                where=str(self.folder / name),
                hint="Copy or export the whole bundle again.",
            ) from error

    def was_replaced(self) -> bool:
        """Says whether another folder is at the path now."""
        try:
            return self._handle is None or not os.path.samestat(
                self.folder.stat(), os.fstat(self._handle)
            )
        except OSError:
            return True

    def close(self) -> None:
        """Closes the folder."""
        if self._handle is not None:
            os.close(self._handle)


# A pipe in place of a file must not be waited for, and Windows must not change line ends.
_OPEN_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
