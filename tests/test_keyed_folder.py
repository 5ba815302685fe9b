"""A folder is kept while its key and every byte in it are as they were, else built again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kd_tf.keyed_folder import KEY_FILE, fill_folder

KEY = {"seed": 42, "sizes": (3, 4)}


def build(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "weights").write_bytes(b"\1\2\3")
    (folder / "record.json").write_text("{}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert fill_folder(tmp_path / "stage", KEY, build) == "filled"
    return tmp_path / "stage"


def test_an_untouched_folder_is_kept_and_another_key_fills_it_again(folder):
    before = (folder / "record.json").stat().st_ino
    assert fill_folder(folder, KEY, build) == "reused"
    assert (folder / "record.json").stat().st_ino == before
    assert fill_folder(folder, {**KEY, "seed": 43}, build) == "filled"
    assert (folder / "record.json").stat().st_ino != before


DAMAGES: dict[str, Callable[[Path], object]] = {
    "zeros": lambda folder: (folder / "deep" / "weights").write_bytes(b"\0\0\0"),
    "cut": lambda folder: (folder / "deep" / "weights").write_bytes(b"\1\2"),
    "empty": lambda folder: (folder / "record.json").write_bytes(b""),
    "missing": lambda folder: (folder / "record.json").unlink(),
    "added": lambda folder: (folder / "deep" / "more").touch(),
    "renamed": lambda folder: (folder / "record.json").rename(folder / "deep" / "record.json"),
    "link": lambda folder: (folder / "link").symlink_to(folder / "record.json"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_folder_that_was_changed_is_built_again(folder, damage):
    damage(folder)
    assert fill_folder(folder, KEY, build) == "damaged"
    assert (folder / "deep" / "weights").read_bytes() == b"\1\2\3"
    assert sorted(path.name for path in folder.rglob("*")) == sorted(
        ["deep", "weights", "record.json", KEY_FILE]
    )
    assert fill_folder(folder, KEY, build) == "reused"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"key": 1}', "[" * 100_000])
def test_a_folder_without_a_readable_key_is_filled(folder, text):
    (folder / KEY_FILE).write_text(text)
    assert fill_folder(folder, KEY, build) == "filled"


def test_a_build_that_fails_leaves_the_folder_as_it_was(folder):
    with pytest.raises(ZeroDivisionError):
        fill_folder(folder, {"seed": 1}, lambda new_folder: 1 / 0)
    assert fill_folder(folder, KEY, build) == "reused"
    assert [path.name for path in folder.parent.iterdir()] == ["stage"]
