"""report.html: a run on one page that needs nothing from outside and opens without a network."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from kd_tf import atomic
from kd_tf.report import tradeoff_chart
from kd_tf.report.results import Results

FILE = "report.html"
TEMPLATE = "report.html.jinja"


def write(results: Results, folder: Path) -> None:
    """Writes report.html into a run's folder in one step.

    Raises:
        UserError: The disk is full or the folder cannot be written.
    """
    atomic.write_text(folder / FILE, render(results))


def render(results: Results) -> str:
    """The page: facts of the data, figures of models and files, a chart, comparisons, versions.

    Every text is escaped: names of data sets, notes and versions come from outside.
    """
    environment = Environment(
        loader=PackageLoader("kd_tf.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Two layouts, for letters of a drawing that shrinks with the window cannot be read.
    return environment.get_template(TEMPLATE).render(
        results=results,
        charts={
            "wide": tradeoff_chart.draw_chart(results, width=760, height=420),
            "narrow": tradeoff_chart.draw_chart(results, width=350, height=420),
        },
        metrics=_list_metric_names(results),
        parts={
            name: figures["readers"]
            for one in results.models
            for name, figures in one.slices.items()
        },
    )


def _list_metric_names(results: Results) -> list[str]:
    """Every metric that anything was measured by, in the order of first mention."""
    measured = [one.metrics for one in results.models]
    measured += [one.metrics for one in results.artifacts]
    return list(dict.fromkeys(name for metrics in measured for name in metrics))
