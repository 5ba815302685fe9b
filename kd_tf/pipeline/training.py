"""The stages that train: the teacher, the student alone, the student with the teacher."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kd_tf import atomic
from kd_tf.compress import prune
from kd_tf.data import batches
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.knowledge.soft_targets import SoftTargets
from kd_tf.distill.teacher_targets import teacher_targets
from kd_tf.keras import keras
from kd_tf.models import checkpoint
from kd_tf.models.base import HistoryModel
from kd_tf.models.students import STUDENTS
from kd_tf.models.teachers import TEACHERS
from kd_tf.models.training import train
from kd_tf.pipeline.context import Context

IN_BATCH_ABOVE = 50_000
"""Books beyond which a teacher's scores of a batch (512 x V float32) outgrow 100 MB."""


def teacher(context: Context) -> tuple[HistoryModel, float]:
    settings = context.settings.teacher
    key = context.key(teacher=settings.model_dump(mode="json"))

    def make(unfinished: Path) -> None:
        keras.utils.set_random_seed(context.settings.seed)
        objective = settings.objective
        if objective == "auto":
            large = context.split.books > IN_BATCH_ABOVE
            objective = "in-batch" if large else "full-softmax"
        model = TEACHERS[settings.kind](
            books=context.split.books,
            history_length=context.settings.export.history_length,
            dimensions=settings.dimensions,
            objective=objective,
        )
        model.create_weights()
        model.adapt(context.split.popularity())
        drawn = context.examples(1)
        schedule = context.schedule(settings.learning)
        training = train(
            model,
            batches.batches(
                drawn.history,
                {"targets": drawn.targets},
                batch_size=schedule.batch_size,
                seed=context.settings.seed,
            ),
            steps=batches.steps_per_epoch(drawn.readers, schedule.batch_size),
            schedule=schedule,
            validate=context.validation(model),
            label=f"teacher ({settings.kind})",
            progress=context.progress,
        )
        model.remember(context.split, context.progress)
        checkpoint.save(model, unfinished / "model")
        atomic.write_json(unfinished / "training.json", asdict(training))

    return trained(context, context.folder / "teacher", key, make)


def student(
    context: Context, name: str, teacher: HistoryModel | None
) -> tuple[HistoryModel, float]:
    settings, pruning = context.settings.student, context.settings.pruning
    key = context.key(
        student=settings.model_dump(mode="json"),
        pruning=pruning.model_dump(mode="json"),
        distillation=context.settings.distillation.model_dump(mode="json") if teacher else None,
        teacher=checkpoint.fingerprint(teacher) if teacher else None,
    )

    def make(unfinished: Path) -> None:
        # The same seed for both students: they begin equal and see the same batches.
        keras.utils.set_random_seed(context.settings.seed)
        model = STUDENTS[settings.kind](
            books=context.split.books,
            history_length=context.settings.export.history_length,
            dimensions=settings.dimensions,
        )
        model.create_weights()
        drawn = context.examples(2)
        labels = {"targets": drawn.targets}
        distiller = Distiller(model)
        if teacher is not None:
            wanted = context.settings.distillation
            targets = teacher_targets(
                teacher,
                drawn,
                top=wanted.top,
                folder=context.folder / "targets",
                progress=context.progress,
            )
            labels.update(targets.labels())
            distiller = Distiller(
                model, knowledge=[SoftTargets(wanted.temperature)], alpha=wanted.alpha
            )
        schedule = context.schedule(settings.learning)
        steps = batches.steps_per_epoch(drawn.readers, schedule.batch_size)
        total = steps * schedule.epochs
        callbacks: list[keras.callbacks.Callback] = []
        if pruning.sparsity:
            prune.wrap_core(
                model,
                sparsity=pruning.sparsity,
                begin_step=int(total * pruning.begin),
                end_step=max(int(total * pruning.end), int(total * pruning.begin) + 1),
            )
            callbacks = prune.callbacks()
        training = train(
            distiller,
            batches.batches(
                drawn.history, labels, batch_size=schedule.batch_size, seed=context.settings.seed
            ),
            steps=steps,
            schedule=schedule,
            validate=context.validation(model),
            choose_from_epoch=int(schedule.epochs * pruning.end) + 1 if callbacks else 1,
            callbacks=callbacks,
            label=f"student {name} ({settings.kind})",
            progress=context.progress,
        )
        if pruning.sparsity:
            prune.strip_core(model)
        checkpoint.save(model, unfinished / "model")
        atomic.write_json(unfinished / "training.json", asdict(training))

    return trained(context, context.folder / "student" / name, key, make)


def trained(
    context: Context, folder: Path, key: dict[str, Any], make: Callable[[Path], None]
) -> tuple[HistoryModel, float]:
    context.stage(folder, key, make)
    training = json.loads((folder / "training.json").read_text("utf-8"))
    context.progress.say(
        f"{folder.relative_to(context.folder).as_posix()}: validation NDCG@10 "
        f"{training['best']:.4f} in epoch {training['best_epoch']} of {training['epochs']}, "
        f"{training['seconds']:.0f} s"
    )
    return checkpoint.load(folder / "model"), float(training["seconds"])
