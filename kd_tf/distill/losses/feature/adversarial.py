"""Adversarial distillation: a discriminator compares student and teacher user embeddings."""

from __future__ import annotations

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
    """Matches the distribution of the teacher's user embeddings by adversarial training.

    ``-log D(t) / 2 - log(1 - D(R(W s + b))) / 2``: the discriminator D, a hidden layer with leaky
    ReLU and a sigmoid, learns to tell the teacher's user embedding t from the student's,
    projected. R is the identity with a reversed gradient, so the same step that improves D moves
    the student and the projector to where D errs. The loss is not a distance: if D cannot tell
    them apart it is log 2, and a lower value means that it can.

    Generative adversarial training for distillation: Wang, Zhang, Sun & Qi, "KDGAN: Knowledge
    Distillation with Generative Adversarial Networks" (NeurIPS 2018); in recommendation Chen,
    Zhang, Xu, Qin & Zha, "Adversarial Distillation for Efficient Recommendation with External
    Knowledge" (ACM TOIS, 2018). They alternate between the two players; the gradient reversal
    that makes it one loss is from Ganin & Lempitsky, "Unsupervised Domain Adaptation by
    Backpropagation" (ICML 2015), as is its schedule over the progress p of the training,
    ``strength * (2 / (1 + exp(-10 p)) - 1)``: at first only D is trained.

    Args:
        hidden_dim: Units of the discriminator's hidden layer, at least 1.
        strength: Factor of the reversed gradient at the end of the training, above 0.
    """

    teacher_outputs = ("teacher_user_embeddings",)

    def __init__(self, hidden_dim: int = 64, strength: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if hidden_dim < 1:
            raise ValueError(f"hidden_dim must be at least 1, not {hidden_dim}")
        if not strength > 0:
            raise ValueError(f"strength must be above 0, not {strength}")
        self.hidden_dim, self.strength = hidden_dim, strength

    def build(self, setup: DistillationSetup) -> None:
        teacher_dim = get_user_embedding_dim(setup.teacher, "AdversarialDistillation")
        student_dim = get_user_embedding_dim(setup.student, "AdversarialDistillation")

        def make_dense(units: int, input_dim: int, seed: int) -> keras.layers.Dense:
            initializer = keras.initializers.GlorotUniform(seed)
            layer = keras.layers.Dense(units, kernel_initializer=initializer, dtype="float32")
            layer.build([None, input_dim])
            return layer

        self.projector = make_dense(teacher_dim, student_dim, setup.seed)
        self.discriminator_hidden = make_dense(self.hidden_dim, teacher_dim, setup.seed + 1)
        self.discriminator_output = make_dense(1, self.hidden_dim, setup.seed + 2)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        strength = self.strength * (2 * tf.sigmoid(10 * batch.progress) - 1)
        projected_embeddings = self.projector(compute_student_user_embeddings(batch))
        student_logit = self.discriminate(reverse_gradient(projected_embeddings, strength))
        teacher_logit = self.discriminate(get_teacher_user_embeddings(batch))
        return (tf.nn.softplus(-teacher_logit) + tf.nn.softplus(student_logit)) / 2

    def discriminate(self, vectors: tf.Tensor) -> tf.Tensor:
        """Computes the log-odds that vectors [N, d'] are the teacher's: float32 [N]."""
        return self.discriminator_output(tf.nn.leaky_relu(self.discriminator_hidden(vectors)))[:, 0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden_dim": self.hidden_dim, "strength": self.strength}


def reverse_gradient(vectors: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Returns the vectors unchanged; multiplies the gradient through them by ``-strength``."""
    # The second term is 0 and brings the gradient. Unlike a custom gradient, it leaves nothing in
    # TensorFlow's registry, which would keep the graph for ever.
    constant_vectors = tf.stop_gradient(vectors)
    return constant_vectors - strength * (vectors - constant_vectors)
