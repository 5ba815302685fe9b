"""The page in a folder: whole, or as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kd_tf.errors import UserError
from kd_tf.preview.export import check_export_folder, export_site
from kd_tf.preview.site import RELEASE_FILE, Site, _make_release_script


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


def add_file(site: Site, name: str, content: bytes) -> Site:
    """The site of another version of the page, which has one file more."""
    files = {key: value for key, value in site.files.items() if key != RELEASE_FILE}
    files[name] = content
    return Site(site.name, {**files, RELEASE_FILE: _make_release_script(files)})


def test_an_earlier_export_is_replaced_as_a_whole(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    export_site(add_file(site, "js/old/old.js", b"old"), folder)
    (folder / "bundle" / ".DS_Store").touch()
    export_site(site, folder)
    assert content_of(folder) == dict(site.files)


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "github pages": (
        lambda folder: [
            (folder / "CNAME").write_text("example.org"),
            (folder / ".git" / "objects").mkdir(parents=True),
            (folder / ".git" / "HEAD").touch(),
        ],
        r"would be deleted: \.git/, CNAME",
    ),
    "notes": (lambda folder: (folder / "js" / "notes.txt").touch(), "deleted: js/notes.txt"),
    "empty folder": (lambda folder: (folder / "later").mkdir(), "deleted: later/"),
    "link": (lambda folder: (folder / "link").symlink_to(folder.parent), "deleted: link"),
    "edited": (lambda folder: edit(folder / "index.html"), "would be lost: index.html"),
    "edited release": (
        lambda folder: (folder / RELEASE_FILE).write_text("self.RELEASE = {};\n"),
        "would be deleted",
    ),
    "release of something else": (
        lambda folder: (folder / RELEASE_FILE).write_text("// version 2"),
        "would be deleted",
    ),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_an_export_with_anything_else_is_left_alone(
    change: Callable[[Path], object], message: str, site: Site, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    export_site(site, folder)
    change(folder)
    before = content_of(folder)
    for call in (lambda: export_site(site, folder), lambda: check_export_folder(folder)):
        with pytest.raises(UserError, match=message) as caught:
            call()
        assert "new folder" in str(caught.value.hint)
    assert content_of(folder) == before


def test_the_folder_of_the_command_is_not_replaced(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell would be in a folder that is gone."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError, match="the command runs in it"):
        export_site(site, Path())
    export_site(site, Path("site"))


def test_an_empty_folder_is_taken(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    export_site(site, folder)
    assert content_of(folder) == dict(site.files)


def test_a_folder_with_anything_else_is_left_alone(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "letters.txt").write_text("dear", "utf-8")
    with pytest.raises(UserError, match=r"would be deleted: letters\.txt"):
        export_site(site, folder)
    assert content_of(folder) == {"letters.txt": b"dear"}
    with pytest.raises(UserError, match="a file has this name"):
        export_site(site, folder / "letters.txt")


def test_an_export_that_fails_leaves_the_earlier_one(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    export_site(site, folder)
    # A file and a folder of the same name: the second cannot be written.
    with pytest.raises(UserError, match="cannot write"):
        export_site(Site(site.name, {"bundle": b"", **site.files}), folder)
    assert content_of(folder) == dict(site.files)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
