"""What a model says of a batch, and what several losses need of it, worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from kd_tf.backend import tf
from kd_tf.losses.softmax import mask_history


@dataclass(frozen=True)
class MaskedLogits:
    """The scores of a batch of histories.

    A pass over readers times books is what a loss costs, so that losses share these.

    Attributes:
        logits: float32 [B, V + 1], as the model gives them.
        masked: float32 [B, V + 1], `MASKED` at padding and at what is excluded.
        log_partition: float32 [B], the logarithm of the sum of exp over `masked`.
    """

    logits: tf.Tensor
    unseen_logits: tf.Tensor
    log_partition: tf.Tensor

    @classmethod
    def from_logits(cls, logits: tf.Tensor, seen_items: tf.Tensor) -> Self:
        """Of logits [B, V + 1] of any precision, without the books int32 [B, n] (0 is padding)."""
        # Losses have exponentials and masks of -1e9: half precision holds neither.
        logits = tf.cast(logits, tf.float32)
        return cls._build(logits, mask_history(logits, seen_items))

    @classmethod
    def from_masked_logits(cls, unseen_logits: tf.Tensor) -> Self:
        """Of logits float32 [B, V + 1] from which nothing has to be taken any more."""
        return cls._build(unseen_logits, unseen_logits)

    @classmethod
    def _build(cls, logits: tf.Tensor, unseen_logits: tf.Tensor) -> Self:
        return cls(logits, unseen_logits, tf.reduce_logsumexp(unseen_logits, axis=1))
