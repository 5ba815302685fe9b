"""A teacher that knows the friends of a user: what they read tells what the user will like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.errors import UserError
from kd_tf.evaluation.validation import is_clear_gain
from kd_tf.layers.id_ops import mark_first_occurrences
from kd_tf.models.base import HistoryModel
from kd_tf.models.fold_in import FoldInModel
from kd_tf.models.training_data import TrainingData
from kd_tf.models.user_marks import read_user_marks
from kd_tf.models.weighted_ensemble import (
    MAX_FITTING_SCORES,
    MIN_VALIDATION_USERS,
    fit_ensemble_weights,
)

DEFAULT_MIXTURE = ((1.0, 0.0), (1.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
"""Weights and exponents without validation users: the own history, and the items of friends.

The parts are the own history; items and factors of friends; items and factors of their friends."""


@keras.saving.register_keras_serializable(package="kd_tf")
class FriendsTeacher(FoldInModel):
    """Implicit matrix factorization that also smooths histories and factors over friends.

    The score of a user is a weighted sum of five parts: the score of the own history, as in
    `ImplicitALSTeacher`; the training histories of friends, each divided by the root of its length;
    the score of the sum of the friends' factors; and the latter two of the friends of friends. A
    path to a friend of a friend counts one over the number of friends of the one between them. Sums
    are divided by the root of the number of friends with a training history: more friends tell
    more, and not in proportion. The weights of the parts, which may change with the length of the
    history, are selected on validation users. A user without a history gets what friends have.

    Only training histories are used: of friends who are validation or test users nothing is known.
    The input says whose history it is (`kd_tf.models.user_marks`); an unknown user has no friends.
    So this is a teacher only: a student learns from its scores of the training users, and the app
    never sees who is a friend of whom.

    Sources: Chaney, Blei and Eliassi-Rad, "A probabilistic model for using social networks in
    personalized item recommendation" (RecSys 2015), for sums over what friends have; Zhou, Lü and
    Zhang, "Predicting missing links via local information" (2009), for the paths.

    Args:
        num_users: Number of user indices, and `num_friendships`, `num_train_users` and
            `num_train_items`, the sizes of what `fit` stores. Given where a model is loaded.
        **kwargs: As for `FoldInModel`.

    Example:
        >>> import kd_tf as kd
        >>> data = kd.data.bookshop(items=60, users=150, seed=1, friends=True)
        >>> split = kd.split(data, "cold-users", seed=1)
        >>> teacher = kd.models.FriendsTeacher(split.num_items, max_length=20)
        >>> history = teacher.fit(split.train, validation_data=split.validation)
        >>> kd.evaluate(teacher, split.test)["recall@20"] > 0.4
        True
    """

    quantizations: tuple[str, ...] = ()  # the user of an app is in no table
    looks_up_users = True

    def __init__(
        self,
        num_items: int,
        *,
        num_users: int = 0,
        num_friendships: int = 0,
        num_train_users: int = 0,
        num_train_items: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_items, **kwargs)
        self._create_tables(num_users, num_friendships, num_train_users, num_train_items)
        self._graph: _FriendGraph | None = None
        self.peak_score_rows += 2

    def _create_tables(
        self, num_users: int, num_friendships: int, num_train_users: int, num_train_items: int
    ) -> None:
        """Creates the weights that hold friends and training histories, or replaces them."""
        self.num_users, self.num_friendships = num_users, num_friendships
        self.num_train_users, self.num_train_items = num_train_users, num_train_items
        for name in _TABLES:
            if hasattr(self, name):
                delattr(self, name)

        def add_table(name: str, rows: int, *columns: int, dtype: str = "int32") -> tf.Variable:
            # At least one row, never read: an empty variable cannot be saved.
            return self.add_weight(
                name=name,
                shape=(max(rows, 1), *columns),
                dtype=dtype,
                initializer="zeros",
                trainable=False,
            )

        self.friendships = add_table("friendships", num_friendships, 2)
        self.train_users = add_table("train_users", num_train_users)
        self.train_starts = add_table("train_starts", num_train_users + 1)
        self.train_items = add_table("train_items", num_train_items)
        self.train_factors = add_table(
            "train_factors", num_train_users, self.embedding_dim, dtype="float32"
        )
        # Of each part its weight and the exponent of the history's length.
        self.mixture = add_table("mixture", len(DEFAULT_MIXTURE), 2, dtype="float32")
        self.mixture.assign(DEFAULT_MIXTURE)

    def solve(self, data: TrainingData) -> None:
        """Fits the factors, and the weights of the parts on validation users.

        Raises:
            UserError: The split has no friends, or no users.
        """
        train = data.train
        if train.friendships is None or train.users is None or not len(train.friendships):
            raise UserError(
                "the friends teacher needs friends, and the data have none",
                hint="Give a table of pairs of users: --friends FILE, or kd.data.join_friends.",
            )
        super().solve(data)
        num_users = 1 + max(int(train.friendships.max()), int(train.users.max(initial=0)))
        self._create_tables(num_users, len(train.friendships), len(train), len(train.items))
        self.friendships.assign(train.friendships)
        self.train_users.assign(train.users)
        self.train_starts.assign(train.offsets)
        if len(train.items):
            self.train_items.assign(train.items)
        self.train_factors.assign(self.numpy_user_factors(train))
        self._fit_mixture(data)

    def _fit_mixture(self, data: TrainingData) -> None:
        """Selects the weights of the parts that rank best on the validation users.

        Friends of friends get a weight only if they help clearly: with few validation users some
        weight of many always seems to.
        """
        metric = data.validation_metric.take_first(
            max(MAX_FITTING_SCORES // (self.num_items + 1), MIN_VALIDATION_USERS)
        )
        histories, lengths = metric.histories, np.maximum(metric.histories.lengths, 1)
        if not len(metric) or histories.users is None:
            return

        def fit(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            """Returns weight and exponent of each part, [parts, 2], and the weighted sum."""
            weights, exponents, _ = fit_ensemble_weights(parts, lengths, metric.evaluate_scores)
            mixture = np.stack([weights, exponents], axis=1)
            return mixture, _sum_parts(parts, mixture, lengths)

        with data.progress.task("fitting the weights of friends", 2) as advance:
            near, far = (
                [
                    _clear_seen(part, histories)
                    for part in (self._sum_items(w), self._sum_factors(w))
                ]
                for w in self._get_graph().find_friends(histories.users)
            )
            own_part = _clear_seen(super().numpy_scores(histories), histories)
            near_mixture, near_sum = fit([own_part, *near])
            near_ndcg = metric.evaluate_scores_per_user(near_sum)
            advance(1, f"validation NDCG@10 {near_ndcg.mean():.4f}")
            far_mixture, far_sum = fit([near_sum, *far])
            gain = metric.evaluate_scores_per_user(far_sum) - near_ndcg
            advance(1, f"with friends of friends {near_ndcg.mean() + gain.mean():.4f}")
        mixture = np.concatenate([near_mixture, np.zeros((2, 2))])
        if is_clear_gain(gain):
            near_weight, near_exponent = far_mixture[0]
            mixture[:, 0] *= near_weight
            mixture[:, 1] += near_exponent
            mixture[3:] = far_mixture[1:]
        if mixture[0, 0]:
            # The own history has weight 1 and exponent 0, which ranks alike.
            mixture[:, 0] /= mixture[0, 0]
            mixture[:, 1] -= mixture[0, 1]
        self.mixture.assign(mixture)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        own_scores = super().call(inputs, training=training)
        is_item = mark_first_occurrences(self.mask_unknown_ids(inputs))
        scores = tf.numpy_function(
            self._add_friends,
            [
                read_user_marks(inputs, self.num_items),
                tf.reduce_sum(tf.cast(is_item, tf.int32), axis=1),
                own_scores,
            ],
            tf.float32,
            stateful=False,
        )
        return tf.ensure_shape(scores, own_scores.shape)

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        matrix = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        users = np.full(len(histories), -1) if histories.users is None else histories.users
        return self._add_friends(users, np.diff(matrix.indptr), super().numpy_scores(histories))

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        return HistoryModel.score(self, history, candidates)

    def _add_friends(
        self, users: np.ndarray, lengths: np.ndarray, own_scores: np.ndarray
    ) -> np.ndarray:
        """Adds what friends tell to the scores of the own histories.

        Args:
            users: int [B], user indices; others than those of the data have no friends.
            lengths: int [B], number of items in each history.
            own_scores: float32 [B, V + 1].

        Returns:
            float32 [B, V + 1].
        """
        if not ((users >= 0) & (users < self.num_users)).any():
            return own_scores
        mixture = self.mixture.numpy()
        own_weight, *weights = _compute_part_weights(mixture, np.maximum(lengths, 1))
        friends, others = self._get_graph().find_friends(users)

        def combine(of_friends: np.ndarray, of_others: np.ndarray) -> sparse.csr_array:
            return sparse.diags_array(of_friends) @ friends + sparse.diags_array(of_others) @ others

        # Of whom nothing else is known, the own history counts in any case.
        has_friends = (friends.sum(axis=1) > 0) | (others.sum(axis=1) > 0)
        scores = np.where(has_friends, own_weight, np.float32(1))[:, None] * own_scores
        scores += self._sum_items(combine(weights[0], weights[2]))
        scores += self._sum_factors(combine(weights[1], weights[3]))
        return np.asarray(scores, np.float32)

    def _sum_items(self, weights: sparse.csr_array) -> np.ndarray:
        """Sums the training histories with weights [B, R]: float32 [B, V + 1]."""
        return np.asarray((weights @ self._get_graph().histories).toarray(), np.float32)

    def _sum_factors(self, weights: sparse.csr_array) -> np.ndarray:
        """Computes the scores of sums of user factors with weights [B, R]: float32 [B, V + 1]."""
        user_factors = weights @ self.train_factors.numpy()
        return np.asarray(user_factors @ self.factors.numpy().T, np.float32)

    def _get_graph(self) -> _FriendGraph:
        """Returns the friends and histories in the form of matrices, made of the weights once."""
        tables = (
            self.friendships.numpy()[: self.num_friendships],
            self.train_users.numpy()[: self.num_train_users],
            self.train_starts.numpy(),
            self.train_items.numpy()[: self.num_train_items],
        )
        if self._graph is None or not self._graph.is_made_of(tables):
            self._graph = _FriendGraph.from_tables(tables, self.num_users, self.num_items)
        return self._graph

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_users": self.num_users,
            "num_friendships": self.num_friendships,
            "num_train_users": self.num_train_users,
            "num_train_items": self.num_train_items,
        }


_TABLES = (
    *("friendships", "train_users", "train_starts", "train_items", "train_factors", "mixture"),
)


def _compute_part_weights(mixture: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Computes the weight of each part for histories of these lengths: each float32 [B]."""
    return [(weight * lengths**exponent).astype(np.float32) for weight, exponent in mixture]


def _sum_parts(parts: list[np.ndarray], mixture: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Sums parts float32 [B, V + 1] with their weights for histories of these lengths."""
    weights = _compute_part_weights(mixture, lengths)
    return np.asarray(
        sum(weight[:, None] * part for weight, part in zip(weights, parts, strict=True))
    )


def _clear_seen(scores: np.ndarray, histories: Histories) -> np.ndarray:
    """Sets the scores of padding and seen items to 0: they alone would determine the scale."""
    scores[np.repeat(np.arange(len(histories)), histories.lengths), histories.items] = 0
    scores[:, 0] = 0
    return scores


@dataclass(frozen=True)
class _FriendGraph:
    """Who is a friend of whom, and the training histories.

    Attributes:
        tables: What it is made of: friendships, training users, and their histories.
        friends: float32 CSR [U, U], 1 for friends.
        train_friends: float32 CSR [U, R], 1 for friends with a training history.
        histories: float32 CSR [R, V + 1], the training histories, each divided by the root of its
            length.
    """

    tables: tuple[np.ndarray, ...]
    friends: sparse.csr_array
    train_friends: sparse.csr_array
    histories: sparse.csr_array

    @classmethod
    def from_tables(
        cls, tables: tuple[np.ndarray, ...], num_users: int, num_items: int
    ) -> _FriendGraph:
        """Makes the matrices."""
        friendships, train_users, starts, items = tables
        both_ways = np.concatenate([friendships, friendships[:, ::-1]])
        friends = sparse.csr_array(
            (np.ones(len(both_ways), np.float32), (both_ways[:, 0], both_ways[:, 1])),
            shape=(num_users, num_users),
        )
        columns = np.arange(len(train_users))
        is_train_user = sparse.csr_array(
            (np.ones(len(columns), np.float32), (train_users, columns)),
            shape=(num_users, len(columns)),
        )
        histories = Histories(items, starts.astype(np.int64)).to_csr_matrix(num_items)
        lengths = np.maximum(np.diff(histories.indptr), 1).astype(np.float32)
        return cls(
            tuple(table.copy() for table in tables),
            friends,
            sparse.csr_array(friends @ is_train_user),
            sparse.csr_array(sparse.diags_array(lengths**-0.5) @ histories),
        )

    def is_made_of(self, tables: tuple[np.ndarray, ...]) -> bool:
        """Says whether the matrices are those of these tables."""
        return all(map(np.array_equal, self.tables, tables))

    def find_friends(self, users: np.ndarray) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Finds the training users that are friends, and friends of friends.

        Args:
            users: int [B], user indices; others than those of the data have no friends.

        Returns:
            Their weights, each float32 CSR [B, R]. No user is the own friend of a friend.
        """
        num_users, num_train_users = self.train_friends.shape
        is_known = (users >= 0) & (users < num_users)
        rows = np.where(is_known, users, 0)
        mask = sparse.diags_array(is_known.astype(np.float32))
        near = sparse.csr_array(mask @ self.train_friends[rows])
        degrees = np.maximum(self.friends.sum(axis=1), 1)
        paths = mask @ self.friends[rows] @ sparse.diags_array(1 / degrees) @ self.train_friends
        far = sparse.coo_array(paths)
        is_other = self.tables[1][far.coords[1]] != users[far.coords[0]]
        far = sparse.csr_array(
            (far.data[is_other], tuple(part[is_other] for part in far.coords)),
            shape=(len(users), num_train_users),
        )
        return _divide_rows(near), _divide_rows(far)


def _divide_rows(matrix: sparse.csr_array) -> sparse.csr_array:
    """Divides every row by the root of its sum."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    factors = np.where(sums > 0, np.maximum(sums, 1e-9) ** -0.5, 0).astype(np.float32)
    return sparse.csr_array((sparse.diags_array(factors) @ matrix).astype(np.float32))
