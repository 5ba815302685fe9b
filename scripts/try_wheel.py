"""Installs the wheel of a folder into a bare virtual environment and uses it.

Usage: ``python scripts/try_wheel.py dist`` for the base install, which recommends from the golden
bundle; ``python scripts/try_wheel.py dist --train`` for the extra ``train``, which runs the demo.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "bundle-v1"


def measure_megabytes(folder: Path) -> float:
    """Measures the files of a folder, links not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*")) / 1e6


def run(folder: Path, *command: str | Path) -> str:
    """Runs a command away from the checkout; prints and returns what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    print("$", Path(command[0]).name, *command[1:], flush=True)
    ran = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(ran.stdout, end="")
    if ran.returncode:
        sys.exit(f"it ended with exit code {ran.returncode}")
    return ran.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dist", type=Path, help="The folder with the wheel.")
    parser.add_argument("--train", action="store_true", help="Install [train] and run the demo.")
    arguments = parser.parse_args()
    (wheel,) = arguments.dist.resolve().glob("*.whl")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        venv.create(folder / "bare", with_pip=True)
        binaries = folder / "bare" / ("Scripts" if os.name == "nt" else "bin")
        before = measure_megabytes(folder / "bare")
        start = time.perf_counter()
        pip = (binaries / "python", "-m", "pip", "install", "--quiet")
        run(folder, *pip, f"{wheel}[train]" if arguments.train else wheel)
        seconds = time.perf_counter() - start
        megabytes = measure_megabytes(folder / "bare") - before
        print(f"installed in {seconds:.0f} seconds, {megabytes:.0f} MB on disk")
        if arguments.train:
            run(folder, binaries / "kd-tf", "demo", "--out", folder / "demo", "--quiet")
            bundle = folder / "demo" / "bundle"
        else:
            bundle = GOLDEN
        items = json.loads((bundle / "catalog.json").read_text("utf-8"))["books"]
        history = ("--history", items[0]["title"], "--history", items[1]["title"])
        run(folder, binaries / "kd-tf", "recommend", bundle, *history, "-k", "3")


if __name__ == "__main__":
    main()
