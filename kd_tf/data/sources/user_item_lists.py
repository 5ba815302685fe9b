"""A line a reader, with all books of that reader: as graph recommenders publish their splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from kd_tf.data.formats.bad_rows import BadRows, OnBadRows, merge_counts_by_reason
from kd_tf.data.formats.files import SourceFile, get_single_table
from kd_tf.data.formats.lines import read_lines
from kd_tf.data.interactions import Dataset, from_chunks
from kd_tf.data.splits.published import TEST, TRAIN, VALIDATION


def read_user_item_lists(
    train: Path,
    test: Path,
    validation: Path | None = None,
    *,
    on_bad_rows: OnBadRows = "stop",
    name: str = "user-item-lists",
) -> Dataset:
    """Reads a split whose lines are ``user item item ...``, parted by blanks or tabs.

    A line with a user alone is legal: that reader has no book in this part. A user on two lines
    has the books of both. Books are numbered in the order in which they first come, in train,
    then validation, then test.
    Source of the format: He et al., "LightGCN", 2020, and Wang et al., "Neural Graph Collaborative
    Filtering", 2019, whose published splits have it.

    Args:
        train: The training file, plain or packed.
        test: The test file.
        validation: The validation file, where there is one.
        on_bad_rows: What a line with an id that is no number does: these files hold numbers only,
            so anything else is another format.
        name: Names the data.

    Raises:
        UserError: A file is missing, empty or of another format.
    """
    files = [(TRAIN, train), (VALIDATION, validation), (TEST, test)]
    parts = [
        _SplitFile(number, get_single_table(path), on_bad_rows)
        for number, path in files
        if path is not None
    ]
    dataset = from_chunks(name, (chunk for part in parts for chunk in part))
    return dataclasses.replace(
        dataset,
        notes=tuple(note for part in parts for note in part.notes) + dataset.notes,
        dropped_rows=merge_counts_by_reason(part.bad_rows for part in parts),
        split_labels=np.concatenate([np.full(part.num_rows, part.part, np.int8) for part in parts]),
    )


class _SplitFile:
    """The rows of one file; what is known of them after they were iterated over."""

    def __init__(self, number: int, source: SourceFile, on_bad_rows: OnBadRows) -> None:
        self.part, self.source = number, source
        self.bad_rows = BadRows(source, on_bad_rows)
        self.notes: tuple[str, ...] = ()
        self.num_rows = 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        good_lines = 0
        for lines in read_lines(self.source):
            text = lines.text.str.replace_all("\t", " ", literal=True).str.strip_chars(" ")
            frame = pl.DataFrame({"line": lines.line_numbers(), "text": text}).filter(text != "")
            wrong = ~frame["text"].str.contains(r"^[0-9]+( +[0-9]+)*$")
            if wrong.any():
                failed = frame.filter(wrong)
                self.bad_rows.add_all(
                    failed["line"], failed["text"], "is no list of a user's and items' numbers"
                )
                self.bad_rows.raise_or_skip()
                frame = frame.filter(~wrong)
            good_lines += len(frame)
            ids = frame["text"].str.replace_all(" +", " ").str.split(" ")
            chunk = pl.DataFrame({"user": ids.list.first(), "item": ids.list.slice(1)}).explode(
                "item", empty_as_null=True
            )
            chunk = chunk.drop_nulls("item")
            self.num_rows += len(chunk)
            yield chunk
        self.notes = self.bad_rows.finish(good_lines)
