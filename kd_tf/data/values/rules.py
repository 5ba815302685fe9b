"""How the values of a table are written, as far as it is known."""

from __future__ import annotations

from dataclasses import dataclass, field

from kd_tf.choices import NormalizeIds
from kd_tf.data.values.ids import NULL_VALUES
from kd_tf.data.values.numbers import DecimalMark
from kd_tf.data.values.times import TimeRules


@dataclass(frozen=True)
class ValueRules:
    """How the values of a table are written.

    Attributes:
        null_values: Texts that stand for a missing value, beyond blanks and empty quotes.
        decimal: The decimal mark of ratings.
        times: How times are written.
        normalize_ids: How ids are changed before they are compared.

    Example:
        >>> ValueRules(decimal=",").times.unit
        'auto'
    """

    null_values: tuple[str, ...] = NULL_VALUES
    decimal: DecimalMark = "."
    times: TimeRules = field(default_factory=TimeRules)
    normalize_ids: NormalizeIds = "none"
