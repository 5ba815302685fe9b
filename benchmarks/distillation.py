"""Measures what distillation costs: a training step of every method, and the teacher targets.

    kd-tf run --dataset goodbooks --data-dir goodbooks-10k --out runs/goodbooks
    python benchmarks/distillation.py --config runs/goodbooks/config.toml --out runs/goodbooks

Steps are interleaved: in every round each method makes the same few steps, in random order, so that
other load on the machine affects all methods alike. The teacher is that of the run.
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
from kd_tf.distill.losses import METHODS
from kd_tf.distill.teacher_targets import compute_teacher_targets
from kd_tf.errors import UserError
from kd_tf.pipeline import method_presets
from kd_tf.pipeline.compare import STUDENT_ALONE
from kd_tf.pipeline.stages import teacher
from kd_tf.pipeline.stages.distillation import DistillationPlan, build_distiller
from kd_tf.pipeline.stages.examples import STUDENT_EXAMPLES, draw_examples
from kd_tf.pipeline.stages.load import load_dataset
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.train_student import build_student
from kd_tf.pipeline.stages.training import make_schedule


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="a run's config.toml")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    parser.add_argument("--methods", default=",".join(METHODS), help="separated by commas")
    parser.add_argument("--student", default="mlp")
    parser.add_argument("--embedding-dim", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=3, help="of each method in a round")
    options = parser.parse_args()
    settings = config.read(options.config)
    context = RunContext.create(
        settings, options.out, make_progress(quiet=False), load_dataset(settings)
    )
    teachers = teacher.load_or_train_teachers(context)
    _measure_cache(context, DistillationPlan(settings.distillation, teachers))
    steps = {
        STUDENT_ALONE: _make_step(context, settings, options.student, options.embedding_dim, None)
    }
    for name in options.methods.split(","):
        method_settings = method_presets.configure_method(name, settings)
        try:
            plan = DistillationPlan(method_settings.distillation, teachers)
            steps[name] = _make_step(
                context, method_settings, options.student, options.embedding_dim, plan
            )
        except UserError as error:
            print(f"{name} is skipped: {error.what}")
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    order = np.random.default_rng(0)
    for _ in range(options.rounds):
        for name in order.permutation(list(steps)):
            begin = time.perf_counter()
            for _ in range(options.steps):
                steps[name]()
            seconds[name].append((time.perf_counter() - begin) / options.steps)
    base = np.median(seconds[STUDENT_ALONE])
    print(f"{'':<24}{'ms per step':>12}{'x alone':>9}")
    for name, step_seconds in seconds.items():
        # The ratio of each round, because rounds differ more than methods.
        ratio = np.median(np.array(step_seconds) / np.array(seconds[STUDENT_ALONE]))
        print(f"{name:<24}{1e3 * np.median(step_seconds):12.1f}{ratio:9.2f}")
    print(f"median of {options.rounds} rounds; alone {1e3 * base:.1f} ms")


def _measure_cache(context: RunContext, plan: DistillationPlan) -> None:
    """Prints the seconds and bytes of the teacher targets of two passes."""
    folder, examples, settings = (
        context.folder / "measured",
        draw_examples(context, STUDENT_EXAMPLES),
        plan.settings,
    )
    begin = time.perf_counter()
    targets = compute_teacher_targets(
        plan.teacher,
        examples,
        top_k=settings.top_k,
        folder=folder,
        progress=context.progress,
    )
    seconds = time.perf_counter() - begin
    num_bytes = sum(array.nbytes for array in targets.values())
    count = examples.num_passes * examples.examples_per_pass
    print(
        f"teacher targets of {count:,} examples: {seconds:.1f} s, {num_bytes:,} bytes, "
        f"{num_bytes / count:.0f} per example"
    )
    shutil.rmtree(folder)


def _make_step(
    context: RunContext,
    settings: Config,
    architecture: str,
    embedding_dim: int,
    plan: DistillationPlan | None,
) -> Callable[[], None]:
    """Builds the student and returns a function that makes one training step."""
    rng.set_seed(settings.seed)
    model = build_student(context, architecture, embedding_dim)
    schedule = make_schedule(settings.student.training, context.split)
    examples = draw_examples(context, STUDENT_EXAMPLES)
    distiller, batches = build_distiller(
        context, model, plan, examples, schedule, seed=settings.seed
    )
    distiller.compile(optimizer=keras.optimizers.Adam(schedule.learning_rate))
    stream, step = iter(batches.stream()), distiller.make_train_function()

    def run_step() -> None:
        float(step(stream)["loss"])

    for _ in range(3):
        run_step()
    return run_step


if __name__ == "__main__":
    main()
