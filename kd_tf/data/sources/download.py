"""Published data sets, fetched from their publishers and checked against their SHA-256."""

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


def _is_https(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" and bool(parts.hostname)


def _is_local_http(address: str) -> bool:
    parts = urlsplit(address)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:  # a name, which may stand for any machine
        return False


@dataclass(frozen=True)
class PublishedFile:
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

    url: str
    num_bytes: int | None
    sha256: str
    licence: str
    homepage: str

    def __post_init__(self) -> None:
        if not (_is_https(self.url) or _is_local_http(self.url)):
            raise ValueError(f"the address must be https, or http on loopback: {self.url!r}")
        if self.file_name in {"", ".", ".."}:
            raise ValueError(f"the address must end with a file name: {self.url!r}")
        if self.num_bytes is not None and self.num_bytes < 1:
            raise ValueError(f"bytes must be positive or None: {self.num_bytes}")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 must be 64 hexadecimal digits: {self.sha256!r}")

    @property
    def file_name(self) -> str:
        """The name that the file has at its publisher, and in the folder."""
        return PurePosixPath(urlsplit(self.url).path).name


def _make_movielens_file(size: str, file_bytes: int, sha256: str) -> PublishedFile:
    return PublishedFile(
        url=f"https://files.grouplens.org/datasets/movielens/ml-{size}.zip",
        num_bytes=file_bytes,
        sha256=sha256,
        licence="research use, no commercial use without permission; see README in the archive",
        homepage=f"https://grouplens.org/datasets/movielens/{size}/",
    )


# MovieLens "latest" is missing on purpose: its publisher replaces it now and then.
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
"""The data sets that `download` fetches, by name."""

MANUAL_DOWNLOAD_PAGES: dict[str, str] = {
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
    source: PublishedFile | None = None,
    retry_waits: Sequence[float] = (1.0, 4.0, 15.0),
    timeout: float = 30.0,
) -> Path:
    """Fetches a published file into `folder`, once, and returns its path.

    What arrives is kept in ``FILE.part``, so that the next call goes on where a lost connection
    or Ctrl-C ended this one. The file gets its name after its SHA-256 was found right. A file
    that is there already and right is returned without a request. Nothing is unpacked: the
    readers read archives.

    Args:
        name: A key of `SOURCES`; beside `source` no more than the label of the progress.
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
    source = source or _find_published_file(name)
    target = folder / source.file_name
    with _explain_disk_errors(folder):
        if not _is_downloaded(target, source):
            folder.mkdir(parents=True, exist_ok=True)
            with _hold_lock(_add_suffix(target, "lock")):
                # Another process may have finished it in between.
                if not _is_downloaded(target, source):
                    _fetch(name, target, source, progress or NullProgress(), retry_waits, timeout)
    return target


def _find_published_file(name: str) -> PublishedFile:
    if name in PUBLISHED_FILES:
        return PUBLISHED_FILES[name]
    if name in MANUAL_DOWNLOAD_PAGES:
        raise UserError(
            f"{name} cannot be downloaded for you: there is no known SHA-256 to check it against",
            hint=f"Download it by hand from {MANUAL_DOWNLOAD_PAGES[name]} and give its folder: --data-dir FOLDER",
        )
    raise UserError(
        f"there is no published data set named {name!r}",
        hint=f"Those that can be downloaded: {', '.join(PUBLISHED_FILES)}.",
    )


def _is_downloaded(target: Path, source: PublishedFile) -> bool:
    """Whether the published file is at `target`; another file there is never overwritten."""
    if not os.path.lexists(target):
        return False
    with target.open("rb") as file:
        found = _compute_sha256(file)
    if found != source.sha256:
        raise UserError(
            "there is a file with this name already, and it is not the published one: "
            f"its SHA-256 is {found}, the published one is {source.sha256}",
            where=str(target),
            hint="Move it away or choose another folder, then run again.",
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
    with _open_part_file(_add_suffix(target, "part")) as part:
        _receive_all(name, part, source, progress, retry_waits, timeout)
        found = _compute_sha256(part)
        if found != source.sha256:
            part.truncate(0)
            raise UserError(
                f"what arrived is not the published file: its SHA-256 is {found}, "
                f"the published one is {source.sha256}",
                where=source.url,
                hint="It was deleted. Run again; if it happens again, download the file by hand "
                f"from {source.homepage} and see whether the publisher has changed it.",
            )
        part.flush()
        os.fsync(part.fileno())
    if _is_downloaded(target, source):  # a person copied it there meanwhile
        _add_suffix(target, "part").unlink()
    else:
        _add_suffix(target, "part").replace(target)
    progress.info(f"{target}: as published at {source.homepage}, licence: {source.licence}")


def _receive_all(
    name: str,
    part: BufferedRandom,
    source: PublishedFile,
    progress: Progress,
    retry_waits: Sequence[float],
    timeout: float,
) -> None:
    """Attempt after attempt, until `part` is as long as the published file."""
    failures = 0
    furthest = part.seek(0, os.SEEK_END)
    while True:
        try:
            _receive(name, part, source, progress, timeout)
            return
        except _TemporaryError as interruption:
            received = part.seek(0, os.SEEK_END)
            if received > furthest:
                failures, furthest = 0, received
            if failures == len(retry_waits):
                raise UserError(
                    f"the file did not arrive: {interruption}",
                    where=source.url,
                    hint=f"{received:,} bytes are kept: run again to go on from there, or "
                    f"download it by hand from {source.homepage} into the folder.",
                ) from interruption
            wait = retry_waits[failures]
            failures += 1
            progress.warn(f"{source.url}: {interruption}; trying again in {wait:g} s")
            time.sleep(wait)


class _TemporaryError(Exception):
    """An attempt ended early for a reason that may pass by itself."""


def _receive(
    name: str, part: BufferedRandom, source: PublishedFile, progress: Progress, timeout: float
) -> None:
    """One attempt to receive what `part` lacks; `_TemporaryError` when it was cut short."""
    received = part.seek(0, os.SEEK_END)
    if source.num_bytes is not None:
        if received > source.num_bytes:  # no beginning of the published file
            received = _clear_part(part)
        if received == source.num_bytes:
            return
        _require_space(part, source.num_bytes - received)

    response = _send_request(source, received, timeout)
    if response is None:
        return
    with response:
        body = _read_content_range(response, asked_from=received)
        if body is None:
            _clear_part(part)
            raise _TemporaryError("the server sent another range than the one asked for")
        _require_size(source, body.file_bytes)
        if body.start == 0:
            received = _clear_part(part)
        if source.num_bytes is None:
            _require_space(part, (body.file_bytes or 0) - received)
        whole = source.num_bytes or body.file_bytes
        limit = whole or _MAX_UNDECLARED_BYTES
        with progress.task(f"download {name}", whole or 0) as advance:
            advance(received)
            for chunk in _stream_chunks(
                response, None if body.end is None else body.end - received
            ):
                if received + len(chunk) > limit:
                    _clear_part(part)
                    raise _make_size_error(source, f"more than {limit:,}")
                part.write(chunk)
                received += len(chunk)
                advance(len(chunk))
    if whole is not None and received < whole:
        raise _TemporaryError(f"the connection ended after {received:,} of {whole:,} bytes")


def _clear_part(part: BufferedRandom) -> int:
    part.seek(0)
    return part.truncate(0)


@dataclass(frozen=True)
class _ResponseBody:
    """What a response says it holds: bytes `start` to `end` of a file; None: it does not say."""

    start: int
    end: int | None
    file_bytes: int | None


def _read_content_range(response: HTTPResponse, asked_from: int) -> _ResponseBody | None:
    """None for a range that does not begin where it was asked to."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        # The file from its beginning, whether a range was asked for or not.
        return _ResponseBody(0, response.length, response.length)
    form = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
    if form is None:
        return None
    first, last, file_bytes = (int(digits) for digits in form.groups())
    return (
        _ResponseBody(first, last + 1, file_bytes)
        if first == asked_from <= last < file_bytes
        else None
    )


def _stream_chunks(response: HTTPResponse, most: int | None) -> Iterator[bytes]:
    """What arrives, as it arrives, at most `most` bytes; a lost connection is `_TemporaryError`."""
    while most is None or most > 0:
        try:
            # read1 returns what is there, so that nothing received is lost with the connection.
            chunk = response.read1(_CHUNK_BYTES if most is None else min(most, _CHUNK_BYTES))
        except (OSError, HTTPException) as error:
            raise _TemporaryError(f"the connection was lost: {_describe_error(error)}") from error
        if not chunk:
            return
        yield chunk
        if most is not None:
            most -= len(chunk)


def _require_size(source: PublishedFile, announced: int | None) -> None:
    """Refuses a file of another size before a byte of it replaces what is here already."""
    if announced is None:
        return
    if source.num_bytes is None and announced > _MAX_UNDECLARED_BYTES:
        raise _make_size_error(source, f"{announced:,}")
    if source.num_bytes is not None and announced != source.num_bytes:
        raise UserError(
            f"the server offers {announced:,} bytes, the published file has {source.num_bytes:,}",
            where=source.url,
            hint="A network that asks for a login answers like that: open the address in a "
            f"browser. Or the publisher has changed the file: see {source.homepage}",
        )


def _make_size_error(source: PublishedFile, sent: str) -> UserError:
    expected = source.num_bytes or _MAX_UNDECLARED_BYTES
    return UserError(
        f"the server sends {sent} bytes where at most {expected:,} are expected",
        where=source.url,
        hint=f"Nothing of it was kept. Download the file by hand from {source.homepage}",
    )


def _send_request(source: PublishedFile, received: int, timeout: float) -> HTTPResponse | None:
    """The server's answer with the bytes from `received` on; None when it has no more."""
    request = urllib.request.Request(
        source.url, headers={"User-Agent": "kd_tf", "Accept-Encoding": "identity"}
    )
    if received:
        request.add_header("Range", f"bytes={received}-")
    try:
        return _build_opener(source).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and received:
            return None  # whether what is here is the whole file is for its SHA-256 to say
        if error.code in (408, 429) or error.code >= 500:
            raise _TemporaryError(f"the server answered {error.code} {error.reason}") from error
        raise UserError(
            f"the server answered {error.code} {error.reason}",
            where=source.url,
            hint=f"See whether the publisher has moved the file: {source.homepage}",
        ) from error
    except (OSError, HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            # Trying again changes nothing, and going on without would hide who answers.
            raise UserError(
                f"the server's certificate is not valid: {cause.verify_message}",
                where=source.url,
                hint=f"Download the file by hand from {source.homepage} into the folder and run "
                "again: it is checked against its SHA-256 all the same.",
            ) from error
        raise _TemporaryError(f"no connection: {_describe_error(error)}") from error


def _describe_error(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause) or type(cause).__name__


def _build_opener(source: PublishedFile) -> urllib.request.OpenerDirector:
    """Speaks http and https alone; urllib's default opener also follows to ftp."""
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
    """Follows to https only, and on this machine itself to the same host."""

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
            f"the server sends on to {newurl}, which is not safe to follow",
            where=req.full_url,
            hint="Only https addresses are followed. Download the file by hand.",
        )


def _compute_sha256(file: BufferedRandom | BufferedReader) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _require_space(part: BufferedRandom, needed: int) -> None:
    free = shutil.disk_usage(Path(part.name).parent).free
    if free < needed:
        raise UserError(
            f"{needed:,} bytes are needed and {free:,} are free on the disk",
            where=str(Path(part.name).parent),
            hint="Free some space or choose another folder, and run again.",
        )


def _add_suffix(target: Path, ending: str) -> Path:
    return target.with_name(f"{target.name}.{ending}")


@contextlib.contextmanager
def _open_part_file(path: Path) -> Iterator[BufferedRandom]:
    """The file that receives, with what earlier calls left in it; removed if it stays empty."""
    path.touch()
    try:
        with path.open("r+b") as part:
            yield part
    finally:
        if path.stat().st_size == 0:
            path.unlink()


@contextlib.contextmanager
def _hold_lock(path: Path) -> Iterator[None]:
    """Keeps other processes out by a lock that the system itself drops when this one dies."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _try_lock(descriptor):
                raise UserError(
                    "another process is downloading this file",
                    where=str(path),
                    hint="Wait until it has finished and run again.",
                )
            if not _is_same_file(descriptor, path):
                continue  # its last holder removed it between the two lines above
            try:
                yield
            finally:
                # On Windows an open file cannot be removed; an unheld lock hinders nobody.
                with contextlib.suppress(OSError):
                    path.unlink()
            return
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
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
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _explain_disk_errors(folder: Path) -> Iterator[None]:
    """Errors of the network never get here: they are `_TemporaryError` long before."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot store the file: {error.strerror or error}",
            where=str(error.filename or folder),
            hint="See that the disk is not full and that the folder can be written.",
        ) from error
