"""Draws a comparison of distillation methods with the student alone, as an SVG."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from kd_tf import atomic
from kd_tf.report.ranking_results import FILE_ROLE, RankingModelTable
from kd_tf.report.results import ModelTable

TEMPLATE = "methods.svg.jinja"
REFERENCE = "student-alone"
"""The end of the names of students that others are compared with."""

ROW_HEIGHT = 22.0
PLOT_LEFT, WIDTH, MARGIN = 190.0, 760.0, 60.0
"""Left edge of the plot area, width of the drawing, and margin to the right of the plot area."""


@dataclass(frozen=True)
class ChartMetric:
    """What a chart shows.

    Attributes:
        name: Key of the metric in results.
        label: Its name for people.
        is_error: Whether a lower value is better.
        repeats: What the standard deviations are over.
    """

    name: str = "ndcg@10"
    label: str = "NDCG@10"
    is_error: bool = False
    repeats: str = "seeds"


def write(
    table: ModelTable | RankingModelTable, path: Path, metric: ChartMetric | None = None
) -> None:
    """Writes the drawing as a self-contained SVG file, atomically.

    Args:
        table: The compared models.
        path: The file.
        metric: What is shown; by default NDCG@10.

    Raises:
        UserError: The disk is full or the folder cannot be written.
    """
    atomic.write_text(path, render(table, metric))


def render(table: ModelTable | RankingModelTable, metric: ChartMetric | None = None) -> str:
    """Renders the drawing: a row per model, best first, and a line through each student alone.

    Bars show one standard deviation over the seeds on either side. A mark is filled if the model
    differs significantly from the student alone (paired t-test with Holm's adjustment, 5 %).
    """
    metric = metric or ChartMetric()
    significant = {
        pair.model
        for pair in table.comparisons
        if pair.p_value < 0.05 and pair.metric == metric.name
    }
    # Without test users there is nothing to draw but the title.
    models = [
        model for model in table.models if metric.name in model.metrics and model.role != FILE_ROLE
    ]
    sign = 1 if metric.is_error else -1
    models.sort(key=lambda model: sign * model.metrics[metric.name])
    values = [
        (model.metrics[metric.name], model.standard_deviations.get(metric.name, 0.0))
        for model in models
    ]
    min_value = min((value - deviation for value, deviation in values), default=0.0)
    max_value = max((value + deviation for value, deviation in values), default=0.0)
    # 1 if all values are equal, against a division by 0.
    value_range = (max_value - min_value) or 1.0

    def to_x(value: float) -> float:
        plot_width = WIDTH - PLOT_LEFT - MARGIN
        return round(PLOT_LEFT + (value - min_value) / value_range * plot_width, 1)

    rows = [
        {
            "name": model.name,
            "role": model.role,
            "is_reference": model.name.endswith(REFERENCE),
            "is_significant": model.name in significant,
            "y": 40 + ROW_HEIGHT * index,
            "x": to_x(value),
            "bar_start": to_x(value - deviation),
            "bar_end": to_x(value + deviation),
            "label": f"{value:.4f}".lstrip("0"),
        }
        for index, (model, (value, deviation)) in enumerate(zip(models, values, strict=True))
    ]
    environment = Environment(
        loader=PackageLoader("kd_tf.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        rows=rows,
        width=WIDTH,
        height=40 + ROW_HEIGHT * len(rows) + 24,
        plot_right=WIDTH - MARGIN,
        data=table.dataset,
        metric=metric,
        subject=table.dataset.test_size,
    )
