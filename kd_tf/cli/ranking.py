"""The commands of the ranking task: options to settings, a run, its results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from kd_tf.cli.console import make_console
from kd_tf.cli.options import split_names
from kd_tf.cli.output import make_progress, write_json
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
    "encoder": "features.encoder",
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
    "text": "features.text",
    "ignore": "features.ignore",
    "features": "features.only",
    "null_values": "data.null_values",
    "losses": "distillation.losses",
}
"""The settings that are lists of names."""

RANKING_OPTIONS = frozenset((*SETTING_OF_RANKING_OPTION, *_NAMES_OF_OPTION, "where", "dataset"))
"""Parameters of commands that the ranking task has."""


def collect_ranking_settings(
    options: Mapping[str, Any], others: Collection[str] = ()
) -> dict[str, Any]:
    """Merges the configuration file, the options and ``--set`` into nested settings.

    Args:
        options: The command's parameters by name, as in ``typer.Context.params``.
        others: Names of parameters that are no settings.

    Raises:
        UserError: The configuration file or an option cannot be used.

    Example:
        >>> collect_ranking_settings({"label": "clicked", "categorical": "user,hour"})["features"]
        {'categorical': ['user', 'hour']}
    """
    check_task_options(options, {*RANKING_OPTIONS, *others}, "ranking")
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


def compare_ranking_methods(parameters: Mapping[str, Any], make_pool: Callable[[], Any]) -> None:
    """Runs ``kd-tf compare --task ranking`` and prints its table.

    Args:
        parameters: The command's parameters by name, as in ``typer.Context.params``.
        make_pool: Returns the pool of processes.
    """
    from kd_tf.config import RankingConfig, from_values

    students = split_names(parameters.get("student"))
    options = {**parameters, "student": students[0] if students else None}
    values = collect_ranking_settings(options, ("methods", "seeds", "jobs", "memory"))
    settings = from_values(values, RankingConfig)
    folder, progress = prepare_training_folder(
        f"compare-{settings.name}", parameters["out"], parameters["quiet"]
    )
    from kd_tf.pipeline.ranking.compare import compare_ranking
    from kd_tf.report import method_chart, ranking_tables

    methods = parameters["methods"]
    result = compare_ranking(
        settings,
        folder,
        progress,
        methods=None if methods == "all" else split_names(methods),
        students=students,
        seeds=parameters["seeds"],
        pool=make_pool(),
    )
    is_click = result.dataset.label["kind"] == "click"
    method_chart.write(
        result,
        folder / "methods.svg",
        method_chart.ChartMetric(
            name="auc" if is_click else "rmse",
            label="AUC" if is_click else "RMSE",
            is_error=not is_click,
            repeats="folds" if result.num_folds > 1 else "seeds",
        ),
    )
    if not write_json(parameters["json"], result.to_json()):
        ranking_tables.print_ranking_models(result, make_console())
    progress.info(f"chart: {folder / 'methods.svg'}")


def summarize_ranking_command(parameters: Mapping[str, Any]) -> None:
    """Runs ``kd-tf data --task ranking`` and prints its tables.

    Args:
        parameters: The command's parameters by name, as in ``typer.Context.params``.
    """
    values = collect_ranking_settings(parameters)
    from kd_tf.config import RankingConfig, from_values
    from kd_tf.pipeline.ranking.summarize_data import summarize_ranking_data
    from kd_tf.report import ranking_tables

    settings = from_values(values, RankingConfig)
    summary = summarize_ranking_data(settings, make_progress(parameters["quiet"]))
    if not write_json(parameters["json"], summary.to_json()):
        ranking_tables.print_ranking_data(summary, make_console())
