"""The base class of all sections of the configuration, and the types that they share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(gt=0, lt=1)]

PositiveInt = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """Base of all sections: immutable, and unknown keys are errors."""

    # Otherwise a misspelt key would silently leave a default in place.
    model_config = ConfigDict(extra="forbid", frozen=True)
