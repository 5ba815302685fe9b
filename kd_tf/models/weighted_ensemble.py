"""An ensemble of models: the weighted sum of their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.evaluation.evaluate import ScoreFn
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.layers.id_ops import mark_first_occurrences
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.closed_form.fit import ClosedFormFit, make_history
from kd_tf.models.content.item_mixtures import ItemMixtures
from kd_tf.models.training_data import to_validation_metric
from kd_tf.progress import NullProgress, Progress
from kd_tf.serialization import build_model, describe_model

MAX_FITTING_SCORES = 50_000_000
"""Scores per member held at most while weights are fitted: 200 MB."""

MIN_VALIDATION_USERS = 50
"""Minimum number of validation users to fit the weights, for any size of the catalog."""


def _make_input_dependent_one(values: tf.Tensor) -> tf.Tensor:
    """Returns 1 in the shape of `values`, with a data dependency on the input.

    The converter would fold a constant weight into the table behind a member's scores, and the file
    would hold a second table.
    """
    return tf.minimum(tf.maximum(values, 1.0), 1.0)


@keras.saving.register_keras_serializable(package="kd_tf")
class WeightedEnsemble(HistoryModel):
    """Scores ``sum over members m of weight_m * n^exponent_m * score_m``, n the history length.

    The exponent lets the weight of a member grow or fall with the length of the history.

    Args:
        members: Models of one catalog with the same `max_length`, at least one.
        weights: One per member; 1 by default.
        exponents: One per member; 0 by default.
        **kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: The members do not fit together, or the number of weights or exponents differs
            from that of the members.

    Example:
        >>> import numpy as np
        >>> from kd_tf.backend import tf
        >>> from kd_tf.models.low_rank import LowRankModel
        >>> member = LowRankModel(num_items=2, max_length=2, embedding_dim=1)
        >>> member.assign(np.array([[0], [1], [2]]), np.array([[0], [10], [20]]))
        >>> ensemble = WeightedEnsemble(members=[member, member], weights=[1.0, 0.5])
        >>> ensemble(tf.constant([[1, 0]])).numpy()
        array([[ 0., 15., 30.]], dtype=float32)
    """

    quantizations: tuple[str, ...] = ("float32", "dynamic-int8")

    def __init__(
        self,
        *,
        members: Sequence[HistoryModel],
        weights: Sequence[float] | None = None,
        exponents: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        sizes = {(member.num_items, member.max_length) for member in members}
        if len(sizes) != 1:
            raise ValueError(
                "members must have the same number of items and the same max_length, not "
                f"{sorted(sizes) or 'no members'}"
            )
        num_items, max_length = sizes.pop()
        super().__init__(num_items=num_items, max_length=max_length, **kwargs)
        self.members = list(members)
        self.member_weights = tuple(weights) if weights is not None else (1.0,) * len(members)
        self.exponents = tuple(exponents) if exponents is not None else (0.0,) * len(members)
        if not len(self.members) == len(self.member_weights) == len(self.exponents):
            raise ValueError(
                f"{len(self.members)} members need as many weights and exponents, not "
                f"{len(self.member_weights)} and {len(self.exponents)}"
            )
        self.peak_score_rows = sum(member.peak_score_rows for member in self.members)
        self.looks_up_users = any(member.looks_up_users for member in self.members)
        if self.looks_up_users:
            self.quantizations = ()  # an app's user is in no table

    @classmethod
    def from_members(
        cls,
        members: Sequence[HistoryModel],
        validation_metric: ValidationMetric,
        progress: Progress,
    ) -> Self:
        """Builds the ensemble whose weights and exponents rank best on the validation users.

        Args:
            members: Trained models with the same `max_length`; members that do not help get a
                weight of 0.
            validation_metric: The weights are fitted on some of its users; without any user all
                weights are 1.
            progress: Reports the result.
        """
        ensemble = cls(members=members)
        ensemble.fit_weights(validation_metric, progress)
        return ensemble

    def fit_weights(self, validation_metric: ValidationMetric, progress: Progress) -> None:
        """Selects the weights and exponents that rank best; without validation users all are 1."""
        validation_metric = validation_metric.take_first(
            max(MAX_FITTING_SCORES // (self.num_items + 1), MIN_VALIDATION_USERS)
        )
        if not len(validation_metric):
            return
        with progress.task(f"fitting weights of {len(self.members)} models", 1) as advance:
            scores = [
                _score_unseen_items(make_score_fn(member), validation_metric)
                for member in self.members
            ]
            weights, exponents, ndcg = fit_ensemble_weights(
                scores, validation_metric.histories.lengths, validation_metric.evaluate_scores
            )
            advance(1, f"validation NDCG@10 {ndcg:.4f}")
        self.member_weights, self.exponents = tuple(weights), tuple(exponents)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *,
        validation_data: Any = None,
        progress: Progress | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Fits every member on ``split.train``, then the weights on the validation users.

        Args:
            x: ``split.train``.
            y: None.
            validation_data: ``split.validation``; without it all weights are 1.
            progress: Reports progress.
            **kwargs: Passed to the `fit` of every member, for example `epochs`. Members that are
                trained and have no optimizer yet get Adam.

        Returns:
            A history of one epoch, with ``val_ndcg@10`` if there are validation users.
        """
        for member in self.members:
            if isinstance(member, ClosedFormFit | WeightedEnsemble):
                member.fit(x, validation_data=validation_data, progress=progress, **kwargs)
                continue
            if not member.optimizer:
                member.compile(optimizer="adam")
            member.fit(x, validation_data=validation_data, **kwargs)
        self.create_weights()
        metric = to_validation_metric(validation_data, self.num_items)
        self.fit_weights(metric, progress or NullProgress())
        return make_history(self, metric)

    def mix_items(self, mixtures: ItemMixtures) -> None:
        for member in self.members:
            member.mix_items(mixtures)

    def pack(self) -> WeightedEnsemble:
        packed_ensemble = WeightedEnsemble(
            members=[member.pack() for member in self.members],
            weights=self.member_weights,
            exponents=self.exponents,
        )
        packed_ensemble.create_weights()
        return packed_ensemble

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.add_n(
            [
                tf.expand_dims(weight, 1)
                * member(self._select_inputs(member, inputs), training=training)
                for weight, member in zip(self._compute_weights(inputs), self.members, strict=True)
            ]
        )

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        return tf.add_n(
            [
                tf.expand_dims(weight, 1)
                * member.score(self._select_inputs(member, history), candidates)
                for weight, member in zip(self._compute_weights(history), self.members, strict=True)
            ]
        )

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        one_per_row = tf.expand_dims(_make_input_dependent_one(tf.cast(item, tf.float32)), 1)
        return tf.add_n(
            [
                one_per_row * weight * member.similar(item)
                for weight, member in zip(self.member_weights, self.members, strict=True)
            ]
        )

    def contributions(self, history: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        history = history[:, : self.max_length]  # a user's mark is no item
        return tf.add_n(
            [
                tf.expand_dims(weight, 1) * member.contributions(history, item)
                for weight, member in zip(self._compute_weights(history), self.members, strict=True)
            ]
        )

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self._find_embedding_member().user_embeddings(history, training=training)

    def item_embeddings(self) -> tf.Tensor:
        return self._find_embedding_member().item_embeddings()

    def _find_embedding_member(self) -> HistoryModel:
        """Returns the first member with embeddings: scores can be summed, embeddings cannot."""
        for member in self.members:
            if type(member).item_embeddings is not HistoryModel.item_embeddings:
                return member
        names = ", ".join(type(member).__name__ for member in self.members)
        raise ValueError(
            f"{type(self).__name__} has no embeddings: none of its members ({names}) has"
        )

    def _select_inputs(self, member: HistoryModel, inputs: tf.Tensor) -> tf.Tensor:
        """Cuts off the marks of users for members that do not look for them."""
        return inputs if member.looks_up_users else inputs[:, : self.max_length]

    def _compute_weights(self, history: tf.Tensor) -> list[tf.Tensor]:
        """Computes each member's weight for each history: one tensor float32 [B] per member."""
        is_item = mark_first_occurrences(self.mask_unknown_ids(history))
        count = tf.maximum(tf.reduce_sum(tf.cast(is_item, tf.float32), axis=1), 1.0)
        return [
            weight * (count**exponent if exponent else _make_input_dependent_one(count))
            for weight, exponent in zip(self.member_weights, self.exponents, strict=True)
        ]

    def numpy_scores(self, histories: Histories) -> np.ndarray | None:
        matrix = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        count = np.maximum(np.diff(matrix.indptr), 1).astype(np.float32)
        total = None
        for member, weight, exponent in zip(
            self.members, self.member_weights, self.exponents, strict=True
        ):
            scores = member.numpy_scores(histories)
            if scores is None:
                return None
            scores *= np.float32(weight) * (count**exponent)[:, None]
            total = scores if total is None else np.add(total, scores, out=total)
        return total

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "members": [describe_model(member) for member in self.members],
            "weights": list(self.member_weights),
            "exponents": list(self.exponents),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WeightedEnsemble:
        """Rebuilds the model from `get_config`, with new weights."""
        members = [build_model(member) for member in config["members"]]
        return cls(**{**config, "members": members})


def _score_unseen_items(score_fn: ScoreFn, validation_metric: ValidationMetric) -> np.ndarray:
    """Scores the catalog for all validation users, with 0 for seen items.

    Scores of seen items are never used, and may be so large that they alone would determine the
    scale of a model's scores.

    Returns:
        float32 [n, V + 1].
    """
    batches = []
    for rows in validation_metric.batch_rows():
        histories = validation_metric.histories.take(rows)
        scores = score_fn(histories).copy()
        scores[np.repeat(np.arange(len(rows)), histories.lengths), histories.items] = 0
        scores[:, 0] = 0
        batches.append(scores)
    return np.concatenate(batches)


def fit_ensemble_weights(
    scores: Sequence[np.ndarray],
    history_sizes: np.ndarray,
    evaluate: Callable[[np.ndarray], float],
    *,
    max_rounds: int = 3,
) -> tuple[list[float], list[float], float]:
    """Fits the weights and exponents of an ensemble by coordinate ascent.

    Args:
        scores: Of each member, float32 [n, V + 1] for the validation users.
        history_sizes: [n], number of items in each user's history.
        evaluate: Returns the metric of scores [n, V + 1], higher is better.
        max_rounds: Passes over all members at most.

    Returns:
        Weights and exponents (a member that does not help has weight 0), and the metric of the
        ensemble.
    """
    scales = [
        float(np.sqrt(np.mean(np.square(member, dtype=np.float64)))) or 1.0 for member in scores
    ]
    metrics = [evaluate(member) for member in scores]
    best_member = int(np.argmax(metrics))
    weights = [0.0] * len(scores)
    exponents = [0.0] * len(scores)
    weights[best_member] = 1 / scales[best_member]
    best_metric = metrics[best_member]
    # As in the model, an empty history counts as one item.
    history_sizes = np.maximum(history_sizes, 1)
    median_size = float(np.median(history_sizes))

    def weigh(member: int, weight: float, exponent: float) -> np.ndarray:
        factors = ((history_sizes / median_size) ** exponent).astype(np.float32)
        return np.asarray(np.float32(weight) * factors[:, None] * scores[member])

    for _ in range(max_rounds):
        previous_metric = best_metric
        for member in range(len(scores)):
            if member == best_member:
                continue
            others = [
                weigh(other, weights[other], exponents[other])
                for other in range(len(scores))
                if other != member and weights[other]
            ]
            sum_of_others = np.sum(others, axis=0)
            for exponent in EXPONENTS:
                for relative_weight in RELATIVE_WEIGHTS:
                    weight = relative_weight / scales[member]
                    metric = evaluate(sum_of_others + weigh(member, weight, exponent))
                    if metric > best_metric:
                        best_metric, weights[member], exponents[member] = metric, weight, exponent
        if best_metric - previous_metric < 1e-5:
            break
    # The model computes n^p, not (n / median)^p.
    weights = [
        weight / median_size**exponent for weight, exponent in zip(weights, exponents, strict=True)
    ]
    return weights, exponents, best_metric


RELATIVE_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0)
"""Candidate weights of a member relative to the best one, at equal scale of the scores."""

EXPONENTS = (0.0, -0.5, 0.5)
"""Candidate exponents of the history length."""
