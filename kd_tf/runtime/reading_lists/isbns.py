"""Finds the ISBNs in a cell, in the notations of the services."""

from __future__ import annotations

import re

from kd_tf.isbn import convert_to_isbn13

# Page and app take out the same characters, and no others: tests/reading_lists/README.md.
_DECORATION = re.compile(r"[=\"\s\[\]\u2010-\u2015-]+")


def list_isbns(cell: str) -> list[str]:
    """Lists the valid ISBNs of a cell as 13 digits.

    Args:
        cell: Such as ``="0439023483"`` (Goodreads), ``[0439023483]`` or ``0439023483,
            9780439023481`` (LibraryThing).

    Returns:
        Those with the right check digit, in the order of the cell.

    Example:
        >>> list_isbns('="0306406152"'), list_isbns("[0-306-40615-3], 9780306406157")
        (['9780306406157'], ['9780306406157'])
    """
    texts = (_DECORATION.sub("", text).upper() for text in re.split("[,;|]", cell))
    return [isbn for text in texts if (isbn := convert_to_isbn13(text))]
