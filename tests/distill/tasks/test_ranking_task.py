"""One Distiller teaches models of rows, as it teaches models of histories."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.row.hint import RowHint
from kd_tf.distill.losses.row.logit_matching import RowLogitMatching
from kd_tf.distill.row_teacher_targets import compute_row_targets, compute_teacher_rows
from kd_tf.distill.tasks import RankingTask, RetrievalTask, find_task
from kd_tf.models.ranking.students import LogisticRegressionStudent, RankingMLPStudent
from kd_tf.models.ranking.teachers import DeepTeacher
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.progress import NullProgress


def test_every_model_has_a_task(rows) -> None:
    assert isinstance(find_task(rows.make(RankingMLPStudent)), RankingTask)
    assert isinstance(find_task(MLPStudent(5, max_length=2, embedding_dim=4)), RetrievalTask)
    with pytest.raises(TypeError, match="HistoryModel or a RankingModel, not a Dense"):
        find_task(keras.layers.Dense(1))


def test_a_pair_has_the_same_rows_and_label(rows) -> None:
    student = rows.make(RankingMLPStudent)
    history_model = MLPStudent(5, max_length=2, embedding_dim=4)
    with pytest.raises(ValueError, match="the same features"):
        Distiller(history_model, student)
    with pytest.raises(ValueError, match="the same catalog"):
        Distiller(student, history_model)
    with pytest.raises(ValueError, match="student predicts a click, the teacher a rating"):
        Distiller(rows.make(DeepTeacher, label_kind="rating"), student)
    layout = dataclasses.replace(rows.layout, numeric=("age", "price"))
    with pytest.raises(ValueError, match="the same features"):
        Distiller(DeepTeacher(layout), student)
    distiller = Distiller(rows.make(DeepTeacher), student)
    distiller.compile("sgd")
    with pytest.raises(ValueError, match="num_passes and num_targets are for histories"):
        distiller.fit(rows.draw(9), num_passes=2)


@pytest.mark.slow
def test_cached_outputs_of_teachers_teach_the_same(rows, tmp_path: Path) -> None:
    examples = rows.draw(100)
    teachers = [rows.make(DeepTeacher, seed=seed) for seed in range(2)]
    logits = []
    for folder in (None, tmp_path, tmp_path):
        rng.set_seed(0)
        student = rows.make(RankingMLPStudent, hidden=(6,))
        losses = [RowLogitMatching(), RowHint()]
        distiller = Distiller(teachers, student, losses, student_loss_weight=0.5, cache_dir=folder)
        distiller.compile("adam")
        distiller.fit(examples, epochs=2, batch_size=32, verbose=0, seed=0)
        logits.append(student.predict_logits(examples))
    np.testing.assert_allclose(logits[1], logits[0], atol=1e-5)
    np.testing.assert_array_equal(logits[2], logits[1])
    assert not np.allclose(
        logits[0], rows.make(RankingMLPStudent, hidden=(6,)).predict_logits(examples)
    )


def test_a_student_without_labels_comes_nearer_to_its_teacher(rows) -> None:
    examples = rows.draw(300)
    teacher = rows.make(DeepTeacher)
    student = rows.make(LogisticRegressionStudent)
    distiller = Distiller(teacher, student, RowLogitMatching(), student_loss_weight=0.0)
    distiller.compile(keras.optimizers.Adam(0.05))
    history = distiller.fit(
        examples, validation_data=rows.draw(50, seed=1), epochs=8, batch_size=50, verbose=0
    ).history
    assert history["distillation_loss"][-1] < 0.3 * history["distillation_loss"][0]
    assert len(history["val_auc"]) == len(history["val_log_loss"]) == 8
    fitted = student.predict_logits(examples)
    assert np.corrcoef(fitted, teacher.predict_logits(examples))[0, 1] > 0.8


def test_the_cache_knows_teachers_and_rows_by_their_content(rows, tmp_path: Path) -> None:
    teachers = [rows.make(LogisticRegressionStudent, seed=seed) for seed in range(2)]
    examples = rows.draw(20)

    def compute(models, data) -> np.ndarray:
        targets = compute_row_targets(models, data, folder=tmp_path, progress=NullProgress())
        return np.array(targets["teacher_logits"])

    expected = np.stack([teacher.predict_logits(examples) for teacher in teachers], axis=1)
    np.testing.assert_allclose(compute(teachers, examples), expected, atol=1e-6)
    turned = teachers[::-1]
    np.testing.assert_allclose(compute(turned, examples), expected[:, ::-1], atol=1e-6)
    other = rows.draw(20, seed=1)
    assert not np.allclose(compute(turned, other), expected[:, ::-1])
    teachers[0].bias.assign_add(1.0)
    np.testing.assert_allclose(compute(teachers, examples), expected + np.array([1, 0]), atol=1e-5)


def test_an_output_that_no_teacher_has_is_refused(rows) -> None:
    with pytest.raises(ValueError, match="unknown teacher output 'teacher_ids'"):
        compute_teacher_rows(
            [rows.make(DeepTeacher)], {"categorical": tf.zeros([1, 6])}, ["teacher_ids"]
        )


def test_hidden_vectors_beyond_half_precision_stay_finite(rows, tmp_path: Path) -> None:
    teacher = rows.make(DeepTeacher)
    examples = rows.draw(20)
    for weight in teacher.trainable_variables:
        weight.assign(weight * 200)
    vectors = teacher.representation(teacher.to_inputs(examples)).numpy()
    assert vectors.max() > 1e6
    targets = compute_row_targets(
        [teacher], examples, teacher_outputs=["teacher_representations"],
        folder=tmp_path, progress=NullProgress(),
    )["teacher_representations"]  # fmt: skip
    assert targets.dtype == np.float16
    limit = np.finfo(np.float16).max
    np.testing.assert_allclose(targets, np.clip(vectors, -limit, limit), rtol=1e-3)
