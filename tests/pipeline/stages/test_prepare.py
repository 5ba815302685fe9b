"""From settings to splits: every protocol and candidate, cleaned, checked and told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kd_tf import config
from kd_tf.baselines import BASELINES, REQUIREMENTS
from kd_tf.config import Config
from kd_tf.data.dataset import Dataset
from kd_tf.data.histories import from_lists
from kd_tf.data.prepare import ensure_validation_split
from kd_tf.data.sources.dataframe import read_dataframe
from kd_tf.errors import UserError
from kd_tf.pipeline.baselines import evaluate_baselines
from kd_tf.pipeline.stages import prepare
from kd_tf.pipeline.stages.load import load_dataset
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.summarize_data import summarize_data
from kd_tf.progress import NullProgress


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """120 users with 8 to 14 of 60 items, with ratings, times and titles; two rows repeat."""
    random = np.random.default_rng(5)
    rows = []
    for user in range(120):
        taste = np.arange(30) + 30 * (user % 2)
        for place, item in enumerate(random.permutation(taste)[: random.integers(8, 15)]):
            rows.append((f"r{user}", f"b{item}", 1 + random.integers(5), 1000 * place + user))
    rows += rows[:2]
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
    items = pd.DataFrame(
        {
            "item_id": [f"b{item}" for item in range(60)],
            "title": [f"tale of the {'sea' if item < 30 else 'moon'}" for item in range(60)],
        }
    )
    return read_dataframe(frame, items, name="two shelves")


def settings(**sections: object) -> Config:
    return config.from_values({"split": {"test_users": 30}, **sections})


@pytest.mark.parametrize(
    ("split", "protocol", "tested"),
    [
        ({"test_users": 30}, "unseen-users", 30),
        ({"protocol": "leave-one-out"}, "leave-one-out", 120),
        ({"protocol": "random"}, "random", 120),
        ({"protocol": "temporal"}, "temporal", None),
    ],
)
def test_every_protocol_divides_what_cleaning_left(
    dataset: Dataset, split: dict[str, object], protocol: str, tested: int | None
) -> None:
    prepared = prepare.prepare_data(settings(split=split), dataset)
    assert prepared.split.protocol == protocol
    if tested:
        assert len(prepared.split.test.histories) == tested
    assert [step.before.interactions - step.after.interactions for step in prepared.steps] == [
        2,
        0,
        0,
    ]


@pytest.mark.parametrize("protocol", ["unseen-users", "random"])
def test_folds_test_everybody_once(dataset: Dataset, protocol: str) -> None:
    prepared = prepare.prepare_data(settings(split={"protocol": protocol, "num_folds": 4}), dataset)
    assert len(prepared.splits) == 4
    if protocol == "unseen-users":
        tested = np.concatenate([split.test.users for split in prepared.splits])
        assert sorted(tested) == list(range(120))
    with pytest.raises(UserError, match="needs a single split"):
        _ = prepared.split


def test_every_baseline_is_measured_and_the_best_is_compared_with_all(dataset: Dataset) -> None:
    found = evaluate_baselines(settings(evaluation={"ks": [5, 10]}), dataset=dataset)
    names = [name for name in BASELINES if name not in REQUIREMENTS]
    assert [one.name for one in found.models] == names
    assert all({"ndcg@5", "recall@10", "auc"} <= one.metrics.keys() for one in found.models)
    best = max(found.models, key=lambda one: one.metrics["ndcg@5"])
    assert {one.model for one in found.comparisons} == {best.name}
    assert len(found.comparisons) == len(names) - 1
    metrics = {one.name: one.metrics["ndcg@10"] for one in found.models}
    # Readers keep to one of two shelves, which every model but these two can see.
    others = [name for name in names if name not in ("random", "popularity")]
    assert min(metrics[name] for name in others) > 1.2 * metrics["random"]


def test_baselines_over_folds_have_a_figure_for_every_user(dataset: Dataset) -> None:
    found = evaluate_baselines(
        settings(split={"num_folds": 3}), dataset=dataset, models=["popularity", "item-knn"]
    )
    assert [one.name for one in found.models] == ["popularity", "item-knn"]
    assert found.comparisons[0].num_users == 120
    assert any("3-fold" in note for note in found.dataset.notes)


def test_sampled_candidates_stand_in_the_result_and_are_warned_of(dataset: Dataset) -> None:
    warnings: list[str] = []

    class Warned(NullProgress):
        def warn(self, message: str) -> None:
            warnings.append(message)

    found = evaluate_baselines(
        settings(evaluation={"candidates": "sampled:5"}),
        Warned(),
        dataset=dataset,
        models=["popularity"],
    )
    assert found.dataset.candidates == "sampled:5"
    assert "accuracy" in found.models[0].metrics
    assert any("not comparable" in warning for warning in warnings)


def test_run_and_baselines_report_how_well_the_two_tables_meet(
    dataset: Dataset, tmp_path: Path
) -> None:
    class Infos(NullProgress):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def info(self, message: str) -> None:
            self.lines.append(message)

    of_run, of_baselines = Infos(), Infos()
    RunContext.create(settings(), tmp_path / "run", of_run, dataset)
    evaluate_baselines(settings(), of_baselines, dataset=dataset, models=["popularity"])
    line = "60 of 60 items with interactions are in the item table (100%)"
    assert of_run.lines[0].startswith(line)
    assert of_baselines.lines[0] == of_run.lines[0]


def test_a_baseline_that_cannot_be_fitted_is_left_out_with_a_note_unless_it_was_asked_for(
    dataset: Dataset,
) -> None:
    ids_only = Dataset(
        dataset.name,
        dataset.interactions,
        type(dataset.catalog)(dataset.catalog.frame.select("item_id")),
    )
    found = evaluate_baselines(settings(), dataset=ids_only)
    assert "content" not in [one.name for one in found.models]
    assert any(note.startswith("content is skipped") for note in found.dataset.notes)
    with pytest.raises(UserError, match="no text"):
        evaluate_baselines(settings(), dataset=ids_only, models=["content"])
    with pytest.raises(UserError, match="no baseline 'magic'"):
        evaluate_baselines(settings(), dataset=dataset, models=["magic"])


def test_a_published_split_is_taken_as_it_is(tmp_path: Path) -> None:
    for name, text in (("train", "0 1 2\n1 2 3\n2 1 3 4\n"), ("test", "0 3\n1 1\n")):
        (tmp_path / f"{name}.txt").write_text(text)
    data = {
        "dataset": "user-item-lists",
        "train": str(tmp_path / "train.txt"),
        "test": str(tmp_path / "test.txt"),
    }
    given = config.from_values({"data": data})
    read = load_dataset(given)
    prepared = prepare.prepare_data(given, read)
    assert prepared.split.protocol == "published"
    assert prepared.steps == []
    assert len(prepared.split.train.items) == 7
    assert len(prepared.split.validation.histories) == 0
    carved = ensure_validation_split(prepared.split)
    # Users with two items keep both.
    assert carved.validation.users.tolist() == [2]
    config.write(given, tmp_path / "config.toml")
    again = config.read(tmp_path / "config.toml")
    assert prepare.prepare_data(again, read).split.fingerprint() == prepared.split.fingerprint()
    touched = config.from_values({"data": data, "cleaning": {"min_rating": 3}})
    with pytest.raises(UserError, match=r"cleaning\.min_rating"):
        prepare.prepare_data(touched, read)
    anew = config.from_values(
        {
            "data": data,
            "split": {"protocol": "leave-one-out"},
            "cleaning": {"min_user_interactions": 3},
        }
    )
    assert prepare.prepare_data(anew, read).split.protocol == "leave-one-out"


def test_protocol_given_needs_divided_files(dataset: Dataset) -> None:
    with pytest.raises(UserError, match="needs data with a published split"):
        prepare.prepare_data(settings(split={"protocol": "published"}), dataset)


@pytest.mark.parametrize(
    ("since", "seconds"),
    [
        *(("1000", 1000), ("-5", -5), ("5000.0", 5000), ("1600000000999", 1_600_000_000)),
        *(("1970-01-01 00:00:05", 5), ("1970-01-01T01:00:00+01:00", 0), ("1970-01-02", 86_400)),
        *(("2 Jan 1970", 86_400), ("13/01/1970", 12 * 86_400), ("20200229", 1_582_934_400)),
    ],
)
def test_the_time_range_is_given_like_the_times_of_a_table(since: str, seconds: int) -> None:
    assert prepare.make_cleaning_rules(settings(cleaning={"since": since})).since == seconds


@pytest.mark.parametrize("text", ["last summer", "2015", "03/10/2015", "2015-02-30", "42005", ""])
@pytest.mark.parametrize("bound", ["since", "until"])
def test_what_is_no_time_or_may_be_two_bounds_no_range(bound: str, text: str) -> None:
    with pytest.raises(UserError, match=rf"cleaning\.{bound} is '{text}'.*one meaning"):
        prepare.make_cleaning_rules(settings(cleaning={bound: text}))


def test_the_summary_counts_before_and_after_every_step(dataset: Dataset) -> None:
    summary = summarize_data(settings(cleaning={"min_rating": 4}), dataset=dataset)
    assert summary.raw_counts.interactions == len(dataset.interactions)
    counts = [summary.raw_counts, *(step.after for step in summary.cleaning_steps)]
    for step, before in zip(summary.cleaning_steps, counts, strict=False):
        assert step.before == before
    assert summary.clean_counts == summary.cleaning_steps[-1].after
    assert summary.items_per_user["0"] >= 5
    assert summary.columns == ["rating", "timestamp", "title"]
    assert 0 < summary.density < 1


def test_a_model_sees_what_most_users_have_read():
    def length(lengths: list[int], given: int | None = None) -> int:
        rows = from_lists([np.arange(1, n + 1, dtype=np.int32) for n in lengths])
        settings = config.from_values({"export": {"max_length": given}} if given else {})
        return prepare.choose_max_length(settings, SimpleNamespace(train=rows))

    assert length([5] * 100) == 50
    assert length([5] * 90 + [118] * 10) == 120
    assert length([5] * 97 + [118] * 3) == 50
    assert length([900] * 10) == 200
    assert length([900] * 10, given=7) == 7
