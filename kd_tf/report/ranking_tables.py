"""Prints the results of a run or comparison of the ranking task as terminal tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kd_tf.data.splits.cold_items import COLD_ITEMS
from kd_tf.report.console_tables import NOT_MEASURED, make_table
from kd_tf.report.ranking_results import FILE_ROLE, RankingModelTable, RankingResults

if TYPE_CHECKING:
    from kd_tf.report.ranking_data_summary import FeatureResult, RankingDataSummary
    from kd_tf.report.results import ComparisonResult

_CLICK_COLUMNS = {
    "AUC": "auc",
    "gAUC": "gauc",
    "log\nloss": "log_loss",
    "F1": "f1",
    "calib.\nerror": "calibration_error",
}
_RATING_COLUMNS = {"RMSE": "rmse", "MAE": "mae"}


def print_ranking_results(results: RankingResults, console: Console) -> None:
    """Prints baselines, teachers, students, files and comparisons at the end of a run."""
    data = results.dataset
    columns = _CLICK_COLUMNS if data.label["kind"] == "click" else _RATING_COLUMNS
    table = Table(
        title=f"{data.name}: {data.label['name']}, {data.test_rows:,} test rows, {data.protocol}",
        caption="Evaluated on the test rows, files by running the .tflite file. "
        "Latency: one row, one thread, this machine. * in the bundle",
        box=SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("")
    for heading in (*columns, "bytes", "p50\nus"):
        table.add_column(heading, justify="right", no_wrap=True)

    for model in results.models:
        name = f"{model.name} ({model.kind})" if model.kind != model.name else model.name
        table.add_row(name, *_format_metrics(model.metrics, columns), f"{model.bytes:,}", "")
    table.add_section()
    for artifact in results.artifacts:
        table.add_row(
            f"{artifact.name}.tflite" + (" *" if artifact.name == results.chosen else ""),
            *_format_metrics(artifact.metrics, columns),
            f"{artifact.bytes:,}",
            f"{artifact.latency_us['p50']:.0f}",
        )
    console.print(table)
    if results.num_cold_rows:
        _print_cold_items(results, columns, console)
    _print_comparisons(results.comparisons, console)


def print_ranking_models(model_table: RankingModelTable, console: Console) -> None:
    """Prints compared students, each beside its file, and paired comparisons of students."""
    data = model_table.dataset
    is_click = data.label["kind"] == "click"
    # Must fit into 80 columns.
    columns = {"AUC": "auc", "log\nloss": "log_loss"} if is_click else _RATING_COLUMNS
    folds, seeds = model_table.num_folds, model_table.num_seeds
    repeats = [f"{folds} folds"] if folds > 1 else []
    repeats += [f"{seeds} seed{'' if seeds == 1 else 's'}"]
    count = folds if folds > 1 else seeds
    caption = "Files are measured by running them."
    if count > 1:
        caption = (
            f"Means over {' and '.join(repeats)}; +- is the standard error over the "
            f"{'folds' if folds > 1 else 'seeds'}. {caption}"
        )
    table = make_table(
        f"{data.name}: {data.label['name']}, {data.test_size}, {data.protocol}, "
        f"{', '.join(repeats)}",
        caption,
        (0, 1, 0, 0),
    )
    table.add_column("")
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
        if count > 1:
            table.add_column("+-", justify="right", no_wrap=True)
    for heading in (*(f"file\n{heading}" for heading in columns), "file\nbytes"):
        table.add_column(heading.replace("log\n", "log "), justify="right", no_wrap=True)
    files = {model.name: model for model in model_table.models if model.role == FILE_ROLE}
    for model in model_table.models:
        if model.role == FILE_ROLE:
            continue
        cells = [f"{model.name} ({model.kind})" if model.role == "teacher" else model.name]
        for name in columns.values():
            cells.append(_format_metric(model.metrics, name))
            if count > 1:
                deviation = model.standard_deviations.get(name)
                cells.append("" if deviation is None else f"{deviation / count**0.5:.4f}")
        file = files.get(f"{model.name}.tflite")
        if file is not None:
            cells += [_format_metric(file.metrics, name) for name in columns.values()]
            cells.append(f"{file.bytes:,}")
        table.add_row(*cells)
    console.print(table)
    _print_comparisons(
        [pair for pair in model_table.comparisons if pair.model not in files],
        console,
        shows_p_values=True,
    )
    for note in data.notes:
        if " is skipped: " in note:
            console.print(f"Note: {note}.", markup=False)


def print_ranking_data(summary: RankingDataSummary, console: Console) -> None:
    """Prints the parts of the split, and what became of every column."""
    label = summary.label
    values = f"click of {label['name']}"
    if label["kind"] == "rating":
        values = f"rating {label['name']}, {label['low']:g} to {label['high']:g}"
    parts = make_table(
        f"{summary.name}: {values}; split {summary.protocol}, seed {summary.seed}",
        padding=(0, 1, 0, 0),
    )
    has_users = any(part.users is not None for part in summary.parts.values())
    headings = ["rows", *(["users"] if has_users else [])]
    headings += ["clicks"] if label["kind"] == "click" else []
    parts.add_column("")
    for heading in headings:
        parts.add_column(heading, justify="right", no_wrap=True)
    for name, part in summary.parts.items():
        cells = [f"{part.rows:,}", *([f"{part.users:,}"] if part.users is not None else [])]
        cells += [f"{part.positive_share:.1%}"] if part.positive_share is not None else []
        parts.add_row(name, *cells)
    console.print(parts)
    columns = make_table(
        "Columns",
        f"Values and missing ones in training rows. Unknown: values of test rows that training "
        f"does not know. A row is encoded as {summary.places} ids and {summary.numbers} numbers.",
        (0, 1, 0, 0),
    )
    # Texts, because rich would interpret brackets in a name as markup.
    columns.add_column("")
    columns.add_column("is", no_wrap=True)
    for heading in ("values", "miss-\ning", "un-\nknown"):
        columns.add_column(heading, justify="right", no_wrap=True)
    columns.add_column("features")
    columns.add_column("because")
    for column in summary.columns:
        unknown_shares = [
            feature.unknown_share
            for feature in column.features
            if feature.unknown_share is not None
        ]
        columns.add_row(
            Text(column.name),
            column.kind,
            f"{column.values:,}",
            f"{column.missing_share:.1%}" if column.missing_share else "",
            f"{max(unknown_shares):.1%}" if unknown_shares else "",
            _describe_features(column.features, column.name),
            Text(column.reason),
        )
    for feature in summary.crosses:
        columns.add_row(
            Text(feature.name), "", "", "", "", _describe_features([feature], feature.name), ""
        )
    console.print(columns)
    for note in summary.notes:
        console.print(f"Note: {note}.", markup=False)


def _describe_features(features: Sequence[FeatureResult], column: str) -> str:
    """Says how a column is encoded and with how many ids: ``vocabulary 212``, ``hour 26``."""
    texts = []
    for feature in features:
        has_part = feature.name.startswith(f"{column}:")
        name = feature.name.removeprefix(f"{column}:") if has_part else feature.kind
        ids = "" if feature.ids is None else f" {feature.ids:,}"
        places = f" x {feature.places}" if feature.places > 1 else ""
        texts.append(f"{name}{ids}{places}")
    return ", ".join(texts)


def _format_metric(metrics: dict[str, float], name: str) -> str:
    return f"{metrics[name]:.4f}" if name in metrics else NOT_MEASURED


def _print_comparisons(
    comparisons: Sequence[ComparisonResult], console: Console, *, shows_p_values: bool = False
) -> None:
    for comparison in comparisons:
        p_value = f", p {comparison.p_value:.2g}" if shows_p_values else ""
        doubt = f" ({comparison.doubt})" if comparison.doubt else ""
        console.print(
            f"{comparison.metric}: {comparison.model} {comparison.verdict} {comparison.reference}, "
            f"gain {comparison.difference:+.4f}, standard error "
            f"{comparison.standard_error:.4f}{p_value}{doubt}",
            markup=False,
        )


def _print_cold_items(results: RankingResults, columns: dict[str, str], console: Console) -> None:
    """Prints the metrics of test rows of items that training has not."""
    table = Table(
        title=f"{results.num_cold_rows:,} test rows of items that training has not",
        box=SIMPLE_HEAD,
        title_justify="left",
    )
    table.add_column("")
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    slices = {model.name: model.slices for model in results.models}
    slices[f"{results.chosen}.tflite"] = results.shipped_artifact.slices
    for name, slices_of_model in slices.items():
        table.add_row(name, *_format_metrics(slices_of_model[COLD_ITEMS]["metrics"], columns))
    console.print(table)


def _format_metrics(metrics: dict[str, float], columns: dict[str, str]) -> list[str]:
    return [
        f"{metrics[name]:.4f}" if name in metrics else NOT_MEASURED for name in columns.values()
    ]
