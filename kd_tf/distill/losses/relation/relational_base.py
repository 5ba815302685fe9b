"""What relational methods compare with each other: the readers of a batch, or its books."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kd_tf.backend import tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.batch_entities import sample_target_items
from kd_tf.distill.losses.embeddings import (
    compute_student_user_embeddings,
    get_item_embeddings,
    get_teacher_user_embeddings,
    get_user_embedding_dim,
)

USERS = "readers"
ITEMS = "books"


@dataclass(frozen=True)
class PairedEmbeddings:
    """Readers or books of a batch.

    Attributes:
        student: float32 [N, d].
        teacher: float32 [N, d'].
        there: float32 [N], 0 for padding.
        batch: int32 [], B.
        readers: Whether they are readers: the first N of the batch.
    """

    student: tf.Tensor
    teacher: tf.Tensor
    mask: tf.Tensor
    batch_size: tf.Tensor
    are_users: bool

    def to_example_losses(self, entity_losses: tf.Tensor) -> tf.Tensor:
        """One number each as one an example: float32 [B], of mean ``sum(rows)``."""
        if not self.are_users:
            return tf.fill([self.batch_size], tf.reduce_sum(entity_losses))
        beyond = self.batch_size - tf.shape(entity_losses)[0]
        return tf.pad(entity_losses * tf.cast(self.batch_size, tf.float32), [[0, beyond]])


def get_teacher_item_embeddings(
    setup: DistillationSetup, entities: str, method: str
) -> tf.Tensor | None:
    """The teacher's vectors of books where books are compared; checks that there are vectors.

    Raises:
        ValueError: Student or teacher has none.
    """
    if entities == USERS:
        get_user_embedding_dim(setup.student, method)
        get_user_embedding_dim(setup.teacher, method)
        return None
    get_item_embeddings(setup.student, method)
    return get_item_embeddings(setup.teacher, method)


def gather_paired_embeddings(
    step: DistillationBatch,
    entities: str,
    teacher_item_embeddings: tf.Tensor | None,
    max_entities: int,
) -> PairedEmbeddings:
    """At most `most` readers of a batch, or target books of `table`."""
    batch = tf.shape(step.history)[0]
    if entities == USERS:
        own, wanted = (
            compute_student_user_embeddings(step)[:max_entities],
            get_teacher_user_embeddings(step)[:max_entities],
        )
        return PairedEmbeddings(own, wanted, tf.ones([tf.shape(own)[0]]), batch, are_users=True)
    ids = sample_target_items(step, max_entities)
    return PairedEmbeddings(
        student=tf.gather(step.student.item_embeddings(), ids),
        teacher=tf.gather(teacher_item_embeddings, ids),
        mask=tf.cast(ids > 0, tf.float32),
        batch_size=batch,
        are_users=False,
    )


class RelationalLoss(DistillationLoss):
    """A method that compares readers of a batch, or its target books, with each other.

    Args:
        of: ``"readers"`` or ``"books"``.
        most: At most so many of them are compared, at least `least`.
    """

    teacher_outputs: tuple[str, ...] = ("teacher_reader",)
    min_entities = 2

    def __init__(self, entities: str = USERS, max_entities: int = 256, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if entities not in (USERS, ITEMS):
            raise ValueError(f"of must be {USERS} or {ITEMS}, not {entities!r}")
        if max_entities < self.min_entities:
            raise ValueError(f"most must be at least {self.min_entities}, not {max_entities}")
        self.entities, self.max_entities = entities, max_entities
        self.teacher_outputs = self.teacher_outputs if entities == USERS else ()

    def build(self, setup: DistillationSetup) -> None:
        self.teacher_item_embeddings = get_teacher_item_embeddings(
            setup, self.entities, type(self).__name__
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "entities": self.entities,
            "max_entities": self.max_entities,
        }


def huber(error: tf.Tensor) -> tf.Tensor:
    """``x^2 / 2`` up to 1 and ``|x| - 1/2`` beyond."""
    size = tf.abs(error)
    return tf.where(size <= 1.0, 0.5 * tf.square(error), size - 0.5)
