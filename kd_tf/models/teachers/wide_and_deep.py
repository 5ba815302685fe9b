"""Teachers with a memory: a deep encoder, and beside it what is known of each pair of books."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import tf
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.evaluate.metrics.ranking import compute_ranking_metrics
from kd_tf.evaluate.top_k import select_unseen_top_k
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import get_scoring_batch_size
from kd_tf.models.closed_form.co_occurrence import count_co_occurrences
from kd_tf.models.closed_form.local_ridge import fit_local_ridge
from kd_tf.models.closed_form.sparsify import select_top_targets
from kd_tf.models.tied_embedding import TiedEmbeddingModel
from kd_tf.progress import Progress

NUM_NEIGHBOURS = 50
REGULARIZATIONS = (10.0, 30.0, 100.0)
WIDE_WEIGHTS = (0.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
RECENCY_POWERS = (0.0, 1.0, 2.0)
TEMPERATURES = tuple(2.0 ** (step / 2) for step in range(-4, 17))
MAX_FITTING_USERS = 1000
"""At most so many validation readers fit the few numbers of the memory: enough for grids this
coarse, and a minute less on ten thousand books."""


class WideAndDeepTeacher(TiedEmbeddingModel):
    """Adds to the deep scores a weighted sum over the history of item-to-item weights.

    After Cheng et al., "Wide & Deep Learning for Recommender Systems" (2016): the deep part
    generalises, the wide part remembers. A dot product of d dimensions cannot hold which of ten
    thousand books goes with which (their matrix has a far higher rank), a sparse table can. The
    wide part is in closed form (`local_ridge`); its weight is fitted on validation readers after
    the deep part has learnt, because on training readers it has seen the answers.

    Args:
        memory: How many books each book speaks for, 0 for no wide part. `remember` fills it.
        **kwargs: As for `TiedTableModel`.
    """

    def __init__(self, *, wide_neighbours: int = 50, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if wide_neighbours < 0:
            raise ValueError(f"memory must be 0 or more, not {wide_neighbours}")
        self.wide_neighbours = wide_neighbours
        shape = (self.num_items + 1, wide_neighbours)

        def constant(name: str, shape: tuple[int, ...], dtype: str = "float32") -> tf.Variable:
            return self.add_weight(
                name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False
            )

        self.wide_ids = constant("memory_ids", shape, "int32")
        self.wide_item_weights = constant("memory_weights", shape)
        self.wide_weight = constant("memory_weight", ())
        self.recency_power = constant("recency_power", ())
        self.temperature = self.add_weight(
            name="temperature", shape=(), initializer="ones", trainable=False
        )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        deep = super().call(inputs, training=training)
        if training or not self.wide_neighbours:
            return deep
        both = deep + self.wide_weight * self.wide_scores(inputs, self.recency_power)
        return both / self.temperature

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        # The memory has no shorter way to some books.
        return HistoryModel.score(self, history, candidates)

    def wide_scores(self, history: tf.Tensor, recency_power: tf.Tensor) -> tf.Tensor:
        """The wide part alone: float32 [B, V + 1].

        Args:
            history: int32 [B, L].
            recency_power: The learnt weight of a book by its age is raised to this.
        """
        ids = self.compact_ids(history)
        weights = self.item_weights(ids)
        # 0 ** 0 is 1, but padding must weigh nothing at any power.
        weights = tf.where(weights > 0, tf.pow(weights, recency_power), 0.0)
        values = tf.gather(self.wide_item_weights, ids) * weights[..., tf.newaxis]
        targets = tf.gather(self.wide_ids, ids)
        batch = tf.shape(ids)[0]
        row = tf.range(batch)[:, tf.newaxis, tf.newaxis] * (self.num_items + 1)
        flat = tf.math.unsorted_segment_sum(
            tf.reshape(values, [-1]),
            tf.reshape(targets + row, [-1]),
            batch * (self.num_items + 1),
        )
        return tf.reshape(flat, [batch, self.num_items + 1])

    def fit_wide(self, split: Split, progress: Progress) -> None:
        """Fills the memory from the training readers; validation readers choose its strength.

        Args:
            split: The test readers are not looked at. Without validation readers nothing is
                remembered: nobody could say how much it should count.
            progress: Where to report.
        """
        if not self.wide_neighbours or not len(split.validation.histories):
            return
        # At random: readers often stand in the order in which they joined.
        some = np.random.default_rng(0).permutation(len(split.validation.histories))
        some = some[:MAX_FITTING_USERS]
        users = HeldOutSet(
            split.validation.histories.take(some),
            split.validation.targets.take(some),
            split.validation.users[some],
        )
        best = -1.0
        kept: list[np.ndarray] = []
        own = [self.wide_ids, self.wide_item_weights, self.wide_weight, self.recency_power]
        pairs = count_co_occurrences(split.train, self.num_items, progress=progress)
        for regularization in REGULARIZATIONS:
            ridge = fit_local_ridge(
                pairs,
                num_neighbours=NUM_NEIGHBOURS,
                regularization=regularization,
                progress=progress,
            )
            ids, values = select_top_targets(ridge.to_matrix(), self.wide_neighbours)
            self.wide_ids.assign(ids)
            self.wide_item_weights.assign(values)
            reached = self._fit_wide_weight(users, progress)
            if reached > best:
                best, kept = reached, [one.numpy() for one in own]
        for one, value in zip(own, kept, strict=True):
            one.assign(value)
        self._fit_temperature(users)

    def _fit_wide_weight(self, users: HeldOutSet, progress: Progress) -> float:
        """Chooses the memory's weight and recency on `readers`; gives the NDCG@10 reached."""
        found = {(w, p): 0.0 for w in WIDE_WEIGHTS for p in RECENCY_POWERS}
        rows = get_scoring_batch_size(self)
        deep = tf.function(lambda history: TiedEmbeddingModel.call(self, history))
        wide = tf.function(self.wide_scores)
        with progress.task("weighing the memory", len(users.histories)) as advance:
            for start in range(0, len(users.histories), rows):
                part = np.arange(start, min(start + rows, len(users.histories)))
                histories, targets = users.histories.take(part), users.targets.take(part)
                padded = tf.constant(histories.pad(self.max_length))
                learnt = deep(padded).numpy()
                for power in RECENCY_POWERS:
                    remembered = wide(padded, tf.constant(power)).numpy()
                    for weight in WIDE_WEIGHTS:
                        ranked = select_unseen_top_k(learnt + weight * remembered, histories, 10)
                        gain = compute_ranking_metrics(ranked, targets, (10,))
                        found[weight, power] += float(gain["ndcg@10"].sum())
                advance(len(part))
        weight, power = max(found, key=lambda key: found[key])
        self.wide_weight.assign(weight)
        self.recency_power.assign(power)
        return found[weight, power] / len(users.histories)

    def _fit_temperature(self, users: HeldOutSet) -> None:
        """Chooses the temperature under which the softmax of the scores explains `readers` best.

        A sum of scores has no scale of its own, and a student that is told probabilities should
        be told true ones: temperature scaling of Guo et al., "On Calibration of Modern Neural
        Networks" (2017).
        """
        rows = get_scoring_batch_size(self)
        longest = int(users.targets.lengths.max())
        loss = np.zeros(len(TEMPERATURES))
        self.temperature.assign(1.0)
        for start in range(0, len(users.histories), rows):
            part = np.arange(start, min(start + rows, len(users.histories)))
            history = tf.constant(users.histories.take(part).pad(self.max_length))
            targets = tf.constant(users.targets.take(part).pad(longest))
            logits = self(history, training=False)
            for place, temperature in enumerate(TEMPERATURES):
                scored = MaskedLogits.from_logits(logits / temperature, self.seen_items(history))
                each = self.supervised_loss(history, targets, scored)
                loss[place] += float(tf.reduce_sum(each))
        self.temperature.assign(TEMPERATURES[int(loss.argmin())])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "wide_neighbours": self.wide_neighbours}
