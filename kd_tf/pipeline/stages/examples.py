"""Samples the training examples of teachers and students, and the histories that calibrate int8."""

from __future__ import annotations

import numpy as np

from kd_tf.data.examples.joined_histories import draw_histories_of_every_length
from kd_tf.data.examples.sequences import (
    Examples,
    draw_sequence_examples,
    draw_user_id_examples,
)
from kd_tf.data.histories import Histories
from kd_tf.models.fitting import choose_num_targets
from kd_tf.pipeline.stages.run_context import RunContext

TEACHER_EXAMPLES, STUDENT_EXAMPLES, CALIBRATION_EXAMPLES = 1, 2, 3
"""Purposes of examples; each has its own random seed, so teacher and student see other cuts."""

TARGETS_PER_USER = 32
"""Default number of targets per user in one epoch for models that take user IDs."""

MAX_CUT_HISTORIES, MAX_WHOLE_HISTORIES, NUM_JOINED_HISTORIES = 500, 1000, 500
"""Number of histories that calibrate a file: real ones that are cut at random, whole ones, and
those of every length."""


def draw_examples(context: RunContext, purpose: int) -> Examples:
    """Samples training examples from the training histories.

    Args:
        context: The run.
        purpose: `TEACHER_EXAMPLES` or `STUDENT_EXAMPLES`, which are sampled differently.
    """
    settings, split = context.settings.examples, context.split
    return draw_sequence_examples(
        split.train,
        num_passes=settings.num_passes,
        max_length=context.max_length,
        num_targets=settings.num_targets or choose_num_targets(split.chronological),
        chronological=split.chronological,
        seed=_make_seed(context.settings.seed, purpose),
    )


def draw_examples_by_user(context: RunContext) -> Examples:
    """Samples training examples for models that take user IDs."""
    settings = context.settings.examples
    return draw_user_id_examples(
        context.split.train,
        num_passes=settings.num_passes,
        num_targets=settings.num_targets or TARGETS_PER_USER,
        seed=context.settings.seed,
    )


def draw_rounding_histories(train: Histories, max_length: int, *, seed: int) -> np.ndarray:
    """Samples the histories that tell which rounding errors of a table matter (`compress.gptq`).

    They are parts of training histories, short and long, as users of the app have them most.

    Args:
        train: The training histories.
        max_length: L of the student.
        seed: Seed of the run.

    Returns:
        int32 [n, L], at most `MAX_CUT_HISTORIES` rows.
    """
    examples = draw_sequence_examples(
        train,
        num_passes=1,
        max_length=max_length,
        num_targets=1,
        chronological=True,
        seed=_make_seed(seed, CALIBRATION_EXAMPLES),
    )
    return np.asarray(examples.history[0][:MAX_CUT_HISTORIES])


def draw_calibration_histories(
    train: Histories, max_length: int, *, num_items: int, seed: int
) -> np.ndarray:
    """Samples the histories that calibrate the ranges of int8 activations.

    They are parts of training histories, whole ones, and histories of every length from 0 to L
    (`kd_tf.data.examples.joined_histories`). Both ends matter. The shorter a history, the more
    each of its items weighs; the longer it is, the larger the sums. An int8 file cuts off what is
    outside the ranges, and a user of the app may have more items than any training user.

    Args:
        train: The training histories.
        max_length: L of the student.
        num_items: V.
        seed: Seed of the run.

    Returns:
        int32 [n, L].
    """
    joined_histories = draw_histories_of_every_length(
        train,
        max_length=max_length,
        num_items=num_items,
        count=NUM_JOINED_HISTORIES,
        seed=_make_seed(seed, CALIBRATION_EXAMPLES),
    )
    return np.concatenate(
        [
            draw_rounding_histories(train, max_length, seed=seed),
            train.take(np.arange(min(len(train), MAX_WHOLE_HISTORIES))).pad(max_length),
            joined_histories.pad(max_length),
        ]
    )


def _make_seed(run_seed: int, purpose: int) -> int:
    """Returns a seed that no other purpose and no other run uses."""
    return 1000 * run_seed + purpose
