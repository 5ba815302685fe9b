"""The options that name data, the same for every command that reads some."""

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
        help="Any setting of the configuration, e.g. student.dimensions=64. May be repeated.",
    ),
]


@dataclass(frozen=True)
class _Option:
    name: str
    type: Any
    setting: tuple[str, ...]
    help: str


_OPTIONS = (
    _Option("dataset", str, ("data", "dataset"), "Which reader; see docs/data.md."),
    _Option("data_dir", Path, ("data", "data_dir"), "Published data: folder, archive or file."),
    _Option("interactions", Path, ("data", "interactions"), "csv: the table of who read what."),
    _Option("train", Path, ("data", "train"), "csv, user-item-lists: a published split."),
    _Option("validation", Path, ("data", "validation"), "The same; may be missing."),
    _Option("test", Path, ("data", "test"), "csv, user-item-lists: a published split."),
    _Option("user", str, ("data", "columns", "user"), "csv: column of the reader."),
    _Option("item", str, ("data", "columns", "item"), "csv: column of the book."),
    _Option("rating", str, ("data", "columns", "rating"), "csv: column of the rating."),
    _Option("timestamp", str, ("data", "columns", "timestamp"), "csv: column of the time."),
    _Option("header", bool, ("data", "header"), "csv: the first line names the columns or not."),
    _Option("books", Path, ("data", "books"), "csv: the table of books."),
    _Option("book_id", str, ("data", "book_columns", "item_id"), "csv: the books' id column."),
    _Option("title", str, ("data", "book_columns", "title"), "csv: the books' title column."),
    _Option("authors", str, ("data", "book_columns", "authors"), "csv: the books' authors column."),
    _Option("on_bad_rows", str, ("data", "on_bad_rows"), "stop (names the line) or skip."),
    _Option("min_rating", float, ("cleaning", "min_rating"), "Rows rated lower do not count."),
    _Option("protocol", str, ("split", "protocol"), "How books are held out; docs/data.md."),
)
_COLUMNS = ("user", "item", "rating", "timestamp")


def add_data_options(*, exclude: Sequence[str] = ()) -> Callable[..., Callable[..., None]]:
    """Gives a command the options for data, a configuration file and any setting.

    The command's first parameter, ``values``, becomes the nested settings that they make: what
    the file says, then the options, then ``--set``. ``name`` is always in it.

    Args:
        without: Options that the command has in another form.
    """
    options = [one for one in _OPTIONS if one.name not in exclude]
    added = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[one.type | None, typer.Option(help=one.help)],
        )
        for one in options
    ] + [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in (
            (
                "columns",
                Annotated[
                    str | None,
                    typer.Option(
                        metavar="USER,ITEM[,RATING[,TIMESTAMP]]",
                        help="csv: the columns by name, or in order without a header.",
                    ),
                ],
            ),
            ("config", Annotated[Path | None, typer.Option(help="TOML; see docs/config.md.")]),
            ("name", Annotated[str | None, typer.Option(help="What tables call the data.")]),
            ("seed", Annotated[int | None, typer.Option(help="Of split, sample and training.")]),
            ("settings", SetOption),
        )
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

        @functools.wraps(command)
        def wrapper(**given: Any) -> None:
            data = {one.name: given.pop(one.name) for one in added}
            for name in exclude:
                data[name] = given.pop(name)
            command(_collect_values(data), **given)

        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
        positional = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[str, typer.Argument(help="Which reader; see docs/data.md.")],
            )
            for name in exclude
        ]
        wrapper.__signature__ = inspect.Signature([*positional, *added, *parameters])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {
            one.name: one.annotation for one in (*positional, *added, *parameters)
        }
        return wrapper

    return decorate


def apply_settings(values: dict[str, Any], settings: Sequence[str] | None) -> None:
    """Puts each ``section.key=value`` into nested `values`; a value is read as TOML, else as text.

    Raises:
        UserError: One has another form.
    """
    for setting in settings or ():
        path, separator, text = setting.partition("=")
        if not separator or not path.strip():
            raise UserError(
                f"--set {setting!r} is not SECTION.KEY=VALUE",
                hint="For example --set student.dimensions=64.",
            )
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        set_value(values, tuple(path.strip().split(".")), value)


def set_value(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Puts a value at its place in nested settings; None puts nothing.

    Raises:
        UserError: A part of the path is a value already.
    """
    if value is None:
        return
    *sections, key = path
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise UserError(f"{'.'.join(path)} cannot be set: {section} is not a section")
    values[key] = str(value) if isinstance(value, Path) else value


def _collect_values(given: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if given["config"] is not None:
        from kd_tf import config

        values = config.read(given["config"]).model_dump(mode="json", exclude_unset=True)
    if given["columns"] is not None:
        names = [name.strip() for name in given["columns"].split(",")]
        if not 2 <= len(names) <= len(_COLUMNS) or not all(names):
            raise UserError(
                f"--columns {given['columns']!r} is not USER,ITEM[,RATING[,TIMESTAMP]]",
                hint="For example --columns user,item.",
            )
        for role, name in zip(_COLUMNS, names, strict=False):
            set_value(values, ("data", "columns", role), name)
    for option in _OPTIONS:
        set_value(values, option.setting, given.get(option.name))
    columns = values.get("data", {}).get("columns", {})
    if given["book_id"] is None and "item" in columns:
        values["data"].setdefault("book_columns", {}).setdefault("item_id", columns["item"])
    set_value(values, ("seed",), given["seed"])
    apply_settings(values, given["settings"])
    values["name"] = given["name"] or values.get("name") or _choose_name(values.get("data", {}))
    return values


def _choose_name(data: Any) -> str:
    """A published split is called like the folder it lies in, other data like its reader."""
    if not isinstance(data, dict):  # the configuration will say what is wrong
        return "synthetic"
    folder = Path(data["train"]).resolve().parent.name if "train" in data else ""
    return folder or str(data.get("dataset", "synthetic"))
