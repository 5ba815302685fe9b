"""A mixture of teachers: the mean of their distributions over the unseen items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy import optimize, special

from kd_tf.backend import keras, tf
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.layers.id_ops import compact_ids
from kd_tf.losses.softmax import MASKED_LOGIT, mask_history
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.by_user_id.base import UserIdModel
from kd_tf.progress import Progress
from kd_tf.serialization import build_model, describe_model

MAX_CALIBRATION_SCORES = 10_000_000
"""Maximum number of scores to fit a temperature to: a single number needs few users."""

MIN_CALIBRATION_USERS = 50
"""Minimum number of users to fit a temperature to, however large the catalog is."""

TEMPERATURE_BOUNDS = (1e-2, 1e4)
"""Range of temperatures: scores of sparse members lie hundreds of standard deviations above the
mean."""


@keras.saving.register_keras_serializable(package="kd_tf")
class TeacherMixture(HistoryModel):
    """Mixes the distributions of several teachers: ``score(i) = log sum over m of w_m p_m(i)``.

    Each member m contributes its distribution over the items that the user has not seen,
    ``p_m = softmax(z_m / T_m)``. The mean of probabilities is the soft target of Hinton, Vinyals &
    Dean, "Distilling the Knowledge in a Neural Network" (2015) and of You, Xu, Xu & Tao, "Learning
    from Multiple Teacher Networks" (KDD 2017). An item that one member is sure of keeps its
    probability, however low the others score it; in `EnsembleTeacher`, a sum of scores, the others
    can veto it. Use `EnsembleTeacher` for the best ranking, and this class for soft targets that
    are probabilities.

    The scores of the members differ in size: closed forms return numbers below 1, networks return
    logits. Their softmax would be nearly uniform for the former, so z are the scores standardized
    per user: minus the mean, divided by the standard deviation, both over the unseen items. The
    shape of the distributions still differs (the top items of a sparse member lie far above all
    others), so each member has a temperature T_m, which `calibrate` fits.

    The weights w_m are the same for all users, or also depend on the confidence of a member for
    the user: multiplied by ``1 - exp(H_m) / sum over n of exp(H_n)``, with H the entropy of p.
    Zhang, Chen & Wang, "Confidence-Aware Multi-Teacher Knowledge Distillation" (ICASSP 2022), use
    the cross-entropy with the labels in place of H, but a teacher sees histories only and no
    labels. This trusts members that are confident, right or wrong: calibrate them first.

    Args:
        members: Fitted models of one catalog, at least one. The mixture sees the longest of their
            histories; a member with a shorter history sees the newest items.
        weights: One per member, at least 0; equal by default. See `compute_validation_weights`.
        temperatures: One per member, above 0; 1 by default.
        by_confidence: True makes the weights depend on the user.
        **kwargs: As for `keras.Model`.

    Raises:
        ValueError: The members do not fit together, or a number is out of range.

    Example:
        >>> import numpy as np
        >>> from scipy import sparse
        >>> from kd_tf.backend import tf
        >>> from kd_tf.models.students.neighbours import NeighboursStudent
        >>> def make_member(prior):
        ...     matrix = sparse.csr_array((4, 4), dtype=np.float32)
        ...     return NeighboursStudent.from_matrix(matrix, max_length=2, prior=np.array(prior))
        >>> first, second = make_member([0.0, 1, 2, 3]), make_member([0.0, 3, 2, 1])
        >>> mixture = TeacherMixture(members=[first, second], weights=[3, 1])
        >>> tf.exp(mixture(tf.constant([[2, 0]]))).numpy()[0, [1, 3]].round(2)
        array([0.31, 0.69], dtype=float32)
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
        catalog_sizes = {member.num_items for member in members}
        if len(catalog_sizes) != 1:
            raise ValueError(
                "members must be models of one catalog, not of "
                f"{sorted(catalog_sizes) or 'nothing'}"
            )
        if any(isinstance(member, UserIdModel) for member in members):
            raise ValueError("members must be models of histories, not of user ids")
        length = max(member.max_length for member in members)
        super().__init__(num_items=catalog_sizes.pop(), max_length=length, **kwargs)
        self.members = list(members)
        count = len(self.members)
        self.by_confidence = by_confidence
        self._settings = {
            "weights": _check_numbers("weights", weights, count),
            "temperatures": _check_numbers("temperatures", temperatures, count),
        }
        if not sum(self._settings["weights"]) > 0 or not min(self._settings["temperatures"]) > 0:
            raise ValueError(
                "at least one weight and all temperatures must be above 0, not "
                f"{self._settings['weights']} and {self._settings['temperatures']}"
            )
        # A weight of the model, so that its fingerprint, the key of cached outputs, covers them.
        self.settings = self.add_weight(name="settings", shape=(2 * count + 1,), trainable=False)
        self.settings.assign(
            [*self._settings["weights"], *self._settings["temperatures"], by_confidence]
        )
        self.looks_up_users = any(member.looks_up_users for member in self.members)
        # The distribution of each member is in memory beside its scores.
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
        """Creates a mixture of calibrated members.

        The temperature of a member maximizes the likelihood of the held-out items of validation
        users: Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks" (2017).

        Args:
            members: As for the class.
            validation_metric: Some of its users fit the temperatures; without users all are 1.
            progress: Reports the temperatures.
            weights: As for the class.
            by_confidence: As for the class.
        """
        temperatures = [1.0] * len(members)
        validation_metric = validation_metric.take_first(
            max(MAX_CALIBRATION_SCORES // (members[0].num_items + 1), MIN_CALIBRATION_USERS)
        )
        if len(validation_metric):
            with progress.task(f"calibrating {len(members)} teachers", len(members)) as advance:
                for index, member in enumerate(members):
                    temperatures[index] = _fit_temperature(member, validation_metric)
                    advance(1, f"temperature {temperatures[index]:.2f}")
        return cls(
            members=members,
            weights=weights,
            temperatures=temperatures,
            by_confidence=by_confidence,
        )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the log of the mixed probabilities, float32 [B, V + 1].

        Seen items are on the same scale, but do not take part in the normalization.
        """
        ids, count = self.mask_unknown_ids(inputs), len(self.members)

        def select_inputs(member: HistoryModel) -> tf.Tensor:
            newest_ids = self._keep_newest(ids, member.max_length)
            # The last column may be the mark of the user; an item that is twice there counts once.
            return (
                tf.concat([newest_ids, inputs[:, -1:]], 1) if member.looks_up_users else newest_ids
            )

        log_probs = tf.stack(
            [
                _compute_log_probs(
                    member(select_inputs(member), training=training),
                    ids,
                    self.settings[count + index],
                )
                for index, member in enumerate(self.members)
            ],
            axis=1,
        )
        log_weights = self._compute_log_weights(log_probs, ids)
        return tf.reduce_logsumexp(log_probs + log_weights[:, :, tf.newaxis], axis=1)

    def _compute_log_weights(self, log_probs: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Computes the logarithms of the members' weights, which sum to 1 for each user.

        Args:
            log_probs: float32 [B, members, V + 1].
            ids: int32 [B, L], the histories.

        Returns:
            float32 [B, members].
        """
        weights = self.settings[: len(self.members)] + tf.zeros_like(log_probs[:, :, 0])
        if self.by_confidence and len(self.members) > 1:
            is_unseen = mask_history(tf.zeros_like(log_probs[:, 0]), ids) > MASKED_LOGIT / 2
            is_unseen = is_unseen[:, tf.newaxis]
            terms = tf.where(is_unseen, tf.exp(log_probs) * log_probs, 0.0)
            entropy = -tf.reduce_sum(terms, axis=2)
            weights *= 1 - tf.nn.softmax(entropy, axis=1)
        return tf.math.log(weights) - tf.math.log(tf.reduce_sum(weights, axis=1, keepdims=True))

    def _keep_newest(self, ids: tf.Tensor, length: int) -> tf.Tensor:
        """Returns the newest `length` items of each history, or `ids` if they are not longer."""
        if ids.shape[1] <= length:
            return ids
        ids = compact_ids(ids)
        num_older = tf.reduce_sum(tf.cast(ids > 0, tf.int32), axis=1, keepdims=True) - length
        positions = tf.maximum(num_older, 0) + tf.range(length)
        return tf.gather(ids, positions, batch_dims=1)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "members": [describe_model(member) for member in self.members],
            "weights": list(self._settings["weights"]),
            "temperatures": list(self._settings["temperatures"]),
            "by_confidence": self.by_confidence,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TeacherMixture:
        """Rebuilds the mixture from `get_config`; the members have new weights."""
        members = [build_model(member) for member in config["members"]]
        return cls(**{**config, "members": members})


def compute_validation_weights(metrics: Sequence[float], sharpness: float = 10.0) -> list[float]:
    """Computes mixture weights from the members' validation metrics: ``w ~ exp(s m / max m)``.

    A softmax, because weights in proportion to the metrics hardly differ from equal weights:
    teachers that are worth combining differ by 10 or 20 %. NDCG@10 on MovieLens 100k of three
    calibrated closed forms and a network that is 20 % better: equal weights .214, proportional
    weights .218, softmax .232. The metrics are divided by the best, so their scale does not matter.

    Args:
        metrics: One per member, higher is better; the best is above 0, as for NDCG.
        sharpness: s, at least 0: a member that is 10 % worse than the best has ``exp(-s / 10)``
            times its weight.

    Returns:
        One weight per member; they sum to 1.

    Raises:
        ValueError: No metric is above 0, one is not finite, or the sharpness is negative.

    Example:
        >>> [round(weight, 2) for weight in compute_validation_weights([0.20, 0.18, 0.16])]
        [0.67, 0.24, 0.09]
    """
    values = np.asarray(metrics, np.float64)
    if not values.size or not np.isfinite(values).all() or not values.max() > 0:
        raise ValueError(f"metrics must be finite, the best above 0, not {list(metrics)}")
    if not sharpness >= 0:
        raise ValueError(f"sharpness must be 0 or above, not {sharpness}")
    return [float(weight) for weight in special.softmax(sharpness * values / values.max())]


def _compute_log_probs(scores: tf.Tensor, ids: tf.Tensor, temperature: Any) -> tf.Tensor:
    """Computes log-probabilities over the unseen items from standardized scores.

    Args:
        scores: float32 [B, V + 1].
        ids: int32 [B, L], the histories.
        temperature: A number above 0.

    Returns:
        float32 [B, V + 1]; seen items are on the same scale, but not part of the normalization.
    """
    is_unseen = mask_history(scores, ids) > MASKED_LOGIT / 2
    count = tf.reduce_sum(tf.cast(is_unseen, tf.float32), axis=1, keepdims=True)

    def mean(values: tf.Tensor) -> tf.Tensor:
        return tf.math.divide_no_nan(
            tf.reduce_sum(tf.where(is_unseen, values, 0.0), axis=1, keepdims=True), count
        )

    centered_scores = scores - mean(scores)
    deviation = tf.sqrt(mean(tf.square(centered_scores)))
    logits = tf.math.divide_no_nan(centered_scores, temperature * deviation)
    return logits - tf.reduce_logsumexp(
        tf.where(is_unseen, logits, MASKED_LOGIT), axis=1, keepdims=True
    )


def _fit_temperature(member: HistoryModel, validation_metric: ValidationMetric) -> float:
    """Returns the temperature that maximizes the likelihood of the held-out items.

    All users have the same weight.
    """
    score = make_score_fn(member)
    log_probs, target_means = [], []
    for rows in validation_metric.batch_rows():
        histories = validation_metric.histories.take(rows)
        targets = validation_metric.targets.take(rows)
        ids = tf.constant(histories.pad(int(histories.lengths.max())))
        masked_log_probs = mask_history(
            _compute_log_probs(tf.constant(score(histories)), ids, 1.0), ids
        )
        batch_log_probs = masked_log_probs.numpy()
        row = np.repeat(np.arange(len(rows)), targets.lengths)
        values = batch_log_probs[row, targets.items].astype(np.float64)
        # Targets that are in the history too cannot be recommended.
        is_unseen = values > MASKED_LOGIT / 2
        count = np.bincount(row[is_unseen], minlength=len(rows))
        sums = np.bincount(row[is_unseen], values[is_unseen], len(rows))
        log_probs.append(batch_log_probs[count > 0])
        target_means.append((sums / np.maximum(count, 1))[count > 0])

    def compute_loss(log_temperature: float) -> float:
        inverse = np.float32(np.exp(-log_temperature))
        losses = [
            special.logsumexp(inverse * values, axis=1) - inverse * mean
            for values, mean in zip(log_probs, target_means, strict=True)
        ]
        return float(np.concatenate(losses).mean())

    # The loss is convex in 1 / T, so it has a single minimum in log T too.
    result = optimize.minimize_scalar(
        compute_loss,
        bounds=tuple(np.log(TEMPERATURE_BOUNDS)),
        method="bounded",
        options={"xatol": 1e-2},
    )
    return float(np.exp(result.x))


def _check_numbers(name: str, values: Sequence[float] | None, count: int) -> tuple[float, ...]:
    """Returns one finite number of at least 0 per member; 1 if `values` is None."""
    numbers = tuple(float(value) for value in values) if values is not None else (1.0,) * count
    if len(numbers) != count or not all(0 <= number < np.inf for number in numbers):
        raise ValueError(
            f"{name} must be {count} finite numbers of at least 0, not {list(numbers)}"
        )
    return numbers
