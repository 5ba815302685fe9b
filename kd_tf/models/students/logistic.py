"""Logistic regression of every book on the history, through a bottleneck."""

from __future__ import annotations

from kd_tf.backend import keras, tf
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import MASKED_LOGIT
from kd_tf.models.low_rank import LowRankModel


@keras.saving.register_keras_serializable(package="kd_tf")
class LogisticStudent(LowRankModel):
    """A logistic model a book, ``sigmoid(prior_i + sum over h of <left_h, right_i>)``.

    Unlike under a softmax, books do not compete: every score is the log-odds that the reader has
    read that very book. Books that were not read count as negatives.
    """

    def supervised_loss(
        self, history: tf.Tensor, targets: tf.Tensor, masked_logits: MaskedLogits
    ) -> tf.Tensor:
        """float32 [B]: binary cross-entropy, summed over the catalogue, a target each."""
        chosen = tf.gather(masked_logits.unseen_logits, targets, batch_dims=1)
        found = tf.cast((targets > 0) & (chosen > MASKED_LOGIT / 2), tf.float32)
        positives = tf.reduce_sum(found * chosen, axis=1)
        count = tf.reduce_sum(found, axis=1)
        everything = tf.reduce_sum(tf.nn.softplus(masked_logits.unseen_logits), axis=1)
        return tf.where(count > 0, (everything - positives) / tf.maximum(count, 1.0), 0.0)
