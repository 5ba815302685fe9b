"""Computes the layout of the report's chart of quality (NDCG@10) against size (bytes)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kd_tf.report.results import Results

METRIC = "ndcg@10"
LETTER_WIDTH = 6.7
"""Estimated width of a label's letter in pixels: a 12 px sans-serif font, rounded up."""
LINE_HEIGHT = 14.0
"""Height of a label in pixels."""
MARK_RADIUS = 7.0
"""Half the width of a mark in pixels."""


@dataclass(frozen=True)
class Tick:
    """A grid line.

    Attributes:
        position: Its x or y coordinate.
        label: The text beside it.
    """

    position: float
    label: str


@dataclass(frozen=True)
class Point:
    """A model or a file in the chart.

    Attributes:
        name: Text of the label.
        role: ``baseline``, ``teacher``, ``student`` or ``artifact``.
        is_shipped: Whether it is the file in the bundle.
        bytes: Size of the model or file.
        quality: NDCG@10.
        x, y: Center of the mark.
        anchor: The part of the label that is at `label_x`: ``start``, ``middle`` or ``end``.
        label_x, label_y: Position of the label; y is its vertical center.
        line_x: The end of the thin line from the mark to a label further away, at the height
            `label_y`; None if the label is next to its mark.
    """

    name: str
    role: str
    is_shipped: bool
    bytes: int
    quality: float
    x: float
    y: float
    anchor: str
    label_x: float
    label_y: float
    line_x: float | None


@dataclass(frozen=True)
class Chart:
    """The layout of a chart of NDCG@10 (y, from 0) against bytes (x, logarithmic).

    Attributes:
        width, height: Size of the whole drawing in pixels.
        plot_left, plot_right, plot_top, plot_bottom: Edges of the plot area.
        size_ticks, quality_ticks: Grid lines of the x axis and the y axis.
        points: The models and files, in the order of the tables.
    """

    width: float
    height: float
    plot_left: float
    plot_right: float
    plot_top: float
    plot_bottom: float
    size_ticks: list[Tick]
    quality_ticks: list[Tick]
    points: list[Point]


@dataclass(frozen=True)
class _Box:
    """A rectangle."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float

    def compute_overlap(self, other: _Box) -> float:
        """Computes the area that two rectangles share."""
        width = min(self.x_max, other.x_max) - max(self.x_min, other.x_min)
        height = min(self.y_max, other.y_max) - max(self.y_min, other.y_min)
        return max(width, 0.0) * max(height, 0.0)


@dataclass(frozen=True)
class _Label:
    """A possible position of a label; `y` is its vertical center, and `line_x` as in `Point`."""

    box: _Box
    anchor: str
    x: float
    y: float
    line_x: float | None


def draw_chart(results: Results, *, width: float, height: float) -> Chart:
    """Computes the layout of the chart.

    Args:
        results: Results of a run.
        width: Width of the drawing in pixels.
        height: Height of the drawing in pixels.
    """
    area = _Box(48.0, 12.0, width - 12.0, height - 44.0)
    # 0 bytes cannot be shown on a logarithmic axis.
    entries = [
        (model.name, model.role, model.bytes, model.metrics[METRIC])
        for model in results.models
        if model.bytes
    ]
    entries += [
        (artifact.name, "artifact", artifact.bytes, artifact.metrics[METRIC])
        for artifact in results.artifacts
    ]
    # From half the smallest to twice the largest size: a margin, and a range if all are equal.
    min_log_size = math.log10(max(min(entry[2] for entry in entries), 1) / 2)
    max_log_size = math.log10(max(max(entry[2] for entry in entries), 1) * 2)
    best_quality = max(0.01, *(entry[3] for entry in entries))
    step = choose_step(best_quality)
    max_quality = step * (math.floor(best_quality / step) + 1)

    def to_x(size: float) -> float:
        fraction = (math.log10(size) - min_log_size) / (max_log_size - min_log_size)
        return area.x_min + fraction * (area.x_max - area.x_min)

    def to_y(quality: float) -> float:
        return area.y_max - quality / max_quality * (area.y_max - area.y_min)

    marks = [(to_x(max(entry[2], 1)), to_y(entry[3])) for entry in entries]
    labels = _place_labels([entry[0] for entry in entries], marks, area)
    return Chart(
        width=width,
        height=height,
        plot_left=area.x_min,
        plot_right=area.x_max,
        plot_top=area.y_min,
        plot_bottom=area.y_max,
        size_ticks=[
            Tick(to_x(size), _format_bytes(size))
            for size in _choose_size_ticks(min_log_size, max_log_size)
        ],
        quality_ticks=[
            Tick(to_y(index * step), f"{index * step:g}")
            for index in range(round(max_quality / step) + 1)
        ],
        points=[
            Point(
                name=name,
                role=role,
                is_shipped=role == "artifact" and name == results.chosen,
                bytes=size,
                quality=quality,
                x=x,
                y=y,
                anchor=label.anchor,
                label_x=label.x,
                label_y=label.y,
                line_x=label.line_x,
            )
            for (name, role, size, quality), (x, y), label in zip(
                entries, marks, labels, strict=True
            )
        ],
    )


def _place_labels(names: list[str], marks: list[tuple[float, float]], area: _Box) -> list[_Label]:
    """Places each label next to its mark if there is space, else further away with a line to it."""
    occupied_boxes = [
        _Box(x - MARK_RADIUS, y - MARK_RADIUS, x + MARK_RADIUS, y + MARK_RADIUS) for x, y in marks
    ]
    labels = []
    for name, mark in zip(names, marks, strict=True):
        # Labels must not overlap earlier ones; of equally good positions the first is used.
        best = min(
            _list_label_positions(LETTER_WIDTH * len(name), *mark),
            key=lambda label: _measure_overlap(label, occupied_boxes, area),
        )
        occupied_boxes.append(best.box)
        labels.append(best)
    return labels


def _list_label_positions(length: float, x: float, y: float) -> list[_Label]:
    """Lists possible positions of a label of that length around a mark, preferred ones first."""
    near, far, half_height = MARK_RADIUS + 3, MARK_RADIUS + 8, LINE_HEIGHT / 2

    def make_label(anchor: str, label_x: float, label_y: float, line_x: float | None) -> _Label:
        x_min = label_x - length * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        box = _Box(x_min, label_y - half_height, x_min + length, label_y + half_height)
        return _Label(box, anchor, label_x, label_y, line_x)

    labels = [
        make_label("start", x + near, y, None),
        make_label("end", x - near, y, None),
        make_label("middle", x, y - MARK_RADIUS - half_height - 1, None),
        make_label("middle", x, y + MARK_RADIUS + half_height + 1, None),
    ]
    for lines in range(1, 9):
        for label_y in (y - lines * LINE_HEIGHT, y + lines * LINE_HEIGHT):
            labels.append(make_label("start", x + far, label_y, x + far - 2))
            labels.append(make_label("end", x - far, label_y, x - far + 2))
    return labels


def _measure_overlap(label: _Label, occupied_boxes: list[_Box], area: _Box) -> float:
    """Measures the area of a label on other labels and marks and, doubled, outside the plot."""
    box = label.box
    outside = (box.x_max - box.x_min) * (box.y_max - box.y_min) - box.compute_overlap(area)
    return sum(box.compute_overlap(other) for other in occupied_boxes) + 2 * max(outside, 0.0)


def choose_step(largest: float) -> float:
    """Chooses 1, 2 or 5 times a power of ten, so that about four to eight steps reach `largest`."""
    power = 10.0 ** math.floor(math.log10(largest / 4))
    # For a number just below a power of ten, the logarithm may round up: then no multiple fits.
    return next((m * power for m in (5.0, 2.0, 1.0) if m * power <= largest / 4), power)


def _choose_size_ticks(min_log: float, max_log: float) -> list[float]:
    """Chooses round sizes between two logarithms: powers of ten, and 2 and 5 times them if few."""
    powers = range(max(math.floor(min_log), 0), math.ceil(max_log) + 1)
    for steps in ((1,), (1, 2, 5)):
        sizes = [float(step) * 10.0**power for power in powers for step in steps]
        sizes = [size for size in sizes if min_log <= math.log10(size) <= max_log]
        if len(sizes) >= 3:
            break
    return sizes


def _format_bytes(size: float) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return f"{size:g} B"
