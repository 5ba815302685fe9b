"""What every kind of teacher reaches on one data set, and what it costs.

    kd-tf run --dataset goodbooks --data-dir goodbooks-10k --out runs/goodbooks
    python benchmarks/teachers.py --config runs/goodbooks/config.toml --out runs/teachers

Every kind is made with the settings of the configuration, chooses on the validation readers, and is
measured once on the test readers. What is finished stays in the folder and is not made again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from kd_tf import config
from kd_tf.cli.output import make_progress
from kd_tf.errors import UserError
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.pipeline.stages import teacher
from kd_tf.pipeline.stages.model_results import describe_environment, make_model_result
from kd_tf.pipeline.stages.prepare import load_dataset
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.report import console_tables
from kd_tf.report.results import ModelResult, ModelTable
from kd_tf.training import checkpoint

KINDS = "linear-autoencoder,local-ridge,ials,spectral,vae,two-tower,cnn,gru,transformer"  # by speed


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="a run's config.toml")
    parser.add_argument("--kinds", default=KINDS, help="separated by commas")
    parser.add_argument("--dimensions", type=int, help="of the networks")
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps the teachers")
    asked = parser.parse_args()
    settings = config.read(asked.config)
    if asked.dimensions:
        given = {"embedding_dim": asked.dimensions}
        settings = settings.model_copy(
            update={"teacher": settings.teacher.model_copy(update=given)}
        )
    dataset, progress = load_dataset(settings), make_progress(quiet=False)
    models: list[ModelResult] = []
    for kind in asked.kinds.split(","):
        chosen = settings.teacher.model_copy(update={"architecture": kind})
        context = RunContext(
            settings.model_copy(update={"teacher": chosen}), asked.out / kind, progress, dataset
        )
        try:
            made = teacher.load_or_train_teachers(context)[-1]
        except UserError as error:
            progress.warn(f"{kind}: {error}")
            continue
        parameters = checkpoint.count_parameters(made.model)
        judged = context.evaluate_on_test(kind, make_score_fn(made.model))
        models.append(
            make_model_result(
                kind,
                "teacher",
                kind,
                judged,
                num_parameters=parameters,
                bytes=4 * parameters,
                seconds=made.seconds,
            )
        )
        figures = ", ".join(f"{name} {value:.4f}" for name, value in judged.overall.items())
        progress.info(f"{kind}: {figures}, {4 * parameters:,} bytes, {made.seconds:.0f} s")
    found = ModelTable(context.dataset_summary, models, [], describe_environment())
    console_tables.print_models(found, Console(highlight=False))


if __name__ == "__main__":
    main()
