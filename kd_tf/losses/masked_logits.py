"""The scores of a batch, masked and normalized once for all losses that use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from kd_tf.backend import tf
from kd_tf.losses.softmax import mask_history


@dataclass(frozen=True)
class MaskedLogits:
    """The logits of a batch of histories, with and without the seen items.

    The cost of a loss is a pass over users times items, so several losses share these tensors.

    Attributes:
        logits: float32 [B, V + 1], the output of the model.
        unseen_logits: float32 [B, V + 1], `MASKED_LOGIT` at padding and at seen items.
        log_partition: float32 [B], the logarithm of the sum of exp over `unseen_logits`.

    Example:
        >>> from kd_tf.backend import tf
        >>> scores = MaskedLogits.from_logits(tf.constant([[9.0, 2.0, 1.0]]), tf.constant([[2]]))
        >>> scores.unseen_logits.numpy()
        array([[-1.e+09,  2.e+00, -1.e+09]], dtype=float32)
        >>> scores.log_partition.numpy()
        array([2.], dtype=float32)
    """

    logits: tf.Tensor
    unseen_logits: tf.Tensor
    log_partition: tf.Tensor

    @classmethod
    def from_logits(cls, logits: tf.Tensor, seen_items: tf.Tensor) -> Self:
        """Masks padding and seen items in the logits of a model.

        Args:
            logits: [B, V + 1], of any float type.
            seen_items: int32 [B, n], padded with 0.
        """
        # Losses use exponentials and masks of -1e9, which half precision cannot represent.
        logits = tf.cast(logits, tf.float32)
        return cls._build(logits, mask_history(logits, seen_items))

    @classmethod
    def from_masked_logits(cls, unseen_logits: tf.Tensor) -> Self:
        """Takes logits, float32 [B, V + 1], that are masked already."""
        return cls._build(unseen_logits, unseen_logits)

    @classmethod
    def _build(cls, logits: tf.Tensor, unseen_logits: tf.Tensor) -> Self:
        """Adds the log partition."""
        return cls(logits, unseen_logits, tf.reduce_logsumexp(unseen_logits, axis=1))
