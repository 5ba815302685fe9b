"""Hard predictions: the teacher's top items as additional ground truth."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.losses.softmax import compute_multinomial_loss


@keras.saving.register_keras_serializable(package="kd_tf")
class HardPredictions(DistillationLoss):
    """Trains the student on the teacher's top items as pseudo-labels, without their scores.

    ``-mean_i log softmax(s)_i`` over the teacher's `top_k` best items, s the student's logits: the
    loss of ground-truth items (`compute_multinomial_loss`).

    Lee, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural
    Networks" (ICML workshop 2013). There one class is predicted for each unlabelled example; here
    a list for each user, who has ground-truth items as well.

    Args:
        top_k: The number of the teacher's best items, at least 1; fewer if fewer are cached.

    Example:
        >>> labels = {"teacher_ids": [[2, 1]], "teacher_logits": [[2.0, 0.0]]}
        >>> batch = DistillationBatch.from_logits([[0.0, 1.0, 1.0]], labels)
        >>> round(float(HardPredictions(top_k=1).compute_loss(batch)[0]), 3)  # log 2
        0.693
    """

    def __init__(self, top_k: int = 10, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not top_k >= 1:
            raise ValueError(f"top_k must be at least 1, not {top_k}")
        self.top_k = top_k

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        pseudo_labels = batch.labels["teacher_ids"][:, : self.top_k]
        return compute_multinomial_loss(
            batch.student_logits, pseudo_labels, batch.masked_logits.log_partition
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "top_k": self.top_k}
