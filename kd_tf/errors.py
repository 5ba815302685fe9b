"""Errors that a person reads: what is wrong, where, and what to do about it."""

from __future__ import annotations


class UserError(Exception):
    """Something that the caller can put right: a missing file, a bad row, a wrong setting.

    The command line prints it without a traceback and ends with exit code 2.

    Args:
        what: What is wrong, in one sentence.
        where: The place, for example ``ratings.csv:17, column "rating"``.
        hint: What to do about it.
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.hint:
            parts.append(f"  {self.hint}")
        return "\n".join(parts)


class ParityError(Exception):
    """A converted model does not answer like the model that it came from.

    This is never the caller's fault, so it ends with exit code 1: a file that answers
    otherwise than it was measured must not reach an app.
    """
