"""Files with one JSON object a line."""

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
"""Characters of a Python literal; its parser takes many times the memory of its text."""


def read_json_lines(
    source: SourceFile, fields: Mapping[str, str], bad_rows: BadRows
) -> Iterator[pl.DataFrame]:
    """Reads the asked fields of every object, block by block.

    Args:
        source: The file.
        fields: The objects' name for each role.
        bad: Gets the lines that are no object or lack a field; who takes a block settles it.

    Yields:
        Column ``line`` (Int64) and one String column a role. Numbers are written as in the file.
    """
    decode = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str).decode
    names = list(fields.values())
    for lines in read_lines(source):
        numbers, rows = [], []
        for number, text in enumerate(lines.text, start=lines.first_line):
            if not text or text.isspace():
                continue
            found = _decode_object(text, decode)
            if found is None:
                bad_rows.add(number, text, "is no JSON object")
                continue
            values = [found.get(name) for name in names]
            wrong = next(
                (at for at, value in enumerate(values) if not isinstance(value, str)), None
            )
            if wrong is not None:
                reason = "is missing" if values[wrong] is None else "is neither a text nor a number"
                shown = "" if values[wrong] is None else str(values[wrong])
                bad_rows.add(number, shown, reason, names[wrong])
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
    """Line and object of every line; those written as Python literals are read as well.

    What is neither goes to `bad`, which is settled here.
    """
    for lines in read_lines(source):
        found = []
        for number, text in enumerate(lines.text, start=lines.first_line):
            if not text or text.isspace():
                continue
            one = _decode_object(text, json.loads)
            if one is None:
                one = _parse_literal(text)
            if one is None:
                bad_rows.add(number, text, "is no JSON object")
            else:
                found.append((number, one))
        bad_rows.raise_or_skip()
        yield from found


def _decode_object(text: str, decode: Callable[[str], Any]) -> dict[str, Any] | None:
    try:
        found = decode(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _parse_literal(text: str) -> dict[str, Any] | None:
    """A dict of plain values as Python prints it; nothing is ever executed."""
    if len(text) > MAX_LITERAL_CHARS or not text.lstrip().startswith("{"):
        return None
    try:
        found = ast.literal_eval(text.strip())
    # TypeError: a list as a key.
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, dict) else None
