"""A bundle needs the base install only: no TensorFlow and no data frames."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kd_tf.extras import EXTRAS

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"
HIDDEN = sorted({module for _, modules in EXTRAS.values() for module in modules} - {"pydantic"})
"""Modules that the base install lacks. Typer itself imports pydantic."""


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs kd-tf where no module of an extra is installed."""
    code = (
        # Python takes None here for: looked for and not found.
        f"import sys; sys.modules.update(dict.fromkeys({HIDDEN!r}))\n"
        f"sys.argv = {['kd-tf', *arguments]!r}\n"
        "import kd_tf.preview.site as site\n"
        "site.get_litert_files = lambda *_: {'core.js': b''}\n"
        "from kd_tf.cli import main\n"
        "main()\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_recommend() -> None:
    items = json.loads((GOLDEN / "catalog.json").read_text("utf-8"))["books"]
    history = ["--history", items[0]["title"], "--history", items[3]["title"]]
    ran = run_command("recommend", str(GOLDEN), *history, "--k", "3", "--explain", "--json", "-")
    assert (ran.returncode, ran.stderr) == (0, "")
    recommended = [row["title"] for row in json.loads(ran.stdout)["recommendations"]]
    assert len(set(recommended)) == 3
    ran = run_command("recommend", str(GOLDEN), *history, "-k", "3")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert all(title in " ".join(ran.stdout.split()) for title in recommended)


@pytest.mark.slow
@pytest.mark.parametrize("target", [GOLDEN, GOLDEN / "model.tflite"], ids=["bundle", "file"])
def test_benchmark(target: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    ran = run_command("benchmark", str(target), "--json", str(figures))
    assert ran.returncode == 0
    assert "the file is measured alone" in " ".join(ran.stderr.split())
    (row,) = json.loads(figures.read_text("utf-8"))["models"]
    assert row["bytes"] == (GOLDEN / "model.tflite").stat().st_size
    assert row["latency_us"]["p50"] > 0


def test_preview(tmp_path: Path) -> None:
    ran = run_command("preview", str(GOLDEN), "--export", str(tmp_path / "site"))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "site" / "index.html").is_file()
