"""The page in a folder: whole, or as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from kd_tf.errors import UserError
from kd_tf.preview.export import export_site
from kd_tf.preview.site import Site


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_file_is_written_for_everybody_to_read(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "site"
    export_site(site, folder)
    assert content_of(folder) == dict(site.files)
    modes = {path.stat().st_mode & 0o444 for path in [folder, *folder.rglob("*")]}
    assert modes == {0o444}


def test_an_earlier_export_is_replaced_as_a_whole(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    export_site(Site(site.name, {**site.files, "js/old.js": b"old"}), folder)
    export_site(site, folder)
    assert content_of(folder) == dict(site.files)


def test_an_empty_folder_is_taken(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    export_site(site, folder)
    assert content_of(folder) == dict(site.files)


def test_a_folder_with_anything_else_is_left_alone(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "letters.txt").write_text("dear", "utf-8")
    with pytest.raises(UserError, match="not empty and does not contain an earlier export"):
        export_site(site, folder)
    assert content_of(folder) == {"letters.txt": b"dear"}
    with pytest.raises(UserError, match="a file with this name"):
        export_site(site, folder / "letters.txt")


def test_an_export_that_fails_leaves_the_earlier_one(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    export_site(site, folder)
    # A file and a folder of the same name: the second cannot be written.
    with pytest.raises(UserError, match="cannot write"):
        export_site(Site(site.name, {"bundle": b"", **site.files}), folder)
    assert content_of(folder) == dict(site.files)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
