"""A shared table: the student is the front of a wider model that learns with it."""

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
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.base import HistoryModel
from kd_tf.models.tied_embedding import pool_weighted_rows


@keras.saving.register_keras_serializable(package="kd_tf")
class SharedTable(DistillationLoss):
    """A wider model whose table begins with the student's columns, trained together with it.

    The wide model scores a book ``student's logit + <e, x_i>``: its table is the student's with
    `extra` more columns x, and its vector of a reader the student's r with e behind it. e is
    ``p + W_2 relu(W_1 [p, r])``, p the pooled extra columns of the books read (a target of the
    example is left out). The loss is ``hard loss of the wide model + KL(wide || student)``, the
    wide one a constant in the divergence: the student's weights learn twice, as the front of
    something that can say more, and from what it says. Only the student is kept.

    Nested representations of Kusupati et al., "Matryoshka Representation Learning" (NeurIPS
    2022), with a network for the outer part; teacher and student share weights and learn jointly
    as in Zhang et al., "Be Your Own Teacher: Improve the Performance of Convolutional Neural
    Networks via Self Distillation" (ICCV 2019). The extra columns begin as the teacher's vectors
    of books, projected (`projected_table`), or at random where it has none; otherwise the teacher
    is not asked.

    Args:
        extra: How many columns more, at least 1.
        hidden: Width of the network's hidden layer, at least 1.
    """

    def __init__(self, extra_dim: int = 64, hidden_dim: int = 64, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if extra_dim < 1 or hidden_dim < 1:
            raise ValueError(
                f"extra and hidden must be at least 1, not {extra_dim} and {hidden_dim}"
            )
        self.extra_dim, self.hidden_dim = extra_dim, hidden_dim

    def build(self, setup: DistillationSetup) -> None:
        width = get_user_embedding_dim(setup.student, "SharedTable")
        get_item_embeddings(setup.student, "SharedTable")

        def dense(units: int, into: int, seed: int) -> keras.layers.Dense:
            drawn = keras.initializers.GlorotUniform(seed)
            layer = keras.layers.Dense(units, kernel_initializer=drawn, dtype="float32")
            layer.build([None, into])
            return layer

        self.hidden_layer = dense(self.hidden_dim, self.extra_dim + width, setup.seed)
        self.output_layer = dense(self.extra_dim, self.hidden_dim, setup.seed + 1)
        # A layer and not a weight of the method: a saved Distiller is read before it is prepared.
        self.extra_embedding = keras.layers.Embedding(
            setup.student.num_items + 1, self.extra_dim, dtype="float32"
        )
        self.extra_embedding.build(None)
        self.extra_embedding.set_weights(
            [_initialize_extra_columns(setup.teacher, self.extra_dim, setup.seed + 2)]
        )

    @property
    def extra_columns(self) -> tf.Variable:
        """float32 [V + 1, extra]: the columns behind the student's."""
        return self.extra_embedding.embeddings

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        student = batch.student
        more = tf.matmul(
            self.compute_extra_user_embeddings(batch), self.extra_columns, transpose_b=True
        )
        wide = MaskedLogits.from_logits(
            batch.masked_logits.logits + more, student.seen_items(batch.history)
        )
        hard = student.supervised_loss(batch.history, batch.labels["targets"], wide)
        told = tf.stop_gradient(wide.unseen_logits)
        log_wide, log_student = tf.nn.log_softmax(told), tf.nn.log_softmax(batch.student_logits)
        return hard + tf.reduce_sum(tf.exp(log_wide) * (log_wide - log_student), axis=1)

    def compute_extra_user_embeddings(self, batch: DistillationBatch) -> tf.Tensor:
        """What the wide model's vectors of readers have behind the student's: float32 [B, extra].

        Of books given away as targets nothing is taken: where readers are numbered they stand
        among the books read.
        """
        read = batch.student.seen_items(batch.history)
        targets = batch.labels["targets"]
        given = tf.reduce_any(read[:, :, tf.newaxis] == targets[:, tf.newaxis], axis=2)
        weights = tf.cast((read > 0) & ~given, tf.float32)
        own = pool_weighted_rows(tf.gather(self.extra_columns, read), weights)
        both = tf.concat([own, compute_student_user_embeddings(batch)], axis=1)
        return own + self.output_layer(tf.nn.relu(self.hidden_layer(both)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "extra_dim": self.extra_dim, "hidden_dim": self.hidden_dim}


def _initialize_extra_columns(teacher: HistoryModel, extra_dim: int, seed: int) -> np.ndarray:
    """float32 [V + 1, extra]: the teacher's vectors of books as far as they fit, or random ones."""
    try:
        table = get_item_embeddings(teacher, "SharedTable").numpy()
    except ValueError:
        drawn = np.random.default_rng(seed).normal(
            0, extra_dim**-0.5, (teacher.num_items + 1, extra_dim)
        )
        return drawn.astype(np.float32)
    return project_embeddings(table, extra_dim)
