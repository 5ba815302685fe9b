"""Several models as one: the weighted sum of their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.evaluate.evaluation import ScoreFn
from kd_tf.evaluate.validation import ValidationMetric
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.progress import Progress

MAX_FITTING_SCORES = 50_000_000
"""Scores that are held while weights are fitted: 200 MB a part."""

MIN_VALIDATION_USERS = 50
"""Who choose the weights, however large the catalogue."""


def _make_input_dependent_one(values: tf.Tensor) -> tf.Tensor:
    """1 in the shape of numbers that depend on the input.

    A constant weight would be multiplied with the table behind a part's scores when the model is
    converted, and the file would hold a second table.
    """
    return tf.minimum(tf.maximum(values, 1.0), 1.0)


@keras.saving.register_keras_serializable(package="kd_tf")
class WeightedEnsemble(HistoryModel):
    """``score = sum over the parts m of weight_m * n^power_m * score_m``, n the books read.

    The power says how the confidence in a part changes from short histories to long ones.

    Args:
        parts: Models of one catalogue with the same history length, at least one.
        weights: One a part; 1 by default.
        powers: One a part; 0 by default.
    """

    quantizations = ("float32", "dynamic-int8")

    def __init__(
        self,
        *,
        members: Sequence[HistoryModel],
        weights: Sequence[float] | None = None,
        exponents: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        sizes = {(part.num_items, part.max_length) for part in members}
        if len(sizes) != 1:
            raise ValueError(
                "parts must be models of one catalogue and one history length, not of "
                f"{sorted(sizes) or 'nothing'}"
            )
        items, max_length = sizes.pop()
        super().__init__(num_items=items, max_length=max_length, **kwargs)
        self.members = list(members)
        self.member_weights = tuple(weights) if weights is not None else (1.0,) * len(members)
        self.exponents = tuple(exponents) if exponents is not None else (0.0,) * len(members)
        if not len(self.members) == len(self.member_weights) == len(self.exponents):
            raise ValueError(
                f"{len(self.members)} parts need as many weights and powers, not "
                f"{len(self.member_weights)} and {len(self.exponents)}"
            )
        self.peak_score_rows = sum(part.peak_score_rows for part in self.members)

    @classmethod
    def from_members(
        cls,
        members: Sequence[HistoryModel],
        validation_metric: ValidationMetric,
        progress: Progress,
    ) -> Self:
        """The sum that ranks best for the readers who choose.

        Args:
            parts: Finished models of one history length; those that are no help stay with a
                weight of 0.
            choose: Some of its readers weigh the parts; without any all weigh 1.
            progress: Told of the result.
        """
        validation_metric = validation_metric.take_first(
            max(MAX_FITTING_SCORES // (members[0].num_items + 1), MIN_VALIDATION_USERS)
        )
        if not len(validation_metric):
            return cls(members=members)
        with progress.task(f"weighing {len(members)} models", 1) as advance:
            scores = [
                _score_unseen_items(make_score_fn(part), validation_metric) for part in members
            ]
            weights, powers, reached = fit_ensemble_weights(
                scores, validation_metric.histories.lengths, validation_metric.evaluate_scores
            )
            advance(1, f"validation {reached:.4f}")
        return cls(members=members, weights=weights, exponents=powers)

    def pack(self) -> WeightedEnsemble:
        compact = WeightedEnsemble(
            members=[part.pack() for part in self.members],
            weights=self.member_weights,
            exponents=self.exponents,
        )
        compact.create_weights()
        return compact

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.add_n(
            [
                tf.expand_dims(confidence, 1) * part(inputs, training=training)
                for confidence, part in zip(self._confidence(inputs), self.members, strict=True)
            ]
        )

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        return tf.add_n(
            [
                tf.expand_dims(confidence, 1) * part.score(history, candidates)
                for confidence, part in zip(self._confidence(history), self.members, strict=True)
            ]
        )

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        sure = tf.expand_dims(_make_input_dependent_one(tf.cast(item, tf.float32)), 1)
        return tf.add_n(
            [
                sure * weight * part.similar(item)
                for weight, part in zip(self.member_weights, self.members, strict=True)
            ]
        )

    def contributions(self, history: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        return tf.add_n(
            [
                tf.expand_dims(confidence, 1) * part.contributions(history, item)
                for confidence, part in zip(self._confidence(history), self.members, strict=True)
            ]
        )

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self._find_embedding_member().user_embeddings(history, training=training)

    def item_embeddings(self) -> tf.Tensor:
        return self._find_embedding_member().item_embeddings()

    def _find_embedding_member(self) -> HistoryModel:
        """The first of the parts that has vectors: scores add up, vectors do not."""
        for part in self.members:
            if type(part).item_embeddings is not HistoryModel.item_embeddings:
                return part
        raise ValueError(
            f"a {type(self).__name__} has no vectors: none of "
            f"{', '.join(type(part).__name__ for part in self.members)} has"
        )

    def _confidence(self, history: tf.Tensor) -> list[tf.Tensor]:
        """float32 [B] for each part."""
        present = self.first_occurrences(self.mask_unknown_ids(history))
        count = tf.maximum(tf.reduce_sum(tf.cast(present, tf.float32), axis=1), 1.0)
        return [
            weight * (count**power if power else _make_input_dependent_one(count))
            for weight, power in zip(self.member_weights, self.exponents, strict=True)
        ]

    def numpy_scores(self, histories: Histories) -> np.ndarray | None:
        read = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        count = np.maximum(np.diff(read.indptr), 1).astype(np.float32)
        total = None
        for part, weight, power in zip(
            self.members, self.member_weights, self.exponents, strict=True
        ):
            scores = part.numpy_scores(histories)
            if scores is None:
                return None
            scores *= np.float32(weight) * (count**power)[:, None]
            total = scores if total is None else np.add(total, scores, out=total)
        return total

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "members": [keras.saving.serialize_keras_object(part) for part in self.members],
            "weights": list(self.member_weights),
            "exponents": list(self.exponents),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WeightedEnsemble:
        """The model that `get_config` described, with new weights."""
        parts = [keras.saving.deserialize_keras_object(part) for part in config["members"]]
        return cls(**{**config, "members": parts})


def _score_unseen_items(score_fn: ScoreFn, validation_metric: ValidationMetric) -> np.ndarray:
    """Scores of all who choose, 0 for what they have read.

    What a model says of a book that it is shown is of no use, and may be so far above all else
    that it alone would tell how large the model's scores are.
    """
    found = []
    for rows in validation_metric.batch_rows():
        histories = validation_metric.histories.take(rows)
        scores = score_fn(histories).copy()
        scores[np.repeat(np.arange(len(rows)), histories.lengths), histories.items] = 0
        scores[:, 0] = 0
        found.append(scores)
    return np.concatenate(found)


def fit_ensemble_weights(
    scores: Sequence[np.ndarray],
    max_lengths: np.ndarray,
    evaluate: Callable[[np.ndarray], float],
    *,
    max_rounds: int = 3,
) -> tuple[list[float], list[float], float]:
    """Weights and powers of a blend by coordinate ascent.

    Args:
        scores: Of each part float32 [n, V + 1] for the readers who choose.
        counts: [n], how many books each of them has read.
        judge: How good scores [n, V + 1] are, higher is better.
        rounds: How often all parts are gone through.

    Returns:
        Weights and powers (a part that is no help weighs 0), and what `judge` says of the blend.
    """
    sizes = [float(np.sqrt(np.mean(np.square(one, dtype=np.float64)))) or 1.0 for one in scores]
    alone = [evaluate(one) for one in scores]
    first = int(np.argmax(alone))
    weights = [0.0] * len(scores)
    powers = [0.0] * len(scores)
    weights[first] = 1 / sizes[first]
    best = alone[first]
    # As the model counts: nobody has read less than one book.
    max_lengths = np.maximum(max_lengths, 1)
    typical = float(np.median(max_lengths))

    def scaled(part: int, weight: float, power: float) -> np.ndarray:
        return (
            np.float32(weight)
            * ((max_lengths / typical) ** power).astype(np.float32)[:, None]
            * (scores[part])
        )

    for _ in range(max_rounds):
        before = best
        for part in range(len(scores)):
            if part == first:
                continue
            others = [
                scaled(other, weights[other], powers[other])
                for other in range(len(scores))
                if other != part and weights[other]
            ]
            base = np.sum(others, axis=0)
            for power in EXPONENTS:
                for share in RELATIVE_WEIGHTS:
                    found = evaluate(base + scaled(part, share / sizes[part], power))
                    if found > best:
                        best, weights[part], powers[part] = found, share / sizes[part], power
        if best - before < 1e-5:
            break
    # n^p and not (n / typical)^p is what the model computes.
    weights = [weight / typical**power for weight, power in zip(weights, powers, strict=True)]
    return weights, powers, best


RELATIVE_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0)
"""How strong a part may be beside the best one, when both are of one size."""

EXPONENTS = (0.0, -0.5, 0.5)
"""How the confidence in a part may change with the length of the history."""
