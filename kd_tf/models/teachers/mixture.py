"""Several teachers that answer as one: the mean of their distributions over unread books."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy import optimize, special

from kd_tf.backend import keras, tf
from kd_tf.evaluate.validation import ValidationMetric
from kd_tf.losses.softmax import MASKED_LOGIT, mask_history
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.by_user_id.base import UserIdModel
from kd_tf.progress import Progress

MAX_CALIBRATION_SCORES = 10_000_000
"""Scores that a temperature is fitted on: one number needs few readers."""

MIN_CALIBRATION_USERS = 50
"""Who fit it, however large the catalogue."""

TEMPERATURE_BOUNDS = (1e-2, 1e4)
"""Between these: scores of sparse members lie hundreds of standard deviations above the mean."""


@keras.saving.register_keras_serializable(package="kd_tf")
class TeacherMixture(HistoryModel):
    """``score(i) = log sum over the members m of w_m p_m(i)``: a mixture, asked as one teacher.

    Each member votes with a distribution over the books that the reader has not read,
    ``p_m = softmax(z_m / T_m)``. The mean of probabilities is the soft target of Hinton, Vinyals &
    Dean, "Distilling the Knowledge in a Neural Network" (2015) and of You, Xu, Xu & Tao, "Learning
    from Multiple Teacher Networks" (KDD 2017). What one member is sure of stays in the mixture
    however little the others think of it, where `EnsembleTeacher`, a sum of scores, lets them
    veto it; use that one to rank best, and this one for soft targets that are probabilities.

    Members' scores are of different sizes: closed forms give numbers below 1, networks logits.
    Nearly even distributions would result from the former. So z are the scores in the reader's
    own standard deviations from the reader's own mean, both over unread books. Distributions
    still differ in how they fall off (a sparse member's best books lie far above all others), so
    that each member has a temperature, which `calibrated` fits.

    Weights are the same for all readers, or also by how sure a member is of this one: times
    ``1 - exp(H_m) / sum over n of exp(H_n)``, H the entropy of p. Zhang, Chen & Wang,
    "Confidence-Aware Multi-Teacher Knowledge Distillation" (ICASSP 2022), have the cross-entropy
    with the labels in place of H; a teacher is asked for histories alone and sees no labels. A
    member is believed then because it is sure, not because it is right: calibrate before.

    Args:
        members: Finished models of one catalogue, at least one. The panel sees the longest of
            their histories; of a longer one than its own a member sees the newest books.
        weights: One a member, not negative; all the same by default. See `validation_weights`.
        temperatures: One a member, above 0; 1 by default.
        by_confidence: Whether weights differ from reader to reader.

    Raises:
        ValueError: Members do not fit together, or a number is out of range.

    Example:
        >>> panel = TeacherPanel(members=[ridge, network], weights=[1, 2])  # doctest: +SKIP
    """

    quantizations = ()

    def __init__(
        self,
        *,
        members: Sequence[HistoryModel],
        weights: Sequence[float] | None = None,
        temperatures: Sequence[float] | None = None,
        by_confidence: bool = False,
        **kwargs: Any,
    ) -> None:
        catalogues = {member.num_items for member in members}
        if len(catalogues) != 1:
            raise ValueError(
                f"members must be models of one catalogue, not of {sorted(catalogues) or 'nothing'}"
            )
        if any(isinstance(member, UserIdModel) for member in members):
            raise ValueError("a panel sees histories, and a member knows readers by number")
        length = max(member.max_length for member in members)
        super().__init__(num_items=catalogues.pop(), max_length=length, **kwargs)
        self.members = list(members)
        count = len(self.members)
        self.by_confidence = by_confidence
        self._settings = {
            "weights": _check_numbers("weights", weights, count),
            "temperatures": _check_numbers("temperatures", temperatures, count),
        }
        if not sum(self._settings["weights"]) > 0 or not min(self._settings["temperatures"]) > 0:
            raise ValueError(
                "some weight and all temperatures must be above 0, not "
                f"{self._settings['weights']} and {self._settings['temperatures']}"
            )
        # As weights of the model, which its fingerprint tells apart: caches of its answers do.
        self.settings = self.add_weight(name="rule", shape=(2 * count + 1,), trainable=False)
        self.settings.assign(
            [*self._settings["weights"], *self._settings["temperatures"], by_confidence]
        )
        # Every member's distribution is held beside the scores that it is made of.
        self.peak_score_rows = 2 * count + sum(member.peak_score_rows for member in members)

    @classmethod
    def calibrate(
        cls,
        members: Sequence[HistoryModel],
        validation_metric: ValidationMetric,
        progress: Progress,
        *,
        weights: Sequence[float] | None = None,
        by_confidence: bool = False,
    ) -> Self:
        """The panel whose members are as sure as they are right.

        Each temperature is the one under which the held-out books of the readers who choose are
        likeliest: Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks" (2017).

        Args:
            members: See the class.
            choose: Some of its readers fit the temperatures; without any all are 1.
            progress: Told of the result.
            weights: See the class.
            by_confidence: See the class.
        """
        temperatures = [1.0] * len(members)
        validation_metric = validation_metric.take_first(
            max(MAX_CALIBRATION_SCORES // (members[0].num_items + 1), MIN_CALIBRATION_USERS)
        )
        if len(validation_metric):
            with progress.task(f"calibrating {len(members)} teachers", len(members)) as advance:
                for number, member in enumerate(members):
                    temperatures[number] = _fit_temperature(member, validation_metric)
                    advance(1, f"temperature {temperatures[number]:.2f}")
        return cls(
            members=members,
            weights=weights,
            temperatures=temperatures,
            by_confidence=by_confidence,
        )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        ids, count = self.mask_unknown_ids(inputs), len(self.members)
        votes = tf.stack(
            [
                _compute_log_probs(
                    member(self._keep_newest(ids, member.max_length), training=training),
                    ids,
                    self.settings[count + number],
                )
                for number, member in enumerate(self.members)
            ],
            axis=1,
        )
        return tf.reduce_logsumexp(
            votes + self._compute_log_weights(votes, ids)[:, :, tf.newaxis], axis=1
        )

    def _compute_log_weights(self, votes: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """float32 [B, members] of log-probabilities [B, members, V + 1]; their exp sums to 1."""
        weights = self.settings[: len(self.members)] + tf.zeros_like(votes[:, :, 0])
        if self.by_confidence and len(self.members) > 1:
            unread = mask_history(tf.zeros_like(votes[:, 0]), ids)[:, tf.newaxis] > MASKED_LOGIT / 2
            entropy = -tf.reduce_sum(tf.where(unread, tf.exp(votes) * votes, 0.0), axis=2)
            weights *= 1 - tf.nn.softmax(entropy, axis=1)
        return tf.math.log(weights) - tf.math.log(tf.reduce_sum(weights, axis=1, keepdims=True))

    def _keep_newest(self, ids: tf.Tensor, length: int) -> tf.Tensor:
        """At most `length` books of each history, the newest, as a member takes them."""
        if ids.shape[1] <= length:
            return ids
        ids = self.compact_ids(ids)
        older = tf.reduce_sum(tf.cast(ids > 0, tf.int32), axis=1, keepdims=True) - length
        places = tf.maximum(older, 0) + tf.range(length)
        return tf.gather(ids, places, batch_dims=1)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "members": [keras.saving.serialize_keras_object(member) for member in self.members],
            "weights": list(self._settings["weights"]),
            "temperatures": list(self._settings["temperatures"]),
            "by_confidence": self.by_confidence,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TeacherMixture:
        """The panel that `get_config` described, with new weights."""
        members = [keras.saving.deserialize_keras_object(member) for member in config["members"]]
        return cls(**{**config, "members": members})


def compute_validation_weights(metrics: Sequence[float], sharpness: float = 10.0) -> list[float]:
    """Weights of members by what they reached on validation readers: ``w ~ exp(s f / max f)``.

    A softmax and not the figures themselves: teachers worth having together differ by a tenth or
    two, and weights in proportion hardly differ from a plain average. MovieLens 100k, calibrated,
    NDCG@10 of three closed forms and a network that is a fifth better: average .214, in
    proportion .218, the softmax .232. Relative to the best, so that the figure's scale does not
    matter.

    Args:
        figures: Higher is better; the best above 0, as NDCG is.
        sharpness: s, not negative: a member that is 10 % worse weighs ``exp(-s / 10)`` of the best.

    Returns:
        One a member, of sum 1.

    Raises:
        ValueError: No figure is above 0, one is not finite, or the sharpness is negative.
    """
    given = np.asarray(metrics, np.float64)
    if not given.size or not np.isfinite(given).all() or not given.max() > 0:
        raise ValueError(f"figures must be finite, the best above 0, not {list(metrics)}")
    if not sharpness >= 0:
        raise ValueError(f"sharpness must be 0 or above, not {sharpness}")
    return [float(weight) for weight in special.softmax(sharpness * given / given.max())]


def _compute_log_probs(scores: tf.Tensor, ids: tf.Tensor, temperature: Any) -> tf.Tensor:
    """float32 [B, V + 1]: log-probabilities over unread books; read ones lie on the same scale."""
    unread = mask_history(scores, ids) > MASKED_LOGIT / 2
    counted = tf.cast(unread, tf.float32)
    count = tf.reduce_sum(counted, axis=1, keepdims=True)

    def mean(values: tf.Tensor) -> tf.Tensor:
        return tf.math.divide_no_nan(
            tf.reduce_sum(tf.where(unread, values, 0.0), axis=1, keepdims=True), count
        )

    away = scores - mean(scores)
    logits = tf.math.divide_no_nan(away, temperature * tf.sqrt(mean(tf.square(away))))
    return logits - tf.reduce_logsumexp(
        tf.where(unread, logits, MASKED_LOGIT), axis=1, keepdims=True
    )


def _fit_temperature(member: HistoryModel, validation_metric: ValidationMetric) -> float:
    """Under which the held-out books are likeliest, each reader weighing the same."""
    score = make_score_fn(member)
    logits, chosen = [], []
    for rows in validation_metric.batch_rows():
        histories, targets = (
            validation_metric.histories.take(rows),
            validation_metric.targets.take(rows),
        )
        ids = tf.constant(histories.pad(int(histories.lengths.max())))
        masked = mask_history(_compute_log_probs(tf.constant(score(histories)), ids, 1.0), ids)
        scores, row = masked.numpy(), np.repeat(np.arange(len(rows)), targets.lengths)
        found = scores[row, targets.items].astype(np.float64)
        # A book that stands in the history too is nobody's to find.
        unread = found > MASKED_LOGIT / 2
        count = np.bincount(row[unread], minlength=len(rows))
        mean = np.bincount(row[unread], found[unread], len(rows)) / np.maximum(count, 1)
        logits.append(scores[count > 0])
        chosen.append(mean[count > 0])

    def loss(log_temperature: float) -> float:
        inverse = np.float32(np.exp(-log_temperature))
        parts = [
            special.logsumexp(inverse * scores, axis=1) - inverse * mean
            for scores, mean in zip(logits, chosen, strict=True)
        ]
        return float(np.concatenate(parts).mean())

    # Convex in 1 / T, so with one lowest place in log T too.
    found = optimize.minimize_scalar(
        loss, bounds=tuple(np.log(TEMPERATURE_BOUNDS)), method="bounded", options={"xatol": 1e-2}
    )
    return float(np.exp(found.x))


def _check_numbers(name: str, values: Sequence[float] | None, count: int) -> tuple[float, ...]:
    """One number a member, 1 where none is given."""
    numbers = tuple(float(one) for one in values) if values is not None else (1.0,) * count
    if len(numbers) != count or not all(0 <= one < np.inf for one in numbers):
        raise ValueError(
            f"{name} must be {count} finite numbers that are not negative, not {list(numbers)}"
        )
    return numbers
