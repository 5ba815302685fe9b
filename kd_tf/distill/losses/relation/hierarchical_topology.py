"""Hierarchical topology distillation: cosines between groups, and within each group."""

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
    """Matches the teacher's topology of a batch between groups and within each group.

    ``between + within + assignment_weight * reconstruction``. Every user and target item belongs
    to the group that an assignment network finds most likely for its teacher embedding. *Between*
    is the mean squared difference of the cosines of the groups' mean embeddings (prototypes) with
    each other, or with all entities; *within* that of all pairs of entities of one group. The
    assignment is trained as in `DistillationExperts`: one network per group reconstructs the
    teacher's embeddings from the student's, chosen by a Gumbel softmax, so that a group is what
    one network can explain.

    Kang, Hwang, Kweon & Yu, "Topology Distillation for Recommender System" (HTD, KDD 2021).
    As there, users and items have separate groups. The paper's sums over pairs are means here,
    which do not grow with the batch, and the student's prototypes pass the gradient on to their
    members.

    Args:
        num_groups: The number of groups of users, and of items; at least 1.
        max_items: The maximum number of different target items of a batch, at least 1.
        compare_prototypes_with: ``"entities"``, cosines of prototypes with all entities, or
            ``"prototypes"``, with each other.
        assignment_weight: Weight of the reconstruction error, above 0.
        temperature: Temperature of the Gumbel softmax, above 0.
    """

    teacher_outputs = ("teacher_user_embeddings",)

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
                f"num_groups and max_items must be at least 1, not {num_groups} and {max_items}"
            )
        if compare_prototypes_with not in (ENTITIES, PROTOTYPES):
            raise ValueError(
                f"compare_prototypes_with must be {ENTITIES!r} or {PROTOTYPES!r}, not "
                f"{compare_prototypes_with!r}"
            )
        if not assignment_weight > 0 or not temperature > 0:
            raise ValueError(
                "assignment_weight and temperature must be above 0, not "
                f"{assignment_weight} and {temperature}"
            )
        self.num_groups, self.max_items = num_groups, max_items
        self.compare_prototypes_with = compare_prototypes_with
        self.assignment_weight, self.temperature = assignment_weight, temperature

    def build(self, setup: DistillationSetup) -> None:
        student = get_item_embeddings_in_user_space(setup.student, "HierarchicalTopology")
        self.teacher_item_embeddings = get_item_embeddings_in_user_space(
            setup.teacher, "HierarchicalTopology"
        )
        dims = int(student.shape[1]), int(self.teacher_item_embeddings.shape[1])
        self.user_group_experts = Experts(self.num_groups, *dims, setup.seed)
        self.item_group_experts = Experts(self.num_groups, *dims, setup.seed + 10)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        entities = collect_entities(batch, self.teacher_item_embeddings, self.max_items)
        membership = self.assign_groups(entities)
        topology = compute_within_group_loss(entities, membership)
        topology += self._compute_between_group_loss(entities, membership)
        reconstruction = self._compute_reconstruction_loss(entities, batch.training)
        topology_loss = to_example_losses(topology, entities.num_users)
        return topology_loss + self.assignment_weight * reconstruction

    def assign_groups(self, entities: BatchEntities) -> tf.Tensor:
        """Assigns each entity to a group: one-hot float32 [N, 2 * num_groups]; 0 for padding."""
        num_users = entities.num_users
        user_logits = self.user_group_experts.compute_selection_logits(entities.teacher[:num_users])
        item_logits = self.item_group_experts.compute_selection_logits(entities.teacher[num_users:])
        group = tf.concat(
            [tf.argmax(user_logits, axis=1), tf.argmax(item_logits, axis=1) + self.num_groups],
            axis=0,
        )
        return tf.one_hot(group, 2 * self.num_groups) * entities.mask[:, tf.newaxis]

    def _compute_between_group_loss(
        self, entities: BatchEntities, membership: tf.Tensor
    ) -> tf.Tensor:
        """Computes per-entity losses [N] whose sum is the mean over the pairs with a prototype."""
        group_sizes = tf.reduce_sum(membership, axis=0)
        is_used = tf.cast(group_sizes > 0, tf.float32)
        averaging = tf.math.divide_no_nan(membership, group_sizes)
        student_prototypes = tf.matmul(averaging, entities.student, transpose_a=True)
        teacher_prototypes = tf.matmul(averaging, entities.teacher, transpose_a=True)
        if self.compare_prototypes_with == PROTOTYPES:
            error = compute_squared_cosine_errors(student_prototypes, teacher_prototypes)
            error = tf.linalg.matvec(error, is_used) * is_used
            mean = tf.reduce_sum(error) / tf.maximum(tf.reduce_sum(is_used), 1.0) ** 2
            # No entity is responsible for it more than another, so all get the same share.
            return entities.mask * mean / tf.reduce_sum(entities.mask)
        error = tf.square(
            tf.matmul(
                normalize_to_unit_length(entities.student),
                normalize_to_unit_length(student_prototypes),
                transpose_b=True,
            )
            - tf.matmul(
                normalize_to_unit_length(entities.teacher),
                normalize_to_unit_length(teacher_prototypes),
                transpose_b=True,
            )
        )
        num_pairs = tf.maximum(tf.reduce_sum(is_used), 1.0) * tf.reduce_sum(entities.mask)
        return entities.mask * tf.linalg.matvec(error, is_used) / num_pairs

    def _compute_reconstruction_loss(self, entities: BatchEntities, training: bool) -> tf.Tensor:
        """Computes float32 [B]: the error of each user plus the mean error of the items."""
        num_users = entities.num_users
        user_errors = self.user_group_experts.compute_error(
            entities.student[:num_users], entities.teacher[:num_users], self.temperature, training
        )
        item_mask = entities.mask[num_users:]
        item_errors = item_mask * self.item_group_experts.compute_error(
            entities.student[num_users:], entities.teacher[num_users:], self.temperature, training
        )
        return user_errors + tf.math.divide_no_nan(
            tf.reduce_sum(item_errors), tf.reduce_sum(item_mask)
        )

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
    """Computes per-entity losses [N] whose sum is the mean over the pairs of the same group.

    An entity paired with itself counts as a pair.

    Args:
        entities: N users and items.
        membership: float32 [N, G], one-hot groups of the entities.
    """
    same_group = tf.matmul(membership, membership, transpose_b=True)
    error = same_group * compute_squared_cosine_errors(entities.student, entities.teacher)
    return tf.reduce_sum(error, axis=1) / tf.maximum(tf.reduce_sum(same_group), 1.0)
