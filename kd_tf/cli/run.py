"""The commands `kd-tf demo` and `kd-tf run`: train, distill, export and bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kd_tf import choices
from kd_tf.cli import options
from kd_tf.cli.console import make_console
from kd_tf.cli.output import write_json
from kd_tf.cli.ranking import collect_ranking_settings, run_ranking_command
from kd_tf.cli.settings import apply_settings, collect_retrieval_settings
from kd_tf.cli.tasks import DEFAULT_TASK, choose_task
from kd_tf.cli.training_folder import prepare_training_folder
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.progress import Progress

if TYPE_CHECKING:
    from kd_tf.config import Config


def run_demo(
    task: options.Task = None,
    seed: options.Seed = None,
    settings: options.Settings = None,
    out: Annotated[Path | None, options.make_out_option("runs/demo")] = None,
    json: options.Json = None,
    quiet: options.Quiet = False,
) -> None:
    """Run everything on a synthetic bookshop, and show recommendations for one of its readers.

    With --task ranking: on a synthetic log of what its readers clicked on.
    """
    DEMOS[task or DEFAULT_TASK](seed, settings, out, json, quiet)


def _run_retrieval_demo(
    seed: int | None,
    settings: list[str] | None,
    out: Path | None,
    json: Path | None,
    quiet: bool,
) -> None:
    # A small network and a large one, to show distillation, pruning and quantization.
    values: dict[str, Any] = {
        "name": "synthetic",
        "seed": options.DEFAULT_SEED if seed is None else seed,
        "teacher": {"architecture": "cnn"},
        "student": {"architecture": "mlp"},
        # Some books are hidden from training, to show how new ones are recommended.
        "split": {"protocol": "cold-items"},
    }
    apply_settings(values, settings)
    from kd_tf.config import from_values

    if values["split"]["protocol"] == "cold-items":
        num_items = from_values(values).data.synthetic_items
        values["split"].setdefault("cold_items", max(num_items // 20, 1))
    _run(values, out or Path("runs/demo"), json, quiet)


def run(
    context: typer.Context,
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
        Literal[choices.StudentArchitecture, choices.RankingStudentName] | None,
        options.make_student_option("auto"),
    ] = None,
    max_bytes: options.MaxBytes = None,
    losses: options.Losses = None,
    weighting: options.Weighting = None,
    quantization: Annotated[
        Literal["auto", choices.QuantizationName] | None,
        typer.Option(
            help="How the bundled file stores its weights: auto (the smallest file that recommends "
            f"nearly as well as the best), {options.join_choices(choices.QuantizationName)}.",
            metavar="NAME",
            rich_help_panel=options.MODELS,
            show_default="auto",
        ),
    ] = None,
    catalog_search: Annotated[
        choices.CatalogSearch | None,
        typer.Option(
            help="How the file searches the catalog: exact, two-stage (only a few clusters of "
            "similar items), auto (two-stage for large catalogs).",
            metavar="NAME",
            rich_help_panel=options.MODELS,
            show_default="auto",
        ),
    ] = None,
    runtime: Annotated[
        choices.RuntimeName | None,
        typer.Option(
            help="Where the file must run: litert, android-2.16 (TensorFlow Lite from Maven "
            "Central), any (both).",
            metavar="NAME",
            rich_help_panel=options.MODELS,
            show_default="any",
        ),
    ] = None,
    config: options.Config = None,
    allow_code: options.AllowCode = False,
    name: options.Name = None,
    seed: options.Seed = None,
    settings: options.Settings = None,
    out: Annotated[Path | None, options.make_out_option("runs/NAME")] = None,
    json: options.Json = None,
    quiet: options.Quiet = False,
) -> None:
    """Train a teacher, distill it into a student, and bundle the student's file for an app.

    For your own table:

        kd-tf run --dataset csv --interactions loans.csv --user reader --item book \\
            --items books.csv --title title --out runs/mine

    For a table of clicks or ratings, to predict one from the other columns:

        kd-tf run --task ranking --interactions clicks.csv --label clicked

    An interrupted run resumes when the same command runs again.
    """
    collect, run_task = TASKS[choose_task(context.params)]
    run_task(collect(context.params), out, json, quiet)


def _run(values: dict[str, Any], out: Path | None, json: Path | None, quiet: bool) -> None:
    """Runs the pipeline and prints its results, with one user as an example."""
    configuration, folder, progress = prepare_training(values, out, "", quiet)
    if not configuration.data.has_interactions:
        from kd_tf.pipeline.zero_shot import NOTE, run_zero_shot

        bundle = run_zero_shot(configuration, folder, progress)
        if not write_json(json, bundle.config.to_json()):
            make_console().print(f"\nBundle: {bundle.folder}\n{NOTE}")
        return
    # Imported here, so that `kd-tf --help` and `kd-tf recommend` start fast.
    from kd_tf.pipeline.run import run as run_pipeline
    from kd_tf.report import console_tables, example_user

    result = run_pipeline(configuration, folder, progress)
    if write_json(json, result.results.to_json()):
        return
    console = make_console()
    console_tables.print_results(result.results, console)
    with suppress_native_stderr():
        example = example_user.build_user_example(
            result.dataset, result.split, result.teacher, result.bundle
        )
    if example is not None:
        example_user.print_user_example(example, console)
    console.print(f"\nBundle: {result.bundle.folder}")
    console.print(f"Report: {folder / 'report.html'}")


TASKS: dict[str, tuple[Callable[..., dict[str, Any]], Callable[..., None]]] = {
    "retrieval": (collect_retrieval_settings, _run),
    "ranking": (collect_ranking_settings, run_ranking_command),
}
"""How each task collects its settings, and runs."""


def _run_ranking_demo(
    seed: int | None,
    settings: list[str] | None,
    out: Path | None,
    json: Path | None,
    quiet: bool,
) -> None:
    values = collect_ranking_settings({"name": "synthetic", "seed": seed, "settings": settings})
    run_ranking_command(values, out or Path("runs/demo-ranking"), json, quiet)


DEMOS: dict[str, Callable[..., None]] = {
    "retrieval": _run_retrieval_demo,
    "ranking": _run_ranking_demo,
}
"""The demo of each task."""


def prepare_training(
    values: dict[str, Any], out: Path | None, prefix: str, quiet: bool
) -> tuple[Config, Path, Progress]:
    """Checks settings and folder before TensorFlow is imported, which takes seconds.

    Args:
        values: The settings.
        out: The folder of the results; None for one in ``runs``, by the name of the settings.
        prefix: What that name begins with.
        quiet: Whether to show no progress.

    Returns:
        The settings, the folder, and where to report.

    Raises:
        UserError: A setting is wrong, or the folder is not that of a run.
    """
    from kd_tf.config import from_values

    configuration = from_values(values)
    return configuration, *prepare_training_folder(f"{prefix}{configuration.name}", out, quiet)
