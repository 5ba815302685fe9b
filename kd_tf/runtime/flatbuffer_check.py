"""Checks the structure of a flatbuffer against a schema: every offset stays inside the file.

What a C++ program reads without looking (tables, vtables, vectors, strings, unions) is walked here
once with all bounds checked. The format is described at
https://flatbuffers.dev/internals.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_TABLES = 1_000_000
"""Most tables in one file; offsets may point to one table many times."""

_UINT16, _INT32, _UINT32 = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<I")

_SCALARS = {
    "bool": struct.Struct("<?"),
    "int8": struct.Struct("<b"),
    "uint8": struct.Struct("<B"),
    "int32": _INT32,
    "uint32": _UINT32,
    "int64": struct.Struct("<q"),
    "uint64": struct.Struct("<Q"),
    "float32": struct.Struct("<f"),
}


class StructureError(ValueError):
    """A file does not have the structure of its format."""


@dataclass(frozen=True)
class Field:
    """A field of a table.

    Attributes:
        name: Name in the parsed table.
        kind: A scalar such as ``int32``; ``string``; a table's name; any of them in brackets for a
            vector; ``union`` for a table whose type the field before it tells; ``refused`` for a
            field that must not be there.
        default: Value of a scalar that the file leaves out.
    """

    name: str
    kind: str
    default: Any = 0


Schema = Mapping[str, tuple[Field, ...]]


@dataclass(frozen=True)
class _Layout:
    """What a vtable says of the tables that have it.

    Attributes:
        table_size: Bytes of a table.
        offsets: The fields that are there, and their offsets from the begin of the table.
        defaults: Values of all fields where they are not there.
    """

    table_size: int
    offsets: tuple[tuple[Field, int], ...]
    defaults: dict[str, Any]


def _get_default(field: Field) -> Any:
    if field.kind in _SCALARS:
        return field.default
    return () if field.kind.startswith("[") else None


class FlatBuffer:
    """A file and the schema that it must follow.

    Args:
        content: The file.
        schema: Fields of each table in the order of their ids.
        unions: Table by the value of the type field before a union; None for a type without a
            table.
    """

    def __init__(
        self, content: bytes | mmap.mmap, schema: Schema, unions: Mapping[str, Mapping[int, str]]
    ) -> None:
        self._content = content
        self._size = len(content)
        self._schema = schema
        self._unions = unions
        self._num_tables = 0
        self._layouts: dict[tuple[int, str], _Layout] = {}

    def parse(self, table: str) -> dict[str, Any]:
        """Parses the whole file into dictionaries, lists and numbers.

        Vectors of bytes are returned as a `memoryview` of the file.

        Args:
            table: Name of the root table.

        Raises:
            StructureError: An offset leaves the file, or a field is not of its type.
        """
        return self._parse_table(self._follow(0), table)

    def _read(self, kind: struct.Struct, position: int) -> Any:
        size = kind.size
        if position < 0 or position + size > self._size:
            raise StructureError(f"byte {position:,} is outside the file")
        if position % size:
            raise StructureError(f"byte {position:,} is not aligned")
        return kind.unpack_from(self._content, position)[0]

    def _follow(self, position: int) -> int:
        """Returns the position that an offset points to."""
        offset = self._read(_UINT32, position)
        if not 4 <= offset < 2**31:
            raise StructureError(f"the offset at byte {position:,} points to itself")
        return position + int(offset)

    def _parse_table(self, position: int, name: str) -> dict[str, Any]:
        self._num_tables += 1
        if self._num_tables > MAX_TABLES:
            raise StructureError(f"more than {MAX_TABLES:,} tables")
        layout = self._read_layout(position - self._read(_INT32, position), name)
        if position + layout.table_size > self._size:
            raise StructureError(f"the table at byte {position:,} leaves the file")
        values = layout.defaults.copy()
        for field, offset in layout.offsets:
            values[field.name] = self._parse_field(position + offset, field, name, values)
        return values

    def _read_layout(self, vtable: int, name: str) -> _Layout:
        """Returns where a vtable says that the fields are: many tables have the same one."""
        layout = self._layouts.get((vtable, name))
        if layout is not None:
            return layout
        vtable_size = self._read(_UINT16, vtable)
        table_size = self._read(_UINT16, vtable + 2)
        if vtable_size < 4 or vtable_size % 2 or vtable + vtable_size > self._size:
            raise StructureError(f"the vtable at byte {vtable:,} is damaged")
        if table_size < 4:
            raise StructureError(f"the vtable at byte {vtable:,} has no room for a table")
        fields = self._schema[name]
        all_offsets = struct.unpack_from(f"<{(vtable_size - 4) // 2}H", self._content, vtable + 4)
        for number in range(len(fields), len(all_offsets)):
            if all_offsets[number]:
                raise StructureError(f"{name} has field {number}, which this program ignores")
        offsets = []
        for field, offset in zip(fields, all_offsets, strict=False):
            if not offset:
                continue
            size = _SCALARS[field.kind].size if field.kind in _SCALARS else 4
            if offset < 4 or offset + size > table_size:
                raise StructureError(f"{field.name} of {name} is outside its table")
            offsets.append((field, offset))
        defaults = {field.name: _get_default(field) for field in fields}
        layout = self._layouts[vtable, name] = _Layout(table_size, tuple(offsets), defaults)
        return layout

    def _parse_field(
        self, position: int, field: Field, table: str, values: Mapping[str, Any]
    ) -> Any:
        kind = field.kind
        if kind in _SCALARS:
            return self._read(_SCALARS[kind], position)
        if kind == "refused":
            raise StructureError(f"{table} has {field.name}, which kd_tf never writes")
        if kind == "string":
            return self._parse_string(self._follow(position))
        if kind == "union":
            union_type = values.get(f"{field.name}_type", 0)
            target = self._unions[field.name].get(union_type)
            if target is None:
                raise StructureError(
                    f"{table} has {field.name} of the type {union_type}, which kd_tf never writes"
                )
            return self._parse_table(self._follow(position), target)
        if kind.startswith("["):
            return self._parse_vector(self._follow(position), kind[1:-1])
        return self._parse_table(self._follow(position), kind)

    def _parse_string(self, position: int) -> str:
        content = bytes(self._parse_vector(position, "uint8"))
        end = position + 4 + len(content)
        if end >= self._size or self._content[end]:
            raise StructureError(f"the string at byte {position:,} has no end")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise StructureError(f"the string at byte {position:,} is not UTF-8") from error

    def _parse_vector(self, position: int, kind: str) -> Any:
        length = self._read(_UINT32, position)
        begin = position + 4
        scalar = _SCALARS.get(kind)
        size = scalar.size if scalar else 4
        if begin + length * size > self._size:
            raise StructureError(f"the vector at byte {position:,} leaves the file")
        if kind == "uint8":
            return memoryview(self._content)[begin : begin + length]
        if scalar:
            if begin % size:
                raise StructureError(f"the vector at byte {position:,} is not aligned")
            return list(struct.unpack_from(f"<{length}{scalar.format[1:]}", self._content, begin))
        if begin % 4:
            raise StructureError(f"the vector at byte {position:,} is not aligned")
        offsets = struct.unpack_from(f"<{length}I", self._content, begin)
        if length and not 4 <= min(offsets) <= max(offsets) < 2**31:
            raise StructureError(f"an offset of the vector at byte {position:,} points to itself")
        positions = [begin + 4 * number + offset for number, offset in enumerate(offsets)]
        if kind == "string":
            return [self._parse_string(at) for at in positions]
        return [self._parse_table(at, kind) for at in positions]
