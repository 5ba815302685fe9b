"""methods.svg: what a comparison looks like."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from kd_tf.report import method_chart
from kd_tf.report.ranking_results import RankingDatasetResult, RankingModelTable
from kd_tf.report.results import ComparisonResult, DatasetResult, ModelResult, ModelTable

DATA = DatasetResult("a <shop>", 9, 9, 9, "unseen-users", 1, 5, 2, 1234, [], [])


def model(name: str, value: float, spread: float = 0.0, role: str = "student") -> ModelResult:
    metrics, deviations = {"ndcg@10": value}, {"ndcg@10": spread} if spread else {}
    return ModelResult(name, role, "mlp", 1, 1, metrics, 1.0, standard_deviations=deviations)


def drawn(*models: ModelResult, certain: tuple[str, ...] = ()) -> ElementTree.Element:
    pairs = [
        ComparisonResult(one.name, "student-alone", "ndcg@10", 0.0, 0.0, 9, p)
        for one in models
        for p in [0.01 if one.name in certain else 0.2]
    ]
    return ElementTree.fromstring(method_chart.render(ModelTable(DATA, list(models), pairs, {})))


def all_of(svg: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [one for one in svg.iter() if one.tag.endswith("}" + kind)]


def test_rows_are_ordered_and_places_go_with_the_figures():
    svg = drawn(model("student-alone", 0.1), model("rrd", 0.3, 0.1), model("hint", 0.2))
    names = [one.text for one in all_of(svg, "text") if one.get("x") == "8"][1:-1]
    assert names == ["rrd", "hint", "student-alone"]
    x = [float(one.get("cx")) for one in all_of(svg, "circle")]
    assert x[0] - x[1] == pytest.approx(x[1] - x[2], abs=0.2)
    bar = all_of(svg, "line")[1]  # after that of the student alone
    assert float(bar.get("x2")) - x[0] == pytest.approx(x[0] - x[1], abs=0.2)
    assert float(bar.get("x2")) == pytest.approx(method_chart.WIDTH - method_chart.MARGIN)


def test_only_what_is_certain_is_filled():
    svg = drawn(
        model("student-alone", 0.1), model("rrd", 0.3), model("hint", 0.2), certain=("rrd",)
    )
    filled = [one.get("fill") != "#fff" for one in all_of(svg, "circle")]
    assert filled == [True, False, True]


def test_of_errors_the_least_is_first_and_files_are_no_rows():
    metric = method_chart.ChartMetric("rmse", "RMSE", is_error=True, repeats="folds")
    dataset = RankingDatasetResult(
        "stars", {"kind": "rating"}, 9, None, "random", 1, 5, 2, 2000, [], 3, []
    )
    models = [
        ModelResult(name, role, "mlp", 1, 1, {"rmse": rmse}, 1.0)
        for name, role, rmse in (
            ("a student-alone", "student", 0.9), ("a hint", "student", 0.7),
            ("a hint.tflite", "file", 0.7), ("b student-alone", "student", 0.8),
        )
    ]  # fmt: skip
    pairs = [
        ComparisonResult("a hint", "a student-alone", name, 0.2, 0.1, 9, p_value)
        for name, p_value in (("rmse", 0.3), ("mae", 0.01))
    ]
    svg = ElementTree.fromstring(
        method_chart.render(RankingModelTable(dataset, models, pairs, 1, 3), metric)
    )
    texts = [one.text for one in all_of(svg, "text")]
    names = [one.text for one in all_of(svg, "text") if one.get("x") == "8"][1:-1]
    assert names == ["a hint", "b student-alone", "a student-alone"]
    assert any("RMSE on 2,000 test rows" in text for text in texts)
    assert any("over the folds" in text for text in texts)
    # A line for each student alone, and nothing filled by the test of another metric.
    assert sum(one.get("stroke-dasharray") is not None for one in all_of(svg, "line")) == 2
    assert [one.get("fill") == "#fff" for one in all_of(svg, "circle")] == [True, False, False]


def test_equal_figures_and_names_from_outside_make_a_drawing():
    text = method_chart.render(ModelTable(DATA, [model("a & b", 0.1), model("c", 0.1)], [], {}))
    svg = ElementTree.fromstring(text)
    assert "a & b" in [one.text for one in all_of(svg, "text")]
    assert not re.search("nan|inf", text)
    assert "1,234 test users" in text
