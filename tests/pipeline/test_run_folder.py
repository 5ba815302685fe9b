"""A run writes into its own folder only, and deletes nothing there that it did not write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kd_tf.errors import UserError
from kd_tf.keyed_folder import fill_folder
from kd_tf.pipeline.run_folder import MARKER_FILE, check_run_folder, reserve_run_folder


def make_run(folder: Path) -> None:
    """The folder of a run, as far as files of others matter."""
    with reserve_run_folder(folder):
        for stage in ("teacher", "student/distilled"):
            fill_folder(folder / stage, {}, lambda new: (new / "training.json").write_text("{}"))
        (folder / "config.toml").touch()
        (folder / "bundle").mkdir()
        for name in ("model.tflite", "catalog.json", "config.json", "MODEL_CARD.md"):
            (folder / "bundle" / name).touch()


def write(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    return make


@pytest.mark.parametrize(
    "prepare",
    [
        lambda folder: None,
        Path.mkdir,
        make_run,
        *map(write, [".DS_Store", ".gitignore", "lost+found/x", ".lock", MARKER_FILE]),
    ],
)
def test_new_empty_and_own_folders_are_taken_again_and_again(
    prepare: Callable[[Path], object], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    prepare(folder)
    for _ in range(2):
        with reserve_run_folder(folder):
            assert (folder / MARKER_FILE).is_file()


@pytest.mark.parametrize(
    "name", ["notes.txt", "config.toml", "teacher/key.json", ".git/HEAD", ".run.abc.tmp"]
)
def test_a_folder_of_others_is_left_alone(name: str, tmp_path: Path) -> None:
    write(name)(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for call in (check_run_folder, lambda folder: reserve_run_folder(folder).__enter__()):
        with pytest.raises(UserError, match="neither empty nor the folder of a run") as caught:
            call(tmp_path)
        assert caught.value.where == str(tmp_path)
        assert Path(name).parts[0] in caught.value.what
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("teacher/notes.txt", "teacher/notes.txt"),
        ("student/distilled/deep/notes.txt", "student/distilled/deep/"),
        ("bundle/notes.txt", "notes.txt"),
        ("bundle/.git/HEAD", ".git/"),
    ],
)
def test_a_file_of_others_where_a_run_replaces_folders_stops_it(
    name: str, message: str, tmp_path: Path
) -> None:
    make_run(tmp_path / "run")
    write(name)(tmp_path / "run")
    with pytest.raises(UserError) as caught:
        check_run_folder(tmp_path / "run")
    assert caught.value.what.endswith(f": {message}")
    assert caught.value.hint
    assert (tmp_path / "run" / name).exists()


@pytest.mark.parametrize(
    "name", ["notes.txt", "mine/.x.abc.tmp", "mine/deep/notes.txt", ".x.abcd1234.tmp"]
)
def test_files_of_others_beside_those_of_a_run_are_kept(name: str, tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    write(name)(tmp_path / "run")
    with reserve_run_folder(tmp_path / "run"):
        assert (tmp_path / "run" / name).exists()
