"""Features that are parts of a time: its hour, weekday or month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kd_tf.runtime.features.categorical import FIRST_ID
from kd_tf.runtime.features.layout import MISSING_ID

DatePart = Literal["hour", "weekday", "month"]

NUM_PARTS: dict[DatePart, int] = {"hour": 24, "weekday": 7, "month": 12}


@dataclass(frozen=True)
class DatePartFeature:
    """A part of a time, in UTC.

    The id is 2 plus the hour (0 to 23), the weekday (Monday is 0) or the month (January is 0); 0
    where the time is missing. Id 1 is never used.

    Attributes:
        name: Name of the feature.
        column: Its column, of type ``date``.
        part: The part.

    Example:
        >>> thursday = np.array([0.0, 86_400.0, np.nan])  # 1970-01-01 and the day after it
        >>> DatePartFeature("when:weekday", "when", "weekday").encode(thursday).tolist()
        [[5], [6], [0]]
    """

    name: str
    column: str
    part: DatePart

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def num_ids(self) -> int:
        """Number of ids: missing, the unused 1, and one per value of the part."""
        return FIRST_ID + NUM_PARTS[self.part]

    @property
    def num_values(self) -> int:
        """Number of places in a row."""
        return 1

    def encode(self, values: Any) -> np.ndarray:
        """Returns ids of times in Unix seconds: int32 [n, 1]."""
        is_missing = np.isnan(values)
        seconds = np.where(is_missing, 0, values).astype(np.int64)
        ids = FIRST_ID + compute_part(seconds, self.part)
        return np.where(is_missing, MISSING_ID, ids).astype(np.int32)[:, None]


def compute_part(seconds: np.ndarray, part: DatePart) -> np.ndarray:
    """Returns a part of times, from 0.

    Args:
        seconds: int64 [n], Unix seconds.
        part: The part.
    """
    if part == "hour":
        return seconds // 3600 % 24
    days = seconds // 86_400
    if part == "weekday":
        return (days + 3) % 7  # 1970-01-01 was a Thursday
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
