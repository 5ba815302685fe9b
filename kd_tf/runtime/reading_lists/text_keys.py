"""The forms in which titles, names and shelves of reading lists are compared.

Page and app compute the same forms (tests/reading_lists/README.md), and a wrong match would put a
book into the history unseen. `kd_tf.runtime.title_forms`, for titles that somebody types and can
correct, goes much further: subtitles, articles of other languages, initials.
"""

from __future__ import annotations

import re
import unicodedata

from kd_tf.runtime.plain_text import normalize_text
from kd_tf.runtime.title_forms import MAX_LENGTH

_ARTICLE = re.compile("^(?:the|a|an) ")


def make_title_keys(title: str) -> tuple[str, str]:
    """Returns the two forms in which a title is compared.

    Args:
        title: As in a file or a catalog.

    Returns:
        The title without a series in brackets at its end and without an article; and the same up
        to the first colon, which is empty for a title without a subtitle. Both are empty for a
        title that is longer than `MAX_LENGTH`: it matches nothing.

    Example:
        >>> make_title_keys("The Orchard Ledger: A Mystery (Orchard, #1)")
        ('orchard ledger a mystery', 'orchard ledger')
    """
    if len(title) > MAX_LENGTH:
        return "", ""
    name = unicodedata.normalize("NFKD", title).strip()
    bracket = name.rfind(" (") if name.endswith(")") else -1
    if bracket > 0:
        name = name[:bracket]
    before_colon, colon, _ = name.partition(":")
    return (
        _ARTICLE.sub("", normalize_text(name)),
        _ARTICLE.sub("", normalize_text(before_colon)) if colon else "",
    )


_SEPARATOR = re.compile("[,;/&|]")
_ROLE = re.compile(r"\([^()]*\)")


def split_names(authors: str) -> list[list[str]]:
    """Splits a list of authors into the words of each name.

    Args:
        authors: Names that are separated by one of ``, ; / & |``. What stands in brackets, such as
            "(Translator)", is left out.

    Returns:
        The words of each name; words of one letter are left out, and names without words.

    Example:
        >>> split_names("J.R. Whitcombe, Tessa Lindqvist (Editor)")
        [['whitcombe'], ['tessa', 'lindqvist']]
    """
    names = (
        [word for word in normalize_text(name).split() if len(word) > 1]
        for name in _SEPARATOR.split(_ROLE.sub(" ", authors))
        if len(name) <= MAX_LENGTH
    )
    return [words for words in names if words]


def is_same_name(name: list[str], other: list[str]) -> bool:
    """Checks whether two names are equal, or equal but for further words before the last one."""
    words, other_words = set(name), set(other)
    if words == other_words:
        return True
    return name[-1] == other[-1] and (words <= other_words or other_words <= words)
