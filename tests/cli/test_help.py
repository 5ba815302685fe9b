"""The help shows every default and choice, loses no word, and opens at once."""

from __future__ import annotations

import functools
import inspect
import json
import re
import resource
import subprocess
import sys
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from kd_tf import choices
from kd_tf.choices import list_choices
from kd_tf.cli.app import app
from kd_tf.cli.settings import SETTING_OF_OPTION
from kd_tf.config import Config

COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]

CHOICES = {
    "dataset": choices.DatasetName,
    "protocol": choices.ProtocolName,
    "on_bad_rows": choices.BadRowsRule,
    "teacher": choices.TeacherArchitecture,
    "student": choices.StudentArchitecture,
    "losses": choices.LossName,
    "weighting": choices.WeightingName,
    "quantization": choices.QuantizationName,
    "catalog_search": choices.CatalogSearch,
    "runtime": choices.RuntimeName,
    "models": choices.BaselineName,
    "methods": choices.LossName,
    "competitors": choices.CompetitorName,
}
"""What options choose from, by the names of parameters."""

WITHOUT_DEFAULT = {
    *(
        "data_dir",
        "interactions",
        "train",
        "validation",
        "test",
        "items",
        "item_table",
        "friends",
    ),  # files
    *("rating", "timestamp", "columns", "title", "authors"),  # columns that a table may lack
    *("label", "threshold", "positive", "negatives", "ignore", "users", "user_id"),  # ranking
    *("config", "settings", "json", "export", "exclude", "synthetic_items"),
}
"""Options that do nothing unless they are given."""


@functools.cache
def show_help(*command: str, columns: int = 2000) -> str:
    """The help as one line of words, by default of a terminal that is wide enough to break none."""
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": str(columns)})
    assert result.exit_code == 0
    return flatten(result.output)


def flatten(text: str) -> str:
    return re.sub(r"[\s│╭╮╰╯─]+", " ", text)


def find_info(command: Any, parameter: Any) -> Any:
    """What typer.Option or typer.Argument of the parameter was made with."""
    signature = inspect.signature(command.callback, eval_str=True)
    return signature.parameters[parameter.name].annotation.__metadata__[0]


def list_parameters() -> list[Any]:
    return [
        pytest.param(command, parameter, id=f"{name}-{parameter.name}")
        for name, command in COMMANDS.items()
        for parameter in command.params
    ]


@pytest.mark.parametrize(("command", "parameter"), list_parameters())
def test_every_default_is_shown(command: Any, parameter: Any) -> None:
    info = find_info(command, parameter)
    is_switch = parameter.default is False and not parameter.secondary_opts
    if parameter.required or is_switch or isinstance(info, typer.models.ArgumentInfo):
        return
    if parameter.name in WITHOUT_DEFAULT:
        assert parameter.default is None
        assert isinstance(info.show_default, bool)
        return
    default = info.show_default
    if not isinstance(default, str):
        assert default is True
        assert parameter.default is not None
        default = parameter.opts[0][2:] if parameter.default is True else str(parameter.default)
        assert f"[default: {default}]" in show_help(command.name)
        return
    assert f"[default: ({default})]" in show_help(command.name)


@pytest.mark.parametrize("option", SETTING_OF_OPTION)
def test_a_shown_default_is_that_of_the_configuration(option: str) -> None:
    value: Any = Config()
    for key in SETTING_OF_OPTION[option].split("."):
        value = getattr(value, key)
    shown = {
        find_info(command, parameter).show_default
        for name, command in COMMANDS.items()
        for parameter in command.params
        # A comparison needs one architecture.
        if parameter.name == option and (name, option) != ("compare", "student")
        if not isinstance(find_info(command, parameter), typer.models.ArgumentInfo)
    }
    assert len(shown) == 1
    (default,) = shown
    if option == "item_id":
        assert default == "as --item"
    elif value is not None:
        assert default == str(value)


def test_the_shown_default_of_lists_is_that_of_the_configuration() -> None:
    assert f"[default: ({','.join(str(k) for k in Config().evaluation.ks)})]" in show_help("run")
    assert f"[default: ({','.join(Config().distillation.losses)})]" in show_help("run")


@pytest.mark.parametrize("columns", [80, 2000])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_a_help_text_is_lost(name: str, columns: int) -> None:
    """Rich would take [auto] for markup and drop it, and cut words that do not fit."""
    output = show_help(name, columns=columns)
    assert "\N{HORIZONTAL ELLIPSIS}" not in output
    for parameter in COMMANDS[name].params:
        assert_contains(output, find_info(COMMANDS[name], parameter).help)
    for paragraph in inspect.getdoc(COMMANDS[name].callback).split("\n\n"):
        assert_contains(output, flatten(paragraph.strip()))


def assert_contains(output: str, text: str) -> None:
    """Lines of other columns may be between the words."""
    words = iter(output[output.index(text.split()[0]) :].split())
    assert all(word in words for word in text.split()), text


@pytest.mark.parametrize(("command", "parameter"), list_parameters())
def test_every_choice_is_listed(command: Any, parameter: Any) -> None:
    if parameter.name not in CHOICES or (command.name, parameter.name) == ("download", "name"):
        return
    info = find_info(command, parameter)
    text = f"{info.help} {'' if info.metavar else show_help(command.name)}"
    words = set(re.findall(r"[\w.-]*\w", text))
    assert set(list_choices(CHOICES[parameter.name])) <= words


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import json, sys\n"
        "sys.argv = ['kd-tf', '--help']\n"
        "from kd_tf.cli import main\n"
        "try:\n    main()\n"
        "finally:\n"
        "    print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(json.loads(ran.stdout.splitlines()[-1]))
    assert "typer" in modules
    heavy = {"tensorflow", "tf_keras", "polars", "pandas", "pydantic", "numpy", "scipy", "numba"}
    assert not heavy & modules


def test_help_opens_in_under_half_a_second() -> None:
    """Of processor time, so that other processes of this machine do not count."""
    code = "import sys; sys.argv = ['kd-tf', '--help']; from kd_tf.cli import main; main()"
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.5
