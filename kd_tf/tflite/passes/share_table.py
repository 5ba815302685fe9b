"""One item table in a .tflite file: gathering and scoring read the same int8 buffer.

The full-integer converter quantizes the table two or three times (for GATHER with a zero point, for
FULLY_CONNECTED without) and the scores to 256 levels, which cannot order ten thousand items: on
goodbooks-10k the measured top-10 overlap with float was .93. This pass over the flatbuffer

* lets GATHER read the weights of FULLY_CONNECTED and requantizes the few gathered rows, and
* lets FULLY_CONNECTED over the table return float32 scores from the same int8 products (the
  "hybrid" kernel of dynamic-range models), so that the ranking keeps its resolution.

In files without a fully integer FULLY_CONNECTED over the table the converter already shares the
table. There only the order of DEQUANTIZE and GATHER changes.
"""

from __future__ import annotations

import copy

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kd_tf.tflite.passes.flatbuffer import (
    find_or_add_operator_code,
    get_builtin_code,
    is_constant,
    merge_equal_buffers,
    pack,
)

_BuiltinOperator = schema.BuiltinOperator
_TensorType = schema.TensorType

_HYBRID_FULLY_CONNECTED_VERSION = 9
"""Version of FULLY_CONNECTED with float inputs that are quantized asymmetrically and int8 weights;
supported since TensorFlow Lite 2.3."""

_INT8_GATHER_VERSION = 2
"""Version of GATHER that reads int8, supported since TensorFlow Lite 1.14."""

_PASS_THROUGH_OPERATORS = {
    _BuiltinOperator.TOPK_V2,
    _BuiltinOperator.STRIDED_SLICE,
    _BuiltinOperator.GATHER,
    _BuiltinOperator.RESHAPE,
    _BuiltinOperator.SQUEEZE,
    _BuiltinOperator.EXPAND_DIMS,
}
"""Operators that only move values, so that their output has the type of their input."""


_FREE_SCALE_OPERATORS = {
    _BuiltinOperator.MUL,
    _BuiltinOperator.ADD,
    _BuiltinOperator.BATCH_MATMUL,
    _BuiltinOperator.FULLY_CONNECTED,
}
"""Operators whose int8 inputs may each have a scale of their own."""


def share_table(content: bytes, rows: int) -> bytes:
    """Lets all signatures of a model read one int8 item table.

    Args:
        content: A .tflite file from the converter.
        rows: Rows of the table, V + 1, which tell it from other weights.

    Returns:
        The changed file; `content` itself if there is nothing to change.

    Raises:
        NotImplementedError: The scores pass through an operator that is not supported.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    rewriters = [_GraphRewriter(model, graph, rows) for graph in model.subgraphs]
    has_shared = [rewriter.share_table() for rewriter in rewriters]
    has_reordered = [rewriter.gather_before_dequantize() for rewriter in rewriters]
    if not any(has_shared + has_reordered):
        return content
    merge_equal_buffers(model)
    return pack(model)


def list_table_sizes(content: bytes, rows: int) -> list[int]:
    """Lists the sizes of all distinct constant matrices with at least `rows` rows.

    Args:
        content: A .tflite file.
        rows: Rows of the item table, V + 1.

    Returns:
        Bytes of each matrix. One entry means that the item table is stored once.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    sizes = {
        tensor.buffer: len(model.buffers[tensor.buffer].data)
        for graph in model.subgraphs
        for tensor in graph.tensors
        if is_constant(model, tensor) and len(tensor.shape) == 2 and tensor.shape[0] >= rows
    }
    return list(sizes.values())


class _GraphRewriter:
    """Rewrites one subgraph in place."""

    def __init__(self, model: schema.ModelT, graph: schema.SubGraphT, rows: int) -> None:
        self.model, self.graph, self.rows = model, graph, rows

    def share_table(self) -> bool:
        """Lets GATHER and FULLY_CONNECTED read one table; returns False if nothing changed."""
        scoring = [
            operator
            for operator in self.graph.operators
            if self._get_builtin_code(operator) == _BuiltinOperator.FULLY_CONNECTED
            and self._is_table(operator.inputs[1])
            and self.graph.tensors[operator.outputs[0]].type == _TensorType.INT8
        ]
        if not scoring:
            return False
        weights = int(scoring[0].inputs[1])
        for operator in list(self.graph.operators):
            if self._get_builtin_code(operator) == _BuiltinOperator.GATHER and self._is_table(
                operator.inputs[0]
            ):
                self._gather_from(operator, weights)
        for operator in scoring:
            self._score_in_float(operator)
        return True

    def gather_before_dequantize(self) -> bool:
        """Turns DEQUANTIZE(table) -> GATHER into GATHER(table) -> DEQUANTIZE.

        The converter's order dequantizes the whole table into memory, four times its bytes, to
        gather fifty rows from it.

        Returns:
            Whether the subgraph had a dequantized table.
        """
        dequantized_tensors = {
            int(operator.outputs[0]): operator
            for operator in self.graph.operators
            if self._get_builtin_code(operator) == _BuiltinOperator.DEQUANTIZE
            and self._is_int8_matrix(operator.inputs[0])
        }
        for gather in list(self.graph.operators):
            if (
                self._get_builtin_code(gather) != _BuiltinOperator.GATHER
                or int(gather.inputs[0]) not in dequantized_tensors
            ):
                continue
            table = int(dequantized_tensors[int(gather.inputs[0])].inputs[0])
            float_rows = int(gather.outputs[0])
            rows = self._add_tensor_like(
                float_rows, _TensorType.INT8, self.graph.tensors[table].quantization
            )
            gather.inputs = np.array([table, gather.inputs[1]], np.int32)
            gather.outputs = np.array([rows], np.int32)
            gather.opcodeIndex = find_or_add_operator_code(
                self.model, _BuiltinOperator.GATHER, _INT8_GATHER_VERSION
            )
            self._insert(
                self.graph.operators.index(gather) + 1, self._make_dequantize(rows, float_rows)
            )
            self._multiply_in_int8(float_rows, rows)
        inputs = {int(index) for operator in self.graph.operators for index in operator.inputs}
        for output, operator in dequantized_tensors.items():
            if output not in inputs:
                self.graph.operators.remove(operator)
        return bool(dequantized_tensors)

    def _multiply_in_int8(self, float_rows: int, int8_rows: int) -> None:
        """Keeps rows in int8 that are only reshaped and multiplied (two-stage search)."""
        reshape = self._find_sole_consumer(float_rows, _BuiltinOperator.RESHAPE, 0)
        product = reshape and self._find_sole_consumer(
            int(reshape.outputs[0]), _BuiltinOperator.FULLY_CONNECTED, 1
        )
        if not reshape or not product:
            return
        quantization = self.graph.tensors[int8_rows].quantization
        rows = self._add_tensor_like(int(reshape.outputs[0]), _TensorType.INT8, quantization)
        reshape.inputs = np.array([int8_rows, *reshape.inputs[1:]], np.int32)
        reshape.outputs = np.array([rows], np.int32)
        product.inputs = np.array([product.inputs[0], rows, *product.inputs[2:]], np.int32)
        product.opcodeIndex = find_or_add_operator_code(
            self.model, _BuiltinOperator.FULLY_CONNECTED, _HYBRID_FULLY_CONNECTED_VERSION
        )
        product.builtinOptions.asymmetricQuantizeInputs = True
        (dequantize,) = [
            operator for operator in self.graph.operators if float_rows in operator.outputs
        ]
        self.graph.operators.remove(dequantize)

    def _find_sole_consumer(
        self, tensor: int, builtin_code: int, position: int
    ) -> schema.OperatorT | None:
        """Returns the only operator that reads a tensor.

        Args:
            tensor: Index of the tensor.
            builtin_code: The operator must be of this kind.
            position: The operator must read the tensor as this input.

        Returns:
            The operator, or None if there are several or it is not as required.
        """
        consumers = [operator for operator in self.graph.operators if tensor in operator.inputs]
        if len(consumers) != 1 or self._get_builtin_code(consumers[0]) != builtin_code:
            return None
        return consumers[0] if consumers[0].inputs[position] == tensor else None

    def _make_dequantize(self, source: int, target: int) -> schema.OperatorT:
        operator = self._make_operator(_BuiltinOperator.DEQUANTIZE, 2, [source], [target])
        operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
        operator.builtinOptions = schema.DequantizeOptionsT()
        return operator

    def _gather_from(self, gather: schema.OperatorT, weights: int) -> None:
        """Lets GATHER read `weights` instead of its copy, requantizing its output if needed."""
        output = int(gather.outputs[0])
        quantization = self.graph.tensors[weights].quantization
        gather.inputs = np.array([weights, gather.inputs[1]], np.int32)
        consumers = [operator for operator in self.graph.operators if output in operator.inputs]
        if all(self._get_builtin_code(consumer) in _FREE_SCALE_OPERATORS for consumer in consumers):
            self.graph.tensors[output].quantization = quantization
            return
        rows = self._add_tensor_like(output, _TensorType.INT8, quantization)
        gather.outputs = np.array([rows], np.int32)
        requantize = self._make_operator(_BuiltinOperator.QUANTIZE, 2, [rows], [output])
        requantize.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
        requantize.builtinOptions = schema.QuantizeOptionsT()
        self._insert(self.graph.operators.index(gather) + 1, requantize)

    def _score_in_float(self, scoring: schema.OperatorT) -> None:
        """Turns int8 FULLY_CONNECTED into DEQUANTIZE -> FULLY_CONNECTED -> float32 scores."""
        user = int(scoring.inputs[0])
        float_user = self._add_tensor_like(user, _TensorType.FLOAT32, None)
        self._insert(self.graph.operators.index(scoring), self._make_dequantize(user, float_user))
        scoring.inputs = np.array([float_user, *scoring.inputs[1:]], np.int32)
        scoring.opcodeIndex = find_or_add_operator_code(
            self.model, _BuiltinOperator.FULLY_CONNECTED, _HYBRID_FULLY_CONNECTED_VERSION
        )
        scoring.builtinOptions.asymmetricQuantizeInputs = True
        self._to_float(int(scoring.outputs[0]))

    def _to_float(self, tensor: int) -> None:
        """Makes `tensor` float32, and with it all tensors that its values are moved to."""
        original = copy.copy(self.graph.tensors[tensor])
        self.graph.tensors[tensor].type = _TensorType.FLOAT32
        self.graph.tensors[tensor].quantization = None
        for operator in list(self.graph.operators):
            if tensor not in operator.inputs:
                continue
            if self._get_builtin_code(operator) == _BuiltinOperator.DEQUANTIZE:
                self._redirect(int(operator.outputs[0]), tensor)
                self.graph.operators.remove(operator)
            elif (
                self._get_builtin_code(operator) in _PASS_THROUGH_OPERATORS
                and operator.inputs[0] == tensor
            ):
                output = self.graph.tensors[operator.outputs[0]]
                if output.type != original.type:
                    raise NotImplementedError(
                        "an operator changes the type of the scores, which share_table does not "
                        "support"
                    )
                self._to_float(int(operator.outputs[0]))
            else:
                raise NotImplementedError(
                    f"the scores go through builtin operator {self._get_builtin_code(operator)}, "
                    "which share_table does not support"
                )

    def _redirect(self, old: int, new: int) -> None:
        """Lets all operators and signatures that read tensor `old` read `new`."""
        for operator in self.graph.operators:
            operator.inputs = np.where(operator.inputs == old, new, operator.inputs)
        self.graph.outputs = np.where(self.graph.outputs == old, new, self.graph.outputs)
        position = self.model.subgraphs.index(self.graph)
        for signature in self.model.signatureDefs:
            if signature.subgraphIndex == position:
                for output in signature.outputs:
                    if output.tensorIndex == old:
                        output.tensorIndex = new

    def _is_table(self, index: int) -> bool:
        return self._is_int8_matrix(index) and self.graph.tensors[index].shape[0] == self.rows

    def _is_int8_matrix(self, index: int) -> bool:
        """Tells whether a tensor is a constant int8 matrix."""
        tensor = self.graph.tensors[index]
        is_int8 = tensor.type == _TensorType.INT8 and is_constant(self.model, tensor)
        return is_int8 and len(tensor.shape) == 2

    def _get_builtin_code(self, operator: schema.OperatorT) -> int:
        return get_builtin_code(self.model.operatorCodes[operator.opcodeIndex])

    def _add_tensor_like(
        self, index: int, tensor_type: int, quantization: schema.QuantizationParametersT | None
    ) -> int:
        """Adds a tensor with the shape of another one and returns its index."""
        tensor = copy.copy(self.graph.tensors[index])
        tensor.type, tensor.quantization, tensor.buffer = tensor_type, quantization, 0
        tensor.name = None
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _make_operator(
        self, builtin_code: int, version: int, inputs: list[int], outputs: list[int]
    ) -> schema.OperatorT:
        operator = schema.OperatorT()
        operator.opcodeIndex = find_or_add_operator_code(self.model, builtin_code, version)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array(outputs, np.int32)
        return operator

    def _insert(self, position: int, operator: schema.OperatorT) -> None:
        self.graph.operators.insert(position, operator)
