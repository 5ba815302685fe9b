"""A variational autoencoder of histories."""

from __future__ import annotations

from typing import Any

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.layers.id_ops import compact_ids
from kd_tf.layers.pooling import pool_weighted_rows
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.tied_embedding import TiedEmbeddingModel
from kd_tf.models.trainable import minimize_loss


@keras.saving.register_keras_serializable(package="kd_tf")
class VAETeacher(TiedEmbeddingModel):
    """Encodes a history into a distribution over latent codes and decodes a code into item scores.

    Multinomial likelihood with an annealed KL divergence: Liang et al., "Variational Autoencoders
    for Collaborative Filtering" (Mult-VAE, 2018). Recommendations use the mean code.

    Args:
        num_items: Number of items, V.
        max_length: Length of the history, L.
        embedding_dim: Width of the embeddings and of the code, d.
        hidden: Width of the hidden layer between them.
        beta: Final weight of the KL divergence.
        annealing_steps: Training steps until it has this weight.
        item_dropout: Dropout rate of the items that the encoder sees in training.
        **kwargs: As for `TiedEmbeddingModel`.

    Raises:
        ValueError: `beta` is below 0, or `annealing_steps` is below 1.
    """

    def __init__(
        self,
        num_items: int,
        *,
        max_length: int,
        embedding_dim: int = 256,
        hidden: int = 512,
        beta: float = 0.2,
        annealing_steps: int = 4000,
        item_dropout: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_items=num_items,
            max_length=max_length,
            embedding_dim=embedding_dim,
            item_dropout=item_dropout,
            **kwargs,
        )
        if beta < 0 or annealing_steps < 1:
            raise ValueError(
                "beta must be at least 0 and annealing_steps at least 1, not "
                f"{beta} and {annealing_steps}"
            )
        self.hidden, self.beta, self.annealing_steps = hidden, beta, annealing_steps
        self.decoder = self.add_weight(
            name="decoder",
            shape=(num_items + 1, embedding_dim),
            initializer=keras.initializers.RandomNormal(stddev=embedding_dim**-0.5),
        )
        self.bias = self.add_weight(name="bias", shape=(num_items + 1,), initializer="zeros")
        self.core = keras.layers.Dense(hidden, activation="tanh")
        self.mean = keras.layers.Dense(embedding_dim)
        self.log_variance = keras.layers.Dense(
            embedding_dim, kernel_initializer=keras.initializers.RandomNormal(stddev=0.001)
        )

    @property
    def item_tables(self) -> list[tf.Variable]:
        return [*super().item_tables, self.bias]

    @property
    def scoring_table(self) -> tf.Variable:
        """float32 [V + 1, d], the decoder."""
        return self.decoder

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns the codes, float32 [B, d]; see `TiedEmbeddingModel.encode`."""
        return self._sample_code(rows, weights, training)[0]

    def _sample_code(
        self, rows: tf.Tensor, weights: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes the codes float32 [B, d] and their KL divergences float32 [B].

        Codes are sampled in training, and means otherwise.
        """
        hidden = self.core(tf.nn.tanh(pool_weighted_rows(rows, weights)))
        mean = self.mean(hidden)
        log_variance = self.log_variance(hidden)
        divergence = 0.5 * tf.reduce_sum(
            tf.exp(log_variance) + tf.square(mean) - 1 - log_variance, axis=1
        )
        if training:
            noise = rng.sample_normal(tf.shape(mean))
            return mean + tf.exp(0.5 * log_variance) * noise, divergence
        return mean, divergence

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return super().call(inputs, training) + self.bias

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        ids = self.mask_unknown_ids(candidates)
        bias = tf.where(ids > 0, tf.gather(self.bias, ids), 0.0)
        return super().score(history, candidates) + bias

    def train_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Trains on (history int32 [B, L], {"targets": int32 [B, M]}) with the annealed loss."""
        history, labels = data
        with tf.GradientTape() as tape:
            ids = compact_ids(self.mask_unknown_ids(history))
            weights = self._dropout(self.item_weights(ids), training=True)
            code, divergence = self._sample_code(tf.gather(self.table, ids), weights, True)
            logits = tf.matmul(code, self.decoder, transpose_b=True) + self.bias
            masked_logits = MaskedLogits.from_logits(logits, self.seen_items(history))
            annealing = tf.cast(self.optimizer.iterations, tf.float32) / self.annealing_steps
            loss = tf.reduce_mean(
                self.supervised_loss(history, labels["targets"], masked_logits)
                + self.beta * tf.minimum(annealing, 1.0) * divergence / self.embedding_dim
            )
            loss = tf.add_n([loss, *self.regularization_loss()])
        minimize_loss(self.optimizer, loss, self.trainable_variables, tape)
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden": self.hidden,
            "beta": self.beta,
            "annealing_steps": self.annealing_steps,
        }
