"""Files of arrays: what is written is read, and nothing that declares more than it holds."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kd_tf import npz
from kd_tf.npz import read_layout, read_npz, write_npz

DTYPES = [np.int8, np.uint8, np.int32, np.int64, np.float16, np.float32, np.float64, np.bool_]


@given(
    st.dictionaries(
        st.from_regex(r"\A[a-z_0-9]{1,8}\Z"),
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0))
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_arrays_come_back_as_they_were(tmp_path_factory, content, compress):
    path = tmp_path_factory.mktemp("arrays") / "arrays.npz"
    write_npz(path, content, compress=compress)
    actual = read_npz(path)
    layout = read_layout(path)
    assert actual.keys() == content.keys() == layout.keys()
    for name, array in content.items():
        np.testing.assert_array_equal(actual[name], array)
        assert actual[name].dtype == array.dtype == layout[name].dtype
        assert actual[name].shape == array.shape == layout[name].shape


def write_member(path: Path, content: bytes, name: str = "a.npy", compression: int = 0) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(name, content)


def encode(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def declare(shape: str, descr: str = "'<f4'") -> bytes:
    """A header that declares any shape and type, with 16 bytes behind it."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(16)


@pytest.mark.parametrize(
    "content",
    [
        declare("(1000000000000,)"),
        declare("(2, 3)"),
        declare("(-4,)"),
        declare("(4,)", "'|O'"),
        declare("(2,)", "[('x', '<f4'), ('y', '<f4')]"),
        declare("(__import__('os').getpid(),)"),
        declare("(4,)", "'" + "f" * 20_000 + "'"),
        encode(np.zeros(4, np.float32))[:-1],
        encode(np.zeros(4, np.float32)) + b"\0",
        b"",
        b"\x93NUMPY\x09\x00",
        b"cos\nsystem\n(S'true'\ntR.",
    ],
)
def test_a_member_that_is_not_what_it_declares_is_refused(tmp_path, content):
    write_member(tmp_path / "a.npz", content)
    for read in (read_npz, read_layout):
        with pytest.raises(ValueError, match=r"."):
            read(tmp_path / "a.npz")


def test_a_file_that_expands_too_far_is_refused_before_it_is_read(tmp_path, monkeypatch):
    zeros = encode(np.zeros(npz.MIN_EXPANDED_BYTES // 4 + 1, np.float32))
    write_member(tmp_path / "a.npz", zeros, compression=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: 1 / 0)
    with pytest.raises(ValueError, match="claim to hold"):
        read_npz(tmp_path / "a.npz")


def test_names_are_unique_and_those_of_arrays(tmp_path):
    write_member(tmp_path / "a.npz", encode(np.zeros(1)), name="../a.txt")
    with pytest.raises(ValueError, match="is not an array"):
        read_npz(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("a.npy", encode(np.zeros(1)))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", encode(np.zeros(1)))
    with pytest.raises(ValueError, match="the same name"):
        read_npz(tmp_path / "b.npz")


def test_a_damaged_file_gives_the_arrays_or_an_error(tmp_path):
    """Every byte of a small file is changed: zip's checksums find what the checks do not."""
    path = tmp_path / "a.npz"
    array = np.arange(6, dtype=np.int32)
    write_npz(path, {"a": array})
    content = path.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x41
        path.write_bytes(changed)
        try:
            actual = read_npz(path)
        except (ValueError, OSError):
            continue
        assert all(np.array_equal(value, array) for value in actual.values())
