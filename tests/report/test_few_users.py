"""What every output says where nobody, or hardly anybody, was tested."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from kd_tf.report import console_tables, html, method_chart, model_card
from kd_tf.report.results import ModelTable, Results


def make_few(results: Results, number: int) -> Results:
    """The same results, measured on another number of users."""
    models, artifacts, comparisons = results.models, results.artifacts, results.comparisons
    if not number:
        models = [dataclasses.replace(model, metrics={}, slices={}) for model in models]
        artifacts = [dataclasses.replace(artifact, metrics={}) for artifact in artifacts]
    if number < 2:
        models = [dataclasses.replace(model, intervals={}) for model in models]
        comparisons = []
    return dataclasses.replace(
        results,
        dataset=dataclasses.replace(results.dataset, test_users=number),
        models=models,
        artifacts=artifacts,
        comparisons=comparisons,
    )


def make_table(results: Results) -> ModelTable:
    models = [
        dataclasses.replace(model, metrics=model.metrics and {**model.metrics, "auc": 0.5})
        for model in results.models
    ]
    return ModelTable(results.dataset, models, results.comparisons)


def print_everything(results: Results) -> dict[str, str]:
    """All outputs by name."""
    texts = {"html": html.render(results), "card": model_card.render(results)}
    for name, table, show in (
        ("run", results, console_tables.print_results),
        ("baselines", make_table(results), console_tables.print_models),
    ):
        stream = io.StringIO()
        show(table, Console(file=stream, width=300))
        texts[name] = stream.getvalue()
    return texts


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "no test user: nothing can be measured"),
        (1, "measured on 1 test user: the figures say nothing by themselves"),
        (12, "measured on 12 test users: too few to tell which model is better"),
    ],
)
def test_every_output_says_what_few_test_users_are_worth(results, number, words):
    for name, text in print_everything(make_few(results, number)).items():
        assert words in text, name
        assert "1 test users" not in text, name
        assert "nan" not in text.lower(), name


def test_enough_users_need_no_caution(results):
    for text in print_everything(make_few(results, 30)).values():
        assert "measured on" not in text.lower()
        assert "nothing by themselves" not in text


def test_without_test_users_no_output_has_a_metric(results):
    texts = print_everything(make_few(results, 0))
    assert "NDCG@10 on" not in texts["html"]
    assert "<svg class" not in texts["html"]
    assert "All metrics" not in texts["html"]
    assert "| NDCG@10 |" not in texts["card"]
    for name in ("run", "baselines"):
        first = results.models[0].name
        row = next(line for line in texts[name].splitlines() if line.lstrip().startswith(first))
        assert row.split()[1] == console_tables.NOT_MEASURED
    chart = method_chart.render(make_table(make_few(results, 0)))
    assert "0 test users" in chart
    assert "<circle" not in chart
