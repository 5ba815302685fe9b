"""What an app calls: the signatures of contract version 1 around a Keras student."""

from __future__ import annotations

from kd_tf.backend import tf
from kd_tf.models.base import HistoryModel
from kd_tf.tflite.two_stage_search import TwoStageStudent

BLOCK_SIZE = 64
"""Scores that `best_of_all` takes together. Measured with one thread on x86-64 among 10,000,
100,000 and 1,000,000 books: 16 takes 1.08, 1.34 and 1.7 times as long, 32 1.01, 1.1 and 1.13."""

_MIN_BLOCKS_PER_RESULT = 1.5
"""Blocks for each of the wanted scores: with fewer there is little to leave out."""

_MIN_SCORES_TO_GATHER = 20_000
"""Scores from which on it pays to look at the chosen blocks alone and not at all scores."""

_PADDING_SCORE = -3e38


def find_top_k(scores: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The `count` highest of many scores, of equal ones those that stand first.

    Looking for the best one after the other, a processor guesses wrongly at most of them which are
    good enough: half the time of a recommendation among 10,000 books. Here the maximum of every
    block of `BLOCK` is found first. `count` blocks have a maximum that is not below the `count`-th
    highest, so nothing below that one is wanted, and few scores are not below it.

    Args:
        scores: float32 [n], n known.
        count: At most n.

    Returns:
        float32 [count], falling, and int32 [count], their places.
    """
    size = scores.shape[0]
    blocks = -(-size // BLOCK_SIZE)
    if blocks < _MIN_BLOCKS_PER_RESULT * count:
        return tf.math.top_k(scores, count)
    filling = tf.fill([blocks * BLOCK_SIZE - size], _PADDING_SCORE)
    table = tf.reshape(tf.concat([scores, filling], axis=0), [blocks, BLOCK_SIZE])
    maxima = tf.reduce_max(table, axis=1)
    least = tf.math.top_k(maxima, count)[0][count - 1]
    if size < _MIN_SCORES_TO_GATHER:
        return _find_top_k_above(least, scores, count)
    chosen = tf.where(maxima >= least)[:, 0]
    values, places = _find_top_k_above(least, tf.reshape(tf.gather(table, chosen), [-1]), count)
    block = places // BLOCK_SIZE
    # A place among the chosen blocks and its id are as far apart as its block was moved.
    moved = tf.gather(tf.cast(chosen, tf.int32), block) - block
    return values, places + moved * BLOCK_SIZE


def _find_top_k_above(
    least: tf.Tensor, scores: tf.Tensor, count: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """As `best_of_all`; at least `count` of the scores are not below `least`."""
    # In the order of the catalogue, so that equal scores keep theirs.
    places = tf.where(scores >= least)[:, 0]
    values, best = tf.math.top_k(tf.gather(scores, places), count)
    return values, tf.cast(tf.gather(places, best), tf.int32)


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
        use_blocks: bool = True,
    ) -> None:
        super().__init__()
        if candidates < 1:
            raise ValueError(f"candidates must be at least 1, not {candidates}")
        if not 1 <= recommendations <= student.num_items:
            raise ValueError(
                f"recommendations must be in 1..{student.num_items} (the number of books), "
                f"not {recommendations}"
            )
        self.student = student
        self.recommendations = recommendations
        self._find_top_k = find_top_k if use_blocks else tf.math.top_k
        history = tf.TensorSpec([1, student.max_length], tf.int32, name="history")
        book = tf.TensorSpec([1], tf.int32, name="book")
        several = tf.TensorSpec([1, candidates], tf.int32, name="candidates")
        self.ranking_functions = {
            "recommend": tf.function(self._recommend, input_signature=[history]),
            "similar": tf.function(self._similar, input_signature=[book]),
        }
        self.per_item_functions = {
            "score": tf.function(self._score, input_signature=[history, several]),
            "explain": tf.function(self._explain, input_signature=[history, book]),
        }

    @property
    def functions(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """All of them by their names."""
        return {**self.ranking_functions, **self.per_item_functions}

    def _recommend(self, history: tf.Tensor) -> dict[str, tf.Tensor]:
        if not isinstance(self.student, TwoStageStudent):
            return self._select_best(self.student(history, training=False), history)
        scores, ids = self.student.shortlist(self.student.user_embeddings(history))
        return self._select_best(scores, history, ids, self.student.padding_rows)

    def _similar(self, book: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._select_best(self.student.similar(book), book)

    def _score(self, history: tf.Tensor, candidates: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": self.student.score(history, candidates)}

    def _explain(self, history: tf.Tensor, book: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"contributions": self.student.contributions(history, book)}

    def _select_best(
        self,
        scores: tf.Tensor,
        excluded: tf.Tensor,
        items: tf.Tensor | None = None,
        spare: int = 0,
    ) -> dict[str, tf.Tensor]:
        """The K best of scores [1, V + 1] that are neither padding nor in `excluded` [1, n] or [n].

        Or, of scores [m] of `books` int32 [m], rising, of which `spare` are above V.

        Instead of masking V scores, enough of the best are taken that K are left whatever is
        excluded. Which of them stay is decided on whole numbers: a "minus infinity" among the
        scores would stretch the range of an int8 file until all books scored the same.
        """
        K, V = self.recommendations, self.student.num_items
        count = V + 1 if items is None else scores.shape[0]
        candidates = min(K + excluded.shape[-1] + 1 + spare, count)
        values, ids = self._find_top_k(tf.reshape(scores, [-1]), candidates)
        if items is not None:
            ids = tf.gather(items, ids)
        # One more 0 stands for the padding, whatever is excluded.
        excluded = tf.pad(excluded, [*[[0, 0]] * (excluded.shape.rank - 1), [0, 1]])
        gone = tf.reduce_any(tf.equal(tf.expand_dims(ids, 1), excluded), axis=1)
        if spare:
            gone |= ids > V
        # Candidates are in order, so the first K that stay are those with the largest countdown.
        countdown = tf.where(gone, 0, tf.range(candidates, 0, -1))
        kept = tf.expand_dims(tf.math.top_k(countdown, K)[1], 0)
        return {"ids": tf.gather(tf.where(gone, 0, ids), kept), "scores": tf.gather(values, kept)}
