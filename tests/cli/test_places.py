"""Where a result cannot be written is known before any work, and nobody else's file is lost."""

from __future__ import annotations

import errno
import json
import os
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from kd_tf import cli
from kd_tf.cli.output import check_json_path, write_json
from kd_tf.errors import UserError

SMALL = ["--set", "data.synthetic_items=60", "--set", "data.synthetic_users=80", "--quiet"]

JSON_COMMANDS = {
    "demo": ["demo"],
    "run": ["run"],
    "compare": ["compare"],
    "baselines": ["baselines"],
    "data": ["data", "synthetic"],
    "benchmark": ["benchmark", "model.tflite"],
    "recommend": ["recommend", "bundle", "--history", "Dune"],
}
FOLDER_COMMANDS = {
    "demo": ["demo", "--out"],
    "run": ["run", "--out"],
    "compare": ["compare", "--out"],
    "preview": ["preview", "bundle", "--export"],
    "download": ["download", "movielens-100k", "--to"],
}

BAD_FILES = {
    "folder": ("folder", "give the name of a file"),
    "in a file": ("file/results.json", "part of the path is a file"),
    "long": ("n" * 300, "Give a shorter name"),
}
BAD_FOLDERS = {
    "file": ("file", "file"),
    "in a file": ("file/deep/run", "a directory"),
    "of others": ("folder", "notes.txt"),
    "long": ("n" * 300, "ame too long"),
}


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file, and a folder with notes, in the current folder."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def list_files(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in folder.rglob("*") if path.is_file()}


def call(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """Returns what a command says that must refuse its arguments before it starts to work."""
    monkeypatch.setattr(sys, "argv", ["kd-tf", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    output = capsys.readouterr()
    assert end.value.code == 2, output.err
    assert output.out == ""
    assert "Traceback" not in output.err
    assert "starting TensorFlow" not in output.err
    return output.err


@pytest.mark.parametrize(("path", "message"), BAD_FILES.values(), ids=BAD_FILES)
@pytest.mark.parametrize("command", JSON_COMMANDS.values(), ids=JSON_COMMANDS)
def test_a_file_that_cannot_be_written_is_refused(
    command: list[str],
    path: str,
    message: str,
    places: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = list_files(places)
    assert message in call([*command, "--json", path], monkeypatch, capsys)
    assert list_files(places) == before


@pytest.mark.parametrize(("path", "message"), BAD_FOLDERS.values(), ids=BAD_FOLDERS)
@pytest.mark.parametrize("command", FOLDER_COMMANDS.values(), ids=FOLDER_COMMANDS)
def test_a_folder_that_cannot_be_written_is_refused(
    command: list[str],
    path: str,
    message: str,
    places: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if command[0] == "download" and path == "folder":
        return  # a download is a file beside others
    before = list_files(places)
    assert message in call([*command, path], monkeypatch, capsys)
    assert list_files(places) == before


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize(
    "command",
    [
        *([*command, "new/results.json"] for command in (["run", "--json"], ["demo", "--json"])),
        ["run", "--out", "new/run"],
        ["compare", "--out", "new/run"],
        ["preview", "bundle", "--export", "new/site"],
    ],
)
def test_a_disk_that_takes_nothing_is_refused(
    code: int,
    command: list[str],
    places: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    assert os.strerror(code) in call(command, monkeypatch, capsys)
    assert not (places / "new").exists()


def test_json_goes_into_a_pipe_and_through_a_link_and_takes_neithers_place(places: Path) -> None:
    os.mkfifo("pipe")
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(Path("pipe").read_text()), daemon=True)
    reader.start()
    Path("link").symlink_to("results.json")
    for name in ("pipe", "link"):
        assert check_json_path(Path(name)) == Path(name)
        assert not write_json(Path(name), {"title": "é"})
    reader.join(timeout=10)
    assert json.loads(received[0]) == {"title": "é"}
    assert Path("pipe").is_fifo()
    with pytest.raises(UserError, match="No space left"):
        write_json(Path("/dev/full"), {})
    assert Path("link").is_symlink()
    assert json.loads(Path("results.json").read_text("utf-8")) == {"title": "é"}
