"""`kd-tf preview` as a person runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from kd_tf.runtime.bundle import Bundle

COMMAND = [sys.executable, "-c", "from kd_tf.cli import main; main()", "preview"]


@pytest.fixture
def environment(tmp_path: Path, put_npm: Callable[..., Path]) -> dict[str, str]:
    """Of a user without a screen, and with an npm that needs no network."""
    put_npm()
    return {
        **os.environ,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "DISPLAY": "",
        "WAYLAND_DISPLAY": "",
        "PYTHONUNBUFFERED": "1",
    }


def test_the_page_is_served_until_ctrl_c(bundle: Bundle, environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*COMMAND, str(bundle.folder), "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        # Before it may come a line about npm.
        lines = iter(running.stdout.readline, "")
        address = next(
            match[0] for line in lines if (match := re.search(r"http://127\.0\.0\.1:\S+", line))
        )
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/sch-ne-b-cher-2/", address)
        with urllib.request.urlopen(f"{address}bundle/model.tflite", timeout=10) as response:
            assert response.read() == bundle.model_path.read_bytes()
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=10) == 0
        assert "stopped" in running.stdout.read()
        assert running.stderr.read() == ""


def test_the_page_is_exported(bundle: Bundle, environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "site"
    done = subprocess.run(
        [*COMMAND, str(bundle.folder), "--export", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(folder) in done.stdout
    assert (folder / "bundle" / "model.tflite").read_bytes() == bundle.model_path.read_bytes()
    assert (folder / "index.html").is_file()


def test_a_damaged_bundle_is_refused_before_anything_is_served(
    bundle: Bundle, environment: dict[str, str]
) -> None:
    bundle.model_path.write_bytes(b"    TFL3 another")
    done = subprocess.run(
        [*COMMAND, str(bundle.folder)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    # Rich breaks long lines.
    assert "SHA-256 differs" in " ".join(done.stderr.split())
    assert done.stdout == ""
