"""A model as a file stores it: its size, and its weights rounded to what the file can hold."""

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
    """Computes the bytes of the weights in an int8 file.

    Weights in `HistoryModel.quantized_weights` take one byte per number; the others keep their
    type.
    """
    if isinstance(model, WeightedEnsemble):
        return sum(compute_quantized_size(member) for member in model.members)
    packed_model = model.pack()
    bytes_per_number = {}
    for name in packed_model.quantized_weights:
        table = getattr(packed_model, name)
        if not isinstance(table, QuantizedEmbedding):
            bytes_per_number[id(table)] = 1
        elif table.is_int4:
            bytes_per_number[id(table.int_values)] = 0  # a file reads them from the nibbles
        else:
            bytes_per_number[id(table.embeddings)] = 1
    return sum(
        int(np.prod(weight.shape)) * bytes_per_number.get(id(weight), weight.dtype.size)
        for weight in checkpoint.get_inference_weights(packed_model)
    )


def snap_to_quantization_grid(model: HistoryModel) -> HistoryModel:
    """Rounds the weights to the quantization grid, so that export is lossless.

    Weights of neighbours are rounded to 4 bits, int4 tables to 4 bits with one scale per row, other
    tables to 8 bits with one scale per table (as the converter rounds them), and per-item numbers
    to 256 values. Models without a packed form are returned unchanged: they can be exported with
    several quantizations.

    Args:
        model: The model; it is not changed.

    Returns:
        A copy with rounded weights, or `model` itself.
    """
    if isinstance(model, WeightedEnsemble):
        ensemble = WeightedEnsemble(
            members=[snap_to_quantization_grid(member) for member in model.members],
            weights=model.member_weights,
            exponents=model.exponents,
        )
        ensemble.create_weights()
        return ensemble
    if isinstance(model, NeighboursStudent):
        neighbours = model.pack()
        return NeighboursStudent.from_matrix(
            neighbours.unpack(), max_length=model.max_length, prior=neighbours.prior.numpy()
        )
    if not isinstance(model, (AdditiveModel, FoldInModel)):
        return model
    packed_model = model.pack()
    copy: HistoryModel = type(model).from_config(model.get_config())
    copy.create_weights()
    if isinstance(packed_model, FoldInModel):
        copy.assign(_snap_table(packed_model.factors))
    else:
        for name in packed_model.quantized_weights:
            getattr(copy, name).assign(_snap_table(getattr(packed_model, name)))
    for name, vector in vars(packed_model).items():
        if isinstance(vector, QuantizedVector):
            getattr(copy, name).assign(vector.numpy())
    return copy


def _snap_table(table: QuantizedEmbedding | tf.Variable) -> np.ndarray:
    """Returns the table as floats that a file can hold exactly."""
    values = table.numpy()
    return (
        values if isinstance(table, QuantizedEmbedding) and table.is_int4 else fake_quantize(values)
    )
