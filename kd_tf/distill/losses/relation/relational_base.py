"""Base of the relational losses, which compare the users or the target items of a batch."""

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

USERS = "users"
ITEMS = "items"


@dataclass(frozen=True)
class PairedEmbeddings:
    """Embeddings of the same users, or of the same items, in both spaces.

    Attributes:
        student: float32 [N, d], the student's embeddings.
        teacher: float32 [N, d'], the teacher's embeddings.
        mask: float32 [N], 0 for padding, otherwise 1.
        batch_size: int32 [], B.
        are_users: Whether these are the first N users of the batch and not items.
    """

    student: tf.Tensor
    teacher: tf.Tensor
    mask: tf.Tensor
    batch_size: tf.Tensor
    are_users: bool

    def to_example_losses(self, entity_losses: tf.Tensor) -> tf.Tensor:
        """Scatters per-entity losses to per-example losses: float32 [B], of mean ``sum(losses)``.

        Args:
            entity_losses: float32 [N].
        """
        if not self.are_users:
            return tf.fill([self.batch_size], tf.reduce_sum(entity_losses))
        num_others = self.batch_size - tf.shape(entity_losses)[0]
        return tf.pad(entity_losses * tf.cast(self.batch_size, tf.float32), [[0, num_others]])


def get_teacher_item_embeddings(
    setup: DistillationSetup, entities: str, method: str
) -> tf.Tensor | None:
    """Returns the teacher's item embeddings where items are compared, None for users.

    Args:
        setup: Student and teacher.
        entities: `USERS` or `ITEMS`.
        method: Name of the distillation method, for the error message.

    Raises:
        ValueError: Student or teacher has no embeddings of these entities.
    """
    if entities == USERS:
        get_user_embedding_dim(setup.student, method)
        get_user_embedding_dim(setup.teacher, method)
        return None
    get_item_embeddings(setup.student, method)
    return get_item_embeddings(setup.teacher, method)


def gather_paired_embeddings(
    batch: DistillationBatch,
    entities: str,
    teacher_item_embeddings: tf.Tensor | None,
    max_entities: int,
) -> PairedEmbeddings:
    """Gathers the embeddings of a batch's users or target items.

    Args:
        batch: The batch; with the label ``teacher_user_embeddings`` where users are compared.
        entities: `USERS` or `ITEMS`.
        teacher_item_embeddings: float32 [V + 1, d'] where items are compared.
        max_entities: The maximum number of users or items.
    """
    batch_size = tf.shape(batch.history)[0]
    if entities == USERS:
        student = compute_student_user_embeddings(batch)[:max_entities]
        teacher = get_teacher_user_embeddings(batch)[:max_entities]
        mask = tf.ones([tf.shape(student)[0]])
        return PairedEmbeddings(student, teacher, mask, batch_size, are_users=True)
    ids = sample_target_items(batch, max_entities)
    return PairedEmbeddings(
        student=tf.gather(batch.student.item_embeddings(), ids),
        teacher=tf.gather(teacher_item_embeddings, ids),
        mask=tf.cast(ids > 0, tf.float32),
        batch_size=batch_size,
        are_users=False,
    )


class RelationalLoss(DistillationLoss):
    """Base of losses that compare the users of a batch, or its target items, with each other.

    Args:
        entities: ``"users"`` or ``"items"``.
        max_entities: The maximum number of compared users or items, at least `min_entities`.
    """

    teacher_outputs: tuple[str, ...] = ("teacher_user_embeddings",)
    min_entities = 2

    def __init__(self, entities: str = USERS, max_entities: int = 256, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if entities not in (USERS, ITEMS):
            raise ValueError(f"entities must be {USERS!r} or {ITEMS!r}, not {entities!r}")
        if max_entities < self.min_entities:
            raise ValueError(
                f"max_entities must be at least {self.min_entities}, not {max_entities}"
            )
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


def compute_huber_loss(error: tf.Tensor) -> tf.Tensor:
    """Computes the Huber loss of errors: ``x^2 / 2`` up to 1 and ``|x| - 1/2`` beyond."""
    size = tf.abs(error)
    return tf.where(size <= 1.0, 0.5 * tf.square(error), size - 0.5)
