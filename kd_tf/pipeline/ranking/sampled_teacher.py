"""Samples the Bayesian factorization machine of a run of the ranking task."""

from __future__ import annotations

import time

from kd_tf.models.ranking.teachers.bayesian_factorization_machine import (
    BayesianFactorizationMachineTeacher,
    limit_samples,
)
from kd_tf.pipeline.ranking.context import RankingContext
from kd_tf.training.trainer import TrainingResult

SAMPLED_TEACHER = "bayesian-factorization-machine"
"""The teacher that has no gradient descent."""

_TRIAL_SHARE, _LEAST_TRIAL_SWEEPS = 0.25, 30


def sample_teacher(
    context: RankingContext,
) -> tuple[BayesianFactorizationMachineTeacher, TrainingResult]:
    """Samples the teacher; where the settings leave it open, a short trial chooses the history."""
    sampling = context.settings.teacher.sampling
    start_time = time.monotonic()
    history = _name_history(context)
    if history is not None and sampling.history is None:
        sweeps = min(max(int(sampling.sweeps * _TRIAL_SHARE), _LEAST_TRIAL_SWEEPS), sampling.sweeps)
        scores = {
            chosen: context.make_validation_fn(_fit(context, chosen, sweeps))()
            for chosen in (None, history)
        }
        chosen_history = max(scores, key=scores.__getitem__)
        context.progress.info(
            f"{SAMPLED_TEACHER}: validation {context.metric} after {sweeps} sweeps "
            f"{scores[None]:.4f}, with the histories of users and items {scores[history]:.4f}"
        )
    else:
        chosen_history = history if sampling.history else None
    model = _fit(context, chosen_history, sampling.sweeps)
    score = context.make_validation_fn(model)()
    return model, TrainingResult(0, 0, score, time.monotonic() - start_time)


def _fit(
    context: RankingContext, history: tuple[str, str] | None, sweeps: int
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
    train, seed = context.split.train, context.settings.seed
    model.fit(train, seed=seed, progress=context.progress)
    return model


def _name_history(context: RankingContext) -> tuple[str, str] | None:
    """Returns the names of the features of user and item, if rows have both."""
    user, item = context.split.user, context.split.item
    names = [feature.name for feature in context.teacher_layout.categorical]
    return (user, item) if user in names and item in names else None
