"""What a Keras user expects of `fit` and `compile` holds for teachers, students and Distillers."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import kd_tf as kd
from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.compress.prune import compute_core_sparsity
from kd_tf.data.histories import from_lists

pytestmark = pytest.mark.slow

CLOSED_FORM_TEACHERS = (
    "LocalRidgeTeacher",
    "LinearAutoencoderTeacher",
    "SpectralFilterTeacher",
    "ImplicitALSTeacher",
)
CLOSED_FORM_STUDENTS = ("NeighboursStudent", "ItemKernelStudent", "LowRankStudent", "FoldInStudent")
NETWORKS = ("GRUTeacher", "CNNTeacher", "TwoTowerTeacher", "LogisticStudent", "ShallowCNNStudent")


@pytest.fixture(scope="module")
def split() -> kd.Split:
    return kd.split(kd.data.bookshop(items=150, users=400, seed=1), seed=1)


def make_student(split: kd.Split, **settings) -> kd.HistoryModel:
    return kd.models.MLPStudent(split.num_items, max_length=12, embedding_dim=6, **settings)


def measure(model: kd.HistoryModel, split: kd.Split) -> float:
    return kd.evaluate(model, split.validation)["ndcg@10"]


@pytest.mark.parametrize("name", [*CLOSED_FORM_TEACHERS, *CLOSED_FORM_STUDENTS])
def test_a_model_with_a_closed_form_is_whole_after_fit(split, name):
    settings = {"embedding_dim": 6} if name in ("ItemKernelStudent", "LowRankStudent") else {}
    model = getattr(kd.models, name)(split.num_items, max_length=12, **settings)
    history = model.fit(split.train, validation_data=split.validation, epochs=3, verbose=0)
    (reached,) = history.history["val_ndcg@10"]
    assert reached == pytest.approx(measure(model, split))
    by_popularity = kd.evaluate(kd.baselines.popularity.fit(split), split.validation)
    assert reached > by_popularity["ndcg@10"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_logs_the_ranking_metric_of_the_model_as_it_is(split, name):
    model = getattr(kd.models, name)(split.num_items, max_length=12, embedding_dim=6)
    model.compile(optimizer="adam")
    history = model.fit(split.train, validation_data=split.validation, epochs=2, verbose=0)
    assert len(history.history["val_ndcg@10"]) == 2
    assert np.isfinite(history.history["loss"]).all()
    if name.endswith("Student"):
        assert history.history["val_ndcg@10"][-1] == pytest.approx(measure(model, split))


def test_the_wide_part_of_a_network_is_fitted_too(split):
    teacher = kd.models.GRUTeacher(split.num_items, max_length=12, embedding_dim=6)
    teacher.compile(optimizer="adam")
    history = teacher.fit(split.train, validation_data=split.validation, epochs=1, verbose=0)
    assert float(teacher.wide_weight.numpy()) > 0
    assert measure(teacher, split) > history.history["val_ndcg@10"][-1]


def test_an_ensemble_fits_its_members_and_their_weights(split):
    members = [
        kd.models.LocalRidgeTeacher(split.num_items, max_length=12),
        kd.models.ImplicitALSTeacher(split.num_items, max_length=12),
    ]
    ensemble = kd.models.EnsembleTeacher(members=members)
    ensemble.fit(split.train, validation_data=split.validation)
    best = max(measure(member, split) for member in members)
    assert measure(ensemble, split) >= best - 1e-9
    assert ensemble.member_weights != (1.0, 1.0)


def test_early_stopping_restores_the_best_epoch(split):
    student = make_student(split)
    student.compile(optimizer=keras.optimizers.Adam(1.0))  # so fast that it gets worse at once
    stopping = keras.callbacks.EarlyStopping(
        "val_ndcg@10", mode="max", patience=2, restore_best_weights=True
    )
    history = student.fit(
        split.train,
        validation_data=split.validation,
        epochs=30,
        verbose=0,
        callbacks=[stopping],
    )
    values = history.history["val_ndcg@10"]
    assert len(values) < 30
    assert measure(student, split) == pytest.approx(max(values))


def test_checkpoints_and_a_callback_of_ones_own_see_the_metric(split, tmp_path):
    seen: list[float] = []

    class Recorder(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["val_ndcg@10"])

    student = make_student(split)
    student.compile(optimizer="adam")
    path = str(tmp_path / "best.weights.h5")
    history = student.fit(
        split.train,
        validation_data=split.validation,
        epochs=3,
        verbose=0,
        callbacks=[
            Recorder(),
            keras.callbacks.ModelCheckpoint(
                path, "val_ndcg@10", mode="max", save_best_only=True, save_weights_only=True
            ),
            keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
            keras.callbacks.TensorBoard(str(tmp_path / "board")),
        ],
    )
    assert seen == history.history["val_ndcg@10"]
    assert "val_ndcg@10" in (tmp_path / "log.csv").read_text()
    assert list((tmp_path / "board").rglob("events.*"))
    other = make_student(split)
    other.create_weights()
    other.load_weights(path)
    assert measure(other, split) == pytest.approx(max(seen))


def test_optimizers_schedules_and_an_l2_term_are_kerass_own(split):
    student = make_student(split, embeddings_regularizer=keras.regularizers.L2(0.1))
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    student.compile(optimizer=keras.optimizers.SGD(schedule, momentum=0.9))
    with_term = student.fit(split.train, epochs=1, verbose=0, seed=3).history["loss"][0]
    penalty = 0.1 * float(tf.reduce_sum(tf.square(make_student(split).table)))
    plain = make_student(split)
    plain.compile(optimizer=keras.optimizers.SGD(schedule, momentum=0.9))
    without = plain.fit(split.train, epochs=1, verbose=0, seed=3).history["loss"][0]
    assert with_term > without + 0.1 * penalty
    again = type(student).from_config(json.loads(json.dumps(student.get_config())))
    assert again.embeddings_regularizer.get_config() == {"l2": pytest.approx(0.1)}


def test_the_l2_term_reaches_the_distillers_loss(split):
    teacher = kd.models.LocalRidgeTeacher(split.num_items, max_length=12)
    teacher.fit(split.train, validation_data=split.validation)
    losses = []
    for regularizer in (None, keras.regularizers.L2(1.0)):
        rng.set_seed(0)
        student = make_student(split, embeddings_regularizer=regularizer)
        distiller = kd.Distiller(teacher, student, kd.distill.SoftTargets())
        distiller.compile(optimizer=keras.optimizers.SGD(0.0))
        losses.append(distiller.fit(split.train, epochs=1, verbose=0).history["loss"][0])
    penalty = float(tf.reduce_sum(tf.square(student.table)))
    assert losses[1] - losses[0] == pytest.approx(penalty, rel=1e-3)


@pytest.mark.parametrize("argument", ["loss", "metrics"])
def test_arguments_that_would_be_ignored_are_refused(split, argument):
    for model in (make_student(split), kd.Distiller(None, make_student(split))):
        with pytest.raises(ValueError, match=f"compile got {argument}"):
            model.compile(optimizer="adam", **{argument: ["mse"]})


def test_histories_of_another_catalog_are_refused(split):
    student = kd.models.MLPStudent(7, max_length=5, embedding_dim=2)
    student.compile(optimizer="adam")
    with pytest.raises(ValueError, match="150 items, the model has 7"):
        student.fit(split.train)
    with pytest.raises(ValueError, match="hold item 9, the model has 7"):
        student.fit(from_lists([[1, 9]]))


def make_distiller(teacher, split, **settings) -> kd.Distiller:
    rng.set_seed(0)
    distiller = kd.Distiller(
        teacher,
        make_student(split),
        distillation_losses=[kd.distill.SoftTargets(temperature=2.0), kd.distill.LogitMatching()],
        student_loss_weight=0.3,
        **settings,
    )
    distiller.compile(optimizer=keras.optimizers.Adam(0.01))
    return distiller


@pytest.fixture(scope="module")
def teacher(split) -> kd.HistoryModel:
    teacher = kd.models.LocalRidgeTeacher(split.num_items, max_length=12)
    teacher.fit(split.train, validation_data=split.validation)
    return teacher


def test_cached_outputs_of_the_teacher_train_as_those_of_every_step(split, teacher, tmp_path):
    first, second = (
        make_distiller(teacher, split, cache_dir=folder).fit(split.train, epochs=2, verbose=0)
        for folder in (None, tmp_path)
    )
    for name in ("loss", "student_loss", "distillation_loss"):
        np.testing.assert_allclose(first.history[name], second.history[name], rtol=1e-4)
    assert list(tmp_path.rglob("teacher_logits.npy"))


def test_the_teacher_is_not_trained_and_not_saved(split, teacher):
    before = [weight.numpy() for weight in teacher.weights]
    distiller = make_distiller(teacher, split)
    distiller.fit(split.train, epochs=1, verbose=0)
    for weight, value in zip(teacher.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    mine = {variable.ref() for variable in distiller.variables}
    assert not mine & {variable.ref() for variable in teacher.variables}


def test_the_loss_is_the_documented_mixture(split, teacher):
    distiller = make_distiller(teacher, split, distillation_loss_weights=[2.0, 0.5])
    distiller.compile(optimizer=keras.optimizers.SGD(0.0))
    logs = distiller.fit(split.train, epochs=1, verbose=0).history
    parts = []
    for loss in (kd.distill.SoftTargets(temperature=2.0), kd.distill.LogitMatching()):
        rng.set_seed(0)
        alone = kd.Distiller(teacher, make_student(split), loss, student_loss_weight=0.0)
        alone.compile(optimizer=keras.optimizers.SGD(0.0))
        parts.append(alone.fit(split.train, epochs=1, verbose=0).history["distillation_loss"][0])
    expected = 0.3 * logs["student_loss"][0] + 0.7 * (2.0 * parts[0] + 0.5 * parts[1])
    assert logs["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_a_curriculum_of_teachers_teaches_one_after_another(split, teacher):
    easier = kd.models.ImplicitALSTeacher(split.num_items, max_length=12)
    easier.fit(split.train, validation_data=split.validation)
    distiller = kd.Distiller(
        [easier, teacher], make_student(split), kd.distill.HeterogeneousStages()
    )
    distiller.compile(optimizer="adam")
    logs = distiller.fit(split.train, epochs=2, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert distiller.teacher is teacher


def test_losses_without_a_teacher_are_refused(split):
    distiller = kd.Distiller(None, make_student(split), kd.distill.SoftTargets())
    distiller.compile(optimizer="adam")
    with pytest.raises(ValueError, match="need a teacher"):
        distiller.fit(split.train)


def test_a_teacher_of_another_catalog_is_refused(split, teacher):
    student = kd.models.MLPStudent(7, max_length=5, embedding_dim=2)
    with pytest.raises(ValueError, match="the student has 7 items, the teacher 150"):
        kd.Distiller(teacher, student, kd.distill.SoftTargets())


def test_pruning_is_one_callback(split, teacher):
    distiller = make_distiller(teacher, split)
    stopping = keras.callbacks.EarlyStopping(
        "val_ndcg@10", mode="max", patience=9, restore_best_weights=True, start_from_epoch=3
    )
    distiller.fit(
        split.train,
        validation_data=split.validation,
        epochs=5,
        verbose=0,
        callbacks=[kd.callbacks.Pruning(sparsity=0.5), stopping],
    )
    assert compute_core_sparsity(distiller.student) == pytest.approx(0.5, abs=0.02)
    kd.evaluate(distiller, split.test)  # the wrappers are gone, and it works


def test_a_model_that_was_trained_before_can_be_pruned(split):
    student = make_student(split)
    student.compile(optimizer="adam")
    student.fit(split.train, epochs=1, verbose=0)
    student.fit(split.train, epochs=3, verbose=0, callbacks=[kd.callbacks.Pruning(sparsity=0.5)])
    assert compute_core_sparsity(student) == pytest.approx(0.5, abs=0.02)


def test_a_loss_that_is_no_number_names_what_to_lower(split):
    student = make_student(split)
    student.compile(optimizer=keras.optimizers.SGD(1e30))
    with pytest.raises(kd.UserError, match="Lower the learning rate"):
        student.fit(split.train, validation_data=split.validation, epochs=3, verbose=0)


def test_mistakes_are_named(split, teacher):
    student = make_student(split)
    with pytest.raises(ValueError, match="call compile"):
        student.fit(split.train)
    student.compile(optimizer="adam")
    with pytest.raises(TypeError, match=r"split\.train, not a Split"):
        student.fit(split)
    with pytest.raises(TypeError, match=r"split\.test or split\.validation, not a Split"):
        kd.evaluate(student, split)
    with pytest.raises(TypeError, match="not 'soft-targets'"):
        kd.Distiller(teacher, student, "soft-targets")


def test_mistakes_of_an_export_are_named(split, tmp_path):
    data = kd.data.bookshop(items=150, users=400, seed=1)
    student = make_student(split)
    student.create_weights()
    with pytest.raises(TypeError, match=r"data\.catalog"):
        kd.export(student, tmp_path / "bundle", catalog=data)
    with pytest.raises(ValueError, match="choose from float32"):
        kd.export(student, tmp_path / "bundle", catalog=data.catalog, quantization="int7")
    with pytest.raises(ValueError, match=r"histories=split\.train"):
        kd.export(student, tmp_path / "bundle", catalog=data.catalog, quantization="int8")
    with pytest.raises(ValueError, match="60 items, the student 150"):
        kd.export(
            student, tmp_path / "bundle", catalog=kd.data.bookshop(items=60, users=20).catalog
        )
    assert not list(tmp_path.iterdir())


def test_a_bundle_is_measured_by_running_its_file_whatever_the_order_of_its_items(split, tmp_path):
    data = kd.data.bookshop(items=150, users=400, seed=1)
    student = kd.models.NeighboursStudent(split.num_items, max_length=12)
    student.fit(split.train)
    kd.export(student, tmp_path / "bundle", catalog=data.catalog, quantization="float32")
    measured = kd.evaluate(tmp_path / "bundle", split.test)
    assert measured["ndcg@10"] == pytest.approx(
        kd.evaluate(student, split.test)["ndcg@10"], abs=0.02
    )
    order = np.random.default_rng(0).permutation(split.num_items)
    new_ids = np.zeros(split.num_items + 1, np.int32)
    new_ids[order + 1] = np.arange(1, split.num_items + 1)
    moved_split = split.renumber_items(new_ids)
    moved_catalog = kd.Catalog(data.catalog.frame[order])
    moved = kd.models.NeighboursStudent(split.num_items, max_length=12)
    moved.fit(moved_split.train)
    kd.export(moved, tmp_path / "moved", catalog=moved_catalog, quantization="float32")
    assert kd.evaluate(tmp_path / "moved", split.test)["ndcg@10"] == pytest.approx(
        measured["ndcg@10"], abs=0.01
    )
    every_third = np.arange(1, split.num_items + 1, 3, dtype=np.int32)
    among_some = dataclasses.replace(split.test, candidate_items=every_third)
    expected = kd.evaluate(student, among_some)["ndcg@10"]
    assert expected < 0.8 * measured["ndcg@10"]  # two thirds of the targets cannot be found
    for folder in ("bundle", "moved"):
        assert kd.evaluate(tmp_path / folder, among_some)["ndcg@10"] == pytest.approx(
            expected, abs=0.02
        )
