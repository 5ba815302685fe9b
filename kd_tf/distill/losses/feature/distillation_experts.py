"""Distillation experts (DE): expert networks reconstruct the teacher's embeddings."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.batch_entities import sample_target_items
from kd_tf.distill.losses.embeddings import (
    compute_student_user_embeddings,
    get_item_embeddings,
    get_teacher_user_embeddings,
    get_user_embedding_dim,
)
from kd_tf.distill.losses.experts import Experts


@keras.saving.register_keras_serializable(package="kd_tf")
class DistillationExperts(DistillationLoss):
    """Reconstructs the teacher's user and item embeddings from the student's with experts.

    ``|t - sum over e of z_e E_e(s)|^2 / d'`` with z drawn by a Gumbel softmax of a selection
    network on t; users and items have separate experts, and the mean over the batch's items is
    added to every user's loss. The temperature of the Gumbel softmax falls from
    `initial_temperature` to `final_temperature` as ``initial * (final / initial)^progress``: in
    the end a single expert is selected, so each specializes on one kind of user.

    Kang, Hwang, Kweon & Yu, "DE-RRD: A Knowledge Distillation Framework for Recommender System"
    (CIKM 2020). The paper sums over dimensions and entities; here it is a mean, so that the
    weight of the method does not depend on dimensions and batches. The paper cools to 1e-10,
    where the gradient of the Gumbel softmax is 0 or overflows; 0.01 selects one expert as well.

    Args:
        num_experts: The number of experts for users, and for items; at least 1.
        max_items: The maximum number of different target items of a batch, at least 1.
        initial_temperature: Temperature at the beginning, above 0.
        final_temperature: Temperature at the end, above 0 and at most `initial_temperature`.
    """

    teacher_outputs = ("teacher_user_embeddings",)

    def __init__(
        self,
        num_experts: int = 30,
        max_items: int = 256,
        initial_temperature: float = 1.0,
        final_temperature: float = 0.01,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_experts < 1 or max_items < 1:
            raise ValueError(
                f"num_experts and max_items must be at least 1, not {num_experts} and {max_items}"
            )
        if not 0 < final_temperature <= initial_temperature:
            raise ValueError(
                "final_temperature must be above 0 and at most initial_temperature, not "
                f"{final_temperature} with an initial_temperature of {initial_temperature}"
            )
        self.num_experts, self.max_items = num_experts, max_items
        self.initial_temperature, self.final_temperature = initial_temperature, final_temperature

    def build(self, setup: DistillationSetup) -> None:
        method = "DistillationExperts"
        teacher, student = setup.teacher, setup.student
        self.teacher_item_embeddings = get_item_embeddings(teacher, method)
        student_item_embeddings = get_item_embeddings(student, method)
        self.user_experts = Experts(
            self.num_experts,
            get_user_embedding_dim(student, method),
            get_user_embedding_dim(teacher, method),
            setup.seed,
        )
        self.item_experts = Experts(
            self.num_experts,
            student_item_embeddings.shape[1],
            self.teacher_item_embeddings.shape[1],
            setup.seed + 10,
        )

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        cooling = (self.final_temperature / self.initial_temperature) ** batch.progress
        temperature = self.initial_temperature * cooling
        ids = sample_target_items(batch, self.max_items)
        mask = tf.cast(ids > 0, tf.float32)
        item_errors = mask * self.item_experts.compute_error(
            tf.gather(batch.student.item_embeddings(), ids),
            tf.gather(self.teacher_item_embeddings, ids),
            temperature,
            batch.training,
        )
        user_errors = self.user_experts.compute_error(
            compute_student_user_embeddings(batch),
            get_teacher_user_embeddings(batch),
            temperature,
            batch.training,
        )
        return user_errors + tf.math.divide_no_nan(tf.reduce_sum(item_errors), tf.reduce_sum(mask))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_experts": self.num_experts,
            "max_items": self.max_items,
            "initial_temperature": self.initial_temperature,
            "final_temperature": self.final_temperature,
        }
