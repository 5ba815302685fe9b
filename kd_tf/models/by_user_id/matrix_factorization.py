"""Matrix factorisation by the number of a reader: what papers on distillation compare with."""

from __future__ import annotations

from typing import Any

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.by_user_id.base import UserIdModel


@keras.saving.register_keras_serializable(package="kd_tf")
class MatrixFactorization(UserIdModel):
    """``score(i) = <u_r, v_i>``: a vector for every reader of the training, one for every book.

    It knows nobody else, so an app cannot use it; it is here so that methods can be measured as
    their papers did. Its loss is Bayesian personalised ranking: Rendle et al., "BPR: Bayesian
    Personalized Ranking from Implicit Feedback" (2009), with as many random unread books as read
    ones.

    Args:
        dimensions: d.
        regularization: Of the squared length of the vectors in a pair of read and unread book.
        **kwargs: `books`, and `readers` and `longest` as for `ReaderModel`.
    """

    def __init__(self, *, embedding_dim: int, regularization: float = 0.03, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if embedding_dim < 1 or not regularization >= 0:
            raise ValueError(
                "dimensions must be at least 1 and regularization 0 or more, not "
                f"{embedding_dim} and {regularization}"
            )
        self.embedding_dim, self.regularization = embedding_dim, regularization

        def drawn(name: str, rows: int) -> tf.Variable:
            # An initializer each: one alone would draw the same table twice.
            small = keras.initializers.RandomNormal(stddev=0.01)
            return self.add_weight(name=name, shape=(rows, embedding_dim), initializer=small)

        self.user_table = drawn("reader_table", self.num_users + 1)
        self.item_table = drawn("table", self.num_items + 1)

    @classmethod
    def from_histories(cls, train: Histories, num_items: int, **kwargs: Any) -> MatrixFactorization:
        """The model of the readers of `train`, with new vectors.

        Raises:
            ValueError: The histories do not say whose they are.
        """
        model = cls(num_items=num_items, **cls.infer_sizes(train), **kwargs)
        model.create_weights()
        model.assign_histories(train)
        return model

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores of the whole catalogue.

        Args:
            inputs: int32 [B, 1], readers' numbers plus 1; any other number is nobody.
            training: Makes no difference.

        Returns:
            float32 [B, V + 1].
        """
        return tf.matmul(self.user_embeddings(inputs), self.item_table, transpose_b=True)

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.gather(self.user_table, self.user_rows(history))

    def item_embeddings(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.item_table)

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        return tf.matmul(
            tf.gather(self.item_table, self.mask_unknown_ids(item)),
            self.item_table,
            transpose_b=True,
        )

    def contributions(self, history: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        raise ValueError("matrix factorisation does not look at the books of a history")

    def supervised_loss(
        self, history: tf.Tensor, targets: tf.Tensor, masked_logits: MaskedLogits
    ) -> tf.Tensor:
        """float32 [B]: BPR, summed over the targets, with a new unread book for each."""
        there = tf.cast(targets > 0, tf.float32)
        unread = rng.sample_uniform(tf.shape(targets), 1, self.num_items + 1, tf.int32)
        # A drawn book that was read is masked, lies infinitely far below, and teaches nothing.
        distance = tf.gather(masked_logits.logits, targets, batch_dims=1) - tf.gather(
            masked_logits.unseen_logits, unread, batch_dims=1
        )
        own = tf.reduce_sum(tf.square(self.user_embeddings(history)), axis=1, keepdims=True)
        lengths = own + sum(
            tf.reduce_sum(tf.square(tf.gather(self.item_table, ids)), axis=2)
            for ids in (targets, unread)
        )
        each = tf.nn.softplus(-distance) + self.regularization * lengths
        return tf.reduce_sum(there * each, axis=1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dimensions": self.embedding_dim,
            "regularization": self.regularization,
        }
