"""Trains every teacher architecture on one data set and compares metrics, bytes and seconds.

    kd-tf run --dataset goodbooks --data-dir goodbooks-10k --out runs/goodbooks
    python benchmarks/teachers.py --config runs/goodbooks/config.toml --out runs/teachers

Every teacher is trained with the settings of the configuration, tuned on the validation users and
evaluated once on the test users. Finished teachers stay in the folder and are not trained again.
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
from kd_tf.pipeline.stages.load import load_dataset
from kd_tf.pipeline.stages.model_results import describe_environment, make_model_result
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.report import console_tables
from kd_tf.report.results import ModelResult, ModelTable
from kd_tf.training import checkpoint

# In the order of training time.
ARCHITECTURES = "linear-autoencoder,local-ridge,ials,spectral,vae,two-tower,cnn,gru,transformer"


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="a run's config.toml")
    parser.add_argument("--architectures", default=ARCHITECTURES, help="separated by commas")
    parser.add_argument("--embedding-dim", type=int, help="of the networks")
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps the teachers")
    options = parser.parse_args()
    settings = config.read(options.config)
    if options.embedding_dim:
        network = settings.teacher.model_copy(update={"embedding_dim": options.embedding_dim})
        settings = settings.model_copy(update={"teacher": network})
    dataset, progress = load_dataset(settings), make_progress(quiet=False)
    models: list[ModelResult] = []
    for architecture in options.architectures.split(","):
        teacher_settings = settings.teacher.model_copy(update={"architecture": architecture})
        context = RunContext.create(
            settings.model_copy(update={"teacher": teacher_settings}),
            options.out / architecture,
            progress,
            dataset,
        )
        try:
            trained_model = teacher.load_or_train_teachers(context)[-1]
        except UserError as error:
            progress.warn(f"{architecture}: {error}")
            continue
        num_parameters = checkpoint.count_parameters(trained_model.model)
        evaluation = context.evaluate_on_test(architecture, make_score_fn(trained_model.model))
        models.append(
            make_model_result(
                architecture,
                "teacher",
                architecture,
                evaluation,
                num_parameters=num_parameters,
                bytes=4 * num_parameters,
                seconds=trained_model.seconds,
            )
        )
        figures = ", ".join(f"{name} {value:.4f}" for name, value in evaluation.overall.items())
        progress.info(
            f"{architecture}: {figures}, {4 * num_parameters:,} bytes, "
            f"{trained_model.seconds:.0f} s"
        )
    table = ModelTable(context.dataset_summary, models, [], describe_environment())
    console_tables.print_models(table, Console(highlight=False))


if __name__ == "__main__":
    main()
