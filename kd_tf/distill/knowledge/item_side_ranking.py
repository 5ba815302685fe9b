"""Item-side ranking: in which order other books are like a book."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.distill.knowledge.base import Knowledge, Lesson, Step
from kd_tf.distill.knowledge.drawing import draw
from kd_tf.distill.knowledge.entities import drawn_books
from kd_tf.distill.knowledge.relaxed_order import relaxed_order_loss
from kd_tf.distill.knowledge.similar_books import similar_books
from kd_tf.distill.knowledge.vectors import book_table
from kd_tf.keras import keras, tf
from kd_tf.models import randomness


@keras.saving.register_keras_serializable(package="kd_tf")
class ItemSideRanking(Knowledge):
    """The order in which the teacher finds other books like each target book of a batch.

    ``-1/K sum over k of log(exp s_k / (sum over i >= k of exp s_i + sum over j of exp s_j))`` for
    a target book, the mean over those of the batch: s are dot products of the student's vectors
    of books with that of the target; i runs over K *interesting* books in the teacher's order, j
    over `uninteresting` ones. Interesting books are drawn without replacement among the teacher's
    `strongest`, with weights ``exp(-rank / spread)`` for rank 0, 1, ...; uninteresting ones
    evenly from the catalogue, where those of the strongest and the book itself do not count.
    Outside training the best K are taken, and books spread evenly over the ids.

    The relaxed ranking loss (Kang, Hwang, Kweon & Yu, "DE-RRD", CIKM 2020) on the side of the
    items: Kang, Hwang, Kweon & Yu, "Item-side Ranking Regularized Distillation for Recommender
    System" (Information Sciences 580, 2021). Where users are numbered the side of an item is
    its ranking of users; readers have no numbers here, so it is its ranking of other books.
    Divided by K, so that the weight of the method does not depend on it.

    Args:
        interesting: K, at least 1.
        uninteresting: How many others, at least 1.
        strongest: Among how many of the teacher's best books the interesting ones are drawn, at
            least K.
        spread: How slowly the weights fall with the rank, above 0.
        books: At most so many different target books of a batch, at least 1.
    """

    default_weight = 0.1

    def __init__(
        self,
        interesting: int = 20,
        uninteresting: int = 50,
        strongest: int = 50,
        spread: float = 10.0,
        books: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if interesting < 1 or uninteresting < 1 or books < 1:
            raise ValueError(
                "interesting, uninteresting and books must be at least 1, not "
                f"{interesting}, {uninteresting} and {books}"
            )
        if strongest < interesting:
            raise ValueError(f"strongest must be at least {interesting}, not {strongest}")
        if not spread > 0:
            raise ValueError(f"spread must be above 0, not {spread}")
        self.interesting, self.uninteresting = interesting, uninteresting
        self.strongest, self.spread, self.books = strongest, spread, books

    def prepare(self, lesson: Lesson) -> None:
        book_table(lesson.student, "ItemSideRanking")
        self.ids = similar_books(lesson.teacher, self.strongest).ids

    def loss(self, step: Step) -> tf.Tensor:
        books = drawn_books(step, self.books)
        strongest = tf.gather(self.ids, books)
        interesting = self._interesting(strongest, step.training)
        others = self._uninteresting(tf.shape(books)[0], step)
        never = tf.concat([strongest, books[:, tf.newaxis]], axis=1)
        known = tf.reduce_any(others[:, :, tf.newaxis] == never[:, tf.newaxis], axis=2)
        others = tf.where(known, 0, others)
        table = step.student.book_vectors()
        ids = tf.concat([interesting, others], axis=1)
        scores = tf.linalg.matvec(tf.gather(table, ids), tf.gather(table, books))
        K = interesting.shape[1]
        order = tf.broadcast_to(tf.range(K), tf.shape(interesting))
        rows = relaxed_order_loss(scores[:, :K], order, interesting > 0, scores[:, K:], others > 0)
        count = tf.reduce_sum(tf.cast(interesting > 0, tf.float32), axis=1)
        found = tf.reduce_sum(tf.cast(count > 0, tf.float32))
        each = tf.math.divide_no_nan(rows, count)
        mean = tf.math.divide_no_nan(tf.reduce_sum(each), found)
        return tf.fill([tf.shape(step.history)[0]], mean)

    def _interesting(self, strongest: tf.Tensor, training: bool) -> tf.Tensor:
        """int32 [n, K], in the teacher's order, 0 where there are fewer."""
        count = min(self.interesting, strongest.shape[1])
        if not training:
            return strongest[:, :count]
        rank = tf.range(strongest.shape[1], dtype=tf.float32)
        places, _ = draw(-rank / self.spread, strongest > 0, count)
        return tf.gather(strongest, tf.sort(places, axis=1), batch_dims=1)

    def _uninteresting(self, rows: tf.Tensor, step: Step) -> tf.Tensor:
        """int32 [n, uninteresting]: ids of 1..V."""
        books = step.student.books
        if step.training:
            return randomness.uniform([rows, self.uninteresting], 1, books + 1, tf.int32)
        spread = 1 + np.arange(self.uninteresting) * books // self.uninteresting
        return tf.tile(tf.constant(spread[None], tf.int32), [rows, 1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "interesting": self.interesting,
            "uninteresting": self.uninteresting,
            "strongest": self.strongest,
            "spread": self.spread,
            "books": self.books,
        }
