"""What an app calls: the signatures of contract version 1 around a Keras student."""

from __future__ import annotations

from kd_tf.keras import tf
from kd_tf.models.base import HistoryModel


class Signatures(tf.Module):
    """``recommend`` and ``similar`` as functions of fixed shape that the converter takes.

    Args:
        student: Trained; everything it computes ends up in the file.
        recommendations: K, how many books an answer has, at most V.
    """

    def __init__(self, student: HistoryModel, recommendations: int) -> None:
        super().__init__()
        if not 1 <= recommendations <= student.books:
            raise ValueError(
                f"recommendations must be in 1..{student.books} (the number of books), "
                f"not {recommendations}"
            )
        self.student = student
        self.recommendations = recommendations
        history = tf.TensorSpec([1, student.history_length], tf.int32, name="history")
        book = tf.TensorSpec([1], tf.int32, name="book")
        self.functions = {
            "recommend": tf.function(self._recommend, input_signature=[history]),
            "similar": tf.function(self._similar, input_signature=[book]),
        }

    def _recommend(self, history: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._best(self.student(history, training=False), history[0])

    def _similar(self, book: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._best(self.student.similar(book), book)

    def _best(self, scores: tf.Tensor, excluded: tf.Tensor) -> dict[str, tf.Tensor]:
        """The K best of scores [1, V + 1] that are neither padding nor in `excluded` [n].

        Instead of masking V scores, enough of the best are taken that K are left whatever is
        excluded. Which of them stay is decided on whole numbers: a "minus infinity" among the
        scores would stretch the range of an int8 file until all books scored the same.
        """
        K = self.recommendations
        candidates = min(K + excluded.shape[0] + 1, self.student.books + 1)
        values, ids = tf.math.top_k(scores, candidates)
        values, ids = values[0], ids[0]
        gone = tf.reduce_any(ids[:, tf.newaxis] == excluded[tf.newaxis], axis=1) | (ids == 0)
        # Candidates are in order, so the first K that stay are those with the largest countdown.
        countdown = tf.where(gone, 0, tf.range(candidates, 0, -1))
        _, kept = tf.math.top_k(countdown, K)
        return {
            "ids": tf.gather(tf.where(gone, 0, ids), kept)[tf.newaxis],
            "scores": tf.gather(values, kept)[tf.newaxis],
        }
