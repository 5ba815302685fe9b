"""The base class of all sections of the configuration, and the types that they share."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Share = Annotated[float, Field(gt=0, lt=1)]

PositiveInt = Annotated[int, Field(ge=1)]


def _convert_to_text(value: object) -> object:
    """Takes numbers and dates of TOML where a text is meant: a column's number, a time."""
    if isinstance(value, bool) or not isinstance(value, int | float | date | time):
        return value
    return value.isoformat() if isinstance(value, date | time) else str(value)


Text = Annotated[str, BeforeValidator(_convert_to_text)]
"""A text that may be written as a number or a date in TOML."""


class Section(BaseModel):
    """Base of all sections: immutable, and unknown keys are errors."""

    # Otherwise a misspelt key would silently leave a default in place.
    model_config = ConfigDict(extra="forbid", frozen=True)
