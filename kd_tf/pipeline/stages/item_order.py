"""In which order the books stand in a file: the catalogue's, or one that two stages can search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.tied_embedding import TiedEmbeddingModel
from kd_tf.progress import NullProgress, Progress
from kd_tf.tflite.two_stage_search import (
    TwoStageStudent,
    choose_block_size,
    choose_num_probes,
    cluster_items,
)

SearchMode = Literal["exact", "two-stage", "auto"]

ORDER_FILE = "order.npy"
"""Where an order is kept beside the files that have it."""

MIN_TWO_STAGE_ITEMS = 200_000
"""Books from which on ``auto`` tries two stages."""

NUM_VALIDATION_USERS = 500
"""Validation readers who choose how many blocks are read."""


@dataclass(frozen=True)
class ItemOrder:
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
        return self.student.order if isinstance(self.student, TwoStageStudent) else None

    def to_file_ids(self, histories: np.ndarray) -> np.ndarray:
        """Histories int32 [n, L] of the catalogue's ids in those of the files."""
        if isinstance(self.student, TwoStageStudent):
            return np.asarray(self.student.reordered_ids[histories])
        return histories


def choose_item_order(
    student: HistoryModel,
    split: Split,
    search: SearchMode,
    *,
    seed: int,
    progress: Progress | None = None,
) -> ItemOrder:
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
    tied = isinstance(student, TiedEmbeddingModel) and student.scoring_table is student.table
    if search == "exact" or (
        search == "auto" and not (tied and student.num_items >= MIN_TWO_STAGE_ITEMS)
    ):
        return ItemOrder(student, split)
    if not tied:
        raise UserError(
            f"a {type(student).__name__} cannot be searched in two stages",
            where="export.catalogue_search",
            hint="mlp, shallow-cnn and multi-interest with one table can; or give exact.",
        )
    progress = progress or NullProgress()
    with progress.task("ordering the catalogue", 1) as advance:
        order = cluster_items(
            student.table.numpy(), choose_block_size(student.num_items + 1), seed=seed
        )
        users = split.validation.histories.pad(student.max_length)
        try:
            probed = choose_num_probes(student, order, users[:NUM_VALIDATION_USERS])
        except UserError as error:
            if search == "two-stage":
                raise
            progress.info(f"searched exactly: {error.what}")
            return ItemOrder(student, split)
        advance(1)
    clustered = TwoStageStudent(student, order, probed)
    progress.info(
        f"searched in two stages: {clustered.num_probes} of {clustered.num_blocks} blocks of "
        f"{clustered.rows_per_block} books"
    )
    return ItemOrder(clustered, split.renumber_items(clustered.reordered_ids))
