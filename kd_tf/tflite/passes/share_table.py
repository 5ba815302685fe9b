"""One item table in a .tflite: gathering and scoring read the same int8 buffer.

The full-integer converter quantizes the table twice or thrice (once as the thing that GATHER
reads, with an offset; once as the weights of FULLY_CONNECTED, without) and the list of scores to
256 levels, which cannot order ten thousand books: measured on goodbooks-10k, top-10 overlap with
float .93. This pass over the flatbuffer

* lets GATHER read the weights of FULLY_CONNECTED and requantizes the few rows it took, and
* lets FULLY_CONNECTED over the table give float32 scores from the same int8 products (the
  "hybrid" kernel that dynamic-range models use), so that the ranking keeps its resolution.

Files without a fully integer FULLY_CONNECTED over the table are given back as they are: in them
the converter already shares the table.
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
"""Version of FULLY_CONNECTED with float input, int8 weights and inputs quantized with an offset;
known to every runtime since TensorFlow Lite 2.3."""

_INT8_GATHER_VERSION = 2
"""Version of GATHER that reads int8, known since 1.14."""

_PASS_THROUGH_OPERATORS = {
    _BuiltinOperator.TOPK_V2,
    _BuiltinOperator.STRIDED_SLICE,
    _BuiltinOperator.GATHER,
    _BuiltinOperator.RESHAPE,
    _BuiltinOperator.SQUEEZE,
    _BuiltinOperator.EXPAND_DIMS,
}
"""Operators that hand values on unchanged, so that their output has the type of their input."""


_FREE_SCALE_OPERATORS = {
    _BuiltinOperator.MUL,
    _BuiltinOperator.ADD,
    _BuiltinOperator.BATCH_MATMUL,
    _BuiltinOperator.FULLY_CONNECTED,
}
"""Operators whose int8 inputs may each have a scale of their own."""


def share_table(content: bytes, rows: int) -> bytes:
    """The same model with one int8 table of `rows` rows; see the module.

    Args:
        content: A .tflite from the converter.
        rows: V + 1, what tells the table from other weights.

    Raises:
        NotImplementedError: The scores go through an operator that this pass does not know.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    graphs = [_GraphRewriter(model, graph, rows) for graph in model.subgraphs]
    shared = [graph.share_table() for graph in graphs]
    gathered = [graph.gather_before_dequantize() for graph in graphs]
    if not any(shared + gathered):
        return content
    merge_equal_buffers(model)
    return pack(model)


def list_table_sizes(content: bytes, rows: int) -> list[int]:
    """Bytes of every distinct constant with `rows` rows or more: one entry means one table."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    found = {
        tensor.buffer: len(model.buffers[tensor.buffer].data)
        for graph in model.subgraphs
        for tensor in graph.tensors
        if is_constant(model, tensor) and len(tensor.shape) == 2 and tensor.shape[0] >= rows
    }
    return list(found.values())


class _GraphRewriter:
    """One subgraph under change."""

    def __init__(self, model: schema.ModelT, graph: schema.SubGraphT, rows: int) -> None:
        self.model, self.graph, self.rows = model, graph, rows

    def share_table(self) -> bool:
        """Changes the graph; False where there is nothing to change."""
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
        """DEQUANTIZE(table) -> GATHER becomes GATHER(table) -> DEQUANTIZE; False without any.

        The converter's order writes the whole table in float32 into memory, four times its bytes,
        to take fifty rows from it.
        """
        made = {
            int(operator.outputs[0]): operator
            for operator in self.graph.operators
            if self._get_builtin_code(operator) == _BuiltinOperator.DEQUANTIZE
            and self._is_int8_matrix(operator.inputs[0])
        }
        for gather in list(self.graph.operators):
            if (
                self._get_builtin_code(gather) != _BuiltinOperator.GATHER
                or int(gather.inputs[0]) not in made
            ):
                continue
            table = int(made[int(gather.inputs[0])].inputs[0])
            wanted = int(gather.outputs[0])
            rows = self._add_tensor_like(
                wanted, _TensorType.INT8, self.graph.tensors[table].quantization
            )
            gather.inputs = np.array([table, gather.inputs[1]], np.int32)
            gather.outputs = np.array([rows], np.int32)
            gather.opcodeIndex = find_or_add_operator_code(
                self.model, _BuiltinOperator.GATHER, _INT8_GATHER_VERSION
            )
            self._insert(
                self.graph.operators.index(gather) + 1, self._make_dequantize(rows, wanted)
            )
            self._multiply_in_int8(wanted, rows)
        read = {int(index) for operator in self.graph.operators for index in operator.inputs}
        for floats, operator in made.items():
            if floats not in read:
                self.graph.operators.remove(operator)
        return bool(made)

    def _multiply_in_int8(self, floats: int, whole: int) -> None:
        """Blocks of rows that are only reshaped and multiplied with stay whole numbers."""
        reshape = self._find_sole_consumer(floats, _BuiltinOperator.RESHAPE, 0)
        product = reshape and self._find_sole_consumer(
            int(reshape.outputs[0]), _BuiltinOperator.FULLY_CONNECTED, 1
        )
        if not reshape or not product:
            return
        quantization = self.graph.tensors[whole].quantization
        rows = self._add_tensor_like(int(reshape.outputs[0]), _TensorType.INT8, quantization)
        reshape.inputs = np.array([whole, *reshape.inputs[1:]], np.int32)
        reshape.outputs = np.array([rows], np.int32)
        product.inputs = np.array([product.inputs[0], rows, *product.inputs[2:]], np.int32)
        product.opcodeIndex = find_or_add_operator_code(
            self.model, _BuiltinOperator.FULLY_CONNECTED, _HYBRID_FULLY_CONNECTED_VERSION
        )
        product.builtinOptions.asymmetricQuantizeInputs = True
        (dequantize,) = [one for one in self.graph.operators if floats in one.outputs]
        self.graph.operators.remove(dequantize)

    def _find_sole_consumer(self, tensor: int, kind: int, place: int) -> schema.OperatorT | None:
        """The one operator that reads a tensor, if it is of this kind and reads it there."""
        users = [one for one in self.graph.operators if tensor in one.inputs]
        if len(users) != 1 or self._get_builtin_code(users[0]) != kind:
            return None
        return users[0] if users[0].inputs[place] == tensor else None

    def _make_dequantize(self, whole: int, floats: int) -> schema.OperatorT:
        operator = self._make_operator(_BuiltinOperator.DEQUANTIZE, 2, [whole], [floats])
        operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
        operator.builtinOptions = schema.DequantizeOptionsT()
        return operator

    def _gather_from(self, gather: schema.OperatorT, weights: int) -> None:
        """GATHER(own copy) becomes GATHER(weights), with a change of scale where one is needed."""
        wanted = int(gather.outputs[0])
        quantization = self.graph.tensors[weights].quantization
        gather.inputs = np.array([weights, gather.inputs[1]], np.int32)
        users = [o for o in self.graph.operators if wanted in o.inputs]
        if all(self._get_builtin_code(user) in _FREE_SCALE_OPERATORS for user in users):
            self.graph.tensors[wanted].quantization = quantization
            return
        taken = self._add_tensor_like(wanted, _TensorType.INT8, quantization)
        gather.outputs = np.array([taken], np.int32)
        requantize = self._make_operator(_BuiltinOperator.QUANTIZE, 2, [taken], [wanted])
        requantize.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
        requantize.builtinOptions = schema.QuantizeOptionsT()
        self._insert(self.graph.operators.index(gather) + 1, requantize)

    def _score_in_float(self, scoring: schema.OperatorT) -> None:
        """int8 -> FULLY_CONNECTED -> int8 becomes DEQUANTIZE -> FULLY_CONNECTED -> float32."""
        user = int(scoring.inputs[0])
        floating = self._add_tensor_like(user, _TensorType.FLOAT32, None)
        self._insert(self.graph.operators.index(scoring), self._make_dequantize(user, floating))
        scoring.inputs = np.array([floating, *scoring.inputs[1:]], np.int32)
        scoring.opcodeIndex = find_or_add_operator_code(
            self.model, _BuiltinOperator.FULLY_CONNECTED, _HYBRID_FULLY_CONNECTED_VERSION
        )
        scoring.builtinOptions.asymmetricQuantizeInputs = True
        self._to_float(int(scoring.outputs[0]))

    def _to_float(self, tensor: int) -> None:
        """Makes `tensor` float32, and with it everything that only hands its values on."""
        before = copy.copy(self.graph.tensors[tensor])
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
                following = self.graph.tensors[operator.outputs[0]]
                if following.type != before.type:
                    raise NotImplementedError(
                        "the scores change their type in an unforeseen operator"
                    )
                self._to_float(int(operator.outputs[0]))
            else:
                raise NotImplementedError(
                    f"the scores go through builtin operator {self._get_builtin_code(operator)}, "
                    "which share_table does not know"
                )

    def _redirect(self, old: int, new: int) -> None:
        """Everything that read tensor `old` reads `new`, signatures included."""
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
        """Whether a tensor is a constant matrix of whole numbers."""
        tensor = self.graph.tensors[index]
        constant = tensor.type == _TensorType.INT8 and is_constant(self.model, tensor)
        return constant and len(tensor.shape) == 2

    def _get_builtin_code(self, operator: schema.OperatorT) -> int:
        return get_builtin_code(self.model.operatorCodes[operator.opcodeIndex])

    def _add_tensor_like(
        self, index: int, kind: int, quantization: schema.QuantizationParametersT | None
    ) -> int:
        tensor = copy.copy(self.graph.tensors[index])
        tensor.type, tensor.quantization, tensor.buffer = kind, quantization, 0
        tensor.name = None
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _make_operator(
        self, kind: int, version: int, inputs: list[int], outputs: list[int]
    ) -> schema.OperatorT:
        operator = schema.OperatorT()
        operator.opcodeIndex = find_or_add_operator_code(self.model, kind, version)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array(outputs, np.int32)
        return operator

    def _insert(self, position: int, operator: schema.OperatorT) -> None:
        self.graph.operators.insert(position, operator)
