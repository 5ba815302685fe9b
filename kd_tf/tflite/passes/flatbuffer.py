"""Writing a .tflite: aligned buffers, and no bytes that only a debugger would read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_CALLS_SUBGRAPHS = {
    schema.BuiltinOperator.CUSTOM,
    schema.BuiltinOperator.IF,
    schema.BuiltinOperator.WHILE,
    schema.BuiltinOperator.CALL,
    schema.BuiltinOperator.CALL_ONCE,
}

_UNUSED_SHAPE = np.zeros(1, np.int32)
"""The shape of tensors that nothing touches."""

_REQUIRED_METADATA = {b"min_runtime_version"}


def pack(model: schema.ModelT) -> bytes:
    """The file of a model; equal shapes, options and descriptions of tensors stand in it once."""
    model.buffers = [_AlignedBuffer(data=buffer.data) for buffer in model.buffers]
    for graph in model.subgraphs:
        graph.tensors = [_SharedPart(tensor) for tensor in graph.tensors]
        for operator in graph.operators:
            operator.builtinOptions = operator.builtinOptions and _SharedPart(
                operator.builtinOptions
            )
        graph.operators = [_SharedPart(operator) for operator in graph.operators]
    builder = _DeduplicatingBuilder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def strip_names(content: bytes) -> bytes:
    """The same model without the names of its tensors and the converter's notes.

    Apps call signatures, whose own names stay. The names of tensors are of no use to a runtime
    and, at some hundred bytes each, were a fifth of a small student's file.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = None
            if tensor.quantization is not None and tensor.quantization.scale is None:
                tensor.quantization = None
            elif tensor.quantization is not None:
                # What the scale was worked out from; runtimes read the scale.
                tensor.quantization.min = tensor.quantization.max = None
        for operator in graph.operators:
            if isinstance(operator.builtinOptions, schema.ReshapeOptionsT):
                # The shape that the second input gives anyway.
                operator.builtinOptions.newShape = None
        _drop_unused_tensors(model, graph)
    _drop_unused_operator_codes(model)
    kept = [note for note in model.metadata or [] if note.name in _REQUIRED_METADATA]
    for note in model.metadata or []:
        if note not in kept:
            model.buffers[note.buffer].data = None
    model.metadata = kept
    model.description = None
    merge_equal_buffers(model)
    return pack(model)


def merge_models(first: bytes, second: bytes) -> bytes:
    """One model with the signatures of both; constants that they share stand in it once.

    Raises:
        NotImplementedError: A graph of the second calls other graphs or has operators of its own
            making.
    """
    model, other = (schema.ModelT.InitFromPackedBuf(bytearray(one)) for one in (first, second))
    graphs, buffers = len(model.subgraphs), len(model.buffers)
    for graph in other.subgraphs:
        for operator in graph.operators:
            code = other.operatorCodes[operator.opcodeIndex]
            if get_builtin_code(code) in _CALLS_SUBGRAPHS:
                raise NotImplementedError(
                    f"builtin operator {get_builtin_code(code)} is not one that models can be joined with"
                )
            operator.opcodeIndex = find_or_add_operator_code(
                model, get_builtin_code(code), code.version
            )
        for tensor in graph.tensors:
            tensor.buffer += buffers
    for signature in other.signatureDefs:
        signature.subgraphIndex += graphs
    model.subgraphs += other.subgraphs
    model.buffers += other.buffers
    model.signatureDefs += other.signatureDefs
    merge_equal_buffers(model)
    return pack(model)


def _drop_unused_tensors(model: schema.ModelT, graph: schema.SubGraphT) -> None:
    """Leaves out tensors that no operator and no signature touches, and numbers the others anew."""
    renumber_tensors(
        model, graph, {old: new for new, old in enumerate(sorted(_collect_used_tensors(graph)))}
    )


def renumber_tensors(
    model: schema.ModelT, graph: schema.SubGraphT, new_indices: Mapping[int, int]
) -> None:
    """Gives tensors of a graph other numbers, in place, and leaves out those without one.

    Numbers that no tensor gets are filled with tensors that nothing touches.
    """
    tensors = [
        schema.TensorT(shape=_UNUSED_SHAPE)
        for _ in range(max(new_indices.values(), default=-1) + 1)
    ]
    place = np.full(len(graph.tensors) + 1, -1, np.int32)  # the last stands for -1, no tensor
    for old, new in new_indices.items():
        tensors[new] = graph.tensors[old]
        place[old] = new
    graph.tensors = tensors
    graph.inputs, graph.outputs = place[graph.inputs], place[graph.outputs]
    for operator in graph.operators:
        operator.inputs, operator.outputs = place[operator.inputs], place[operator.outputs]
        operator.intermediates = operator.mutatingVariableInputs = None
    for signature in model.signatureDefs:
        if model.subgraphs[signature.subgraphIndex] is graph:
            for end in (*signature.inputs, *signature.outputs):
                end.tensorIndex = int(place[end.tensorIndex])


def _drop_unused_operator_codes(model: schema.ModelT) -> None:
    """Leaves out the codes of operators that no graph has, and numbers the others anew."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    place = {index: number for number, index in enumerate(used)}
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    for operator in operators:
        operator.opcodeIndex = place[operator.opcodeIndex]


def _collect_used_tensors(graph: schema.SubGraphT) -> set[int]:
    """The tensors that an operator or a signature touches."""
    ends = [graph.inputs, graph.outputs]
    ends += [end for operator in graph.operators for end in (operator.inputs, operator.outputs)]
    return {int(index) for end in ends for index in end if index >= 0}


def merge_equal_buffers(model: schema.ModelT) -> None:
    """Keeps each constant once and drops what nothing reads."""
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    # Tensors that no operator and no signature touches keep their constants alive: unhook them.
    for graph in model.subgraphs:
        used = _collect_used_tensors(graph)
        for index, tensor in enumerate(graph.tensors):
            if index not in used:
                tensor.buffer = 0
                tensor.shape = _UNUSED_SHAPE
                tensor.quantization = None
    users = [*tensors, *(model.metadata or [])]
    buffers, place = [schema.BufferT()], {}
    moved = {}
    for user in users:
        data = model.buffers[user.buffer].data
        if user.buffer in moved or data is None or not len(data):
            continue
        key = hashlib.sha256(np.ascontiguousarray(data).data).digest()
        if key not in place:
            place[key] = len(buffers)
            buffers.append(model.buffers[user.buffer])
        moved[user.buffer] = place[key]
    for user in users:
        user.buffer = moved.get(user.buffer, 0)
    model.buffers = buffers


def get_builtin_code(code: schema.OperatorCodeT) -> int:
    """Which builtin operator a code stands for."""
    # Codes above 127 do not fit the old one-byte field, which then holds 127.
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def find_or_add_operator_code(model: schema.ModelT, builtin_code: int, version: int) -> int:
    """Index of the code of this operator and version, made where it is missing."""
    for index, code in enumerate(model.operatorCodes):
        if get_builtin_code(code) == builtin_code and code.version == version:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = builtin_code
    code.deprecatedBuiltinCode = min(builtin_code, 127)
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def is_constant(model: schema.ModelT, tensor: schema.TensorT) -> bool:
    """Whether a tensor's values stand in the file."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


class _DeduplicatingBuilder(flatbuffers.Builder):
    """Refers to what it has written before instead of writing the same again.

    A flatbuffer is a graph of offsets, so that two places may refer to one part. The many small
    parts that describe tensors and operators would take more room than a small student's weights.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._offsets: dict[Hashable, int] = {}

    def write_once(self, key: Hashable, write: Callable[[], int]) -> int:
        """Where the part with this key begins; written only the first time."""
        if key not in self._offsets:
            self._offsets[key] = write()
        return self._offsets[key]

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802
        return self.write_once(
            make_content_key(x), lambda: super(_DeduplicatingBuilder, self).CreateNumpyVector(x)
        )


class _SharedPart:
    """A part of a model that is written the first time that one like it is met."""

    def __init__(self, part: Any) -> None:
        self.part = part

    def Pack(self, builder: _DeduplicatingBuilder) -> int:  # noqa: N802
        return builder.write_once(make_content_key(self.part), lambda: int(self.part.Pack(builder)))


def make_content_key(part: Any) -> Hashable:
    """The same for parts of the same content, whichever objects hold it."""
    if part is None or isinstance(part, (bool, int, float, str, bytes, np.generic)):
        return part
    if isinstance(part, np.ndarray):
        return part.dtype.str, part.tobytes()
    if isinstance(part, list):
        return tuple(make_content_key(one) for one in part)
    values = vars(part).items()
    return type(part).__name__, tuple(
        (name, make_content_key(value)) for name, value in sorted(values)
    )


class _AlignedBuffer(schema.BufferT):
    """A buffer whose data begins at a multiple of 16 bytes, as the schema's force_align demands.

    The generated packer ignores that attribute; kernels that load 16 bytes at once do not.
    """

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802
        data = None
        if self.data is not None and len(self.data):
            content = np.ascontiguousarray(self.data, np.uint8).tobytes()
            builder.StartVector(1, len(content), 16)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))
