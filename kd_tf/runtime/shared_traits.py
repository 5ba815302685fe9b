"""What two items have in common, for the reasons of a recommendation.

The browser page and the Android app follow the same rules (tests/shared_traits/README.md).
"""

from __future__ import annotations

import re

from kd_tf.runtime.plain_text import normalize_text
from kd_tf.runtime.title_forms import MAX_LENGTH

MAX_NAMES = 3
"""Names of a list that count: lists of authors begin with the most important ones."""

MAX_WORDS = 3
"""Words that are named."""

_ONE_WORD_NAME = re.compile("[\u1100-\u11ff\u2e80-\U0010ffff]")
"""Letters of Korean, as keys have them, of Chinese and Japanese, where a name is one word."""

_VOLUME = re.compile("(?: [0-9]+)+$")


def find_shared_authors(authors: str | None, other_authors: str | None) -> tuple[str, ...]:
    """Finds the authors that two items have in common, as the first item's list has them.

    A name of one word, which may be the family name alone of "Oak, Ann", counts only if it is the
    whole list of one of the items.

    Example:
        >>> find_shared_authors("J.R. Oak, Ann Elm", "Bo Ash & J. R. Oak")
        ('J.R. Oak',)
        >>> find_shared_authors("Oak, Ann", "Oak, Bo")
        ()
        >>> find_shared_authors("Homer, Ann Elm", "Homer")
        ('Homer',)
    """
    authors, other_authors = authors or "", other_authors or ""
    other_keys = {_make_key(name) for name in _split_names(other_authors)}
    list_key, other_list_key = _make_key(authors), _make_key(other_authors)
    common_names: dict[str, str] = {}
    for name in _split_names(authors):
        key = _make_key(name)
        is_whole = key in (list_key, other_list_key) or _is_full_name(key)
        if key and key in other_keys and is_whole:
            common_names.setdefault(key, name)
    if not common_names and list_key and list_key == other_list_key:
        return (" ".join(authors.split()),)
    return tuple(common_names.values())


def is_same_series(series: str | None, other_series: str | None) -> bool:
    """Checks whether two items are of the same series; a number at the end does not count.

    Example:
        >>> is_same_series("Harbour Lights #2", "Harbour lights")
        True
    """
    key, other_key = (_VOLUME.sub("", _make_key(text or "")) for text in (series, other_series))
    return key != "" and key == other_key


def find_shared_words(words: str | None, other_words: str | None) -> tuple[str, ...]:
    """Finds the first words of an item that another has too.

    Example:
        >>> find_shared_words("magic dragon tower", "dragon sea magic")
        ('magic', 'dragon')
    """
    other = {*(other_words or "").split(" ")} - {""}
    distinct = dict.fromkeys((words or "").split(" "))
    return tuple(word for word in distinct if word in other)[:MAX_WORDS]


def _make_key(text: str) -> str:
    """Makes the form in which names are compared; "" for one that is too long to be a name."""
    return normalize_text(text) if len(text) <= MAX_LENGTH else ""


def _split_names(authors: str) -> list[str]:
    for separator in (";", "&", " and "):
        authors = authors.replace(separator, ",")
    names = (" ".join(name.split()) for name in authors.split(","))
    return [name for name in names if name][:MAX_NAMES]


def _is_full_name(key: str) -> bool:
    """Says of a name's key alone, so that two writings of a name count alike."""
    words = key.split(" ")
    is_one_word = _ONE_WORD_NAME.match(key) is not None
    return is_one_word or (len(words) > 1 and max(map(len, words)) > 1)
