"""The app, built around a bundle and run: see android_demo/README.md for what that verifies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.android

APP = Path(__file__).parents[2] / "android_demo"
COMMANDS = (
    "java",
    "javac",
    "mvn",
    "aapt2",
    "zipalign",
    "apksigner",
    "unzip",
    "zip",
    "gcc",
    "aarch64-linux-gnu-gcc",
    "qemu-aarch64",
)
MINUTES = 25
"""Where everything must still be fetched; about five where it lies there."""


def skip_without_tools() -> None:
    """In CI nothing is skipped: make installs what is missing."""
    if os.environ.get("CI") == "true":
        return
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if not (APP / ".tools" / "jars").is_dir():
        missing.append("android_demo/.tools/jars")
    if missing:
        pytest.skip(
            f"the app's tool chain is not complete ({', '.join(missing)}): "
            f"make -C android_demo test-tools installs it (560 MB)"
        )


def make(target: str, bundle: Path, log: Path, **variables: object) -> str:
    """Runs make in the app's folder; what it printed."""
    given = [f"{name}={value}" for name, value in variables.items()]
    # Not a pipe: a tool that lives on would hold it open.
    with log.open("w") as output:
        done = subprocess.run(
            [
                *("make", "-C", str(APP), target, f"BUNDLE={bundle}"),
                *(f"PYTHON={sys.executable}", *given),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=60 * MINUTES,
            check=False,
        )
    text = log.read_text("utf-8", "replace")
    assert done.returncode == 0, text[-8000:]
    return text


# One test: what it builds is in one place, and must not be built twice at a time.
def test_the_app_from_sources_to_arm64(
    float_bundle: Path, int8_bundle: Path, tmp_path: Path
) -> None:
    skip_without_tools()
    text = make("test", float_bundle, tmp_path / "test.log", STEPS=0)
    # Each part was really run: what it says at its end.
    for said in (
        "no permission",
        "control APK that is online: caught",
        "start to first recommendation",
        "amd64, TensorFlow Lite 2.16.1: of 200 histories, 4 signatures, 200 have equal ids",
        "aarch64, TensorFlow Lite 2.16.1: of 200 histories, 4 signatures, 200 have equal ids",
    ):
        assert said in text, text[-8000:]
    assert text.count(" tests, 0 failures") == 2, text[-8000:]
    assert (APP / "build/screenshots/dark/for_you.png").stat().st_size > 10_000

    # Layers that nobody trained carry a rounding further than those of a real model do.
    text = make("test-runtime", int8_bundle, tmp_path / "int8.log", STEPS=0.75)
    assert "amd64, TensorFlow Lite 2.16.1: of 200 histories, 4 signatures, 200 have" in text


def test_without_a_bundle_make_says_how_to_get_one(tmp_path: Path) -> None:
    skip_without_tools()
    done = subprocess.run(
        [str(APP / "scripts/build_apk.sh"), str(tmp_path), str(tmp_path / "app.apk")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "model.tflite is missing" in done.stderr
    assert "make demo" in done.stderr
    assert not (tmp_path / "app.apk").exists()


def test_another_jar_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    """A file of another content is fetched anew, and refused if it comes again."""
    skip_without_tools()
    shutil.copytree(APP / "scripts", tmp_path / "scripts")
    lines = (APP / "jars.txt").read_text("utf-8").splitlines()
    line = next(line for line in lines if "hamcrest-core" in line)
    (tmp_path / "jars.txt").write_text("0" * 64 + line[64:] + "\n", "utf-8")
    done = subprocess.run(
        [str(tmp_path / "scripts/fetch_jars.sh"), "test"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "its SHA-256 differs" in done.stderr
    assert not list((tmp_path / ".tools/jars").glob("*.jar"))
