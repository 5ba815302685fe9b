"""The Distiller: the training step of every student and every distillation method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.layer_outputs import capture_layer_outputs
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.tasks import find_task
from kd_tf.distill.weighting.base import LossWeighting
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.models.base import check_fit_input
from kd_tf.models.trainable import (
    TrainableModel,
    check_compile_arguments,
    minimize_loss,
    run_fit,
)


@keras.saving.register_keras_serializable(package="kd_tf")
class Distiller(keras.Model):
    """Trains a student on ground-truth items and on the teacher's outputs, in one loss.

    The student loss is computed on the items that users really chose. Each distillation loss
    compares the student with the teacher, and a `LossWeighting` combines them all. The names of
    the parts are those of `keras.distillation`. Without distillation losses the student is trained
    alone in exactly the same way, as the reference that distilled students are compared with.

    The teacher's outputs are computed in every step, unless `cache_dir` is given or the batches
    bring them along (see `kd_tf.distill.teacher_targets`).

    Args:
        teacher: A trained model, or several from easy to hard for losses that learn from a
            curriculum; the last one is the teacher of all other losses. None if there are no
            losses, or if batches bring its outputs.
        student: Any `HistoryModel` or `RankingModel`.
        distillation_losses: One loss, or several.
        distillation_loss_weights: A weight per loss; by default the loss's own.
        student_loss_weight: Weight w of the student loss, 0 to 1, in
            ``w * student_loss + (1 - w) * distillation_losses``. The default is 0.5 with losses,
            and 1 without.
        weighting: Another combination of the losses (`kd_tf.distill.weighting`), instead of the two
            weights.
        top_k: Number of the teacher's top items that losses see.
        cache_dir: Folder in which `fit` keeps the teacher's outputs, so that they are computed once
            for all epochs and further trainings; only their rows of a batch are in memory.

    Raises:
        ValueError: The student has another catalog than the teacher, both weights and a weighting
            are given, or there are losses without anything to weigh them.

    Example:
        >>> import kd_tf as kd
        >>> split = kd.split(kd.data.bookshop(items=60, users=80, seed=1), seed=1)
        >>> teacher = kd.models.LocalRidgeTeacher(split.num_items, max_length=20)
        >>> history = teacher.fit(split.train, validation_data=split.validation)
        >>> student = kd.models.MLPStudent(split.num_items, max_length=20, embedding_dim=4)
        >>> distiller = kd.Distiller(
        ...     teacher,
        ...     student,
        ...     distillation_losses=kd.distill.SoftTargets(temperature=2.0),
        ...     student_loss_weight=0.3,
        ... )
        >>> distiller.compile(optimizer="adam")
        >>> history = distiller.fit(split.train, epochs=1, verbose=0)
        >>> sorted(history.history)
        ['distillation_loss', 'loss', 'student_loss']
    """

    def __init__(
        self,
        teacher: TrainableModel | Sequence[TrainableModel] | None,
        student: TrainableModel,
        distillation_losses: DistillationLoss | Sequence[DistillationLoss] = (),
        *,
        distillation_loss_weights: Sequence[float] | None = None,
        student_loss_weight: float | None = None,
        weighting: LossWeighting | None = None,
        top_k: int = 100,
        cache_dir: str | Path | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        task = find_task(student)
        teachers = [teacher] if isinstance(teacher, TrainableModel) else list(teacher or ())
        for model in teachers:
            task.check_pair(student, model)
        # Behind a function, so that Keras takes the teachers for no part of this model: they are
        # neither saved with it nor trained.
        self._get_teachers: Callable[[], list[TrainableModel]] = lambda: teachers
        self.student = student
        self._task = task
        self.distillation_losses = (
            [distillation_losses]
            if isinstance(distillation_losses, DistillationLoss | str)
            else list(distillation_losses)
        )
        for loss in self.distillation_losses:
            if not isinstance(loss, DistillationLoss):
                raise TypeError(
                    f"a distillation loss is an object such as kd_tf.distill.SoftTargets(), not "
                    f"{loss!r}"
                )
            if not isinstance(student, loss.student_classes):
                raise ValueError(
                    f"{type(loss).__name__} cannot teach a {type(student).__name__}: it is for "
                    f"subclasses of {' and '.join(base.__name__ for base in loss.student_classes)}"
                )
        self.weighting = weighting or _build_weighting(
            self.distillation_losses, distillation_loss_weights, student_loss_weight
        )
        if weighting and (distillation_loss_weights, student_loss_weight) != (None, None):
            raise ValueError("give either a weighting, or weights of the losses")
        self.top_k, self.cache_dir = top_k, cache_dir
        self._num_steps = 1
        self._losses_are_built = False
        self._loss_metrics = {
            name: keras.metrics.Mean(name=name)
            for name in ("loss", "student_loss", "distillation_loss")
        }

    @property
    def teachers(self) -> list[TrainableModel]:
        """The teachers, the main one last; none in a Distiller that was loaded from a file."""
        return self._get_teachers()

    @property
    def teacher(self) -> TrainableModel | None:
        """The teacher of all losses but those that learn from a curriculum."""
        return self.teachers[-1] if self.teachers else None

    def build_losses(self, setup: DistillationSetup) -> None:
        """Builds the distillation losses and the weighting for a student and its teachers.

        `fit` does this by itself where it gets ``split.train``.

        Raises:
            ValueError: Student and teacher have different catalogs, or a method does not support
                this pair.
        """
        for teacher in setup.teachers:
            self._task.check_pair(self.student, teacher)
        self._num_steps = max(setup.num_steps, 1)
        for loss in self.distillation_losses:
            loss.build(setup)
        self.weighting.build(replace(setup, num_losses=len(self.distillation_losses)))
        self._losses_are_built = True

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Sets the optimizer, as in Keras; losses are the constructor's.

        Raises:
            ValueError: A loss or a metric is given, which would be ignored.
        """
        check_compile_arguments(self, kwargs)
        super().compile(optimizer=optimizer, **kwargs)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *,
        validation_data: Any = None,
        epochs: int = 1,
        batch_size: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        num_passes: int | None = None,
        num_targets: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains the student on ``split.train`` and on the teacher's outputs.

        Args:
            x: ``split.train``, or batches of (history int32 [B, L], labels) as in
                `keras.Model.fit`; see `DistillationBatch` for the labels.
            y: Labels, if `x` is an array.
            validation_data: ``split.validation``: every epoch then logs the student's
                ``val_ndcg@10``.
            epochs: Number of epochs.
            batch_size: As in `HistoryModel.fit`.
            callbacks: Keras callbacks.
            num_passes: As in `HistoryModel.fit`.
            num_targets: As in `HistoryModel.fit`.
            seed: As in `HistoryModel.fit`; losses that sample use it too.
            **kwargs: Further arguments of `keras.Model.fit`, such as `verbose`.

        Returns:
            Losses and metrics by epoch.

        Raises:
            ValueError: A loss cannot learn from this teacher, or there is none.
        """
        check_fit_input(self, x)
        if not isinstance(x, self._task.data_class):
            return super().fit(
                x,
                y,
                validation_data=validation_data,
                epochs=epochs,
                batch_size=batch_size,
                callbacks=callbacks,
                **kwargs,
            )
        if self.distillation_losses and not self.teachers:
            raise ValueError("distillation losses need a teacher: Distiller(teacher, student, ...)")
        lesson = self._task.prepare_lesson(
            self.student,
            self.teachers,
            x,
            batch_size=batch_size,
            num_passes=num_passes,
            num_targets=num_targets,
            seed=seed,
        )
        batches = lesson.batches
        self._num_steps = max(batches.steps_per_epoch * epochs, 1)
        if self.distillation_losses and not self._losses_are_built:
            self.build_losses(
                DistillationSetup(
                    student=self.student,
                    teachers=lesson.teachers,
                    popularity=lesson.popularity,
                    num_steps=self._num_steps,
                    seed=lesson.seed,
                )
            )
        if self.cache_dir is not None and self.distillation_losses:
            outputs = self._task.load_teacher_outputs(
                self.teachers, lesson, self._teacher_outputs, self.top_k, Path(self.cache_dir)
            )
            batches = replace(batches, labels={**batches.labels, **outputs})
        history = run_fit(
            super().fit,
            batches,
            self._task.make_validation_callback(validation_data, self.student),
            epochs=epochs,
            callbacks=callbacks,
            **kwargs,
        )
        self._task.finish_lesson(self.student, lesson, validation_data)
        return history

    @property
    def _teacher_outputs(self) -> list[str]:
        """Names of the extra labels that the losses read."""
        return sorted({name for loss in self.distillation_losses for name in loss.teacher_outputs})

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Returns the student's logits of its inputs."""
        return self.student(inputs, training=training)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Creates the weights of a saved Distiller, which are the student's."""
        self.student.create_weights()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means of the three losses."""
        return list(self._loss_metrics.values())

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        """The student's weights and the own weights of the losses and the weighting."""
        return [
            *self.student.trainable_variables,
            *(weight for loss in self.distillation_losses for weight in loss.trainable_variables),
            *self.weighting.trainable_variables,
        ]

    def train_step(self, data: tuple[Any, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Runs one training step.

        Args:
            data: The student's inputs, such as histories int32 [B, L], and labels as in
                `DistillationBatch`.

        Returns:
            The running means of ``loss``, ``student_loss`` and ``distillation_loss``.
        """
        inputs, labels = data
        with tf.GradientTape() as tape:
            losses = self._compute_losses(inputs, labels, training=True)
        minimize_loss(self.optimizer, losses["loss"], self.trainable_variables, tape)
        return self._update_metrics(losses)

    def test_step(self, data: tuple[Any, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Computes the same losses as `train_step`, without an update and without dropout."""
        inputs, labels = data
        return self._update_metrics(self._compute_losses(inputs, labels, training=False))

    def _compute_losses(
        self, inputs: Any, labels: dict[str, tf.Tensor], training: bool
    ) -> dict[str, tf.Tensor]:
        if self.distillation_losses and self.teachers and self._task.main_output not in labels:
            outputs = self._task.compute_teacher_outputs(
                self.teachers, inputs, labels, self._teacher_outputs, self.top_k
            )
            labels = {
                **labels,
                **{name: tf.stop_gradient(output) for name, output in outputs.items()},
            }
        layer_names = list(
            dict.fromkeys(name for loss in self.distillation_losses for name in loss.student_layers)
        )
        # Call the Distiller and not the student: Keras then marks it as built, so it can be saved.
        with capture_layer_outputs(self.student, layer_names) as layer_outputs:
            logits = self(inputs, training=training)
        outputs = self.student.to_outputs(inputs, logits)
        student_loss = self.student.supervised_loss(inputs, labels["targets"], outputs)
        step = self.optimizer.iterations if training else 0
        batch = DistillationBatch(
            inputs=inputs,
            outputs=outputs,
            labels=labels,
            student=self.student,
            layer_outputs=layer_outputs,
            training=training,
            progress=tf.minimum(tf.cast(step, tf.float32) / self._num_steps, 1.0),
        )
        losses = [loss.compute_loss(batch) for loss in self.distillation_losses]
        means = [tf.reduce_mean(loss) for loss in losses]
        loss = tf.reduce_mean(self.weighting.combine(student_loss, losses, batch))
        return {
            "loss": tf.add_n([loss, *self.student.regularization_loss()]),
            "student_loss": tf.reduce_mean(student_loss),
            "distillation_loss": tf.add_n(means or [tf.zeros([])]),
        }

    def _update_metrics(self, losses: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in losses.items():
            self._loss_metrics[name].update_state(value)
        return {name: mean.result() for name, mean in self._loss_metrics.items()}

    def get_config(self) -> dict[str, Any]:
        """Returns the serialized student, distillation losses and weighting."""
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "student": serialize(self.student),
            "distillation_losses": [serialize(loss) for loss in self.distillation_losses],
            "weighting": serialize(self.weighting),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Distiller:
        """Creates a Distiller from `get_config`, with new weights."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(
            None,
            deserialize(config["student"]),
            [deserialize(loss) for loss in config["distillation_losses"]],
            weighting=deserialize(config["weighting"]),
            name=config["name"],
        )


def _build_weighting(
    losses: Sequence[DistillationLoss],
    distillation_loss_weights: Sequence[float] | None,
    student_loss_weight: float | None,
) -> ConstantWeights:
    """Builds the weighting of the constructor's two arguments, with their defaults."""
    if distillation_loss_weights is None:
        distillation_loss_weights = [loss.default_weight for loss in losses]
    if len(distillation_loss_weights) != len(losses):
        raise ValueError(
            f"{len(losses)} distillation losses need as many weights, not "
            f"{len(distillation_loss_weights)}"
        )
    if student_loss_weight is None:
        student_loss_weight = 0.5 if losses else 1.0
    return ConstantWeights(student_loss_weight, list(distillation_loss_weights) or None)
