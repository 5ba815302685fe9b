"""Defines the options of all commands that read data."""

from __future__ import annotations

import functools
import inspect
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from kd_tf.errors import UserError

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Any setting of the configuration, e.g. student.embedding_dim=64. May be repeated.",
    ),
]


@dataclass(frozen=True)
class _Option:
    """A command-line option and the setting that it sets."""

    name: str
    type: Any
    setting: tuple[str, ...]
    help: str


_OPTIONS = (
    _Option("dataset", str, ("data", "dataset"), "Name of the data set; see docs/data.md."),
    _Option("data_dir", Path, ("data", "data_dir"), "Published data: folder, archive or file."),
    _Option("interactions", Path, ("data", "interactions"), "csv: table of interactions."),
    _Option("train", Path, ("data", "train"), "csv, user-item-lists: train part of a split."),
    _Option("validation", Path, ("data", "validation"), "Its validation part; optional."),
    _Option("test", Path, ("data", "test"), "Its test part."),
    _Option("user", str, ("data", "columns", "user"), "csv: user column."),
    _Option("item", str, ("data", "columns", "item"), "csv: item column."),
    _Option("rating", str, ("data", "columns", "rating"), "csv: rating column."),
    _Option("timestamp", str, ("data", "columns", "timestamp"), "csv: time column."),
    _Option("header", bool, ("data", "header"), "csv: whether the first line names the columns."),
    _Option("items", Path, ("data", "items"), "csv: table of items (books)."),
    _Option("item_id", str, ("data", "item_columns", "item_id"), "csv: ID column of items."),
    _Option("title", str, ("data", "item_columns", "title"), "csv: title column of items."),
    _Option("authors", str, ("data", "item_columns", "authors"), "csv: authors column of items."),
    _Option("on_bad_rows", str, ("data", "on_bad_rows"), "stop (with the line number) or skip."),
    _Option("min_rating", float, ("cleaning", "min_rating"), "Drop rows rated lower."),
    _Option("protocol", str, ("split", "protocol"), "How data is split; docs/data.md."),
)
_COLUMNS = ("user", "item", "rating", "timestamp")


def add_data_options(*, exclude: Sequence[str] = ()) -> Callable[..., Callable[..., None]]:
    """Returns a decorator that adds the data options, ``--config`` and ``--set`` to a command.

    The command's first parameter, ``values``, gets the nested settings: those of the file, then
    the options, then ``--set``. It always has a ``name``.

    Args:
        exclude: Options that become positional arguments of the command.
    """
    options = [option for option in _OPTIONS if option.name not in exclude]
    data_parameters = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[option.type | None, typer.Option(help=option.help)],
        )
        for option in options
    ] + [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in (
            (
                "columns",
                Annotated[
                    str | None,
                    typer.Option(
                        metavar="USER,ITEM[,RATING[,TIMESTAMP]]",
                        help="csv: the columns by name, or in order if there is no header.",
                    ),
                ],
            ),
            ("config", Annotated[Path | None, typer.Option(help="TOML; see docs/config.md.")]),
            ("name", Annotated[str | None, typer.Option(help="Name of the data in tables.")]),
            ("seed", Annotated[int | None, typer.Option(help="Random seed.")]),
            ("settings", SetOption),
        )
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        command_parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        ]

        @functools.wraps(command)
        def wrapper(**arguments: Any) -> None:
            names = [*(parameter.name for parameter in data_parameters), *exclude]
            options = {name: arguments.pop(name) for name in names}
            command(_collect_values(options), **arguments)

        positional = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[
                    str, typer.Argument(help="Name of the data set; see docs/data.md.")
                ],
            )
            for name in exclude
        ]
        parameters = [*positional, *data_parameters, *command_parameters]
        # Typer reads both.
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return wrapper

    return decorate


def apply_settings(values: dict[str, Any], settings: Sequence[str] | None) -> None:
    """Sets each ``section.key=value`` in nested `values`.

    A value is parsed as TOML, or taken as text if it is not TOML.

    Raises:
        UserError: A setting has another form.

    Example:
        >>> values = {"name": "mine"}
        >>> apply_settings(values, ["student.embedding_dim=64", "student.architecture=mlp"])
        >>> values
        {'name': 'mine', 'student': {'embedding_dim': 64, 'architecture': 'mlp'}}
    """
    for setting in settings or ():
        path, separator, text = setting.partition("=")
        if not separator or not path.strip():
            raise UserError(
                f"--set {setting!r} is not SECTION.KEY=VALUE",
                hint="For example --set student.embedding_dim=64.",
            )
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        set_value(values, tuple(path.strip().split(".")), value)


def set_value(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Sets a value in nested settings; None leaves them as they are.

    Raises:
        UserError: A section of the path is a value, not a section.
    """
    if value is None:
        return
    *sections, key = path
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise UserError(f"{'.'.join(path)} cannot be set: {section} is not a section")
    values[key] = str(value) if isinstance(value, Path) else value


def _collect_values(options: Mapping[str, Any]) -> dict[str, Any]:
    """Merges the configuration file, the options and ``--set`` into nested settings."""
    values: dict[str, Any] = {}
    if options["config"] is not None:
        from kd_tf import config

        values = config.read(options["config"]).model_dump(mode="json", exclude_unset=True)
    if options["columns"] is not None:
        names = [name.strip() for name in options["columns"].split(",")]
        if not 2 <= len(names) <= len(_COLUMNS) or not all(names):
            raise UserError(
                f"--columns {options['columns']!r} is not USER,ITEM[,RATING[,TIMESTAMP]]",
                hint="For example --columns user,item.",
            )
        for role, name in zip(_COLUMNS, names, strict=False):
            set_value(values, ("data", "columns", role), name)
    for option in _OPTIONS:
        set_value(values, option.setting, options.get(option.name))
    columns = values.get("data", {}).get("columns", {})
    if options["item_id"] is None and "item" in columns:
        values["data"].setdefault("item_columns", {}).setdefault("item_id", columns["item"])
    set_value(values, ("seed",), options["seed"])
    apply_settings(values, options["settings"])
    values["name"] = options["name"] or values.get("name") or _choose_name(values.get("data", {}))
    return values


def _choose_name(data: Any) -> str:
    """Returns the folder's name for a published split, else the name of the data set."""
    if not isinstance(data, dict):  # the configuration reports this error
        return "synthetic"
    folder = Path(data["train"]).resolve().parent.name if "train" in data else ""
    return folder or str(data.get("dataset", "synthetic"))
