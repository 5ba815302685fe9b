"""Logistic regression of every item on the history, with low-rank weights."""

from __future__ import annotations

from kd_tf.backend import keras, tf
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import MASKED_LOGIT
from kd_tf.models.low_rank import LowRankModel


@keras.saving.register_keras_serializable(package="kd_tf")
class LogisticStudent(LowRankModel):
    """One logistic model per item: ``sigmoid(prior_i + sum over h of <input_h, output_i>)``.

    Unlike in a softmax, items do not compete: a score is the log-odds that the user has
    interacted with that item. All other items count as negatives.

    Args:
        **kwargs: As for `LowRankModel`.

    Example:
        >>> from kd_tf.backend import tf
        >>> student = LogisticStudent(num_items=3, max_length=2, embedding_dim=4)
        >>> student(tf.constant([[1, 2]])).shape
        TensorShape([1, 4])
    """

    def supervised_loss(
        self, inputs: tf.Tensor, targets: tf.Tensor, outputs: MaskedLogits
    ) -> tf.Tensor:
        """Computes the binary cross-entropy over the catalog.

        Args:
            inputs: int32 [B, L], not used.
            targets: int32 [B, M], padded with 0; targets that are in the history are ignored.
            outputs: The scores of the histories.

        Returns:
            float32 [B], the sum over all items divided by the number of targets; 0 without targets.
        """
        target_logits = tf.gather(outputs.unseen_logits, targets, batch_dims=1)
        is_target = tf.cast((targets > 0) & (target_logits > MASKED_LOGIT / 2), tf.float32)
        target_sum = tf.reduce_sum(is_target * target_logits, axis=1)
        count = tf.reduce_sum(is_target, axis=1)
        softplus_sum = tf.reduce_sum(tf.nn.softplus(outputs.unseen_logits), axis=1)
        return tf.where(count > 0, (softplus_sum - target_sum) / tf.maximum(count, 1.0), 0.0)
