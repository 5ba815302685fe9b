"""What the command line promises about faults: a clear message and the right exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kd_tf import cli
from kd_tf.errors import ParityError


def end_of(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["kd-tf", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("user,item,rating\na,1,5\na,2,five\n", ["--rating", "rating"], ":3, column"),
        ("user,item\n", [], "no rows"),
        ("user,item\na,1\na,2\na,3\na,4\na,5\n", [], "leave none to"),
        ("user,item\na,1\n", ["--user", "reader"], "no column 'reader'"),
        ("user,item\na,1\n", ["--set", "student.dimension=3"], "student.dimension"),
        ("user,item\na,1\n", ["--set", "nonsense"], "SECTION.KEY=VALUE"),
    ],
)
def test_a_fault_of_the_user_is_named_and_ends_with_2(
    content: str,
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = tmp_path / "loans.csv"
    table.write_text(content, "utf-8")
    out = tmp_path / "out"
    command = ["run", "--dataset", "csv", "--interactions", str(table), "--out", str(out), "-q"]
    assert end_of(monkeypatch, *command, *options) == 2
    assert message in capsys.readouterr().err.replace("\n", " ").replace("  ", " ")
    assert not out.exists()


def test_a_missing_bundle_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_of(monkeypatch, "recommend", str(tmp_path / "none"), "-r", "Dune") == 2
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "Finished stages are kept"),
        (ParityError("overlap .2"), 1, "overlap .2"),
        (RuntimeError("broken"), 1, "a fault of kd_tf"),
    ],
)
def test_ctrl_c_and_our_own_faults_have_codes_of_their_own(
    fault: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(cli, "_run", fail)
    assert end_of(monkeypatch, "demo") == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "run", "recommend"])
def test_every_command_explains_itself(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_of(monkeypatch, command, "--help") == 0
    assert "--json" in capsys.readouterr().out
