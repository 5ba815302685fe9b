"""Writes the pages on the command line and on the configuration from the code.

Run by `make docs-reference`. Options, defaults and explanations come from the commands of
`kd_tf.cli`, and keys from `kd_tf.config`.
"""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel
from typer.main import get_command
from typer.models import ArgumentInfo

from kd_tf.cli.app import app
from kd_tf.config import Config, ItemTable, RankingConfig

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Written by `make docs-reference`. Change the code, not this page. -->"
ARGUMENTS = "Arguments"
WORDS = {
    **{int: "integer", float: "number", str: "text", bool: "true, false", Path: "path"},
    ItemTable: "{path, id}",
}

COMMAND_LINE = """\
# Command line

{note}

`kd-tf COMMAND --help` shows the same in the terminal.

- **Settings.** An option wins over the file of `--config`, and `--set SECTION.KEY=VALUE` wins over
  both. [Configuration](configuration.md) lists every key.
- **Sizes** are a number and a unit: `600kB`, `1.5MB`, `2MiB`. A number alone counts bytes. kB, MB
  and GB are powers of 1000, KiB, MiB and GiB powers of 1024.
- **Output.** Results go to the standard output, progress and errors to the standard error.
- **Exit codes.** 0: success. 1: a fault of kd_tf. 2: a fault that you can fix. 130: Ctrl-C.
- **Completion.** `kd-tf --install-completion` installs the completion of commands, options and
  names into your shell, `kd-tf --show-completion` prints it.
"""

CONFIGURATION = """\
# Configuration

{note}

A TOML file for `--config FILE.toml`. Every key may also be given as `--set section.key=value`. An
unknown key, a value out of range, or a setting that has no effect beside the others (such as
`student.embedding_dim` with `student.architecture = "auto"`) stops the run before any data is read.

```toml
[data]
dataset = "csv"
interactions = "loans.csv"

[data.columns]
user = "reader"
item = "book"

[student]
architecture = "auto"
max_bytes = "600kB"
```

A run writes all its settings to `config.toml` in its folder, which repeats the run.

The two tasks have settings of their own: those up to [the ranking task](#the-ranking-task) are for
the task `retrieval` (the default).
"""

RANKING = """\
## The ranking task

The settings of a file with `task = "ranking"`, and of `--set` beside `--task ranking`:
[features in, one probability or rating out](../tutorials/clicks.md).

```toml
task = "ranking"

[data]
interactions = "clicks.csv"
label = "clicked"

[features]
categorical = ["hour"]

[student]
architecture = "logistic-regression"
```
"""


def make_command_line_page() -> str:
    """Makes the page on all commands and their options."""
    group = cast("Any", get_command(app))
    sections = [make_command_section(name, command) for name, command in group.commands.items()]
    return "\n".join([COMMAND_LINE.format(note=NOTE), *sections])


def make_command_section(name: str, command: Any) -> str:
    """Makes the section on one command: usage, explanation, arguments and options."""
    parameters = list(list_parameters(command))
    usage = f"kd-tf {name} [OPTIONS]"
    for panel, (argument, _, default, _) in parameters:
        if panel == ARGUMENTS:
            usage += f" {argument}" if default == "required" else f" [{argument}]"
    text = inspect.getdoc(command.callback) or ""
    lines = [f"## kd-tf {name}", "", f"    {usage}".replace("`", ""), "", text]
    for panel in dict.fromkeys(panel for panel, _ in parameters):
        rows = [row for other, row in parameters if other == panel]
        headings = ("argument" if panel == ARGUMENTS else "option", "value", "default", "meaning")
        lines += ["", f"**{panel}**", "", *make_table(headings, rows)]
    return "\n".join([*lines, ""])


def list_parameters(command: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields heading, name, value, default and meaning of every parameter of a command."""
    signature = inspect.signature(command.callback, eval_str=True)
    for parameter in command.params:
        in_code = signature.parameters[parameter.name]
        (info,) = in_code.annotation.__metadata__
        kind = describe_type(in_code.annotation.__origin__)
        default = describe_option_default(info.show_default, in_code.default)
        if isinstance(info, ArgumentInfo):
            name = f"`{parameter.name.upper()}`"
            yield ARGUMENTS, (name, kind, default, info.help or "")
            continue
        # The other name of a switch, as in --browser and --no-browser.
        names = [*parameter.opts, *parameter.secondary_opts]
        if kind == WORDS[bool]:
            value = ""
            default = {"true": f"`{names[0]}`", "false": ""}.get(default, default)
        else:
            value = (info.metavar or kind) + describe_limits(info)
        panel = info.rich_help_panel if isinstance(info.rich_help_panel, str) else "Options"
        yield panel, (", ".join(f"`{text}`" for text in names), value, default, info.help or "")


def describe_option_default(show_default: bool | str, default: Any) -> str:
    """Describes the default of an option, which may have a text for it."""
    if default is inspect.Parameter.empty:
        return "required"
    if isinstance(show_default, str):
        return show_default
    return "" if default is None else describe_default(default).strip("`")


def describe_limits(info: Any) -> str:
    """Describes the range of a number."""
    if info.min is not None and info.max is not None:
        return f", {info.min:g} to {info.max:g}"
    return "" if info.min is None else f", at least {info.min:g}"


def make_configuration_page() -> str:
    """Makes the page on all keys of the configuration, a section of the page for each of theirs."""
    parts = [
        CONFIGURATION.format(note=NOTE),
        *make_key_sections(Config, "##"),
        RANKING,
        *make_key_sections(RankingConfig, "###"),
    ]
    return "\n".join(parts)


def make_key_sections(config: type[BaseModel], level: str) -> Iterator[str]:
    """Makes the sections of the page on the keys of a task, with headings of a level."""
    sections: dict[str, list[tuple[str, ...]]] = {}
    for key, row in list_keys(config):
        sections.setdefault(key.partition(".")[0] if "." in key else "", []).append(row)
    for name, rows in sections.items():
        title = f"{level} {name or 'Keys outside of sections'}"
        section = config.model_fields[name].annotation if name else None
        text = (inspect.getdoc(section) or "").split("\n")[0] if section else ""
        table = make_table(("key", "values", "default", "meaning"), rows)
        yield "\n".join([title, "", *([text, ""] if text else []), *table, ""])


def list_keys(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields every key of a section and its sections, with the cells of its row."""
    for name, field in section.model_fields.items():
        key = f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from list_keys(field.annotation, f"{key}.")
            continue
        default = field.default
        values = describe_type(field.annotation)
        yield (
            key,
            (
                f"`{key}`",
                values,
                "" if default in (None, {}) else describe_default(default),
                field.description or "",
            ),
        )


def describe_default(value: Any) -> str:
    """Describes a default as TOML would have it, names without quotes."""
    if isinstance(value, str | Path):
        return f"`{value}`"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


def describe_type(annotation: Any) -> str:
    """Describes the values of a type.

    Raises:
        TypeError: There is no rule for the type.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in WORDS:
        return WORDS[annotation]
    if origin is Literal:
        return ", ".join(f"`{name}`" for name in arguments)
    if origin is typing.Annotated:
        return describe_type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        kinds = [argument for argument in arguments if argument is not type(None)]
        return " or ".join(dict.fromkeys(describe_type(kind) for kind in kinds))
    if origin in (list, tuple):
        return f"list of {describe_type(arguments[0])}"
    if origin is dict:
        return "table"
    raise TypeError(f"there is no description of {annotation}")


def make_table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Makes the lines of a table; columns that are empty in all rows are left out."""
    columns = [index for index in range(len(headings)) if any(row[index] for row in rows)]
    lines = [[headings[index] for index in columns], ["---"] * len(columns)]
    lines += [[link_pages(row[index]).replace("|", "\\|") for index in columns] for row in rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def link_pages(text: str) -> str:
    """Makes links of the pages that a text names by their path from the root."""
    link = r"[\2](../\1)"
    return re.sub(r"docs/((?:[\w-]+/)*([\w-]+)\.md)", link, text).replace("../reference/", "")


PAGES = {"command-line.md": make_command_line_page, "configuration.md": make_configuration_page}


def main() -> None:
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), "utf-8")


if __name__ == "__main__":
    main()
