"""Expert networks from the student's space into the teacher's, with a selection network."""

from __future__ import annotations

from typing import Any

from kd_tf import rng
from kd_tf.backend import keras, tf


class Experts(keras.layers.Layer):
    """A mixture of expert networks that reconstructs teacher vectors from student vectors.

    Each expert is a dense layer of (s + t) // 2 units with ReLU, followed by a linear layer. A
    linear selection layer on the teacher's vector chooses among them: Kang et al., "DE-RRD: A
    Knowledge Distillation Framework for Recommender System" (CIKM 2020).

    Args:
        num_experts: The number of experts.
        student_dim: s, the dimension of the student's vectors.
        teacher_dim: t, the dimension of the teacher's vectors.
        seed: Seed of the initial weights.

    Example:
        >>> experts = Experts(num_experts=3, student_dim=2, teacher_dim=4, seed=0)
        >>> weights = experts.select_experts(tf.ones([5, 4]), temperature=1.0, training=False)
        >>> weights.shape.as_list(), experts.reconstruct(tf.ones([5, 2]), weights).shape.as_list()
        ([5, 3], [5, 4])
    """

    def __init__(
        self, num_experts: int, student_dim: int, teacher_dim: int, seed: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        hidden_dim = max((student_dim + teacher_dim) // 2, 1)

        def add_kernel(
            name: str, experts: tuple[int, ...], input_dim: int, output_dim: int, seed: int
        ) -> Any:
            # Glorot's limit of a single expert: Keras would read the expert axis as part of a
            # convolution's receptive field.
            limit = (6 / (input_dim + output_dim)) ** 0.5
            initializer = keras.initializers.RandomUniform(-limit, limit, seed=seed)
            return self.add_weight(
                name=name, shape=(*experts, input_dim, output_dim), initializer=initializer
            )

        def add_bias(name: str, *shape: int) -> Any:
            return self.add_weight(name=name, shape=shape, initializer="zeros")

        experts = (num_experts,)
        self.hidden_kernel = add_kernel("hidden_kernel", experts, student_dim, hidden_dim, seed)
        self.hidden_bias = add_bias("hidden_bias", num_experts, hidden_dim)
        self.output_kernel = add_kernel("output_kernel", experts, hidden_dim, teacher_dim, seed + 1)
        self.output_bias = add_bias("output_bias", num_experts, teacher_dim)
        self.selection_kernel = add_kernel(
            "selection_kernel", (), teacher_dim, num_experts, seed + 2
        )
        self.selection_bias = add_bias("selection_bias", num_experts)
        self.built = True

    def compute_error(
        self, student: tf.Tensor, teacher: tf.Tensor, temperature: tf.Tensor | float, training: bool
    ) -> tf.Tensor:
        """Computes the mean squared reconstruction error of each vector: float32 [N].

        Args:
            student: float32 [N, s].
            teacher: float32 [N, t].
            temperature: See `select_experts`.
            training: See `select_experts`.
        """
        expert_weights = self.select_experts(teacher, temperature, training)
        reconstruction = self.reconstruct(student, expert_weights)
        return tf.reduce_mean(tf.square(reconstruction - teacher), axis=1)

    def compute_selection_logits(self, teacher: tf.Tensor) -> tf.Tensor:
        """Computes the selection network's logits: float32 [N, num_experts] of [N, t]."""
        return tf.matmul(teacher, self.selection_kernel) + self.selection_bias

    def select_experts(
        self, teacher: tf.Tensor, temperature: tf.Tensor | float, training: bool
    ) -> tf.Tensor:
        """Computes the weights of the experts: float32 [N, num_experts], rows sum to 1.

        In training they are a sample of the Gumbel softmax of Jang, Gu & Poole, "Categorical
        Reparameterization with Gumbel-Softmax" (2017); otherwise the most likely expert has
        weight 1.

        Args:
            teacher: float32 [N, t].
            temperature: Above 0; near 0 one expert has nearly all the weight.
            training: Whether to sample.
        """
        logits = self.compute_selection_logits(teacher)
        if not training:
            return tf.one_hot(tf.argmax(logits, axis=1), logits.shape[1])
        return tf.nn.softmax((logits + rng.sample_gumbel(tf.shape(logits))) / temperature, axis=1)

    def reconstruct(self, student: tf.Tensor, expert_weights: tf.Tensor) -> tf.Tensor:
        """Computes the weighted sum of the experts' outputs: float32 [N, t].

        Args:
            student: float32 [N, s].
            expert_weights: float32 [N, num_experts].
        """
        hidden = tf.nn.relu(
            tf.einsum("ns,esh->neh", student, self.hidden_kernel) + self.hidden_bias
        )
        weighted_hidden = hidden * expert_weights[:, :, tf.newaxis]
        return tf.einsum("neh,eht->nt", weighted_hidden, self.output_kernel) + tf.matmul(
            expert_weights, self.output_bias
        )
