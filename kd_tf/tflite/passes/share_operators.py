"""Tensors numbered so that graphs which compute the same can share their operators.

An operator names its tensors by their numbers within its graph. The signatures of one student do
much of the same: they look a history up, and they take the best of many scores. Where such a part
has the same numbers in two graphs its operators are the same bytes, which a file needs once
(`kd_tf.tflite.passes.flatbuffer.pack`).
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
    """The same model, every graph numbered as the graph that it has most in common with."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    done: list[schema.SubGraphT] = []
    kinds = {id(graph): _describe_operators(model, graph) for graph in model.subgraphs}
    for graph in sorted(model.subgraphs, key=lambda one: -len(one.operators)):
        shared: list[tuple[int, int]] = []
        likest = None
        for other in done:
            found = _match_operators(kinds[id(graph)], kinds[id(other)])
            if len(found) > len(shared):
                shared, likest = found, other
        renumber_tensors(model, graph, _assign_indices(graph, likest, shared))
        done.append(graph)
    return pack(model)


def _describe_operators(model: schema.ModelT, graph: schema.SubGraphT) -> list[Hashable]:
    """What each operator does, whichever numbers its tensors have."""

    def constant(index: int) -> Hashable:
        tensor = graph.tensors[index] if index >= 0 else None
        return (
            make_content_key(tensor) if tensor is not None and is_constant(model, tensor) else None
        )

    return [
        (
            operator.opcodeIndex,
            make_content_key(operator.builtinOptions),
            tuple(constant(index) for index in operator.inputs),
            len(operator.outputs),
        )
        for operator in graph.operators
    ]


def _match_operators(kinds: list[Hashable], others: list[Hashable]) -> list[tuple[int, int]]:
    """Places of operators of one kind in both lists, rising in both."""
    number: dict[Hashable, int] = {}
    ours, theirs = (
        [number.setdefault(kind, len(number)) for kind in one] for one in (kinds, others)
    )
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return [(block.a + i, block.b + i) for block in blocks for i in range(block.size)]


def _assign_indices(
    graph: schema.SubGraphT, likest: schema.SubGraphT | None, shared: list[tuple[int, int]]
) -> dict[int, int]:
    """The new number of every tensor of a graph."""
    numbers: dict[int, int] = {}
    taken: set[int] = set()

    def give(tensor: int, number: int) -> None:
        if tensor >= 0 and tensor not in numbers and number not in taken:
            numbers[tensor] = number
            taken.add(number)

    for own, other in shared:
        assert likest is not None
        mine, its = graph.operators[own], likest.operators[other]
        for tensor, number in zip(mine.inputs, its.inputs, strict=True):
            give(int(tensor), int(number))
        for tensor, number in zip(mine.outputs, its.outputs, strict=True):
            give(int(tensor), int(number))
    free = (number for number in range(2 * len(graph.tensors)) if number not in taken)
    for tensor in range(len(graph.tensors)):
        if tensor not in numbers:
            numbers[tensor] = next(free)
    return numbers
