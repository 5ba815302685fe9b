"""A family's book club: few users, few items, and honest words on what cannot be measured."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import kd_tf as kd
from kd_tf import config
from kd_tf.data.dataset import Dataset
from kd_tf.data.sources.dataframe import read_dataframe
from kd_tf.errors import UserError
from kd_tf.pipeline.baselines import evaluate_baselines
from kd_tf.pipeline.compare import compare
from kd_tf.pipeline.run import run
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.sizes import TABLE_KS
from kd_tf.pipeline.summarize_data import summarize_data
from kd_tf.progress import NullProgress
from kd_tf.report import console_tables, example_user, method_chart
from kd_tf.report.results import ModelTable, Results

PROTOCOLS = ("unseen-users", "leave-one-out", "temporal", "random")


def draw(*sizes: int, items: int, seed: int = 0) -> list[list[int]]:
    """Histories of these sizes."""
    random = np.random.default_rng(seed)
    return [random.permutation(items)[:size].tolist() for size in sizes]


TABLES: dict[str, list[list[int]]] = {
    "one user, two items": [[0, 1]],
    "one user": [list(range(12))],
    "two users": draw(5, 5, items=8),
    "two users, two items": [[0, 1], [1, 2]],
    "a family": draw(9, 9, 9, items=12),
    "three alike": [[0, 1, 2, 3, 4, 5]] * 3,
    "three items": [[0, 1], [1, 2], [0, 2], [0, 1, 2]],
    "all have three": draw(3, 3, 3, 3, items=5),
    "1, 2, 5 and 20": draw(1, 2, 5, 20, items=20),
    "a large shelf": draw(2, 2, 2, 20, items=20),
    "twelve pairs": draw(*[2] * 12, items=9),
    "twelve alike": [[0, 1, 2]] * 12,
    "twelve": draw(*[1, 2, 5] * 4, items=15),
}

UNTRAINABLE = ("one user, two items", "temporal")
"""A cut in time through the only pair."""


def make_dataset(histories: list[list[int]]) -> Dataset:
    rows = [(f"u{user}", f"b{item}") for user, items in enumerate(histories) for item in items]
    frame = pd.DataFrame(rows, columns=["user", "item"])
    seconds = np.random.default_rng(1).permutation(len(rows)) * 1000
    frame["timestamp"] = pd.to_datetime(seconds, unit="s")
    return read_dataframe(frame, name="tiny")


def make_settings(protocol: str = "unseen-users", **sections: Any) -> config.Config:
    return config.from_values(
        {
            "name": "tiny",
            "split": {"protocol": protocol},
            "teacher": {"architecture": "local-ridge"},
            "student": {"architecture": "neighbours"},
            **sections,
        }
    )


def list_numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from list_numbers(part)
    elif isinstance(value, float):
        yield value


def check_table(table: ModelTable | Results) -> str:
    """Checks that a table claims no more than its test users allow; returns what is printed."""
    written = json.loads(json.dumps(table.to_json()))
    assert all(map(math.isfinite, list_numbers(written)))
    test_users = table.dataset.test_users
    for model in table.models:
        assert bool(model.metrics) == (test_users > 0)
        assert bool(model.intervals) == (test_users > 1)
    if test_users < 2:
        assert not table.comparisons
    for pair in table.comparisons:
        assert 0 < pair.p_value <= 1
    assert table.dataset.caution in table.dataset.notes
    stream = io.StringIO()
    console = Console(file=stream, width=200)
    if isinstance(table, Results):
        console_tables.print_results(table, console)
    else:
        console_tables.print_models(table, console)
    text = stream.getvalue()
    assert f"Note: {table.dataset.caution}." in text
    assert "nan" not in text
    return text


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", TABLES)
def test_baselines_say_what_few_users_can_show(name: str, protocol: str) -> None:
    table = evaluate_baselines(
        make_settings(protocol),
        models=["popularity", "item-knn", "ease"],
        dataset=make_dataset(TABLES[name]),
    )
    check_table(table)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", TABLES)
def test_what_can_be_trained_on_is_trained_on(name: str, protocol: str, tmp_path: Path) -> None:
    dataset = make_dataset(TABLES[name])

    def create() -> RunContext:
        return RunContext.create(make_settings(protocol), tmp_path, NullProgress(), dataset)

    if (name, protocol) == UNTRAINABLE:
        with pytest.raises(UserError, match="two items"):
            create()
        return
    context = create()
    num_items = len(dataset.catalog)
    assert context.recommendations == context.candidates_per_call == num_items
    assert context.split.train.lengths.max() >= 2
    notes = " ".join(context.dataset_summary.notes)
    assert f"a recommendation list has {num_items} items, not 50" in notes
    assert ("recall@20 is 1" in notes) == (num_items < max(TABLE_KS))


RUNS = [
    ("one user, two items", "unseen-users"),
    ("two users", "unseen-users"),
    ("a family", "unseen-users"),
    ("three alike", "leave-one-out"),
    ("twelve pairs", "random"),
    ("1, 2, 5 and 20", "temporal"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "protocol"), RUNS)
def test_a_run_of_few_users_leaves_a_bundle_that_answers(
    name: str, protocol: str, tmp_path: Path
) -> None:
    dataset = make_dataset(TABLES[name])
    settings = make_settings(protocol, export={"quantizations": ["dynamic-int8"]})
    finished = run(settings, tmp_path / "run", dataset=dataset)
    check_table(finished.results)
    results, caution = finished.results, finished.results.dataset.caution
    assert bool(results.artifacts[0].metrics) == (results.dataset.test_users > 0)
    assert caution in (finished.bundle.folder / "MODEL_CARD.md").read_text("utf-8")
    assert caution in (tmp_path / "run" / "report.html").read_text("utf-8")
    example = example_user.build_user_example(
        finished.dataset, finished.split, finished.teacher, finished.bundle
    )
    assert (example is None) == (results.dataset.test_users == 0)
    item_ids, num_items = dataset.catalog.item_ids, len(dataset.catalog)
    recommender = kd.Recommender.load(finished.bundle.folder)
    assert recommender.model.k == num_items
    assert len(recommender.recommend(item_ids[:1])) == num_items - 1
    assert not recommender.recommend(item_ids)
    # config.toml repeats the run: what was fitted is not taken for a setting.
    again = config.read(tmp_path / "run" / "config.toml")
    assert run(again, tmp_path / "run", dataset=dataset).results.models[0] is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "teacher", "student"),
    [
        ("one user, two items", "gru", "mlp"),
        ("one user, two items", "vae", "two-tower"),
        ("a family", "ensemble", "auto"),
    ],
)
def test_networks_train_on_few_users(name: str, teacher: str, student: str, tmp_path: Path) -> None:
    training = {"epochs": 1}
    settings = make_settings(
        teacher={"architecture": teacher, "training": training},
        student={"architecture": student, "training": training},
    )
    finished = run(settings, tmp_path / "run", dataset=make_dataset(TABLES[name]))
    check_table(finished.results)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two users", "a family", "twelve pairs"])
def test_the_code_of_the_readme_works_with_few_users(name: str, tmp_path: Path) -> None:
    data = make_dataset(TABLES[name])
    split = kd.split(data, protocol="unseen-users", seed=42)
    teacher = kd.models.GRUTeacher(split.num_items, max_length=50, embedding_dim=256)
    teacher.compile(optimizer="adam")
    teacher.fit(split.train, validation_data=split.validation, epochs=1)
    student = kd.models.MLPStudent(split.num_items, max_length=50, embedding_dim=16)
    distiller = kd.Distiller(
        teacher,
        student,
        student_loss_weight=0.3,
        distillation_losses=kd.distill.SoftTargets(temperature=2.0),
    )
    distiller.compile(optimizer=kd.keras.optimizers.Adam(0.01))
    distiller.fit(split.train, validation_data=split.validation, epochs=1)
    assert 0 <= kd.evaluate(student, split.test)["ndcg@10"] <= 1
    kd.export(student, tmp_path / "bundle", catalog=data.catalog, quantization="dynamic-int8")
    recommender = kd.Recommender.load(tmp_path / "bundle")
    assert len(recommender.recommend(data.catalog.item_ids[:1], k=3)) == min(3, split.num_items - 1)


def test_nobody_to_test_is_said_by_evaluate() -> None:
    split = kd.split(make_dataset(TABLES["one user"]))
    with pytest.raises(UserError, match="nothing can be measured"):
        kd.evaluate(kd.baselines.popularity.fit(split), split.test)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one user", "a family"])
def test_a_comparison_of_few_users_has_no_test(name: str, tmp_path: Path) -> None:
    settings = make_settings(student={"architecture": "mlp", "training": {"epochs": 1}})
    table = compare(
        settings,
        tmp_path / "compare",
        methods=["soft-targets"],
        seeds=1,
        dataset=make_dataset(TABLES[name]),
    )
    check_table(table)
    assert "NDCG@10 on" in method_chart.render(table)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"export": {"recommendations": 13}}, "export.recommendations is 13, .* only 12 items"),
        ({"export": {"candidates": 100}}, "export.candidates is 100, .* only 12 items"),
        ({"evaluation": {"ks": [10, 50]}}, "evaluation.ks is 50, .* only 12 items"),
        ({"evaluation": {"candidates": "sampled:99"}}, "sampled:99, .* only 12 items"),
        ({"split": {"test_users": 3}}, "leave none for training"),
        ({"cleaning": {"min_user_interactions": 13}}, "set .*min_user_interactions to 12 or less"),
    ],
)
def test_a_size_that_was_set_and_does_not_fit_is_an_error_before_any_work(
    sections: dict[str, Any], words: str, tmp_path: Path
) -> None:
    settings = make_settings(**sections)
    with pytest.raises(UserError, match=words):
        run(settings, tmp_path / "run", dataset=make_dataset([list(range(12))] * 3))
    assert not (tmp_path / "run").exists()


def test_single_items_are_refused_in_words_before_any_work(tmp_path: Path) -> None:
    for histories in ([[0]], [[0], [1], [0]]):
        with pytest.raises(UserError, match="No user has two items"):
            run(make_settings(), tmp_path / "run", dataset=make_dataset(histories))
    assert not (tmp_path / "run").exists()


def test_the_summary_of_the_data_says_that_a_minimum_was_lowered() -> None:
    summary = summarize_data(make_settings(), dataset=make_dataset(TABLES["twelve"]))
    assert summary.clean_counts.users == 8
    assert summary.cleaning_steps[-1].name == "user with fewer than 2 items"
    assert "only 4 of these 8 have 5" in summary.notes[0]
    stream = io.StringIO()
    console_tables.print_data(summary, Console(file=stream, width=200))
    assert stream.getvalue().count(f"Note: {summary.notes[0]}.") == 1


def test_folds_of_a_family_test_everybody() -> None:
    settings = make_settings(split={"num_folds": 3})
    table = evaluate_baselines(
        settings, models=["popularity", "item-knn"], dataset=make_dataset(TABLES["a family"])
    )
    check_table(table)
    assert table.dataset.test_users == 3
    with pytest.raises(UserError, match="3 users are too few for 4 folds"):
        evaluate_baselines(
            make_settings(split={"num_folds": 4}), dataset=make_dataset(TABLES["a family"])
        )
