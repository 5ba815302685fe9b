"""Downloads, against a server on this machine: no test ever reaches the network."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.sources import download as room
from kd_tf.data.sources.download import (
    MANUAL_DOWNLOAD_PAGES,
    PUBLISHED_FILES,
    PublishedFile,
    download,
)
from kd_tf.errors import UserError
from kd_tf.progress import Advance

CONTENT = bytes(range(256)) * 400 + b"the end"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NOTHING_LEFT = {"set.zip"}


class Request(http.server.BaseHTTPRequestHandler):
    """Answers with the next reply of the script, or serves the file when it is at its end."""

    server: Publisher

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        reply = self.server.script.pop(0) if self.server.script else serve()
        with contextlib.suppress(OSError):  # the downloader may hang up early
            reply(self)
        self.close_connection = True

    def begin(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, body: bytes) -> None:
        self.wfile.write(body)
        self.server.bytes_sent += len(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


Reply = Callable[[Request], None]


class Publisher(http.server.ThreadingHTTPServer):
    """A publisher's server that can be told to misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.forget()

    def forget(self) -> None:
        self.script: list[Reply] = []
        self.ranges: list[str | None] = []
        self.bytes_sent = 0

    def address(self, path: str = "/set.zip") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def source(self, size: int | None = len(CONTENT), sha256: str = SHA256) -> PublishedFile:
        return PublishedFile(self.address(), size, sha256, "free", "https://example.org/set")


def serve(content: bytes = CONTENT, cut: int | None = None) -> Reply:
    """Serves ranges, and hangs up after `cut` bytes."""

    def reply(request: Request) -> None:
        calls = request.headers.get("Range")
        start = int(calls.removeprefix("bytes=").removesuffix("-")) if calls else 0
        if start >= len(content):
            return request.begin(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
        rest = content[start:]
        if calls:
            end = len(content) - 1
            request.begin(
                206,
                Content_Length=len(rest),
                Content_Range=f"bytes {start}-{end}/{len(content)}",
            )
        else:
            request.begin(200, Content_Length=len(rest))
        request.send(rest[:cut])
        return None

    return reply


def ignore_range(cut: int | None = None) -> Reply:
    def reply(request: Request) -> None:
        request.begin(200, Content_Length=len(CONTENT))
        request.send(CONTENT[:cut])

    return reply


def answer(status: int, body: bytes = b"", **headers: object) -> Reply:
    def reply(request: Request) -> None:
        request.begin(status, Content_Length=len(body), **headers)
        request.send(body)

    return reply


def hang_up(request: Request) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Recorded:
    """A progress that can be asked afterwards what it was told."""

    tasks: list[tuple[str, int, list[int]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        steps: list[int] = []
        self.tasks.append((label, total, steps))
        yield lambda count=1, note="": steps.append(count)

    def info(self, message: str) -> None:
        self.messages.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture(scope="module")
def running() -> Iterator[Publisher]:
    with Publisher() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def publisher(running: Publisher) -> Publisher:
    running.forget()
    return running


def fetch(publisher: Publisher, folder: Path, **options: object) -> Path:
    options = {"source": publisher.source(), "retry_waits": (0, 0, 0), "timeout": 5.0, **options}
    return download("a set", folder, **options)  # type: ignore[arg-type]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_file_arrives_whole_under_its_publishers_name(
    publisher: Publisher, tmp_path: Path
) -> None:
    path = fetch(publisher, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "set.zip"
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == NOTHING_LEFT
    assert publisher.ranges == [None]


def test_a_right_file_is_returned_without_a_request(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(CONTENT)
    assert fetch(publisher, tmp_path) == tmp_path / "set.zip"
    assert publisher.ranges == []
    assert names(tmp_path) == NOTHING_LEFT


def test_another_file_of_that_name_is_never_overwritten(
    publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "set.zip").write_bytes(b"mine")
    with pytest.raises(UserError, match="not the published one") as caught:
        fetch(publisher, tmp_path)
    assert hashlib.sha256(b"mine").hexdigest() in str(caught.value)
    assert SHA256 in str(caught.value)
    assert (tmp_path / "set.zip").read_bytes() == b"mine"
    assert publisher.ranges == []


def test_another_file_that_appears_meanwhile_is_never_overwritten(
    publisher: Publisher, tmp_path: Path
) -> None:
    def serve_slowly(request: Request) -> None:
        (tmp_path / "set.zip").write_bytes(b"mine")
        serve()(request)

    publisher.script = [serve_slowly]
    with pytest.raises(UserError, match="not the published one"):
        fetch(publisher, tmp_path)
    assert (tmp_path / "set.zip").read_bytes() == b"mine"


def test_a_lost_connection_is_resumed_where_it_was_lost(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.script = [serve(cut=70_000)]
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert publisher.ranges == [None, "bytes=70000-"]
    assert publisher.bytes_sent == len(CONTENT)


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(1, 40_000), max_size=4), size_known=st.booleans())
def test_no_byte_is_requested_twice_however_often_the_connection_is_lost(
    running: Publisher, cuts: list[int], size_known: bool
) -> None:
    running.forget()
    running.script = [serve(cut=cut) for cut in cuts]
    source = running.source(len(CONTENT) if size_known else None)
    with tempfile.TemporaryDirectory() as folder:
        path = fetch(running, Path(folder), source=source, retry_waits=(0,))
        assert path.read_bytes() == CONTENT
    # The publisher counts after it has sent: its thread may be a moment behind.
    wait_until = time.monotonic() + 5
    while running.bytes_sent < len(CONTENT) and time.monotonic() < wait_until:
        time.sleep(0.01)
    assert running.bytes_sent == len(CONTENT)


def test_the_next_call_goes_on_where_the_last_one_gave_up(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.script = [serve(cut=1000), hang_up, hang_up]
    with pytest.raises(UserError, match="download failed") as caught:
        fetch(publisher, tmp_path, retry_waits=(0, 0))
    assert "1,000 bytes are kept" in str(caught.value)
    assert names(tmp_path) == {"set.zip.part"}
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert publisher.ranges == [None, "bytes=1000-", "bytes=1000-", "bytes=1000-"]
    assert names(tmp_path) == NOTHING_LEFT


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.script = [ignore_range(cut=5000), ignore_range()]
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert publisher.ranges == [None, "bytes=5000-"]


def test_a_server_that_restarts_forever_raises(publisher: Publisher, tmp_path: Path) -> None:
    publisher.script = [ignore_range(cut=5000)] * 20
    with pytest.raises(UserError, match="download failed"):
        fetch(publisher, tmp_path, retry_waits=(0, 0))
    assert len(publisher.ranges) == 3


def test_a_range_that_begins_elsewhere_is_not_glued_on(
    publisher: Publisher, tmp_path: Path
) -> None:
    size = len(CONTENT)
    elsewhere = answer(206, CONTENT[900:], Content_Range=f"bytes 900-{size - 1}/{size}")
    publisher.script = [serve(cut=1000), elsewhere]
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert publisher.ranges == [None, "bytes=1000-", None]


@pytest.mark.parametrize("content_range", ["", "bytes 0-9", "bytes 5-3/10", "items 0-9/10"])
def test_a_partial_response_without_its_range_is_not_used(
    publisher: Publisher, tmp_path: Path, content_range: str
) -> None:
    publisher.script = [answer(206, b"0123456789", Content_Range=content_range)]
    with pytest.raises(UserError, match="another range"):
        fetch(publisher, tmp_path, retry_waits=())
    assert names(tmp_path) == set()


def test_wrong_bytes_are_deleted_and_the_error_has_both_digests(
    publisher: Publisher, tmp_path: Path
) -> None:
    wrong = CONTENT[:-1] + b"?"
    publisher.script = [serve(wrong)]
    with pytest.raises(UserError, match="not the published file") as caught:
        fetch(publisher, tmp_path)
    assert SHA256 in str(caught.value)
    assert hashlib.sha256(wrong).hexdigest() in str(caught.value)
    assert names(tmp_path) == set()


def test_the_digest_covers_what_an_earlier_call_received(
    publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "set.zip.part").write_bytes(b"?" * 1000)
    with pytest.raises(UserError, match="not the published file"):
        fetch(publisher, tmp_path)
    assert publisher.ranges == ["bytes=1000-"]
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT


def test_a_complete_part_needs_no_request(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT)
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert publisher.ranges == []


def test_a_part_longer_than_the_file_is_no_beginning_of_it(
    publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT + b"?")
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert publisher.ranges == [None]


def test_no_bytes_left_at_the_server_means_that_all_are_here(
    publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT)
    path = fetch(publisher, tmp_path, source=publisher.source(size=None))
    assert path.read_bytes() == CONTENT
    assert publisher.ranges == [f"bytes={len(CONTENT)}-"]
    assert publisher.bytes_sent == 0


def test_no_bytes_left_at_the_server_does_not_make_a_wrong_part_right(
    publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "set.zip.part").write_bytes(b"?" * len(CONTENT))
    with pytest.raises(UserError, match="not the published file"):
        fetch(publisher, tmp_path, source=publisher.source(size=None))
    assert names(tmp_path) == set()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_server_that_never_stops_sending_is_refused(
    publisher: Publisher, tmp_path: Path, chunked: bool
) -> None:
    def endless(request: Request) -> None:
        request.protocol_version = "HTTP/1.1" if chunked else "HTTP/1.0"
        request.begin(200, **({"Transfer_Encoding": "chunked"} if chunked else {}))
        piece = b"x" * 50_000
        for _ in range(400):  # an end after 20 MB, lest a downloader that is wrong fill the disk
            request.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)

    publisher.script = [endless]
    with pytest.raises(UserError, match="more than"):
        fetch(publisher, tmp_path)
    assert names(tmp_path) == set()
    assert len(publisher.ranges) == 1


@pytest.mark.parametrize("size", [len(CONTENT) + 1, 10])
def test_a_file_of_another_size_is_refused_and_what_was_received_stays(
    publisher: Publisher, tmp_path: Path, size: int
) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT[:1000])
    publisher.script = [answer(200, b"<" * size)]
    with pytest.raises(UserError, match=f"{size:,}"):
        fetch(publisher, tmp_path)
    assert (tmp_path / "set.zip.part").read_bytes() == CONTENT[:1000]
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT


def test_a_file_of_unknown_size_has_a_limit(publisher: Publisher, tmp_path: Path) -> None:
    def enormous(request: Request) -> None:
        request.begin(200, Content_Length=(1 << 30) + 1)

    publisher.script = [enormous]
    with pytest.raises(UserError, match="at most 1,073,741,824"):
        fetch(publisher, tmp_path, source=publisher.source(size=None))
    assert names(tmp_path) == set()


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_missing_file_is_requested_once(
    publisher: Publisher, tmp_path: Path, status: int
) -> None:
    publisher.script = [answer(status)]
    with pytest.raises(UserError, match=f"answered {status}") as caught:
        fetch(publisher, tmp_path)
    assert "https://example.org/set" in str(caught.value)
    assert len(publisher.ranges) == 1
    assert names(tmp_path) == set()


def test_an_overloaded_server_is_retried(publisher: Publisher, tmp_path: Path) -> None:
    publisher.script = [answer(500), answer(503), answer(429)]
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert len(publisher.ranges) == 4


def test_waits_grow_and_reset_once_data_arrived(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("kd_tf.data.sources.download.time.sleep", slept.append)
    publisher.script = [answer(500), hang_up, serve(cut=10), answer(502)]
    progress = Recorded()
    fetch(publisher, tmp_path, retry_waits=(1, 4, 15), progress=progress)
    assert slept == [1, 4, 1, 4]
    assert len(progress.warnings) == 4
    assert "10 of" in progress.warnings[2]


def test_a_silent_server_counts_as_a_lost_connection(publisher: Publisher, tmp_path: Path) -> None:
    released = threading.Event()
    began = time.monotonic()

    def silent(request: Request) -> None:
        request.begin(200, Content_Length=len(CONTENT))
        request.send(CONTENT[:100])
        request.wfile.flush()
        released.wait(10)

    publisher.script = [silent]
    try:
        assert fetch(publisher, tmp_path, timeout=0.2).read_bytes() == CONTENT
    finally:
        released.set()
    assert publisher.ranges == [None, "bytes=100-"]
    assert time.monotonic() - began < 4


def test_an_unreachable_server_raises(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and never listening: it refuses
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/set.zip"
        source = PublishedFile(address, 10, SHA256, "free", "https://example.org/set")
        with pytest.raises(UserError, match="no connection"):
            download("a set", tmp_path, source=source, retry_waits=(0,))
    assert names(tmp_path) == set()


def test_an_invalid_certificate_raises_without_a_retry(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    def refuse(opener: object, request: object, timeout: float) -> None:
        opened.append(request)
        expired = ssl.SSLCertVerificationError(1, "expired")
        expired.verify_message = "certificate has expired"
        raise urllib.error.URLError(expired)

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", refuse)
    with pytest.raises(UserError, match="certificate has expired") as caught:
        fetch(publisher, tmp_path)
    assert "by hand" in str(caught.value)
    assert len(opened) == 1


def test_a_redirect_on_the_same_host_is_followed_with_its_range(
    publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT[:1000])
    publisher.script = [answer(302, Location=publisher.address("/elsewhere/other.zip"))]
    assert fetch(publisher, tmp_path) == tmp_path / "set.zip"
    assert publisher.ranges == ["bytes=1000-", "bytes=1000-"]


@pytest.mark.parametrize(
    "location",
    [
        "http://example.org/set.zip",
        "http://127.0.0.2:1/set.zip",
        "http://localhost:1/set.zip",
        "ftp://127.0.0.1/set.zip",
    ],
)
def test_a_redirect_to_an_unsafe_address_is_refused(
    publisher: Publisher, tmp_path: Path, location: str
) -> None:
    publisher.script = [answer(302, Location=location)]
    with pytest.raises(UserError, match="not safe to follow"):
        fetch(publisher, tmp_path)
    assert names(tmp_path) == set()


def test_a_redirect_to_a_file_of_this_machine_is_refused(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.script = [answer(302, Location="file:///etc/hostname")]
    with pytest.raises(UserError, match="302"):
        fetch(publisher, tmp_path)
    assert names(tmp_path) == set()


def test_a_redirect_to_https_is_followed(publisher: Publisher, tmp_path: Path) -> None:
    # The server at that port speaks no TLS: that it was tried is all there is to see.
    https = publisher.address().replace("http:", "https:")
    publisher.script = [answer(302, Location=https)]
    with pytest.raises(UserError, match=r"no connection: .*SSL"):
        fetch(publisher, tmp_path, retry_waits=())


def test_redirects_in_a_circle_end(publisher: Publisher, tmp_path: Path) -> None:
    publisher.script = [answer(302, Location=publisher.address())] * 50
    with pytest.raises(UserError, match="302"):
        fetch(publisher, tmp_path)


def test_requests_to_localhost_bypass_the_proxy(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert fetch(publisher, tmp_path, retry_waits=()).read_bytes() == CONTENT


def test_a_full_disk_is_found_before_the_first_request(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=len(CONTENT) - 1)
    monkeypatch.setattr("kd_tf.data.sources.download.shutil.disk_usage", lambda path: usage)
    with pytest.raises(UserError, match="are free on the disk"):
        fetch(publisher, tmp_path)
    assert publisher.ranges == []
    with pytest.raises(UserError, match="are free on the disk"):
        fetch(publisher, tmp_path, source=publisher.source(size=None))
    (tmp_path / "set.zip.part").write_bytes(CONTENT[:1])  # one byte less is needed
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT


def test_a_full_disk_raises_and_is_not_retried(publisher: Publisher, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(UserError, match="cannot store the file"):
            fetch(publisher, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(publisher.ranges) == 1
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT


def test_a_folder_that_is_a_file_raises(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(UserError, match="cannot store the file"):
        fetch(publisher, tmp_path / "taken")


def test_ctrl_c_leaves_what_was_received_for_the_next_call(
    publisher: Publisher, tmp_path: Path
) -> None:
    class Impatient(Recorded):
        @contextlib.contextmanager
        def task(self, label: str, total: int) -> Iterator[Advance]:
            def advance(count: int = 1, note: str = "") -> None:
                if count:
                    raise KeyboardInterrupt

            yield advance

    with pytest.raises(KeyboardInterrupt):
        fetch(publisher, tmp_path, progress=Impatient())
    assert names(tmp_path) == {"set.zip.part"}
    kept = (tmp_path / "set.zip.part").stat().st_size
    assert kept > 0
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert publisher.ranges[1:] in ([f"bytes={kept}-"], [])


def test_two_downloads_at_once_do_not_disturb_each_other(
    publisher: Publisher, tmp_path: Path
) -> None:
    begun, released = threading.Event(), threading.Event()

    def held_back(request: Request) -> None:
        request.begin(200, Content_Length=len(CONTENT))
        request.send(CONTENT[:1000])
        begun.set()
        released.wait(10)
        request.send(CONTENT[1000:])

    publisher.script = [held_back]
    first = threading.Thread(target=fetch, args=(publisher, tmp_path))
    first.start()
    try:
        assert begun.wait(10)
        with pytest.raises(UserError, match="another process is downloading"):
            fetch(publisher, tmp_path)
    finally:
        released.set()
        first.join(10)
    assert (tmp_path / "set.zip").read_bytes() == CONTENT
    assert publisher.ranges == [None]
    assert names(tmp_path) == NOTHING_LEFT


def test_many_downloads_at_once_end_with_one_whole_file(
    publisher: Publisher, tmp_path: Path
) -> None:
    surprises: list[Exception] = []

    def one() -> None:
        try:
            assert fetch(publisher, tmp_path).read_bytes() == CONTENT
        except UserError as error:
            if "another process" not in str(error):
                surprises.append(error)
        except Exception as error:
            surprises.append(error)

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert surprises == []
    assert publisher.bytes_sent == len(CONTENT)
    assert names(tmp_path) == NOTHING_LEFT


def test_a_file_that_another_process_finished_meanwhile_is_not_fetched_again(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock_after_the_other_has_finished(descriptor: int) -> bool:
        (tmp_path / "set.zip").write_bytes(CONTENT)
        return True

    monkeypatch.setattr(room, "_try_lock", lock_after_the_other_has_finished)
    assert fetch(publisher, tmp_path) == tmp_path / "set.zip"
    assert publisher.ranges == []


def test_a_lock_that_its_last_holder_removed_is_none(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, locked = room._try_lock, []

    def lock_as_the_last_holder_removes_it(descriptor: int) -> bool:
        if not locked:
            (tmp_path / "set.zip.lock").unlink()
        locked.append(descriptor)
        return lock(descriptor)

    monkeypatch.setattr(room, "_try_lock", lock_as_the_last_holder_removes_it)
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert len(locked) == 2  # the first held a file that nobody else can see


def test_a_killed_process_leaves_no_lock_that_holds(publisher: Publisher, tmp_path: Path) -> None:
    begun, released = threading.Event(), threading.Event()

    def held_back(request: Request) -> None:
        request.begin(200, Content_Length=len(CONTENT))
        request.send(CONTENT[:1000])
        begun.set()
        released.wait(20)

    publisher.script = [held_back]
    code = (
        "import sys; from pathlib import Path; from kd_tf.data.sources.download import PublishedFile, download;"  # noqa: E501
        "source = PublishedFile(sys.argv[1], int(sys.argv[2]), sys.argv[3], '', '');"
        "download('a set', Path(sys.argv[4]), source=source)"
    )
    arguments = [publisher.address(), str(len(CONTENT)), SHA256, str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments])
    try:
        assert begun.wait(20)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait(10)
        released.set()
    assert "set.zip.lock" in names(tmp_path)
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert names(tmp_path) == NOTHING_LEFT


def test_progress_counts_every_byte_and_names_the_licence(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.script = [serve(cut=1000)]
    progress = Recorded()
    fetch(publisher, tmp_path, progress=progress)
    label, total, steps = progress.tasks[0]
    assert (label, total, sum(steps)) == ("download a set", len(CONTENT), 1000)
    label, total, steps = progress.tasks[1]
    assert (total, steps[0], sum(steps)) == (len(CONTENT), 1000, len(CONTENT))
    assert "licence: free" in progress.messages[0]


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/set.zip",
        "http://localhost.example.org/set.zip",
        "http://127.0.0.1.example.org/set.zip",
        "http://127.0.0.1@example.org/set.zip",
        "ftp://example.org/set.zip",
        "file:///etc/hostname",
        "https://example.org/",
        "https://example.org/..",
        "https:///set.zip",
        "set.zip",
    ],
)
def test_only_https_and_loopback_addresses_of_a_file_make_a_source(address: str) -> None:
    with pytest.raises(ValueError, match="url"):
        PublishedFile(address, 10, SHA256, "free", "https://example.org/set")


@pytest.mark.parametrize(("size", "digest"), [(0, SHA256), (-1, SHA256), (1, "abc"), (1, "")])
def test_a_source_without_a_size_or_digest_is_refused(size: int, digest: str) -> None:
    with pytest.raises(ValueError, match=r"bytes|sha256"):
        PublishedFile(
            "https://example.org/set.zip", size, digest, "free", "https://example.org/set"
        )


def test_published_sources_are_https_and_have_files_of_their_own() -> None:
    assert all(source.url.startswith("https://") for source in PUBLISHED_FILES.values())
    assert len({source.file_name for source in PUBLISHED_FILES.values()}) == len(PUBLISHED_FILES)
    assert len({source.sha256 for source in PUBLISHED_FILES.values()}) == len(PUBLISHED_FILES)
    assert not set(PUBLISHED_FILES) & set(MANUAL_DOWNLOAD_PAGES)
    assert "movielens-latest" not in PUBLISHED_FILES


@pytest.mark.parametrize("name", MANUAL_DOWNLOAD_PAGES)
def test_a_set_without_a_known_digest_has_to_be_fetched_by_hand(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no known SHA-256") as caught:
        download(name, tmp_path)
    assert MANUAL_DOWNLOAD_PAGES[name] in str(caught.value)
    assert "--data-dir" in str(caught.value)
    assert names(tmp_path) == set()


def test_an_unknown_name_raises_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="movielens-100k"):
        download("movielens", tmp_path)


def test_a_name_alone_fetches_its_published_source(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(room.PUBLISHED_FILES, "here", publisher.source())
    assert download("here", tmp_path).read_bytes() == CONTENT
