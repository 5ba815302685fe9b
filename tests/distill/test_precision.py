"""Half precision and XLA: other arithmetic, the same training."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses import METHODS, DistillationSetup
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.losses.softmax import mask_history
from kd_tf.models.base import HistoryModel
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.teachers.two_tower import TwoTowerTeacher

pytestmark = pytest.mark.slow

V, L, USERS = 60, 8, 64


@functools.cache
def losses(kind: str, method: str, *, epochs: int, policy="float32", **compiled) -> list[float]:
    """Of a student that learns from a two-tower teacher, epoch by epoch."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("float32")
    rng.set_seed(0)
    teacher: HistoryModel = TwoTowerTeacher(num_items=V, max_length=L, embedding_dim=16)
    teacher.create_weights()
    random = np.random.default_rng(0)
    items = random.permuted(np.tile(np.arange(1, V + 1, dtype=np.int32), (USERS, 1)), axis=1)
    history = tf.constant(items[:, :L])
    logits = mask_history(teacher(history), history)
    values, ids = tf.math.top_k(logits, 10)
    labels = {
        "targets": items[:, L : L + 3],
        "teacher_ids": ids,
        "teacher_logits": values,
        "teacher_total": tf.reduce_logsumexp(logits, axis=1),
        "teacher_user_embeddings": tf.cast(teacher.user_embeddings(history), tf.float16),
        "stage_ids": tf.stack([ids[:, ::-1], ids], axis=1),
    }
    keras.mixed_precision.set_global_policy(policy)
    try:
        student = TRAINED_STUDENTS[kind](num_items=V, max_length=L, embedding_dim=8)
        student.create_weights()
        distiller = Distiller(None, student, [METHODS[method]()], weighting=ConstantWeights(0.5))
        distiller.build_losses(DistillationSetup(student, [teacher], np.arange(V + 1), 100, seed=0))
        distiller.compile(optimizer=keras.optimizers.Adam(0.01), **compiled)
        batches = tf.data.Dataset.from_tensors((history, labels)).repeat()
        return distiller.fit(batches, epochs=epochs, steps_per_epoch=5, verbose=0).history["loss"]
    finally:
        keras.mixed_precision.set_global_policy(before)


@pytest.mark.parametrize("kind", sorted(TRAINED_STUDENTS))
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_every_student_in_half_precision_learns_as_in_single_precision(kind, policy):
    single = losses(kind, "soft-targets", epochs=4)
    assert losses(kind, "soft-targets", epochs=4, policy=policy) == pytest.approx(single, rel=0.02)
    assert single[-1] < 0.95 * single[0]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_loss_in_half_precision_agrees_with_single_precision(method):
    single = losses("mlp", method, epochs=1)
    # Draws of items differ with a score that was rounded.
    actual = losses("mlp", method, epochs=1, policy="mixed_float16")
    assert actual == pytest.approx(single, rel=0.05)


@pytest.mark.parametrize("kind", sorted(TRAINED_STUDENTS))
def test_compiled_by_xla_every_student_learns_the_same(kind):
    plain = losses(kind, "soft-targets", epochs=4)[:2]
    compiled = losses(kind, "soft-targets", epochs=2, jit_compile=True)
    assert compiled == pytest.approx(plain, rel=0.02)
