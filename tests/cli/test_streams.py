"""No command dies of what its output leads to: another encoding, a closed pipe, a full disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PRINT = r"""
import sys
from pathlib import Path
from rich.table import Table
import kd_tf.cli
from kd_tf.cli.console import make_console
from kd_tf.cli.output import make_progress, write_json

TITLE = "W\u0119dr\xf3wka \u672c \U0001f4da [b]x[/b] :book: \x1b[31m"

def command():
    progress = make_progress(quiet=False)
    for part in range(300):
        progress.info(f"note {TITLE}")
    if "--json" in sys.argv:
        write_json(Path("-"), {"title": TITLE})
    else:
        table = Table(TITLE, title=TITLE)
        make_console().print(table)
        make_console().print(f"line {TITLE} " * 300, style="bold")
    Path(sys.argv[1]).touch()

sys.modules["kd_tf.cli.app"].app = lambda **_: command()
kd_tf.cli.main()
"""


def run(
    finished: Path, *options: str, environment: dict[str, str], **streams: object
) -> subprocess.CompletedProcess[bytes]:
    """Prints titles as commands do, in a process of its own, which touches a file in the end."""
    arguments = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(
        [sys.executable, "-c", PRINT, str(finished), *options],
        env={**os.environ, **environment},
        check=False,
        **arguments,  # type: ignore[call-overload]
    )


ENCODINGS = {
    "utf-8": ({"PYTHONIOENCODING": "utf-8"}, "W\u0119dr\xf3wka \u672c \U0001f4da"),
    "cp1252": ({"PYTHONIOENCODING": "cp1252"}, "W?dr\xf3wka ? ?"),
    "ascii": ({"PYTHONIOENCODING": "ascii:strict"}, "W?dr?wka ? ?"),
    "c": ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "W?dr?wka ? ?"),
}


@pytest.mark.parametrize(("environment", "title"), ENCODINGS.values(), ids=ENCODINGS)
def test_what_an_encoding_lacks_becomes_a_question_mark(
    environment: dict[str, str], title: str, tmp_path: Path
) -> None:
    environment = {"PYTHONIOENCODING": "", **environment, "COLUMNS": "100"}
    ran = run(tmp_path / "finished", environment=environment)
    encoding = environment["PYTHONIOENCODING"].partition(":")[0] or "ascii"
    assert ran.returncode == 0, ran.stderr
    for output in (ran.stdout, ran.stderr):
        text = output.decode(encoding)
        assert f"{title} [b]x[/b] :book:" in text
        assert "\x1b" not in text
    ran = run(tmp_path / "finished", "--json", environment=environment)
    assert json.loads(ran.stdout.decode(encoding))["title"].startswith("W\u0119dr\xf3wka \u672c")


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_command_finishes_quietly_after_its_reader_has_gone(
    name: str, options: list[str], tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = run(tmp_path / "finished", *options, environment={}, **{name: writer})
    finally:
        os.close(writer)
    assert ran.returncode == 0
    assert (tmp_path / "finished").exists()
    assert b"Error" not in (ran.stderr or b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_loses_the_notes_in_silence_and_the_result_with_words(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = run(tmp_path / "notes", environment={}, stderr=full)
        assert ran.returncode == 0
        assert (tmp_path / "notes").exists()
        for options in ([], ["--json"]):
            ran = run(tmp_path / "result", *options, environment={}, stdout=full)
            assert ran.returncode == 2
            assert not (tmp_path / "result").exists()
            assert b"kd-tf: standard output: the result cannot be printed" in ran.stderr
            assert b"Traceback" not in ran.stderr
            assert b"Exception ignored" not in ran.stderr


def test_streams_that_the_caller_closed_lead_nowhere(tmp_path: Path) -> None:
    """And no file that the process opens gets their numbers."""
    code = (
        "import os, sys\n"
        "from kd_tf.cli.streams import wrap_standard_streams\n"
        "wrap_standard_streams()\n"
        "print(1)\n"
        "os.write(2, b'a line of a native library')\n"
        "with open(sys.argv[1], 'w') as file:\n"
        "    file.write(str(file.fileno()))\n"
    )
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    subprocess.run([*closed, sys.executable, "-c", code, str(tmp_path / "number")], check=True)
    assert int((tmp_path / "number").read_text()) > 2
