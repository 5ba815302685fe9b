"""Makes plain text of what catalogs hold: HTML, control characters, whole books."""

from __future__ import annotations

import html
import re

MAX_CHARACTERS = 100_000
"""Characters of a text that count: a description never has more, and a book that slipped into a
column must not take hours."""

_TAG = re.compile(r"<(?:!--.*?--|/?[A-Za-z][^<>]*)>", re.DOTALL)
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def clean_text(text: str) -> str:
    """Removes tags of HTML, decodes entities, and turns unreadable characters into blanks.

    Example:
        >>> clean_text("<p>War &amp; Peace</p><br/>1 < 2")
        ' War & Peace  1 < 2'
    """
    text = text[:MAX_CHARACTERS]
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    return _UNREADABLE.sub(" ", text)
