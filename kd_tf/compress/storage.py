"""A model as a file holds it: what it weighs, and what rounding does to its scores."""

from __future__ import annotations

import numpy as np

from kd_tf.backend import tf
from kd_tf.layers.fake_quantize import fake_quantize
from kd_tf.layers.quantized_embedding import QuantizedEmbedding
from kd_tf.layers.quantized_vector import QuantizedVector
from kd_tf.models.additive import AdditiveModel
from kd_tf.models.base import HistoryModel
from kd_tf.models.fold_in import FoldInModel
from kd_tf.models.students.neighbours import NeighboursStudent
from kd_tf.models.weighted_ensemble import WeightedEnsemble
from kd_tf.training import checkpoint


def compute_quantized_size(model: HistoryModel) -> int:
    """Bytes of the weights in an int8 file: tables in one byte a number, the rest as it is."""
    if isinstance(model, WeightedEnsemble):
        return sum(compute_quantized_size(part) for part in model.members)
    compact = model.pack()
    size = {}
    for name in compact.quantized_weights:
        table = getattr(compact, name)
        if not isinstance(table, QuantizedEmbedding):
            size[id(table)] = 1
        elif table.is_int4:
            size[id(table.int_values)] = 0  # a file reads them from the nibbles
        else:
            size[id(table.embeddings)] = 1
    return sum(
        int(np.prod(weight.shape)) * size.get(id(weight), weight.dtype.size)
        for weight in checkpoint.get_inference_weights(compact)
    )


def snap_to_quantization_grid(model: HistoryModel) -> HistoryModel:
    """A copy whose weights lie where a file can hold them, so that packing changes nothing more.

    Neighbours lie on the steps of 4 bits, and so do packed tables, with one scale a row; other
    tables on those of 8 with one scale a table (as the converter rounds them), numbers of books
    among 256 values. Models that learn in training alone
    are given back as they are: their export has several forms to choose from.
    """
    if isinstance(model, WeightedEnsemble):
        blend = WeightedEnsemble(
            members=[snap_to_quantization_grid(part) for part in model.members],
            weights=model.member_weights,
            exponents=model.exponents,
        )
        blend.create_weights()
        return blend
    if isinstance(model, NeighboursStudent):
        packed = model.pack()
        return NeighboursStudent.from_matrix(
            packed.unpack(), max_length=model.max_length, prior=packed.prior.numpy()
        )
    if not isinstance(model, (AdditiveModel, FoldInModel)):
        return model
    compact = model.pack()
    plain = type(model).from_config(model.get_config())
    plain.create_weights()
    if isinstance(compact, FoldInModel):
        plain.assign(_snap_table(compact.factors))
    else:
        for name in compact.quantized_weights:
            getattr(plain, name).assign(_snap_table(getattr(compact, name)))
    for name, vector in vars(compact).items():
        if isinstance(vector, QuantizedVector):
            getattr(plain, name).assign(vector.numpy())
    return plain


def _snap_table(table: QuantizedEmbedding | tf.Variable) -> np.ndarray:
    values = table.numpy()
    return (
        values if isinstance(table, QuantizedEmbedding) and table.is_int4 else fake_quantize(values)
    )
