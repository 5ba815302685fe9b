"""The stage that makes the teacher: one model, or several and their weights."""

from __future__ import annotations

import time
from typing import Any

from kd_tf import rng
from kd_tf.config import MATRIX_FACTORIZATION
from kd_tf.data.examples.batches import Batches
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.by_user_id.matrix_factorization import MatrixFactorization
from kd_tf.models.teachers import CLOSED_FORM_TEACHERS, TRAINED_TEACHERS, EnsembleTeacher
from kd_tf.models.teachers.wide_and_deep import WideAndDeepTeacher
from kd_tf.models.tied_embedding import FULL_SOFTMAX, IN_BATCH
from kd_tf.pipeline.stages.cached_model import TrainedModel, load_or_train
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.teacher_ensemble import EarlyCheckpoints
from kd_tf.report.results import CandidateResult
from kd_tf.training import checkpoint
from kd_tf.training.trainer import TrainingResult

MAX_FULL_SOFTMAX_ITEMS = 50_000
"""Books beyond which a teacher's scores of a batch (512 x V float32) outgrow 100 MB."""

_MAX_MEMBER_ITEMS = {"local-ridge": 10**9, "ials": 300_000, "spectral": 30_000}
"""Default members of an ensemble, and the catalogues that they are quick for."""


def load_or_train_teachers(context: RunContext, *, save_early: bool = False) -> list[TrainedModel]:
    """The members of the ensemble, if it is one, and the teacher itself as the last.

    Args:
        context: Of the run.
        early: Whether a single teacher that is trained also leaves its weights from early in
            its training, for `kd_tf.pipeline.stages.teacher_ensemble.stages`.
    """
    settings = context.settings.teacher
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
    wanted = settings.members or _choose_default_members(context)
    length = min(_choose_max_length(context, kind) for kind in wanted)
    members = [
        _load_or_train_teacher(context, kind, f"teacher-{kind}", length)
        for kind in dict.fromkeys(wanted)
    ]
    key = context.cache_key(members=[checkpoint.compute_fingerprint(one.model) for one in members])

    def make(_: object) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
        begin = time.monotonic()
        model = EnsembleTeacher.from_members(
            [one.model for one in members], context.validation_metric, context.progress
        )
        model.create_weights()
        reached = context.validation_metric(make_score_fn(model))
        seconds = time.monotonic() - begin + sum(one.seconds for one in members)
        return model, "ensemble", TrainingResult(0, 0, reached, seconds), []

    return [*members, load_or_train(context, "teacher", context.folder / "teacher", key, make)]


def _choose_default_members(context: RunContext) -> tuple[str, ...]:
    items = context.split.num_items
    solved = tuple(kind for kind, most in _MAX_MEMBER_ITEMS.items() if items <= most)
    return (*solved, "cnn") if context.trains_quickly else solved


def _choose_max_length(context: RunContext, architecture: str) -> int:
    """A solved teacher sees whole histories, a trained one what the student will see."""
    if architecture in CLOSED_FORM_TEACHERS:
        return context.teacher_max_length
    return context.max_length


def _load_or_train_teacher(
    context: RunContext, architecture: str, name: str, max_length: int, save_early: bool = False
) -> TrainedModel:
    settings = context.settings.teacher
    solved = architecture in CLOSED_FORM_TEACHERS
    own = {} if solved else settings.model_dump(mode="json", exclude={"kind", "members"})
    key = context.cache_key(
        teacher={"kind": architecture, **own},
        length=max_length,
        candidates=str(context.candidates),
        items_table=context.hash_catalog() if solved else None,
    )

    def make(_: object) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
        rng.set_seed(context.settings.seed)
        if not solved:
            model, training = _train_teacher(context, architecture, key, save_early)
            return model, architecture, training, []
        begin = time.monotonic()
        found = CLOSED_FORM_TEACHERS[architecture].from_training_data(
            context.make_training_data(max_length)
        )
        seconds = time.monotonic() - begin
        return (
            found,
            architecture,
            TrainingResult(0, 0, context.validation_metric(make_score_fn(found)), seconds),
            [],
        )

    folder = context.folder / ("teacher" if name == "teacher" else f"teachers/{architecture}")
    return load_or_train(context, name, folder, key, make)


def _train_teacher(
    context: RunContext, architecture: str, key: dict[str, Any], save_early: bool
) -> tuple[HistoryModel, TrainingResult]:
    if architecture == MATRIX_FACTORIZATION:
        model, drawn = _build_matrix_factorization(context), context.draw_examples_by_user()
    else:
        model, drawn = _build_network(context, architecture), context.draw_examples(1)
    schedule = context.make_schedule(context.settings.teacher.training)
    training = context.fit(
        model,
        Batches(
            drawn.history,
            {"targets": drawn.targets},
            batch_size=schedule.batch_size,
            seed=context.settings.seed,
        ),
        schedule=schedule,
        callbacks=[EarlyCheckpoints(context, model, architecture, schedule.epochs)]
        if save_early
        else [],
        label=f"teacher ({architecture})",
        key=key,
    )
    if isinstance(model, WideAndDeepTeacher):
        model.fit_wide(context.split, context.progress)
    return model, training


def _build_matrix_factorization(context: RunContext) -> HistoryModel:
    """Matrix factorisation by readers' numbers, as papers on distillation have it."""
    known = set(context.split.train_users.tolist())
    if not known.intersection(context.split.test.users.tolist()):
        raise UserError(
            "matrix factorisation knows training readers only, and none of them is tested",
            where="teacher.kind",
            hint="Choose a protocol that tests books of training readers: leave-one-out, "
            "temporal, random, or a published split.",
        )
    return MatrixFactorization.from_histories(
        context.split.train,
        context.split.num_items,
        embedding_dim=context.settings.teacher.embedding_dim,
    )


def _build_network(context: RunContext, architecture: str) -> HistoryModel:
    settings = context.settings.teacher
    objective: str = settings.objective
    if objective == "auto":
        large = context.split.num_items > MAX_FULL_SOFTMAX_ITEMS or architecture == "two-tower"
        objective = IN_BATCH if large else FULL_SOFTMAX
    if architecture == "vae" and objective == IN_BATCH:
        raise UserError(
            f"a variational autoencoder scores all {context.split.num_items:,} books in every step",
            where="teacher.kind",
            hint="Take local-ridge, or two-tower, whose steps do not grow with the catalogue.",
        )
    model = TRAINED_TEACHERS[architecture](
        num_items=context.split.num_items,
        max_length=context.max_length,
        embedding_dim=settings.embedding_dim,
        objective=objective,
    )
    model.create_weights()
    model.adapt(context.split.popularity())
    return model
