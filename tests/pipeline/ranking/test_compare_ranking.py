"""Comparisons of the ranking task: seeds, students, folds, files, and a second call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kd_tf.config import RankingConfig, from_values
from kd_tf.data.ranking.ranking_data import RankingData
from kd_tf.data.ranking.row_splits import SplitRules
from kd_tf.errors import ParityError, UserError
from kd_tf.evaluation.metrics.click_auc import compute_click_auc
from kd_tf.pipeline.process_pool import ProcessPool
from kd_tf.pipeline.ranking import compare as compare_module
from kd_tf.pipeline.ranking.compare import compare_ranking
from kd_tf.pipeline.ranking.load import load_ranking_data
from kd_tf.pipeline.ranking.method_presets import configure_ranking_method, list_ranking_methods
from kd_tf.pipeline.ranking.model_results import average_results
from kd_tf.progress import NullProgress
from kd_tf.report.ranking_results import RankingModelTable
from kd_tf.report.results import ModelResult
from kd_tf.runtime.prediction_model import PredictionModel


def make_settings(**more: Any) -> RankingConfig:
    values = {
        "data": {"synthetic_impressions": 1500},
        "teacher": {"architecture": "deep", "hidden": [8], "training": {"epochs": 1}},
        "student": {"hidden": [8], "training": {"epochs": 1}},
        "export": {"batch_size": 16},
    }
    return from_values({**values, **more}, RankingConfig)


@pytest.fixture(scope="module")
def data() -> RankingData:
    return load_ranking_data(make_settings(), NullProgress())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def table(folder: Path, data: RankingData) -> RankingModelTable:
    return compare_ranking(
        make_settings(),
        folder,
        methods=["hint"],
        students=["mlp", "logistic-regression"],
        seeds=2,
        data=data,
    )


@pytest.mark.slow
def test_every_student_and_its_file_is_compared_with_itself_alone(table: RankingModelTable) -> None:
    names = [model.name for model in table.models]
    assert names == [
        *("teacher", "mlp student-alone", "mlp student-alone.tflite"),
        *("mlp hint", "mlp hint.tflite"),
        *("logistic-regression student-alone", "logistic-regression student-alone.tflite"),
    ]
    assert {model.role for model in table.models} == {"teacher", "student", "file"}
    assert [note for note in table.dataset.notes if "is skipped" in note] == [
        "logistic-regression hint is skipped: hint needs a hidden layer: "
        "LogisticRegressionStudent has no hidden layer"
    ]
    pairs = [(pair.metric, pair.model, pair.reference) for pair in table.comparisons]
    assert pairs == [
        (metric, f"mlp hint{end}", f"mlp student-alone{end}")
        for end in ("", ".tflite")
        for metric in ("auc", "log_loss")
    ]
    models = {model.name: model for model in table.models}
    for pair in table.comparisons:
        gain = models[pair.model].metrics[pair.metric] - models[pair.reference].metrics[pair.metric]
        gain = -gain if pair.metric == "log_loss" else gain
        assert pair.difference == pytest.approx(gain, abs=1e-6)
    json.dumps(table.to_json())


@pytest.mark.slow
def test_figures_of_files_are_means_over_files_that_are_run(
    table: RankingModelTable, folder: Path, data: RankingData
) -> None:
    test = data.split(SplitRules()).test
    aucs, sizes = [], []
    for seed in range(2):
        content = (folder / "compare" / f"mlp-hint-{seed}" / "model.tflite").read_bytes()
        predictions = PredictionModel(content).predict_all(test.categorical, test.numeric)
        aucs.append(compute_click_auc(test.labels, predictions))
        sizes.append(len(content))
    (file,) = [model for model in table.models if model.name == "mlp hint.tflite"]
    assert file.kind == "dynamic-int8"
    assert file.metrics["auc"] == pytest.approx(np.mean(aucs), abs=1e-9)
    assert file.standard_deviations["auc"] == pytest.approx(np.std(aucs, ddof=1), abs=1e-9)
    assert file.bytes == round(np.mean(sizes))
    assert aucs[0] != aucs[1]


@pytest.mark.slow
def test_a_second_call_trains_what_is_new_alone(
    table: RankingModelTable,
    folder: Path,
    data: RankingData,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[str] = []
    real = compare_module._measure
    monkeypatch.setattr(
        compare_module,
        "_measure",
        lambda context, student, *rest: (
            measured.append(student.name) or real(context, student, *rest)
        ),
    )
    # The settings of another loss change nothing of this one.
    changed = make_settings(distillation={"loss_settings": {"soft-targets": {"weight": 3.0}}})
    again = compare_ranking(
        changed, folder, methods=["hint", "soft-targets"], students=["mlp"], seeds=2, data=data
    )
    assert measured == ["student-mlp-soft-targets-0", "student-mlp-soft-targets-1"]
    before = {model.name: model.metrics for model in table.models}
    after = {model.name: model.metrics for model in again.models}
    assert list(after)[1:4:2] == ["student-alone", "hint"]
    for name in ("student-alone", "hint"):
        assert after[name] == before[f"mlp {name}"]


@pytest.mark.slow
def test_folds_make_one_table_of_all_rows(tmp_path: Path, data: RankingData) -> None:
    settings = make_settings(split={"num_folds": 3})
    pool = ProcessPool(2)  # each process splits the table by itself
    table = compare_ranking(settings, tmp_path, methods=["soft-targets"], data=data, pool=pool)
    assert (table.num_seeds, table.num_folds) == (1, 3)
    assert table.dataset.test_rows == 1500
    models = {model.name: model for model in table.models}
    assert len(models["teacher"].standard_deviations) == len(models["teacher"].metrics)
    aucs = []
    for fold in range(3):
        test = data.split(SplitRules(num_folds=3, fold=fold)).test
        stage = tmp_path / f"fold-{fold}" / "compare" / "mlp-student-alone-0"
        with np.load(stage / "predictions.npz") as arrays:
            aucs.append(compute_click_auc(test.labels, arrays["0"]))
    assert models["student-alone"].metrics["auc"] == pytest.approx(np.mean(aucs), abs=1e-9)
    assert {pair.num_users for pair in table.comparisons} == {
        len(np.unique(data.table.columns["user"].as_codes.codes))
    }


@pytest.mark.slow
def test_a_file_that_differs_is_left_out_of_the_table(
    tmp_path: Path, data: RankingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ParityError("the file differs")

    monkeypatch.setattr(compare_module, "export_ranking_file", refuse)
    table = compare_ranking(make_settings(), tmp_path, methods=["soft-targets"], seeds=1, data=data)
    assert [model.name for model in table.models] == ["teacher", "student-alone", "soft-targets"]
    assert {pair.model for pair in table.comparisons} == {"soft-targets"}


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({}, {"methods": ["softtargets"]}, "there is no method 'softtargets'"),
        ({}, {"methods": ["soft-targets+rrd"]}, "there is no method 'rrd'"),
        ({}, {"methods": ["average-teachers"]}, "average-teachers needs several teachers"),
        ({}, {"students": ["mlp", "neighbours"]}, "there is no student 'neighbours'"),
        ({"split": {"num_folds": 5, "fold": 2}}, {}, "a single one has no effect"),
        (
            {"distillation": {"loss_settings": {"hint": {"arguments": {"temperature": 2}}}}},
            {"methods": ["hint"]},
            "hint: ",
        ),
    ],
)
def test_wrong_settings_stop_before_anything_is_trained(
    settings: dict[str, Any], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        compare_ranking(make_settings(**settings), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_methods_on_several_teachers_need_an_ensemble() -> None:
    alone, ensemble = make_settings(), make_settings(teacher={"architecture": "ensemble"})
    assert not any("teachers" in name for name in list_ranking_methods(alone))
    names = list_ranking_methods(ensemble)
    assert {"average-teachers", "weighted-teachers", "confident-teachers"} < set(names)
    for name in names:
        assert configure_ranking_method(name, ensemble).distillation != alone.distillation or (
            name == "soft-targets"
        )


def test_a_mean_over_folds_weighs_each_fold_alike() -> None:
    def make(auc: float) -> ModelResult:
        return ModelResult("a", "student", "mlp", 1, 10, {"auc": auc}, 1.0, {"auc": (0, 1)})

    folds = average_results([[make(0.6), make(0.8)], [make(0.9), make(0.9)]])
    assert folds.metrics["auc"] == pytest.approx(0.8)
    assert folds.standard_deviations["auc"] == pytest.approx(np.std([0.7, 0.9], ddof=1))
    seeds = average_results([[make(0.6), make(0.8)]])
    assert seeds.standard_deviations["auc"] == pytest.approx(np.std([0.6, 0.8], ddof=1))
    assert seeds.intervals == {}
    assert average_results([[make(0.6)]]).intervals == {"auc": (0, 1)}
