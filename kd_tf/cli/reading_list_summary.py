"""What `kd-tf recommend` says of a reading list, for people and as JSON."""

from __future__ import annotations

from typing import Any

from kd_tf.runtime.reading_lists import ReadingList, ReadingListEntry, ReadingListMatch

MAX_UNMATCHED_LINES = 5
"""Maximum number of books that the catalog lacks which are listed for people."""


def describe_reading_list(reading_list: ReadingList, match: ReadingListMatch) -> dict[str, Any]:
    """Returns what JSON output says of a reading list: all figures and all books not found."""
    return {
        "file": reading_list.path,
        "format": reading_list.format.name,
        "books": len(reading_list.entries),
        **_count_statuses(reading_list, match),
        "in_catalog": len(match.history),
        "repeated": match.num_repeated,
        "not_in_catalog": [
            {"line": entry.line, "title": entry.title, "author": entry.author}
            for entry in match.unmatched_entries
        ],
        "not_recommended": [item.item_id for item in match.excluded_items],
        "unclear_dates": [
            {"line": line, "text": text} for line, text in reading_list.unclear_dates
        ],
    }


def _count_statuses(reading_list: ReadingList, match: ReadingListMatch) -> dict[str, int]:
    return {
        "read": reading_list.count("read"),
        "rated": sum(
            entry.status == "read" and entry.rating is not None for entry in reading_list.entries
        ),
        "rated_low": match.num_low_rated,
        "assumed_read": sum(entry.is_assumed for entry in reading_list.entries),
        "reading": reading_list.count("reading"),
        "to_read": reading_list.count("to-read"),
        "abandoned": reading_list.count("abandoned"),
    }


def summarize_reading_list(
    reading_list: ReadingList, match: ReadingListMatch, min_rating: float
) -> list[str]:
    """Returns the lines that tell people what was read from a file, and what was not."""
    counts = _count_statuses(reading_list, match)
    parts = (
        f"{counts['read']:,} read ({counts['rated']:,} rated)",
        *(
            f"{counts[key]:,} {words}"
            for key, words in (
                ("reading", "being read"),
                ("to_read", "to read"),
                ("abandoned", "abandoned"),
            )
            if counts[key]
        ),
    )
    num_books = len(reading_list.entries)
    lines = [
        f"{reading_list.path}: {reading_list.format.label}, {num_books:,} "
        f"{'book' if num_books == 1 else 'books'}: {', '.join(parts)}"
    ]
    if counts["assumed_read"]:
        lines.append(f"counted as read, because the file does not say: {counts['assumed_read']:,}")
    if counts["rated_low"]:
        lines.append(
            f"not in your history, because you rated them below {min_rating:g}: "
            f"{counts['rated_low']:,}"
        )
    num_liked = counts["read"] - counts["rated_low"]
    lines.append(f"in this catalog: {num_liked - len(match.unmatched_entries):,} of {num_liked:,}")
    if match.unmatched_entries:
        lines.append("not in this catalog:")
        lines += [f"  {_label(entry)}" for entry in match.unmatched_entries[:MAX_UNMATCHED_LINES]]
        if len(match.unmatched_entries) > MAX_UNMATCHED_LINES:
            rest = len(match.unmatched_entries) - MAX_UNMATCHED_LINES
            lines.append(f"  and {rest:,} more, which --json lists")
    if reading_list.unclear_dates:
        line, text = reading_list.unclear_dates[0]
        lines.append(
            f"unclear dates: {len(reading_list.unclear_dates):,}, the first in line {line}: "
            f"{text[:40]!r}. Write them as 2023-03-10; books without a date count as the oldest."
        )
    return lines


def _label(entry: ReadingListEntry) -> str:
    title = entry.title[:80] or "(no title)"
    return f"{title} ({entry.author[:60]})" if entry.author else title
