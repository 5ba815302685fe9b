"""Chooses the order of the items in a file: the catalog's, or clusters for two-stage search."""

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
"""File name of the order, in the folder of the artifacts."""

MIN_TWO_STAGE_ITEMS = 200_000
"""``auto`` tries two-stage search from this catalog size on."""

NUM_VALIDATION_USERS = 500
"""Number of validation users that choose the number of probed clusters."""


@dataclass(frozen=True)
class ItemOrder:
    """A student and a split with the item IDs of the exported files.

    Attributes:
        student: The student; a `TwoStageStudent` if the search has two stages.
        split: The split with the files' item IDs.
    """

    student: HistoryModel
    split: Split

    @property
    def order(self) -> np.ndarray | None:
        """The catalog's item ID at each position of the files, int32 [V]; None if equal."""
        return self.student.order if isinstance(self.student, TwoStageStudent) else None

    def to_file_ids(self, histories: np.ndarray) -> np.ndarray:
        """Converts histories int32 [n, L] from the catalog's item IDs to those of the files."""
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
    """Chooses the order of the items that the search needs.

    Args:
        student: The trained student.
        split: Its validation users choose the number of probed clusters.
        search: ``exact``, ``two-stage``, or ``auto``: ``two-stage`` from `MIN_TWO_STAGE_ITEMS`
            items on, if its recall is high enough.
        seed: Random seed of the clustering.
        progress: Where to report; by default nowhere.

    Raises:
        UserError: ``search`` is ``two-stage``, but the student does not support it or its recall
            would be too low.
    """
    is_tied = isinstance(student, TiedEmbeddingModel) and student.scoring_table is student.table
    if search == "exact" or (
        search == "auto" and not (is_tied and student.num_items >= MIN_TWO_STAGE_ITEMS)
    ):
        return ItemOrder(student, split)
    if not is_tied:
        raise UserError(
            f"{type(student).__name__} does not support two-stage search",
            where="export.catalog_search",
            hint="Use mlp, shallow-cnn or multi-interest with one table, or search exact.",
        )
    progress = progress or NullProgress()
    with progress.task("clustering the catalog", 1) as advance:
        order = cluster_items(
            student.table.numpy(), choose_block_size(student.num_items + 1), seed=seed
        )
        histories = split.validation.histories.pad(student.max_length)
        try:
            num_probes = choose_num_probes(student, order, histories[:NUM_VALIDATION_USERS])
        except UserError as error:
            if search == "two-stage":
                raise
            progress.info(f"using exact search: {error.what}")
            return ItemOrder(student, split)
        advance(1)
    two_stage = TwoStageStudent(student, order, num_probes)
    progress.info(
        f"using two-stage search: {two_stage.num_probes} of {two_stage.num_blocks} blocks of "
        f"{two_stage.rows_per_block} items"
    )
    return ItemOrder(two_stage, split.renumber_items(two_stage.reordered_ids))
