"""Hierarchical topology: how near groups are to each other, and entities within a group."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.batch_entities import (
    BatchEntities,
    collect_entities,
    to_example_losses,
)
from kd_tf.distill.losses.embeddings import (
    get_item_embeddings_in_user_space,
    normalize_to_unit_length,
)
from kd_tf.distill.losses.experts import Experts
from kd_tf.distill.losses.relation.full_topology import compute_squared_cosine_errors

PROTOTYPES = "prototypes"
ENTITIES = "entities"


@keras.saving.register_keras_serializable(package="kd_tf")
class HierarchicalTopology(DistillationLoss):
    """The teacher's topology of a batch, decomposed: between groups, and within each.

    ``between + within + assignment * reconstruction``. Every reader and target book belongs to
    the group that an assignment network finds likeliest for its teacher's vector. *Between* is
    the mean squared difference of the cosines of the groups' mean vectors (prototypes) with each
    other, or with all entities; *within* that of all pairs of entities of one group. The
    assignment is trained as in `DistillationExperts`: a network of each group reconstructs the
    teacher's vectors from the student's, chosen by a Gumbel softmax, so that a group is what one
    network can explain.

    Kang, Hwang, Kweon & Yu, "Topology Distillation for Recommender System" (HTD, KDD 2021).
    Readers and books have groups of their own, as there. The paper's sums over pairs are means
    here, which do not grow with the batch, and the student's prototypes pass the gradient on to
    their members.

    Args:
        groups: How many of readers, and as many of books; at least 1.
        books: At most so many different target books of a batch, at least 1.
        between: ``"entities"``, cosines of prototypes with entities, or ``"prototypes"``, with
            each other.
        assignment: Weight of the reconstruction, above 0.
        temperature: Of the Gumbel softmax, above 0.
    """

    teacher_outputs = ("teacher_reader",)

    def __init__(
        self,
        num_groups: int = 30,
        max_items: int = 256,
        compare_prototypes_with: str = ENTITIES,
        assignment_weight: float = 1.0,
        temperature: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_groups < 1 or max_items < 1:
            raise ValueError(
                f"groups and books must be at least 1, not {num_groups} and {max_items}"
            )
        if compare_prototypes_with not in (ENTITIES, PROTOTYPES):
            raise ValueError(
                f"between must be {ENTITIES} or {PROTOTYPES}, not {compare_prototypes_with!r}"
            )
        if not assignment_weight > 0 or not temperature > 0:
            raise ValueError(
                f"assignment and temperature must be above 0, not {assignment_weight} and {temperature}"
            )
        self.num_groups, self.max_items, self.compare_prototypes_with = (
            num_groups,
            max_items,
            compare_prototypes_with,
        )
        self.assignment_weight, self.temperature = assignment_weight, temperature

    def build(self, setup: DistillationSetup) -> None:
        own = get_item_embeddings_in_user_space(setup.student, "HierarchicalTopology")
        self.teacher_item_embeddings = get_item_embeddings_in_user_space(
            setup.teacher, "HierarchicalTopology"
        )
        widths = int(own.shape[1]), int(self.teacher_item_embeddings.shape[1])
        self.user_group_experts = Experts(self.num_groups, *widths, setup.seed)
        self.item_group_experts = Experts(self.num_groups, *widths, setup.seed + 10)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        entities = collect_entities(batch, self.teacher_item_embeddings, self.max_items)
        member = self.assign_groups(entities)
        topology = compute_within_group_loss(entities, member) + self._compute_between_group_loss(
            entities, member
        )
        return to_example_losses(
            topology, entities.num_users
        ) + self.assignment_weight * self._compute_reconstruction_loss(entities, batch.training)

    def assign_groups(self, entities: BatchEntities) -> tf.Tensor:
        """float32 [N, 2 groups]: 1 for the group of an entity; padding has none."""
        count = entities.num_users
        users = self.user_group_experts.compute_selection_logits(entities.teacher[:count])
        items = self.item_group_experts.compute_selection_logits(entities.teacher[count:])
        group = tf.concat(
            [tf.argmax(users, axis=1), tf.argmax(items, axis=1) + self.num_groups], axis=0
        )
        return tf.one_hot(group, 2 * self.num_groups) * entities.mask[:, tf.newaxis]

    def _compute_between_group_loss(
        self, entities: BatchEntities, membership: tf.Tensor
    ) -> tf.Tensor:
        """float32 [N], of sum the mean over pairs of a prototype and what it is compared with."""
        sizes = tf.reduce_sum(membership, axis=0)
        used = tf.cast(sizes > 0, tf.float32)
        mean = tf.math.divide_no_nan(membership, sizes)
        own = tf.matmul(mean, entities.student, transpose_a=True)
        wanted = tf.matmul(mean, entities.teacher, transpose_a=True)
        if self.compare_prototypes_with == PROTOTYPES:
            error = tf.linalg.matvec(compute_squared_cosine_errors(own, wanted), used) * used
            total = tf.reduce_sum(error) / tf.maximum(tf.reduce_sum(used), 1.0) ** 2
            # It belongs to no entity more than to another.
            return entities.mask * total / tf.reduce_sum(entities.mask)
        error = tf.square(
            tf.matmul(
                normalize_to_unit_length(entities.student),
                normalize_to_unit_length(own),
                transpose_b=True,
            )
            - tf.matmul(
                normalize_to_unit_length(entities.teacher),
                normalize_to_unit_length(wanted),
                transpose_b=True,
            )
        )
        pairs = tf.maximum(tf.reduce_sum(used), 1.0) * tf.reduce_sum(entities.mask)
        return entities.mask * tf.linalg.matvec(error, used) / pairs

    def _compute_reconstruction_loss(self, entities: BatchEntities, training: bool) -> tf.Tensor:
        """float32 [B], the reader's own and the mean of the books."""
        count = entities.num_users
        users = self.user_group_experts.compute_error(
            entities.student[:count], entities.teacher[:count], self.temperature, training
        )
        items = entities.mask[count:] * self.item_group_experts.compute_error(
            entities.student[count:], entities.teacher[count:], self.temperature, training
        )
        found = tf.reduce_sum(entities.mask[count:])
        return users + tf.math.divide_no_nan(tf.reduce_sum(items), found)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_groups": self.num_groups,
            "max_items": self.max_items,
            "compare_prototypes_with": self.compare_prototypes_with,
            "assignment_weight": self.assignment_weight,
            "temperature": self.temperature,
        }


def compute_within_group_loss(entities: BatchEntities, membership: tf.Tensor) -> tf.Tensor:
    """float32 [N], of sum the mean over pairs of one group; an entity and itself count as one."""
    together = tf.matmul(membership, membership, transpose_b=True)
    error = together * compute_squared_cosine_errors(entities.student, entities.teacher)
    return tf.reduce_sum(error, axis=1) / tf.maximum(tf.reduce_sum(together), 1.0)
