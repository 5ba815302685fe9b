"""A teacher of the ranking task that reads texts: those of the row, and those its user liked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.data.ranking.row_texts import RowTexts
from kd_tf.errors import UserError
from kd_tf.models.ranking.dense import make_dense_layers
from kd_tf.models.ranking.embedding_model import make_linear_term, sum_linear_term
from kd_tf.models.ranking.factorization import sum_pair_products
from kd_tf.models.ranking.teachers.deep import DeepFeatureModel
from kd_tf.runtime.features.layout import UNKNOWN_ID, FeatureLayout

TEXTS = "texts"
"""The input with the places of a row's texts: int32 [B, 2], see `RowTexts.ids`."""

ID_DROPOUT = 0.1
"""Share of the ids of large features that are unknown in training."""

MIN_DROPPED_IDS = 50
"""Features with fewer ids keep all of them: nothing unseen is expected there."""


@keras.saving.register_keras_serializable(package="kd_tf")
class TextTeacher(DeepFeatureModel):
    """A DeepFM with two more fields: the row's text, and the mean of the texts that its user liked.

    The vectors of texts come from an encoder, such as a sentence transformer, and stay as they are;
    a linear map makes fields of them, whose products with each other and with the embeddings of all
    features (this user and this text) are part of the logit. A student that sees no text learns
    from the probabilities.

    In training a share of the ids of users, items and other large features are replaced by that of
    an unknown value. So the texts of an item do not hide behind its id, and count for items that
    training has not: the idea of Volkovs, Yu & Poutanen, "DropoutNet: Addressing Cold Start in
    Recommender Systems" (NIPS 2017).

    Args:
        layout: The features of the rows.
        tables: Number of vectors of texts and of users, and their length. Given where a model is
            loaded; `fit` takes them from the training rows.
        id_dropout: Share of the ids that are unknown in training.
        **kwargs: As for `DeepFeatureModel`.

    Example:
        >>> import pandas as pd
        >>> import kd_tf as kd
        >>> titles = ["a red ship", "a red house", "a ship of ice", "the house"]
        >>> table = pd.DataFrame(
        ...     {
        ...         "user": [row % 9 for row in range(80)],
        ...         "title": [titles[row % 4] for row in range(80)],
        ...         "liked": [row % 3 == 0 for row in range(80)],
        ...     }
        ... )
        >>> options = kd.data.FeatureOptions(text=("title",))
        >>> split = kd.data.read_ranking_split(table, label="liked", features=options)
        >>> split = kd.data.encode_texts(split, "tfidf")
        >>> teacher = TextTeacher(split.train.layout, hidden=[8])
        >>> teacher.compile("adam")
        >>> history = teacher.fit(split.train, verbose=0)
        >>> teacher.predict_probabilities(split.test).shape
        (16,)
    """

    def __init__(
        self,
        layout: FeatureLayout | dict[str, Any],
        *,
        tables: Sequence[int] = (),
        id_dropout: float = ID_DROPOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(layout, **kwargs)
        if not 0 <= id_dropout < 1:
            raise ValueError(f"id_dropout must be from 0 to below 1, not {id_dropout}")
        self.id_dropout = id_dropout
        # Tracked, because saving a model needs every resource that it captures.
        self._generator = rng.get_generator()
        self.linear = make_linear_term(self.layout, self.l2)
        self.deep = make_dense_layers(self.hidden, dropout=self.dropout)
        self.fields = [
            keras.layers.Dense(self.embedding_dim, name=name) for name in ("text", "profile")
        ]
        self.readers = [
            keras.layers.Dense(self.hidden[-1], name=f"{name}_reader")
            for name in ("text", "profile")
        ]
        self.tables: tuple[int, ...] = ()
        if tables:
            self._create_tables(*tables)

    def _create_tables(self, num_texts: int, num_profiles: int, dim: int) -> None:
        """Creates the tables of vectors, or replaces them."""
        self.tables = (int(num_texts), int(num_profiles), int(dim))
        for name, num_rows in (("text_table", num_texts), ("profile_table", num_profiles)):
            if hasattr(self, name):
                delattr(self, name)
            table = self.add_weight(
                name=name, shape=(num_rows, dim), initializer="zeros", trainable=False
            )
            setattr(self, name, table)

    def prepare_fit(self, train: RankingExamples) -> None:
        """Takes the vectors of the training rows' split."""
        texts = _get_texts(train)
        tables = (len(texts.vectors), len(texts.profiles), texts.dim)
        if tables != self.tables:
            self._create_tables(*tables)
        self.text_table.assign(texts.vectors)
        self.profile_table.assign(texts.profiles)
        super().prepare_fit(train)

    def to_inputs(self, examples: RankingExamples) -> dict[str, np.ndarray]:
        """Returns the features of rows, and the places of their texts."""
        return {**super().to_inputs(examples), TEXTS: _get_texts(examples).ids}

    def make_empty_inputs(self) -> dict[str, tf.Tensor]:
        """Returns one row without any value."""
        return {**super().make_empty_inputs(), TEXTS: tf.zeros([1, 2], tf.int32)}

    def representation(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        return self._encode(*self._embed(inputs, training), training)

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        inputs, embeddings, vectors = self._embed(inputs, training)
        deep = self.output_layer(self._encode(inputs, embeddings, vectors, training))[:, 0]
        linear = sum_linear_term(self.linear(inputs, training=training))
        fields = [
            field(vector)[:, tf.newaxis] for field, vector in zip(self.fields, vectors, strict=True)
        ]
        pairs = sum_pair_products(tf.concat([embeddings, *fields], axis=1))
        return linear + pairs + deep + self.bias

    def _embed(
        self, inputs: dict[str, tf.Tensor], training: bool
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, list[tf.Tensor]]:
        """Returns the inputs with unknown ids, the embeddings, and the vectors of both texts."""
        if not self.tables:
            raise ValueError("the teacher has no texts yet: call fit")
        if training and self.id_dropout and self.layout.num_places:
            inputs = {**inputs, "categorical": self._drop_ids(inputs["categorical"])}
        vectors = [
            tf.gather(table, inputs[TEXTS][:, column])
            for column, table in enumerate((self.text_table, self.profile_table))
        ]
        return inputs, self.embedding(inputs, training=training), vectors

    def _drop_ids(self, ids: tf.Tensor) -> tf.Tensor:
        sizes = [self.layout.categorical[place].num_ids for place in self.layout.feature_of_place]
        is_large = tf.constant([size >= MIN_DROPPED_IDS for size in sizes])
        is_dropped = is_large & (rng.sample_uniform(tf.shape(ids)) < self.id_dropout)
        return tf.where(is_dropped & (ids > UNKNOWN_ID), UNKNOWN_ID, ids)

    def _encode(
        self,
        inputs: dict[str, tf.Tensor],
        embeddings: tf.Tensor,
        vectors: list[tf.Tensor],
        training: bool,
    ) -> tf.Tensor:
        text, profile = (
            reader(vector) for reader, vector in zip(self.readers, vectors, strict=True)
        )
        features = self.flatten_features(inputs, embeddings)
        return self.deep(
            tf.concat([features, text, profile, text * profile], axis=1), training=training
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "tables": list(self.tables), "id_dropout": self.id_dropout,
        }  # fmt: skip


def _get_texts(examples: RankingExamples) -> RowTexts:
    """Returns the texts of rows.

    Raises:
        UserError: They have none.
    """
    if examples.texts is None:
        raise UserError(
            "the teacher text needs texts, and none are encoded",
            hint="Name columns of texts (--text title,description, features.text), and encode "
            "them: kd_tf.data.encode_texts.",
        )
    return examples.texts
