"""Edits and writes .tflite flatbuffers: aligned, deduplicated, without debug information."""

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
"""Operators that refer to subgraphs by index or may do so."""

_UNUSED_SHAPE = np.zeros(1, np.int32)
"""Shape of tensors that no operator or signature uses."""

_REQUIRED_METADATA = {b"min_runtime_version"}


def pack(model: schema.ModelT) -> bytes:
    """Serializes a model, writing equal shapes, options and tensor descriptions only once.

    Args:
        model: The model; its parts are wrapped in place.

    Returns:
        The content of the .tflite file.
    """
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
    """Removes tensor names, unused parts and the converter's metadata from a model.

    Apps call signatures by name, and these names stay. Runtimes do not need tensor names, which
    at about a hundred bytes each were a fifth of a small student's file.

    Args:
        content: A .tflite file.

    Returns:
        The smaller file.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = None
            if tensor.quantization is not None and tensor.quantization.scale is None:
                tensor.quantization = None
            elif tensor.quantization is not None:
                # The converter computed the scale from these; runtimes read the scale only.
                tensor.quantization.min = tensor.quantization.max = None
        for operator in graph.operators:
            if isinstance(operator.builtinOptions, schema.ReshapeOptionsT):
                # The second input holds the same shape.
                operator.builtinOptions.newShape = None
        _drop_unused_tensors(model, graph)
    _drop_unused_operator_codes(model)
    required_metadata = [
        entry for entry in model.metadata or [] if entry.name in _REQUIRED_METADATA
    ]
    for entry in model.metadata or []:
        if entry not in required_metadata:
            model.buffers[entry.buffer].data = None
    model.metadata = required_metadata
    model.description = None
    merge_equal_buffers(model)
    return pack(model)


def merge_models(first: bytes, second: bytes) -> bytes:
    """Merges two models into one with the signatures of both; equal constants are shared.

    Args:
        first: A .tflite file.
        second: Another .tflite file, with other signature names.

    Returns:
        The merged file.

    Raises:
        NotImplementedError: A subgraph of `second` calls other subgraphs or has custom operators.
    """
    model, other = (schema.ModelT.InitFromPackedBuf(bytearray(file)) for file in (first, second))
    num_graphs, num_buffers = len(model.subgraphs), len(model.buffers)
    for graph in other.subgraphs:
        for operator in graph.operators:
            code = other.operatorCodes[operator.opcodeIndex]
            if get_builtin_code(code) in _CALLS_SUBGRAPHS:
                raise NotImplementedError(
                    f"models with builtin operator {get_builtin_code(code)} cannot be merged"
                )
            operator.opcodeIndex = find_or_add_operator_code(
                model, get_builtin_code(code), code.version
            )
        for tensor in graph.tensors:
            tensor.buffer += num_buffers
    for signature in other.signatureDefs:
        signature.subgraphIndex += num_graphs
    model.subgraphs += other.subgraphs
    model.buffers += other.buffers
    model.signatureDefs += other.signatureDefs
    merge_equal_buffers(model)
    return pack(model)


def _drop_unused_tensors(model: schema.ModelT, graph: schema.SubGraphT) -> None:
    """Removes tensors that no operator or signature uses, and renumbers the others."""
    renumber_tensors(
        model, graph, {old: new for new, old in enumerate(sorted(_collect_used_tensors(graph)))}
    )


def renumber_tensors(
    model: schema.ModelT, graph: schema.SubGraphT, new_indices: Mapping[int, int]
) -> None:
    """Renumbers the tensors of a subgraph in place and removes those without a new index.

    Indices that no tensor gets are filled with unused tensors.

    Args:
        model: The model.
        graph: One of its subgraphs.
        new_indices: The new index of each tensor index to keep.
    """
    tensors = [
        schema.TensorT(shape=_UNUSED_SHAPE)
        for _ in range(max(new_indices.values(), default=-1) + 1)
    ]
    # The last entry maps -1, an absent optional input, to itself.
    lookup = np.full(len(graph.tensors) + 1, -1, np.int32)
    for old, new in new_indices.items():
        tensors[new] = graph.tensors[old]
        lookup[old] = new
    graph.tensors = tensors
    graph.inputs, graph.outputs = lookup[graph.inputs], lookup[graph.outputs]
    for operator in graph.operators:
        operator.inputs, operator.outputs = lookup[operator.inputs], lookup[operator.outputs]
        operator.intermediates = operator.mutatingVariableInputs = None
    for signature in model.signatureDefs:
        if model.subgraphs[signature.subgraphIndex] is graph:
            for tensor_map in (*signature.inputs, *signature.outputs):
                tensor_map.tensorIndex = int(lookup[tensor_map.tensorIndex])


def _drop_unused_operator_codes(model: schema.ModelT) -> None:
    """Removes operator codes that no subgraph uses, and renumbers the others."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used_codes = sorted({operator.opcodeIndex for operator in operators})
    new_index = {old: new for new, old in enumerate(used_codes)}
    model.operatorCodes = [model.operatorCodes[index] for index in used_codes]
    for operator in operators:
        operator.opcodeIndex = new_index[operator.opcodeIndex]


def _collect_used_tensors(graph: schema.SubGraphT) -> set[int]:
    """Returns the indices of tensors that an operator or a signature uses."""
    indices = [graph.inputs, graph.outputs]
    for operator in graph.operators:
        indices += [operator.inputs, operator.outputs]
    return {int(index) for part in indices for index in part if index >= 0}


def merge_equal_buffers(model: schema.ModelT) -> None:
    """Stores equal constants once and removes unused ones, in place.

    Args:
        model: The model.
    """
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    # Unused tensors would keep their constants alive: detach them.
    for graph in model.subgraphs:
        used_tensors = _collect_used_tensors(graph)
        for index, tensor in enumerate(graph.tensors):
            if index not in used_tensors:
                tensor.buffer = 0
                tensor.shape = _UNUSED_SHAPE
                tensor.quantization = None
    holders = [*tensors, *(model.metadata or [])]
    # By convention, buffer 0 is empty.
    buffers = [schema.BufferT()]
    index_by_content: dict[bytes, int] = {}
    new_indices: dict[int, int] = {}
    for holder in holders:
        data = model.buffers[holder.buffer].data
        if holder.buffer in new_indices or data is None or not len(data):
            continue
        digest = hashlib.sha256(np.ascontiguousarray(data).data).digest()
        if digest not in index_by_content:
            index_by_content[digest] = len(buffers)
            buffers.append(model.buffers[holder.buffer])
        new_indices[holder.buffer] = index_by_content[digest]
    for holder in holders:
        holder.buffer = new_indices.get(holder.buffer, 0)
    model.buffers = buffers


def get_builtin_code(code: schema.OperatorCodeT) -> int:
    """Returns the builtin operator that an operator code stands for.

    Args:
        code: An entry of the model's ``operatorCodes``.

    Returns:
        A value of ``schema.BuiltinOperator``.
    """
    # Codes above 127 do not fit into the deprecated one-byte field, which then holds 127.
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def find_or_add_operator_code(model: schema.ModelT, builtin_code: int, version: int) -> int:
    """Returns the index of an operator code, which is appended if the model has none.

    Args:
        model: The model.
        builtin_code: A value of ``schema.BuiltinOperator``.
        version: Version of the operator.

    Returns:
        Index into ``model.operatorCodes``.
    """
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
    """Tells whether a tensor's values are stored in the file."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


class _DeduplicatingBuilder(flatbuffers.Builder):
    """A flatbuffer builder that writes equal parts once and refers to them by offset.

    A flatbuffer is a graph of offsets, so that several places may refer to the same part. The many
    small parts that describe tensors and operators would need more bytes than a small student's
    weights.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._offsets: dict[Hashable, int] = {}

    def write_once(self, key: Hashable, write: Callable[[], int]) -> int:
        """Returns the offset of the part with this key, calling `write` only the first time."""
        if key not in self._offsets:
            self._offsets[key] = write()
        return self._offsets[key]

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802
        return self.write_once(
            make_content_key(x), lambda: super(_DeduplicatingBuilder, self).CreateNumpyVector(x)
        )


class _SharedPart:
    """A part of a model that is written only if no equal part has been written before."""

    def __init__(self, part: Any) -> None:
        self.part = part

    def Pack(self, builder: _DeduplicatingBuilder) -> int:  # noqa: N802
        return builder.write_once(make_content_key(self.part), lambda: int(self.part.Pack(builder)))


def make_content_key(part: Any) -> Hashable:
    """Returns a hashable key that is equal for parts with equal content.

    Args:
        part: A value, array, list or object of the flatbuffer schema.

    Returns:
        The key.
    """
    if part is None or isinstance(part, (bool, int, float, str, bytes, np.generic)):
        return part
    if isinstance(part, np.ndarray):
        return part.dtype.str, part.tobytes()
    if isinstance(part, list):
        return tuple(make_content_key(element) for element in part)
    values = vars(part).items()
    return type(part).__name__, tuple(
        (name, make_content_key(value)) for name, value in sorted(values)
    )


class _AlignedBuffer(schema.BufferT):
    """A buffer whose data starts at a multiple of 16 bytes, as the schema's force_align requires.

    The generated packer ignores that attribute, but kernels that load 16 bytes at once rely on it.
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
