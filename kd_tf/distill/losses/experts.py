"""Experts that say what the teacher thinks from what the student thinks, one for each kind."""

from __future__ import annotations

from typing import Any

from kd_tf import rng
from kd_tf.backend import keras, tf


class Experts(keras.layers.Layer):
    """Small networks from the student's space into the teacher's, and who chooses among them.

    Each is a dense layer of (s + t) // 2 units with ReLU and a linear one. A linear layer on the
    teacher's vector chooses: Kang et al., "DE-RRD: A Knowledge Distillation Framework for
    Recommender System" (CIKM 2020).

    Args:
        count: How many experts.
        student: s, width of the student's vectors.
        teacher: t, width of the teacher's.
        seed: Of their weights.
    """

    def __init__(
        self, num_experts: int, student_dim: int, teacher_dim: int, seed: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        hidden = max((student_dim + teacher_dim) // 2, 1)

        def kernel(name: str, many: tuple[int, ...], wide: int, narrow: int, nth: int) -> Any:
            # Glorot's range of one expert: Keras would take the experts for a convolution's field.
            limit = (6 / (wide + narrow)) ** 0.5
            drawn = keras.initializers.RandomUniform(-limit, limit, seed=seed + nth)
            return self.add_weight(name=name, shape=(*many, wide, narrow), initializer=drawn)

        def bias(name: str, *shape: int) -> Any:
            return self.add_weight(name=name, shape=shape, initializer="zeros")

        self.hidden_kernel = kernel("first", (num_experts,), student_dim, hidden, 0)
        self.hidden_bias = bias("first_bias", num_experts, hidden)
        self.output_kernel = kernel("second", (num_experts,), hidden, teacher_dim, 1)
        self.output_bias = bias("second_bias", num_experts, teacher_dim)
        self.selection_kernel = kernel("selection", (), teacher_dim, num_experts, 2)
        self.selection_bias = bias("selection_bias", num_experts)
        self.built = True

    def compute_error(
        self, student: tf.Tensor, teacher: tf.Tensor, temperature: tf.Tensor | float, training: bool
    ) -> tf.Tensor:
        """Mean squared error of what is reconstructed: float32 [N], see `chosen`."""
        chosen = self.select_experts(teacher, temperature, training)
        return tf.reduce_mean(tf.square(self.reconstruct(student, chosen) - teacher), axis=1)

    def compute_selection_logits(self, teacher: tf.Tensor) -> tf.Tensor:
        """Logits of the experts for the teacher's vectors: float32 [N, count]."""
        return tf.matmul(teacher, self.selection_kernel) + self.selection_bias

    def select_experts(
        self, teacher: tf.Tensor, temperature: tf.Tensor | float, training: bool
    ) -> tf.Tensor:
        """How much each expert counts: float32 [N, count], rows sum to 1.

        A draw by the Gumbel softmax of Jang, Gu & Poole, "Categorical Reparameterization with
        Gumbel-Softmax" (2017); outside training the preferred expert alone.

        Args:
            teacher: float32 [N, t].
            temperature: Above 0; near 0 one expert has nearly all.
            training: Whether to draw.
        """
        logits = self.compute_selection_logits(teacher)
        if not training:
            return tf.one_hot(tf.argmax(logits, axis=1), logits.shape[1])
        return tf.nn.softmax((logits + rng.sample_gumbel(tf.shape(logits))) / temperature, axis=1)

    def reconstruct(self, student: tf.Tensor, expert_weights: tf.Tensor) -> tf.Tensor:
        """The experts' answers, weighed: float32 [N, t] of float32 [N, s] and [N, count]."""
        hidden = tf.nn.relu(
            tf.einsum("ns,esh->neh", student, self.hidden_kernel) + self.hidden_bias
        )
        weighed = hidden * expert_weights[:, :, tf.newaxis]
        return tf.einsum("neh,eht->nt", weighed, self.output_kernel) + tf.matmul(
            expert_weights, self.output_bias
        )
