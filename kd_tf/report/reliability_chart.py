"""Computes the layout of a reliability plot: do predicted probabilities come true?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kd_tf.report.ranking_results import RankingResults
from kd_tf.report.tradeoff_chart import Tick, choose_step

MODELS = ("teacher", "student-distilled")
"""The models of the plot, beside the best baseline."""


@dataclass(frozen=True)
class Bin:
    """The rows of a bin as a point of the plot.

    Attributes:
        prediction: Mean of the predicted probabilities.
        share: Share of clicks.
        num_rows: Number of rows.
        x, y: Center of the mark.
        y_low, y_high: Ends of the bar: two standard errors of the share, within the plot.
    """

    prediction: float
    share: float
    num_rows: int
    x: float
    y: float
    y_low: float
    y_high: float


@dataclass(frozen=True)
class Curve:
    """The bins of a model, in the order of their predictions.

    Attributes:
        name: Name of the model.
        role: ``baseline``, ``teacher`` or ``student``.
        bins: The bins that have rows.
    """

    name: str
    role: str
    bins: list[Bin]


@dataclass(frozen=True)
class ReliabilityChart:
    """The layout of the plot: share of clicks (y) against prediction (x), both from 0.

    Attributes:
        width, height: Size of the whole drawing in pixels.
        plot_left, plot_right, plot_top, plot_bottom: Edges of the plot area. Its diagonal is where
            predictions come true.
        x_ticks, y_ticks: Grid lines of the two axes.
        curves: The models, baseline first.
    """

    width: float
    height: float
    plot_left: float
    plot_right: float
    plot_top: float
    plot_bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    curves: list[Curve]


def find_best_baseline(results: RankingResults) -> str | None:
    """Returns the name of the baseline with the highest AUC; None if there is none."""
    baselines = [model for model in results.models if model.role == "baseline"]
    best = max(baselines, key=lambda model: model.metrics.get("auc", 0.0), default=None)
    return None if best is None else best.name


def draw_reliability(
    results: RankingResults, *, width: float, height: float
) -> ReliabilityChart | None:
    """Computes the layout of the plot; None where there is nothing to show, as for ratings.

    Args:
        results: Results of a run.
        width: Width of the drawing in pixels.
        height: Height of the drawing in pixels.
    """
    x_min, x_max, y_min, y_max = 48.0, width - 12.0, 12.0, height - 44.0
    names = [
        model.name
        for model in results.models
        if model.name in (find_best_baseline(results), *MODELS)
        and model.name in results.reliability
    ]
    if not names:
        return None
    largest = max(
        max(*results.reliability[name][key], 0.0)
        for name in names
        for key in ("mean_prediction", "positive_share")
    )
    # Clicks are often rare: an axis up to 1 would leave the curves in a corner.
    step = choose_step(max(largest, 0.001))
    limit = min(step * math.ceil(max(largest, 0.001) / step - 1e-9), 1.0)

    def to_x(value: float) -> float:
        return x_min + value / limit * (x_max - x_min)

    def to_y(value: float) -> float:
        return y_max - min(max(value / limit, 0.0), 1.0) * (y_max - y_min)

    def make_bin(prediction: float, share: float, num_rows: float) -> Bin:
        error = math.sqrt(share * (1 - share) / num_rows)
        return Bin(
            prediction=prediction,
            share=share,
            num_rows=int(num_rows),
            x=to_x(prediction),
            y=to_y(share),
            y_low=to_y(share - 2 * error),
            y_high=to_y(share + 2 * error),
        )

    roles = {model.name: model.role for model in results.models}
    ticks = [index * step for index in range(round(limit / step) + 1)]
    return ReliabilityChart(
        width=width,
        height=height,
        plot_left=x_min,
        plot_right=x_max,
        plot_top=y_min,
        plot_bottom=y_max,
        x_ticks=[Tick(to_x(value), f"{value:.6g}") for value in ticks],
        y_ticks=[Tick(to_y(value), f"{value:.6g}") for value in ticks],
        curves=[
            Curve(
                name=name,
                role=roles[name],
                bins=[
                    make_bin(*values)
                    for values in zip(
                        results.reliability[name]["mean_prediction"],
                        results.reliability[name]["positive_share"],
                        results.reliability[name]["num_rows"],
                        strict=True,
                    )
                ],
            )
            for name in names
        ],
    )
