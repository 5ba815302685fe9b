"""Nothing that a file says reaches the terminal as a command."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from kd_tf.cli import main
from kd_tf.cli.console import escape_control_characters, make_console, replace_control_characters

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


def test_a_command_names_a_hostile_folder_without_obeying_it(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["kd-tf", "recommend", "no\x1b[2J\x9bwhere", "--history", "x"])
    with pytest.raises(SystemExit):
        main()
    output = "".join(capsys.readouterr())
    assert "no\ufffd[2J\ufffdwhere" in output
    assert not list_controls(output)
