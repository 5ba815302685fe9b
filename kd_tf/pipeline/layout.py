"""In which order the books stand in a file: the catalogue's, or one that two stages can search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.tied_table import TiedTableModel
from kd_tf.progress import Progress, Silent
from kd_tf.tflite.clustered import ClusteredStudent, block_size, clustered_order, enough_blocks

Search = Literal["exact", "two-stage", "auto"]

ORDER = "order.npy"
"""Where an order is kept beside the files that have it."""

TWO_STAGES_FROM = 200_000
"""Books from which on ``auto`` tries two stages."""

CHOOSING_READERS = 500
"""Validation readers who choose how many blocks are read."""


@dataclass(frozen=True)
class Layout:
    """A student and its readers in the ids of its files.

    Attributes:
        student: A `ClusteredStudent` where two stages search.
        split: Of the readers.
    """

    student: HistoryModel
    split: Split

    @property
    def order(self) -> np.ndarray | None:
        """int32 [V], the catalogue's book at each place of the files; None where it is the same."""
        return self.student.order if isinstance(self.student, ClusteredStudent) else None

    def histories(self, given: np.ndarray) -> np.ndarray:
        """Histories int32 [n, L] of the catalogue's ids in those of the files."""
        if isinstance(self.student, ClusteredStudent):
            return np.asarray(self.student.places[given])
        return given


def laid_out(
    student: HistoryModel,
    split: Split,
    search: Search,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Layout:
    """Puts the books in the order that the search needs.

    Args:
        student: Trained.
        split: Its validation readers choose how many blocks are read.
        search: ``auto`` is ``two-stage`` from `TWO_STAGES_FROM` books on, where that finds enough.
        seed: Of the clusters.
        progress: Where to report.

    Raises:
        UserError: The student cannot be searched in two stages, or would find too few of the best
            books, and ``two-stage`` was asked for.
    """
    tied = isinstance(student, TiedTableModel) and student.scoring_table is student.table
    if search == "exact" or (search == "auto" and not (tied and student.books >= TWO_STAGES_FROM)):
        return Layout(student, split)
    if not tied:
        raise UserError(
            f"a {type(student).__name__} cannot be searched in two stages",
            where="export.catalogue_search",
            hint="mlp, shallow-cnn and multi-interest with one table can; or give exact.",
        )
    progress = progress or Silent()
    with progress.task("ordering the catalogue", 1) as advance:
        order = clustered_order(student.table.numpy(), block_size(student.books + 1), seed=seed)
        readers = split.validation.histories.padded(student.history_length)
        try:
            probed = enough_blocks(student, order, readers[:CHOOSING_READERS])
        except UserError as error:
            if search == "two-stage":
                raise
            progress.say(f"searched exactly: {error.what}")
            return Layout(student, split)
        advance(1)
    clustered = ClusteredStudent(student, order, probed)
    progress.say(
        f"searched in two stages: {clustered.probed} of {clustered.blocks} blocks of "
        f"{clustered.rows_a_block} books"
    )
    return Layout(clustered, split.renumbered(clustered.places))
