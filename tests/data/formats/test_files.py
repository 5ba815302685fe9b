"""Files as publishers ship them, and malicious archives."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from kd_tf.data.formats import files
from kd_tf.data.formats.files import (
    SourceFile,
    find_all,
    get_single_table,
    locate,
    locate_all,
    open_stream,
)
from kd_tf.data.formats.lines import read_lines
from kd_tf.errors import UserError


def zipped(path: Path, members: dict[str, bytes], compression=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def content(source: SourceFile) -> bytes:
    parts = []
    with open_stream(source) as stream:
        while block := stream.read(1 << 20):
            parts.append(block)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda f: (f / "ratings.csv").write_bytes(b"x"), "ratings.csv"),
        (lambda f: (f / "Ratings.CSV").write_bytes(b"x"), "Ratings.CSV"),
        (lambda f: (f / "ratings.csv.gz").write_bytes(gzip.compress(b"x")), "ratings.csv"),
        (lambda f: zipped(f / "ratings.csv.zip", {"ratings.csv": b"x"}), "ratings.csv"),
        (lambda f: zipped(f / "ml-25m.zip", {"ml-25m/ratings.csv": b"x"}), "ratings.csv"),
        (lambda f: zipped(f / "a.zip", {"b/ratings.csv.gz": gzip.compress(b"x")}), "ratings.csv"),
        (lambda f: (f / "sub").mkdir() or (f / "sub/ratings.csv").write_bytes(b"x"), "ratings.csv"),
    ],
)
def test_a_file_is_found_plain_packed_or_in_an_archive(tmp_path, make, name):
    make(tmp_path)
    (tmp_path / "README.txt").write_bytes(b"no")
    source = locate(tmp_path, "ratings.csv", dataset="test")
    assert source.name == name
    assert content(source) == b"x"


def test_a_file_or_an_archive_can_be_named_itself(tmp_path):
    (tmp_path / "ratings.csv").write_bytes(b"x")
    zipped(tmp_path / "all.zip", {"in/ratings.csv": b"y", "in/movies.csv": b"z"})
    assert content(locate(tmp_path / "ratings.csv", "ratings.csv", dataset="t")) == b"x"
    assert content(locate(tmp_path / "all.zip", "ratings.csv", dataset="t")) == b"y"
    assert find_all(tmp_path / "ratings.csv", "movies.csv") == []


def test_files_of_a_pattern_come_sorted(tmp_path):
    for number in (2, 1, 3):
        (tmp_path / f"combined_data_{number}.txt").write_bytes(b"")
    actual = locate_all(tmp_path, "combined_data_*.txt", dataset="t")
    assert [source.name for source in actual] == [f"combined_data_{n}.txt" for n in (1, 2, 3)]


def test_what_is_missing_is_named_with_what_there_is(tmp_path):
    (tmp_path / "rating.csv").write_bytes(b"")
    with pytest.raises(UserError, match=r"no ratings\.csv of MovieLens") as caught:
        locate(tmp_path, "ratings.csv", dataset="MovieLens")
    assert caught.value.where == str(tmp_path)
    assert "'rating.csv'" in caught.value.hint


@pytest.mark.parametrize("name", ["../ratings.csv", "/etc/ratings.csv", "a/../../ratings.csv"])
def test_an_archive_that_points_outside_of_itself_is_refused(tmp_path, name):
    zipped(tmp_path / "evil.zip", {name: b"user,item\n"})
    before = sorted(tmp_path.parent.rglob("*"))
    for call in (
        lambda: locate(tmp_path, "ratings.csv", dataset="t"),
        lambda: get_single_table(tmp_path / "evil.zip"),
    ):
        with pytest.raises(UserError, match="points outside"):
            call()
    assert sorted(tmp_path.parent.rglob("*")) == before, "nothing was unpacked"


@pytest.mark.parametrize("ending", ["zip", "gz"])
def test_a_file_that_unpacks_without_end_is_stopped(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(files, "ALWAYS_ALLOWED_BYTES", 1 << 20)
    bomb = b"1,1\n" * (1 << 20)  # 4 MB that pack to some 4 kB
    if ending == "zip":
        source = get_single_table(zipped(tmp_path / "bomb.zip", {"t.csv": bomb}))
    else:
        (tmp_path / "t.csv.gz").write_bytes(gzip.compress(bomb))
        source = get_single_table(tmp_path / "t.csv.gz")
    with pytest.raises(UserError, match="unpacks to more than 200 times"):
        content(source)
    with pytest.raises(UserError, match="unpacks to more than 200 times"):
        list(read_lines(source))


def test_a_bomb_within_a_packed_member_is_stopped_too(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ALWAYS_ALLOWED_BYTES", 1 << 20)
    inner = gzip.compress(b"1,1\n" * (1 << 20))
    source = locate(zipped(tmp_path / "a.zip", {"t.csv.gz": inner}), "t.csv", dataset="t")
    with pytest.raises(UserError, match="unpacks to more than"):
        content(source)


def test_dense_but_honest_files_pass(tmp_path):
    text = b"1,1\n" * (1 << 20)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text))
    assert content(get_single_table(tmp_path / "t.csv.gz")) == text


def test_several_gzip_members_are_one_file(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n"))
    assert content(get_single_table(tmp_path / "t.csv.gz")) == b"a,b\n1,2\n"


def test_a_line_without_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("kd_tf.data.formats.lines.MAX_LINE_BYTES", 1 << 20)
    (tmp_path / "t.csv").write_bytes(b"user,item\n" + b"x" * (10 << 20))
    with pytest.raises(UserError, match="a line has more than"):
        list(read_lines(get_single_table(tmp_path / "t.csv")))


def test_memory_stays_flat_while_a_large_archive_is_read(tmp_path):
    """The test of the bomb above must not pass because everything is unpacked at once."""
    stream = io.BytesIO(b"1,1\n" * 10)
    limited = files._SizeLimitedStream(stream, SourceFile(tmp_path / "t.gz"), 10)
    with pytest.raises(ValueError, match="in parts"):
        limited.read(-1)
