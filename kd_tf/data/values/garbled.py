"""Recognizes texts whose letters were spoiled by a wrong encoding before they came here."""

from __future__ import annotations

import re

import polars as pl

_LAST_BYTES = "\x80-\xbf" + bytes(range(0x80, 0xA0)).decode("cp1252", "ignore")
_MAY_BE_GARBLED = f"[\u00c2-\u00f4][{_LAST_BYTES}]|\ufffd"
"""Two letters that UTF-8 makes of one where it is read as Latin-1 or Windows-1252; or the sign for
a byte that could not be read."""

_RARE = re.compile("[\u0180-\u02ff]")
"""Letters that are less likely than two letters of Western Europe side by side."""


def describe_garbled(texts: pl.Series, what: str) -> tuple[str, ...]:
    """Returns a note if texts look as if UTF-8 had been read in another encoding.

    Args:
        texts: String [n].
        what: What they are, for the note.

    Example:
        >>> print(*describe_garbled(pl.Series(["Caf\\u00c3\\u00a9", "Tea"]), "titles of books.csv"))
        1 of 2 titles of books.csv has letters that a wrong encoding has spoiled (the first is \
'Caf\u00c3\u00a9', which was 'Caf\u00e9'): read the table with --encoding utf-8, or export it again
    """
    suspects = texts.filter(texts.str.contains(_MAY_BE_GARBLED).fill_null(value=False))
    garbled_texts = [(text, restore_text(text)) for text in suspects]
    garbled_texts = [(text, original) for text, original in garbled_texts if text != original]
    if not garbled_texts:
        return ()
    text, original = garbled_texts[0]
    was = "" if original is None else f", which was {original!r}"
    return (
        f"{len(garbled_texts)} of {len(texts)} {what} "
        f"{'has' if len(garbled_texts) == 1 else 'have'} letters that a wrong encoding has spoiled "
        f"(the first is {text!r}{was}): read the table with --encoding utf-8, or export it again",
    )


def restore_text(text: str) -> str | None:
    """Restores UTF-8 that was read as Latin-1 or Windows-1252.

    Returns:
        The restored text; the text itself if it was not garbled; None if its letters are lost.
    """
    if "\ufffd" in text:
        return None
    try:
        restored_text = b"".join(map(_encode_letter, text)).decode()
    except UnicodeError:
        return text
    return text if _RARE.search(restored_text) else restored_text


def _encode_letter(letter: str) -> bytes:
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1")
