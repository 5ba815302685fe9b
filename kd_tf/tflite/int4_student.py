"""A student whose tied embedding table has four bits per weight and one byte per row's scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import tf
from kd_tf.compress import gptq
from kd_tf.errors import UserError
from kd_tf.layers.quantized_embedding import QuantizedEmbedding
from kd_tf.models.base import HistoryModel
from kd_tf.models.tied_embedding import TiedEmbeddingModel


class Int4Student(HistoryModel):
    """A tied-embedding student with its table quantized to int4.

    The table is a packed `kd_tf.layers.quantized_embedding.QuantizedEmbedding`. The student
    exists for the export only and cannot be saved.

    Args:
        student: The trained student, which scores an item by the dot product of the user
            embedding with the item's row.
        histories: int32 [n, L], histories of training users. They weight the rounding errors
            (`kd_tf.compress.gptq`).

    Attributes:
        student: The original student.
        packed_table: The quantized table.
    """

    quantized_weights = ("packed_table",)
    quantizations = ("dynamic-int8",)

    def __init__(self, student: TiedEmbeddingModel, histories: np.ndarray) -> None:
        super().__init__(num_items=student.num_items, max_length=student.max_length)
        if student.scoring_table is not student.table or student.embedding_dim % 2:
            raise UserError(
                f"a {type(student).__name__} with embedding_dim {student.embedding_dim} cannot be "
                "quantized to int4",
                where="export.quantizations",
                hint="Use mlp or shallow-cnn with an even embedding_dim, or leave out int4.",
            )
        self.student, self.embedding_dim = student, student.embedding_dim
        self.packed_table = QuantizedEmbedding(self, "table", student.embedding_dim, int4=True)
        table, moments = student.table.numpy(), gptq.compute_second_moments(student, histories)
        # The scales are themselves stored in one byte: round the weights for the stored scales.
        self.packed_table.scale.assign(gptq.choose_row_scales(table, moments))
        self.packed_table.assign_int_values(
            gptq.quantize_int4(table, moments, self.packed_table.scale.numpy())
        )
        self.create_weights()

    @property
    def weights(self) -> list[tf.Variable]:
        # `packed_table` replaces the original student's table.
        return [weight for weight in super().weights if weight is not self.student.table]

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self._encode_ids(self.student.encoder_ids(history))

    def _encode_ids(self, ids: tf.Tensor) -> tf.Tensor:
        weights = self.student.item_weights(ids)
        return self.student.encode(self.packed_table.gather(ids), weights, False)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        ids = self.student.encoder_ids(inputs)
        return self.packed_table.dot_products(self._encode_ids(ids), ids)

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        ids = self.mask_unknown_ids(item)
        return self.packed_table.dot_products(self.packed_table.gather(ids), ids)

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        ids = self.mask_unknown_ids(candidates)
        user = tf.expand_dims(self.user_embeddings(history), 2)
        products = tf.squeeze(tf.matmul(self.packed_table.gather(ids), user), 2)
        return tf.where(ids > 0, products, 0.0)

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("Int4Student exists for the export only: save the student")
