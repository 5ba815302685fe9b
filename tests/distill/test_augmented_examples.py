"""Distilling on histories without targets, as `kd_tf.data.examples.augmentation` makes them."""

from __future__ import annotations

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.data.examples.augmentation import augment
from kd_tf.data.examples.batches import Batches
from kd_tf.data.examples.sequences import Examples
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses import METHODS
from kd_tf.distill.losses.base import DistillationSetup
from kd_tf.distill.losses.response.soft_targets import SoftTargets
from kd_tf.distill.teacher_targets import (
    EXTRA_OUTPUTS,
    compute_curriculum_targets,
    compute_teacher_targets,
)
from kd_tf.distill.weighting.confidence import TeacherConfidence
from kd_tf.distill.weighting.curriculum import Curriculum
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.distill.weighting.gradient_norm import GradientNorm
from kd_tf.distill.weighting.uncertainty import Uncertainty
from kd_tf.models.base import HistoryModel
from kd_tf.models.by_user_id.matrix_factorization import MatrixFactorization
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.progress import NullProgress

V, L, USERS = 30, 6, 12


def mlp(embedding_dim: int, seed: int) -> MLPStudent:
    rng.set_seed(seed)
    made = MLPStudent(
        num_items=V, max_length=L, embedding_dim=embedding_dim, hidden=8, item_dropout=0.0
    )
    made.create_weights()
    return made


@pytest.fixture(scope="module")
def examples() -> Examples:
    """Half of the rows are users with targets, half histories that nobody has."""
    random = np.random.default_rng(0)
    items = np.stack([random.permutation(V) + 1 for _ in range(USERS)]).astype(np.int32)
    given = Examples(items[None, :, :L].copy(), items[None, :, L : L + 2])
    given.history[0, 0] = 0
    return augment(given, dropout_share=0.5, mixup_share=0.5, seed=0)


@pytest.fixture(scope="module")
def labels(examples, tmp_path_factory):
    teacher, folder = mlp(10, seed=1), tmp_path_factory.mktemp("targets")
    actual = compute_teacher_targets(
        teacher,
        examples,
        top_k=8,
        teacher_outputs=EXTRA_OUTPUTS,
        folder=folder / "all",
        progress=NullProgress(),
    )
    stages = compute_curriculum_targets(
        [mlp(4, 2), teacher], examples, top_k=8, folder=folder / "stages", progress=NullProgress()
    )
    return {"targets": examples.targets, **actual, **stages}


def one_batch(examples, labels):
    """All of them, users first."""
    return (
        tf.constant(examples.history[0]),
        {name: tf.constant(np.array(one[0])) for name, one in labels.items()},
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_method_stays_finite_beside_histories_without_targets(name, examples, labels):
    student, given = mlp(5, seed=0), one_batch(examples, labels)
    distiller = Distiller(None, student, [METHODS[name]()], weighting=ConstantWeights(0.3))
    distiller.build_losses(
        DistillationSetup(student, [mlp(10, seed=1)], np.arange(V + 1), num_steps=10, seed=0)
    )
    distiller.compile()
    with tf.GradientTape() as tape:
        losses = distiller._compute_losses(*given, training=True)
    assert np.isfinite(losses["distillation_loss"])
    for gradient in tape.gradient(losses["loss"], distiller.trainable_variables):
        assert gradient is None or np.isfinite(tf.convert_to_tensor(gradient)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "weighting",
    [
        Uncertainty(),
        GradientNorm(0.3),
        TeacherConfidence(0.3),
        Curriculum(ConstantWeights(0.3)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_every_weighting_stays_finite_beside_histories_without_targets(weighting, examples, labels):
    student = mlp(5, seed=0)
    distiller = Distiller(None, student, [SoftTargets()], weighting=weighting)
    distiller.build_losses(
        DistillationSetup(student, [mlp(10, seed=1)], np.arange(V + 1), num_steps=10, seed=0)
    )
    distiller.compile(optimizer=keras.optimizers.Adam(0.01))
    batches = Batches(examples.history, labels, batch_size=2 * USERS, seed=0)
    logs = distiller.fit(batches.stream(), steps_per_epoch=2, verbose=0)
    assert np.isfinite(logs.history["loss"]).all()
    for weight in distiller.trainable_variables:
        assert np.isfinite(weight).all(), weight.name


def students() -> list[HistoryModel]:
    made = [kind(num_items=V, max_length=L, embedding_dim=5) for kind in TRAINED_STUDENTS.values()]
    for one in made:
        one.create_weights()
    return [*made, MatrixFactorization(num_items=V, num_users=V, max_seen_items=2, embedding_dim=5)]


@pytest.mark.parametrize("student", students(), ids=lambda one: type(one).__name__)
def test_without_targets_the_student_loss_and_its_gradient_are_exactly_zero(student, examples):
    history = tf.constant(examples.history[0, USERS:, : student.max_length])
    nothing = tf.zeros([len(history), 3], tf.int32)
    with tf.GradientTape() as tape:
        loss = student.supervised_loss(history, nothing, student.masked_logits(history))
    np.testing.assert_array_equal(loss, np.zeros(len(history)))
    for gradient in tape.gradient(loss, student.trainable_variables):
        assert gradient is None or not np.any(tf.convert_to_tensor(gradient))


def test_every_batch_holds_some_histories_without_targets_and_some_with(examples, labels):
    batches = Batches(examples.history, labels, batch_size=USERS, seed=0)
    for _, (_, given) in zip(range(6), batches.stream(), strict=False):
        assert 0 < given["targets"].numpy().any(axis=1).sum() < USERS
