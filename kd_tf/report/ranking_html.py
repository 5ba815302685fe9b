"""Renders report.html of a run of the ranking task, as `kd_tf.report.html` does of the other."""

from __future__ import annotations

from pathlib import Path

from kd_tf import atomic
from kd_tf.report.html import FILE, list_metric_names, make_environment
from kd_tf.report.ranking_results import RankingResults
from kd_tf.report.reliability_chart import draw_reliability

TEMPLATE = "ranking_report.html.jinja"

MAIN_METRICS = {
    "click": {
        "AUC": "auc",
        "gAUC": "gauc",
        "log loss": "log_loss",
        "F1": "f1",
        "calibration error": "calibration_error",
    },
    "rating": {"RMSE": "rmse", "MAE": "mae"},
}
"""Headings and metrics of the tables, by kind of the label."""


def write(results: RankingResults, folder: Path) -> None:
    """Writes report.html into a run's folder atomically.

    Raises:
        UserError: The disk is full or the folder cannot be written.
    """
    atomic.write_text(folder / FILE, render(results))


def render(results: RankingResults) -> str:
    """Renders the page: the table and its columns, calibration, models, files and versions.

    All text is escaped, because names of columns and data sets are not trusted.
    """
    charts = {
        name: draw_reliability(results, width=width, height=420)
        for name, width in (("wide", 560), ("narrow", 350))
    }
    return (
        make_environment()
        .get_template(TEMPLATE)
        .render(
            results=results,
            num_cold_rows=results.num_cold_rows,
            charts={name: chart for name, chart in charts.items() if chart is not None},
            main_metrics=MAIN_METRICS[results.dataset.label["kind"]],
            metrics=list_metric_names([*results.models, *results.artifacts]),
        )
    )
