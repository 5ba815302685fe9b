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

from kd_tf.tflite.flatbuffer import builtin, is_constant, merge_equal_buffers, operator_code, pack

_OPERATOR = schema.BuiltinOperator
_TYPE = schema.TensorType

_HYBRID_FULLY_CONNECTED = 9
"""Version of FULLY_CONNECTED with float input, int8 weights and inputs quantized with an offset;
known to every runtime since TensorFlow Lite 2.3."""

_INT8_GATHER = 2
"""Version of GATHER that reads int8, known since 1.14."""

_FOLLOWS_SCORES = {
    _OPERATOR.TOPK_V2,
    _OPERATOR.STRIDED_SLICE,
    _OPERATOR.GATHER,
    _OPERATOR.RESHAPE,
    _OPERATOR.SQUEEZE,
    _OPERATOR.EXPAND_DIMS,
}
"""Operators that hand values on unchanged, so that their output has the type of their input."""


_TAKES_ANY_SCALE = {
    _OPERATOR.MUL,
    _OPERATOR.ADD,
    _OPERATOR.BATCH_MATMUL,
    _OPERATOR.FULLY_CONNECTED,
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
    graphs = [_Graph(model, graph, rows) for graph in model.subgraphs]
    shared = [graph.share() for graph in graphs]
    gathered = [graph.gather_first() for graph in graphs]
    if not any(shared + gathered):
        return content
    merge_equal_buffers(model)
    return pack(model)


def table_buffers(content: bytes, rows: int) -> list[int]:
    """Bytes of every distinct constant with `rows` rows or more: one entry means one table."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    found = {
        tensor.buffer: len(model.buffers[tensor.buffer].data)
        for graph in model.subgraphs
        for tensor in graph.tensors
        if is_constant(model, tensor) and len(tensor.shape) == 2 and tensor.shape[0] >= rows
    }
    return list(found.values())


class _Graph:
    """One subgraph under change."""

    def __init__(self, model: schema.ModelT, graph: schema.SubGraphT, rows: int) -> None:
        self.model, self.graph, self.rows = model, graph, rows

    def share(self) -> bool:
        """Changes the graph; False where there is nothing to change."""
        scoring = [
            operator
            for operator in self.graph.operators
            if self._kind(operator) == _OPERATOR.FULLY_CONNECTED
            and self._is_table(operator.inputs[1])
            and self.graph.tensors[operator.outputs[0]].type == _TYPE.INT8
        ]
        if not scoring:
            return False
        weights = int(scoring[0].inputs[1])
        for operator in list(self.graph.operators):
            if self._kind(operator) == _OPERATOR.GATHER and self._is_table(operator.inputs[0]):
                self._gather_from(operator, weights)
        for operator in scoring:
            self._score_in_float(operator)
        return True

    def gather_first(self) -> bool:
        """DEQUANTIZE(table) -> GATHER becomes GATHER(table) -> DEQUANTIZE; False without any.

        The converter's order writes the whole table in float32 into memory, four times its bytes,
        to take fifty rows from it.
        """
        made = {
            int(operator.outputs[0]): operator
            for operator in self.graph.operators
            if self._kind(operator) == _OPERATOR.DEQUANTIZE and self._is_whole(operator.inputs[0])
        }
        for gather in list(self.graph.operators):
            if self._kind(gather) != _OPERATOR.GATHER or int(gather.inputs[0]) not in made:
                continue
            table = int(made[int(gather.inputs[0])].inputs[0])
            wanted = int(gather.outputs[0])
            rows = self._tensor_like(wanted, _TYPE.INT8, self.graph.tensors[table].quantization)
            gather.inputs = np.array([table, gather.inputs[1]], np.int32)
            gather.outputs = np.array([rows], np.int32)
            gather.opcodeIndex = operator_code(self.model, _OPERATOR.GATHER, _INT8_GATHER)
            self._insert(self.graph.operators.index(gather) + 1, self._dequantize(rows, wanted))
            self._multiply_whole(wanted, rows)
        read = {int(index) for operator in self.graph.operators for index in operator.inputs}
        for floats, operator in made.items():
            if floats not in read:
                self.graph.operators.remove(operator)
        return bool(made)

    def _multiply_whole(self, floats: int, whole: int) -> None:
        """Blocks of rows that are only reshaped and multiplied with stay whole numbers."""
        reshape = self._only_reader(floats, _OPERATOR.RESHAPE, 0)
        product = reshape and self._only_reader(
            int(reshape.outputs[0]), _OPERATOR.FULLY_CONNECTED, 1
        )
        if not reshape or not product:
            return
        quantization = self.graph.tensors[whole].quantization
        rows = self._tensor_like(int(reshape.outputs[0]), _TYPE.INT8, quantization)
        reshape.inputs = np.array([whole, *reshape.inputs[1:]], np.int32)
        reshape.outputs = np.array([rows], np.int32)
        product.inputs = np.array([product.inputs[0], rows, *product.inputs[2:]], np.int32)
        product.opcodeIndex = operator_code(
            self.model, _OPERATOR.FULLY_CONNECTED, _HYBRID_FULLY_CONNECTED
        )
        product.builtinOptions.asymmetricQuantizeInputs = True
        (dequantize,) = [one for one in self.graph.operators if floats in one.outputs]
        self.graph.operators.remove(dequantize)

    def _only_reader(self, tensor: int, kind: int, place: int) -> schema.OperatorT | None:
        """The one operator that reads a tensor, if it is of this kind and reads it there."""
        readers = [one for one in self.graph.operators if tensor in one.inputs]
        if len(readers) != 1 or self._kind(readers[0]) != kind:
            return None
        return readers[0] if readers[0].inputs[place] == tensor else None

    def _dequantize(self, whole: int, floats: int) -> schema.OperatorT:
        operator = self._operator(_OPERATOR.DEQUANTIZE, 2, [whole], [floats])
        operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
        operator.builtinOptions = schema.DequantizeOptionsT()
        return operator

    def _gather_from(self, gather: schema.OperatorT, weights: int) -> None:
        """GATHER(own copy) becomes GATHER(weights), with a change of scale where one is needed."""
        wanted = int(gather.outputs[0])
        quantization = self.graph.tensors[weights].quantization
        gather.inputs = np.array([weights, gather.inputs[1]], np.int32)
        readers = [o for o in self.graph.operators if wanted in o.inputs]
        if all(self._kind(reader) in _TAKES_ANY_SCALE for reader in readers):
            self.graph.tensors[wanted].quantization = quantization
            return
        taken = self._tensor_like(wanted, _TYPE.INT8, quantization)
        gather.outputs = np.array([taken], np.int32)
        requantize = self._operator(_OPERATOR.QUANTIZE, 2, [taken], [wanted])
        requantize.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
        requantize.builtinOptions = schema.QuantizeOptionsT()
        self._insert(self.graph.operators.index(gather) + 1, requantize)

    def _score_in_float(self, scoring: schema.OperatorT) -> None:
        """int8 -> FULLY_CONNECTED -> int8 becomes DEQUANTIZE -> FULLY_CONNECTED -> float32."""
        reader = int(scoring.inputs[0])
        floating = self._tensor_like(reader, _TYPE.FLOAT32, None)
        self._insert(self.graph.operators.index(scoring), self._dequantize(reader, floating))
        scoring.inputs = np.array([floating, *scoring.inputs[1:]], np.int32)
        scoring.opcodeIndex = operator_code(
            self.model, _OPERATOR.FULLY_CONNECTED, _HYBRID_FULLY_CONNECTED
        )
        scoring.builtinOptions.asymmetricQuantizeInputs = True
        self._to_float(int(scoring.outputs[0]))

    def _to_float(self, tensor: int) -> None:
        """Makes `tensor` float32, and with it everything that only hands its values on."""
        before = copy.copy(self.graph.tensors[tensor])
        self.graph.tensors[tensor].type = _TYPE.FLOAT32
        self.graph.tensors[tensor].quantization = None
        for operator in list(self.graph.operators):
            if tensor not in operator.inputs:
                continue
            if self._kind(operator) == _OPERATOR.DEQUANTIZE:
                self._replace(int(operator.outputs[0]), tensor)
                self.graph.operators.remove(operator)
            elif self._kind(operator) in _FOLLOWS_SCORES and operator.inputs[0] == tensor:
                following = self.graph.tensors[operator.outputs[0]]
                if following.type != before.type:
                    raise NotImplementedError(
                        "the scores change their type in an unforeseen operator"
                    )
                self._to_float(int(operator.outputs[0]))
            else:
                raise NotImplementedError(
                    f"the scores go through builtin operator {self._kind(operator)}, which "
                    "share_table does not know"
                )

    def _replace(self, old: int, new: int) -> None:
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
        return self._is_whole(index) and self.graph.tensors[index].shape[0] == self.rows

    def _is_whole(self, index: int) -> bool:
        """Whether a tensor is a constant matrix of whole numbers."""
        tensor = self.graph.tensors[index]
        constant = tensor.type == _TYPE.INT8 and is_constant(self.model, tensor)
        return constant and len(tensor.shape) == 2

    def _kind(self, operator: schema.OperatorT) -> int:
        return builtin(self.model.operatorCodes[operator.opcodeIndex])

    def _tensor_like(
        self, index: int, kind: int, quantization: schema.QuantizationParametersT | None
    ) -> int:
        tensor = copy.copy(self.graph.tensors[index])
        tensor.type, tensor.quantization, tensor.buffer = kind, quantization, 0
        tensor.name = None
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _operator(
        self, kind: int, version: int, inputs: list[int], outputs: list[int]
    ) -> schema.OperatorT:
        operator = schema.OperatorT()
        operator.opcodeIndex = operator_code(self.model, kind, version)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array(outputs, np.int32)
        return operator

    def _insert(self, position: int, operator: schema.OperatorT) -> None:
        self.graph.operators.insert(position, operator)
