"""A comparison as a drawing: what every method gains or loses against the student alone."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from kd_tf import atomic
from kd_tf.report.results import ModelTable

METRIC = "ndcg@10"
TEMPLATE = "methods.svg.jinja"
ROW_HEIGHT = 22.0
PLOT_LEFT, WIDTH, MARGIN = 190.0, 760.0, 60.0
"""Where the field begins, how wide the drawing is, and how much stays free beside the field."""


def write(table: ModelTable, path: Path) -> None:
    """Writes an SVG that needs nothing from outside, in one step.

    Raises:
        UserError: The disk is full or the folder cannot be written.
    """
    atomic.write_text(path, render(table))


def render(table: ModelTable) -> str:
    """The drawing: a row a model, best first, with one standard deviation over the seeds on either
    side, and a line through the student alone. What Holm's paired test calls no chance is filled.
    """
    certain = {one.model for one in table.comparisons if one.p_value < 0.05}
    models = sorted(table.models, key=lambda one: -one.metrics[METRIC])
    figures = [(one.metrics[METRIC], one.standard_deviations.get(METRIC, 0.0)) for one in models]
    least = min(value - spread for value, spread in figures)
    most = max(value + spread for value, spread in figures)
    # All equal is one place in the middle.
    width = (most - least) or 1.0

    def across(value: float) -> float:
        return round(PLOT_LEFT + (value - least) / width * (WIDTH - PLOT_LEFT - MARGIN), 1)

    rows = [
        {
            "name": one.name,
            "role": one.role,
            "certain": one.name in certain,
            "y": 40 + ROW_HEIGHT * number,
            "x": across(value),
            "from": across(value - spread),
            "to": across(value + spread),
            "label": f"{value:.4f}".lstrip("0"),
        }
        for number, (one, (value, spread)) in enumerate(zip(models, figures, strict=True))
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
        left=PLOT_LEFT,
        right=WIDTH - MARGIN,
        alone=next((row["x"] for row in rows if row["name"] == "student-alone"), None),
        data=table.dataset,
    )
