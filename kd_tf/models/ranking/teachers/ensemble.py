"""A teacher of the ranking task: the weighted mean of the logits of several models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.models.ranking.base import RankingModel, collect_inputs
from kd_tf.serialization import build_model, describe_model

NUM_PICKS = 20
"""Members that `choose_member_weights` picks: weights are multiples of one twentieth."""


@keras.saving.register_keras_serializable(package="kd_tf")
class RankingEnsemble(RankingModel):
    """Averages the logits of trained models of the same rows.

    Args:
        members: The models, at least one.
        weights: A weight per member, 0 or more; they are divided by their sum.

    Example:
        >>> from kd_tf.models.ranking.students import LogisticRegressionStudent
        >>> from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout
        >>> layout = FeatureLayout((CategoricalFeature("user", 9),), ())
        >>> members = [LogisticRegressionStudent(layout) for _ in range(2)]
        >>> ensemble = RankingEnsemble(members, weights=[3, 1])
        >>> ensemble({"categorical": tf.constant([[3], [0]])}).shape, ensemble.member_weights
        (TensorShape([2]), (0.75, 0.25))
    """

    def __init__(
        self, members: Sequence[RankingModel], weights: Sequence[float] | None = None, **kwargs: Any
    ) -> None:
        if not members:
            raise ValueError("an ensemble needs at least one member")
        first = members[0]
        super().__init__(first.layout, label_kind=first.label_kind, **kwargs)
        for member in members:
            if member.layout != first.layout or member.label_kind != first.label_kind:
                raise ValueError("the members of an ensemble must have the same features and label")
        weights = list(weights or [1.0] * len(members))
        if len(weights) != len(members) or min(weights) < 0 or not sum(weights) > 0:
            raise ValueError(
                f"{len(members)} members need as many weights, 0 or more and not all 0, not "
                f"{weights}"
            )
        self.members = list(members)
        total = sum(weights)
        # Weights of a saved ensemble stay as they are: dividing again would change the last digit.
        total = 1.0 if abs(total - 1) < 1e-9 else total
        self.member_weights = tuple(float(weight / total) for weight in weights)

    def to_inputs(self, examples: RankingExamples) -> dict[str, np.ndarray]:
        """Returns the arrays that any of the members takes."""
        return collect_inputs(self.members, examples)

    def make_empty_inputs(self) -> dict[str, tf.Tensor]:
        """Returns one row without any value."""
        return {
            name: tensor
            for member in self.members
            for name, tensor in member.make_empty_inputs().items()
        }

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        logits = [
            weight * tf.cast(member(inputs, training=training), tf.float32)
            for member, weight in zip(self.members, self.member_weights, strict=True)
        ]
        return tf.add_n(logits)

    def representation(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Joins the representations of the members."""
        return tf.concat(
            [member.representation(inputs, training=training) for member in self.members], axis=1
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "members": [describe_model(member) for member in self.members],
            "weights": list(self.member_weights),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RankingEnsemble:
        """Rebuilds the model from `get_config`, with new weights."""
        return cls(**{**config, "members": [build_model(member) for member in config["members"]]})


def choose_member_weights(
    members: Sequence[RankingModel], validation: RankingExamples
) -> list[float]:
    """Chooses the weights with the lowest loss on validation rows, one pick after the other.

    The member that lowers the loss of the mean logit most is picked, again and again, each as
    often as it helps: Caruana, Niculescu-Mizil, Crew & Ksikes, "Ensemble Selection from Libraries
    of Models" (ICML 2004).

    Args:
        members: Trained models.
        validation: The validation rows; without any, all weights are equal.

    Returns:
        A weight per member, which sum to 1.
    """
    if not len(validation):
        return [1 / len(members)] * len(members)
    logits = np.stack([member.predict_logits(validation) for member in members]).astype(np.float64)
    total, counts = np.zeros(len(validation)), np.zeros(len(members), np.int64)
    best_loss, best_counts = np.inf, counts
    for pick in range(1, NUM_PICKS + 1):
        losses = [
            _compute_loss(members[0].label_kind, (total + member) / pick, validation.labels)
            for member in logits
        ]
        index = int(np.argmin(losses))
        total, counts = total + logits[index], counts + (np.arange(len(members)) == index)
        if losses[index] < best_loss:
            best_loss, best_counts = losses[index], counts
    return [float(count) for count in best_counts / best_counts.sum()]


def _compute_loss(label_kind: str, logits: np.ndarray, labels: np.ndarray) -> float:
    """Computes the mean loss of a label, as `RankingModel.supervised_loss`."""
    if label_kind == "rating":
        predictions = np.exp(-np.logaddexp(0, -logits))
        return float(np.mean(np.square(predictions - labels)))
    return float(np.mean(np.logaddexp(0, logits) - labels * logits))
