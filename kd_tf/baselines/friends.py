"""The friends baseline: what most friends of the user have read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kd_tf.data.histories import Histories
from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.evaluation.top_k import check_ids


@dataclass(frozen=True)
class FriendsPopularity:
    """Scores an item by the number of friends who have it in training; see `fit`.

    Attributes:
        friendships: float32 CSR [U, U], 1 where two users are friends.
        user_items: float32 CSR [U, V + 1], 1 where a training user has an item.
        tie_breaks: float32 [V + 1], below 1: more for an item with more training users.
        name: Name in result tables.

    Example:
        >>> import numpy as np
        >>> from kd_tf.data.histories import Histories
        >>> friendships = sparse.csr_array(np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]], np.float32))
        >>> items = sparse.csr_array(np.array([[0, 0, 0], [0, 1, 1], [0, 0, 1]], np.float32))
        >>> model = FriendsPopularity(friendships, items, np.zeros(3, np.float32))
        >>> nothing = np.empty(0, np.int32), np.zeros(2, np.int64)
        >>> model.score(Histories(*nothing, users=np.array([0]))).tolist()
        [[-inf, 1.0, 2.0]]
    """

    friendships: sparse.csr_array
    user_items: sparse.csr_array
    tie_breaks: np.ndarray
    name: str = "friends"

    @property
    def num_parameters(self) -> int:
        """Number of pairs of friends, and of users and items."""
        return int(self.friendships.nnz // 2 + self.user_items.nnz)

    @property
    def num_bytes(self) -> int:
        """Bytes that both matrices and the tie breaks take in memory."""
        return self.tie_breaks.nbytes + sum(
            int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)
            for matrix in (self.friendships, self.user_items)
        )

    def score(self, histories: Histories) -> np.ndarray:
        """Returns float32 [n, V + 1], -inf for items that no friend has; users must be known."""
        check_ids(histories, len(self.tie_breaks) - 1)
        scores = np.full((len(histories), len(self.tie_breaks)), -np.inf, np.float32)
        if histories.users is None or not len(histories):
            return scores
        is_known = histories.users < self.friendships.shape[0]
        counts = (self.friendships[histories.users[is_known]] @ self.user_items).toarray()
        scores[is_known] = np.where(counts > 0, counts + self.tie_breaks, -np.inf)
        return scores


def fit(split: Split) -> FriendsPopularity:
    """Counts what friends have in training; of equal counts the more popular item comes first.

    Friends who are validation or test users have no training history, and tell nothing.

    Raises:
        UserError: The split has no friends.
    """
    train = split.train
    if split.friendships is None or train.users is None or not len(split.friendships):
        raise UserError(
            "no friends are known",
            hint="Give a table of pairs of users: --friends FILE, or kd.data.join_friends.",
        )
    num_users = 1 + max(int(split.friendships.max()), int(train.users.max(initial=0)))
    first, second = split.friendships.T
    pairs = (np.concatenate([first, second]), np.concatenate([second, first]))
    friendships = sparse.csr_array(
        (np.ones(len(pairs[0]), np.float32), pairs), shape=(num_users, num_users)
    )
    items = train.to_csr_matrix(split.num_items).tocoo()
    user_items = sparse.csr_array(
        (np.ones(items.nnz, np.float32), (train.users[items.row], items.col)),
        shape=(num_users, split.num_items + 1),
    )
    popularity = np.bincount(items.col, minlength=split.num_items + 1)
    return FriendsPopularity(
        friendships, user_items, (popularity / (popularity.max() + 1)).astype(np.float32)
    )
