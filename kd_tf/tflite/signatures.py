"""The signatures that an app calls: contract version 1 around a Keras student."""

from __future__ import annotations

from kd_tf.backend import tf
from kd_tf.models.base import HistoryModel
from kd_tf.tflite.two_stage_search import TwoStageStudent

BLOCK_SIZE = 64
"""Scores per block in `find_top_k`. Measured with one thread on x86-64 for 10,000, 100,000 and
1,000,000 items: 16 takes 1.08, 1.34 and 1.7 times as long, 32 takes 1.01, 1.1 and 1.13 times."""

_MIN_BLOCKS_PER_RESULT = 1.5
"""With fewer blocks per result, blocks save little, and a plain top-k is used."""

_MIN_SCORES_TO_GATHER = 20_000
"""With at least this many scores, it is faster to gather the selected blocks first."""

_PADDING_SCORE = -3e38
"""Fills the last block; lower than any score."""


def find_top_k(scores: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds the `count` highest of many scores, faster than one top-k over all of them.

    A plain top-k compares every score with the lowest one kept so far, and these branches are
    mispredicted: half the time of a recommendation from 10,000 items. Here the maximum of each
    block of `BLOCK_SIZE` scores comes first. The `count` highest block maxima are scores
    themselves, so no score below the lowest of them can be among the results, and few scores are
    at least as high. Among equal scores, the first ones win, as in `tf.math.top_k`.

    Args:
        scores: float32 [n], with a static n.
        count: Number of results, at most n.

    Returns:
        Values float32 [count] in descending order, and their indices int32 [count].

    Example:
        >>> values, indices = find_top_k(tf.constant([0.1, 0.9, 0.5, 0.9]), 3)
        >>> indices.numpy().tolist()
        [1, 3, 2]
    """
    size = scores.shape[0]
    num_blocks = -(-size // BLOCK_SIZE)
    if num_blocks < _MIN_BLOCKS_PER_RESULT * count:
        values, indices = tf.math.top_k(scores, count)
        return values, indices
    padding = tf.fill([num_blocks * BLOCK_SIZE - size], _PADDING_SCORE)
    blocks = tf.reshape(tf.concat([scores, padding], axis=0), [num_blocks, BLOCK_SIZE])
    maxima = tf.reduce_max(blocks, axis=1)
    threshold = tf.math.top_k(maxima, count)[0][count - 1]
    if size < _MIN_SCORES_TO_GATHER:
        return _find_top_k_above(threshold, scores, count)
    selected_blocks = tf.where(maxima >= threshold)[:, 0]
    candidates = tf.reshape(tf.gather(blocks, selected_blocks), [-1])
    values, indices = _find_top_k_above(threshold, candidates, count)
    block = indices // BLOCK_SIZE
    # From an index among the selected blocks back to the index among all scores.
    shift = tf.gather(tf.cast(selected_blocks, tf.int32), block) - block
    return values, indices + shift * BLOCK_SIZE


def _find_top_k_above(
    threshold: tf.Tensor, scores: tf.Tensor, count: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds the `count` highest scores, of which at least `count` are not below `threshold`."""
    # In ascending order of indices, so that equal scores stay in the order of the catalog.
    indices = tf.where(scores >= threshold)[:, 0]
    values, best = tf.math.top_k(tf.gather(scores, indices), count)
    return values, tf.cast(tf.gather(indices, best), tf.int32)


class Signatures(tf.Module):
    """The four signatures as functions with static shapes, ready for the converter.

    - ``recommend(history int32 [1, L])``: ``ids`` int32 [1, K] and ``scores`` float32 [1, K].
    - ``similar(book int32 [1])``: ``ids`` and ``scores``, as above.
    - ``score(history, candidates int32 [1, C])``: ``scores`` float32 [1, C].
    - ``explain(history, book)``: ``contributions`` float32 [1, L].

    Args:
        student: The trained student.
        recommendations: K, the number of items in a list, at most V.
        candidates: C, the number of items that ``score`` takes at once.
        use_blocks: Whether to find the top K with `find_top_k`. Must be False for int8 files,
            where the padding score would stretch the quantization range of all scores.

    Attributes:
        ranking_functions: ``recommend`` and ``similar``, which rank the whole catalog, by name.
        per_item_functions: ``score`` and ``explain``, which look at single items, by name.

    Raises:
        ValueError: `recommendations` or `candidates` is out of range.

    Example:
        >>> from kd_tf.models.students.mlp import MLPStudent
        >>> student = MLPStudent(num_items=20, max_length=5, embedding_dim=4)
        >>> list(Signatures(student, recommendations=3, candidates=10).functions)
        ['recommend', 'similar', 'score', 'explain']
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
                f"recommendations must be in 1..{student.num_items} (the number of items), "
                f"not {recommendations}"
            )
        self.student = student
        self.recommendations = recommendations
        self._find_top_k = find_top_k if use_blocks else tf.math.top_k
        history = tf.TensorSpec([1, student.max_length], tf.int32, name="history")
        book = tf.TensorSpec([1], tf.int32, name="book")
        candidate_ids = tf.TensorSpec([1, candidates], tf.int32, name="candidates")
        self.ranking_functions = {
            "recommend": tf.function(self._recommend, input_signature=[history]),
            "similar": tf.function(self._similar, input_signature=[book]),
        }
        self.per_item_functions = {
            "score": tf.function(self._score, input_signature=[history, candidate_ids]),
            "explain": tf.function(self._explain, input_signature=[history, book]),
        }

    @property
    def functions(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """All four signatures by name."""
        return {**self.ranking_functions, **self.per_item_functions}

    def _recommend(self, history: tf.Tensor) -> dict[str, tf.Tensor]:
        if not isinstance(self.student, TwoStageStudent):
            # Not through Keras' __call__, which puts the student's name before the names of its
            # operators: the converter orders operators by name, so that a file's size would
            # depend on the class name.
            return self._select_best(self.student.call(history, training=False), history)
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
        excluded_ids: tf.Tensor,
        items: tf.Tensor | None = None,
        padding_rows: int = 0,
    ) -> dict[str, tf.Tensor]:
        """Selects the K best items that are neither padding nor excluded.

        Masking all V scores is slow. Instead the best ``K + n + 1`` are taken, of which at least
        K remain whatever is excluded. The selection works on integers, because a score of minus
        infinity would stretch the quantization range of an int8 file until all items had the
        same score.

        Args:
            scores: float32 [1, V + 1], or [m] if `items` is given.
            excluded_ids: int32 [1, n] or [n], ids to leave out.
            items: int32 [m], the ids of the scores in ascending order; None for 0..V.
            padding_rows: How many of `items` are above V.

        Returns:
            ``ids`` int32 [1, K] and ``scores`` float32 [1, K], best first.
        """
        K, V = self.recommendations, self.student.num_items
        count = V + 1 if items is None else scores.shape[0]
        num_candidates = min(K + excluded_ids.shape[-1] + 1 + padding_rows, count)
        values, ids = self._find_top_k(tf.reshape(scores, [-1]), num_candidates)
        if items is not None:
            ids = tf.gather(items, ids)
        # Append a 0, so that padding is always excluded.
        excluded_ids = tf.pad(excluded_ids, [*[[0, 0]] * (excluded_ids.shape.rank - 1), [0, 1]])
        is_excluded = tf.reduce_any(tf.equal(tf.expand_dims(ids, 1), excluded_ids), axis=1)
        if padding_rows:
            is_excluded |= ids > V
        # The candidates are sorted: the first K that remain have the largest countdown.
        countdown = tf.where(is_excluded, 0, tf.range(num_candidates, 0, -1))
        best = tf.expand_dims(tf.math.top_k(countdown, K)[1], 0)
        return {
            "ids": tf.gather(tf.where(is_excluded, 0, ids), best),
            "scores": tf.gather(values, best),
        }
