"""Reads and writes features.json, the schema as a bundle has it: docs/reference/features.md.

Everything in the file is checked on reading: a damaged or hostile file is an error with words.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Sequence
from typing import Any, get_args

import numpy as np

from kd_tf.errors import UserError
from kd_tf.runtime.bundle_files import FEATURES_FILE
from kd_tf.runtime.catalog import make_damaged_error, parse_json
from kd_tf.runtime.features.buckets import BucketFeature
from kd_tf.runtime.features.categorical import HashFeature, VocabularyFeature
from kd_tf.runtime.features.columns import Column, ColumnType
from kd_tf.runtime.features.crossed import CrossFeature
from kd_tf.runtime.features.date_parts import NUM_PARTS, DatePartFeature
from kd_tf.runtime.features.label import Label, LabelKind
from kd_tf.runtime.features.numeric import MissingFeature, ScaledFeature, take_log
from kd_tf.runtime.features.schema import FeatureSchema, IdFeature, NumberFeature
from kd_tf.runtime.features.values import BLANKS, join_surrogates, make_canonical

FEATURES_VERSION = 1

MAX_FILE_BYTES = 64 << 20
MAX_FEATURES = 10_000
"""Most columns, features with ids, and features that are numbers."""

MAX_NAME_LENGTH = 1000
"""Most characters of a name, a value of a vocabulary, or a text that stands for a missing value."""

MAX_VOCABULARY = 1_000_000
MAX_BUCKETS = 1 << 24
MAX_BOUNDARIES = 10_000
MAX_LIST_VALUES = 1000
MAX_MISSING_TEXTS = 1000
MAX_CROSSED_COLUMNS = 10
MAX_IDS = 2**31 - 1
MAX_PLACES = 100_000
"""Most places of ids in a row."""

_MAX_NUMBER = 3.4e38
"""Scaled numbers must fit in float32."""


def encode_features(schema: FeatureSchema) -> bytes:
    """Encodes a schema as features.json.

    Raises:
        UserError: The schema exceeds a limit of the file.

    Example:
        >>> schema = FeatureSchema(Label("clicked", "click"), (Column("age", "number"),), (), ())
        >>> parse_features(encode_features(schema)) == schema
        True
    """
    content = json.dumps(
        to_json(schema), ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()
    parse_features(content)
    return content + b"\n"


def parse_features(content: bytes, where: str = FEATURES_FILE) -> FeatureSchema:
    """Reads features.json.

    Args:
        content: The file.
        where: Its path, for error messages.

    Raises:
        UserError: The file is damaged or has another version.
    """
    if len(content) > MAX_FILE_BYTES:
        raise make_damaged_error(f"it has more than {MAX_FILE_BYTES:,} bytes", where)
    return from_json(parse_json(content, where), where)


def to_json(schema: FeatureSchema) -> dict[str, Any]:
    """Returns the content of features.json."""
    label = schema.label
    return {
        "version": FEATURES_VERSION,
        "label": {
            "name": label.name, "kind": label.kind, "low": label.low, "high": label.high,
        },
        "missing": list(schema.missing),
        "columns": [_write_column(column) for column in schema.columns],
        "categorical": [_write_id_feature(feature) for feature in schema.categorical],
        "numeric": [_write_number_feature(feature) for feature in schema.numeric],
    }  # fmt: skip


def _write_column(column: Column) -> dict[str, Any]:
    content: dict[str, Any] = {"name": column.name, "type": column.type}
    if column.type == "list":
        content["separator"] = column.separator
    if column.missing:
        content["missing"] = list(column.missing)
    return content


def _write_id_feature(feature: IdFeature) -> dict[str, Any]:
    content: dict[str, Any] = {"name": feature.name}
    if isinstance(feature, CrossFeature):
        return content | {
            "kind": "cross", "columns": list(feature.columns), "buckets": feature.buckets,
        }  # fmt: skip
    content["column"] = feature.column
    if isinstance(feature, BucketFeature):
        return content | {"kind": "bucket", "boundaries": list(feature.boundaries)}
    if isinstance(feature, DatePartFeature):
        return content | {"kind": "date", "part": feature.part}
    if feature.max_values is not None:
        content["max_values"] = feature.max_values
    if isinstance(feature, HashFeature):
        return content | {"kind": "hash", "buckets": feature.buckets}
    return content | {"kind": "vocabulary", "values": list(feature.values)}


def _write_number_feature(feature: NumberFeature) -> dict[str, Any]:
    content: dict[str, Any] = {"name": feature.name, "column": feature.column}
    if isinstance(feature, MissingFeature):
        return content | {"kind": "missing"}
    numbers = {
        key: getattr(feature, key) for key in ("low", "high", "offset", "divisor", "fill", "log")
    }
    return content | {"kind": "scaled"} | numbers


def from_json(content: Any, where: str = FEATURES_FILE) -> FeatureSchema:
    """Creates a schema from the content of features.json. Unknown keys are ignored.

    Args:
        content: The parsed JSON.
        where: Path of the file, for error messages.

    Raises:
        UserError: The version is not `FEATURES_VERSION`, or a key is missing or has a wrong value.
    """
    file = _Reader(content, "", where)
    version = file.content.get("version")
    if type(version) is not int or version != FEATURES_VERSION:
        shown_version = repr(version)
        raise UserError(
            f"the features have version {shown_version[:60]}, this kd_tf reads version "
            f"{FEATURES_VERSION}",
            where=where,
            hint="Export the bundle again with this version of kd_tf, or install the version "
            "that wrote it.",
        )
    columns = [_read_column(reader) for reader in file.list_objects("columns")]
    file.check_distinct("columns", [column.name for column in columns])
    by_name = {column.name: column for column in columns}
    categorical = [_read_id_feature(reader, by_name) for reader in file.list_objects("categorical")]
    numeric = [_read_number_feature(reader, by_name) for reader in file.list_objects("numeric")]
    file.check_distinct("categorical", [feature.name for feature in categorical])
    file.check_distinct("numeric", [feature.name for feature in numeric])
    if sum(feature.num_ids for feature in categorical) > MAX_IDS:
        raise file.make_error(f"the features have more than {MAX_IDS:,} ids together")
    if sum(feature.num_values for feature in categorical) > MAX_PLACES:
        raise file.make_error(f"a row has more than {MAX_PLACES:,} ids")
    return FeatureSchema(
        _read_label(file.get_object("label")),
        tuple(columns),
        tuple(categorical),
        tuple(numeric),
        file.get_missing("missing"),
    )


def _read_label(reader: _Reader) -> Label:
    kind = reader.get_choice("kind", get_args(LabelKind))
    low, high = reader.get_number("low"), reader.get_number("high")
    if not low < high:
        raise reader.make_error("low must be below high")
    return Label(reader.get_name("name"), kind, low, high)


def _read_column(reader: _Reader) -> Column:
    name = reader.get_name("name")
    column_type: ColumnType = reader.get_choice("type", get_args(ColumnType))
    missing = reader.get_missing("missing") if "missing" in reader.content else ()
    if column_type != "list":
        return Column(name, column_type, missing=missing)
    separator = reader.get_text("separator")
    if len(separator) != 1:
        raise reader.make_error("separator must be one character")
    return Column(name, column_type, separator, missing)


def _read_id_feature(reader: _Reader, columns: dict[str, Column]) -> IdFeature:
    name = reader.get_name("name")
    kind = reader.get_choice("kind", ("vocabulary", "hash", "bucket", "date", "cross"))
    if kind == "cross":
        names = reader.get_texts("columns", MAX_CROSSED_COLUMNS)
        for column in names:
            reader.check_column(column, columns, ("category",))
        reader.check_distinct("columns", names)
        if len(names) < 2:
            raise reader.make_error("columns must be two or more")
        return CrossFeature(name, tuple(names), reader.get_integer("buckets", MAX_BUCKETS))
    if kind == "bucket":
        column = reader.get_column(columns, ("number",))
        return BucketFeature(name, column, reader.get_boundaries())
    if kind == "date":
        column = reader.get_column(columns, ("date",))
        return DatePartFeature(name, column, reader.get_choice("part", tuple(NUM_PARTS)))
    column = reader.get_column(columns, ("category", "list"))
    max_values = None
    if columns[column].type == "list":
        max_values = reader.get_integer("max_values", MAX_LIST_VALUES)
    elif "max_values" in reader.content:
        raise reader.make_error("max_values is only for columns of type 'list'")
    if kind == "hash":
        buckets = reader.get_integer("buckets", MAX_BUCKETS)
        return HashFeature(name, column, buckets, max_values)
    return VocabularyFeature(name, column, reader.get_vocabulary(), max_values)


def _read_number_feature(reader: _Reader, columns: dict[str, Column]) -> NumberFeature:
    name = reader.get_name("name")
    kind = reader.get_choice("kind", ("scaled", "missing"))
    column = reader.get_column(columns, ("number",))
    if kind == "missing":
        return MissingFeature(name, column)
    low, high, offset, divisor, fill = (
        reader.get_number(key) for key in ("low", "high", "offset", "divisor", "fill")
    )
    log = reader.content.get("log")
    if type(log) is not bool:
        raise reader.make_error("log must be true or false")
    if not low <= high:
        raise reader.make_error("low must not be above high")
    if not divisor > 0:
        raise reader.make_error("divisor must be above 0")
    for limit in (low, high):
        number = float(take_log(np.array(limit))) if log else limit
        if not abs((number - offset) / divisor) <= _MAX_NUMBER:
            raise reader.make_error("the scaled numbers do not fit in float32")
    if not abs(fill) <= _MAX_NUMBER:
        raise reader.make_error("fill does not fit in float32")
    return ScaledFeature(name, column, low, high, offset, divisor, fill, log)


class _Reader:
    """Reads the keys of one object of the file.

    Args:
        content: The object.
        place: What it is, for errors: "columns[3]".
        where: Path of the file.
    """

    def __init__(self, content: Any, place: str, where: str) -> None:
        self.place, self.where = place, where
        if not isinstance(content, dict):
            raise self.make_error("it must be an object" if place else "it must hold one object")
        self.content: dict[str, Any] = content

    def make_error(self, what: str) -> UserError:
        """Makes the error about this object."""
        return make_damaged_error(f"{self.place}: {what}" if self.place else what, self.where)

    def get_object(self, key: str) -> _Reader:
        """Returns the reader of an object."""
        return _Reader(self.content.get(key), self._join(key), self.where)

    def list_objects(self, key: str) -> list[_Reader]:
        """Returns the readers of a list of objects."""
        items = self._get_list(key, MAX_FEATURES)
        return [
            _Reader(item, f"{self._join(key)}[{index}]", self.where)
            for index, item in enumerate(items)
        ]

    def get_text(self, key: str) -> str:
        """Returns a text of at most `MAX_NAME_LENGTH` characters."""
        return self._check_text(self.content.get(key), key)

    def get_name(self, key: str) -> str:
        """Returns a text that is not empty."""
        name = self.get_text(key)
        if not name.strip(BLANKS):
            raise self.make_error(f"{key} must not be empty")
        return name

    def get_texts(self, key: str, max_length: int) -> list[str]:
        """Returns a list of texts."""
        return [self._check_text(text, key) for text in self._get_list(key, max_length)]

    def get_missing(self, key: str) -> tuple[str, ...]:
        """Returns texts that stand for a missing value."""
        texts = self.get_texts(key, MAX_MISSING_TEXTS)
        for text in texts:
            if text != text.strip(BLANKS) or not text:
                raise self.make_error(f"{key} has an empty text, or one with blanks around it")
        self.check_distinct(key, texts)
        return tuple(texts)

    def get_vocabulary(self) -> tuple[str, ...]:
        """Returns the values of a vocabulary: canonical texts, each once."""
        values = self.get_texts("values", MAX_VOCABULARY)
        for value in values:
            if make_canonical(value, frozenset()) != value:
                raise self.make_error(f"values has {value[:60]!r}, which is no canonical text")
        self.check_distinct("values", values)
        return tuple(values)

    def get_boundaries(self) -> tuple[float, ...]:
        """Returns ascending numbers."""
        items = self._get_list("boundaries", MAX_BOUNDARIES)
        boundaries = [self._check_number(item, "boundaries") for item in items]
        if any(second <= first for first, second in itertools.pairwise(boundaries)):
            raise self.make_error("boundaries must ascend")
        return tuple(boundaries)

    def get_choice(self, key: str, choices: Sequence[str]) -> Any:
        """Returns one of several texts."""
        value = self.content.get(key)
        if not isinstance(value, str) or value not in choices:
            raise self.make_error(
                f"{key} must be one of {', '.join(choices)}, not {_show_json(value)}"
            )
        return value

    def get_integer(self, key: str, largest: int) -> int:
        """Returns an integer from 1."""
        value = self.content.get(key)
        if type(value) is not int or not 1 <= value <= largest:
            raise self.make_error(
                f"{key} must be an integer from 1 to {largest:,}, not {_show_json(value)}"
            )
        return value

    def get_number(self, key: str) -> float:
        """Returns a finite number."""
        return self._check_number(self.content.get(key), key)

    def get_column(self, columns: dict[str, Column], types: Collection[str]) -> str:
        """Returns the name of the feature's column."""
        name = self.get_text("column")
        self.check_column(name, columns, types)
        return name

    def check_column(self, name: str, columns: dict[str, Column], types: Collection[str]) -> None:
        """Checks that a column exists and has one of some types."""
        if name not in columns:
            raise self.make_error(f"columns has no {name[:60]!r}")
        if columns[name].type not in types:
            raise self.make_error(
                f"column {name[:60]!r} has the type {columns[name].type!r}, which does not fit"
            )

    def check_distinct(self, key: str, names: Sequence[str]) -> None:
        """Checks that no name occurs twice."""
        if len(set(names)) < len(names):
            earlier_names: set[str] = set()
            for name in names:
                if name in earlier_names:
                    raise self.make_error(f"{key} has {name[:60]!r} twice")
                earlier_names.add(name)

    def _join(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def _get_list(self, key: str, max_length: int) -> list[Any]:
        items = self.content.get(key)
        if not isinstance(items, list):
            raise self.make_error(f"{key} must be a list, not {_show_json(items)}")
        if len(items) > max_length:
            raise self.make_error(f"{key} has more than {max_length:,} entries")
        return items

    def _check_text(self, value: Any, key: str) -> str:
        if not isinstance(value, str):
            raise self.make_error(f"{key} must be a text, not {_show_json(value)}")
        if len(value) > MAX_NAME_LENGTH:
            raise self.make_error(f"{key} has more than {MAX_NAME_LENGTH:,} characters")
        if join_surrogates(value) != value:
            raise self.make_error(f"{key} has half a surrogate pair")
        return value

    def _check_number(self, value: Any, key: str) -> float:
        # An integer may be too large for a double.
        if type(value) not in (int, float) or not -1.7e308 <= value <= 1.7e308:
            raise self.make_error(f"{key} must be a finite number, not {_show_json(value)}")
        return float(value)


_NAMES: dict[type, Callable[[Any], str]] = {
    dict: lambda _: "an object",
    list: lambda _: "a list",
    type(None): lambda _: "nothing",
}


def _show_json(value: Any) -> str:
    """Formats a value of the file for a message."""
    text = _NAMES.get(type(value), repr)(value)
    return text if len(text) <= 60 else text[:60] + "…"
