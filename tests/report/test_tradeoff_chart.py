"""The chart: marks lie where their figures say, labels do not hide each other."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.report import tradeoff_chart
from kd_tf.report.results import ModelResult, Results

SIZES = {"wide": (760, 420), "narrow": (350, 420)}
UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}


def size_of(label):
    number, unit = label.split()
    return float(number) * UNITS[unit]


def only_models(results, figures):
    models = [
        ModelResult(f"model-{row}", "student", "mlp", 1, size, {"ndcg@10": quality}, 0.0)
        for row, (size, quality) in enumerate(figures)
    ]
    return dataclasses.replace(results, models=models, artifacts=[], chosen="")


FIGURES = st.lists(
    st.tuples(st.integers(1, 10**11), st.floats(0, 1, allow_nan=False)), min_size=1, max_size=12
)
SOME = Results(None, [], [], [], "")  # what `only_models` fills


@given(FIGURES)
def test_every_mark_lies_where_its_figures_say(figures):
    drawn = tradeoff_chart.draw_chart(only_models(SOME, figures), width=760, height=420)
    assert [(one.bytes, one.quality) for one in drawn.points] == figures
    # The axes are read as a person does: two lines of the grid make a scale.
    low, high = drawn.quality_ticks[0], drawn.quality_ticks[-1]
    assert (low.label, low.position) == ("0", drawn.plot_bottom)
    assert high.position == pytest.approx(drawn.plot_top)
    for one in drawn.points:
        assert drawn.plot_left < one.x < drawn.plot_right
        assert drawn.plot_top <= one.y <= drawn.plot_bottom
        read = (drawn.plot_bottom - one.y) / (low.position - high.position) * float(high.label)
        assert read == pytest.approx(one.quality, abs=1e-6)
    if len(drawn.size_ticks) > 1:
        (a, b), (at_a, at_b) = (
            (
                math.log10(size_of(tick.label))
                for tick in drawn.size_ticks[:: len(drawn.size_ticks) - 1]
            ),
            (tick.position for tick in drawn.size_ticks[:: len(drawn.size_ticks) - 1]),
        )
        for one in drawn.points:
            read = a + (one.x - at_a) / (at_b - at_a) * (b - a)
            assert read == pytest.approx(math.log10(one.bytes), abs=1e-6)


@given(FIGURES)
def test_there_are_enough_lines_to_read_and_not_too_many(figures):
    drawn = tradeoff_chart.draw_chart(only_models(SOME, figures), width=350, height=420)
    assert 4 <= len(drawn.quality_ticks) <= 12
    assert 1 <= len(drawn.size_ticks) <= 13
    for ticks in (drawn.size_ticks, drawn.quality_ticks):
        assert len({tick.label for tick in ticks}) == len(ticks)


def boxes(drawn):
    for one in drawn.points:
        length = tradeoff_chart.LETTER_WIDTH * len(one.name)
        left = one.label_x - length * {"start": 0, "middle": 0.5, "end": 1}[one.anchor]
        yield left, one.label_y - 6, left + length, one.label_y + 6


@pytest.mark.parametrize("size", SIZES)
def test_no_label_lies_on_another_or_outside(results, size):
    width, height = SIZES[size]
    drawn = tradeoff_chart.draw_chart(results, width=width, height=height)
    found = list(boxes(drawn))
    for row, (left, top, right, bottom) in enumerate(found):
        assert left >= 0
        assert right <= width
        assert top >= 0
        assert bottom <= drawn.plot_bottom + 6
        for a, b, c, d in found[:row]:
            assert left >= c or right <= a or top >= d or bottom <= b


def test_a_line_leads_from_a_mark_to_a_label_that_lies_apart(results):
    models = [
        dataclasses.replace(one, bytes=10_000, metrics={"ndcg@10": 0.2}) for one in results.models
    ]
    drawn = tradeoff_chart.draw_chart(
        dataclasses.replace(results, models=models), width=760, height=420
    )
    apart = [one for one in drawn.points if one.line_x is not None]
    assert apart
    for one in apart:
        assert abs(one.label_y - one.y) >= tradeoff_chart.LINE_HEIGHT - 1e-9
        assert one.line_x == pytest.approx(one.label_x + (-2 if one.anchor == "start" else 2))


def test_only_the_file_in_the_bundle_is_marked_as_shipped(results):
    # A model of the same name is no file.
    models = [*results.models, dataclasses.replace(results.models[0], name="int8")]
    drawn = tradeoff_chart.draw_chart(
        dataclasses.replace(results, models=models), width=760, height=420
    )
    assert [(one.role, one.name) for one in drawn.points if one.is_shipped] == [
        ("artifact", "int8")
    ]
