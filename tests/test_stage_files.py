"""A disk that is full is known when an array is created, not when it is filled."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kd_tf.stage_files import create_array, map_array

SHAPE = (300, 1000)


def raiser(code: int):
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_an_array_has_its_place_on_the_disk_before_it_is_filled(tmp_path: Path) -> None:
    array = create_array(tmp_path / "ids.npy", np.int32, SHAPE)
    assert not array.any()
    status = (tmp_path / "ids.npy").stat()
    assert status.st_blocks * 512 >= status.st_size >= array.nbytes
    array[:] = np.arange(1000)
    array.flush()
    assert np.array_equal(map_array(tmp_path / "ids.npy"), np.tile(np.arange(1000), (300, 1)))


def test_a_full_disk_is_an_error_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "posix_fallocate", raiser(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        create_array(tmp_path / "ids.npy", np.int32, SHAPE)


@pytest.mark.parametrize("code", [None, errno.EOPNOTSUPP, errno.EINVAL])
@pytest.mark.parametrize(("free", "fits"), [(2**30, True), (2**20, False)])
def test_free_space_is_asked_for_where_none_can_be_reserved(
    code: int | None, free: int, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if code is None:  # macOS and Windows
        monkeypatch.delattr(os, "posix_fallocate")
    else:
        monkeypatch.setattr(os, "posix_fallocate", raiser(code))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    if fits:
        create_array(tmp_path / "ids.npy", np.int32, SHAPE)
    else:
        with pytest.raises(OSError, match="No space left"):
            create_array(tmp_path / "ids.npy", np.int32, SHAPE)


def test_a_limit_on_the_size_of_files_is_an_error_with_words(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from kd_tf.errors import UserError
from kd_tf.keyed_folder import fill_folder
from kd_tf.stage_files import create_array

resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16))
try:
    fill_folder(Path(sys.argv[1]), {}, lambda new: create_array(new / "a.npy", "i4", (300, 1000)))
except UserError as error:
    print(error)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "targets")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cannot write: File too large" in ran.stdout
    assert list(tmp_path.iterdir()) == []
