"""What several commands take they take alike, and sizes and names are checked at once."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from kd_tf import cli
from kd_tf.cli.app import app
from kd_tf.cli.settings import SETTING_OF_OPTION, collect_settings
from kd_tf.config import Config, from_values
from kd_tf.config import write as write_config
from kd_tf.errors import UserError

COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]

DATA_OPTIONS = {
    *("data_dir", "interactions", "train", "validation", "test", "user", "item", "rating"),
    *("timestamp", "columns", "header", "items", "item_id", "title", "authors", "on_bad_rows"),
    *("min_rating", "config", "name", "seed", "settings", "json", "quiet"),
}
EVALUATION_OPTIONS = {"dataset", "protocol", "candidates", "k"}
MODEL_OPTIONS = {"teacher", "student", "max_bytes", "out"}

OTHER_MEANING = {("recommend", "k"), ("download", "name"), ("data", "dataset")}
"""Parameters that share no more than the name: a length, and arguments."""


def describe(command: Any, name: str) -> tuple[Any, ...]:
    """All that the help says of an option, its own default apart."""
    parameter = next(parameter for parameter in command.params if parameter.name == name)
    signature = inspect.signature(command.callback, eval_str=True).parameters[name]
    (info,) = signature.annotation.__metadata__
    return (
        tuple(parameter.opts),
        tuple(parameter.secondary_opts),
        info.help if name != "student" else info.help.partition(".")[0],
        # A comparison takes several students.
        info.metavar if name != "student" else None,
        info.rich_help_panel,
        signature.annotation.__origin__ if name != "student" else None,
        signature.default,
    )


@pytest.mark.parametrize(
    "name",
    sorted({parameter.name for command in COMMANDS.values() for parameter in command.params}),
)
def test_an_option_is_the_same_in_all_commands(name: str) -> None:
    descriptions = {
        describe(command, name)
        for command_name, command in COMMANDS.items()
        if name in {parameter.name for parameter in command.params}
        if (command_name, name) not in OTHER_MEANING
    }
    assert len(descriptions) == 1


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("run", DATA_OPTIONS | EVALUATION_OPTIONS | MODEL_OPTIONS),
        ("compare", DATA_OPTIONS | EVALUATION_OPTIONS | MODEL_OPTIONS),
        ("baselines", DATA_OPTIONS | EVALUATION_OPTIONS),
        ("data", DATA_OPTIONS),
        ("demo", {"seed", "settings", "out", "json", "quiet"}),
        ("benchmark", {"seed", "json", "quiet"}),
    ],
)
def test_a_command_has_the_options_that_it_shares(command: str, names: set[str]) -> None:
    assert names <= {parameter.name for parameter in COMMANDS[command].params}


def test_messages_name_options_that_exist() -> None:
    """All text in the code: errors say which option helps."""
    names = {"--help", "--version"} | {
        option
        for command in COMMANDS.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    folder = Path(cli.__file__).parents[1]
    wrong = []
    for path in folder.rglob("*.py"):
        if path.parent.name == "preview":  # it calls npm, which has options of its own
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*\b", node.value))
                wrong += [f"{path.name}: {option}" for option in options - names]
    assert not wrong


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that `kd-tf run` starts a run with; nothing is run."""
    configurations: list[Config] = []
    collect, _ = cli.run.TASKS["retrieval"]
    monkeypatch.setitem(
        cli.run.TASKS,
        "retrieval",
        (collect, lambda values, *_: configurations.append(from_values(values))),
    )
    return configurations


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "2000"})
    assert result.exit_code == 0, result.output
    return result.output


def test_options_set_their_settings(resolved: list[Config], tmp_path: Path) -> None:
    options = {
        "--protocol": "temporal",
        "--candidates": "sampled:99",
        "--k": "5,10",
        "--teacher": "gru",
        "--student": "neighbours",
        "--max-bytes": "600kB",
        "--losses": "soft-targets,rrd",
        "--quantization": "int8",
        "--catalog-search": "exact",
        "--runtime": "litert",
        "--seed": "7",
        "--min-rating": "3.5",
        "--on-bad-rows": "skip",
        "--dataset": "csv",
        "--interactions": "loans.csv",
        "--rating": "stars",
        "--timestamp": "5",
        "--separator": "tab",
        "--quote": "none",
        "--encoding": "cp1252",
        "--skip-rows": "3",
        "--decimal": ",",
        "--null-values": "-,?",
        "--time-unit": "ms",
        "--normalize-ids": "isbn",
        "--where": "shelf=read",
    }
    invoke("run", *(text for pair in options.items() for text in pair))
    (settings,) = resolved
    assert settings.split.protocol == "temporal"
    assert (settings.evaluation.candidates, settings.evaluation.ks) == ("sampled:99", (5, 10))
    assert settings.teacher.architecture == "gru"
    assert (settings.student.architecture, settings.student.max_bytes) == ("neighbours", 600_000)
    assert settings.distillation.losses == ("soft-targets", "rrd")
    assert settings.export.bundle_quantization == "int8"
    assert (settings.export.catalog_search, settings.export.runtime) == ("exact", "litert")
    assert (settings.seed, settings.cleaning.min_rating) == (7, 3.5)
    data = settings.data
    assert data.on_bad_rows == "skip"
    assert data.format.model_dump() == {
        "separator": "tab",
        "header": None,
        "quote": "none",
        "encoding": "cp1252",
        "skip_rows": 3,
    }
    assert (data.decimal, data.null_values, data.time_unit) == (",", ("-", "?"), "ms")
    assert (data.normalize_ids, data.where, data.columns.timestamp) == (
        "isbn",
        ("shelf=read",),
        "5",
    )
    invoke("run", "--weighting", "uncertainty")
    assert resolved[-1].distillation.weighting == "uncertainty"


def test_options_win_over_the_file_and_set_over_both(
    resolved: list[Config], tmp_path: Path
) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'name = "mine"\nseed = 1\n[student]\nmax_bytes = "1.5MB"\nfine_tuning_epochs = 8\n'
    )
    invoke("run", "--config", str(file))
    invoke("run", "--config", str(file), "--max-bytes", "2MiB", "--seed", "2")
    invoke("run", "--config", str(file), "--seed", "2", "--set", "seed=3")
    assert [settings.seed for settings in resolved] == [1, 2, 3]
    assert [settings.student.max_bytes for settings in resolved] == [1_500_000, 2**21, 1_500_000]
    assert {settings.student.fine_tuning_epochs for settings in resolved} == {8}
    assert {settings.name for settings in resolved} == {"mine"}


@pytest.mark.parametrize("option", SETTING_OF_OPTION)
def test_every_option_of_the_table_sets_a_setting_that_exists(option: str) -> None:
    section: Any = Config
    *sections, key = SETTING_OF_OPTION[option].split(".")
    for name in sections:
        section = section.model_fields[name].annotation
    assert key in section.model_fields
    assert any(
        parameter.name == option for command in COMMANDS.values() for parameter in command.params
    )


def test_an_option_that_is_not_given_sets_nothing() -> None:
    options = dict.fromkeys([*SETTING_OF_OPTION, "k", "losses", "config", "columns", "settings"])
    assert collect_settings(options) == {"name": "synthetic"}


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["--max-bytes", "600k"], ["'--max-bytes'", "'600k' is not a size", "600kB"]),
        (["--max-bytes", "0"], ["'--max-bytes'", "less than a byte"]),
        (["--teacher", "magic"], ["'--teacher'", "'magic'", "'local-ridge'"]),
        (["--student", "magic"], ["'--student'", "'magic'", "'item-kernel'"]),
        (["--protocol", "guess"], ["'--protocol'", "'guess'", "'leave-one-out'"]),
        (["--weighting", "magic"], ["'--weighting'", "'magic'", "'gradient-norm'"]),
        (["--quantization", "int3"], ["'--quantization'", "'int3'", "'int4'"]),
        (["--config", "none.toml"], ["none.toml", "file not found"]),
        (["--set", "student.embeding_dim=3"], ["no such setting", "mean student.embedding_dim?"]),
        (["--set", "studnet.embedding_dim=3"], ["studnet: there is no", "Did you mean student?"]),
        (
            ["--set", "student.magic=3"],
            ["student.magic: there is no such setting docs/", "lists all"],
        ),
        (
            ["--set", "distillation.loss_settings.rrd.wait=3"],
            ["distillation.loss_settings.rrd.wait: there is no such setting"],
        ),
        (["--set", "teacher=3"], ["teacher: this is a section", "got 3"]),
        (
            ["--max-bytes", "3", "--set", "student.max_bytes.x=1"],
            ["max_bytes has a value", "--set"],
        ),
        (["--candidates", "some"], ["evaluation.candidates", "full (rank", "sampled:N", "'some'"]),
        (["--losses", "magic"], ["no distillation loss 'magic'", "soft-targets"]),
        (["--losses", "json:dumps"], ["json:dumps is not a subclass", "class dumps("]),
        (["--set", "name=[3]"], ["name: Input should be a valid string"]),
        (["--set", "student.max_bytes=1TB"], ["student.max_bytes", "'1TB' is not a size"]),
    ],
)
def test_a_wrong_value_is_named_with_what_is_right(
    arguments: list[str],
    messages: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    monkeypatch.setattr(sys, "argv", ["kd-tf", "run", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    error = " ".join(capsys.readouterr().err.split())
    assert all(message in error for message in messages)


@pytest.mark.slow
@pytest.mark.parametrize("command", [["data", "synthetic"], ["baselines", "--models", "random"]])
def test_json_goes_to_a_file_or_in_place_of_the_tables(command: list[str], tmp_path: Path) -> None:
    small = ["--set", "data.synthetic_items=60", "--set", "data.synthetic_users=150", "-q"]
    path = tmp_path / "new" / "result.json"
    printed = invoke(*command, *small, "--json", str(path))
    content = json.loads(path.read_text("utf-8"))
    assert "users" in printed
    assert json.loads(invoke(*command, *small, "--json", "-")).keys() == content.keys()


def test_a_name_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    """As the arguments of a command are, if its bytes are not UTF-8."""
    with pytest.raises(UserError, match=r"not UTF-8: name = .loans") as caught:
        write_config(from_values({"name": "loans\udcff.csv"}), tmp_path / "config.toml")
    assert "Rename" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
