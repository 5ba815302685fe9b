"""Encodes the texts of rows, for a teacher whose student sees none of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from kd_tf.data.features.vector_cache import VectorCache
from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.data.ranking.row_texts import RowTexts
from kd_tf.encoders.base import TextEncoder, Vectors
from kd_tf.encoders.registry import open_encoder
from kd_tf.errors import UserError
from kd_tf.progress import NullProgress, Progress

WORD_COUNTS = "tfidf"
"""The encoder by default: it needs no weights."""

MAX_DIM = 64
"""Length of the vectors that teachers see: a principal component beyond these is noise to them."""

NUM_FOLDS = 5
"""Parts of the training rows: what a user likes is computed for each from the others."""


def encode_texts(
    split: RankingSplit,
    encoder: str = WORD_COUNTS,
    *,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> RankingSplit:
    """Encodes the columns of texts, each distinct text once, for `TextTeacher`.

    Of the vectors the leading components are kept (truncated SVD), fitted to the texts of the
    training rows, as the words of TF-IDF are. A row also gets the mean vector of what its user
    liked: the training rows whose label is above the mean. For a training row only those of other
    folds count. Its own would tell its label, and so would a mean of all but its own: within a
    user it would differ between a row that was liked and one that was not.

    Args:
        split: Rows with columns of texts (`FeatureOptions.text`).
        encoder: A name in `kd_tf.encoders.ENCODERS`, or a folder. Several, separated by commas, are
            used side by side.
        cache: Folder that keeps the vectors of pretrained encoders; by default nothing is kept.
        progress: Reports progress.

    Returns:
        The split, whose parts have `RankingExamples.texts`. Features and layout are as they were.

    Raises:
        UserError: There is no column of texts, no training row has a text, or the encoder is
            unknown.
        MissingExtraError: The extra of an encoder is not installed.

    Example:
        >>> import pandas as pd
        >>> from kd_tf.data.ranking.fit_schema import FeatureOptions
        >>> from kd_tf.data.ranking.read_ranking import read_ranking_split
        >>> titles = ["a red ship", "a red house", "a ship of ice", "the house"]
        >>> table = pd.DataFrame(
        ...     {
        ...         "user": [row % 9 for row in range(80)],
        ...         "title": [titles[row % 4] for row in range(80)],
        ...         "liked": [row % 3 == 0 for row in range(80)],
        ...     }
        ... )
        >>> options = FeatureOptions(text=("title",))
        >>> split = encode_texts(read_ranking_split(table, label="liked", features=options))
        >>> split.train.texts.vectors.shape, split.train.layout.categorical[0].name
        ((5, 3), 'user')
    """
    progress = progress or NullProgress()
    if split.texts is None or not len(split.texts):
        raise UserError(
            "there is no column of texts to encode",
            hint="Name columns with titles or descriptions: --text title,description "
            "(features.text). A table of items is joined with --items.",
        )
    train_ids = split.train.text_ids
    assert train_ids is not None
    trained_ids = np.unique(train_ids[train_ids >= 0])
    if not len(trained_ids):
        raise UserError("no training row has a text", hint="Name another column: features.text.")
    texts = split.texts.to_list()
    vector_cache = VectorCache(Path(cache)) if cache is not None else None
    encoded_texts = [
        _encode(texts, trained_ids, open_encoder(name.strip()), vector_cache, progress)
        for name in encoder.split(",")
    ]
    all_vectors = np.concatenate(encoded_texts, axis=1)
    vectors = np.pad(all_vectors, ((1, 0), (0, 0))).astype(np.float32)
    profiles = _Profiles.fit(split.train, vectors, split.seed)

    def add_texts(examples: RankingExamples, profile_ids: np.ndarray) -> RankingExamples:
        assert examples.text_ids is not None
        ids = np.stack([examples.text_ids + 1, profile_ids], axis=1).astype(np.int32)
        return dataclasses.replace(examples, texts=RowTexts(ids, vectors, profiles.vectors))

    return dataclasses.replace(
        split,
        train=add_texts(split.train, profiles.find_training_rows(split.train)),
        validation=add_texts(split.validation, profiles.find_other_rows(split.validation)),
        test=add_texts(split.test, profiles.find_other_rows(split.test)),
    )


def _encode(
    texts: Sequence[str],
    trained_ids: np.ndarray,
    encoder: TextEncoder,
    cache: VectorCache | None,
    progress: Progress,
) -> np.ndarray:
    """Encodes distinct texts to float32 [d, dim] with numbers of about 1."""
    encoder = encoder.fit([texts[place] for place in trained_ids.tolist()])
    vectors: Vectors
    if cache is not None and encoder.is_pretrained:
        vectors = cache.encode(encoder, texts, "texts", progress)
    else:
        progress.info(f"encoding {len(texts):,} distinct texts: {encoder.name}")
        vectors = encoder.encode(texts)
    trained_vectors = vectors[trained_ids]
    dim = min(MAX_DIM, *trained_vectors.shape)
    components = TruncatedSVD(dim, random_state=0).fit(trained_vectors)
    reduced_vectors = components.transform(vectors)
    trained_rows = reduced_vectors[trained_ids]
    reduced_vectors -= trained_rows.mean(axis=0)
    return np.asarray(reduced_vectors / max(float(trained_rows.std(axis=0).max()), 1e-9))


@dataclasses.dataclass(frozen=True, eq=False)
class _Profiles:
    """Mean vectors of what users liked: of all training rows, and of those outside of a fold.

    Attributes:
        vectors: float32 [P + 1, d]; row 0 is zero.
        row_of_user: int64 [users + 1]: the row of `vectors` for a user, 0 for none. The last is for
            a user that is missing.
        keys: int64 [pairs], ascending: user * `NUM_FOLDS` + fold, of users who liked a row of that
            fold.
        row_of_key: int64 [pairs]: the row of `vectors` for what they liked outside of it.
        folds: int64 [n], the fold of each training row.
    """

    vectors: np.ndarray
    row_of_user: np.ndarray
    keys: np.ndarray
    row_of_key: np.ndarray
    folds: np.ndarray

    @classmethod
    def fit(cls, train: RankingExamples, vectors: np.ndarray, seed: int) -> _Profiles:
        """Averages the vectors of the liked training rows of each user."""
        assert train.text_ids is not None
        folds = np.random.default_rng(seed).permutation(len(train)) % NUM_FOLDS
        if train.users is None:
            nobody = np.zeros(1, np.int64)
            return cls(
                np.zeros((1, vectors.shape[1]), np.float32), nobody, nobody[:0], nobody, folds
            )
        is_liked = (train.labels > train.labels.mean(dtype=np.float64)) & (train.text_ids >= 0)
        rows = np.flatnonzero(is_liked & (train.users >= 0))
        users, text_rows = train.users[rows].astype(np.int64), train.text_ids[rows] + 1
        num_users = int(train.users.max()) + 1
        keys, pairs = np.unique(users * NUM_FOLDS + folds[rows], return_inverse=True)
        counts = sparse.csr_array(
            (np.ones(len(rows), np.float32), (pairs, text_rows)), (len(keys), len(vectors))
        )
        fold_sums, fold_counts = counts @ vectors, np.bincount(pairs, minlength=len(keys))
        user_of_key = keys // NUM_FOLDS
        is_of_user = sparse.csr_array(
            (np.ones(len(keys), np.float32), (user_of_key, np.arange(len(keys)))),
            (num_users, len(keys)),
        )
        sums = is_of_user @ fold_sums
        user_counts = np.bincount(user_of_key, fold_counts, minlength=num_users)
        all_sums = np.concatenate([sums, sums[user_of_key] - fold_sums])
        all_counts = np.concatenate([user_counts, user_counts[user_of_key] - fold_counts])
        is_used = all_counts > 0
        places = np.where(is_used, np.cumsum(is_used), 0)
        means = all_sums[is_used] / all_counts[is_used, np.newaxis]
        return cls(
            np.concatenate([np.zeros((1, vectors.shape[1])), means]).astype(np.float32),
            np.append(places[:num_users], 0),
            keys,
            places[num_users:],
            folds,
        )

    def find_other_rows(self, examples: RankingExamples) -> np.ndarray:
        """Returns the row of `vectors` for each row of validation or test: int64 [n]."""
        nobody = len(self.row_of_user) - 1
        users = np.full(len(examples), -1) if examples.users is None else examples.users
        return self.row_of_user[np.where((users >= 0) & (users < nobody), users, nobody)]

    def find_training_rows(self, train: RankingExamples) -> np.ndarray:
        """Returns the row of `vectors` for each training row, without its own fold: int64 [n]."""
        if train.users is None or not len(self.keys):
            return self.find_other_rows(train)
        keys = train.users.astype(np.int64) * NUM_FOLDS + self.folds
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        has_key = self.keys[places] == keys
        return np.where(has_key, self.row_of_key[places], self.find_other_rows(train))
