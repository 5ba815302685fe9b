"""A run of the ranking task on a tiny table: results, files that are measured, and a second run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from kd_tf.config import RankingConfig, from_values
from kd_tf.data.ranking.examples import RankingSplit
from kd_tf.errors import UserError
from kd_tf.evaluation.metrics.click_auc import compute_click_auc
from kd_tf.pipeline.ranking import run as run_module
from kd_tf.pipeline.ranking.load import load_ranking_split
from kd_tf.pipeline.ranking.run import RankingRunResult, run_ranking
from kd_tf.progress import NullProgress
from kd_tf.runtime.prediction_model import PredictionModel
from kd_tf.runtime.ranker import Ranker

NUM_ROWS = 1500

CLICK_METRICS = {"auc", "log_loss", "accuracy", "precision", "recall", "f1", "calibration_error"}


class Notes(NullProgress):
    """Remembers what a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str) -> None:
        self.lines.append(message)


def write_table(folder: Path) -> Path:
    """Clicks of users on items whose kind they like; stars that say the same; and a constant."""
    random = np.random.default_rng(0)
    users, items = random.integers(0, 30, NUM_ROWS), random.integers(0, 40, NUM_ROWS)
    hours = random.integers(0, 24, NUM_ROWS)
    logits = 2.0 * ((users + items) % 2 == 0) - 1 + 0.05 * (hours - 12)
    clicks = random.random(NUM_ROWS) < 1 / (1 + np.exp(-2 * logits))
    path = folder / "table.csv"
    pl.DataFrame(
        {
            "user": [f"u{user}" for user in users],
            "item": [f"i{item}" for item in items],
            "hour": hours,
            "clicked": clicks.astype(int),
            "stars": np.clip(np.round(3 + logits + random.normal(0, 0.5, NUM_ROWS)), 1, 5),
            "always": 1,
        }
    ).write_csv(path)
    return path


def make_settings(path: Path, label: str, **more: Any) -> RankingConfig:
    others = [name for name in ("clicked", "stars", "always") if name != label]
    values = {
        "name": "tiny",
        "data": {"interactions": str(path), "label": label},
        "features": {"ignore": others},
        "teacher": {"architecture": "deep", "hidden": [8], "training": {"epochs": 2}},
        "student": {"architecture": "mlp", "hidden": [8], "training": {"epochs": 1}},
        "export": {"quantizations": ["float32", "dynamic-int8"], "batch_size": 16},
        **more,
    }
    return from_values(values, RankingConfig)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="module")
def clicks(table: Path, tmp_path_factory: pytest.TempPathFactory) -> RankingRunResult:
    folder = tmp_path_factory.mktemp("runs") / "clicks"
    settings = make_settings(table, "clicked")

    def fail(*_: Any) -> Any:
        raise KeyboardInterrupt

    # Interrupted after the teacher: the second call goes on from there.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "load_or_train_ranking_student", fail)
        with pytest.raises(KeyboardInterrupt):
            run_ranking(settings, folder)
    assert not (folder / "results.json").exists()
    notes = Notes()
    result = run_ranking(settings, folder, notes)
    assert any(line.startswith("teacher: reused") for line in notes.lines)
    assert not any(line.startswith("student/alone: reused") for line in notes.lines)
    return result


def test_a_constant_label_is_refused_before_the_folder_is_made(table: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is one class only: every label is '1'"):
        run_ranking(make_settings(table, "always"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_results_have_what_is_documented(clicks: RankingRunResult) -> None:
    content = json.loads((clicks.folder / "results.json").read_text())
    assert (content["task"], content["version"]) == ("ranking", clicks.results.version)
    names = {model["name"] for model in content["models"]}
    assert {"teacher", "student-alone", "student-distilled", "prior"} <= names
    for entry in (*content["models"], *content["artifacts"]):
        assert set(entry["metrics"]) >= CLICK_METRICS, entry["name"]
    kinds = {model["name"]: model["kind"] for model in content["models"]}
    assert (kinds["teacher"], kinds["student-alone"]) == ("deep", "mlp")
    assert [artifact["name"] for artifact in content["artifacts"]] == ["float32", "dynamic-int8"]
    dataset = content["dataset"]
    assert dataset["rows"] == NUM_ROWS
    assert sum(dataset[f"{part}_rows"] for part in ("train", "validation", "test")) == NUM_ROWS
    assert {column["name"] for column in dataset["columns"]} >= {"user", "item", "hour"}
    assert "stars" not in {column["name"] for column in dataset["columns"]}
    pairs = {(pair["model"], pair["reference"]) for pair in content["comparisons"]}
    assert ("student-distilled", "student-alone") in pairs


@pytest.mark.slow
def test_metrics_of_a_file_come_from_the_file(clicks: RankingRunResult) -> None:
    test = clicks.split.test
    for artifact in clicks.results.artifacts:
        content = (clicks.folder / artifact.path).read_bytes()
        assert (artifact.bytes, artifact.sha256) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
        predictions = PredictionModel(content).predict_all(test.categorical, test.numeric)
        auc = compute_click_auc(test.labels, predictions)
        assert artifact.metrics["auc"] == pytest.approx(auc, abs=1e-9)
        is_right = (predictions >= artifact.threshold) == (test.labels == 1)
        assert artifact.metrics["accuracy"] == pytest.approx(is_right.mean(), abs=1e-9)


@pytest.mark.slow
def test_the_bundle_predicts_raw_rows_as_the_student(clicks: RankingRunResult, table: Path) -> None:
    ranker = Ranker.load(clicks.folder)
    frame = pl.read_csv(table).head(40)
    rows = {name: frame[name].to_list() for name in ("user", "item", "hour")}
    categorical, numeric = ranker.bundle.schema.encode(rows)
    expected = clicks.student.predict_probabilities(
        {"categorical": categorical, "numeric": numeric}
        if numeric.shape[1]
        else {"categorical": categorical}
    )
    np.testing.assert_allclose(ranker.predict_all(rows), expected, atol=0.02)


@pytest.mark.slow
def test_a_second_run_makes_anew_what_changed_alone(clicks: RankingRunResult, table: Path) -> None:
    student = {"architecture": "mlp", "hidden": [6], "training": {"epochs": 1}}
    notes = Notes()
    run_ranking(make_settings(table, "clicked", student=student), clicks.folder, notes)
    assert any(line.startswith("teacher: reused") for line in notes.lines)
    assert not any(line.startswith("student/") and "reused" in line for line in notes.lines)


@pytest.mark.slow
def test_columns_of_other_names_make_all_anew(table: Path, tmp_path: Path) -> None:
    """The same ids in the same places are rows of other features."""
    settings = make_settings(table, "clicked", export={"quantizations": ["float32"]})
    run_ranking(settings, tmp_path / "run")
    frame = pl.read_csv(table).rename({"hour": "time of day"})
    frame.write_csv(tmp_path / "renamed.csv")
    renamed = make_settings(
        tmp_path / "renamed.csv", "clicked", export={"quantizations": ["float32"]}
    )
    result = run_ranking(renamed, tmp_path / "run")
    assert result.teacher.layout == result.split.train.layout


@pytest.mark.slow
def test_ratings_are_measured_and_predicted_in_their_own_units(table: Path, tmp_path: Path) -> None:
    settings = make_settings(table, "stars", export={"quantizations": ["float32"]})
    result = run_ranking(settings, tmp_path / "run")
    assert result.split.label.kind == "rating"
    for model in result.results.models:
        assert {"rmse", "mae"} <= set(model.metrics), model.name
        assert "auc" not in model.metrics
    ranker = Ranker.load(tmp_path / "run")
    frame = pl.read_csv(table)
    rows = {name: frame[name].to_list() for name in ("user", "item", "hour")}
    predictions = ranker.predict_all(rows)
    assert predictions.min() >= 1
    assert predictions.max() <= 5
    assert predictions.mean() == pytest.approx(frame["stars"].mean(), abs=0.5)
    assert result.results.reliability == {}


def test_rows_are_read_by_the_settings(table: Path) -> None:
    split: RankingSplit = load_ranking_split(
        make_settings(table, "clicked", split={"protocol": "random", "test_share": 0.3}),
        NullProgress(),
    )
    assert len(split.test) == pytest.approx(0.3 * NUM_ROWS, abs=2)
    assert split.label.kind == "click"
    names = {feature.name for feature in split.train.layout.categorical}
    assert {"user", "item"} <= names
    assert not any("stars" in name or "always" in name for name in names)


@pytest.mark.slow
def test_a_teacher_of_texts_teaches_a_student_without(table: Path, tmp_path: Path) -> None:
    """New items are measured apart, and the file has the features that it has without texts."""
    words = ("ship storm harbour", "oven bread spice")
    frame = pl.read_csv(table)
    number = frame["item"].str.slice(1).cast(pl.Int64)
    frame = frame.with_columns(title=pl.Series([words[n % 2] + f" part {n}" for n in number]))
    # The last items are in test rows alone, beside others.
    is_test = (np.arange(NUM_ROWS) % 4 == 0) | (number >= 35).to_numpy()
    frame.filter(~pl.Series(is_test)).write_csv(tmp_path / "train.csv")
    frame.filter(pl.Series(is_test)).write_csv(tmp_path / "test.csv")
    settings = make_settings(
        table,
        "clicked",
        data={
            "train": str(tmp_path / "train.csv"),
            "test": str(tmp_path / "test.csv"),
            "label": "clicked",
        },
        features={"ignore": ["stars", "always"], "text": ["title"]},
        teacher={
            "architecture": "ensemble",
            "members": ["deep", "text"],
            "hidden": [8],
            "training": {"epochs": 2},
        },
        export={"quantizations": ["float32"], "batch_size": 16},
    )
    result = run_ranking(settings, tmp_path / "run")
    is_cold = result.split.is_cold
    num_cold = int((number.filter(pl.Series(is_test)) >= 35).sum())
    assert is_cold.sum() == num_cold > 50
    for entry in (*result.results.models, *result.results.artifacts):
        assert entry.slices["cold-items"]["num_rows"] == num_cold
    cold_rows = np.flatnonzero(is_cold)
    predictions = result.teacher.predict_probabilities(result.split.test.take(cold_rows))
    metrics = next(model for model in result.results.models if model.name == "teacher")
    assert metrics.slices["cold-items"]["metrics"]["auc"] == pytest.approx(
        compute_click_auc(result.split.test.labels[cold_rows], predictions), abs=1e-6
    )
    columns = {column.name for column in Ranker.load(tmp_path / "run").bundle.schema.columns}
    assert columns == {"user", "item", "hour"}


def test_a_teacher_of_texts_without_any_is_refused(table: Path, tmp_path: Path) -> None:
    settings = make_settings(table, "clicked", teacher={"architecture": "text"})
    with pytest.raises(UserError, match="no column of texts"):
        run_ranking(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_features_that_the_student_leaves_out_leave_its_file(table: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(table)
    random = np.random.default_rng(1)
    frame = frame.with_columns(noise=pl.Series(random.choice(list("abcd"), NUM_ROWS)))
    frame.write_csv(tmp_path / "table.csv")
    student = {
        "hidden": [8],
        "embedding_width": "by-cardinality",
        "features": {"select": "mutual-information", "max_features": 1},
        "training": {"epochs": 1},
    }
    settings = make_settings(
        tmp_path / "table.csv", "clicked", student=student, distillation={"losses": ["hint"]}
    )
    result = run_ranking(settings, tmp_path / "run")
    schema = Ranker.load(tmp_path / "run").bundle.schema
    assert [column.name for column in schema.columns] == ["hour"]
    assert schema.layout == result.student.layout
    assert len(result.teacher.layout.categorical) == 4
    # Raw values in, the student's probability out: of the whole rows, and of what it needs.
    rows = {name: frame[name].to_list() for name in ("hour", "user")}
    predictions = Ranker.load(tmp_path / "run").predict_all({"hour": rows["hour"]})
    ids, _ = result.split.schema.encode({name: frame[name].to_list() for name in frame.columns})
    expected = result.student.predict_probabilities(
        {"categorical": ids[:, [result.split.train.layout.find_places(schema.layout)[0][0]]]}
    )
    np.testing.assert_allclose(predictions, expected, atol=0.02)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"student": {"features": {"max_features": 3}}}, "max_features has no effect"),
        (
            {"student": {"architecture": "factorization-machine",
                         "embedding_width": "by-cardinality"}},
            "embedding_width is for mlp",
        ),
        ({"features": {"encoder": "static"}}, "no teacher reads texts"),
        (
            {"student": {"features": {"select": "l1"}}, "distillation": {"losses": ["mutual"]}},
            "mutual trains the teacher",
        ),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_refused(
    section: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        from_values(section, RankingConfig)


@pytest.mark.slow
def test_components_need_more_numbers(table: Path, tmp_path: Path) -> None:
    settings = make_settings(table, "clicked", student={"features": {"pca": 2}})
    with pytest.raises(UserError, match="2 principal components cannot replace 0 numbers"):
        run_ranking(settings, tmp_path / "run")


@pytest.mark.slow
def test_a_sampled_teacher_teaches_a_student_that_sees_crosses(table: Path, tmp_path: Path) -> None:
    settings = make_settings(
        table,
        "clicked",
        teacher={"architecture": "bayesian-fm", "sampling": {"sweeps": 40}},
        student={
            "architecture": "logistic-regression",
            "crosses": [["user", "item"]],
            "training": {"epochs": 12, "learning_rate": 0.03},
        },
    )
    notes = Notes()
    finished = run_ranking(settings, tmp_path / "run", notes)
    names = [feature.name for feature in finished.split.train.layout.categorical]
    assert "user*item" in names
    assert [feature.name for feature in finished.teacher.layout.categorical] == names[:-1]
    assert [feature.name for feature in finished.student.layout.categorical] == names
    assert any("with the histories of users and items" in line for line in notes.lines)
    auc = {model.name: model.metrics["auc"] for model in finished.results.models}
    # Of the pairs of users and items, the logistic regression alone has seen half.
    assert auc["teacher"] > auc["student-alone"] + 0.02
    assert auc["student-distilled"] > auc["student-alone"] + 0.02
    ranker = Ranker.load(tmp_path / "run")
    row = {"user": "u3", "item": "i5", "hour": 9}
    ids, numbers = finished.split.schema.encode_row(row)
    probability = finished.student.predict_probabilities({"categorical": ids, "numeric": numbers})
    assert ranker.predict(row) == pytest.approx(float(probability[0]), abs=0.02)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "teacher").rglob("*")}
    run_ranking(settings, tmp_path / "run")
    assert before == {
        path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "teacher").rglob("*")
    }


def test_a_history_needs_users_and_items(table: Path, tmp_path: Path) -> None:
    settings = make_settings(
        table,
        "clicked",
        features={"ignore": ["user", "stars", "always"]},
        teacher={
            "architecture": "bayesian-fm",
            "sampling": {"sweeps": 2, "history": True},
        },
    )
    with pytest.raises(UserError, match="no column of users, or none of items"):
        run_ranking(settings, tmp_path / "run")
