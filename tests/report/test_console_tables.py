"""The table on the terminal: every figure whole at 80 columns, every name as it is."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from kd_tf.report.console_tables import print_results


def printed(results, width=80):
    stream = io.StringIO()
    print_results(results, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def row(text, name):
    """The figures behind a name that stands at the beginning of a line."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return line.removeprefix(name).split()


@pytest.mark.parametrize("width", [80, 200])
def test_every_model_has_its_own_figures(results, width):
    text = printed(results, width)
    for model in results.models:
        name = model.name if model.kind == model.name else f"{model.name} ({model.kind})"
        assert row(text, name) == [
            f"{model.metrics['ndcg@10']:.4f}",
            f"{model.metrics['recall@20']:.4f}",
            f"{model.metrics['coverage@10']:.4f}",
            f"{model.bytes:,}",
        ]


@pytest.mark.parametrize("width", [80, 200])
def test_every_file_has_its_own_figures(results, width):
    text = printed(results, width)
    for one in results.artifacts:
        name = f"{one.name}.tflite" + (" *" if one.name == results.chosen else "")
        assert row(text, name) == [
            f"{one.metrics['ndcg@10']:.4f}",
            f"{one.metrics['recall@20']:.4f}",
            f"{one.metrics['coverage@10']:.4f}",
            f"{one.bytes:,}",
            f"{one.bytes / one.floor_bytes:.3f}",
            f"{one.latency_us['p50']:.0f}/{one.latency_us['p99']:.0f}",
            f"{one.parity['top10_overlap']:.4f}",
        ]


def test_no_line_is_wider_than_80_columns_and_nothing_is_cut(results):
    models = [
        dataclasses.replace(one, kind="shallow-cnn", bytes=1_234_567_890) for one in results.models
    ]
    text = printed(dataclasses.replace(results, models=models))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    assert text.count("1,234,567,890") == len(models)


def test_dataset_protocol_users_and_seed_stand_above_the_table(results):
    data = dataclasses.replace(results.dataset, test_users=1600, seed=7)
    first = printed(dataclasses.replace(results, dataset=data)).splitlines()[0].strip()
    assert first == "synthetic: unseen-users, 1,600 test users, seed 7"


@pytest.mark.parametrize("name", ["[red]loans[/red]", "[/b]", "loans [2024]"])
def test_brackets_in_a_name_are_not_markup(results, name):
    data = dataclasses.replace(results.dataset, name=name)
    assert f"{name}: unseen-users" in printed(dataclasses.replace(results, dataset=data))


def test_each_comparison_has_its_difference_and_its_error(results):
    text = " ".join(printed(results).split())
    for one in results.comparisons:
        assert (
            f"{one.model} - {one.reference}: {one.metric} {one.difference:+.4f} "
            f"(paired SE {one.standard_error:.4f}, p {one.p_value:.2g})"
        ) in text


def test_the_number_of_threads_is_the_measured_one(results):
    assert "Latency: 1 thread," in printed(results, 200)
    results.shipped_artifact.latency_us["threads"] = 4
    assert "Latency: 4 threads," in printed(results, 200)


def test_books_that_training_hid_have_a_column(hidden_results):
    lines = printed(hidden_results).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split()[:3] == ["NDCG", "Recall", "new"]
    for model in hidden_results.models[2:]:
        (line,) = [line for line in lines if line.startswith(f"{model.name} (")]
        assert f" {model.metrics['ndcg@10'] / 3:.4f} " in line
    for file in hidden_results.artifacts:
        (line,) = [line for line in lines if line.startswith(f"{file.name}.tflite")]
        assert f" {file.metrics['ndcg@10'] / 3:.4f} " in line


@pytest.mark.parametrize("candidates", ["cold", "sampled:99"])
def test_figures_of_other_candidates_are_named_and_not_taken_for_such_books(
    hidden_results, candidates
):
    data = dataclasses.replace(hidden_results.dataset, candidates=candidates)
    text = printed(dataclasses.replace(hidden_results, dataset=data), 200)
    assert f"unseen-users, candidates {candidates}, 600 test users" in text
    assert "cover-" in text.splitlines()[1]
