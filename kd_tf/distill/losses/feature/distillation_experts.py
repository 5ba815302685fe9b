"""Distillation experts: the teacher's vectors, reconstructed by the expert for their kind."""

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
    """The teacher's vectors of readers and books, which experts reconstruct from the student's.

    ``|t - sum over e of z_e E_e(s)|^2 / d'`` with z drawn by a Gumbel softmax of a selection
    network on t; readers and books have experts of their own, and the books' mean over those of
    the batch is added to every reader's loss. The temperature of the draw falls from `hottest` to
    `coldest` as ``hottest * (coldest / hottest)^progress``: in the end one expert answers, so each
    becomes the expert of one kind of reader.

    Kang, Hwang, Kweon & Yu, "DE-RRD: A Knowledge Distillation Framework for Recommender System"
    (CIKM 2020). The paper sums over dimensions and entities, here it is a mean, so that the
    weight of the method does not depend on widths and batches; the paper cools to 1e-10, where
    the gradient of the draw is 0 or overflows, and 0.01 chooses one as well.

    Args:
        experts: How many for readers, and as many for books; at least 1.
        books: At most so many different target books of a batch, at least 1.
        hottest: Temperature at the beginning, above 0.
        coldest: Temperature at the end, above 0 and at most `hottest`.
    """

    teacher_outputs = ("teacher_reader",)

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
                f"experts and books must be at least 1, not {num_experts} and {max_items}"
            )
        if not 0 < final_temperature <= initial_temperature:
            raise ValueError(
                "coldest must be above 0 and at most hottest, not "
                f"{final_temperature} at a hottest of {initial_temperature}"
            )
        self.num_experts, self.max_items = num_experts, max_items
        self.initial_temperature, self.final_temperature = initial_temperature, final_temperature

    def build(self, setup: DistillationSetup) -> None:
        method = "DistillationExperts"
        teacher, student = setup.teacher, setup.student
        self.teacher_item_embeddings = get_item_embeddings(teacher, method)
        own_items = get_item_embeddings(student, method)
        self.user_experts = Experts(
            self.num_experts,
            get_user_embedding_dim(student, method),
            get_user_embedding_dim(teacher, method),
            setup.seed,
        )
        self.item_experts = Experts(
            self.num_experts,
            own_items.shape[1],
            self.teacher_item_embeddings.shape[1],
            setup.seed + 10,
        )

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        temperature = (
            self.initial_temperature
            * (self.final_temperature / self.initial_temperature) ** batch.progress
        )
        ids = sample_target_items(batch, self.max_items)
        there = tf.cast(ids > 0, tf.float32)
        items = there * self.item_experts.compute_error(
            tf.gather(batch.student.item_embeddings(), ids),
            tf.gather(self.teacher_item_embeddings, ids),
            temperature,
            batch.training,
        )
        users = self.user_experts.compute_error(
            compute_student_user_embeddings(batch),
            get_teacher_user_embeddings(batch),
            temperature,
            batch.training,
        )
        return users + tf.math.divide_no_nan(tf.reduce_sum(items), tf.reduce_sum(there))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_experts": self.num_experts,
            "max_items": self.max_items,
            "initial_temperature": self.initial_temperature,
            "final_temperature": self.final_temperature,
        }
