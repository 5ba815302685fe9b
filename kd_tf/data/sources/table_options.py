"""The options of readers of own tables, as keywords and settings name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypedDict, Unpack, cast, get_args

from kd_tf.choices import NormalizeIds, TimeUnit
from kd_tf.data.formats.bad_rows import OnBadRows
from kd_tf.data.formats.delimited import Dialect
from kd_tf.data.formats.encodings import check_encoding
from kd_tf.data.id_match import MIN_SHARE
from kd_tf.data.row_conditions import RowCondition, parse_conditions
from kd_tf.data.values.ids import NULL_VALUES
from kd_tf.data.values.numbers import DecimalMark
from kd_tf.data.values.rules import ValueRules
from kd_tf.data.values.times import TimeRules
from kd_tf.errors import UserError

Quote = Literal['"', "none"]

_SEPARATOR_NAMES = {"tab": "\t", r"\t": "\t", "blank": " ", "comma": ",", "semicolon": ";"}


class FormatOptions(TypedDict, total=False):
    """The format of one text file.

    Attributes:
        separator: The text between fields, or ``tab`` or ``blank`` (any number of them); None
            detects it.
        header: Whether the first line names the columns; None detects it.
        quote: ``"`` or ``none``, where quotes are ordinary text.
        encoding: For example ``utf-8``, ``utf-16``, ``cp1252``, ``gb18030`` or ``shift_jis``.
        skip_rows: Number of lines before the table.
    """

    separator: str | None
    header: bool | None
    quote: Quote
    encoding: str
    skip_rows: int


class ValueOptions(TypedDict, total=False):
    """How values are written and which rows are taken.

    Attributes:
        null_values: Texts that stand for a missing value, beyond blanks and empty quotes; None
            takes `NULL_VALUES`.
        decimal: ``.`` or ``,``.
        time_format: Format of the times, as of ``datetime.strptime``.
        time_unit: What times count that are numbers.
        normalize_ids: How ids are changed before they are compared.
        where: Conditions such as ``shelf=read``; rows that do not meet all of them are left out.
        on_bad_rows: ``stop`` or ``skip``.
        min_matched_share: The least share of the items with interactions that must be in the item
            table.
    """

    null_values: Sequence[str] | None
    decimal: DecimalMark
    time_format: str | None
    time_unit: TimeUnit
    normalize_ids: NormalizeIds
    where: Sequence[str]
    on_bad_rows: OnBadRows
    min_matched_share: float


class TableOptions(FormatOptions, ValueOptions, total=False):
    """The options of `kd_tf.data.read_csv`.

    Attributes:
        item_format: The format of the item table, where it must be told.
    """

    item_format: FormatOptions


@dataclass(frozen=True)
class TableRules:
    """How tables are written and what is taken from them.

    Attributes:
        dialect: Format of the interaction table, if it is a text file.
        item_dialect: Format of the item table, if it is a text file.
        values: How values are written, in both tables.
        where: Conditions on the rows of the interaction table.
        on_bad_rows: "stop" raises at the first bad row; "skip" leaves bad rows out, counts them and
            lists them in the notes.
        min_matched_share: The least share of the items with interactions that must be in the item
            table.
    """

    dialect: Dialect = field(default_factory=Dialect)
    item_dialect: Dialect = field(default_factory=Dialect)
    values: ValueRules = field(default_factory=ValueRules)
    where: Sequence[RowCondition] = ()
    on_bad_rows: OnBadRows = "stop"
    min_matched_share: float = MIN_SHARE


def make_rules(**options: Unpack[TableOptions]) -> TableRules:
    """Makes the rules of readers from options.

    Raises:
        UserError: An option has no such value.

    Example:
        >>> make_rules(separator="tab", where=["shelf=read"]).dialect.separator
        '\\t'
    """
    for name, kind in (
        ("decimal", DecimalMark),
        ("time_unit", TimeUnit),
        ("normalize_ids", NormalizeIds),
        ("on_bad_rows", OnBadRows),
    ):
        if name in options:
            _check_choice(name, options[name], get_args(kind))  # type: ignore[literal-required]
    null_values = options.get("null_values")
    if options.get("time_format") is not None and options.get("time_unit", "auto") != "auto":
        raise UserError(
            "time_format and time_unit are both set",
            hint="A time is written in a format, or it is a number of units.",
        )
    values = ValueRules(
        null_values=NULL_VALUES if null_values is None else tuple(null_values),
        decimal=options.get("decimal", "."),
        times=TimeRules(options.get("time_unit", "auto"), options.get("time_format")),
        normalize_ids=options.get("normalize_ids", "none"),
    )
    where = options.get("where", ())
    return TableRules(
        dialect=make_dialect(**_select_format(options)),
        item_dialect=make_dialect(**options.get("item_format", {})),
        values=values,
        where=parse_conditions([where] if isinstance(where, str) else where),
        on_bad_rows=options.get("on_bad_rows", "stop"),
        min_matched_share=options.get("min_matched_share", MIN_SHARE),
    )


def _select_format(options: TableOptions) -> FormatOptions:
    """Selects the options of the format."""
    names = FormatOptions.__annotations__
    return cast("FormatOptions", {name: options[name] for name in names if name in options})  # type: ignore[literal-required]


def make_dialect(**options: Unpack[FormatOptions]) -> Dialect:
    """Makes the dialect of a text file from options.

    Raises:
        UserError: An option has no such value.
    """
    separator = options.get("separator")
    if separator is not None:
        separator = _SEPARATOR_NAMES.get(separator, separator)
        if not (len(separator) == 1 or separator == "::") or separator in '"\r\n':
            raise UserError(
                f"separator is {separator!r}, which is not a single character",
                hint="For example , ; | :: tab or blank.",
            )
    quote = options.get("quote", '"')
    _check_choice("quote", quote, get_args(Quote))
    skip_rows = options.get("skip_rows", 0)
    if skip_rows < 0:
        raise UserError(f"skip_rows must be 0 or more, not {skip_rows}")
    return Dialect(
        separator=separator,
        has_header=options.get("header"),
        has_quotes=quote == '"',
        encoding=check_encoding(options.get("encoding", "utf-8")),
        skip_rows=skip_rows,
    )


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"{name} is {value!r}", hint=f"Choose from {', '.join(map(str, choices))}.")
