"""Draws schemas and rows in which languages may differ, with what Python makes of them.

    draw_cases.py OUT.json

``cases`` are in the format of cases.json. ``damaged`` are files in which one value was changed:
``content`` is the text, ``problem`` is null where Python reads it, else ``version`` or ``damaged``.
"""

from __future__ import annotations

import copy
import json
import math
import random
import re
import struct
import sys
from pathlib import Path
from typing import Any

from kd_tf.errors import UserError
from kd_tf.runtime.features.features_json import from_json
from kd_tf.runtime.features.values import to_category

SEED = 0
NUM_SCHEMAS = 300
NUM_ROWS = 8
NUM_DAMAGED = 600

NAMES = ["price", "é", "__proto__", "10", "a b", "constructor", "😀", "toString"]
PIECES = [
    *("a", "B", "é", "e\u0301", "😀", "\ud800", "\udfff", "\ufffd", "𝄞", "İ", "\u212a", "\u017f"),
    *("true", "FALSE", "NULL", "nan", "Infinity", "1", "0", "00", "1.0", "-0", ".5", "1e3", "7."),
    *("+", "-", ".", ",", "E", "_", "2024-02-29", "T", "10:30", "Z", "+01:00", "９", "٣"),
    *(" ", "\t", "\n", "\u00a0", "\u0085", "\u180e", "\u200b", "\u2028", "\u3000", "\ufeff"),
    *("|", ";", "\x1f", "\x00", "|a", "|NULL|", "| 1.0|", "1"),
]
SEPARATORS = ["|", ";", " ", "a", "1", "𝄞", ".", "\t", "\x1f"]
JUNK = [
    None,
    True,
    0,
    1,
    -1,
    2**31,
    10**30,
    0.5,
    1e308,
    -5e-324,
    "",
    "x",
    " x",
    "1.0",
    [],
    [1],
    {},
]


def draw_cases(seed: int = SEED) -> dict[str, Any]:
    """Draws what the file holds."""
    draw = random.Random(seed)
    cases = [draw_case(draw) for _ in range(NUM_SCHEMAS)]
    schemas = [damage(draw, draw.choice(cases)["schema"]) for _ in range(NUM_DAMAGED)]
    damaged = [
        {"content": json.dumps(schema), "problem": find_problem(schema)} for schema in schemas
    ]
    return {"cases": cases, "damaged": damaged}


def draw_case(draw: random.Random) -> dict[str, Any]:
    """Draws a schema, and rows of which Python encodes some and refuses others."""
    content = draw_schema(draw)
    schema = from_json(content)
    case: dict[str, Any] = {"promise": "drawn", "schema": content, "rows": [], "refused": []}
    for _ in range(NUM_ROWS):
        row = {column["name"]: draw_value(draw, column) for column in content["columns"]}
        if draw.random() < 0.03:
            row.pop(draw.choice(sorted(row)))
        # Two halves that stand side by side become a pair in JSON.
        row = json.loads(json.dumps(row))
        try:
            ids, numbers = schema.encode_row(row)
        except UserError as error:
            absent = [column.name for column in schema.columns if column.name not in row]
            refused = re.match(r"column '([^']*)' ", str(error))
            column = absent[0] if absent else refused and refused[1]
            case["refused"].append({"column": column, "values": row})
        else:
            case["rows"].append(
                {
                    "values": row,
                    "categorical": ids[0].tolist(),
                    "numeric": numbers[0].tolist(),
                }
            )
    return case


def draw_schema(draw: random.Random) -> dict[str, Any]:
    columns: list[dict[str, Any]] = []
    for name in draw.sample(NAMES, draw.randint(2, len(NAMES))):
        column_type = draw.choice(["category", "category", "list", "number", "date"])
        column: dict[str, Any] = {"name": name, "type": column_type}
        if column_type == "list":
            column["separator"] = draw.choice(SEPARATORS)
        if draw.random() < 0.3:
            column["missing"] = draw.sample(["NULL", "nan", "1", "2024-02-29", "a", "true"], 2)
        columns.append(column)
    by_type: dict[str, list[str]] = {}
    for column in columns:
        by_type.setdefault(column["type"], []).append(column["name"])
    categorical = [
        {"name": f"{index}", **draw_id_feature(draw, column)}
        for index, column in enumerate(columns * 2)
    ]
    if len(by_type.get("category", [])) >= 2:
        names = draw.sample(by_type["category"], 2)
        buckets = draw.randint(1, 1 << 24)
        categorical.append({"name": "x", "kind": "cross", "columns": names, "buckets": buckets})
    numeric = [
        {"name": f"{name} {kind}", **draw_number_feature(draw, name, kind)}
        for name in by_type.get("number", [])
        for kind in ("scaled", "missing")
    ]
    return {
        "version": 1,
        "label": {"name": "y", "kind": "rating", "low": 1, "high": 5},
        "missing": draw.sample(["NULL", "n/a", "-", "0", "7."], draw.randint(0, 2)),
        "columns": columns,
        "categorical": categorical,
        "numeric": numeric,
    }


def draw_id_feature(draw: random.Random, column: dict[str, Any]) -> dict[str, Any]:
    feature: dict[str, Any] = {"column": column["name"]}
    if column["type"] == "number":
        boundaries = sorted({draw_number(draw) for _ in range(draw.randint(0, 9))})
        return feature | {"kind": "bucket", "boundaries": [x for x in boundaries if abs(x) < 1e308]}
    if column["type"] == "date":
        return feature | {"kind": "date", "part": draw.choice(["hour", "weekday", "month"])}
    if column["type"] == "list":
        feature["max_values"] = draw.randint(1, 5)
    if draw.random() < 0.6:
        return feature | {"kind": "hash", "buckets": draw.randint(1, 1 << 24)}
    texts = [to_category(draw_scalar(draw), frozenset()) for _ in range(20)]
    values = list(dict.fromkeys(text for text in [*texts, "true", "0", "1"] if text))
    return feature | {"kind": "vocabulary", "values": values}


def draw_number_feature(draw: random.Random, column: str, kind: str) -> dict[str, Any]:
    if kind == "missing":
        return {"column": column, "kind": kind}
    largest = 10.0 ** draw.uniform(-3, 37)
    return {
        "column": column,
        "kind": kind,
        "low": -largest * draw.choice([0, 0.1, 1]),
        "high": largest,
        "offset": draw.choice([0, draw.uniform(-1, 1) * largest]),
        "divisor": draw.choice([1, draw.uniform(0.5, 2) * largest, draw.uniform(0.5, 9)]),
        "fill": draw.uniform(-3, 3),
        "log": draw.random() < 0.5,
    }


def draw_value(draw: random.Random, column: dict[str, Any]) -> Any:
    column_type = column["type"] if draw.random() < 0.95 else draw.choice(["list", "date", "any"])
    if column_type == "any":
        return draw.choice([{}, [], {"a": 1}, [[]], True, "x"])
    if draw.random() < 0.05:
        return draw.choice([None, "", "NULL", " nan "])
    if column_type == "date":
        return draw_time(draw)
    if column_type == "list":
        parts = [draw_scalar(draw) for _ in range(draw.randint(0, 7))]
        separator = column.get("separator", "|")
        return separator.join(map(str, parts)) if draw.random() < 0.5 else parts
    if column_type == "number":
        number = draw_number(draw)
        text = draw.choice(["{!r}", " {:.3f}", "{:+e}\ufeff", "{:.25g}", "{:.17E}"]).format(number)
        return draw.choice([number, text, bool(number)])
    return draw_scalar(draw)


def draw_scalar(draw: random.Random) -> Any:
    kind = draw.randrange(4)
    if kind == 0:
        return draw_number(draw)
    if kind == 1:
        return draw.choice(
            [True, False, draw.randint(-(2**53) + 1, 2**53 - 1), draw.randint(-9, 9)]
        )
    return "".join(draw.choices(PIECES, k=draw.randint(1, 4)))


def draw_number(draw: random.Random) -> float:
    """Draws a double: any bits, few digits, powers and their neighbours."""
    kind = draw.randrange(5)
    if kind == 0:
        number: float = struct.unpack("<d", draw.randbytes(8))[0]
        return number if math.isfinite(number) else -0.0
    if kind == 1:
        return round(draw.uniform(-100, 100), draw.randint(0, 6))
    if kind == 2:
        number = draw.choice([2.0 ** draw.randint(-1074, 1023), 10.0 ** draw.randint(-323, 308)])
        number = draw.choice([number, math.nextafter(number, 0), math.nextafter(number, 1e308)])
        return number * draw.choice([1, -1])
    if kind == 3:
        return float(draw.randint(-(10 ** draw.randint(1, 25)), 10 ** draw.randint(1, 25)))
    return draw.randint(-40, 40) * draw.choice([0.1, 0.01, 0.3, 1 / 3])


def draw_time(draw: random.Random) -> Any:
    kind = draw.randrange(6)
    if kind == 0:
        return draw.uniform(-1, 1) * 10 ** draw.uniform(0, 16)
    if kind == 1:
        return draw.choice([draw.randint(10**8, 5 * 10**9), draw.randint(10**11, 5 * 10**12)])
    if kind == 2:
        return "".join(draw.choices(PIECES, k=3))
    year = draw.choice([f"{draw.randint(0, 9999):04}", "2024", "1900", "0001", "9999"])
    day = f"{year}-{draw.randint(0, 13):02}-{draw.choice([1, 28, 29, 30, 31, 32]):02}"
    if draw.random() < 0.8:
        day = f"{year}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
    hours, minutes, seconds = draw.randint(0, 24), draw.randint(0, 60), draw.randint(0, 61)
    fraction = draw.choice(["", ".5", ",25", ".123456789", ".", ".1234567890"])
    time = draw.choice(
        [f"{hours:02}:{minutes:02}", f"{hours:02}:{minutes:02}:{seconds:02}{fraction}"]
    )
    zone = draw.choice(["", "Z", "z", " Z", "+01:30", "-1130", " +23", "+24:00", "-05:60", "+01:"])
    return draw.choice([day, day + draw.choice("Tt _") + time + zone])


def damage(draw: random.Random, schema: dict[str, Any]) -> dict[str, Any]:
    """Replaces or removes one value somewhere in a schema."""
    damaged = copy.deepcopy(schema)
    places: list[tuple[Any, Any]] = []
    parents: list[Any] = [damaged]
    while parents:
        parent = parents.pop()
        for key, value in list(parent.items() if isinstance(parent, dict) else enumerate(parent)):
            places.append((parent, key))
            if isinstance(value, (dict, list)):
                parents.append(value)
    parent, key = draw.choice(places)
    if draw.random() < 0.25:
        del parent[key]
    elif isinstance(parent, list) and draw.random() < 0.3:
        parent.insert(key, parent[key])
    else:
        parent[key] = draw.choice(JUNK)
    return damaged


def find_problem(content: Any) -> str | None:
    """Returns why Python refuses a schema."""
    try:
        from_json(content)
    except UserError as error:
        return "version" if "have version" in str(error) else "damaged"
    return None


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    Path(sys.argv[1]).write_text(json.dumps(draw_cases()), "utf-8")
