"""Matrix factorization with user embeddings, the usual student in papers on distillation."""

from __future__ import annotations

from typing import Any

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.by_user_id.base import UserIdModel


@keras.saving.register_keras_serializable(package="kd_tf")
class MatrixFactorization(UserIdModel):
    """Scores ``<u_r, v_i>``, the dot product of a user embedding and an item embedding.

    It knows only the training users, so an app cannot use it. It serves to compare distillation
    methods as their papers did. The loss is Bayesian personalized ranking (Rendle et al., "BPR:
    Bayesian Personalized Ranking from Implicit Feedback", 2009) with one random unseen item per
    target.

    Args:
        embedding_dim: d.
        regularization: Weight of the squared norms of the embeddings of user, target and unseen
            item in the loss.
        **kwargs: `num_items`, `num_users` and `max_seen_items`, see `UserIdModel`.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> import numpy as np
        >>> from kd_tf.backend import tf
        >>> from kd_tf.data.histories import Histories
        >>> train = Histories(
        ...     np.array([1, 2, 3], np.int32), np.array([0, 2, 3]), users=np.array([0, 1])
        ... )
        >>> model = MatrixFactorization.from_histories(train, num_items=4, embedding_dim=2)
        >>> model(tf.constant([[1], [2]])).shape  # scores for users 0 and 1
        TensorShape([2, 5])
        >>> model.seen_items(tf.constant([[1], [2]])).numpy()
        array([[1, 2],
               [3, 0]], dtype=int32)
    """

    def __init__(self, *, embedding_dim: int, regularization: float = 0.03, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if embedding_dim < 1 or not regularization >= 0:
            raise ValueError(
                "embedding_dim must be at least 1 and regularization 0 or more, not "
                f"{embedding_dim} and {regularization}"
            )
        self.embedding_dim, self.regularization = embedding_dim, regularization

        def add_table(name: str, rows: int) -> tf.Variable:
            # One initializer per table: a shared one would give both the same values.
            initializer = keras.initializers.RandomNormal(stddev=0.01)
            return self.add_weight(name=name, shape=(rows, embedding_dim), initializer=initializer)

        self.user_table = add_table("user_table", self.num_users + 1)
        self.item_table = add_table("item_table", self.num_items + 1)

    @classmethod
    def from_histories(cls, train: Histories, num_items: int, **kwargs: Any) -> MatrixFactorization:
        """Builds an untrained model for the users of the training histories.

        Args:
            train: The training histories, with user indices.
            num_items: V.
            **kwargs: `embedding_dim` and `regularization`, see the class.

        Raises:
            ValueError: The histories have no user indices.
        """
        model = cls(num_items=num_items, **cls.infer_sizes(train), **kwargs)
        model.create_weights()
        model.assign_histories(train)
        return model

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores the whole catalog for each user.

        Args:
            inputs: int32 [B, 1], user index plus 1; any other number means an unknown user.
            training: Has no effect.

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
        raise ValueError("matrix factorization does not use the items of a history")

    def supervised_loss(
        self, inputs: tf.Tensor, targets: tf.Tensor, outputs: MaskedLogits
    ) -> tf.Tensor:
        """Computes the BPR loss, summed over the targets, each with a new random unseen item."""
        is_target = tf.cast(targets > 0, tf.float32)
        negatives = rng.sample_uniform(tf.shape(targets), 1, self.num_items + 1, tf.int32)
        # A sampled item that was seen has a masked logit, so that its ranking loss is 0.
        distance = tf.gather(outputs.logits, targets, batch_dims=1) - tf.gather(
            outputs.unseen_logits, negatives, batch_dims=1
        )
        user_norms = tf.reduce_sum(tf.square(self.user_embeddings(inputs)), axis=1, keepdims=True)
        squared_norms = user_norms + sum(
            tf.reduce_sum(tf.square(tf.gather(self.item_table, ids)), axis=2)
            for ids in (targets, negatives)
        )
        losses = tf.nn.softplus(-distance) + self.regularization * squared_norms
        return tf.reduce_sum(is_target * losses, axis=1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "embedding_dim": self.embedding_dim,
            "regularization": self.regularization,
        }
