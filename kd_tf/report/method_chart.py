"""Draws a comparison of distillation methods with the student alone, as an SVG."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from kd_tf import atomic
from kd_tf.report.results import ModelTable

METRIC = "ndcg@10"
TEMPLATE = "methods.svg.jinja"
ROW_HEIGHT = 22.0
PLOT_LEFT, WIDTH, MARGIN = 190.0, 760.0, 60.0
"""Left edge of the plot area, width of the drawing, and margin to the right of the plot area."""


def write(table: ModelTable, path: Path) -> None:
    """Writes the drawing as a self-contained SVG file, atomically.

    Raises:
        UserError: The disk is full or the folder cannot be written.
    """
    atomic.write_text(path, render(table))


def render(table: ModelTable) -> str:
    """Renders the drawing: a row per model, best first, and a line through the student alone.

    Bars show one standard deviation over the seeds on either side. A mark is filled if the model
    differs significantly from the student alone (paired t-test with Holm's adjustment, 5 %).
    """
    significant = {pair.model for pair in table.comparisons if pair.p_value < 0.05}
    # Without test users there is nothing to draw but the title.
    models = [model for model in table.models if METRIC in model.metrics]
    models.sort(key=lambda model: -model.metrics[METRIC])
    values = [
        (model.metrics[METRIC], model.standard_deviations.get(METRIC, 0.0)) for model in models
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
        reference_x=next((row["x"] for row in rows if row["name"] == "student-alone"), None),
        data=table.dataset,
    )
