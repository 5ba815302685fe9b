"""Samples the Bayesian factorization machine of a run of the ranking task."""

from __future__ import annotations

import time

import numpy as np

from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.errors import UserError
from kd_tf.models.ranking.teachers.bayesian_factorization_machine import (
    BayesianFactorizationMachineTeacher,
    limit_samples,
)
from kd_tf.pipeline.ranking.context import RankingContext
from kd_tf.training.trainer import TrainingResult

SAMPLED_TEACHER = "bayesian-fm"
"""The teacher that has no gradient descent."""

MAX_ROW_SWEEPS = 200_000_000
"""Rows times sweeps: the posterior of a large table is narrow, so that fewer sweeps do."""

MAX_TRIAL_ROWS = 1_000_000
"""Rows on which a trial decides whether histories are used."""

_LEAST_SWEEPS = 30


def sample_teacher(
    context: RankingContext,
) -> tuple[BayesianFactorizationMachineTeacher, TrainingResult]:
    """Samples the teacher; where the settings leave the history open, validation rows choose.

    Raises:
        UserError: The settings want the history, but rows have no users or no items.
    """
    sampling, train = context.settings.teacher.sampling, context.split.train
    start_time = time.monotonic()
    sweeps = min(sampling.sweeps, max(MAX_ROW_SWEEPS // len(train), _LEAST_SWEEPS))
    history = _name_history(context)
    if sampling.history and history is None:
        raise UserError(
            "the table has no column of users, or none of items, so that there is no history",
            where="teacher.sampling.history",
            hint="Name them (user, item), or leave the setting out.",
        )
    if sampling.history is not None or history is None:
        model = _fit(context, train, history if sampling.history else None, sweeps)
    else:
        model = _fit_better(context, history, sweeps)
    score = context.make_validation_fn(model)()
    return model, TrainingResult(0, 0, score, time.monotonic() - start_time)


def _fit_better(
    context: RankingContext, history: tuple[str, str], sweeps: int
) -> BayesianFactorizationMachineTeacher:
    """Fits the teacher with and without the history; of a large table, first on some of its rows.

    Both have all sweeps: with the history it takes more of them until the weights have settled.
    """
    train = trial_rows = context.split.train
    if len(train) > MAX_TRIAL_ROWS:
        random = np.random.default_rng(context.settings.seed)
        trial_rows = train.take(np.sort(random.choice(len(train), MAX_TRIAL_ROWS, replace=False)))
    scores, models = {}, {}
    for features in (None, history):
        models[features] = _fit(context, trial_rows, features, sweeps)
        scores[features] = context.make_validation_fn(models[features])()
    context.progress.info(
        f"{SAMPLED_TEACHER}: validation {context.metric} {scores[None]:.4f}, with the histories of "
        f"users and items {scores[history]:.4f}"
    )
    best = max(scores, key=scores.__getitem__)
    return models[best] if trial_rows is train else _fit(context, train, best, sweeps)


def _fit(
    context: RankingContext,
    train: RankingExamples,
    history: tuple[str, str] | None,
    sweeps: int,
) -> BayesianFactorizationMachineTeacher:
    sampling, layout = context.settings.teacher.sampling, context.teacher_layout
    model = BayesianFactorizationMachineTeacher(
        layout,
        label_kind=context.split.label.kind,
        embedding_dim=sampling.embedding_dim,
        num_samples=limit_samples(layout, sampling.embedding_dim, sampling.samples),
        sweeps=sweeps,
        history_features=history,
    )
    model.fit(train, seed=context.settings.seed, progress=context.progress)
    return model


def _name_history(context: RankingContext) -> tuple[str, str] | None:
    """Returns the names of the features of user and item, if rows have both."""
    user, item = context.split.user, context.split.item
    names = [feature.name for feature in context.teacher_layout.categorical]
    return (user, item) if user in names and item in names else None
