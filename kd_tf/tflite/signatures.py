"""What an app calls: the signatures of contract version 1 around a Keras student."""

from __future__ import annotations

from kd_tf.keras import tf
from kd_tf.models.base import HistoryModel


class Signatures(tf.Module):
    """The four signatures as functions of fixed shape that the converter takes.

    Args:
        student: Trained; everything it computes ends up in the file.
        recommendations: K, how many books an answer has, at most V.
        candidates: C, how many books ``score`` takes at once.

    Attributes:
        ranking: The functions that rank the whole catalogue, by their names.
        explaining: The functions that look at a few books only.
    """

    def __init__(self, student: HistoryModel, recommendations: int, candidates: int) -> None:
        super().__init__()
        if candidates < 1:
            raise ValueError(f"candidates must be at least 1, not {candidates}")
        if not 1 <= recommendations <= student.books:
            raise ValueError(
                f"recommendations must be in 1..{student.books} (the number of books), "
                f"not {recommendations}"
            )
        self.student = student
        self.recommendations = recommendations
        history = tf.TensorSpec([1, student.history_length], tf.int32, name="history")
        book = tf.TensorSpec([1], tf.int32, name="book")
        several = tf.TensorSpec([1, candidates], tf.int32, name="candidates")
        self.ranking = {
            "recommend": tf.function(self._recommend, input_signature=[history]),
            "similar": tf.function(self._similar, input_signature=[book]),
        }
        self.explaining = {
            "score": tf.function(self._score, input_signature=[history, several]),
            "explain": tf.function(self._explain, input_signature=[history, book]),
        }

    @property
    def functions(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """All of them by their names."""
        return {**self.ranking, **self.explaining}

    def _recommend(self, history: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._best(self.student(history, training=False), history)

    def _similar(self, book: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._best(self.student.similar(book), book)

    def _score(self, history: tf.Tensor, candidates: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": self.student.score(history, candidates)}

    def _explain(self, history: tf.Tensor, book: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"contributions": self.student.contributions(history, book)}

    def _best(self, scores: tf.Tensor, excluded: tf.Tensor) -> dict[str, tf.Tensor]:
        """The K best of scores [1, V + 1] that are neither padding nor in `excluded` [1, n] or [n].

        Instead of masking V scores, enough of the best are taken that K are left whatever is
        excluded. Which of them stay is decided on whole numbers: a "minus infinity" among the
        scores would stretch the range of an int8 file until all books scored the same.
        """
        K = self.recommendations
        candidates = min(K + excluded.shape[-1] + 1, self.student.books + 1)
        values, ids = tf.math.top_k(tf.reshape(scores, [-1]), candidates)
        # One more 0 stands for the padding, whatever is excluded.
        excluded = tf.pad(excluded, [*[[0, 0]] * (excluded.shape.rank - 1), [0, 1]])
        gone = tf.reduce_any(tf.equal(tf.expand_dims(ids, 1), excluded), axis=1)
        # Candidates are in order, so the first K that stay are those with the largest countdown.
        countdown = tf.where(gone, 0, tf.range(candidates, 0, -1))
        _, kept = tf.math.top_k(countdown, K)
        return {
            "ids": tf.expand_dims(tf.gather(tf.where(gone, 0, ids), kept), 0),
            "scores": tf.expand_dims(tf.gather(values, kept), 0),
        }
