"""Full topology distillation: the cosines between all users and items of a batch."""

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
    """Matches the teacher's cosines between all users and target items of a batch.

    ``mean over pairs (i, j) of (cos(s_i, s_j) - cos(t_i, t_j))^2``: the squared Frobenius distance
    of the two matrices divided by the number of entries. The row of a user is the loss of the
    user's example, the rows of items are shared by all examples; the mean over the batch is the
    mean over all pairs.

    Kang, Hwang, Kweon & Yu, "Topology Distillation for Recommender System" (FTD, KDD 2021). The
    paper sums the entries; a mean does not grow with the batch. A vector of length 0 (a user
    without items) has cosine 0 with all others. The method suits students with nearly the
    teacher's dimension; a smaller student learns more from `HierarchicalTopology`.

    Args:
        max_items: The maximum number of different target items of a batch, at least 1.
    """

    teacher_outputs = ("teacher_user_embeddings",)

    def __init__(self, max_items: int = 256, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if max_items < 1:
            raise ValueError(f"max_items must be at least 1, not {max_items}")
        self.max_items = max_items

    def build(self, setup: DistillationSetup) -> None:
        get_item_embeddings_in_user_space(setup.student, "FullTopology")
        self.teacher_item_embeddings = get_item_embeddings_in_user_space(
            setup.teacher, "FullTopology"
        )

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        entities = collect_entities(batch, self.teacher_item_embeddings, self.max_items)
        mask = entities.mask
        error = compute_squared_cosine_errors(entities.student, entities.teacher)
        entity_losses = mask * tf.linalg.matvec(error, mask)
        return to_example_losses(entity_losses / tf.reduce_sum(mask) ** 2, entities.num_users)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_items": self.max_items}


def compute_squared_cosine_errors(student: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """Computes the squared differences of the pairwise cosines of two sets of vectors: [N, N].

    Args:
        student: float32 [N, d].
        teacher: float32 [N, d'].
    """
    student, teacher = normalize_to_unit_length(student), normalize_to_unit_length(teacher)
    return tf.square(
        tf.matmul(student, student, transpose_b=True)
        - tf.matmul(teacher, teacher, transpose_b=True)
    )
