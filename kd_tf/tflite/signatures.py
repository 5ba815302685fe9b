"""What an app calls: the signatures of contract version 1 around a Keras student."""

from __future__ import annotations

from kd_tf.keras import tf
from kd_tf.models.base import HistoryModel
from kd_tf.tflite.clustered import ClusteredStudent

BLOCK = 32
"""Scores that `best_of_all` takes together. Measured with one thread on x86-64: 16 is as fast among
10,000 books, 32 a tenth faster among 100,000 and more."""

_LEAST_BLOCKS = 2
"""Blocks for each of the wanted scores: with fewer there is nothing to leave out."""

_LOWEST = -3e38


def best_of_all(scores: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The `count` highest of many scores, of equal ones those that stand first.

    Looking for the best of a million one after the other takes longer than working the scores
    out. The maximum of every block of `BLOCK` is found in a third of that time, and the best lie in
    the `count` blocks of the highest maxima: whatever is left out is below, or behind and not
    above, one score of each of them.

    Args:
        scores: float32 [n], n known.
        count: At most n.

    Returns:
        float32 [count], falling, and int32 [count], their places.
    """
    size = scores.shape[0]
    blocks = -(-size // BLOCK)
    if blocks < _LEAST_BLOCKS * count:
        return tf.math.top_k(scores, count)
    filling = tf.fill([blocks * BLOCK - size], _LOWEST)
    table = tf.reshape(tf.concat([scores, filling], axis=0), [blocks, BLOCK])
    _, best = tf.math.top_k(tf.reduce_max(table, axis=1), count)
    # In the order of the catalogue again, so that equal scores keep theirs.
    best = -tf.math.top_k(-best, count)[0]
    values, places = tf.math.top_k(tf.reshape(tf.gather(table, best), [-1]), count)
    block = places // BLOCK
    return values, tf.gather(best, block) * BLOCK + places - block * BLOCK


class Signatures(tf.Module):
    """The four signatures as functions of fixed shape that the converter takes.

    Args:
        student: Trained; everything it computes ends up in the file.
        recommendations: K, how many books an answer has, at most V.
        candidates: C, how many books ``score`` takes at once.
        blocked: Whether the best are looked for in blocks (`best_of_all`). Not in whole numbers:
            what fills the last block would stretch the range of all scores.

    Attributes:
        ranking: The functions that rank the whole catalogue, by their names.
        explaining: The functions that look at a few books only.
    """

    def __init__(
        self,
        student: HistoryModel,
        recommendations: int,
        candidates: int,
        *,
        blocked: bool = True,
    ) -> None:
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
        self._best_of_all = best_of_all if blocked else tf.math.top_k
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
        if not isinstance(self.student, ClusteredStudent):
            return self._best(self.student(history, training=False), history)
        scores, ids = self.student.shortlist(self.student.reader_vectors(history))
        return self._best(scores, history, ids, self.student.spare_rows)

    def _similar(self, book: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._best(self.student.similar(book), book)

    def _score(self, history: tf.Tensor, candidates: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": self.student.score(history, candidates)}

    def _explain(self, history: tf.Tensor, book: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"contributions": self.student.contributions(history, book)}

    def _best(
        self,
        scores: tf.Tensor,
        excluded: tf.Tensor,
        books: tf.Tensor | None = None,
        spare: int = 0,
    ) -> dict[str, tf.Tensor]:
        """The K best of scores [1, V + 1] that are neither padding nor in `excluded` [1, n] or [n].

        Or, of scores [m] of `books` int32 [m], rising, of which `spare` are above V.

        Instead of masking V scores, enough of the best are taken that K are left whatever is
        excluded. Which of them stay is decided on whole numbers: a "minus infinity" among the
        scores would stretch the range of an int8 file until all books scored the same.
        """
        K, V = self.recommendations, self.student.books
        count = V + 1 if books is None else scores.shape[0]
        candidates = min(K + excluded.shape[-1] + 1 + spare, count)
        values, ids = self._best_of_all(tf.reshape(scores, [-1]), candidates)
        if books is not None:
            ids = tf.gather(books, ids)
        # One more 0 stands for the padding, whatever is excluded.
        excluded = tf.pad(excluded, [*[[0, 0]] * (excluded.shape.rank - 1), [0, 1]])
        gone = tf.reduce_any(tf.equal(tf.expand_dims(ids, 1), excluded), axis=1)
        if spare:
            gone |= ids > V
        # Candidates are in order, so the first K that stay are those with the largest countdown.
        countdown = tf.where(gone, 0, tf.range(candidates, 0, -1))
        _, kept = tf.math.top_k(countdown, K)
        return {
            "ids": tf.expand_dims(tf.gather(tf.where(gone, 0, ids), kept), 0),
            "scores": tf.expand_dims(tf.gather(values, kept), 0),
        }
