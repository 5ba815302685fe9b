"""The form in which the texts of two sources are compared: their letters and digits alone.

Page and app compute the same form (tests/reading_lists/README.md).
"""

from __future__ import annotations

import re
import unicodedata

_NEITHER_LETTER_NOR_DIGIT = re.compile("[^a-z0-9]+")


def normalize_text(text: str) -> str:
    """Keeps the letters and decimal digits of a text, in lower case without accents.

    Unicode NFKD without marks; every run of other characters becomes a space.

    Example:
        >>> normalize_text("Café  Zoë!")
        'cafe zoe'
    """
    if text.isascii():
        return _NEITHER_LETTER_NOR_DIGIT.sub(" ", text.lower()).strip()
    letters = (
        char if (category := unicodedata.category(char))[0] == "L" or category == "Nd" else " "
        for char in unicodedata.normalize("NFKD", text)
        if unicodedata.category(char)[0] != "M"
    )
    return " ".join("".join(letters).lower().split())
