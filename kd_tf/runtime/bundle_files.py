"""Reads and checks the files of a bundle: every byte that is used was hashed."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import math
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from kd_tf import atomic
from kd_tf.errors import UserError
from kd_tf.runtime.catalog import make_damaged_error, parse_json

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
FEATURES_FILE = "features.json"
ITEMS_FILE = "items.json"
SOURCES_FILE = "sources.json"

RANKER_FOLDER = "ranker"
"""Name of the folder with a bundle of the ranking task in one that recommends."""

_RANKER_FILES = (
    MODEL_FILE, FEATURES_FILE, ITEMS_FILE, SOURCES_FILE, CONFIG_FILE, MODEL_CARD_FILE,
)  # fmt: skip

BUNDLE_FILES = frozenset(
    (CATALOG_FILE, *_RANKER_FILES, *(f"{RANKER_FOLDER}/{name}" for name in _RANKER_FILES))
)
"""What the folder of a bundle may have, whatever its task: a new bundle replaces them all."""


def check_bundle_folder(folder: Path) -> None:
    """Checks that a bundle can take the place of a folder, before any work is done for it.

    Raises:
        UserError: The folder cannot be written, or has files that are not a bundle's.
    """
    atomic.check_replaceable(
        folder, BUNDLE_FILES, hint="Give a new folder: a bundle replaces the whole folder."
    )


_Opened = TypeVar("_Opened")


def open_whole_folder(folder: Path, open_files: Callable[[FolderFiles], _Opened]) -> _Opened:
    """Opens a bundle, also while another one takes its place.

    Args:
        folder: The bundle's folder, or the folder of a run that has one.
        open_files: Reads and checks the files.

    Raises:
        UserError: The folder is neither, or `open_files` refuses it.
    """
    for attempt in range(MAX_ATTEMPTS):
        files = FolderFiles(find_bundle(folder))
        try:
            return open_files(files)
        except UserError:
            # While the folder was read, a new bundle took its place: read that one.
            if attempt == MAX_ATTEMPTS - 1 or not files.was_replaced():
                raise
        finally:
            files.close()
    raise AssertionError("unreachable")


_OTHER_TASK_HINTS = {
    1: "It recommends items: open it with kd_tf.runtime.recommender.Recommender.",
    2: "It predicts clicks or ratings: open it with kd_tf.runtime.ranker.Ranker.",
}
"""What to do with a bundle of another task, by its contract version."""


def read_verified_files(
    files: FolderFiles,
    required_names: Sequence[str],
    read_config: Callable[[Any, str], _Config],
) -> tuple[_Config, dict[str, bytes]]:
    """Reads the files of a bundle once each: what is checked is what is used.

    Args:
        files: The bundle's folder.
        required_names: Files that the config must list.
        read_config: Makes the config of the content of config.json and its path.

    Returns:
        The config, and the content of each file by its name.

    Raises:
        UserError: The config is refused, a file is missing or is not listed, or was changed.
    """
    where = str(files.folder / CONFIG_FILE)
    text = files.read(CONFIG_FILE)
    content = parse_json(text, where)
    config = read_config(content, where)
    check_own_hash(text, content.get(CONFIG_HASH_KEY), where)
    for name in required_names:
        if name not in config.sha256:
            raise make_damaged_error(f"sha256 does not list {name}", where)
    contents = {
        name: read_checked(files, name, expected_hash)
        for name, expected_hash in config.sha256.items()
    }
    return config, {CONFIG_FILE: text, **contents}


def write_verified_files(
    folder: Path,
    files: Mapping[str, bytes],
    make_config: Callable[[dict[str, str]], dict[str, Any]],
    open_bundle: Callable[[Path], _Opened],
    check: Callable[[_Opened], object] | None,
    folder_files: Mapping[str, bytes] | None = None,
) -> _Opened:
    """Writes a bundle atomically: an interrupted run leaves the folder as it was.

    Args:
        folder: Target folder, which `check_bundle_folder` has let through.
        files: Content of each file by its name, without config.json.
        make_config: Makes the content of config.json of the files' hashes.
        open_bundle: Opens and verifies a bundle.
        check: Gets the new bundle before it takes the place of an old one, and raises if it is not
            good enough.
        folder_files: Files of folders in the bundle by their paths; the config does not list them.

    Returns:
        The bundle as it was opened in a temporary folder.
    """
    hashes = hash_files(files)
    with atomic.replace_directory(folder) as temporary_folder:
        for name, content in {**files, **(folder_files or {})}.items():
            atomic.write_bytes(temporary_folder / name, content)
        config = encode_with_own_hash(make_config(hashes))
        atomic.write_bytes(temporary_folder / CONFIG_FILE, config)
        # Verify the bundle before it replaces a good one.
        bundle = open_bundle(temporary_folder)
        if check is not None:
            check(bundle)
    return bundle


def hash_files(files: Mapping[str, bytes]) -> dict[str, str]:
    """Returns the SHA-256 of files in hexadecimal, by their names."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


class HashedConfig(Protocol):
    """What the configs of all bundles have."""

    @property
    def sha256(self) -> Mapping[str, str]:
        """SHA-256 in hexadecimal by file name."""


_Config = TypeVar("_Config", bound=HashedConfig)


def describe_config(config: Any) -> dict[str, Any]:
    """Returns the fields of a config as JSON, with the contract version first."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {
        "contract_version": values.pop("contract_version"),
        **values,
        "signatures": list(config.signatures),
        "metrics": dict(config.metrics),
        "dataset": dict(config.dataset),
        "sha256": dict(config.sha256),
    }


class ConfigReader:
    """Reads the values of a config.json, or refuses it.

    Args:
        content: The parsed JSON.
        contract_version: The version that is read; it is checked first, as it defines the meaning
            of all other keys.
        where: Path of the file, for error messages.

    Raises:
        UserError: It is no object, or has another version.
    """

    def __init__(self, content: Any, contract_version: int, where: str) -> None:
        if not isinstance(content, dict):
            raise make_damaged_error("it must hold one JSON object", where)
        version = content.get("contract_version")
        if type(version) is not int or version != contract_version:
            raise UserError(
                f"the bundle has contract version {version!r}, "
                f"this kd_tf reads version {contract_version}",
                where=where,
                hint=_OTHER_TASK_HINTS.get(
                    version if type(version) is int else 0,
                    "Export the bundle again with this version of kd_tf, or install the version "
                    "that wrote it.",
                ),
            )
        self._content, self._where = content, where

    def get_text(self, key: str) -> str:
        """Returns a text."""
        return str(self._get(key, str, "a string"))

    def get_size(self, key: str) -> int:
        """Returns a number of things, at least 1."""
        size = self._get(key, int, "an integer")
        if size < 1:
            raise make_damaged_error(f"{key} must be at least 1, not {size}", self._where)
        return int(size)

    def get_count(self, key: str) -> int:
        """Returns a number of things, 0 or more."""
        count = self._get(key, int, "an integer")
        if count < 0:
            raise make_damaged_error(f"{key} must be 0 or more, not {count}", self._where)
        return int(count)

    def get_share(self, key: str) -> float:
        """Returns a number from 0 to 1."""
        share: Any = self._content.get(key)
        is_number = isinstance(share, int | float) and not isinstance(share, bool)
        if not is_number or not 0 <= share <= 1:
            raise make_damaged_error(f"{key} must be from 0 to 1, not {share!r}", self._where)
        return float(share)

    def get_texts(self, key: str) -> tuple[str, ...]:
        """Returns a list of texts."""
        texts = self._get(key, list, "a list of names")
        if not all(isinstance(text, str) for text in texts):
            raise make_damaged_error(f"{key} must be a list of names, not {texts!r}", self._where)
        return tuple(texts)

    def get_object(self, key: str) -> dict[str, Any]:
        """Returns an object."""
        content: dict[str, Any] = self._get(key, dict, "an object")
        return content

    def get_metrics(self, key: str) -> dict[str, float]:
        """Returns finite numbers by name."""
        metrics: dict[str, float] = self._get(key, dict, "an object of name: number")
        for name, value in metrics.items():
            if type(value) not in (int, float) or not math.isfinite(value):
                raise make_damaged_error(
                    f"the metric {name} is not a number: {value!r}", self._where
                )
        return metrics

    def get_hashes(self, key: str) -> dict[str, str]:
        """Returns the hash of each file."""
        hashes: dict[str, str] = self._get(key, dict, "an object of file: hash")
        if not all(isinstance(digest, str) for digest in hashes.values()):
            raise make_damaged_error(f"{key} must be an object of file: hash", self._where)
        return hashes

    def _get(self, key: str, value_type: type, description: str) -> Any:
        value = self._content.get(key)
        if type(value) is not value_type:
            raise make_damaged_error(f"{key} must be {description}, not {value!r}", self._where)
        return value


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


def check_own_hash(text: bytes, value: Any, where: str) -> None:
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


def read_checked(files: FolderFiles, name: str, expected_hash: str) -> bytes:
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


def find_bundle(folder: Path) -> Path:
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


class FolderFiles:
    """The files of one folder, also after another folder has taken its path.

    Where the system can, files are opened relative to the open folder and not by their path.
    """

    def __init__(self, folder: Path, parent: FolderFiles | None = None) -> None:
        self.folder = folder
        self._handle: int | None = None
        try:
            if os.open in os.supports_dir_fd:
                parent_handle = None if parent is None else parent._handle
                path = str(folder) if parent_handle is None else folder.name
                flags = os.O_RDONLY | os.O_DIRECTORY
                self._handle = os.open(path, flags, dir_fd=parent_handle)
            elif not folder.is_dir():
                raise NotADirectoryError
        except OSError as error:
            raise UserError(
                "there is no such folder",
                where=str(folder),
                hint="Give the folder of a bundle, for example runs/demo/bundle."
                if parent is None
                else "Copy or export the whole bundle again.",
            ) from error

    def open_folder(self, name: str) -> FolderFiles:
        """Opens a folder in this one; raises a UserError if there is none."""
        return FolderFiles(self.folder / name, self)

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
