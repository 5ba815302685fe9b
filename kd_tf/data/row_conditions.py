"""Conditions that choose rows of a table, such as shelf=read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from kd_tf.data.values.numbers import DecimalMark, parse_floats
from kd_tf.errors import UserError

_FORM = re.compile(
    r"^\s*(?P<column>.+?)\s*(?P<comparison>!=|<=|>=|=|<|>)\s*(?P<value>.*?)\s*$", re.S
)

_COMPARISONS: dict[str, Callable[[pl.Series, float], pl.Series]] = {
    "<": lambda numbers, value: numbers < value,
    "<=": lambda numbers, value: numbers <= value,
    ">": lambda numbers, value: numbers > value,
    ">=": lambda numbers, value: numbers >= value,
}


@dataclass(frozen=True)
class RowCondition:
    """A condition on one column.

    Attributes:
        column: Name or number of the column.
        comparison: ``=`` or ``!=`` for texts, without blanks around them; ``<``, ``<=``, ``>`` or
            ``>=`` for numbers.
        value: What the column is compared with; for texts, alternatives separated by ``|``.

    Example:
        >>> condition = parse_condition("shelf=read|owned")
        >>> condition.find(pl.Series(["read", "to-read", " owned"])).to_list()
        [True, False, True]
        >>> parse_condition("rating>0").find(pl.Series(["0", "4", ""])).to_list()
        [False, True, False]
    """

    column: str
    comparison: str
    value: str

    def __str__(self) -> str:
        return f"{self.column}{self.comparison}{self.value}"

    def find(self, values: pl.Series, decimal: DecimalMark = ".") -> pl.Series:
        """Finds the rows that meet the condition.

        Args:
            values: String [n], the column.
            decimal: The decimal mark of its numbers.

        Returns:
            Boolean [n]; a text that is no number meets no condition on numbers.
        """
        if self.comparison in ("=", "!="):
            alternatives = [text.strip() for text in self.value.split("|")]
            is_equal = values.str.strip_chars().is_in(alternatives)
            return is_equal if self.comparison == "=" else ~is_equal
        numbers = parse_floats(values, decimal)
        return _COMPARISONS[self.comparison](numbers, float(self.value)).fill_null(value=False)

    def find_doubtful(self, values: pl.Series, decimal: DecimalMark = ".") -> tuple[pl.Series, str]:
        """Finds values that do not meet the condition only for how they are written.

        Args:
            values: String [n], values that do not meet the condition.
            decimal: The decimal mark of numbers.

        Returns:
            The values, and what they are; follows "whose value" in messages.
        """
        if self.comparison == "=":
            alternatives = [text.strip().casefold() for text in self.value.split("|")]
            is_alike = values.str.strip_chars().str.to_lowercase().is_in(alternatives)
            return values.filter(is_alike), "differs in upper and lower case"
        if self.comparison == "!=":
            return values.clear(), ""
        return values.filter(parse_floats(values, decimal).is_null()), "is not a number"


def parse_condition(text: str) -> RowCondition:
    """Parses a condition: COLUMN=VALUE, or with != < <= > >=.

    Raises:
        UserError: The text is no condition, or compares with what is no number.

    Example:
        >>> parse_condition("My Rating >= 4")
        RowCondition(column='My Rating', comparison='>=', value='4')
    """
    match = _FORM.match(text)
    if match is None:
        raise UserError(
            f"where {text!r} is not a condition",
            hint="For example shelf=read, shelf!=to-read or rating>=4.",
        )
    condition = RowCondition(**match.groupdict())
    if condition.comparison not in ("=", "!="):
        try:
            float(condition.value)
        except ValueError as error:
            raise UserError(
                f"where {text!r} compares with {condition.value!r}, which is not a number",
                hint="Texts are compared with = and !=.",
            ) from error
    return condition


def describe_values(counts: dict[str, int]) -> str:
    """Formats the most frequent values of a column for a message.

    Example:
        >>> describe_values({"read": 7, "to-read": 9})
        "'to-read' (9), 'read' (7)"
    """
    most_frequent = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:8]
    return ", ".join(f"{value!r} ({count})" for value, count in most_frequent)


def parse_conditions(texts: Sequence[str]) -> tuple[RowCondition, ...]:
    """Parses several conditions, all of which must hold."""
    return tuple(map(parse_condition, texts))
