"""Renders report.html: the results of a run on one self-contained page that opens offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined

from kd_tf import atomic
from kd_tf.evaluation.candidates import COLD
from kd_tf.evaluation.slices import COLD_ITEM_MIN_USERS, COLD_USER_MAX_ITEMS, HIDDEN_ITEMS
from kd_tf.report import tradeoff_chart
from kd_tf.report.results import Results

FILE = "report.html"
TEMPLATE = "report.html.jinja"

SLICE_MEANINGS = {
    "cold-users": f"users with at most {COLD_USER_MAX_ITEMS} books in the history",
    "cold-items": f"held-out books with fewer than {COLD_ITEM_MIN_USERS} training users",
    HIDDEN_ITEMS: "held-out books that the protocol hides from training, as if nobody had read "
    "them",
    "head-items": "the most popular held-out books, with a third of all training interactions; the "
    "other thirds are middle and tail",
}
"""What the slices are that a name does not explain."""


class HasMetrics(Protocol):
    """A model or a file that was measured."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Its metrics by name."""


def write(results: Results, folder: Path) -> None:
    """Writes report.html into a run's folder atomically.

    Raises:
        UserError: The disk is full or the folder cannot be written.
    """
    atomic.write_text(folder / FILE, render(results))


def render(results: Results) -> str:
    """Renders the page: the data set, models, files, a chart, comparisons and versions.

    All text is escaped, because names of data sets, notes and versions are not trusted.
    """
    # Two layouts: the text of a single chart would become too small in a narrow window.
    return (
        make_environment()
        .get_template(TEMPLATE)
        .render(
            results=results,
            charts={
                "wide": tradeoff_chart.draw_chart(results, width=760, height=420),
                "narrow": tradeoff_chart.draw_chart(results, width=350, height=420),
            }
            if results.dataset.test_users
            else {},
            metrics=list_metric_names([*results.models, *results.artifacts]),
            slices=_count_slice_users(results),
            slice_meanings=SLICE_MEANINGS,
        )
    )


def _count_slice_users(results: Results) -> dict[str, int]:
    """Counts the users of the slices to show, by name.

    Where only hidden items are ranked, slices of items say nothing: these are all items.
    """
    return {
        name: part["num_users"]
        for model in results.models
        for name, part in model.slices.items()
        if results.dataset.candidates != COLD or name.endswith("-users")
    }


def make_environment() -> Environment:
    """Makes what renders the templates of all reports, with everything escaped."""
    return Environment(
        loader=PackageLoader("kd_tf.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def list_metric_names(results: Sequence[HasMetrics]) -> list[str]:
    """Lists the names of all metrics of models and files, in the order of first occurrence."""
    return list(dict.fromkeys(name for result in results for name in result.metrics))
