"""A folder in use is refused; the lock ends with its process, also if that is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kd_tf.errors import UserError
from kd_tf.file_locks import reserve_folder

HOLDER = """
import sys, time
from pathlib import Path
from kd_tf.file_locks import reserve_folder

with reserve_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_in_use_is_refused_until_its_holder_ends_or_is_killed(tmp_path):
    folder = tmp_path / "new" / "run"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(UserError, match="another kd_tf command is using"),
            reserve_folder(folder),
        ):
            pass
        with reserve_folder(tmp_path / "another"):
            pass
    finally:
        holder.kill()
        holder.wait()
    with reserve_folder(folder):
        pass
    assert not list(folder.iterdir())


def test_one_process_does_not_take_a_folder_twice(tmp_path):
    with (
        reserve_folder(tmp_path),
        pytest.raises(UserError, match="Wait until it has finished"),
        reserve_folder(tmp_path),
    ):
        pass
    with reserve_folder(tmp_path):
        pass


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UserError, match="cannot be created"), reserve_folder(Path(path)):
            pass
