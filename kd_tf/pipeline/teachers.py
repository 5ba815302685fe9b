"""The stage that makes the teacher: one model, or several and their weights."""

from __future__ import annotations

import time
from typing import Any

from kd_tf.config import MATRIX_FACTORIZATION
from kd_tf.data.batches import Batches
from kd_tf.errors import UserError
from kd_tf.models import checkpoint, randomness
from kd_tf.models.base import HistoryModel
from kd_tf.models.matrix_factorization import MatrixFactorization
from kd_tf.models.ranking import scorer
from kd_tf.models.teachers import SOLVED_TEACHERS, TRAINED_TEACHERS, EnsembleTeacher
from kd_tf.models.teachers.wide import WideAndDeepTeacher
from kd_tf.models.tied_table import FULL_SOFTMAX, IN_BATCH
from kd_tf.models.training import Training
from kd_tf.pipeline.context import Context
from kd_tf.pipeline.faculty import KeepEarly
from kd_tf.pipeline.stage import Trained, trained
from kd_tf.report.results import TriedStudent

IN_BATCH_ABOVE = 50_000
"""Books beyond which a teacher's scores of a batch (512 x V float32) outgrow 100 MB."""

_UP_TO_BOOKS = {"local-ridge": 10**9, "ials": 300_000, "spectral": 30_000}
"""Default members of an ensemble, and the catalogues that they are quick for."""


def teachers(context: Context, *, early: bool = False) -> list[Trained]:
    """The members of the ensemble, if it is one, and the teacher itself as the last.

    Args:
        context: Of the run.
        early: Whether a single teacher that is trained also leaves its weights from early in
            its training, for `kd_tf.pipeline.faculty.stages`.
    """
    settings = context.settings.teacher
    if settings.kind != "ensemble":
        return [
            _teacher(
                context, settings.kind, "teacher", _history_length(context, settings.kind), early
            )
        ]
    wanted = settings.members or _default_members(context)
    length = min(_history_length(context, kind) for kind in wanted)
    members = [_teacher(context, kind, f"teacher-{kind}", length) for kind in dict.fromkeys(wanted)]
    key = context.key(members=[checkpoint.fingerprint(one.model) for one in members])

    def make(_: object) -> tuple[HistoryModel, str, Training, list[TriedStudent]]:
        begin = time.monotonic()
        model = EnsembleTeacher.weighed(
            [one.model for one in members], context.choose, context.progress
        )
        model.create_weights()
        reached = context.choose(scorer(model))
        seconds = time.monotonic() - begin + sum(one.seconds for one in members)
        return model, "ensemble", Training(0, 0, reached, seconds), []

    return [*members, trained(context, "teacher", context.folder / "teacher", key, make)]


def _default_members(context: Context) -> tuple[str, ...]:
    books = context.split.books
    solved = tuple(kind for kind, most in _UP_TO_BOOKS.items() if books <= most)
    return (*solved, "cnn") if context.small else solved


def _history_length(context: Context, kind: str) -> int:
    """A solved teacher sees whole histories, a trained one what the student will see."""
    if kind in SOLVED_TEACHERS:
        return context.longest_history
    return context.history_length


def _teacher(
    context: Context, kind: str, name: str, history_length: int, early: bool = False
) -> Trained:
    settings = context.settings.teacher
    solved = kind in SOLVED_TEACHERS
    own = {} if solved else settings.model_dump(mode="json", exclude={"kind", "members"})
    key = context.key(
        teacher={"kind": kind, **own},
        length=history_length,
        candidates=str(context.candidates),
        books_table=context.catalog_digest() if solved else None,
    )

    def make(_: object) -> tuple[HistoryModel, str, Training, list[TriedStudent]]:
        randomness.seed(context.settings.seed)
        if not solved:
            model, training = _trained(context, kind, key, early)
            return model, kind, training, []
        begin = time.monotonic()
        found = SOLVED_TEACHERS[kind].solved(context.learning_data(history_length))
        seconds = time.monotonic() - begin
        return found, kind, Training(0, 0, context.choose(scorer(found)), seconds), []

    folder = context.folder / ("teacher" if name == "teacher" else f"teachers/{kind}")
    return trained(context, name, folder, key, make)


def _trained(
    context: Context, kind: str, key: dict[str, Any], early: bool
) -> tuple[HistoryModel, Training]:
    if kind == MATRIX_FACTORIZATION:
        model, drawn = _factorisation(context), context.examples_by_reader()
    else:
        model, drawn = _network(context, kind), context.examples(1)
    schedule = context.schedule(context.settings.teacher.learning)
    training = context.fit(
        model,
        Batches(
            drawn.history,
            {"targets": drawn.targets},
            batch_size=schedule.batch_size,
            seed=context.settings.seed,
        ),
        schedule=schedule,
        callbacks=[KeepEarly(context, model, kind, schedule.epochs)] if early else [],
        label=f"teacher ({kind})",
        key=key,
    )
    if isinstance(model, WideAndDeepTeacher):
        model.remember(context.split, context.progress)
    return model, training


def _factorisation(context: Context) -> HistoryModel:
    """Matrix factorisation by readers' numbers, as papers on distillation have it."""
    known = set(context.split.train_readers.tolist())
    if not known.intersection(context.split.test.readers.tolist()):
        raise UserError(
            "matrix factorisation knows training readers only, and none of them is tested",
            where="teacher.kind",
            hint="Choose a protocol that tests books of training readers: leave-one-out, "
            "temporal, random, or a published split.",
        )
    return MatrixFactorization.of(
        context.split.train, context.split.books, dimensions=context.settings.teacher.dimensions
    )


def _network(context: Context, kind: str) -> HistoryModel:
    settings = context.settings.teacher
    objective: str = settings.objective
    if objective == "auto":
        large = context.split.books > IN_BATCH_ABOVE or kind == "two-tower"
        objective = IN_BATCH if large else FULL_SOFTMAX
    if kind == "vae" and objective == IN_BATCH:
        raise UserError(
            f"a variational autoencoder scores all {context.split.books:,} books in every step",
            where="teacher.kind",
            hint="Take local-ridge, or two-tower, whose steps do not grow with the catalogue.",
        )
    model = TRAINED_TEACHERS[kind](
        books=context.split.books,
        history_length=context.history_length,
        dimensions=settings.dimensions,
        objective=objective,
    )
    model.create_weights()
    model.adapt(context.split.popularity())
    return model
