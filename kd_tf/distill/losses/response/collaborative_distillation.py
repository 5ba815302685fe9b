"""Collaborative distillation (CD): the teacher's probability of each sampled item."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k
from kd_tf.distill.losses.sampling import sample_without_replacement


@keras.saving.register_keras_serializable(package="kd_tf")
class CollaborativeDistillation(DistillationLoss):
    """Matches the teacher's probabilities of sampled items, with a binary loss for each.

    Mean over the sampled items of ``-q log sigmoid(s) - (1 - q) log(1 - sigmoid(s))``, s the
    student's logit and ``q = sigmoid(teacher's logit / temperature)``. In every step items are
    drawn from the teacher's top K without replacement, with odds ``exp(-rank / rank_decay)``, so
    that the ends of long lists are sampled too, but rarely.

    CD of Lee, Choi, Lee & Shim, "Collaborative Distillation for Top-N Recommendation" (ICDM
    2019), with its teacher-guided training. What differs: items are drawn from the teacher's
    cached top K and not from the whole catalog, and the loss is their mean and not their sum, so
    that its weight does not change with their number. A sigmoid depends on the level of a logit
    and not only on differences: it suits teachers that were trained on a binary label per item
    better than those trained on a distribution over the catalog.

    Args:
        num_samples: Items to draw, at least 1.
        temperature: T, above 0; a higher one makes the teacher less certain.
        rank_decay: Above 0, in ranks; a lower one draws more of the top items.

    Example:
        >>> labels = {"teacher_ids": [[1, 2]], "teacher_logits": [[9.0, 9.0]]}
        >>> batch = DistillationBatch.from_logits([[0.0, 0.0, 0.0]], labels)
        >>> round(float(CollaborativeDistillation().compute_loss(batch)[0]), 3)  # log 2
        0.693
    """

    def __init__(
        self,
        num_samples: int = 20,
        temperature: float = 1.0,
        rank_decay: float = 20.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not num_samples >= 1:
            raise ValueError(f"num_samples must be at least 1, not {num_samples}")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        if not rank_decay > 0:
            raise ValueError(f"rank_decay must be above 0, not {rank_decay}")
        self.num_samples, self.temperature, self.rank_decay = num_samples, temperature, rank_decay

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        top_k = gather_teacher_top_k(batch)
        log_odds = -tf.cast(top_k.ranks, tf.float32) / self.rank_decay
        indices, is_drawn = sample_without_replacement(log_odds, top_k.mask, self.num_samples)
        teacher_logits = tf.gather(top_k.teacher_logits, indices, batch_dims=1)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.sigmoid(teacher_logits / self.temperature),
            logits=tf.gather(top_k.student_logits, indices, batch_dims=1),
        )
        mask = tf.cast(is_drawn, tf.float32)
        return tf.math.divide_no_nan(
            tf.reduce_sum(mask * entropy, axis=1), tf.reduce_sum(mask, axis=1)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_samples": self.num_samples,
            "temperature": self.temperature,
            "rank_decay": self.rank_decay,
        }
