"""A small student with a high-rank item-item matrix: an exponential kernel of embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.layers.quantized_embedding import QuantizedEmbedding, check_bits
from kd_tf.layers.quantized_vector import QuantizedVector
from kd_tf.models.additive import AdditiveModel
from kd_tf.models.closed_form.fit import ClosedFormFit
from kd_tf.models.closed_form.item_kernel import fit_item_kernel
from kd_tf.models.content.item_mixtures import ItemMixtures
from kd_tf.models.teachers.local_ridge import choose_ridge
from kd_tf.models.training_data import TrainingData

MASKED_BIAS = -1e4
"""Bias of items that are masked: exp of it is 0."""

MASKED_BIAS_MARGIN = 10.0
"""Masked biases are moved this far below all others before they are quantized: exp(-10) = 5e-5 is
still negligible, and the quantization range stays small."""

NUM_TARGETS = 30
"""Targets of each item that `fit` fits to; `kd_tf.distill.warm_start` selects the number."""

_BLOCK_SIZE = 256


@keras.saving.register_keras_serializable(package="kd_tf")
class ItemKernelStudent(ClosedFormFit, AdditiveModel):
    """Scores items by a kernel: ``item_scores(h)[i] = exp(<e_h, e_i> + b_i + c_h)``.

    A dot product of d dimensions can only represent a matrix of rank d. The item-item matrix has a
    far higher rank, but is sparse and positive, and the exponential of a low-rank matrix can be
    both. `fit_item_kernel` fits it to a teacher row by row, without training users.

    Args:
        embedding_dim: Width of the embeddings, d.
        bits: Bits of an embedding value in the exported file, 8 or 4.
        **kwargs: As for `AdditiveModel`.

    Example:
        >>> import numpy as np
        >>> from kd_tf.backend import tf
        >>> student = ItemKernelStudent(num_items=2, max_length=3, embedding_dim=1)
        >>> student.assign(np.ones((3, 1)), np.zeros(3), np.zeros(3))
        >>> student(tf.constant([[1, 2, 0]])).numpy()[0, 1:]  # exp(1) from each of two items
        array([5.4365635, 5.4365635], dtype=float32)
    """

    quantized_weights = ("table",)

    def __init__(
        self, num_items: int, *, embedding_dim: int = 32, bits: int = 8, **kwargs: Any
    ) -> None:
        super().__init__(num_items, **kwargs)
        if embedding_dim < 1:
            raise ValueError(f"embedding_dim must be at least 1, not {embedding_dim}")
        self.embedding_dim, self.bits = embedding_dim, check_bits(bits)
        self.table = QuantizedEmbedding(
            self,
            "table",
            embedding_dim,
            int4=self.is_quantized and bits == 4,
            initializer=keras.initializers.RandomNormal(stddev=0.3),
        )
        self.target_bias = QuantizedVector(self, "target_bias", is_quantized=self.is_quantized)
        self.history_bias = QuantizedVector(
            self, "history_bias", is_quantized=self.is_quantized, initial_value=-4.0
        )

    def assign(self, table: np.ndarray, target_bias: np.ndarray, history_bias: np.ndarray) -> None:
        """Sets the weights to those of a fitted kernel (`ItemKernel`).

        Args:
            table: float32 [V + 1, d], the item embeddings; row 0 is ignored.
            target_bias: float32 [V + 1], biases b of the scored items.
            history_bias: float32 [V + 1], biases c of the items in the history.

        Raises:
            ValueError: A shape does not match this model.
        """
        if table.shape != (self.num_items + 1, self.embedding_dim):
            raise ValueError(
                f"the table must be [{self.num_items + 1}, {self.embedding_dim}], not "
                f"{list(table.shape)}: it belongs to another catalog"
            )
        for bias in (target_bias, history_bias):
            if bias.shape != (self.num_items + 1,):
                raise ValueError(
                    f"biases must be [{self.num_items + 1}], not {list(bias.shape)}: they belong "
                    "to another catalog"
                )
        self.table.assign(table)
        self.target_bias.assign(target_bias)
        self.history_bias.assign(history_bias)

    def mix_items(self, mixtures: ItemMixtures) -> None:
        # Averages of exponents: a weighted geometric mean of the item scores.
        self.assign(
            *(
                mixtures.average_rows(weights.numpy())
                for weights in (self.table, self.target_bias, self.history_bias)
            )
        )

    def solve(self, data: TrainingData) -> None:
        """Fits the kernel to the weights of a local ridge regression."""
        teacher = choose_ridge(data)[0]
        kernel = fit_item_kernel(
            teacher.to_matrix(),
            embedding_dim=self.embedding_dim,
            num_targets=NUM_TARGETS,
            bits=self.bits,
            seed=data.train.seed,
            progress=data.progress,
        )
        self.assign(kernel.table, kernel.target_bias, kernel.history_bias)
        self.prior.assign(teacher.prior.numpy())

    def pack(self) -> ItemKernelStudent:
        """Returns a copy with quantized weights, for export."""
        config = {**self.get_config(), "is_quantized": True}
        packed_model: ItemKernelStudent = type(self).from_config(config)
        packed_model.create_weights()
        biases = self.target_bias.numpy(), self.history_bias.numpy()
        packed_model.assign(self.table.numpy(), *(_clip_masked_biases(bias) for bias in biases))
        packed_model.prior.assign(self.prior.numpy())
        return packed_model

    def item_scores(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns float32 [N, V + 1], what the items `ids` int32 [N] add to all scores."""
        history_bias = tf.where(ids > 0, self.history_bias.gather(ids), MASKED_BIAS)
        products = self.table.dot_products(self.table.gather(ids), ids)
        return tf.exp(products + self.target_bias.gather_all(ids) + tf.expand_dims(history_bias, 1))

    def candidate_scores(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """Returns float32 [B, L, C], what items int32 [B, L] add to candidates int32 [B, C]."""
        history_bias = tf.where(ids > 0, self.history_bias.gather(ids), MASKED_BIAS)
        products = tf.matmul(
            self.table.gather(ids), self.table.gather(candidates), transpose_b=True
        )
        target_bias = self.target_bias.gather(candidates)
        return tf.exp(products + tf.expand_dims(target_bias, 1) + tf.expand_dims(history_bias, 2))

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        """Computes the scores of `call` in NumPy: float32 [n, V + 1]."""
        interactions = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        table, target_bias = self.table.numpy(), self.target_bias.numpy()
        history_bias = self.history_bias.numpy()
        scores = np.tile(self.prior.numpy(), (len(histories), 1))
        items = np.unique(interactions.indices)
        by_item = interactions.tocsc()
        for start in range(0, len(items), _BLOCK_SIZE):
            block = items[start : start + _BLOCK_SIZE]
            products = table[block] @ table.T
            products += target_bias
            products += history_bias[block, None]
            scores += by_item[:, block] @ np.exp(products, out=products)
        return scores

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "embedding_dim": self.embedding_dim, "bits": self.bits}


def _clip_masked_biases(bias: np.ndarray) -> np.ndarray:
    """Moves the biases of masked items close to the others, as 256 levels span their range.

    Args:
        bias: float32 [V + 1].

    Returns:
        float32 [V + 1], at least the smallest bias that is not masked minus `MASKED_BIAS_MARGIN`.
    """
    is_used = bias > MASKED_BIAS / 2
    lowest = float(bias[is_used].min()) if is_used.any() else 0.0
    clipped_bias = np.maximum(bias, lowest - MASKED_BIAS_MARGIN)
    clipped_bias[0] = lowest  # padding is never scored: it must not widen the range
    return np.asarray(clipped_bias, np.float32)
