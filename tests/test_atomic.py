import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from kd_tf import atomic
from kd_tf.errors import UserError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def raiser(error: BaseException):
    def fail(*_arguments, **_settings):
        raise error

    return fail


def no_space() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def fail_on_write(monkeypatch, error: BaseException) -> None:
    """Every file that is opened by its handle takes half of what is written, then fails."""
    real = os.fdopen

    def opened(handle, *arguments):
        file = real(handle, *arguments)

        class Failing:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                file.close()

            def write(self, content):
                file.write(content[: len(content) // 2])
                raise error

        return Failing()

    monkeypatch.setattr(os, "fdopen", opened)


def fail_on_sync(monkeypatch, error: BaseException) -> None:
    monkeypatch.setattr(os, "fsync", raiser(error))


def fail_on_rename(monkeypatch, error: BaseException) -> None:
    monkeypatch.setattr(Path, "replace", raiser(error))


FAULTS = [fail_on_write, fail_on_sync, fail_on_rename]


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "folder" / "file.bin"
    atomic.write_bytes(path, b"\0\xff\n\r")
    assert path.read_bytes() == b"\0\xff\n\r"
    atomic.write_bytes(path, b"")
    assert path.read_bytes() == b""
    assert names(path.parent) == ["file.bin"]


def test_text_is_utf_8_with_its_line_ends_as_they_are(tmp_path):
    atomic.write_text(tmp_path / "t", "é\r\n\n")
    assert (tmp_path / "t").read_bytes() == b"\xc3\xa9\r\n\n"


def test_json_is_what_any_parser_reads_or_nothing_is_written(tmp_path):
    path = tmp_path / "r.json"
    atomic.write_json(path, {"title": "À", "ndcg@10": 0.25})
    assert json.loads(path.read_bytes()) == {"title": "À", "ndcg@10": 0.25}
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            atomic.write_json(path, {"ndcg@10": value})
    assert json.loads(path.read_bytes())["ndcg@10"] == 0.25
    assert names(tmp_path) == ["r.json"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_files_and_folders_get_the_rights_that_others_of_this_process_get(tmp_path, mask):
    before = os.umask(mask)
    try:
        atomic.write_bytes(tmp_path / "file", b"")
        with atomic.replace_directory(tmp_path / "folder"):
            pass
        assert os.umask(mask) == mask, "the mask itself is left as it was"
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o777 & ~mask


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("there_before", [True, False])
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, fault, there_before):
    path = tmp_path / "file"
    if there_before:
        path.write_bytes(b"old")
    fault(monkeypatch, no_space())
    with pytest.raises(UserError) as caught:
        atomic.write_bytes(path, b"new content")
    monkeypatch.undo()
    assert caught.value.where == str(path)
    assert "No space left" in caught.value.what
    assert "free some space" in caught.value.hint
    assert names(tmp_path) == (["file"] if there_before else [])
    assert not there_before or path.read_bytes() == b"old"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, "Input/output error")])
def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, fault, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    fault(monkeypatch, error)
    with pytest.raises(type(error)) as caught:
        atomic.write_bytes(path, b"new content")
    monkeypatch.undo()
    assert caught.value is error, "what is not the caller's fault is not dressed up as such"
    assert names(tmp_path) == ["file"]
    assert path.read_bytes() == b"old"


def test_a_file_in_place_of_a_folder_is_the_callers_fault(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    for call in (
        lambda: atomic.write_bytes(tmp_path / "file" / "inside", b""),
        lambda: atomic.replace_directory(tmp_path / "file" / "inside").__enter__(),
    ):
        with pytest.raises(UserError) as caught:
            call()
        assert "choose another place" in caught.value.hint
    assert (tmp_path / "file").read_bytes() == b"old"


def make_places(folder: Path) -> None:
    (folder / "file").write_bytes(b"old")
    (folder / "folder" / "deep").mkdir(parents=True)
    (folder / "dangling").symlink_to(folder / "nowhere")
    (folder / "loop").symlink_to(folder / "loop")


@pytest.mark.parametrize(
    ("check", "place", "message"),
    [
        (atomic.check_folder, "folder", None),
        (atomic.check_folder, "new/and/deep", None),
        (atomic.check_folder, "file", "part of the path is a file"),
        (atomic.check_folder, "file/new/deep", "part of the path is a file"),
        (atomic.check_folder, "dangling", "part of the path is a file"),
        (atomic.check_folder, "loop/new", "leads back to itself"),
        (atomic.check_folder, "n" * 300, "shorter name"),
        (atomic.check_file, "file", None),
        (atomic.check_file, "new/file", None),
        (atomic.check_file, "folder", "give the name of a file"),
        (atomic.check_file, "file/new", "part of the path is a file"),
    ],
)
def test_what_cannot_be_written_is_known_before_it_is_made(tmp_path, check, place, message):
    make_places(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    if message is None:
        check(tmp_path / place)
    else:
        with pytest.raises(UserError) as caught:
            check(tmp_path / place)
        assert caught.value.where.startswith(str(tmp_path))
        assert message in caught.value.hint
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_takes_nothing_is_known_before_it_is_written_to(tmp_path, monkeypatch, code):
    monkeypatch.setattr(tempfile, "TemporaryFile", raiser(OSError(code, os.strerror(code))))
    for check in (atomic.check_folder, atomic.check_file):
        with pytest.raises(UserError, match=os.strerror(code)):
            check(tmp_path / "new" / "results")
    assert names(tmp_path) == []


SITE = ["index.html", "js/app.js", "js/views/shelf.js"]


@pytest.mark.parametrize(
    ("other_files", "expected"),
    [
        ([], []),
        ([".DS_Store", "js/Thumbs.db"], []),
        (["CNAME", ".git/HEAD", ".git/objects/ab/cd"], [".git/", "CNAME"]),
        (["js/own.js", "js/vendor/own.js"], ["js/own.js", "js/vendor/"]),
        (["index.htm", "Index.html"], ["Index.html", "index.htm"]),
        (["empty/"], ["empty/"]),
    ],
)
def test_only_what_this_program_wrote_counts_as_its_own(tmp_path, other_files, expected):
    for name in [*SITE, *other_files]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.touch()
    (tmp_path / "js" / "link").symlink_to(tmp_path)
    expected = sorted([*expected, "js/link"])
    assert atomic.list_other_files(tmp_path, SITE) == expected
    with pytest.raises(UserError) as caught:
        atomic.check_replaceable(tmp_path, SITE, hint="Choose another.")
    assert caught.value.what.endswith(f": {', '.join(expected)}")
    assert caught.value.hint == "Choose another."


def test_a_folder_can_take_the_place_of_nothing_of_an_empty_one_and_of_its_like(tmp_path):
    folder = tmp_path / "new" / "site"
    atomic.check_replaceable(folder, SITE, hint="")
    folder.mkdir(parents=True)
    atomic.check_replaceable(folder, SITE, hint="")
    (folder / "index.html").touch()
    atomic.check_replaceable(folder, SITE, hint="")
    with pytest.raises(UserError, match="a file has this name"):
        atomic.check_replaceable(folder / "index.html", SITE, hint="")
    with pytest.raises(UserError, match="root of a disk"):
        atomic.check_replaceable(Path("/proc"), SITE, hint="")


def test_a_folder_appears_whole_when_its_block_ends(tmp_path):
    path = tmp_path / "runs" / "bundle"
    with atomic.replace_directory(path) as temporary:
        (temporary / "model.tflite").write_bytes(b"new")
        assert not path.exists()
    assert names(path) == ["model.tflite"]
    assert names(path.parent) == ["bundle"]


def test_a_folder_takes_the_place_of_the_old_one_with_all_that_was_in_it(tmp_path):
    path = tmp_path / "bundle"
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "old").write_bytes(b"old")
    with atomic.replace_directory(path) as temporary:
        (temporary / "new").write_bytes(b"new")
        assert (path / "deep" / "old").read_bytes() == b"old"
    assert names(path) == ["new"]
    assert names(tmp_path) == ["bundle"]


@pytest.mark.parametrize("there_before", [True, False])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (no_space(), UserError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (SystemExit(1), SystemExit),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
)
def test_a_block_that_fails_leaves_the_old_folder_and_no_other(
    tmp_path, there_before, error, expected
):
    path = tmp_path / "bundle"
    if there_before:
        path.mkdir()
        (path / "old").write_bytes(b"old")

    def fail_half_way():
        with atomic.replace_directory(path) as temporary:
            (temporary / "half").write_bytes(b"half")
            raise error

    with pytest.raises(expected) as caught:
        fail_half_way()
    assert names(tmp_path) == (["bundle"] if there_before else [])
    assert not there_before or names(path) == ["old"]
    if expected is UserError:
        assert caught.value.where == str(path)
        assert "free some space" in caught.value.hint


@pytest.mark.parametrize("error", [no_space(), KeyboardInterrupt()])
@pytest.mark.parametrize("failing_rename", [1, 2])
def test_a_folder_that_cannot_be_swapped_in_leaves_the_old_one(
    tmp_path, monkeypatch, error, failing_rename
):
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "old").write_bytes(b"old")
    real, calls = Path.replace, []

    def replace(self, target):
        calls.append(target)
        if len(calls) == failing_rename:
            raise error
        return real(self, target)

    # Where the system cannot exchange two folders in one step.
    monkeypatch.setattr(atomic, "_find_exchange", lambda: None)
    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises((UserError, KeyboardInterrupt)), atomic.replace_directory(path) as temporary:
        (temporary / "new").write_bytes(b"new")
    assert names(tmp_path) == ["bundle"]
    assert names(path) == ["old"]


WRITER = """
import sys, time
from pathlib import Path
from kd_tf import atomic

with atomic.replace_directory(Path(sys.argv[1])) as temporary:
    (temporary / "half").write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(600)
"""


def start_writer(path: Path) -> subprocess.Popen[str]:
    """Another process that stays in the midst of writing a folder."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    return writer


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    path = tmp_path / "bundle"
    killed, living = start_writer(path), start_writer(path)
    try:
        (of_killed, of_living) = (
            next(
                tmp_path / name
                for name in names(tmp_path)
                if os.path.samestat(
                    (tmp_path / name).stat(), Path(f"/proc/{writer.pid}/fd/3").stat()
                )
            )
            for writer in (killed, living)
        )
        killed.kill()
        killed.wait()
        assert of_killed.exists()
        with atomic.replace_directory(path) as temporary:
            (temporary / "new").write_bytes(b"new")
        assert names(tmp_path) == sorted(["bundle", of_living.name])
        atomic.remove_all_leftovers(tmp_path)
        assert of_living.exists()
    finally:
        living.kill()
        living.wait()
    atomic.remove_all_leftovers(tmp_path.parent)
    assert names(tmp_path) == ["bundle"]
    assert names(path) == ["new"]


def test_a_temporary_file_of_a_killed_process_is_removed_by_the_next_writer(tmp_path):
    (tmp_path / ".file.abcd_123.kd-tf.tmp").write_bytes(b"half")
    (tmp_path / ".other.abcd_123.kd-tf.tmp").write_bytes(b"half")
    (tmp_path / ".file.settings").write_bytes(b"the user's")
    atomic.write_bytes(tmp_path / "file", b"new")
    assert names(tmp_path) == [".file.settings", ".other.abcd_123.kd-tf.tmp", "file"]


@pytest.mark.parametrize(
    "name",
    [
        *(".file.abc.tmp", ".file.abcd1234.tmp", ".file.old", ".file.abcd1234.old", "file.tmp"),
        *(".kd-tf.tmp", ".abcd1234.kd-tf.tmp", ".file.abc.kd-tf.tmp", ".file.ABCD1234.kd-tf.tmp"),
        *("file.abcd1234.kd-tf.tmp", ".file.abcd1234.kd-tf.tmp.txt", ".file.abcd1234.kd-tf.tmp\n"),
    ],
)
@pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
def test_temporary_files_of_other_programs_are_kept(tmp_path, name, make):
    (tmp_path / "file").touch()
    make(tmp_path / name)
    atomic.remove_all_leftovers(tmp_path)
    atomic.write_bytes(tmp_path / "file", b"new")
    assert names(tmp_path) == sorted([name, "file"])


def test_links_and_pipes_with_the_name_of_a_leftover_are_kept_and_not_waited_for(tmp_path):
    (tmp_path / "kept").touch()
    (tmp_path / ".file.abcd1234.kd-tf.tmp").symlink_to(tmp_path / "kept")
    os.mkfifo(tmp_path / ".file.efgh1234.kd-tf.tmp")
    before = names(tmp_path)
    atomic.remove_all_leftovers(tmp_path)
    atomic.write_bytes(tmp_path / "file", b"new")
    assert names(tmp_path) == sorted([*before, "file"])


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_was_moved_away_is_put_back_unless_another_took_its_place(tmp_path, there):
    (tmp_path / ".bundle.abcd1234.kd-tf.old").mkdir()
    (tmp_path / ".bundle.abcd1234.kd-tf.old" / "old").touch()
    if there:
        (tmp_path / "bundle").mkdir()
        (tmp_path / "bundle" / "new").touch()
    atomic.remove_all_leftovers(tmp_path)
    assert names(tmp_path) == ["bundle"]
    assert names(tmp_path / "bundle") == ["new" if there else "old"]


@pytest.mark.skipif(atomic._find_exchange() is None, reason="this system cannot exchange folders")
def test_a_folder_is_there_at_every_moment_of_its_replacement(tmp_path):
    path = tmp_path / "bundle"
    replaced = 0
    stop = threading.Event()
    missing = []

    def watch() -> None:
        while not stop.is_set():
            if not path.is_dir():
                missing.append(replaced)

    with atomic.replace_directory(path):
        pass
    watcher = threading.Thread(target=watch)
    watcher.start()
    for replaced in range(300):
        with atomic.replace_directory(path) as temporary:
            (temporary / "file").write_text(str(replaced))
    stop.set()
    watcher.join()
    assert not missing
    assert (path / "file").read_text() == "299"


def test_a_link_to_a_folder_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    (tmp_path / "bundle").symlink_to(tmp_path / "elsewhere")
    with atomic.replace_directory(tmp_path / "bundle") as temporary:
        (temporary / "new").touch()
    assert names(tmp_path) == ["bundle", "elsewhere"]
    assert names(tmp_path / "bundle") == ["new"]
    assert names(tmp_path / "elsewhere") == ["kept"]
