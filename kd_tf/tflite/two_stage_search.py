"""Large catalogues in two stages: a few blocks of alike books are found first, then scored.

Scoring a million books reads a million rows. When alike books stand side by side in the table, a
reader's best ones lie in few blocks of it, and the mean row of a block says which. The blocks are
read from the very buffer that everything else reads, so the file grows by the mean rows alone. What
is not exact is which blocks are looked at; books are missed where a block's mean hides one of its
rows. `enough_blocks` measures the share that is found against the exact list.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import tf
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.tied_embedding import TiedEmbeddingModel

ROWS_PER_BLOCK = 64
"""About so many; the number near it that leaves the fewest rows over is taken. With 256 the means
take a fourth of the bytes, but twice as many rows are read for the same recall."""

PROBE_COUNTS = (16, 32, 64, 128, 256, 512, 1024)
"""Numbers of blocks that are tried, the fewest that find enough is taken."""

MIN_RECALL = 0.95
"""Share of the exact ten best books that two stages have to find."""

TOP_K = 10

_LLOYD_ITERATIONS = 4
"""Of moving the two centres of a node, enough on a million rows."""


def cluster_items(table: np.ndarray, rows_per_block: int, *, seed: int = 0) -> np.ndarray:
    """The order of books in which alike ones stand side by side.

    The books are halved again and again, each time along the line between two centres (Lloyd's
    algorithm with two of them), at the median, so that all parts are of one size.

    Args:
        table: float32 [V + 1, d]; row 0 is ignored.
        rows_a_block: Parts of at most so many rows are not halved any more.
        seed: Of the first centres.

    Returns:
        int32 [V], a permutation of 1..V: the book at each place.
    """
    random = np.random.default_rng(seed)
    waiting, ordered = [np.arange(1, len(table), dtype=np.int32)], []
    while waiting:
        items = waiting.pop()
        if len(items) <= rows_per_block:
            ordered.append(items)
            continue
        rows = table[items]
        centres = rows[random.choice(len(rows), 2, replace=False)]
        for _ in range(_LLOYD_ITERATIONS):
            along = rows @ (centres[1] - centres[0])
            # At a whole number of blocks, so that no block spans two halves.
            middle = -(-len(items) // rows_per_block) // 2 * rows_per_block
            nearer = np.argpartition(along, middle)
            centres = np.stack([rows[nearer[:middle]].mean(0), rows[nearer[middle:]].mean(0)])
        waiting += [items[np.sort(nearer[middle:])], items[np.sort(nearer[:middle])]]
    return np.concatenate(ordered) if ordered else np.zeros(0, np.int32)


def choose_block_size(rows: int) -> int:
    """Rows of a block: near `ROWS_A_BLOCK`, with the fewest rows left over in the last one."""
    sizes = range(ROWS_PER_BLOCK * 3 // 4, ROWS_PER_BLOCK * 5 // 4)
    return min(sizes, key=lambda size: (-rows % size, abs(size - ROWS_PER_BLOCK)))


def choose_num_probes(student: TiedEmbeddingModel, order: np.ndarray, histories: np.ndarray) -> int:
    """The least of `PROBED` with which two stages find `RECALL` of the ten best unread books.

    Args:
        student: In its own order.
        order: From `clustered_order`.
        histories: int32 [n, L] of readers who measure nothing else.

    Raises:
        UserError: Even the most find too little: the books are too unlike each other.
    """
    trial = TwoStageStudent(student, order, PROBE_COUNTS[-1])
    means, size = trial.means.numpy(), trial.rows_per_block
    block = np.zeros(student.num_items + 1, np.int64)
    block[order] = np.arange(1, student.num_items + 1) // size
    table = student.table.numpy()
    places = []
    for history in histories:
        user = student.user_embeddings(tf.constant(history[np.newaxis])).numpy()[0]
        scores = table @ user
        scores[np.append(history[(history >= 1) & (history <= student.num_items)], 0)] = -np.inf
        width = min(TOP_K, student.num_items)
        best = np.argpartition(-scores, width - 1)[:width]
        promise = means @ np.append(user, np.linalg.norm(user))
        behind = np.argsort(np.argsort(-promise, kind="stable"), kind="stable")
        places.append(behind[block[best]])
    found = np.concatenate(places)
    for probed in PROBE_COUNTS:
        if (found < probed).mean() >= MIN_RECALL:
            return min(probed, trial.num_blocks)
    raise UserError(
        f"two stages find only {(found < PROBE_COUNTS[-1]).mean():.3f} of the ten best books with "
        f"{PROBE_COUNTS[-1]} blocks of {size}",
        where="export.catalogue_search",
        hint="Export with exact: the books of this table are not alike in groups.",
    )


class TwoStageStudent(HistoryModel):
    """A student whose table is laid out in blocks, with the mean row of each.

    Its books are those of the student that it was made of, in another order.

    Args:
        student: Of which everything but the order is kept.
        order: int32 [V] from `clustered_order`: the student's book at each place.
        probed: How many blocks are looked at.
    """

    quantized_weights = ("table", "means")
    quantizations = ("float32", "dynamic-int8")

    def __init__(self, student: TiedEmbeddingModel, order: np.ndarray, num_probes: int) -> None:
        super().__init__(num_items=student.num_items, max_length=student.max_length)
        if student.scoring_table is not student.table:
            raise UserError(
                f"a {type(student).__name__} has two tables and no order that suits both",
                where="export.catalogue_search",
                hint="Export it with exact.",
            )
        self.student, self.order = student, order
        self.embedding_dim = student.embedding_dim
        self.rows_per_block = choose_block_size(student.num_items + 1)
        self.num_blocks = -(-(student.num_items + 1) // self.rows_per_block)
        self.num_probes = min(num_probes, self.num_blocks)
        values = student.table.numpy()
        table = np.zeros((self.num_blocks * self.rows_per_block, self.embedding_dim), np.float32)
        table[1 : student.num_items + 1] = values[order]
        self.table = tf.Variable(table, trainable=False, name="table")
        by_block = table.reshape(self.num_blocks, self.rows_per_block, self.embedding_dim)
        there = np.ones(len(table))
        there[0] = 0
        there[student.num_items + 1 :] = 0
        count = np.maximum(there.reshape(self.num_blocks, -1).sum(axis=1), 1)
        means = by_block.sum(axis=1) / count[:, np.newaxis]
        # How far a block's rows lie from their mean: what a reader may find beyond it.
        spread = np.sqrt(
            np.square(by_block - means[:, np.newaxis]).sum(axis=(1, 2))
            / (count * self.embedding_dim)
        )
        self.means = tf.Variable(
            np.concatenate([means, spread[:, np.newaxis]], axis=1).astype(np.float32),
            trainable=False,
            name="means",
        )
        self.create_weights()

    @property
    def reordered_ids(self) -> np.ndarray:
        """int32 [V + 1]: the id here of each book of the student."""
        places = np.zeros(self.num_items + 1, np.int32)
        places[self.order] = np.arange(1, self.num_items + 1)
        return places

    @property
    def weights(self) -> list[tf.Variable]:
        # The student's own table lies here in another order.
        return [weight for weight in super().weights if weight is not self.student.table]

    @property
    def table_rows(self) -> int:
        return self.num_blocks * self.rows_per_block

    @property
    def padding_rows(self) -> int:
        """Rows at the end of the last block that no book has."""
        return self.table_rows - self.num_items - 1

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        ids = self.student.encoder_ids(history)
        weights = self.student.item_weights(ids)
        return self.student.encode(tf.gather(self.table, ids), weights, training)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.matmul(self.user_embeddings(inputs), self.table, transpose_b=True)[
            :, : self.num_items + 1
        ]

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        ids = self.mask_unknown_ids(candidates)
        vectors = tf.expand_dims(self.user_embeddings(history), 2)
        products = tf.squeeze(tf.matmul(tf.gather(self.table, ids), vectors), 2)
        return tf.where(ids > 0, products, 0.0)

    def shortlist(self, vectors: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The books of the blocks that look best, scored.

        Args:
            vectors: float32 [1, d].

        Returns:
            Scores float32 [n] and ids int32 [n], rising; ids of spare rows are above V.
        """
        length = tf.sqrt(tf.reduce_sum(tf.square(vectors), axis=1, keepdims=True))
        promise = tf.matmul(tf.concat([vectors, length], axis=1), self.means, transpose_b=True)
        _, best = tf.math.top_k(tf.reshape(promise, [-1]), self.num_probes)
        # In the order of the table, so that equal scores stay in the order of their ids.
        best = -tf.math.top_k(-best, self.num_probes)[0]
        width = self.rows_per_block * self.embedding_dim
        rows = tf.gather(tf.reshape(self.table, [self.num_blocks, width]), best)
        rows = tf.reshape(rows, [self.num_probes * self.rows_per_block, self.embedding_dim])
        scores = tf.matmul(vectors, rows, transpose_b=True)
        first = tf.expand_dims(best * self.rows_per_block, 1)
        ids = first + tf.expand_dims(tf.range(self.rows_per_block), 0)
        return tf.reshape(scores, [-1]), tf.reshape(ids, [-1])

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("it is made for an export and not saved")
