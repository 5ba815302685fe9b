"""Downloads published data sets from their publishers and checks their SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
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
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse
from io import BufferedRandom, BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from kd_tf.errors import UserError
from kd_tf.progress import NullProgress, Progress

_CHUNK_BYTES = 1 << 18
_MAX_UNDECLARED_BYTES = 1 << 30


def _is_https(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(parts.hostname)


def _is_local_http(url: str) -> bool:
    parts = urlsplit(url)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:  # a host name, which may resolve to any machine
        return False


@dataclass(frozen=True)
class PublishedFile:
    """A file that its publisher keeps unchanged at one URL.

    Args:
        url: An https URL. Plain http is allowed only for a loopback address, where no other
            machine can answer. The file is stored under the last part of the URL's path.
        num_bytes: The exact size; None if no reliable source states it. Then the size that the
            server declares is accepted, up to 1 GiB.
        sha256: The SHA-256 of the whole file, 64 hexadecimal digits in lower case.
        licence: What the publisher allows, in one line.
        homepage: The publisher's page about the data set.

    Raises:
        ValueError: The URL, size or digest is invalid.

    Example:
        >>> file = PUBLISHED_FILES["movielens-100k"]
        >>> file.file_name, file.num_bytes
        ('ml-100k.zip', 4924029)
    """

    url: str
    num_bytes: int | None
    sha256: str
    licence: str
    homepage: str

    def __post_init__(self) -> None:
        if not (_is_https(self.url) or _is_local_http(self.url)):
            raise ValueError(f"url must be https, or http on loopback: {self.url!r}")
        if self.file_name in {"", ".", ".."}:
            raise ValueError(f"url must end with a file name: {self.url!r}")
        if self.num_bytes is not None and self.num_bytes < 1:
            raise ValueError(f"num_bytes must be positive or None: {self.num_bytes}")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 must be 64 hexadecimal digits: {self.sha256!r}")

    @property
    def file_name(self) -> str:
        """The name of the file at its publisher, and in the folder."""
        return PurePosixPath(urlsplit(self.url).path).name


def _make_movielens_file(size: str, num_bytes: int, sha256: str) -> PublishedFile:
    """Describes the file of a MovieLens release; `size` is its name, like "100k"."""
    return PublishedFile(
        url=f"https://files.grouplens.org/datasets/movielens/ml-{size}.zip",
        num_bytes=num_bytes,
        sha256=sha256,
        licence="research use, no commercial use without permission; see README in the archive",
        homepage=f"https://grouplens.org/datasets/movielens/{size}/",
    )


# MovieLens "latest" is not listed because its publisher replaces it from time to time.
PUBLISHED_FILES: dict[str, PublishedFile] = {
    "movielens-100k": _make_movielens_file(
        "100k", 4_924_029, "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"
    ),
    "movielens-1m": _make_movielens_file(
        "1m", 5_917_549, "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"
    ),
    "movielens-20m": _make_movielens_file(
        "20m", 198_702_078, "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3"
    ),
    "movielens-25m": _make_movielens_file(
        "25m", 261_978_986, "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa"
    ),
    "movielens-32m": _make_movielens_file(
        "32m", 238_950_008, "e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee"
    ),
    "goodbooks-10k": PublishedFile(
        url="https://github.com/zygmuntz/goodbooks-10k/releases/download/v1.0/goodbooks-10k.zip",
        num_bytes=None,
        # As in Ludwig, ludwig/datasets/configs/goodbooks_books.yaml (github.com/ludwig-ai/ludwig).
        sha256="261b97b56db61f3fb2ce5aadbb13704d30179fcc986c17ace665a0af9ed00731",
        licence="CC BY-SA 4.0",
        homepage="https://github.com/zygmuntz/goodbooks-10k",
    ),
}
"""The data sets that `download` can fetch, by name."""

MANUAL_DOWNLOAD_PAGES: dict[str, str] = {
    "amazon-reviews": "https://amazon-reviews-2023.github.io/",
    "goodreads": "https://cseweb.ucsd.edu/~jmcauley/datasets/goodreads.html",
    "gowalla": "https://snap.stanford.edu/data/loc-gowalla.html",
    "movielens-10m": "https://grouplens.org/datasets/movielens/10m/",
    "movielens-latest": "https://grouplens.org/datasets/movielens/latest/",
}
"""The homepages of data sets without a known SHA-256, which must be downloaded by hand."""


def download(
    name: str,
    folder: Path,
    progress: Progress | None = None,
    *,
    source: PublishedFile | None = None,
    retry_waits: Sequence[float] = (1.0, 4.0, 15.0),
    timeout: float = 30.0,
) -> Path:
    """Downloads a published file into `folder`, unless it is there already, and returns its path.

    Received bytes are kept in ``FILE.part``, so that the next call resumes after a lost connection
    or Ctrl-C. The file gets its final name after its SHA-256 was checked. If the folder already
    has the correct file, no request is made. Nothing is unpacked: the functions of
    `kd_tf.data.sources` read archives.

    Args:
        name: A key of `PUBLISHED_FILES`. If `source` is given, it only labels the progress.
        folder: The folder for the file; it is created if it does not exist.
        progress: Reports the bytes received and each lost connection.
        source: The file to download, in place of ``PUBLISHED_FILES[name]``.
        retry_waits: Seconds to wait before each retry when the connection is lost or the server
            is overloaded. After an attempt that received more than any before, the sequence
            starts again.
        timeout: Seconds without a byte after which a connection counts as lost.

    Raises:
        UserError: The name is unknown or the data set must be downloaded by hand; the publisher
            cannot be reached or sends something else; the disk is full; another process is
            downloading the same file; or the folder has another file with this name.
    """
    source = source or _find_published_file(name)
    target = folder / source.file_name
    with _explain_disk_errors(folder):
        if not _is_downloaded(target, source):
            folder.mkdir(parents=True, exist_ok=True)
            with _hold_lock(_add_suffix(target, "lock")):
                # Another process may have finished the download in the meantime.
                if not _is_downloaded(target, source):
                    _fetch(name, target, source, progress or NullProgress(), retry_waits, timeout)
    return target


def _find_published_file(name: str) -> PublishedFile:
    """Returns the file of a data set, or raises an error that says what can be downloaded."""
    if name in PUBLISHED_FILES:
        return PUBLISHED_FILES[name]
    if name in MANUAL_DOWNLOAD_PAGES:
        raise UserError(
            f"{name} cannot be downloaded automatically: there is no known SHA-256 to check it",
            hint=f"Download it by hand from {MANUAL_DOWNLOAD_PAGES[name]} and give its folder: "
            "--data-dir FOLDER",
        )
    raise UserError(
        f"there is no published data set named {name!r}",
        hint=f"Available: {', '.join(PUBLISHED_FILES)}.",
    )


def _is_downloaded(target: Path, source: PublishedFile) -> bool:
    """Tells whether the published file is at `target`; any other file there is an error."""
    if not os.path.lexists(target):
        return False
    with target.open("rb") as file:
        sha256 = _compute_sha256(file)
    if sha256 != source.sha256:
        raise UserError(
            "there is already a file with this name, and it is not the published one: "
            f"its SHA-256 is {sha256}, the published one is {source.sha256}",
            where=str(target),
            hint="Move it or choose another folder, then run again.",
        )
    return True


def _fetch(
    name: str,
    target: Path,
    source: PublishedFile,
    progress: Progress,
    retry_waits: Sequence[float],
    timeout: float,
) -> None:
    """Downloads the file to ``FILE.part``, checks its SHA-256 and renames it to `target`."""
    with _open_part_file(_add_suffix(target, "part")) as part:
        _download_with_retries(name, part, source, progress, retry_waits, timeout)
        sha256 = _compute_sha256(part)
        if sha256 != source.sha256:
            part.truncate(0)
            raise UserError(
                f"the received file is not the published file: its SHA-256 is {sha256}, "
                f"the published one is {source.sha256}",
                where=source.url,
                hint="It was deleted. Run again; if it happens again, download the file by hand "
                f"from {source.homepage} and check whether the publisher has changed it.",
            )
        part.flush()
        os.fsync(part.fileno())
    if _is_downloaded(target, source):  # the user copied it there in the meantime
        _add_suffix(target, "part").unlink()
    else:
        _add_suffix(target, "part").replace(target)
    progress.info(
        f"Downloaded {target} (published at {source.homepage}, licence: {source.licence})"
    )


def _download_with_retries(
    name: str,
    part: BufferedRandom,
    source: PublishedFile,
    progress: Progress,
    retry_waits: Sequence[float],
    timeout: float,
) -> None:
    """Receives the file, with retries, until `part` is as long as the published file."""
    failures = 0
    max_received = part.seek(0, os.SEEK_END)
    while True:
        try:
            _download_rest(name, part, source, progress, timeout)
            return
        except _TemporaryError as interruption:
            received_bytes = part.seek(0, os.SEEK_END)
            if received_bytes > max_received:
                failures, max_received = 0, received_bytes
            if failures == len(retry_waits):
                raise UserError(
                    f"the download failed: {interruption}",
                    where=source.url,
                    hint=f"{received_bytes:,} bytes are kept: run again to resume, or "
                    f"download it by hand from {source.homepage} into the folder.",
                ) from interruption
            wait_seconds = retry_waits[failures]
            failures += 1
            progress.warn(f"{source.url}: {interruption}; trying again in {wait_seconds:g} s")
            time.sleep(wait_seconds)


class _TemporaryError(Exception):
    """An attempt ended early for a reason that may be temporary."""


def _download_rest(
    name: str, part: BufferedRandom, source: PublishedFile, progress: Progress, timeout: float
) -> None:
    """Makes one attempt to receive the rest of `part`.

    Raises:
        _TemporaryError: The attempt ended early.
    """
    received_bytes = part.seek(0, os.SEEK_END)
    if source.num_bytes is not None:
        if received_bytes > source.num_bytes:  # not a beginning of the published file
            received_bytes = _clear_part(part)
        if received_bytes == source.num_bytes:
            return
        _require_space(part, source.num_bytes - received_bytes)

    response = _send_request(source, received_bytes, timeout)
    if response is None:
        return
    with response:
        body = _read_content_range(response, requested_start=received_bytes)
        if body is None:
            _clear_part(part)
            raise _TemporaryError("the server sent another range than the requested one")
        _require_size(source, body.file_bytes)
        if body.start == 0:
            received_bytes = _clear_part(part)
        if source.num_bytes is None:
            _require_space(part, (body.file_bytes or 0) - received_bytes)
        total = source.num_bytes or body.file_bytes
        limit = total or _MAX_UNDECLARED_BYTES
        with progress.task(f"download {name}", total or 0) as advance:
            advance(received_bytes)
            for chunk in _stream_chunks(
                response, None if body.end is None else body.end - received_bytes
            ):
                if received_bytes + len(chunk) > limit:
                    _clear_part(part)
                    raise _make_size_error(source, f"more than {limit:,}")
                part.write(chunk)
                received_bytes += len(chunk)
                advance(len(chunk))
    if total is not None and received_bytes < total:
        raise _TemporaryError(f"the connection ended after {received_bytes:,} of {total:,} bytes")


def _clear_part(part: BufferedRandom) -> int:
    """Empties the part file and returns its size, 0."""
    part.seek(0)
    return part.truncate(0)


@dataclass(frozen=True)
class _ResponseBody:
    """The part of a file in a response: bytes `start` to `end` of `file_bytes`; None if unknown."""

    start: int
    end: int | None
    file_bytes: int | None


def _read_content_range(response: HTTPResponse, requested_start: int) -> _ResponseBody | None:
    """Returns which bytes a response holds; None if they do not begin at `requested_start`."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        # The file from its beginning, whether or not a range was requested.
        return _ResponseBody(0, response.length, response.length)
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
    if match is None:
        return None
    first, last, file_bytes = (int(digits) for digits in match.groups())
    return (
        _ResponseBody(first, last + 1, file_bytes)
        if first == requested_start <= last < file_bytes
        else None
    )


def _stream_chunks(response: HTTPResponse, max_bytes: int | None) -> Iterator[bytes]:
    """Yields bytes as they arrive, at most `max_bytes`.

    Raises:
        _TemporaryError: The connection was lost.
    """
    while max_bytes is None or max_bytes > 0:
        try:
            # read1 does not wait for a full chunk, so no byte is lost with the connection.
            size = _CHUNK_BYTES if max_bytes is None else min(max_bytes, _CHUNK_BYTES)
            chunk = response.read1(size)
        except (OSError, HTTPException) as error:
            raise _TemporaryError(f"the connection was lost: {_describe_error(error)}") from error
        if not chunk:
            return
        yield chunk
        if max_bytes is not None:
            max_bytes -= len(chunk)


def _require_size(source: PublishedFile, file_bytes: int | None) -> None:
    """Raises an error for a file of another size before it replaces the bytes received so far."""
    if file_bytes is None:
        return
    if source.num_bytes is None and file_bytes > _MAX_UNDECLARED_BYTES:
        raise _make_size_error(source, f"{file_bytes:,}")
    if source.num_bytes is not None and file_bytes != source.num_bytes:
        raise UserError(
            f"the server offers {file_bytes:,} bytes, but the published file has "
            f"{source.num_bytes:,}",
            where=source.url,
            hint="A network that requires a login may cause this: open the URL in a browser. "
            f"Or the publisher has changed the file: see {source.homepage}",
        )


def _make_size_error(source: PublishedFile, num_bytes: str) -> UserError:
    """Makes the error for a file that is too large; `num_bytes` is its size, formatted."""
    expected_bytes = source.num_bytes or _MAX_UNDECLARED_BYTES
    return UserError(
        f"the server sends {num_bytes} bytes, but at most {expected_bytes:,} are expected",
        where=source.url,
        hint=f"Nothing of it was kept. Download the file by hand from {source.homepage}",
    )


def _send_request(
    source: PublishedFile, received_bytes: int, timeout: float
) -> HTTPResponse | None:
    """Requests the bytes from `received_bytes` on; returns None if the server has no more."""
    request = urllib.request.Request(
        source.url, headers={"User-Agent": "kd_tf", "Accept-Encoding": "identity"}
    )
    if received_bytes:
        request.add_header("Range", f"bytes={received_bytes}-")
    try:
        response: HTTPResponse = _build_opener(source).open(request, timeout=timeout)
        return response
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and received_bytes:
            return None  # the SHA-256 tells whether the received bytes are the whole file
        if error.code in (408, 429) or error.code >= 500:
            raise _TemporaryError(f"the server answered {error.code} {error.reason}") from error
        raise UserError(
            f"the server answered {error.code} {error.reason}",
            where=source.url,
            hint=f"Check whether the publisher has moved the file: {source.homepage}",
        ) from error
    except (OSError, HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            # A retry would not help, and without the check any server could answer.
            raise UserError(
                f"the server's certificate is not valid: {cause.verify_message}",
                where=source.url,
                hint=f"Download the file by hand from {source.homepage} into the folder and run "
                "again: its SHA-256 is checked as well.",
            ) from error
        raise _TemporaryError(f"no connection: {_describe_error(error)}") from error


def _describe_error(error: Exception) -> str:
    """Returns the message of an error, or the name of its class."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause) or type(cause).__name__


def _build_opener(source: PublishedFile) -> urllib.request.OpenerDirector:
    """Builds an opener for http and https only; urllib's default one also follows to ftp."""
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(_SafeRedirects())
    if _is_https(source.url):  # a proxy cannot reach this machine's loopback
        opener.add_handler(urllib.request.ProxyHandler())
    return opener


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only, and from loopback also to the same host."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        same_host = urlsplit(newurl).hostname == urlsplit(req.full_url).hostname
        if _is_https(newurl) or (_is_local_http(newurl) and same_host):
            return super().redirect_request(req, fp, code, msg, headers, newurl)
        fp.close()
        raise UserError(
            f"the server redirects to {newurl}, which is not safe to follow",
            where=req.full_url,
            hint="Only https redirects are followed. Download the file by hand.",
        )


def _compute_sha256(file: BufferedRandom | BufferedReader) -> str:
    """Returns the SHA-256 of the whole file, in hexadecimal digits."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _require_space(part: BufferedRandom, required_bytes: int) -> None:
    """Raises an error if the disk has fewer free bytes than required."""
    free = shutil.disk_usage(Path(part.name).parent).free
    if free < required_bytes:
        raise UserError(
            f"{required_bytes:,} bytes are needed, but only {free:,} are free on the disk",
            where=str(Path(part.name).parent),
            hint="Free some space or choose another folder, and run again.",
        )


def _add_suffix(target: Path, suffix: str) -> Path:
    return target.with_name(f"{target.name}.{suffix}")


@contextlib.contextmanager
def _open_part_file(path: Path) -> Iterator[BufferedRandom]:
    """Opens the file for received bytes, which keeps those of earlier calls.

    The file is removed if it is empty in the end.
    """
    path.touch()
    try:
        with path.open("r+b") as part:
            yield part
    finally:
        if path.stat().st_size == 0:
            path.unlink()


@contextlib.contextmanager
def _hold_lock(path: Path) -> Iterator[None]:
    """Locks out other processes; the operating system releases the lock if this process dies."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _try_lock(descriptor):
                raise UserError(
                    "another process is downloading this file",
                    where=str(path),
                    hint="Wait until it has finished, then run again.",
                )
            if not _is_same_file(descriptor, path):
                continue  # the last holder removed the file between open and lock
            try:
                yield
            finally:
                # On Windows an open file cannot be removed; a leftover lock file does no harm.
                with contextlib.suppress(OSError):
                    path.unlink()
            return
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Locks a file without waiting; returns False if another process holds the lock."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _is_same_file(descriptor: int, path: Path) -> bool:
    """Tells whether the open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _explain_disk_errors(folder: Path) -> Iterator[None]:
    """Turns file system errors into `UserError`; network errors were handled before."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot store the file: {error.strerror or error}",
            where=str(error.filename or folder),
            hint="Check that the disk is not full and that the folder is writable.",
        ) from error
