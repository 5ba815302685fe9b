"""A trained map from the content of items to embeddings whose products are scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.backend import keras, tf
from kd_tf.encoders.base import Vectors, normalize_rows
from kd_tf.layers.dropout import Dropout
from kd_tf.models.trainable import minimize_loss
from kd_tf.progress import Progress

NUM_STEPS = 200
"""Steps of training. Twice as many gain nothing (docs/explanation/text-teachers.md)."""

BATCH_SIZE = 1024
"""Users per step."""

LEARNING_RATE = 2e-3
"""Of the first step; it falls to 0 in a straight line."""

DROPOUT = 0.3
"""Share of an item's words that a step does not see; half of it for each number of a dense vector.
Otherwise names, which only a few items share, explain the training users and nobody else."""

BLOCK_DROPOUT = 0.1
"""Chance that a step does not see a whole block of an item, so that each block alone says
something: new items may lack a description, and other catalogs have other words."""

FIRST_SCALE = 0.1
"""Length of the first weights: what no training item has in its content stays near 0, instead of
counting as much as what was learnt."""


class ContentTower(keras.Model):
    """Maps the blocks of content linearly to one embedding of length 1 per item.

    ``e_i = normalize(sum over blocks b of W_b v_ib)``. The score of an item is the sum of its
    products with the embeddings of the history, ``<sum over j of e_j, e_i>``: a history is read by
    its content alone, and no item has a number of its own.

    The loss is that of ELSA: Vančura, Alves, Kasalický and Kordík, "Scalable Linear Shallow
    Autoencoder for Collaborative Filtering" (RecSys 2022), trained through the content as in
    Vančura, Kordík and Straka, "beeFormer" (RecSys 2024). W_b of counted words are word vectors
    learnt from who read what; of a pretrained encoder, a last layer.

    Args:
        blocks: Vectors of the items that are trained on: each float32 [n, d_b], dense or CSR.
        embedding_dim: d.
        seed: Of the first weights.

    Example:
        >>> words = sparse.csr_array(np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32))
        >>> tower = ContentTower([words], embedding_dim=2, seed=0)
        >>> embeddings = tower(None).numpy()
        >>> bool(np.allclose(embeddings[0], embeddings[1])), embeddings.shape
        (True, (4, 2))
    """

    def __init__(self, blocks: Sequence[Vectors], *, embedding_dim: int, seed: int) -> None:
        super().__init__()
        self.heads = [
            self.add_weight(
                name=f"head_{number}",
                shape=(block.shape[1], embedding_dim),
                initializer=keras.initializers.RandomNormal(
                    stddev=FIRST_SCALE * embedding_dim**-0.5, seed=seed + number
                ),
            )
            for number, block in enumerate(blocks)
        ]
        self._blocks = [to_tensor(block) for block in blocks]
        self._word_dropout = Dropout(DROPOUT)
        self._number_dropout = Dropout(DROPOUT / 2)
        self._block_dropout = Dropout(BLOCK_DROPOUT)

    def call(self, inputs: Any = None, training: bool = False) -> tf.Tensor:
        """Returns the embeddings of the items, float32 [n, d]; there are no inputs."""
        terms = []
        for block, head in zip(self._blocks, self.heads, strict=True):
            if isinstance(block, tf.SparseTensor):
                values = self._word_dropout(block.values, training=training)
                words = tf.SparseTensor(block.indices, values, block.dense_shape)
                term = tf.sparse.sparse_dense_matmul(words, head)
            else:
                term = tf.matmul(self._number_dropout(block, training=training), head)
            is_seen = self._block_dropout(tf.ones_like(term[:, :1]), training=training)
            terms.append(is_seen * term)
        return tf.math.l2_normalize(tf.add_n(terms), axis=1)

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        """Trains on histories of users, float32 [B, n], 1 for the items that they have read."""
        with tf.GradientTape() as tape:
            embeddings = self(None, training=True)
            scores = tf.matmul(tf.matmul(data, embeddings), embeddings, transpose_b=True) - data
            difference = tf.math.l2_normalize(scores, 1) - tf.math.l2_normalize(data, 1)
            loss = tf.reduce_mean(tf.reduce_sum(tf.square(difference), axis=1))
        minimize_loss(self.optimizer, loss, self.trainable_variables, tape)
        return {"loss": loss}


def to_tensor(vectors: Vectors) -> tf.Tensor | tf.SparseTensor:
    """Returns vectors float32 [n, d] as a tensor, sparse if they are."""
    if isinstance(vectors, np.ndarray):
        return tf.constant(vectors)
    entries = sparse.csr_array(vectors).tocoo()
    indices = np.stack(entries.coords, axis=1).astype(np.int64)
    return tf.sparse.reorder(tf.SparseTensor(indices, entries.data, entries.shape))


def train_tower(
    blocks: Sequence[Vectors],
    matrix: sparse.csr_array,
    *,
    embedding_dim: int,
    seed: int,
    progress: Progress,
) -> list[np.ndarray]:
    """Trains a tower, and returns its heads.

    Args:
        blocks: Vectors of the n items: each float32 [n, d_b].
        matrix: float32 CSR [users, n], 1 for the items that a user has read; those with two items
            and more are trained on.
        embedding_dim: d.
        seed: Random seed.
        progress: Reports the steps.

    Returns:
        One head per block, float32 [d_b, d].
    """
    tower = ContentTower(blocks, embedding_dim=embedding_dim, seed=seed)
    schedule = keras.optimizers.schedules.PolynomialDecay(LEARNING_RATE, NUM_STEPS, 0.0)
    tower.compile(keras.optimizers.Adam(schedule))
    users = np.flatnonzero(np.diff(matrix.indptr) >= 2)
    random = np.random.default_rng(seed)

    def draw_histories() -> Iterator[np.ndarray]:
        while True:
            rows = random.choice(users, min(BATCH_SIZE, len(users)), replace=False)
            yield matrix[np.sort(rows)].toarray()

    histories = tf.data.Dataset.from_generator(
        draw_histories,
        output_signature=tf.TensorSpec((None, matrix.shape[1]), tf.float32),
    )
    with progress.task("training on content", NUM_STEPS) as advance:
        report = keras.callbacks.LambdaCallback(
            on_batch_end=lambda _, logs: advance(1, f"loss {logs['loss']:.3f}")
        )
        tower.fit(histories, steps_per_epoch=NUM_STEPS, verbose=0, callbacks=[report])
    return [head.numpy() for head in tower.heads]


def embed_blocks(blocks: Sequence[Vectors], heads: Sequence[np.ndarray]) -> np.ndarray:
    """Maps blocks of any items with heads: float32 [V, d], zero for items without content."""
    total = sum(np.asarray(block @ head) for block, head in zip(blocks, heads, strict=True))
    vectors = normalize_rows(np.asarray(total, np.float32))
    assert isinstance(vectors, np.ndarray)
    return vectors
