"""Batches by hand and a small student, for losses on the teacher's top k items."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import MASKED_LOGIT
from kd_tf.models.students.mlp import MLPStudent

V, L, B, K = 30, 5, 12, 8


class Responses:
    """Steps of given logits, and what a student learns from them."""

    def make_batch(
        self, logits, ids, teacher=None, *, total=None, training=True, progress=1.0
    ) -> DistillationBatch:
        """A batch of these logits, column 0 masked, and of this teacher.

        Its logits fall by a half a rank, and it knows only its best items, unless said otherwise.
        """
        ids = np.asarray(ids, np.int32)
        if teacher is None:
            teacher = np.where(ids > 0, -0.5 * np.arange(ids.shape[1]), 0)
        if total is None:
            total = np.log(np.sum(np.where(ids > 0, np.exp(teacher), 1e-30), axis=1))
        logits = tf.cast(logits, tf.float32)
        return DistillationBatch(
            inputs=tf.zeros([ids.shape[0], 1], tf.int32),
            outputs=MaskedLogits.from_masked_logits(
                tf.concat([tf.fill([ids.shape[0], 1], MASKED_LOGIT), logits[:, 1:]], axis=1)
            ),
            labels={
                "teacher_ids": tf.constant(ids),
                "teacher_logits": tf.constant(teacher, tf.float32),
                "teacher_total": tf.constant(total, tf.float32),
            },
            student=None,
            layer_outputs={},
            training=training,
            progress=tf.constant(progress, tf.float32),
        )

    def make_setup(self, popularity=None, student=None) -> DistillationSetup:
        """Items are read once, twice, ... in the order of their ids."""
        if popularity is None:
            popularity = np.arange(V + 1)
        teachers = [] if student is None else [student]
        return DistillationSetup(student, teachers, np.asarray(popularity), num_steps=40, seed=0)

    def gradient_error(
        self,
        method: DistillationLoss,
        make_batch: Callable[[np.ndarray], DistillationBatch],
        logits: np.ndarray,
    ) -> float:
        """By how much the gradient errs, relative to its size, against central differences.

        The worst of some random directions; every evaluation draws the same items.
        """

        def loss(at) -> tf.Tensor:
            rng.set_seed(3)
            return tf.reduce_sum(method.compute_loss(make_batch(at)))

        random, size, errors = np.random.default_rng(0), 0.02, []
        variable = tf.Variable(logits, dtype=tf.float32)
        with tf.GradientTape() as tape:
            value = loss(variable)
        gradient = tf.convert_to_tensor(tape.gradient(value, variable)).numpy()
        assert np.abs(gradient).max() > 1e-3
        for _ in range(3):
            # Mostly uphill, so that the slope is not lost in rounding.
            way = random.normal(0, 1, logits.shape) * np.abs(gradient) + gradient
            way /= np.linalg.norm(way)
            numeric = (loss(logits + size * way) - loss(logits - size * way)) / (2 * size)
            errors.append(abs(float(numeric) - np.sum(gradient * way)) / np.linalg.norm(gradient))
        return max(errors)

    def train(self, method: DistillationLoss, steps: int = 40) -> tuple[list[float], float, float]:
        """A student's losses by the method alone, and its overlap before and after.

        The overlap is the share of the teacher's best K that is among the student's best K.
        """
        rng.set_seed(0)
        random = np.random.default_rng(0)
        items = np.stack([random.permutation(V) + 1 for _ in range(B)]).astype(np.int32)
        history, ids = items[:, :L], items[:, L : L + K]
        teacher = -np.sort(-random.normal(1, 1.5, (B, K)).astype(np.float32))
        labels = {
            "targets": ids[:, :2],
            "teacher_ids": ids,
            "teacher_logits": teacher,
            # A tenth of its mass lies on other items.
            "teacher_total": np.log(np.exp(teacher).sum(axis=1) / 0.9).astype(np.float32),
        }
        student = MLPStudent(
            num_items=V, max_length=L, embedding_dim=12, hidden=16, item_dropout=0.0
        )
        student.create_weights()

        def overlap() -> float:
            scores = student(history).numpy()
            scores[:, 0] = -np.inf
            np.put_along_axis(scores, history, -np.inf, axis=1)
            top = np.argsort(-scores, axis=1)[:, :K]
            return float(np.mean([np.isin(*pair).mean() for pair in zip(top, ids, strict=True)]))

        distiller = Distiller(None, student, [method], weighting=ConstantWeights(0.0))
        distiller.build_losses(self.make_setup(np.r_[0, np.arange(V) % 7 + 1], student))
        distiller.compile(optimizer=keras.optimizers.Adam(0.03))
        batches = tf.data.Dataset.from_tensors((history, labels)).repeat()
        before = overlap()
        logs = distiller.fit(batches, epochs=steps, steps_per_epoch=1, verbose=0).history
        return logs["distillation_loss"], before, overlap()


@pytest.fixture(scope="session")
def responses() -> Responses:
    return Responses()
