"""Adversarial distillation: vectors of readers that a judge cannot tell from the teacher's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.embeddings import (
    compute_student_user_embeddings,
    get_teacher_user_embeddings,
    get_user_embedding_dim,
)


@keras.saving.register_keras_serializable(package="kd_tf")
class AdversarialDistillation(DistillationLoss):
    """The distribution of the teacher's vectors of readers, which a discriminator defends.

    ``-log D(t) / 2 - log(1 - D(R(W s + b))) / 2``: the discriminator D, a hidden layer with leaky
    ReLU and a sigmoid, learns to tell the teacher's vector t of a reader from the student's,
    projected. R is the identity whose gradient is reversed, so the same step that makes D better
    moves the student and the projector to where D errs. What D gets wrong is not a distance: the
    loss of an even match is log 2, and lower means that D tells them apart.

    Generative adversarial training as a distillation: Wang, Zhang, Sun & Qi, "KDGAN: Knowledge
    Distillation with Generative Adversarial Networks" (NeurIPS 2018); in recommendation Chen,
    Zhang, Xu, Qin & Zha, "Adversarial Distillation for Efficient Recommendation with External
    Knowledge" (ACM TOIS, 2018). They alternate between the two players; the reversal that makes
    it one loss is from Ganin & Lempitsky, "Unsupervised Domain Adaptation by Backpropagation"
    (ICML 2015), as is its growth with the progress p of the training,
    ``strength * (2 / (1 + exp(-10 p)) - 1)``: at first only D learns.

    Args:
        hidden: Width of the discriminator's hidden layer, at least 1.
        strength: Of the reversed gradient at the end, above 0.
    """

    teacher_outputs = ("teacher_reader",)

    def __init__(self, hidden_dim: int = 64, strength: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if hidden_dim < 1:
            raise ValueError(f"hidden must be at least 1, not {hidden_dim}")
        if not strength > 0:
            raise ValueError(f"strength must be above 0, not {strength}")
        self.hidden_dim, self.strength = hidden_dim, strength

    def build(self, setup: DistillationSetup) -> None:
        width = get_user_embedding_dim(setup.teacher, "Adversarial")
        own = get_user_embedding_dim(setup.student, "Adversarial")

        def dense(units: int, into: int, seed: int) -> keras.layers.Dense:
            drawn = keras.initializers.GlorotUniform(seed)
            layer = keras.layers.Dense(units, kernel_initializer=drawn, dtype="float32")
            layer.build([None, into])
            return layer

        self.projector = dense(width, own, setup.seed)
        self.discriminator_hidden = dense(self.hidden_dim, width, setup.seed + 1)
        self.discriminator_output = dense(1, self.hidden_dim, setup.seed + 2)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        grown = self.strength * (2 * tf.sigmoid(10 * batch.progress) - 1)
        fooling = reverse_gradient(self.projector(compute_student_user_embeddings(batch)), grown)
        real, false = (
            self.discriminate(get_teacher_user_embeddings(batch)),
            self.discriminate(fooling),
        )
        return (tf.nn.softplus(-real) + tf.nn.softplus(false)) / 2

    def discriminate(self, vectors: tf.Tensor) -> tf.Tensor:
        """Log-odds that vectors [N, d'] are the teacher's: float32 [N]."""
        return self.discriminator_output(tf.nn.leaky_relu(self.discriminator_hidden(vectors)))[:, 0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden_dim": self.hidden_dim, "strength": self.strength}


@tf.custom_gradient
def reverse_gradient(
    vectors: tf.Tensor, strength: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """The vectors as they are; the gradient through them times minus `strength`."""

    def backwards(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return -strength * upstream, tf.zeros_like(strength)

    return tf.identity(vectors), backwards
