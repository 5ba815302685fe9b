"""Nothing that a file says reaches the terminal as a command."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from kd_tf.cli import main
from kd_tf.cli.console import make_console
from kd_tf.cli.progress_bars import ConsoleProgress
from kd_tf.control_characters import escape_control_characters, replace_control_characters

HOSTILE = "Du\x1b[2Jne\x9b31m\x1b]0;title\x07\u202eevil\r"


def list_controls(text: str) -> set[str]:
    return {
        char for char in text if (ord(char) < 32 and char not in "\t\n") or 127 <= ord(char) < 160
    }


def print_everywhere(text: str, **arguments: object) -> str:
    """A text in all places where commands print: lines, styled lines, tables, styled texts."""
    stream = io.StringIO()
    console = make_console(file=stream, width=200, **arguments)
    console.print(f"  {text}", markup=False)
    console.print(f"  {text}", markup=False, style="bold red")
    console.print(Text(text, "dim"), width=80)
    table = Table(text, title=text)
    table.add_row(text)
    console.print(table)
    return stream.getvalue()


BRACKETS = "[bold]red[/bold] [/] [auto] :book: docs/[x].md"


def test_brackets_and_colons_of_texts_are_no_markup():
    assert print_everywhere(BRACKETS).count(BRACKETS) == 6
    stream = io.StringIO()
    progress = ConsoleProgress(make_console(file=stream, width=200, force_terminal=True))
    progress.info(BRACKETS)
    progress.warn(BRACKETS)
    with progress.task(BRACKETS + HOSTILE, 2) as advance:
        advance(1, note=BRACKETS)
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert lines.count(BRACKETS) >= 4
    for control in ("\x1b[2J", "\x9b", "\x1b]0;", "\x07", "\u202e"):
        assert control not in stream.getvalue()


def test_control_characters_of_texts_are_replaced_wherever_they_are_printed():
    output = print_everywhere(HOSTILE)
    assert not list_controls(output)
    assert "\u202e" not in output
    assert "Du\ufffd[2Jne\ufffd31m" in output


def test_on_a_terminal_only_the_colours_of_the_console_are_left():
    output = print_everywhere(HOSTILE, force_terminal=True, color_system="standard")
    assert "\x1b[1;31m" in output
    for control in ("\x1b[2J", "\x9b", "\x1b]0;", "\x07", "\u202e"):
        assert control not in output


@given(st.text())
def test_texts_without_control_characters_are_printed_as_they_are(text):
    cleaned = replace_control_characters(text)
    assert not list_controls(cleaned)
    assert len(cleaned) == len(text)
    assert replace_control_characters(cleaned) == cleaned


@given(st.dictionaries(st.text(), st.text()))
def test_json_keeps_its_values_without_control_characters_in_its_text(content):
    text = escape_control_characters(json.dumps(content, ensure_ascii=False))
    assert json.loads(text) == content
    assert not list_controls(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["recommend", "*", "--history", "x"],
        ["preview", "*"],
        ["benchmark", "*"],
        ["benchmark", "model.tflite", "--threads", "*"],
        ["run", "--config", "*"],
        ["run", "--set", "*"],
        ["run", "--set", "name.*=1"],
        ["baselines", "--models", "*"],
        ["data", "csv", "--interactions", "*", "--user", "u", "--item", "i"],
        ["download", "*"],
        # What Typer itself says of options:
        ["*"],
        ["run", "--*"],
        ["data", "*"],
        ["run", "--teacher", "*"],
        ["run", "--max-bytes", "*"],
    ],
    ids=" ".join,
)
def test_a_command_repeats_a_hostile_value_without_obeying_it(arguments, monkeypatch, capsys):
    hostile = "no\x1b[2J\x9bwhere"
    monkeypatch.setattr(
        "sys.argv", ["kd-tf", *(argument.replace("*", hostile) for argument in arguments)]
    )
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    output = "".join(capsys.readouterr())
    assert re.search("no(\ufffd|\\\\x1b)\\[2J(\ufffd|\\\\x9b)where", output)
    assert not list_controls(output)


def test_an_internal_error_repeats_hostile_texts_without_obeying_them(monkeypatch, capsys):
    def fail(**_):
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr(sys.modules["kd_tf.cli.app"], "app", fail)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    output = capsys.readouterr().err
    assert "RuntimeError: Du\ufffd[2Jne" in output
    assert not list_controls(output)
