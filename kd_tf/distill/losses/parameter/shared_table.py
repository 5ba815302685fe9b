"""Shared embedding table: the student is the front part of a wider model, trained with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.embeddings import (
    compute_student_user_embeddings,
    get_item_embeddings,
    get_user_embedding_dim,
)
from kd_tf.distill.losses.parameter.hard_parameter import project_embeddings
from kd_tf.layers.pooling import pool_weighted_rows
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.base import HistoryModel


@keras.saving.register_keras_serializable(package="kd_tf")
class SharedTable(DistillationLoss):
    """Trains the student together with a wider model that shares its embedding table.

    The wide model scores an item with ``student's logit + <e, x_i>``: its table is the student's
    with `extra_dim` more columns x, and its user embedding is the student's r followed by e. e is
    ``p + W_2 relu(W_1 [p, r])``, p the pooled extra columns of the user's items (without the
    targets of the example). The loss is ``student loss of the wide model + KL(wide || student)``,
    in the divergence the wide model is a constant. So the student's weights are trained twice:
    as part of the wide model, and towards its outputs. Only the student is kept.

    Nested representations of Kusupati et al., "Matryoshka Representation Learning" (NeurIPS
    2022), with a network for the outer part; teacher and student share weights and are trained
    jointly as in Zhang et al., "Be Your Own Teacher: Improve the Performance of Convolutional
    Neural Networks via Self Distillation" (ICCV 2019). The extra columns are initialized with the
    teacher's item embeddings, projected (`project_embeddings`), or at random if it has none;
    otherwise the teacher is not used.

    Args:
        extra_dim: The number of extra columns, at least 1.
        hidden_dim: Units of the network's hidden layer, at least 1.
    """

    def __init__(self, extra_dim: int = 64, hidden_dim: int = 64, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if extra_dim < 1 or hidden_dim < 1:
            raise ValueError(
                f"extra_dim and hidden_dim must be at least 1, not {extra_dim} and {hidden_dim}"
            )
        self.extra_dim, self.hidden_dim = extra_dim, hidden_dim

    def build(self, setup: DistillationSetup) -> None:
        user_dim = get_user_embedding_dim(setup.student, "SharedTable")
        get_item_embeddings(setup.student, "SharedTable")

        def make_dense(units: int, input_dim: int, seed: int) -> keras.layers.Dense:
            initializer = keras.initializers.GlorotUniform(seed)
            layer = keras.layers.Dense(units, kernel_initializer=initializer, dtype="float32")
            layer.build([None, input_dim])
            return layer

        self.hidden_layer = make_dense(self.hidden_dim, self.extra_dim + user_dim, setup.seed)
        self.output_layer = make_dense(self.extra_dim, self.hidden_dim, setup.seed + 1)
        # A layer and not a weight of this loss: a saved Distiller is loaded before `build`.
        self.extra_embedding = keras.layers.Embedding(
            setup.student.num_items + 1, self.extra_dim, dtype="float32"
        )
        self.extra_embedding.build(None)
        self.extra_embedding.set_weights(
            [_initialize_extra_columns(setup.teacher, self.extra_dim, setup.seed + 2)]
        )

    @property
    def extra_columns(self) -> tf.Variable:
        """The table's columns after the student's: float32 [V + 1, extra_dim]."""
        return self.extra_embedding.embeddings

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        student = batch.student
        extra_logits = tf.matmul(
            self.compute_extra_user_embeddings(batch), self.extra_columns, transpose_b=True
        )
        wide = MaskedLogits.from_logits(
            batch.masked_logits.logits + extra_logits, student.seen_items(batch.history)
        )
        wide_loss = student.supervised_loss(batch.history, batch.labels["targets"], wide)
        log_wide = tf.nn.log_softmax(tf.stop_gradient(wide.unseen_logits))
        log_student = tf.nn.log_softmax(batch.student_logits)
        return wide_loss + tf.reduce_sum(tf.exp(log_wide) * (log_wide - log_student), axis=1)

    def compute_extra_user_embeddings(self, batch: DistillationBatch) -> tf.Tensor:
        """Computes the part of the wide user embedding after the student's: float32 [B, extra_dim].

        Target items do not contribute: models by user id have them among the user's seen items.
        """
        seen_ids = batch.student.seen_items(batch.history)
        targets = batch.labels["targets"]
        is_target = tf.reduce_any(seen_ids[:, :, tf.newaxis] == targets[:, tf.newaxis], axis=2)
        weights = tf.cast((seen_ids > 0) & ~is_target, tf.float32)
        pooled_columns = pool_weighted_rows(tf.gather(self.extra_columns, seen_ids), weights)
        inputs = tf.concat([pooled_columns, compute_student_user_embeddings(batch)], axis=1)
        return pooled_columns + self.output_layer(tf.nn.relu(self.hidden_layer(inputs)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "extra_dim": self.extra_dim, "hidden_dim": self.hidden_dim}


def _initialize_extra_columns(teacher: HistoryModel, extra_dim: int, seed: int) -> np.ndarray:
    """Projects the teacher's item embeddings to [V + 1, extra_dim], or draws random ones."""
    try:
        embeddings = get_item_embeddings(teacher, "SharedTable").numpy()
    except ValueError:
        random = np.random.default_rng(seed)
        shape = (teacher.num_items + 1, extra_dim)
        return random.normal(0, extra_dim**-0.5, shape).astype(np.float32)
    return project_embeddings(embeddings, extra_dim)
