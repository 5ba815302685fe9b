"""Reads files with one JSON object per line."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.formats.files import SourceFile
from kd_tf.data.formats.lines import read_lines

MAX_LITERAL_CHARS = 1 << 20
"""The longest Python literal that is parsed, in characters: the parser takes many times the memory
of the text."""


def read_json_lines(
    source: SourceFile, fields: Mapping[str, str], bad_rows: BadRows
) -> Iterator[pl.DataFrame]:
    """Reads some fields of every object, block by block.

    Args:
        source: The file.
        fields: Role -> name of the field in the objects.
        bad_rows: Gets the lines that are not an object or lack a field. The caller calls
            `BadRows.raise_or_skip` for each block.

    Yields:
        Column ``line`` (Int64, from 1) and one String column per role. Numbers keep the digits
        that they have in the file.
    """
    decode = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str).decode
    names = list(fields.values())
    for lines in read_lines(source):
        numbers, rows = [], []
        for number, text in enumerate(lines.text, start=lines.first_line):
            if not text or text.isspace():
                continue
            record = _decode_object(text, decode)
            if record is None:
                bad_rows.add(number, text, "is not a JSON object")
                continue
            values = [record.get(name) for name in names]
            wrong = next(
                (index for index, value in enumerate(values) if not isinstance(value, str)), None
            )
            if wrong is not None:
                is_missing = values[wrong] is None
                reason = "is missing" if is_missing else "is neither a text nor a number"
                shown_value = "" if is_missing else str(values[wrong])
                bad_rows.add(number, shown_value, reason, names[wrong])
                continue
            numbers.append(number)
            rows.append(values)
        columns = zip(*rows, strict=True) if rows else [[] for _ in names]
        yield pl.DataFrame(
            {
                "line": pl.Series(numbers, dtype=pl.Int64),
                **{
                    role: pl.Series(list(values), dtype=pl.String)
                    for role, values in zip(fields, columns, strict=True)
                },
            }
        )


def read_objects(source: SourceFile, bad_rows: BadRows) -> Iterator[tuple[int, dict[str, Any]]]:
    """Reads every line as a JSON object or as the literal of a Python dict.

    Args:
        source: The file.
        bad_rows: Gets the lines that are neither; `BadRows.raise_or_skip` is called here.

    Yields:
        The line, from 1, and the object.
    """
    for lines in read_lines(source):
        records = []
        for number, text in enumerate(lines.text, start=lines.first_line):
            if not text or text.isspace():
                continue
            record = _decode_object(text, json.loads)
            if record is None:
                record = _parse_literal(text)
            if record is None:
                bad_rows.add(number, text, "is not a JSON object")
            else:
                records.append((number, record))
        bad_rows.raise_or_skip()
        yield from records


def _decode_object(text: str, decode: Callable[[str], Any]) -> dict[str, Any] | None:
    """Decodes a JSON object; returns None if `text` is none."""
    try:
        value = decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _parse_literal(text: str) -> dict[str, Any] | None:
    """Parses a dict of plain values as Python prints it; no code is ever executed."""
    if len(text) > MAX_LITERAL_CHARS or not text.lstrip().startswith("{"):
        return None
    try:
        value = ast.literal_eval(text.strip())
    # TypeError: a list as a key.
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, dict) else None
