"""The errors that kd_tf raises on purpose."""

from __future__ import annotations


class UserError(Exception):
    """An error that the user can fix: a missing file, a bad row, a wrong setting.

    The command line prints it without a traceback and exits with code 2.

    Args:
        what: What is wrong, in one sentence.
        where: Location, for example ``ratings.csv:17, column "rating"``.
        hint: What to do about it.

    Example:
        >>> raise UserError("no such column", where="a.csv:1", hint="The columns are: user, item.")
        Traceback (most recent call last):
        ...
        kd_tf.errors.UserError: a.csv:1: no such column
          The columns are: user, item.
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
    """The outputs of a converted model differ from those of the original model.

    This is a fault of kd_tf or the converter, not of the user, so the command line exits with
    code 1. Such a file must not reach an app: its measured quality would not hold.

    Example:
        >>> print(ParityError("9 of 1000 lists differ"))
        9 of 1000 lists differ
    """
