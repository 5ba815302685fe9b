"""Two-stage search for large catalogs: selects a few blocks of similar items, then scores them.

Exact scoring of a million items reads a million embedding rows. If similar items are neighbours in
the table, a user's best items lie in a few blocks of rows, and the mean row of each block tells
which (an inverted file index, as in Jegou et al., "Product Quantization for Nearest Neighbor
Search", 2011). Blocks are slices of the one table that all signatures share, so that the file grows
by the mean rows only. The search is approximate: an item is missed if its block is not selected.
`choose_num_probes` measures the recall against the exact top 10.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import tf
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.tied_embedding import TiedEmbeddingModel

ROWS_PER_BLOCK = 64
"""Approximate block size; `choose_block_size` picks the size near it with the least padding. With
256 the means need a fourth of the bytes, but twice as many rows are read for the same recall."""

PROBE_COUNTS = (16, 32, 64, 128, 256, 512, 1024)
"""Numbers of blocks to try; the smallest with enough recall is used."""

MIN_RECALL = 0.95
"""Required share of the exact top `TOP_K` that the two-stage search finds."""

TOP_K = 10
"""Length of the lists over which recall is measured."""

_LLOYD_ITERATIONS = 4
"""Iterations of Lloyd's algorithm per split; enough for a million rows."""


def cluster_items(table: np.ndarray, rows_per_block: int, *, seed: int = 0) -> np.ndarray:
    """Orders items so that similar ones are neighbours.

    Balanced hierarchical 2-means: the items are split in half recursively, at the median of their
    projections on the line between two centroids (Lloyd's algorithm with k = 2), so that all
    leaves have the same size.

    Args:
        table: float32 [V + 1, d], item embeddings; row 0 (padding) is ignored.
        rows_per_block: Sets of at most this many items are not split any more.
        seed: Seed of the initial centroids.

    Returns:
        int32 [V], a permutation of 1..V: the item id at each position.

    Example:
        >>> table = np.array([[0, 0], [9, 9], [1, 1], [8, 9], [2, 1]], np.float32)
        >>> cluster_items(table, rows_per_block=2).tolist()
        [1, 3, 2, 4]
    """
    random = np.random.default_rng(seed)
    stack, leaves = [np.arange(1, len(table), dtype=np.int32)], []
    while stack:
        items = stack.pop()
        if len(items) <= rows_per_block:
            leaves.append(items)
            continue
        rows = table[items]
        centroids = rows[random.choice(len(rows), 2, replace=False)]
        for _ in range(_LLOYD_ITERATIONS):
            projections = rows @ (centroids[1] - centroids[0])
            # Split at a multiple of the block size, so that no block spans both halves.
            middle = -(-len(items) // rows_per_block) // 2 * rows_per_block
            by_projection = np.argpartition(projections, middle)
            first_half, second_half = by_projection[:middle], by_projection[middle:]
            centroids = np.stack([rows[first_half].mean(0), rows[second_half].mean(0)])
        stack += [items[np.sort(second_half)], items[np.sort(first_half)]]
    return np.concatenate(leaves) if leaves else np.zeros(0, np.int32)


def choose_block_size(rows: int) -> int:
    """Chooses the block size near `ROWS_PER_BLOCK` with the least padding in the last block.

    Args:
        rows: Rows of the table, V + 1.

    Returns:
        Rows per block.

    Example:
        >>> choose_block_size(10_001)
        73
    """
    sizes = range(ROWS_PER_BLOCK * 3 // 4, ROWS_PER_BLOCK * 5 // 4)
    return min(sizes, key=lambda size: (-rows % size, abs(size - ROWS_PER_BLOCK)))


def choose_num_probes(student: TiedEmbeddingModel, order: np.ndarray, histories: np.ndarray) -> int:
    """Chooses the smallest of `PROBE_COUNTS` whose recall of the exact top 10 is high enough.

    Args:
        student: The student with its items in the original order.
        order: int32 [V], the item order from `cluster_items`.
        histories: int32 [n, L], histories of users that are used for no other measurement.

    Returns:
        The number of blocks to probe.

    Raises:
        UserError: Even the largest count has a recall below `MIN_RECALL`: the items do not form
            clusters.
    """
    trial = TwoStageStudent(student, order, PROBE_COUNTS[-1])
    means, block_size = trial.means.numpy(), trial.rows_per_block
    block_of_item = np.zeros(student.num_items + 1, np.int64)
    block_of_item[order] = np.arange(1, student.num_items + 1) // block_size
    table = student.table.numpy()
    ranks_of_blocks = []
    for history in histories:
        user = student.user_embeddings(tf.constant(history[np.newaxis])).numpy()[0]
        scores = table @ user
        scores[np.append(history[(history >= 1) & (history <= student.num_items)], 0)] = -np.inf
        k = min(TOP_K, student.num_items)
        best_items = np.argpartition(-scores, k - 1)[:k]
        block_scores = means @ np.append(user, np.linalg.norm(user))
        rank_of_block = np.argsort(np.argsort(-block_scores, kind="stable"), kind="stable")
        ranks_of_blocks.append(rank_of_block[block_of_item[best_items]])
    ranks = np.concatenate(ranks_of_blocks)
    for num_probes in PROBE_COUNTS:
        if (ranks < num_probes).mean() >= MIN_RECALL:
            return min(num_probes, trial.num_blocks)
    recall = (ranks < PROBE_COUNTS[-1]).mean()
    raise UserError(
        f"two-stage search finds only {recall:.3f} of the exact top {TOP_K} with "
        f"{PROBE_COUNTS[-1]} blocks of {block_size} items",
        where="export.catalog_search",
        hint="The items of this model do not form clusters. Export with exact.",
    )


class TwoStageStudent(HistoryModel):
    """A student whose embedding table is divided into blocks, with the mean row of each.

    It has the items of the original student in another order. It exists for the export only and
    cannot be saved.

    Args:
        student: The student; everything but the item order is kept.
        order: int32 [V] from `cluster_items`: the student's item id at each position.
        num_probes: Number of blocks that are searched.

    Attributes:
        table: float32 [num_blocks * rows_per_block, d], the embeddings in the new order; row 0
            and the rows after V are zero.
        means: float32 [num_blocks, d + 1], the mean row of each block and its spread.
        num_blocks: Number of blocks.
        num_probes: Number of blocks that are searched, at most `num_blocks`.
        rows_per_block: Rows in each block.
    """

    quantized_weights = ("table", "means")
    quantizations = ("float32", "dynamic-int8")

    def __init__(self, student: TiedEmbeddingModel, order: np.ndarray, num_probes: int) -> None:
        super().__init__(num_items=student.num_items, max_length=student.max_length)
        if student.scoring_table is not student.table:
            raise UserError(
                f"a {type(student).__name__} has two embedding tables, and no item order suits "
                "both",
                where="export.catalog_search",
                hint="Export it with exact.",
            )
        self.student, self.order = student, order
        self.embedding_dim = student.embedding_dim
        self.rows_per_block = choose_block_size(student.num_items + 1)
        self.num_blocks = -(-(student.num_items + 1) // self.rows_per_block)
        self.num_probes = min(num_probes, self.num_blocks)
        original_table = student.table.numpy()
        table = np.zeros((self.num_blocks * self.rows_per_block, self.embedding_dim), np.float32)
        table[1 : student.num_items + 1] = original_table[order]
        self.table = tf.Variable(table, trainable=False, name="table")
        by_block = table.reshape(self.num_blocks, self.rows_per_block, self.embedding_dim)
        is_item = np.ones(len(table))
        is_item[0] = 0
        is_item[student.num_items + 1 :] = 0
        count = np.maximum(is_item.reshape(self.num_blocks, -1).sum(axis=1), 1)
        means = by_block.sum(axis=1) / count[:, np.newaxis]
        # Standard deviation of a block's rows: the best item scores above the block's mean.
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
        """int32 [V + 1]: for each item id of the original student its id in the new order."""
        new_ids = np.zeros(self.num_items + 1, np.int32)
        new_ids[self.order] = np.arange(1, self.num_items + 1)
        return new_ids

    @property
    def weights(self) -> list[tf.Variable]:
        # `table` replaces the original student's table.
        return [weight for weight in super().weights if weight is not self.student.table]

    @property
    def table_rows(self) -> int:
        return self.num_blocks * self.rows_per_block

    @property
    def padding_rows(self) -> int:
        """Number of rows at the end of the last block that belong to no item."""
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
        users = tf.expand_dims(self.user_embeddings(history), 2)
        products = tf.squeeze(tf.matmul(tf.gather(self.table, ids), users), 2)
        return tf.where(ids > 0, products, 0.0)

    def shortlist(self, vectors: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Selects the most promising blocks and scores their items.

        A block's score is the dot product of the user embedding with the block's mean, plus the
        length of the user embedding times the block's spread.

        Args:
            vectors: float32 [1, d], the user embedding.

        Returns:
            Scores float32 [n] and ids int32 [n] in ascending order; ids of padding rows are
            above V.
        """
        length = tf.sqrt(tf.reduce_sum(tf.square(vectors), axis=1, keepdims=True))
        block_scores = tf.matmul(tf.concat([vectors, length], axis=1), self.means, transpose_b=True)
        _, blocks = tf.math.top_k(tf.reshape(block_scores, [-1]), self.num_probes)
        # Sort the blocks by position, so that items with equal scores stay in the order of ids.
        blocks = -tf.math.top_k(-blocks, self.num_probes)[0]
        width = self.rows_per_block * self.embedding_dim
        rows = tf.gather(tf.reshape(self.table, [self.num_blocks, width]), blocks)
        rows = tf.reshape(rows, [self.num_probes * self.rows_per_block, self.embedding_dim])
        scores = tf.matmul(vectors, rows, transpose_b=True)
        first_ids = tf.expand_dims(blocks * self.rows_per_block, 1)
        ids = first_ids + tf.expand_dims(tf.range(self.rows_per_block), 0)
        return tf.reshape(scores, [-1]), tf.reshape(ids, [-1])

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("TwoStageStudent exists for the export only: save the student")
