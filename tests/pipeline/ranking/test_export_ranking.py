"""A student of the ranking task becomes a bundle or a file, if the file predicts like it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

import kd_tf as kd
from kd_tf import config
from kd_tf.config import RankingConfig, from_values
from kd_tf.data.ranking.examples import RankingSplit
from kd_tf.errors import ParityError, UserError
from kd_tf.evaluation.metrics.click_auc import compute_click_auc
from kd_tf.models.ranking.base import RankingModel
from kd_tf.models.ranking.students.mlp import RankingMLPStudent
from kd_tf.pipeline.ranking import export_file
from kd_tf.pipeline.ranking.load import load_ranking_split
from kd_tf.progress import NullProgress
from kd_tf.runtime.prediction_model import PredictionModel
from kd_tf.runtime.ranker import Ranker
from kd_tf.training import checkpoint

SCRIPT = Path(__file__).parents[3] / "export" / "export_tflite.py"
SETTINGS = from_values(
    {"data": {"synthetic_impressions": 1200}, "export": {"batch_size": 8}}, RankingConfig
)


@pytest.fixture(scope="module")
def split() -> RankingSplit:
    return load_ranking_split(SETTINGS, NullProgress())


@pytest.fixture(scope="module")
def student(split: RankingSplit) -> RankingModel:
    student = RankingMLPStudent(split.train.layout, embedding_dim=2, hidden=(4,))
    student.compile(optimizer="adam")
    student.fit(split.train, epochs=1, verbose=0)
    return student


@pytest.fixture(scope="module")
def run_folder(student: RankingModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script needs of a run."""
    folder = tmp_path_factory.mktemp("run")
    config.write(SETTINGS, folder / "config.toml")
    checkpoint.save(student, folder / "student" / "distilled" / "model")
    return folder


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("export_tflite", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_bundle_predicts_like_the_student_and_has_its_own_figures(
    student: RankingModel, split: RankingSplit, tmp_path: Path
) -> None:
    bundle = kd.export_ranking(student, tmp_path / "bundle", split=split, notes=["By hand."])
    assert (bundle.config.quantization, bundle.config.batch_size) == ("dynamic-int8", 64)
    ranker = Ranker.load(tmp_path / "bundle")
    assert ranker.bundle.schema == split.schema
    content = (tmp_path / "bundle" / "model.tflite").read_bytes()
    predictions = PredictionModel(content).predict_all(split.test.categorical, split.test.numeric)
    expected = student.predict_probabilities(split.test)
    np.testing.assert_allclose(predictions, expected, atol=0.05)
    auc = compute_click_auc(split.test.labels, predictions)
    assert bundle.config.metrics["auc"] == pytest.approx(auc, abs=1e-9)
    is_right = (predictions >= bundle.config.threshold) == (split.test.labels == 1)
    assert bundle.config.metrics["accuracy"] == pytest.approx(is_right.mean(), abs=1e-9)
    assert "By hand." in (tmp_path / "bundle" / "MODEL_CARD.md").read_text("utf-8")


def test_a_file_that_differs_is_not_written(
    student: RankingModel, split: RankingSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = RankingMLPStudent(split.train.layout, embedding_dim=2, hidden=(4,))
    other.create_weights()
    real = export_file.convert_ranking_model
    monkeypatch.setattr(
        export_file, "convert_ranking_model", lambda _, *rest, **more: real(other, *rest, **more)
    )
    with pytest.raises(ParityError, match="differ from the student's"):
        kd.export_ranking(student, tmp_path / "bundle", split=split, quantization="float32")
    assert not (tmp_path / "bundle").exists()


def test_what_cannot_be_exported_is_refused(
    student: RankingModel, split: RankingSplit, tmp_path: Path
) -> None:
    table = pl.DataFrame({"hour": [1, 2, 3] * 20, "clicked": [0, 1, 1, 0] * 15})
    other_split = kd.data.read_ranking_split(table, label="clicked")
    with pytest.raises(UserError, match="trained with other features"):
        kd.export_ranking(student, tmp_path / "bundle", split=other_split)
    with pytest.raises(ValueError, match="there is no quantization 'int4'"):
        kd.export_ranking(student, tmp_path / "bundle", split=split, quantization="int4")
    assert not (tmp_path / "bundle").exists()


def test_the_script_exports_the_student_of_a_run(
    script: ModuleType, run_folder: Path, student: RankingModel, split: RankingSplit, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    arguments = [str(run_folder), "--out", str(path), "--quantization", "float32"]
    assert script.main(arguments) == 0
    model = PredictionModel(path)
    assert model.batch_size == 8
    predictions = model.predict_all(split.test.categorical, split.test.numeric)
    np.testing.assert_allclose(predictions, student.predict_probabilities(split.test), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--candidates", "9"], "--candidates has no effect with the task ranking"),
        (["--quantization", "int4"], "int4 is not a quantization of this student"),
        (["--batch-size", "0"], "--batch-size must be at least 1"),
    ],
)
def test_the_script_refuses_what_the_task_lacks(
    script: ModuleType,
    run_folder: Path,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "model.tflite"
    assert script.main([str(run_folder), "--out", str(path), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not path.exists()
