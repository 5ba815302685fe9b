"""Trains the teacher: a single model, or the members of an ensemble and their weights."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from kd_tf import rng
from kd_tf.config import MATRIX_FACTORIZATION
from kd_tf.data.examples.batches import Batches
from kd_tf.data.split import to_training_set
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.by_user_id.matrix_factorization import MatrixFactorization
from kd_tf.models.callbacks import METRIC
from kd_tf.models.teachers import CLOSED_FORM_TEACHERS, TRAINED_TEACHERS
from kd_tf.models.teachers.ensemble import EnsembleTeacher
from kd_tf.models.tied_embedding import FULL_SOFTMAX, IN_BATCH
from kd_tf.pipeline.stages.cache import hash_catalog
from kd_tf.pipeline.stages.cached_model import TrainedModel, load_or_train
from kd_tf.pipeline.stages.examples import (
    TEACHER_EXAMPLES,
    draw_examples,
    draw_examples_by_user,
)
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.teacher_ensemble import EarlyCheckpoints
from kd_tf.pipeline.stages.training import (
    is_quick_to_train,
    make_regularizer_arguments,
    make_schedule,
    train_model,
)
from kd_tf.report.results import CandidateResult
from kd_tf.training import checkpoint
from kd_tf.training.trainer import TrainingResult

MAX_FULL_SOFTMAX_ITEMS = 50_000
"""Above this, the scores of a batch (512 x V float32) take more than 100 MB: use in-batch."""

MAX_CONTENT_ITEMS = 50_000
"""Above this, the content teacher is no default member: its fit would take longest of all."""

MAX_HISTORY_LENGTH = 1000
"""Upper bound of the history length of teachers with a closed-form fit."""

_MAX_MEMBER_ITEMS = {"local-ridge": 10**9, "ials": 300_000, "spectral": 30_000}
"""Default members of an ensemble, and the largest catalog that each is fast on."""


def load_or_train_teachers(
    context: RunContext, *, save_early: bool = False
) -> list[TrainedModel[HistoryModel]]:
    """Trains the teacher, or loads it from the run's cache.

    Args:
        context: The run.
        save_early: Whether to save early checkpoints of a single trained teacher, for
            `kd_tf.pipeline.stages.teacher_ensemble.build_teacher_curriculum`.

    Returns:
        The members of the ensemble, if it is one, and the teacher itself as the last.
    """
    settings = context.settings.teacher
    if "friends" in (settings.architecture, *(settings.members or ())) and not _has_friends(
        context
    ):
        raise UserError(
            "the teacher friends needs friends, and the data have none",
            where="data.friends",
            hint="Give a table of pairs of users: --friends FILE.",
        )
    if settings.architecture != "ensemble":
        return [
            _load_or_train_teacher(
                context,
                settings.architecture,
                "teacher",
                _choose_max_length(context, settings.architecture),
                save_early,
            )
        ]
    architectures = settings.members or choose_default_members(context)
    max_length = min(_choose_max_length(context, architecture) for architecture in architectures)
    # The content teacher first: its fit holds the mixtures of new items, which the others need.
    member_by_architecture = {
        architecture: _load_or_train_teacher(
            context, architecture, f"teacher-{architecture}", max_length
        )
        for architecture in sorted(architectures, key=lambda name: name != "content")
    }
    members = [member_by_architecture[name] for name in dict.fromkeys(architectures)]
    key = context.cache.make_key(
        members=[checkpoint.compute_fingerprint(member.model) for member in members]
    )

    def fit(_: object) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
        start_time = time.monotonic()
        model = EnsembleTeacher.from_members(
            [member.model for member in members], context.validation_metric, context.progress
        )
        model.create_weights()
        ndcg = context.validation_metric(make_score_fn(model))
        seconds = time.monotonic() - start_time + sum(member.seconds for member in members)
        return model, "ensemble", TrainingResult(0, 0, ndcg, seconds), []

    return [*members, load_or_train(context.cache, "teacher", context.folder / "teacher", key, fit)]


def choose_default_members(context: RunContext) -> tuple[str, ...]:
    """Returns the members that are fast on this catalog."""
    members = tuple(
        architecture
        for architecture, max_items in _MAX_MEMBER_ITEMS.items()
        if context.split.num_items <= max_items
    )
    if context.split.content is not None and context.split.num_items <= MAX_CONTENT_ITEMS:
        members += ("content",)
    if _has_friends(context) and context.split.num_items <= _MAX_MEMBER_ITEMS["ials"]:
        members += ("friends",)
    return (*members, "cnn") if is_quick_to_train(context.split) else members


def _has_friends(context: RunContext) -> bool:
    friendships = context.split.friendships
    return friendships is not None and len(friendships) > 0


def _choose_max_length(context: RunContext, architecture: str) -> int:
    """Returns L: whole histories for a closed-form teacher, the student's L for a trained one."""
    if architecture in CLOSED_FORM_TEACHERS:
        return _measure_longest_history(context)
    return context.max_length


def _measure_longest_history(context: RunContext) -> int:
    """Returns the history length of teachers with a closed-form fit, which need no fixed length."""
    parts = (context.split.train, context.split.validation.histories)
    longest = max(int(histories.lengths.max(initial=1)) for histories in parts)
    return int(np.clip(longest, context.max_length, MAX_HISTORY_LENGTH))


def _load_or_train_teacher(
    context: RunContext, architecture: str, name: str, max_length: int, save_early: bool = False
) -> TrainedModel[HistoryModel]:
    """Trains a teacher of one architecture, or loads it from the run's cache."""
    is_closed_form = architecture in CLOSED_FORM_TEACHERS
    training_settings = (
        {}
        if is_closed_form
        else context.settings.teacher.model_dump(mode="json", exclude={"architecture", "members"})
    )
    key = context.cache.make_key(
        teacher={"architecture": architecture, **training_settings},
        teacher_max_length=max_length,
        candidates=context.settings.evaluation.candidates,
        catalog=hash_catalog(context.dataset.catalog) if is_closed_form else None,
    )

    def fit(_: object) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
        rng.set_seed(context.settings.seed)
        if not is_closed_form:
            model, training = _train_teacher(context, architecture, key, save_early)
            if context.add_new_items(model):
                ndcg = context.validation_metric(make_score_fn(model))
                training = replace(training, best_score=ndcg)
            return model, architecture, training, []
        start_time = time.monotonic()
        model = CLOSED_FORM_TEACHERS[architecture](context.split.num_items, max_length=max_length)
        history = model.fit(
            context.split.train,
            validation_data=context.validation_metric,
            progress=context.progress,
        )
        # `fit` has evaluated the model; it logs nothing without validation users.
        (ndcg,) = history.history.get(METRIC, [0.0])
        if context.add_new_items(model):
            ndcg = context.validation_metric(make_score_fn(model))
        seconds = time.monotonic() - start_time
        return model, architecture, TrainingResult(0, 0, ndcg, seconds), []

    folder = context.folder / ("teacher" if name == "teacher" else f"teachers/{architecture}")
    return load_or_train(context.cache, name, folder, key, fit)


def _train_teacher(
    context: RunContext, architecture: str, key: dict[str, Any], save_early: bool
) -> tuple[HistoryModel, TrainingResult]:
    """Trains a teacher by gradient descent."""
    if architecture == MATRIX_FACTORIZATION:
        model, examples = _build_matrix_factorization(context), draw_examples_by_user(context)
    else:
        model = _build_network(context, architecture)
        examples = draw_examples(context, TEACHER_EXAMPLES)
    schedule = make_schedule(context.settings.teacher.training, context.split)
    training = train_model(
        context,
        model,
        Batches(
            examples.history,
            {"targets": examples.targets},
            batch_size=schedule.batch_size,
            seed=context.settings.seed,
        ),
        schedule,
        context.settings.teacher.training,
        callbacks=[EarlyCheckpoints(context, model, architecture, schedule.epochs)]
        if save_early
        else [],
        label=f"teacher ({architecture})",
        key=key,
    )
    train = to_training_set(context.split.train, context.split.num_items)
    model.finish_fit(train, context.split.validation, context.progress)
    return model, training


def _build_matrix_factorization(context: RunContext) -> HistoryModel:
    """Builds matrix factorization over user IDs, the usual model of distillation papers."""
    train_users = set(context.split.train_users.tolist())
    if not train_users.intersection(context.split.test.users.tolist()):
        raise UserError(
            "matrix factorization can only score training users, but no test user is one",
            where="teacher.architecture",
            hint="Choose a protocol that tests training users: leave-one-out, temporal, random, "
            "or a published split.",
        )
    settings = context.settings.teacher
    return MatrixFactorization.from_histories(
        context.split.train,
        context.split.num_items,
        embedding_dim=settings.embedding_dim,
        **make_regularizer_arguments(MatrixFactorization, settings.training, "teacher.training"),
    )


def _build_network(context: RunContext, architecture: str) -> HistoryModel:
    """Builds an untrained network whose output bias is the items' popularity."""
    settings = context.settings.teacher
    objective: str = settings.objective
    if objective == "auto":
        is_large = context.split.num_items > MAX_FULL_SOFTMAX_ITEMS or architecture == "two-tower"
        objective = IN_BATCH if is_large else FULL_SOFTMAX
    if architecture == "vae" and objective == IN_BATCH:
        raise UserError(
            f"vae has no in-batch loss: every step scores all {context.split.num_items:,} items",
            where="teacher.architecture",
            hint="Use local-ridge, or two-tower, whose training steps do not grow with the "
            "catalog.",
        )
    model_class = TRAINED_TEACHERS[architecture]
    model = model_class(
        num_items=context.split.num_items,
        max_length=context.max_length,
        embedding_dim=settings.embedding_dim,
        objective=objective,
        **make_regularizer_arguments(model_class, settings.training, "teacher.training"),
    )
    model.prepare_fit(to_training_set(context.split.train, context.split.num_items))
    return model
