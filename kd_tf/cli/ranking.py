"""The commands of the ranking task: options to settings, a run, its results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kd_tf.cli.console import make_console
from kd_tf.cli.options import split_names
from kd_tf.cli.output import write_json
from kd_tf.cli.settings import apply_settings, set_value
from kd_tf.cli.tasks import check_task_options
from kd_tf.cli.training_folder import prepare_training_folder
from kd_tf.errors import UserError

SETTING_OF_RANKING_OPTION = {
    "interactions": "data.interactions",
    "train": "data.train",
    "validation": "data.validation",
    "test": "data.test",
    "label": "data.label",
    "threshold": "data.threshold",
    "positive": "data.positive",
    "negatives": "data.negatives",
    "user": "data.user",
    "item": "data.item",
    "timestamp": "data.timestamp",
    "users": "data.users",
    "user_id": "data.user_id",
    "items": "data.items",
    "item_id": "data.item_id",
    "header": "data.format.header",
    "separator": "data.format.separator",
    "quote": "data.format.quote",
    "encoding": "data.format.encoding",
    "skip_rows": "data.format.skip_rows",
    "decimal": "data.decimal",
    "time_format": "data.time_format",
    "time_unit": "data.time_unit",
    "on_bad_rows": "data.on_bad_rows",
    "protocol": "split.protocol",
    "teacher": "teacher.architecture",
    "student": "student.architecture",
    "weighting": "distillation.weighting",
    "quantization": "export.bundle_quantization",
    "seed": "seed",
}
"""The setting that an option sets, by the name of the command's parameter."""

_NAMES_OF_OPTION = {
    "categorical": "features.categorical",
    "numeric": "features.numeric",
    "multi": "features.multi",
    "date": "features.date",
    "ignore": "features.ignore",
    "features": "features.only",
    "null_values": "data.null_values",
    "losses": "distillation.losses",
}
"""The settings that are lists of names."""

RANKING_OPTIONS = frozenset((*SETTING_OF_RANKING_OPTION, *_NAMES_OF_OPTION, "where", "dataset"))
"""Parameters of commands that the ranking task has."""


def collect_ranking_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Merges the configuration file, the options and ``--set`` into nested settings.

    Args:
        options: The command's parameters by name, as in ``typer.Context.params``.

    Raises:
        UserError: The configuration file or an option cannot be used.

    Example:
        >>> collect_ranking_settings({"label": "clicked", "categorical": "user,hour"})["features"]
        {'categorical': ['user', 'hour']}
    """
    check_task_options(options, RANKING_OPTIONS, "ranking")
    values: dict[str, Any] = {}
    if options.get("config") is not None:
        from kd_tf.config import read_values

        values = read_values(Path(options["config"]))
    if options.get("dataset") not in (None, "csv", "synthetic"):
        raise UserError(
            f"--dataset {options['dataset']} has no effect with the task ranking",
            hint="Give the table itself: --interactions FILE --label COLUMN.",
        )
    values["task"] = "ranking"
    for option, setting in SETTING_OF_RANKING_OPTION.items():
        set_value(values, setting, options.get(option))
    for option, setting in _NAMES_OF_OPTION.items():
        set_value(values, setting, split_names(options.get(option)))
    set_value(values, "data.where", options.get("where") or None)
    apply_settings(values, options.get("settings"))
    data = values.get("data", {})
    table = next((data[key] for key in ("interactions", "train") if key in data), None)
    values["name"] = (
        options.get("name") or values.get("name") or (Path(table).stem if table else "clicks")
    )
    return values


def run_ranking_command(
    values: dict[str, Any], out: Path | None, json: Path | None, quiet: bool
) -> None:
    """Runs the pipeline and prints its results.

    Args:
        values: The settings.
        out: The folder of the results; None for one in ``runs``, by the name of the settings.
        json: Where results.json is written instead of printing tables.
        quiet: Whether to show no progress.
    """
    from kd_tf.config import RankingConfig, from_values

    settings = from_values(values, RankingConfig)
    folder, progress = prepare_training_folder(settings.name, out, quiet)
    # Imported here, so that `kd-tf --help` starts fast.
    from kd_tf.pipeline.ranking.run import run_ranking
    from kd_tf.report import ranking_tables

    result = run_ranking(settings, folder, progress)
    if write_json(json, result.results.to_json()):
        return
    console = make_console()
    ranking_tables.print_ranking_results(result.results, console)
    console.print(f"\nBundle: {result.bundle.folder}")
