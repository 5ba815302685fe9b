"""The base class of teachers and students: histories in, a score for every item out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.dataset import Dataset
from kd_tf.data.examples.sequences import Examples, draw_sequence_examples
from kd_tf.data.histories import Histories, from_padded
from kd_tf.data.split import HeldOutSet, Split, TrainingSet, to_training_set
from kd_tf.layers.id_ops import mark_first_occurrences, mask_unknown_ids
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import compute_multinomial_loss
from kd_tf.models.content.item_mixtures import ItemMixtures
from kd_tf.models.trainable import TrainableModel, run_fit
from kd_tf.models.user_marks import append_user_marks, read_user_marks
from kd_tf.progress import Progress


class HistoryModel(TrainableModel):
    """Base of all models that rank the catalog for a history of items.

    A subclass implements `call`. `score`, `similar` and `contributions` are derived from it; a
    subclass overrides them where it can compute them more cheaply. Ids are 1..V for items and 0
    for padding. Any other number counts as padding, and an item that stands in a history more than
    once counts once. A model is stateless: the same history gives the same scores on every call.

    Args:
        num_items: V.
        max_length: L, how many items of a history the model sees.

    Attributes:
        peak_score_rows: How many vectors of V + 1 numbers scoring one history needs at its peak.
        quantized_weights: Names of the weights that a file stores in one byte per number.
        quantizations: The forms it can be exported in (`kd_tf.tflite.quantization.Quantization`).
        looks_up_users: Whether the scores depend on whose history it is, which a mark at the end of
            the input says (`kd_tf.models.user_marks`). Without the mark the user is unknown.

    Example:
        >>> import numpy as np
        >>> from kd_tf.backend import tf
        >>> class NextItem(HistoryModel):
        ...     def call(self, inputs, training=False):
        ...         return tf.one_hot(tf.reduce_max(inputs, axis=1) + 1, self.num_items + 1)
        >>> model = NextItem(num_items=3, max_length=2)
        >>> model(tf.constant([[1, 0]])).numpy()
        array([[0., 0., 1., 0.]], dtype=float32)
        >>> model.score(tf.constant([[1, 0]]), tf.constant([[3, 2]])).numpy()
        array([[0., 1.]], dtype=float32)
    """

    peak_score_rows = 1
    quantized_weights: tuple[str, ...] = ()
    quantizations: tuple[str, ...] = ("float32", "float16", "dynamic-int8", "int8")
    looks_up_users = False

    def __init__(self, num_items: int, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_items < 1 or max_length < 1:
            raise ValueError(
                f"num_items and max_length must be at least 1, not {num_items} and {max_length}"
            )
        self.num_items = num_items
        self.max_length = max_length

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores the whole catalog for each history.

        Args:
            inputs: int32 [B, L], oldest first, padded with 0 at the end.
            training: True enables dropout.

        Returns:
            float32 [B, V + 1] logits; column i is the item with id i, column 0 has no meaning.
            Items of the history are scored like any others.
        """
        raise NotImplementedError

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """Scores the given candidates for each history.

        Args:
            history: int32 [B, L].
            candidates: int32 [B, C].

        Returns:
            float32 [B, C], as in `call`; 0 for candidates that are not valid ids.
        """
        ids = self.mask_unknown_ids(candidates)
        scores = tf.gather(self(history, training=False), ids, batch_dims=1)
        return tf.where(ids > 0, scores, 0.0)

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        """Scores how similar every item is to the given one.

        The default is the model's score for a history of only this item.

        Args:
            item: int32 [B].

        Returns:
            float32 [B, V + 1], higher is more similar.
        """
        return self(tf.pad(tf.expand_dims(item, 1), [[0, 0], [0, self.max_length - 1]]))

    def contributions(self, history: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """Computes how much each history item adds to the score of one item.

        The default is leave-one-out: the drop in score when the history item is removed.

        Args:
            history: int32 [B, L].
            item: int32 [B].

        Returns:
            float32 [B, L]; 0 for padding and for repetitions of an earlier item.
        """
        L = self.max_length
        ids = self.mask_unknown_ids(history)
        # All repetitions of an item are removed together.
        same = tf.equal(tf.expand_dims(ids, 2), tf.expand_dims(ids, 1))
        without = tf.where(same, 0, tf.expand_dims(ids, 1))
        # Row 0 of each user is the full history, the L others lack one item: one batch for all.
        rows = tf.reshape(tf.concat([tf.expand_dims(ids, 1), without], axis=1), [-1, L])
        candidates = tf.reshape(tf.repeat(tf.expand_dims(item, 1), L + 1, axis=1), [-1, 1])
        scores = tf.reshape(self.score(rows, candidates), [-1, L + 1])
        return tf.where(mark_first_occurrences(ids), scores[:, :1] - scores[:, 1:], 0.0)

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Computes the user embedding of each history.

        Args:
            history: int32 [B, L].
            training: True enables dropout.

        Returns:
            float32 [B, d].

        Raises:
            ValueError: The model has no user embeddings.
        """
        raise ValueError(f"{type(self).__name__} has no user embeddings")

    def item_embeddings(self) -> tf.Tensor:
        """Returns the item embeddings that score by dot product with `user_embeddings`.

        Returns:
            float32 [V + 1, d].

        Raises:
            ValueError: The model has no item embeddings.
        """
        raise ValueError(f"{type(self).__name__} has no item embeddings")

    def numpy_scores(self, histories: Histories) -> np.ndarray | None:
        """Computes the scores of `call` in NumPy, for models where that is faster.

        Args:
            histories: At most L items each.

        Returns:
            A new array float32 [n, V + 1], equal to the scores of `call` up to rounding; None if
            the model has no such implementation.
        """
        return None

    def to_inputs(self, histories: Histories) -> np.ndarray:
        """Converts histories to the inputs of `call`: int32 [n, L], and marks if it needs them."""
        inputs = histories.pad(self.max_length)
        if self.looks_up_users and histories.users is not None:
            return append_user_marks(inputs, histories.users, self.num_items)
        return inputs

    def from_inputs(self, inputs: np.ndarray) -> Histories:
        """Converts inputs of `call`, int32 [n, L], back to histories; undoes `to_inputs`."""
        if not self.looks_up_users:
            return from_padded(inputs)
        items = np.where(inputs <= self.num_items, inputs, 0)
        users = np.asarray(read_user_marks(inputs, self.num_items))
        return dataclasses.replace(from_padded(items), users=users)

    def draw_examples(
        self, train: TrainingSet, *, num_passes: int, num_targets: int, seed: int
    ) -> Examples:
        """Draws the training examples whose histories are inputs of `call`.

        Args:
            train: The training histories.
            num_passes: Number of examples per user.
            num_targets: Number of target items per example, at most.
            seed: Random seed.
        """
        return draw_sequence_examples(
            train,
            num_passes=num_passes,
            max_length=self.max_length,
            num_targets=num_targets,
            chronological=train.chronological,
            seed=seed,
        )

    def mix_items(self, mixtures: ItemMixtures) -> None:
        """Gives items the place in the model of a mixture of other items, as input and as output.

        New items come into a trained model this way (`kd_tf.models.content.item_mixtures`).

        Args:
            mixtures: The items and what they are made of.

        Raises:
            NotImplementedError: The model has no rows of items.
        """
        raise NotImplementedError(f"{type(self).__name__} has no rows of items to mix")

    def pack(self) -> HistoryModel:
        """Returns the model with its weights packed for export; by default the model itself."""
        return self

    def seen_items(self, history: tf.Tensor) -> tf.Tensor:
        """Returns the items never to recommend for these histories: int32 [B, n], padded with 0."""
        return self.mask_unknown_ids(history)

    def mask_unknown_ids(self, ids: tf.Tensor) -> tf.Tensor:
        """Replaces ids outside 1..V with 0, which is padding."""
        return mask_unknown_ids(ids, self.num_items)

    @property
    def table_rows(self) -> int:
        """Number of rows of its item tables: one per item and one for padding."""
        return self.num_items + 1

    def masked_logits(self, history: tf.Tensor, training: bool = False) -> MaskedLogits:
        """Scores histories int32 [B, L] and masks the items that are never recommended."""
        return self.to_outputs(history, self(history, training=training))

    def to_outputs(self, inputs: tf.Tensor, logits: tf.Tensor) -> MaskedLogits:
        """Masks what is never recommended in the logits float32 [B, V + 1] of these histories."""
        return MaskedLogits.from_logits(logits, self.seen_items(inputs))

    def supervised_loss(
        self, inputs: tf.Tensor, targets: tf.Tensor, outputs: MaskedLogits
    ) -> tf.Tensor:
        """Computes the loss on the ground-truth items.

        Args:
            inputs: Histories int32 [B, L].
            targets: int32 [B, M], padded with 0.
            outputs: The scores of the histories.

        Returns:
            float32 [B].
        """
        return compute_multinomial_loss(outputs.unseen_logits, targets, outputs.log_partition)

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
        """Trains the model on ``split.train``; everything else that Keras takes works too.

        Args:
            x: Histories, usually ``split.train``: training examples are drawn from them, as many
                as there are users in every epoch. Or inputs as in `keras.Model.fit`: a dataset of
                (history int32 [B, L], {"targets": int32 [B, M]}), or arrays with `y`.
            y: Labels, if `x` is an array.
            validation_data: ``split.validation``: every epoch then logs ``val_ndcg@10``, for
                example for ``EarlyStopping("val_ndcg@10", mode="max")``.
            epochs: Number of epochs.
            batch_size: Users per step; 32 by default, as in Keras.
            callbacks: Keras callbacks.
            num_passes: Number of different examples per user, 8 by default; epochs take them in
                turn.
            num_targets: Number of target items per example, at most; by default 4 where
                histories are in the order of reading and 16 elsewhere.
            seed: Draws and shuffles the examples; by default the seed of the split.
            **kwargs: Further arguments of `keras.Model.fit`, such as `verbose`.

        Returns:
            Losses and metrics by epoch.

        Raises:
            UserError: No user has two items to learn from.
            ValueError: The histories have another number of items than the model.
        """
        check_fit_input(self, x)
        if not isinstance(x, Histories):
            return super().fit(
                x,
                y,
                validation_data=validation_data,
                epochs=epochs,
                batch_size=batch_size,
                callbacks=callbacks,
                **kwargs,
            )
        # Scoring and validation stand on this class: imported when they are needed.
        from kd_tf.models import fitting

        train = to_training_set(x, self.num_items)
        self.prepare_fit(train)
        examples = fitting.draw_examples(self, train, num_passes, num_targets, seed)
        history = run_fit(
            super().fit,
            fitting.make_batches(examples, train, batch_size, seed),
            fitting.make_validation_callback(validation_data, self),
            epochs=epochs,
            callbacks=callbacks,
            **kwargs,
        )
        self.finish_fit(train, validation_data)
        return history

    def prepare_fit(self, train: TrainingSet) -> None:
        """Looks at the training histories before the first step; by default nothing is needed."""
        if not self.built:
            self.create_weights()

    def finish_fit(
        self,
        train: TrainingSet,
        validation_data: HeldOutSet | None,
        progress: Progress | None = None,
    ) -> None:
        """Fits what is fitted after the last step; by default nothing is.

        Args:
            train: The training histories.
            validation_data: The validation users; None if there are none.
            progress: Reports progress.
        """

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, enough to rebuild the model without its weights."""
        return {
            "name": self.name,
            "num_items": self.num_items,
            "max_length": self.max_length,
        }

    def create_weights(self) -> None:
        """Creates all weights, so that the model can be pruned, loaded or counted before `fit`."""
        self(tf.zeros([1, self.max_length], tf.int32))


def check_fit_input(model: keras.Model, x: Any) -> None:
    """Checks what `fit` gets, for mistakes that Keras would explain in other words.

    Raises:
        TypeError: A whole split or data set is given.
        ValueError: The model is not compiled.
    """
    if isinstance(x, Split | Dataset):
        raise TypeError(f"fit takes the training histories, split.train, not a {type(x).__name__}")
    if not getattr(model, "_is_compiled", False):
        raise ValueError('call compile(optimizer="adam") before fit')
