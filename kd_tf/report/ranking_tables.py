"""Prints the results of a run of the ranking task as terminal tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kd_tf.report.console_tables import NOT_MEASURED

if TYPE_CHECKING:
    from kd_tf.report.ranking_results import RankingResults

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

    def format_metrics(metrics: dict[str, float]) -> list[str]:
        return [
            f"{metrics[name]:.4f}" if name in metrics else NOT_MEASURED for name in columns.values()
        ]

    for model in results.models:
        name = f"{model.name} ({model.kind})" if model.kind != model.name else model.name
        table.add_row(name, *format_metrics(model.metrics), f"{model.bytes:,}", "")
    table.add_section()
    for artifact in results.artifacts:
        table.add_row(
            f"{artifact.name}.tflite" + (" *" if artifact.name == results.chosen else ""),
            *format_metrics(artifact.metrics),
            f"{artifact.bytes:,}",
            f"{artifact.latency_us['p50']:.0f}",
        )
    console.print(table)
    for comparison in results.comparisons:
        doubt = f" ({comparison.doubt})" if comparison.doubt else ""
        console.print(
            f"{comparison.metric}: {comparison.model} {comparison.verdict} {comparison.reference}, "
            f"gain {comparison.difference:+.4f}, standard error "
            f"{comparison.standard_error:.4f}{doubt}"
        )
