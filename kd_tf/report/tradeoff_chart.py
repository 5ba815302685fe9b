"""Quality against size: where each point, tick and label of the report's chart lies."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kd_tf.report.results import Results

METRIC = "ndcg@10"
LETTER_WIDTH = 6.7
"""Width of a letter of the labels in the chart's units: a 12 px sans-serif on the safe side."""
LINE_HEIGHT = 14.0
MARK_RADIUS = 7.0
"""Half the size of a mark."""


@dataclass(frozen=True)
class Tick:
    """A line of the grid: where it lies, and what stands beside it."""

    position: float
    label: str


@dataclass(frozen=True)
class Point:
    """A model or a file.

    Attributes:
        name: What the label says.
        role: ``baseline``, ``teacher``, ``student`` or ``artifact``.
        is_shipped: Whether it is the file in the bundle.
        bytes: Its size.
        quality: Its NDCG@10.
        x, y: Where its mark lies.
        anchor: Which part of its label lies at `label_x`: ``start``, ``middle`` or ``end``.
        label_x, label_y: Of the label; y is its middle.
        line_x: Where a thin line from the mark to the label ends, at the height `label_y`;
            None where the label lies at its mark.
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
    """NDCG@10 (upwards, from 0) against bytes (to the right, by powers of ten).

    Attributes:
        width, height: Of the whole drawing.
        left, right, top, bottom: Of the field with the points.
        sizes, qualities: The grid.
        points: In the order of the tables.
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
    x_min: float
    y_min: float
    x_max: float
    y_max: float

    def compute_overlap(self, other: _Box) -> float:
        """Shared area."""
        width = min(self.x_max, other.x_max) - max(self.x_min, other.x_min)
        height = min(self.y_max, other.y_max) - max(self.y_min, other.y_min)
        return max(width, 0.0) * max(height, 0.0)


@dataclass(frozen=True)
class _Label:
    """A place for a label; `line` is where the line from its mark ends, at height `middle`."""

    box: _Box
    anchor: str
    x: float
    y: float
    line_x: float | None


def draw_chart(results: Results, *, width: float, height: float) -> Chart:
    """Lays the chart out for a drawing of that size in pixels."""
    left, right, top, bottom = 48.0, width - 12.0, 12.0, height - 44.0
    # A model without bytes has no place on a logarithmic axis.
    entries = [
        (one.name, one.role, one.bytes, one.metrics[METRIC]) for one in results.models if one.bytes
    ]
    entries += [(one.name, "artifact", one.bytes, one.metrics[METRIC]) for one in results.artifacts]
    # Half and double leave room at both sides and a range where all sizes are equal.
    least = math.log10(max(min(entry[2] for entry in entries), 1) / 2)
    most = math.log10(max(max(entry[2] for entry in entries), 1) * 2)
    best = max(0.01, *(entry[3] for entry in entries))
    step = _choose_step(best)
    highest = step * (math.floor(best / step) + 1)

    def across(size: float) -> float:
        return left + (math.log10(size) - least) / (most - least) * (right - left)

    def up(quality: float) -> float:
        return bottom - quality / highest * (bottom - top)

    marks = [(across(max(entry[2], 1)), up(entry[3])) for entry in entries]
    labels = _place_labels([entry[0] for entry in entries], marks, _Box(left, top, right, bottom))
    return Chart(
        width=width,
        height=height,
        plot_left=left,
        plot_right=right,
        plot_top=top,
        plot_bottom=bottom,
        size_ticks=[
            Tick(across(size), _format_bytes(size)) for size in _choose_size_ticks(least, most)
        ],
        quality_ticks=[
            Tick(up(number * step), f"{number * step:g}")
            for number in range(round(highest / step) + 1)
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


def _place_labels(names: list[str], marks: list[tuple[float, float]], field: _Box) -> list[_Label]:
    """A free place for each label: beside its mark, else further away with a line to it."""
    taken = [
        _Box(x - MARK_RADIUS, y - MARK_RADIUS, x + MARK_RADIUS, y + MARK_RADIUS) for x, y in marks
    ]
    placed = []
    for name, mark in zip(names, marks, strict=True):
        # Each drawn label is in the way of the next; of equally free places the first is taken.
        best = min(
            _list_label_positions(LETTER_WIDTH * len(name), *mark),
            key=lambda one: _measure_overlap(one, taken, field),
        )
        taken.append(best.box)
        placed.append(best)
    return placed


def _list_label_positions(length: float, x: float, y: float) -> list[_Label]:
    """Where a label of that length may lie around a mark, the clearest places first."""
    beside, away, high = MARK_RADIUS + 3, MARK_RADIUS + 8, LINE_HEIGHT / 2

    def label(anchor: str, label_x: float, middle: float, line: float | None) -> _Label:
        left = label_x - length * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        box = _Box(left, middle - high, left + length, middle + high)
        return _Label(box, anchor, label_x, middle, line)

    choices = [
        label("start", x + beside, y, None),
        label("end", x - beside, y, None),
        label("middle", x, y - MARK_RADIUS - high - 1, None),
        label("middle", x, y + MARK_RADIUS + high + 1, None),
    ]
    for lines in range(1, 9):
        for middle in (y - lines * LINE_HEIGHT, y + lines * LINE_HEIGHT):
            choices.append(label("start", x + away, middle, x + away - 2))
            choices.append(label("end", x - away, middle, x - away + 2))
    return choices


def _measure_overlap(label: _Label, taken: list[_Box], field: _Box) -> float:
    """How much of a label lies on other labels and marks or, twice as bad, outside the field."""
    box = label.box
    outside = (box.x_max - box.x_min) * (box.y_max - box.y_min) - box.compute_overlap(field)
    return sum(box.compute_overlap(other) for other in taken) + 2 * max(outside, 0.0)


def _choose_step(largest: float) -> float:
    """1, 2 or 5 times a power of ten, so that about four to eight steps reach `largest`."""
    power = 10 ** math.floor(math.log10(largest / 4))
    # The logarithm of a number just below a power may round up to it: then none of them fits.
    return next((m * power for m in (5.0, 2.0, 1.0) if m * power <= largest / 4), power)


def _choose_size_ticks(least: float, most: float) -> list[float]:
    """Round sizes between two logarithms: powers of ten, closer ones where those are few."""
    powers = range(max(math.floor(least), 0), math.ceil(most) + 1)
    for steps in ((1,), (1, 2, 5)):
        sizes = [float(step) * 10.0**power for power in powers for step in steps]
        sizes = [size for size in sizes if least <= math.log10(size) <= most]
        if len(sizes) >= 3:
            break
    return sizes


def _format_bytes(size: float) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return f"{size:g} B"
