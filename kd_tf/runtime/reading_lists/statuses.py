"""What a shelf, a collection or a tag says of a book: read, being read, to read, abandoned."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from kd_tf.runtime.plain_text import normalize_text
from kd_tf.runtime.title_forms import MAX_LENGTH

Status = Literal["read", "reading", "to-read", "abandoned"]

_TAGS: dict[str, Status] = {
    "abandoned": "abandoned",
    "did not finish": "abandoned",
    "dnf": "abandoned",
    "gave up": "abandoned",
    "gave up on": "abandoned",
    "read": "read",
    "already read": "read",
    "currently reading": "reading",
    "to read": "to-read",
    "tbr": "to-read",
    "unread": "to-read",
    "want to read": "to-read",
    "wishlist": "to-read",
}
_SHELVES: dict[str, Status] = {
    **_TAGS,
    # As a tag, these may describe the book itself, such as a series that is not finished.
    "dropped": "abandoned",
    "stopped": "abandoned",
    "stopped reading": "abandoned",
    "unfinished": "abandoned",
    "completed": "read",
    "finished": "read",
    "read but unowned": "read",
    "true": "read",
    "yes": "read",
    "in progress": "reading",
    "on hold": "reading",
    "paused": "reading",
    "reading": "reading",
    "started": "reading",
    "false": "to-read",
    "for later": "to-read",
    "no": "to-read",
    "not started": "to-read",
    "planned": "to-read",
    "wish list": "to-read",
}

_STRONGEST_FIRST: tuple[Status, ...] = ("abandoned", "read", "reading", "to-read")


def _find_status(texts: Iterable[str], words: dict[str, Status]) -> Status | None:
    names = {
        normalize_text(name)
        for text in texts
        for name in re.split("[,|]", text)
        if len(name) <= MAX_LENGTH
    }
    statuses = {words[name] for name in names if name in words}
    return next((status for status in _STRONGEST_FIRST if status in statuses), None)


def choose_status(
    shelves: list[str],
    tags: list[str],
    *,
    is_stopped: bool,
    is_finished: bool,
    is_started: bool,
    is_unread: bool,
) -> tuple[Status, bool]:
    """Decides what the user did with a book.

    The shelf decides, but a tag such as "dnf" makes a book of the shelf "read" an abandoned one,
    because Goodreads and others have no shelf for this. Without such words dates and rating decide.

    Args:
        shelves: Names of shelves or collections.
        tags: Names of tags or further shelves.
        is_stopped: Whether there is a date on which the user stopped.
        is_finished: Whether it was read according to a date, a rating or a count.
        is_started: Whether there is a date on which the user began.
        is_unread: Whether it was read zero times.

    Returns:
        The status, and whether it is an assumption: a book of which nothing says that it was
        read, nor that it was not, counts as read.

    Example:
        >>> facts = dict(is_stopped=False, is_finished=False, is_started=False, is_unread=False)
        >>> choose_status(["read"], ["dnf, 2020"], **facts)
        ('abandoned', False)
        >>> choose_status(["favourites"], [], **facts)
        ('read', True)
    """
    shelf_status = _find_status(shelves, _SHELVES)
    if shelf_status is None or shelf_status == "read":
        tag_status = _find_status(tags, _TAGS)
        if tag_status == "abandoned" or shelf_status is None:
            shelf_status = tag_status
    if shelf_status is not None:
        return shelf_status, False
    if is_stopped:
        return "abandoned", False
    if is_finished:
        return "read", False
    if is_started:
        return "reading", False
    if is_unread:
        return "to-read", False
    return "read", True
