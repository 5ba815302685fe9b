"""Base of the neural teachers: a deep encoder plus a wide item-item model."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.data.split import HeldOutSet, TrainingSet
from kd_tf.evaluation.metrics.ranking import compute_ranking_metrics
from kd_tf.evaluation.top_k import select_unseen_top_k
from kd_tf.layers.id_ops import compact_ids
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import get_scoring_batch_size
from kd_tf.models.closed_form.co_occurrence import count_co_occurrences
from kd_tf.models.closed_form.local_ridge import fit_local_ridge
from kd_tf.models.closed_form.sparsify import keep_top_weights, select_top_targets
from kd_tf.models.content.item_matrix import mix_item_matrix
from kd_tf.models.content.item_mixtures import ItemMixtures
from kd_tf.models.tied_embedding import TiedEmbeddingModel
from kd_tf.progress import NullProgress, Progress

NUM_NEIGHBOURS = 50
"""Neighbours in the ridge regression of each item."""

REGULARIZATIONS = (10.0, 30.0, 100.0)
"""Values of lambda, in users, that are tuned on validation users."""

WIDE_WEIGHTS = (0.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
"""Weights of the wide part that are tuned on validation users."""

RECENCY_POWERS = (0.0, 1.0, 2.0)
"""Powers of the trained recency weights; 0 ignores the order of the history."""

TEMPERATURES = tuple(2.0 ** (step / 2) for step in range(-4, 17))
"""Temperatures of the softmax, from 1/4 to 256."""

MAX_FITTING_USERS = 1000
"""Maximum number of validation users for the grids above: enough for grids this coarse, and a
minute faster with ten thousand items."""


class WideAndDeepTeacher(TiedEmbeddingModel):
    """Adds a weighted sum of item-item weights to the scores of a deep encoder.

    After Cheng et al., "Wide & Deep Learning for Recommender Systems" (2016): the deep part
    generalizes, the wide part memorizes. A dot product of d dimensions cannot represent the
    item-item matrix of ten thousand items, whose rank is far higher, but a sparse table can. The
    wide part has a closed form (`fit_local_ridge`). Its weight is fitted on validation users after
    the deep part is trained, because the wide part has seen the targets of the training users.

    A subclass implements `encode`.

    Args:
        wide_neighbours: Stored targets of each history item in the wide part, 0 for no wide part.
            `fit_wide` fills it.
        **kwargs: As for `TiedEmbeddingModel`.

    Raises:
        ValueError: `wide_neighbours` is below 0.
    """

    def __init__(self, num_items: int, *, wide_neighbours: int = 50, **kwargs: Any) -> None:
        super().__init__(num_items, **kwargs)
        if wide_neighbours < 0:
            raise ValueError(f"wide_neighbours must be 0 or more, not {wide_neighbours}")
        self.wide_weight = self._add_constant("wide_weight", ())
        self.recency_power = self._add_constant("recency_power", ())
        self.temperature = self.add_weight(
            name="temperature", shape=(), initializer="ones", trainable=False
        )
        # Last, because `mix_items` replaces it: files list the weights in this order.
        self._create_wide_part(wide_neighbours)

    def _create_wide_part(self, wide_neighbours: int) -> None:
        """Creates the neighbours of all items, or replaces those of another number."""
        self.wide_neighbours = wide_neighbours
        for name in ("wide_ids", "wide_item_weights"):
            if hasattr(self, name):
                delattr(self, name)
        shape = (self.num_items + 1, wide_neighbours)
        self.wide_ids = self._add_constant("wide_ids", shape, "int32")
        self.wide_item_weights = self._add_constant("wide_item_weights", shape)

    def _add_constant(
        self, name: str, shape: tuple[int, ...], dtype: str = "float32"
    ) -> tf.Variable:
        """Adds a weight that is not trained."""
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False
        )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns float32 [B, V + 1]; training uses the deep part only."""
        deep_scores = super().call(inputs, training=training)
        if training or not self.wide_neighbours:
            return deep_scores
        scores = deep_scores + self.wide_weight * self.wide_scores(inputs, self.recency_power)
        return scores / self.temperature

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        # The wide part cannot score single candidates more cheaply than the whole catalog.
        return HistoryModel.score(self, history, candidates)

    def wide_scores(self, history: tf.Tensor, recency_power: tf.Tensor) -> tf.Tensor:
        """Computes the scores of the wide part alone.

        Args:
            history: int32 [B, L].
            recency_power: The trained recency weight of an item is raised to this power.

        Returns:
            float32 [B, V + 1].
        """
        ids = compact_ids(self.mask_unknown_ids(history))
        weights = self.item_weights(ids)
        # 0 ** 0 is 1, but the weight of padding must be 0 for every power.
        weights = tf.where(weights > 0, tf.pow(weights, recency_power), 0.0)
        values = tf.gather(self.wide_item_weights, ids) * weights[..., tf.newaxis]
        targets = tf.gather(self.wide_ids, ids)
        batch = tf.shape(ids)[0]
        row_start = tf.range(batch)[:, tf.newaxis, tf.newaxis] * (self.num_items + 1)
        sums = tf.math.unsorted_segment_sum(
            tf.reshape(values, [-1]),
            tf.reshape(targets + row_start, [-1]),
            batch * (self.num_items + 1),
        )
        return tf.reshape(sums, [batch, self.num_items + 1])

    def mix_items(self, mixtures: ItemMixtures) -> None:
        super().mix_items(mixtures)
        if not self.wide_neighbours:
            return
        rows = np.repeat(np.arange(self.num_items + 1), self.wide_neighbours)
        targets, weights = self.wide_ids.numpy().ravel(), self.wide_item_weights.numpy().ravel()
        is_entry = (targets > 0) & (weights != 0)
        matrix = sparse.csr_array(
            (weights[is_entry], (rows[is_entry], targets[is_entry])),
            shape=(self.num_items + 1, self.num_items + 1),
        )
        is_new = np.zeros(self.num_items + 1, np.float32)
        is_new[mixtures.items] = 1
        select_new, select_others = sparse.diags_array(is_new), sparse.diags_array(1 - is_new)
        mixed_matrix = mix_item_matrix(matrix, mixtures)
        # Rows get twice as long: new neighbours shall push out none of the others.
        parts = (mixed_matrix @ select_new, select_new @ mixed_matrix @ select_others)
        mixed_matrix = select_others @ matrix @ select_others
        for part in parts:
            mixed_matrix = mixed_matrix + keep_top_weights(
                sparse.csr_array(part), self.wide_neighbours, "history"
            )
        width = min(2 * self.wide_neighbours, self.num_items)
        ids, values = select_top_targets(sparse.csr_array(mixed_matrix), width)
        self._create_wide_part(width)
        self.wide_ids.assign(ids)
        self.wide_item_weights.assign(values)

    def finish_fit(
        self,
        train: TrainingSet,
        validation_data: HeldOutSet | None,
        progress: Progress | None = None,
    ) -> None:
        """Fits the wide part, once the deep part is trained.

        Args:
            train: The training histories.
            validation_data: The validation users; without them the wide part stays empty.
            progress: Reports progress.
        """
        self.fit_wide(train, validation_data, progress or NullProgress())

    def fit_wide(
        self, train: TrainingSet, validation_data: HeldOutSet | None, progress: Progress
    ) -> None:
        """Fits the wide part to the training users, and its weight to validation users.

        Args:
            train: The training histories.
            validation_data: The validation users. Without them the wide part stays empty, as its
                weight cannot be fitted.
            progress: Reports progress.
        """
        if not self.wide_neighbours or not validation_data or not len(validation_data.histories):
            return
        # Sample at random: data sets often list users in the order in which they joined.
        rows = np.random.default_rng(0).permutation(len(validation_data.histories))
        rows = rows[:MAX_FITTING_USERS]
        users = HeldOutSet(
            validation_data.histories.take(rows),
            validation_data.targets.take(rows),
            validation_data.users[rows],
        )
        best_ndcg = -1.0
        best_values: list[np.ndarray] = []
        variables = [self.wide_ids, self.wide_item_weights, self.wide_weight, self.recency_power]
        pairs = count_co_occurrences(train, self.num_items, progress=progress)
        for regularization in REGULARIZATIONS:
            ridge = fit_local_ridge(
                pairs,
                num_neighbours=NUM_NEIGHBOURS,
                regularization=regularization,
                progress=progress,
            )
            ids, weights = select_top_targets(ridge.to_matrix(), self.wide_neighbours)
            self.wide_ids.assign(ids)
            self.wide_item_weights.assign(weights)
            ndcg = self._fit_wide_weight(users, progress)
            if ndcg > best_ndcg:
                best_ndcg, best_values = ndcg, [variable.numpy() for variable in variables]
        for variable, value in zip(variables, best_values, strict=True):
            variable.assign(value)
        self._fit_temperature(users)

    def _fit_wide_weight(self, users: HeldOutSet, progress: Progress) -> float:
        """Fits the wide part's weight and recency power to `users`; returns their NDCG@10."""
        ndcg_sums = {(weight, power): 0.0 for weight in WIDE_WEIGHTS for power in RECENCY_POWERS}
        batch_size = get_scoring_batch_size(self)
        score_deep = tf.function(lambda history: TiedEmbeddingModel.call(self, history))
        score_wide = tf.function(self.wide_scores)
        num_users = len(users.histories)
        with progress.task("weight of the wide part", num_users) as advance:
            for start in range(0, num_users, batch_size):
                rows = np.arange(start, min(start + batch_size, num_users))
                histories, targets = users.histories.take(rows), users.targets.take(rows)
                inputs = tf.constant(histories.pad(self.max_length))
                deep_scores = score_deep(inputs).numpy()
                for power in RECENCY_POWERS:
                    wide_scores = score_wide(inputs, tf.constant(power)).numpy()
                    for weight in WIDE_WEIGHTS:
                        scores = deep_scores + weight * wide_scores
                        ranked_items = select_unseen_top_k(scores, histories, 10)
                        metrics = compute_ranking_metrics(ranked_items, targets, (10,))
                        ndcg_sums[weight, power] += float(metrics["ndcg@10"].sum())
                advance(len(rows))
        weight, power = max(ndcg_sums, key=lambda setting: ndcg_sums[setting])
        self.wide_weight.assign(weight)
        self.recency_power.assign(power)
        return ndcg_sums[weight, power] / num_users

    def _fit_temperature(self, users: HeldOutSet) -> None:
        """Fits the temperature so that the softmax of the scores explains `users` best.

        A sum of scores has no scale of its own, but a student that learns from probabilities needs
        calibrated ones: temperature scaling of Guo et al., "On Calibration of Modern Neural
        Networks" (2017).
        """
        batch_size = get_scoring_batch_size(self)
        max_targets = int(users.targets.lengths.max())
        losses = np.zeros(len(TEMPERATURES))
        self.temperature.assign(1.0)
        for start in range(0, len(users.histories), batch_size):
            rows = np.arange(start, min(start + batch_size, len(users.histories)))
            history = tf.constant(users.histories.take(rows).pad(self.max_length))
            targets = tf.constant(users.targets.take(rows).pad(max_targets))
            logits = self(history, training=False)
            for index, temperature in enumerate(TEMPERATURES):
                masked_logits = MaskedLogits.from_logits(
                    logits / temperature, self.seen_items(history)
                )
                user_losses = self.supervised_loss(history, targets, masked_logits)
                losses[index] += float(tf.reduce_sum(user_losses))
        self.temperature.assign(TEMPERATURES[int(losses.argmin())])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "wide_neighbours": self.wide_neighbours}
