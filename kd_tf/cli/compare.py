"""The command `kd-tf compare`: compares distillation methods."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from kd_tf import choices
from kd_tf.choices import list_choices
from kd_tf.cli import options
from kd_tf.cli.completion import complete_names
from kd_tf.cli.console import make_console
from kd_tf.cli.output import write_json
from kd_tf.cli.run import prepare_training
from kd_tf.cli.settings import collect_settings

LOSSES, PRESETS = list_choices(choices.LossName), list_choices(choices.PresetName)


def compare(
    context: typer.Context,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Methods, separated by commas; a + joins losses to one method. Losses: "
            f"{', '.join(LOSSES)}. More methods: {', '.join(PRESETS)}.",
            metavar="NAME,NAME,...",
            autocompletion=complete_names([*LOSSES, *PRESETS], ",+"),
            show_default="all",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of trainings per method.")] = 3,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Trainings at the same time.", show_default="number of processor cores"
        ),
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(
            min=0, help="GB of memory for all trainings.", show_default="80 % of the machine's"
        ),
    ] = None,
    dataset: options.Dataset = None,
    data_dir: options.DataDir = None,
    interactions: options.Interactions = None,
    train: options.Train = None,
    validation: options.Validation = None,
    test: options.Test = None,
    user: options.User = None,
    item: options.Item = None,
    rating: options.Rating = None,
    timestamp: options.Timestamp = None,
    columns: options.Columns = None,
    header: options.Header = None,
    where: options.Where = None,
    items: options.Items = None,
    item_id: options.ItemId = None,
    title: options.Title = None,
    authors: options.Authors = None,
    item_table: options.ItemTable = None,
    item_table_id: options.ItemTableId = None,
    friends: options.Friends = None,
    text: options.Text = None,
    encoder: options.Encoder = None,
    image: options.Image = None,
    image_encoder: options.ImageEncoder = None,
    separator: options.Separator = None,
    quote: options.Quote = None,
    encoding: options.Encoding = None,
    skip_rows: options.SkipRows = None,
    decimal: options.Decimal = None,
    null_values: options.NullValues = None,
    time_format: options.TimeFormat = None,
    time_unit: options.TimeUnit = None,
    normalize_ids: options.NormalizeIds = None,
    on_bad_rows: options.OnBadRows = None,
    min_rating: options.MinRating = None,
    protocol: options.Protocol = None,
    candidates: options.Candidates = None,
    k: options.Cutoffs = None,
    teacher: options.Teacher = None,
    student: Annotated[
        Literal[choices.StudentArchitecture, choices.RankingStudentName] | None,
        options.make_student_option("mlp"),
    ] = None,
    max_bytes: options.MaxBytes = None,
    config: options.Config = None,
    allow_code: options.AllowCode = False,
    name: options.Name = None,
    seed: options.Seed = None,
    settings: options.Settings = None,
    out: Annotated[Path | None, options.make_out_option("runs/compare-NAME")] = None,
    json: options.Json = None,
    quiet: options.Quiet = False,
) -> None:
    """Compare distillation methods, and the student without a teacher, over several seeds.

    For matrix factorization as in papers:

        kd-tf compare --protocol leave-one-out \\
            --student matrix-factorization --teacher matrix-factorization \\
            --set student.embedding_dim=20 --set teacher.embedding_dim=200

    An interrupted comparison resumes when the same command runs again.
    """
    values = collect_settings(context.params)
    student_settings = values.setdefault("student", {})
    if isinstance(student_settings, dict):  # otherwise the configuration reports the error
        student_settings.setdefault("architecture", "mlp")
    configuration, folder, progress = prepare_training(values, out, "compare-", quiet)
    from kd_tf.pipeline.compare import compare as run_comparison
    from kd_tf.pipeline.process_pool import ProcessPool
    from kd_tf.report import console_tables, method_chart

    default_memory = 0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    pool = ProcessPool(jobs or os.cpu_count() or 1, int(memory * 1e9 if memory else default_memory))
    result = run_comparison(
        configuration,
        folder,
        progress,
        methods=None if methods == "all" else options.split_names(methods),
        seeds=seeds,
        pool=pool,
    )
    method_chart.write(result, folder / "methods.svg")
    if not write_json(json, result.to_json()):
        console_tables.print_models(result, make_console())
    progress.info(f"chart: {folder / 'methods.svg'}")
