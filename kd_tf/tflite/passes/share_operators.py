"""Renumbers tensors so that subgraphs with common computations can share operator bytes.

An operator refers to its tensors by index within its subgraph. The signatures of a student have
much in common: they look up a history, and they select the best of many scores. If such a part
uses the same indices in two subgraphs, its operators are identical bytes, which
`kd_tf.tflite.passes.flatbuffer.pack` writes only once.
"""

from __future__ import annotations

from collections.abc import Hashable
from difflib import SequenceMatcher

from ai_edge_litert import schema_py_generated as schema

from kd_tf.tflite.passes.flatbuffer import (
    is_constant,
    make_content_key,
    pack,
    renumber_tensors,
)


def share_operators(content: bytes) -> bytes:
    """Renumbers each subgraph like the subgraph with which it has most operators in common.

    Args:
        content: A .tflite file.

    Returns:
        The same model in fewer bytes.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    renumbered_graphs: list[schema.SubGraphT] = []
    descriptions = {id(graph): _describe_operators(model, graph) for graph in model.subgraphs}
    for graph in sorted(model.subgraphs, key=lambda graph: -len(graph.operators)):
        best_matches: list[tuple[int, int]] = []
        reference = None
        for other in renumbered_graphs:
            matches = _match_operators(descriptions[id(graph)], descriptions[id(other)])
            if len(matches) > len(best_matches):
                best_matches, reference = matches, other
        renumber_tensors(model, graph, _assign_indices(graph, reference, best_matches))
        renumbered_graphs.append(graph)
    return pack(model)


def _describe_operators(model: schema.ModelT, graph: schema.SubGraphT) -> list[Hashable]:
    """Describes each operator of a subgraph independently of its tensor indices."""

    def describe_constant(index: int) -> Hashable:
        tensor = graph.tensors[index] if index >= 0 else None
        if tensor is None or not is_constant(model, tensor):
            return None
        return make_content_key(tensor)

    return [
        (
            operator.opcodeIndex,
            make_content_key(operator.builtinOptions),
            tuple(describe_constant(index) for index in operator.inputs),
            len(operator.outputs),
        )
        for operator in graph.operators
    ]


def _match_operators(descriptions: list[Hashable], others: list[Hashable]) -> list[tuple[int, int]]:
    """Returns the positions of equal operators in both lists, ascending in both."""
    # Small integers compare faster than the descriptions themselves.
    numbers: dict[Hashable, int] = {}
    sequence, other_sequence = (
        [numbers.setdefault(description, len(numbers)) for description in part]
        for part in (descriptions, others)
    )
    matcher = SequenceMatcher(None, sequence, other_sequence, autojunk=False)
    blocks = matcher.get_matching_blocks()
    return [(block.a + i, block.b + i) for block in blocks for i in range(block.size)]


def _assign_indices(
    graph: schema.SubGraphT,
    reference: schema.SubGraphT | None,
    matches: list[tuple[int, int]],
) -> dict[int, int]:
    """Returns a new index for each tensor of a subgraph.

    Args:
        graph: The subgraph to renumber.
        reference: The subgraph whose indices are reused; None if there are no matches.
        matches: Positions of equal operators in `graph` and `reference`.
    """
    new_indices: dict[int, int] = {}
    used_indices: set[int] = set()

    def assign(tensor: int, index: int) -> None:
        if tensor >= 0 and tensor not in new_indices and index not in used_indices:
            new_indices[tensor] = index
            used_indices.add(index)

    for position, reference_position in matches:
        assert reference is not None
        operator = graph.operators[position]
        reference_operator = reference.operators[reference_position]
        for tensor, index in zip(operator.inputs, reference_operator.inputs, strict=True):
            assign(int(tensor), int(index))
        for tensor, index in zip(operator.outputs, reference_operator.outputs, strict=True):
            assign(int(tensor), int(index))
    unused_indices = (index for index in range(2 * len(graph.tensors)) if index not in used_indices)
    for tensor in range(len(graph.tensors)):
        if tensor not in new_indices:
            new_indices[tensor] = next(unused_indices)
    return new_indices
