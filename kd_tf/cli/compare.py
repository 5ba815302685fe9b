"""The command `kd-tf compare`: compares distillation methods."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kd_tf import choices
from kd_tf.choices import list_choices
from kd_tf.cli import options
from kd_tf.cli.completion import complete_names
from kd_tf.cli.console import make_console
from kd_tf.cli.output import write_json
from kd_tf.cli.ranking import compare_ranking_methods
from kd_tf.cli.run import prepare_training
from kd_tf.cli.settings import collect_retrieval_settings
from kd_tf.cli.tasks import choose_task

if TYPE_CHECKING:
    from kd_tf.pipeline.process_pool import ProcessPool

LOSSES, PRESETS = list_choices(choices.LossName), list_choices(choices.PresetName)
RANKING_LOSSES = list_choices(choices.RankingLossName)
METHODS = tuple(dict.fromkeys([*LOSSES, *PRESETS, *RANKING_LOSSES]))
STUDENTS = (
    *list_choices(choices.StudentArchitecture),
    *(name for name in list_choices(choices.RankingStudentName) if name != "mlp"),
)


def compare(
    context: typer.Context,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Methods, separated by commas; a + joins losses to one method. Losses: "
            f"{', '.join(LOSSES)}. More methods: {', '.join(PRESETS)}. With --task ranking: losses "
            f"{', '.join(RANKING_LOSSES)}, and the methods on several teachers and on weighting.",
            metavar="NAME,NAME,...",
            autocompletion=complete_names(METHODS, ",+"),
            show_default="all",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of trainings per method.",
            show_default="3, of each fold of split.num_folds 1",
        ),
    ] = None,
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
    task: options.Task = None,
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
    label: options.Label = None,
    threshold: options.Threshold = None,
    positive: options.Positive = None,
    negatives: options.Negatives = None,
    categorical: options.Categorical = None,
    numeric: options.Numeric = None,
    multi: options.Multi = None,
    date: options.Date = None,
    ignore: options.Ignore = None,
    features: options.Features = None,
    users: options.Users = None,
    user_id: options.UserId = None,
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
        str | None,
        options.make_student_option(
            "mlp",
            "; several separated by commas",
            metavar="NAME,...",
            autocompletion=complete_names(STUDENTS),
        ),
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

    Students of clicks and ratings, over seeds or over five folds:

        kd-tf compare --task ranking --interactions clicks.csv --label clicked \\
            --student mlp,factorization-machine --methods soft-targets,hint
        kd-tf compare --task ranking --interactions ratings.csv --label stars \\
            --methods soft-targets --set split.num_folds=5

    An interrupted comparison resumes when the same command runs again.
    """

    def make_pool() -> ProcessPool:
        from kd_tf.pipeline.process_pool import ProcessPool

        default_memory = 0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return ProcessPool(
            jobs or os.cpu_count() or 1, int(memory * 1e9 if memory else default_memory)
        )

    COMPARISONS[choose_task(context.params)](context.params, make_pool)


def _compare_retrieval_methods(
    parameters: Mapping[str, Any], make_pool: Callable[[], ProcessPool]
) -> None:
    """Compares methods of the first task and prints their table."""
    values = collect_retrieval_settings(parameters)
    student_settings = values.setdefault("student", {})
    if isinstance(student_settings, dict):  # otherwise the configuration reports the error
        student_settings.setdefault("architecture", "mlp")
    configuration, folder, progress = prepare_training(
        values, parameters["out"], "compare-", parameters["quiet"]
    )
    from kd_tf.pipeline.compare import compare as run_comparison
    from kd_tf.report import console_tables, method_chart

    methods = parameters["methods"]
    result = run_comparison(
        configuration,
        folder,
        progress,
        methods=None if methods == "all" else options.split_names(methods),
        seeds=parameters["seeds"] or 3,
        pool=make_pool(),
    )
    method_chart.write(result, folder / "methods.svg")
    if not write_json(parameters["json"], result.to_json()):
        console_tables.print_models(result, make_console())
    progress.info(f"chart: {folder / 'methods.svg'}")


COMPARISONS: dict[str, Callable[[Mapping[str, Any], Callable[[], ProcessPool]], None]] = {
    "retrieval": _compare_retrieval_methods,
    "ranking": compare_ranking_methods,
}
"""How each task compares methods."""
