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
        self._schema = schema
        self._unions = unions
        self._num_tables = 0

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
        if position < 0 or position + kind.size > len(self._content):
            raise StructureError(f"byte {position:,} is outside the file")
        if position % kind.size:
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
        vtable = position - self._read(_INT32, position)
        vtable_size = self._read(_UINT16, vtable)
        table_size = self._read(_UINT16, vtable + 2)
        if vtable_size < 4 or vtable_size % 2 or vtable + vtable_size > len(self._content):
            raise StructureError(f"the vtable at byte {vtable:,} is damaged")
        if table_size < 4 or position + table_size > len(self._content):
            raise StructureError(f"the table at byte {position:,} leaves the file")
        fields = self._schema[name]
        values: dict[str, Any] = {}
        for number in range((vtable_size - 4) // 2):
            offset = self._read(_UINT16, vtable + 4 + 2 * number)
            if number >= len(fields):
                if offset:
                    raise StructureError(f"{name} has field {number}, which this program ignores")
                continue
            field = fields[number]
            if offset == 0:
                continue
            size = _SCALARS[field.kind].size if field.kind in _SCALARS else 4
            if offset < 4 or offset + size > table_size:
                raise StructureError(f"{field.name} of {name} is outside its table")
            values[field.name] = self._parse_field(position + offset, field, name, values)
        for field in fields:
            values.setdefault(
                field.name,
                field.default
                if field.kind in _SCALARS
                else ([] if field.kind.startswith("[") else None),
            )
        return values

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
        if end >= len(self._content) or self._content[end]:
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
        if begin + length * size > len(self._content):
            raise StructureError(f"the vector at byte {position:,} leaves the file")
        if kind == "uint8":
            return memoryview(self._content)[begin : begin + length]
        if scalar:
            if begin % size:
                raise StructureError(f"the vector at byte {position:,} is not aligned")
            return list(struct.unpack_from(f"<{length}{scalar.format[1:]}", self._content, begin))
        positions = [self._follow(begin + 4 * number) for number in range(length)]
        if kind == "string":
            return [self._parse_string(at) for at in positions]
        return [self._parse_table(at, kind) for at in positions]
