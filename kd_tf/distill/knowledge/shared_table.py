"""A shared table: the student is the front of a wider model that learns with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.distill.knowledge.base import Knowledge, Lesson, Step
from kd_tf.distill.knowledge.hard_parameter import projected_table
from kd_tf.distill.knowledge.vectors import book_table, reader_width, student_readers
from kd_tf.keras import keras, tf
from kd_tf.models.base import HistoryModel
from kd_tf.models.scored import Scored
from kd_tf.models.tied_table import pooled


@keras.saving.register_keras_serializable(package="kd_tf")
class SharedTable(Knowledge):
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

    def __init__(self, extra: int = 64, hidden: int = 64, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if extra < 1 or hidden < 1:
            raise ValueError(f"extra and hidden must be at least 1, not {extra} and {hidden}")
        self.extra, self.hidden = extra, hidden

    def prepare(self, lesson: Lesson) -> None:
        width = reader_width(lesson.student, "SharedTable")
        book_table(lesson.student, "SharedTable")

        def dense(units: int, into: int, seed: int) -> keras.layers.Dense:
            drawn = keras.initializers.GlorotUniform(seed)
            layer = keras.layers.Dense(units, kernel_initializer=drawn, dtype="float32")
            layer.build([None, into])
            return layer

        self.first = dense(self.hidden, self.extra + width, lesson.seed)
        self.second = dense(self.extra, self.hidden, lesson.seed + 1)
        # A layer and not a weight of the method: a saved Distiller is read before it is prepared.
        self.columns = keras.layers.Embedding(lesson.student.books + 1, self.extra, dtype="float32")
        self.columns.build(None)
        self.columns.set_weights([_beginning(lesson.teacher, self.extra, lesson.seed + 2)])

    @property
    def rows(self) -> tf.Variable:
        """float32 [V + 1, extra]: the columns behind the student's."""
        return self.columns.embeddings

    def loss(self, step: Step) -> tf.Tensor:
        student = step.student
        more = tf.matmul(self.extra_readers(step), self.rows, transpose_b=True)
        wide = Scored.of(step.scored.logits + more, student.excluded(step.history))
        hard = student.hard_loss(step.history, step.labels["targets"], wide)
        told = tf.stop_gradient(wide.masked)
        log_wide, log_student = tf.nn.log_softmax(told), tf.nn.log_softmax(step.logits)
        return hard + tf.reduce_sum(tf.exp(log_wide) * (log_wide - log_student), axis=1)

    def extra_readers(self, step: Step) -> tf.Tensor:
        """What the wide model's vectors of readers have behind the student's: float32 [B, extra].

        Of books given away as targets nothing is taken: where readers are numbered they stand
        among the books read.
        """
        read = step.student.excluded(step.history)
        targets = step.labels["targets"]
        given = tf.reduce_any(read[:, :, tf.newaxis] == targets[:, tf.newaxis], axis=2)
        weights = tf.cast((read > 0) & ~given, tf.float32)
        own = pooled(tf.gather(self.rows, read), weights)
        both = tf.concat([own, student_readers(step)], axis=1)
        return own + self.second(tf.nn.relu(self.first(both)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "extra": self.extra, "hidden": self.hidden}


def _beginning(teacher: HistoryModel, extra: int, seed: int) -> np.ndarray:
    """float32 [V + 1, extra]: the teacher's vectors of books as far as they fit, or random ones."""
    try:
        table = book_table(teacher, "SharedTable").numpy()
    except ValueError:
        drawn = np.random.default_rng(seed).normal(0, extra**-0.5, (teacher.books + 1, extra))
        return drawn.astype(np.float32)
    return projected_table(table, extra)
