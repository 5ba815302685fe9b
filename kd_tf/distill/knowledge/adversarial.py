"""Adversarial distillation: vectors of readers that a judge cannot tell from the teacher's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kd_tf.distill.knowledge.base import Knowledge, Lesson, Step
from kd_tf.distill.knowledge.vectors import reader_width, student_readers, teacher_readers
from kd_tf.keras import keras, tf


@keras.saving.register_keras_serializable(package="kd_tf")
class Adversarial(Knowledge):
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

    needs = ("teacher_reader",)

    def __init__(self, hidden: int = 64, strength: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, not {hidden}")
        if not strength > 0:
            raise ValueError(f"strength must be above 0, not {strength}")
        self.hidden, self.strength = hidden, strength

    def prepare(self, lesson: Lesson) -> None:
        width = reader_width(lesson.teacher, "Adversarial")
        own = reader_width(lesson.student, "Adversarial")

        def dense(units: int, into: int, seed: int) -> keras.layers.Dense:
            drawn = keras.initializers.GlorotUniform(seed)
            layer = keras.layers.Dense(units, kernel_initializer=drawn, dtype="float32")
            layer.build([None, into])
            return layer

        self.projector = dense(width, own, lesson.seed)
        self.first = dense(self.hidden, width, lesson.seed + 1)
        self.second = dense(1, self.hidden, lesson.seed + 2)

    def loss(self, step: Step) -> tf.Tensor:
        grown = self.strength * (2 * tf.sigmoid(10 * step.progress) - 1)
        fooling = reversed_gradient(self.projector(student_readers(step)), grown)
        real, false = self.judged(teacher_readers(step)), self.judged(fooling)
        return (tf.nn.softplus(-real) + tf.nn.softplus(false)) / 2

    def judged(self, vectors: tf.Tensor) -> tf.Tensor:
        """Log-odds that vectors [N, d'] are the teacher's: float32 [N]."""
        return self.second(tf.nn.leaky_relu(self.first(vectors)))[:, 0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": self.hidden, "strength": self.strength}


@tf.custom_gradient
def reversed_gradient(
    vectors: tf.Tensor, strength: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """The vectors as they are; the gradient through them times minus `strength`."""

    def backwards(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return -strength * upstream, tf.zeros_like(strength)

    return tf.identity(vectors), backwards
