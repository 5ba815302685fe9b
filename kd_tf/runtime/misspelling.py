"""Tells a misspelt title from another title, word by word.

A threshold of similarity cannot: "The Good Wife" is closer to "The Good Life" than "Anna Karenin"
is to "Anna Karenina". So a word may differ only as fingers slip inside a long word, or if what was
written cannot be a word; and never if a title of the catalog has the word that was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MIN_SWAP = 5
"""Letters of a word in which two neighbours may change places."""

MIN_DOUBLE = 6
"""Letters of the longer word if a letter is doubled or not: "Hobit" is no word, "Abey" may be."""

MIN_MISSING = 9
"""Letters of the longer word if a letter is missing: not "Morning" and "Mourning"."""

MIN_REPLACED = 8
"""Letters of a word with another letter: not "Wonder" and "Wander"."""

LESS_IN_LARGE_VOCABULARY = 2
"""Fewer letters are enough for both if many titles have shown which words there are, and other
words of the title are right."""

MIN_IMPLAUSIBLE = 5
"""Letters of the longer word if what was written cannot be a word."""

MIN_PLURAL = 4
"""Letters of a word before the "s" that may be missing or too much."""

LARGE_VOCABULARY = 50_000
"""Letters of all titles, 2,000 to 3,000 books, that show what is a word and what cannot be."""

WORDS_PER_SLIP = 3
"""Words of a title for each word that may be misspelt; one always may."""


class Vocabulary:
    """The words of all titles. In one text, as a set would take three times the memory.

    Args:
        titles: Titles of which only words and blanks are left.

    Example:
        >>> vocabulary = Vocabulary(["good life", "night"])
        >>> vocabulary.has_word("life"), vocabulary.has_word("wife")
        (True, False)
    """

    def __init__(self, titles: Iterable[str]) -> None:
        self._text = f" {'  '.join(titles)} "

    def has_word(self, word: str) -> bool:
        """Says whether a title has a word."""
        return f" {word} " in self._text

    @property
    def is_large(self) -> bool:
        """Whether a word that no title has is probably not a word."""
        return len(self._text) >= LARGE_VOCABULARY

    def is_plausible(self, word: str) -> bool:
        """Says whether a text may be a word: any three letters in a row are in some title.

        Of the few words of a small catalog this cannot be told, and every text may be a word.
        """
        letters = f" {word} "
        return not self.is_large or all(
            letters[start : start + 3] in self._text for start in range(len(word))
        )


def count_allowed_slips(words: Sequence[str]) -> int:
    """Counts how many words of a title may be misspelt."""
    return max(1, len(words) // WORDS_PER_SLIP)


def count_slips(name: Sequence[str], title: Sequence[str], vocabulary: Vocabulary) -> int | None:
    """Counts the misspelt words of a name, if nothing else tells it from the title.

    Args:
        name: Words of the name.
        title: Words of the title.
        vocabulary: The words of all titles.

    Returns:
        Number of misspelt words; None if the name means another title.

    Example:
        >>> vocabulary = Vocabulary(["anna karenina", "good life"])
        >>> count_slips(["anna", "karennina"], ["anna", "karenina"], vocabulary)
        1
        >>> count_slips(["good", "wife"], ["good", "life"], vocabulary) is None
        True
    """
    if len(name) != len(title):
        return _count_wrong_blanks(name, title, vocabulary)
    pairs = [
        (written, right)
        for written, right in zip(name, title, strict=True)
        if _americanize(written) != _americanize(right)
    ]
    if len(pairs) > count_allowed_slips(title):
        return None
    for written, right in pairs:
        # Nothing else tells which book a title of one word is.
        is_only_word = len(title) == 1
        is_slip = _is_slip(written, right, vocabulary, is_only_word=is_only_word) or (
            not is_only_word and _is_plural(written, right)
        )
        if not is_slip or vocabulary.has_word(written):
            return None
    return len(pairs)


def _count_wrong_blanks(
    name: Sequence[str], title: Sequence[str], vocabulary: Vocabulary
) -> int | None:
    """Returns 1 if one blank is missing or too much, as in "Windup" for "Wind Up"."""
    if "".join(name) != "".join(title) or abs(len(name) - len(title)) > 1:
        return None
    # "Now Here" is no misspelling of "Nowhere".
    is_slip = not all(vocabulary.has_word(word) for word in name if word not in title)
    return 1 if is_slip and max(map(len, [*name, *title])) >= MIN_DOUBLE else None


def _americanize(word: str) -> str:
    """Writes a British word as an American one."""
    word = _BRITISH_OUR.sub(r"or\1", _BRITISH_ISE.sub(r"iz\1", word))
    return {"grey": "gray", "theatre": "theater", "centre": "center"}.get(word, word)


# Three letters before, as "four" is not "for", and "mourning" not "morning".
_BRITISH_OUR = re.compile(r"(?<=\w{3})our(|s|ed|ing|ful|less|able|ite|hood)$")
_BRITISH_ISE = re.compile(r"(?<=\w{3})is(e|es|ed|er|ers|ing|ation|ations)$")


def _is_plural(word: str, other: str) -> bool:
    short, long = sorted((word, other), key=len)
    return long == short + "s" and len(short) >= MIN_PLURAL


def _is_slip(written: str, right: str, vocabulary: Vocabulary, *, is_only_word: bool) -> bool:
    """Says whether one word is written like the other but for one slip of the fingers."""
    # The first letter makes most other words ("Light", "Night") and few misspellings. Scripts
    # without an alphabet have no letters that slip.
    if written[0] != right[0] or not all(
        word.isalpha() and max(word) < "\u0e00" for word in (written, right)
    ):
        return False
    short, long = sorted((written, right), key=len)
    start = _count_equal(short, long)
    end = min(_count_equal(short[::-1], long[::-1]), len(short) - start)
    old_letters, new_letters = short[start : len(short) - end], long[start : len(long) - end]
    less = LESS_IN_LARGE_VOCABULARY if vocabulary.is_large and not is_only_word else 0
    if len(old_letters) == len(new_letters) == 2 and old_letters == new_letters[::-1]:
        min_length = MIN_SWAP
    elif not old_letters and len(new_letters) == 1 and end > 0:
        min_length = MIN_DOUBLE if new_letters == long[start - 1] else MIN_MISSING - less
    elif len(old_letters) == len(new_letters) == 1 and end > 0:
        min_length = MIN_REPLACED - less
    elif not old_letters and new_letters in ("a", "e"):
        # Of the ends of words only a vowel that is silent or belongs to a name ("Karenin" and
        # "Karenina"): other letters make other forms of a word.
        min_length = MIN_REPLACED - less
    else:
        return False
    if not vocabulary.is_plausible(written):
        min_length = MIN_IMPLAUSIBLE
    return len(long) >= min_length


def _count_equal(word: str, other: str) -> int:
    """Counts the letters at the beginning that are equal."""
    count = 0
    for letter, other_letter in zip(word, other, strict=False):
        if letter != other_letter:
            break
        count += 1
    return count
