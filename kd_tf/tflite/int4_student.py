"""A student with a tied table whose rows take four bits a number and a byte for their scale."""

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
    """The same student, read from a packed table (`kd_tf.layers.quantized_embedding.BookTable`).

    Args:
        student: Trained, scored by the dot product of a reader's vector with a row.
        histories: int32 [n, L], training readers'; they say which errors matter.
    """

    quantized_weights = ("packed",)
    quantizations = ("dynamic-int8",)

    def __init__(self, student: TiedEmbeddingModel, histories: np.ndarray) -> None:
        super().__init__(num_items=student.num_items, max_length=student.max_length)
        if student.scoring_table is not student.table or student.embedding_dim % 2:
            raise UserError(
                f"a {type(student).__name__} with {student.embedding_dim} dimensions has no form of "
                "four bits",
                where="export.variants",
                hint="mlp and shallow-cnn have one, with an even number of dimensions.",
            )
        self.student, self.embedding_dim = student, student.embedding_dim
        self.packed_table = QuantizedEmbedding(self, "table", student.embedding_dim, int4=True)
        table, moments = student.table.numpy(), gptq.compute_second_moments(student, histories)
        # Numbers are rounded for the steps that a file can hold.
        self.packed_table.scale.assign(gptq.choose_row_scales(table, moments))
        self.packed_table.assign_int_values(
            gptq.quantize_int4(table, moments, self.packed_table.scale.numpy())
        )
        self.create_weights()

    @property
    def weights(self) -> list[tf.Variable]:
        # The student's own table is the unrounded one.
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
        raise NotImplementedError("it is made for an export and not saved")
