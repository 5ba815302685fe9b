"""Published data sets, fetched from their publishers and checked against their SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ipaddress
import os
import re
import shutil
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO
from urllib.parse import urlsplit

from kd_tf.errors import UserError
from kd_tf.progress import Progress, Silent

_CHUNK_BYTES = 1 << 18
_MOST_BYTES_OF_UNKNOWN_SIZE = 1 << 30


@dataclass(frozen=True)
class Source:
    """A file that its publisher keeps unchanged at one address.

    Args:
        address: https; plain http only on this machine itself (a loopback address), where
            nobody else can answer. The file is stored under the last part of its path.
        bytes: The exact size; None where no credible source states it, then the size that
            the server declares counts, up to 1 GiB.
        sha256: Of the whole file, 64 hexadecimal digits in lower case.
        licence: What the publisher allows, in a line.
        home: The publisher's page about the data set.

    Raises:
        ValueError: The address, size or digest is none.
    """

    address: str
    bytes: int | None
    sha256: str
    licence: str
    home: str

    def __post_init__(self) -> None:
        if not (_is_https(self.address) or _is_local_http(self.address)):
            raise ValueError(f"the address must be https, or http on loopback: {self.address!r}")
        if self.file_name in {"", ".", ".."}:
            raise ValueError(f"the address must end with a file name: {self.address!r}")
        if self.bytes is not None and self.bytes < 1:
            raise ValueError(f"bytes must be positive or None: {self.bytes}")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 must be 64 hexadecimal digits: {self.sha256!r}")

    @property
    def file_name(self) -> str:
        """The name that the file has at its publisher, and in the folder."""
        return PurePosixPath(urlsplit(self.address).path).name


def _movielens(size: str, file_bytes: int, sha256: str) -> Source:
    return Source(
        address=f"https://files.grouplens.org/datasets/movielens/ml-{size}.zip",
        bytes=file_bytes,
        sha256=sha256,
        licence="research use, no commercial use without permission; see README in the archive",
        home=f"https://grouplens.org/datasets/movielens/{size}/",
    )


# MovieLens "latest" is missing on purpose: its publisher replaces it now and then.
SOURCES: dict[str, Source] = {
    "movielens-100k": _movielens(
        "100k", 4_924_029, "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"
    ),
    "movielens-1m": _movielens(
        "1m", 5_917_549, "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"
    ),
    "movielens-20m": _movielens(
        "20m", 198_702_078, "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3"
    ),
    "movielens-25m": _movielens(
        "25m", 261_978_986, "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa"
    ),
    "goodbooks-10k": Source(
        address="https://github.com/zygmuntz/goodbooks-10k/releases/download/v1.0/goodbooks-10k.zip",
        bytes=None,
        # As in Ludwig, ludwig/datasets/configs/goodbooks_books.yaml (github.com/ludwig-ai/ludwig).
        sha256="261b97b56db61f3fb2ce5aadbb13704d30179fcc986c17ace665a0af9ed00731",
        licence="CC BY-SA 4.0",
        home="https://github.com/zygmuntz/goodbooks-10k",
    ),
}
"""The data sets that `download` fetches, by name."""

PAGES: dict[str, str] = {
    "amazon-reviews": "https://amazon-reviews-2023.github.io/",
    "goodreads": "https://cseweb.ucsd.edu/~jmcauley/datasets/goodreads.html",
    "gowalla": "https://snap.stanford.edu/data/loc-gowalla.html",
    "movielens-10m": "https://grouplens.org/datasets/movielens/10m/",
    "movielens-latest": "https://grouplens.org/datasets/movielens/latest/",
}
"""The publishers' pages of data sets without a known SHA-256: a person has to fetch those."""


def download(
    name: str,
    folder: Path,
    progress: Progress | None = None,
    *,
    source: Source | None = None,
    retry_waits: Sequence[float] = (1.0, 4.0, 15.0),
    timeout: float = 30.0,
) -> Path:
    """Fetches a published file into `folder`, once, and returns its path.

    What arrives is kept in ``FILE.part``, so that the next call goes on where a lost connection
    or Ctrl-C ended this one. The file gets its name after its SHA-256 was found right. A file
    that is there already and right is returned without a request. Nothing is unpacked: the
    readers read archives.

    Args:
        name: A key of `SOURCES`.
        folder: Where the file goes; made where it is missing.
        progress: Shows the bytes received, and each connection that was lost.
        source: The file to fetch, in place of ``SOURCES[name]``.
        retry_waits: Seconds before each new attempt when the connection is lost or the server
            is overloaded. An attempt that received more than any before starts the row again.
        timeout: Seconds without a byte after which a connection counts as lost.

    Raises:
        UserError: The name is unknown or the data set has to be fetched by hand; the publisher
            cannot be reached or sends something else; the disk is full; another process is
            fetching the same file; a file with this name is there and is not the published one.
    """
    source = source or _published(name)
    progress = progress or Silent()
    target = folder / source.file_name
    with _disk_errors_explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f"{source.file_name}.lock"):
            if os.path.lexists(target):
                _require_published(target, source)
                return target
            with _part(folder / f"{source.file_name}.part") as part:
                attempts = _Attempts(retry_waits, progress)
                while not _receive(part, source, progress, attempts, timeout):
                    attempts.wait()
                _verify(part, source)
            _give_name(folder / f"{source.file_name}.part", target, source)
    progress.say(f"{target}: as published at {source.home}, licence: {source.licence}")
    return target
