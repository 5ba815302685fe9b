"""Makes nested settings of a configuration file, the options of a command, and ``--set``."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from kd_tf.cli.options import parse_counts, split_names
from kd_tf.cli.tasks import RANKING_ONLY_OPTIONS, check_task_options
from kd_tf.errors import UserError

SETTING_OF_OPTION = {
    "dataset": "data.dataset",
    "data_dir": "data.data_dir",
    "interactions": "data.interactions",
    "train": "data.train",
    "validation": "data.validation",
    "test": "data.test",
    "user": "data.columns.user",
    "item": "data.columns.item",
    "rating": "data.columns.rating",
    "timestamp": "data.columns.timestamp",
    "header": "data.format.header",
    "separator": "data.format.separator",
    "quote": "data.format.quote",
    "encoding": "data.format.encoding",
    "skip_rows": "data.format.skip_rows",
    "decimal": "data.decimal",
    "time_format": "data.time_format",
    "time_unit": "data.time_unit",
    "normalize_ids": "data.normalize_ids",
    "items": "data.items",
    "item_id": "data.item_columns.item_id",
    "title": "data.item_columns.title",
    "authors": "data.item_columns.authors",
    "friends": "data.friends",
    "on_bad_rows": "data.on_bad_rows",
    "encoder": "content.encoder",
    "image_encoder": "content.image_encoder",
    "min_rating": "cleaning.min_rating",
    "protocol": "split.protocol",
    "folds": "split.num_folds",
    "candidates": "evaluation.candidates",
    "teacher": "teacher.architecture",
    "student": "student.architecture",
    "max_bytes": "student.max_bytes",
    "weighting": "distillation.weighting",
    "quantization": "export.bundle_quantization",
    "catalog_search": "export.catalog_search",
    "runtime": "export.runtime",
    "seed": "seed",
}
"""The setting that an option sets, by the name of the command's parameter."""

_COLUMNS = ("user", "item", "rating", "timestamp")


def collect_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Merges the configuration file, the options and ``--set`` into nested settings.

    Args:
        options: The command's parameters by name, as in ``typer.Context.params``. Those that are
            None, and those that set nothing, are ignored.

    Returns:
        The settings of ``--config``, replaced by those of the options, replaced by those of
        ``--set``. They always have a ``name``.

    Raises:
        UserError: The configuration file or an option cannot be used.

    Example:
        >>> collect_settings({"user": "reader", "k": "5,10", "name": "mine"})
        {'data': {'columns': {'user': 'reader'}}, 'evaluation': {'ks': [5, 10]}, 'name': 'mine'}
    """
    values: dict[str, Any] = {}
    if options.get("config") is not None:
        from kd_tf import config

        path = Path(options["config"])
        # Commands without the option import nothing that the file names.
        settings = config.read(path, allow_code=options.get("allow_code", True))
        values = settings.model_dump(mode="json", exclude_unset=True)
    names = split_names(options.get("columns"))
    if names is not None:
        if not 2 <= len(names) <= len(_COLUMNS) or not all(names):
            raise UserError(
                f"--columns {options['columns']!r} is not USER,ITEM[,RATING[,TIMESTAMP]]",
                hint="For example --columns user,item.",
            )
        for role, name in zip(_COLUMNS, names, strict=False):
            set_value(values, f"data.columns.{role}", name)
    for option, setting in SETTING_OF_OPTION.items():
        set_value(values, setting, options.get(option))
    columns = values.get("data", {}).get("columns", {})
    if "item" in columns:
        values["data"].setdefault("item_columns", {}).setdefault("item_id", columns["item"])
    if options.get("k") is not None:
        set_value(values, "evaluation.ks", parse_counts(options["k"], "--k", "10,20"))
    set_value(values, "data.null_values", split_names(options.get("null_values")))
    set_value(values, "data.where", options.get("where") or None)
    set_value(values, "data.item_tables", _collect_item_tables(options, columns.get("item")))
    set_value(values, "content.text", split_names(options.get("text")))
    set_value(values, "content.image", split_names(options.get("image")))
    set_value(values, "distillation.losses", split_names(options.get("losses")))
    has_only_items = options.get("items") is not None and not any(
        options.get(name) for name in ("dataset", "interactions", "train", "config")
    )
    if has_only_items:
        set_value(values, "data.dataset", "csv")
    apply_settings(values, options.get("settings"))
    values["name"] = (
        options.get("name") or values.get("name") or _choose_name(values.get("data", {}))
    )
    return values


def collect_retrieval_settings(
    options: Mapping[str, Any], without: Collection[str] = ()
) -> dict[str, Any]:
    """Collects the settings of a command that has both tasks; see `collect_settings`.

    Args:
        options: The command's parameters by name, as in ``typer.Context.params``.
        without: Parameters of the command that only the ranking task needs.

    Raises:
        UserError: An option of the ranking task is given, or `collect_settings` raises it.
    """
    check_task_options(options, {*options} - RANKING_ONLY_OPTIONS - {*without}, "retrieval")
    return collect_settings(options)


def _collect_item_tables(
    options: Mapping[str, Any], item_column: str | None
) -> list[dict[str, str]] | None:
    """Pairs the tables of ``--item-table`` with the columns of ``--item-table-id``.

    Raises:
        UserError: There are more columns than tables, or fewer, but some.
    """
    tables, columns = options.get("item_table") or [], options.get("item_table_id") or []
    if columns and len(columns) != len(tables):
        raise UserError(
            f"{len(tables)} --item-table and {len(columns)} --item-table-id",
            hint="Give the id column of each table, in the same order.",
        )
    if not tables:
        return None
    if not columns:
        columns = [item_column or "item"] * len(tables)
    return [{"path": str(path), "id": column} for path, column in zip(tables, columns, strict=True)]


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
        key, separator, text = setting.partition("=")
        if not separator or not key.strip():
            raise UserError(
                f"--set {setting!r} is not SECTION.KEY=VALUE",
                hint="For example --set student.embedding_dim=64.",
            )
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        set_value(values, key.strip(), value)


def set_value(values: dict[str, Any], setting: str, value: Any) -> None:
    """Sets a value in nested settings; None leaves them as they are.

    Args:
        values: Nested settings.
        setting: The key, with dots between sections.
        value: The value.

    Raises:
        UserError: A section of the key is a value, not a section.
    """
    if value is None:
        return
    *sections, key = setting.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise UserError(
                f"{setting} cannot be set: {section} has a value, so it is not a section",
                hint="Give a key of a section, for example --set student.embedding_dim=64.",
            )
    values[key] = str(value) if isinstance(value, Path) else value


def _choose_name(data: Any) -> str:
    """Returns the folder's name for a published split, else the name of the data set."""
    if not isinstance(data, dict):  # the configuration reports this error
        return "synthetic"
    folder = Path(data["train"]).resolve().parent.name if "train" in data else ""
    return folder or str(data.get("dataset", "synthetic"))
