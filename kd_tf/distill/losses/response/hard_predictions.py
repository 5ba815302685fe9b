"""Hard predictions: the teacher's best books as if the reader had chosen them."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.losses.softmax import compute_multinomial_loss


@keras.saving.register_keras_serializable(package="kd_tf")
class HardPredictions(DistillationLoss):
    """Which books the teacher would recommend, and nothing of how sure it is.

    ``-mean_i log softmax(s)_i`` over the teacher's `count` best books, s the student's logits:
    the loss that the reader's own books are learnt with (`multinomial_loss`).

    Lee, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural
    Networks" (ICML workshop 2013). There one class is predicted for each example without a label;
    here a list for each reader, who has labels besides.

    Args:
        count: How many of the teacher's best books, at least 1; fewer where fewer are cached.
    """

    def __init__(self, top_k: int = 10, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not top_k >= 1:
            raise ValueError(f"count must be at least 1, not {top_k}")
        self.top_k = top_k

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        likely = batch.labels["teacher_ids"][:, : self.top_k]
        return compute_multinomial_loss(
            batch.student_logits, likely, batch.masked_logits.log_partition
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "top_k": self.top_k}
