"""Reads splits with one line per user that lists all items of that user.

Published graph recommenders use this format.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.bad_rows import BadRows, OnBadRows, merge_counts_by_reason
from kd_tf.data.formats.files import SourceFile, get_single_table
from kd_tf.data.formats.lines import read_lines
from kd_tf.data.splits.published import TEST, TRAIN, VALIDATION


def read_user_item_lists(
    train: Path,
    test: Path,
    validation: Path | None = None,
    *,
    on_bad_rows: OnBadRows = "stop",
    name: str = "user-item-lists",
) -> Dataset:
    """Reads a split whose lines are ``user item item ...``, separated by blanks or tabs.

    A line may hold only a user, who then has no item in this part. If a user is on two lines, the
    items of both count. Items are numbered in the order of their first occurrence, in train, then
    validation, then test.

    The format is that of the splits published with He et al., "LightGCN", 2020, and Wang et al.,
    "Neural Graph Collaborative Filtering", 2019.

    Args:
        train: The training file, plain or packed.
        test: The test file.
        validation: The validation file, if there is one.
        on_bad_rows: What to do with a line whose ids are not all numbers. These files hold only
            numbers, so anything else points to another format.
        name: The name of the data set.

    Raises:
        UserError: A file is missing, empty or of another format.
    """
    files = [(TRAIN, train), (VALIDATION, validation), (TEST, test)]
    split_files = [
        _SplitFile(label, get_single_table(path), on_bad_rows)
        for label, path in files
        if path is not None
    ]
    dataset = from_chunks(name, (chunk for file in split_files for chunk in file))
    return dataclasses.replace(
        dataset,
        notes=tuple(note for file in split_files for note in file.notes) + dataset.notes,
        dropped_rows=merge_counts_by_reason(file.bad_rows for file in split_files),
        split_labels=np.concatenate(
            [np.full(file.num_rows, file.label, np.int8) for file in split_files]
        ),
    )


class _SplitFile:
    """The rows of one file; its counts and notes are complete after the last row."""

    def __init__(self, label: int, source: SourceFile, on_bad_rows: OnBadRows) -> None:
        self.label, self.source = label, source
        self.bad_rows = BadRows(source, on_bad_rows)
        self.notes: tuple[str, ...] = ()
        self.num_rows = 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        good_lines = 0
        for lines in read_lines(self.source):
            text = lines.text.str.replace_all("\t", " ", literal=True).str.strip_chars(" ")
            frame = pl.DataFrame({"line": lines.line_numbers(), "text": text}).filter(text != "")
            is_bad = ~frame["text"].str.contains(r"^[0-9]+( +[0-9]+)*$")
            if is_bad.any():
                failures = frame.filter(is_bad)
                self.bad_rows.add_all(
                    failures["line"], failures["text"], "is not a list of numeric user and item ids"
                )
                self.bad_rows.raise_or_skip()
                frame = frame.filter(~is_bad)
            good_lines += len(frame)
            ids = frame["text"].str.replace_all(" +", " ").str.split(" ")
            chunk = pl.DataFrame({"user": ids.list.first(), "item": ids.list.slice(1)}).explode(
                "item", empty_as_null=True
            )
            chunk = chunk.drop_nulls("item")
            self.num_rows += len(chunk)
            yield chunk
        self.notes = self.bad_rows.finish(good_lines)
