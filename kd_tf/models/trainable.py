"""What models of all tasks share: training steps with a loss of their own, weights, saving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.data.examples.batches import Batches


class TrainableModel(keras.Model):
    """Base of the models of all tasks: `HistoryModel` ranks a catalog, `RankingModel` a row.

    A task's base class says what the inputs are, how outputs follow from logits and what the loss
    on the ground truth is. Training steps, the Distiller, checkpoints and pruning use only this.

    Example:
        >>> import kd_tf as kd
        >>> isinstance(kd.models.MLPStudent(3, max_length=2, embedding_dim=2), TrainableModel)
        True
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._loss_tracker = keras.metrics.Mean(name="loss")

    def to_outputs(self, inputs: Any, logits: tf.Tensor) -> Any:
        """Returns what losses read, of the logits that `call` returned for these inputs."""
        raise NotImplementedError

    def supervised_loss(self, inputs: Any, targets: tf.Tensor, outputs: Any) -> tf.Tensor:
        """Computes the loss on the ground truth, float32 [B].

        Args:
            inputs: The inputs of `call`.
            targets: The ground truth, ``labels["targets"]`` of a batch.
            outputs: The result of `to_outputs`.
        """
        raise NotImplementedError

    def create_weights(self) -> None:
        """Creates all weights, so that the model can be pruned, loaded or counted before `fit`."""
        raise NotImplementedError

    def regularization_loss(self) -> list[tf.Tensor]:
        """Returns the penalties of weights with a regularizer, to be added to the loss."""
        return list(self.losses)

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Sets the optimizer, as in Keras.

        Args:
            optimizer: Name or instance of a Keras optimizer, such as
                ``keras.optimizers.SGD(0.1, momentum=0.9)``, with any learning-rate schedule.
            **kwargs: Further arguments of `keras.Model.compile`, except those below.

        Raises:
            ValueError: A loss or a metric is given: the loss is the model's own
                (`supervised_loss`), and `fit` measures the metrics of validation.
        """
        check_compile_arguments(self, kwargs)
        super().compile(optimizer=optimizer, **kwargs)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self._loss_tracker]

    def train_step(self, data: tuple[Any, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Trains one step on (inputs, {"targets": ground truth, ...})."""
        inputs, labels = data
        with tf.GradientTape() as tape:
            outputs = self.to_outputs(inputs, self(inputs, training=True))
            loss = tf.reduce_mean(self.supervised_loss(inputs, labels["targets"], outputs))
            loss = tf.add_n([loss, *self.regularization_loss()])
        minimize_loss(self.optimizer, loss, self.trainable_variables, tape)
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}

    def test_step(self, data: tuple[Any, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Computes the same loss without training."""
        inputs, labels = data
        outputs = self.to_outputs(inputs, self(inputs, training=False))
        self._loss_tracker.update_state(self.supervised_loss(inputs, labels["targets"], outputs))
        return {"loss": self._loss_tracker.result()}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Creates the weights of a saved model; Keras would build it with float ids and fail."""
        self.create_weights()


def minimize_loss(
    optimizer: keras.optimizers.Optimizer,
    loss: tf.Tensor,
    variables: Sequence[tf.Variable],
    tape: tf.GradientTape,
) -> None:
    """Updates variables by the gradients of a loss, as `Optimizer.minimize` does.

    Args:
        optimizer: Any Keras optimizer, loss-scale and legacy ones included.
        loss: Scalar that the tape has recorded.
        variables: The variables to update.
        tape: The tape.
    """
    # Summing the gradients of all replicas registers a custom gradient, which holds the whole graph
    # for as long as the process lives. With one replica there is nothing to sum.
    has_one_replica = tf.distribute.get_strategy().num_replicas_in_sync == 1
    if not has_one_replica or isinstance(optimizer, keras.optimizers.legacy.Optimizer):
        optimizer.minimize(loss, variables, tape=tape)
    else:
        optimizer.apply_gradients(
            optimizer.compute_gradients(loss, variables, tape), skip_gradients_aggregation=True
        )


def check_compile_arguments(model: keras.Model, arguments: dict[str, Any]) -> None:
    """Checks that `compile` gets nothing that a model with its own training step would ignore.

    Raises:
        ValueError: A loss or a metric is given.
    """
    for name in ("loss", "metrics", "weighted_metrics", "loss_weights"):
        if arguments.get(name) is not None:
            raise ValueError(
                f"compile got {name}, which would be ignored: {type(model).__name__} has its own "
                "loss. Override supervised_loss or write a DistillationLoss to change the loss, "
                "and use kd_tf.evaluate for metrics"
            )


def run_fit(
    fit: Callable[..., keras.callbacks.History],
    batches: Batches,
    validation: keras.callbacks.Callback | None,
    *,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] | None,
    **kwargs: Any,
) -> keras.callbacks.History:
    """Runs Keras' `fit` on batches.

    Args:
        fit: `keras.Model.fit` of the model that is trained.
        batches: Training data.
        validation: Writes the metrics of validation into the logs, before all other callbacks.
        epochs: Number of epochs.
        callbacks: The user's callbacks, which see these metrics. Those with a true attribute
            `runs_last` run after all others.
        **kwargs: Further arguments of `keras.Model.fit`.
    """
    ordered_callbacks = sorted(
        callbacks or (), key=lambda callback: getattr(callback, "runs_last", False)
    )
    return fit(
        batches.stream(),
        steps_per_epoch=batches.steps_per_epoch,
        epochs=epochs,
        callbacks=[*([validation] if validation else []), *ordered_callbacks],
        **kwargs,
    )
