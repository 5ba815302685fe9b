"""Full topology: how near all readers and books of a batch are to each other."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.batch_entities import collect_entities, to_example_losses
from kd_tf.distill.losses.embeddings import (
    get_item_embeddings_in_user_space,
    normalize_to_unit_length,
)


@keras.saving.register_keras_serializable(package="kd_tf")
class FullTopology(DistillationLoss):
    """The cosines between all readers and target books of a batch, those of the teacher.

    ``mean over pairs (i, j) of (cos(s_i, s_j) - cos(t_i, t_j))^2``: the squared Frobenius distance
    of the two matrices over their entries. A reader's row is the loss of the reader's example,
    the rows of books are shared by all; the mean over the batch is that over all pairs.

    Kang, Hwang, Kweon & Yu, "Topology Distillation for Recommender System" (FTD, KDD 2021). The
    paper sums the entries; a mean does not grow with the batch. A vector of length 0 (a reader of
    nothing) has the cosine 0 with all. It is for students nearly as wide as the teacher; a narrow
    one learns more from `HierarchicalTopology`.

    Args:
        books: At most so many different target books of a batch, at least 1.
    """

    teacher_outputs = ("teacher_reader",)

    def __init__(self, max_items: int = 256, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if max_items < 1:
            raise ValueError(f"books must be at least 1, not {max_items}")
        self.max_items = max_items

    def build(self, setup: DistillationSetup) -> None:
        get_item_embeddings_in_user_space(setup.student, "FullTopology")
        self.teacher_item_embeddings = get_item_embeddings_in_user_space(
            setup.teacher, "FullTopology"
        )

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        entities = collect_entities(batch, self.teacher_item_embeddings, self.max_items)
        there = entities.mask
        error = compute_squared_cosine_errors(entities.student, entities.teacher)
        rows = there * tf.linalg.matvec(error, there)
        return to_example_losses(rows / tf.reduce_sum(there) ** 2, entities.num_users)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_items": self.max_items}


def compute_squared_cosine_errors(student: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """Of the cosines of vectors [N, d] and of vectors [N, d'] with each other: [N, N]."""
    own, wanted = normalize_to_unit_length(student), normalize_to_unit_length(teacher)
    return tf.square(
        tf.matmul(own, own, transpose_b=True) - tf.matmul(wanted, wanted, transpose_b=True)
    )
