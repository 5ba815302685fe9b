"""The stages that make the students: given or found, alone or with the teacher."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kd_tf.distill.starts import STARTS, Source
from kd_tf.errors import UserError
from kd_tf.models import checkpoint, randomness
from kd_tf.models.base import HistoryModel
from kd_tf.models.ranking import scorer
from kd_tf.models.stored import settled, stored_bytes
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.students.neighbours import packed_bytes
from kd_tf.models.training import Training, train
from kd_tf.pipeline.context import Context
from kd_tf.pipeline.learning import learnt
from kd_tf.pipeline.stage import Trained, trained
from kd_tf.pipeline.teaching import Teaching, taught
from kd_tf.report.results import TriedStudent

FINE_TUNING_RATE = 5e-4
"""Larger steps only unlearnt what the start knew, on every data set that was tried."""

FINE_TUNING_SCORES = 300_000_000
"""Scores of a pass over the readers beyond which fine-tuning is not tried: there it took longer
than all the rest of a run, and on no data set of that size did it gain anything."""

BETTER_BY = 0.0005
"""Fine-tuned weights are kept where validation gains at least this much; less is chance."""


def student(
    context: Context, name: str, teachers: Sequence[Trained] = (), *, kind: str | None = None
) -> Trained:
    """The student, distilled where there are teachers.

    Args:
        context: Of the run.
        name: ``alone`` or ``distilled``.
        teachers: The ensemble's members and the teacher as the last; none for a student of
            readers' books alone.
        kind: Of the student; by default what the settings say.
    """
    settings = context.settings
    kind = kind or settings.student.kind
    teaching = Teaching(settings.distillation, teachers) if teachers else None
    key = context.key(
        student={**settings.student.model_dump(mode="json"), "kind": kind},
        pruning=settings.pruning.model_dump(mode="json"),
        distillation=settings.distillation.model_dump(mode="json") if teaching else None,
        teacher=checkpoint.fingerprint(teaching.teacher) if teaching else None,
        candidates=str(context.candidates),
    )

    def make(_: Path) -> tuple[HistoryModel, str, Training, list[TriedStudent]]:
        if kind in TRAINED_STUDENTS:
            given = settings.student
            # What `auto` chose is made alone with the same width.
            dimensions = _mlp_dimensions(context) if given.kind == "auto" else given.dimensions
            model, training = _learnt(context, name, kind, dimensions, teaching, key)
            return model, kind, training, []
        return _found(context, name, kind, teaching, key)

    return trained(context, f"student-{name}", context.folder / "student" / name, key, make)


def _found(
    context: Context, name: str, kind: str, teaching: Teaching | None, key: dict[str, Any]
) -> tuple[HistoryModel, str, Training, list[TriedStudent]]:
    """The best student within the bytes, of one family or of all."""
    begin = time.monotonic()
    model, tried = started(context, name, kind, teaching, key)
    chosen = next(one for one in tried if one.chosen)
    epochs = best_epoch = 0
    reached = chosen.validation_ndcg
    if teaching is not None and chosen.kind not in TRAINED_STUDENTS:
        training = _fine_tuned_if_better(context, model, teaching, reached)
        if training is not None:
            epochs, best_epoch, reached = training.epochs, training.best_epoch, training.best
    seconds = time.monotonic() - begin
    return settled(model), chosen.kind, Training(epochs, best_epoch, reached, seconds), tried


def started(
    context: Context, name: str, kind: str, teaching: Teaching | None, key: dict[str, Any]
) -> tuple[HistoryModel, list[TriedStudent]]:
    """The best start within the bytes, of one family or of all, and what it was chosen among.

    Args:
        context: Of the run.
        name: What progress calls the student.
        kind: One of `STARTS`, or ``auto``.
        teaching: Whose rows it starts from; None for readers' books alone.
        key: All that it depends on.

    Raises:
        UserError: None fits into the bytes.
    """
    randomness.seed(context.settings.seed)
    data = context.learning_data(context.history_length)
    source = Source(data, teaching.teacher if teaching else None)
    families = STARTS if kind == "auto" else {kind: STARTS[kind]}
    tried: list[TriedStudent] = []
    best: tuple[HistoryModel, TriedStudent] | None = None

    def consider(model: HistoryModel, family: str, setting: str) -> None:
        nonlocal best
        found = TriedStudent(
            family, setting, stored_bytes(model), context.choose(scorer(settled(model)))
        )
        context.progress.say(
            f"student {name}: {family} ({setting}), {found.bytes:,} bytes, validation NDCG@10 "
            f"{found.validation_ndcg:.4f}"
        )
        tried.append(found)
        if best is None or found.validation_ndcg > best[1].validation_ndcg:
            best = model, found
            source.reached = found.validation_ndcg

    for family, starts in families.items():
        for start in starts(source, context.max_bytes):
            consider(start.model, family, start.setting)
    if kind == "auto" and context.small:
        dimensions = _mlp_dimensions(context)
        if dimensions:
            model, _ = _learnt(context, name, "mlp", dimensions, teaching, key)
            consider(model, "mlp", f"d={dimensions}, trained")
    if best is None:
        raise UserError(
            f"no student of {context.split.books:,} books fits into {context.max_bytes:,} bytes",
            where="student.max_bytes",
            hint=f"The least that any needs is {_least(context, kind):,} bytes"
            + (f" (student.kind {kind})." if kind != "auto" else "."),
        )
    model, chosen = best
    return model, [replace(one, chosen=one is chosen) for one in tried]


def fine_tuned(
    context: Context,
    model: HistoryModel,
    teaching: Teaching,
    *,
    seed: int,
    label: str,
    keep_start: bool,
) -> Training:
    """Trains a started student with the Distiller, on what the teacher says alone.

    Args:
        context: Of the run; its settings say how long.
        model: Keeps the weights that validate best.
        teaching: How it is taught.
        seed: Orders the examples.
        label: What the progress bar says.
        keep_start: Whether the weights that it has may be the best.

    Raises:
        UserError: It cannot be taught so, or has nothing that learns.
    """
    if not model.trainable_variables:
        raise UserError(f"a {type(model).__name__} has nothing that learns in steps")
    schedule = replace(
        context.schedule(context.settings.student.learning),
        epochs=max(context.settings.student.fine_tuning_epochs, 1),
        learning_rate=FINE_TUNING_RATE,
        validate_every=1,
        patience=1,
    )
    # The readers' own books are what the start was solved from.
    told = {"alpha": 0.0, "balance": "fixed", "curriculum": False, "assistant": 0}
    distiller, batches = taught(
        context,
        model,
        replace(teaching, settings=teaching.settings.model_copy(update=told)),
        context.examples(2),
        schedule,
        seed=seed,
    )
    return train(
        distiller,
        batches,
        schedule=schedule,
        validate=context.validation(model),
        keep_start=keep_start,
        label=label,
        progress=context.progress,
    )


def _fine_tuned_if_better(
    context: Context, model: HistoryModel, teaching: Teaching, reached: float
) -> Training | None:
    """Fine-tunes where that is cheap; the weights change only where it helps."""
    cost = context.scores_of_a_pass * model.vectors_at_once
    if (
        not context.settings.student.fine_tuning_epochs
        or cost > FINE_TUNING_SCORES
        or not model.trainable_variables
    ):
        return None
    start = model.get_weights()
    training = fine_tuned(
        context,
        model,
        teaching,
        seed=context.settings.seed,
        label="fine-tuning",
        keep_start=True,
    )
    if training.best >= reached + BETTER_BY:
        after = context.choose(scorer(settled(model)))
        if after >= reached + BETTER_BY:
            context.progress.say(
                f"fine-tuned by the Distiller: validation NDCG@10 {after:.4f} after {reached:.4f}"
            )
            return replace(training, best=after)
    model.set_weights(start)
    context.progress.say(
        f"fine-tuning by the Distiller gained nothing ({training.best:.4f}, start {reached:.4f}): "
        "the student stays as it started"
    )
    return None


def _learnt(
    context: Context,
    name: str,
    kind: str,
    dimensions: int,
    teaching: Teaching | None,
    key: dict[str, Any],
) -> tuple[HistoryModel, Training]:
    """A student trained from nothing."""
    return learnt(
        context,
        lambda wide: untrained(context, kind, wide),
        dimensions,
        teaching,
        context.examples(2),
        seed=context.settings.seed,
        label=f"student {name} ({kind})",
        key=key,
    )


def untrained(context: Context, kind: str, dimensions: int) -> HistoryModel:
    """A student of `TRAINED_STUDENTS` with the weights that it begins with."""
    model = TRAINED_STUDENTS[kind](
        books=context.split.books,
        history_length=context.history_length,
        dimensions=dimensions,
    )
    model.create_weights()
    return model


def _mlp_dimensions(context: Context) -> int:
    """As wide as the bytes allow, in steps of 8; 0 where not even 8 fit."""
    # A table in bytes; two layers of 64 with biases, and a weight for every age, in floats.
    fixed = 4 * (64 + context.history_length)
    room = (context.max_bytes - fixed) // (context.split.books + 1 + 4 * (2 * 64 + 1))
    return int(max(min(room, 64) // 8 * 8, 0))


def _least(context: Context, kind: str) -> int:
    """About the smallest budget in which a student of this kind exists."""
    books = context.split.books
    table = (books + 1) * 7 + 3 * 1024
    if kind in ("neighbours", "auto"):
        return min(packed_bytes(books, books), table)
    return table + (packed_bytes(books, books) if kind.endswith("residual") else 0)
