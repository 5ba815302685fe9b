"""What distilling costs: the step of every method beside that of the student alone, and the cache.

    kd-tf run --dataset goodbooks --data-dir goodbooks-10k --out runs/goodbooks
    python benchmarks/distillation.py --config runs/goodbooks/config.toml --out runs/goodbooks

Steps are interleaved: of every round each contestant makes the same few, in another order each
time, so that what else the machine does falls on all alike. The teacher is that of the run.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kd_tf import config, rng
from kd_tf.backend import keras
from kd_tf.cli.output import make_progress
from kd_tf.config import Config
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses import METHODS
from kd_tf.distill.teacher_targets import compute_teacher_targets
from kd_tf.errors import UserError
from kd_tf.pipeline import method_presets
from kd_tf.pipeline.compare import STUDENT_ALONE
from kd_tf.pipeline.stages import teacher
from kd_tf.pipeline.stages.distillation import (
    DistillationPlan,
    build_distiller,
    make_supervised_batches,
)
from kd_tf.pipeline.stages.prepare import load_dataset
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.student import build_student


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="a run's config.toml")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    parser.add_argument("--methods", default=",".join(METHODS), help="separated by commas")
    parser.add_argument("--student", default="mlp")
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=3, help="of a contestant in a round")
    asked = parser.parse_args()
    settings = config.read(asked.config)
    context = RunContext(settings, asked.out, make_progress(quiet=False), load_dataset(settings))
    staff = teacher.load_or_train_teachers(context)
    _measure_cache(context, DistillationPlan(settings.distillation, staff))
    steps = {STUDENT_ALONE: _step(context, settings, asked.student, asked.dimensions, None)}
    for name in asked.methods.split(","):
        told = method_presets.configure_method(name, settings)
        try:
            teaching = DistillationPlan(told.distillation, staff)
            steps[name] = _step(context, told, asked.student, asked.dimensions, teaching)
        except UserError as error:
            print(f"{name} is left out: {error.what}")
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    order = np.random.default_rng(0)
    for _ in range(asked.rounds):
        for name in order.permutation(list(steps)):
            begin = time.perf_counter()
            for _ in range(asked.steps):
                steps[name]()
            seconds[name].append((time.perf_counter() - begin) / asked.steps)
    base = np.median(seconds[STUDENT_ALONE])
    print(f"{'':<24}{'ms a step':>10}{'x alone':>9}")
    for name, found in seconds.items():
        # Of a round's own ratio, for rounds differ more than contestants.
        ratio = np.median(np.array(found) / np.array(seconds[STUDENT_ALONE]))
        print(f"{name:<24}{1e3 * np.median(found):10.1f}{ratio:9.2f}")
    print(f"median of {asked.rounds} rounds; alone {1e3 * base:.1f} ms")


def _measure_cache(context: RunContext, teaching: DistillationPlan) -> None:
    folder, examples, settings = (
        context.folder / "measured",
        context.draw_examples(2),
        teaching.settings,
    )
    begin = time.perf_counter()
    found = compute_teacher_targets(
        teaching.teacher,
        examples,
        top_k=settings.top_k,
        folder=folder,
        progress=context.progress,
    )
    seconds = time.perf_counter() - begin
    stored = sum(array.nbytes for array in found.values())
    count = examples.num_passes * examples.examples_per_pass
    print(
        f"the teacher's answers to {count:,} examples: {seconds:.1f} s, {stored:,} bytes, "
        f"{stored / count:.0f} an example"
    )
    shutil.rmtree(folder)


def _step(
    context: RunContext,
    settings: Config,
    kind: str,
    dimensions: int,
    teaching: DistillationPlan | None,
) -> Callable[[], None]:
    """A training step that can be made again and again."""
    rng.set_seed(settings.seed)
    model = build_student(context, kind, dimensions)
    schedule = context.make_schedule(settings.student.training)
    examples = context.draw_examples(2)
    if teaching is None:
        distiller, batches = (
            Distiller(model),
            make_supervised_batches(examples, schedule, settings.seed),
        )
    else:
        distiller, batches = build_distiller(
            context, model, teaching, examples, schedule, seed=settings.seed
        )
    distiller.compile(optimizer=keras.optimizers.Adam(schedule.learning_rate))
    stream, step = iter(batches.stream()), distiller.make_train_function()

    def once() -> None:
        float(step(stream)["loss"])

    for _ in range(3):
        once()
    return once


if __name__ == "__main__":
    main()
