"""The commands `kd-tf data` and `kd-tf download`: summarize and download data sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from kd_tf import choices
from kd_tf.choices import list_choices
from kd_tf.cli import options
from kd_tf.cli.completion import complete_names
from kd_tf.cli.console import make_console
from kd_tf.cli.output import make_progress, write_json
from kd_tf.cli.ranking import summarize_ranking_command
from kd_tf.cli.settings import collect_retrieval_settings
from kd_tf.cli.tasks import choose_task
from kd_tf.errors import UserError

DOWNLOADS = list_choices(choices.DownloadName)


def summarize_data(
    context: typer.Context,
    dataset: Annotated[
        choices.DatasetName | None,
        typer.Argument(
            help=f"{options.DATASET_HELP} Not with --task ranking.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    task: options.Task = None,
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
    config: options.Config = None,
    name: options.Name = None,
    seed: options.Seed = None,
    settings: options.Settings = None,
    json: options.Json = None,
    quiet: options.Quiet = False,
) -> None:
    """Read and clean a data set, and count users, items and interactions at every step.

    With --task ranking: what each column of a table is taken for and why, what is made of it, and
    the rows of every part.

        kd-tf data --task ranking --interactions clicks.csv --label clicked
    """
    SUMMARIES[choose_task(context.params)](context.params)


def _summarize_retrieval_data(parameters: Mapping[str, Any]) -> None:
    """Prints what the first task reads."""
    if parameters["dataset"] is None and parameters["config"] is None:
        raise UserError(
            "no data set is named",
            hint="For example kd-tf data csv --interactions loans.csv; for a table of clicks or "
            "ratings kd-tf data --task ranking --interactions clicks.csv --label clicked.",
        )
    values = collect_retrieval_settings(parameters, without=("protocol",))
    from kd_tf.config import from_values
    from kd_tf.pipeline import summarize_data as pipeline
    from kd_tf.report import console_tables

    summary = pipeline.summarize_data(from_values(values), make_progress(parameters["quiet"]))
    if not write_json(parameters["json"], summary.to_json()):
        console_tables.print_data(summary, make_console())


SUMMARIES: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "retrieval": _summarize_retrieval_data,
    "ranking": summarize_ranking_command,
}
"""How each task summarizes its data."""


def download(
    name: Annotated[
        str,
        typer.Argument(
            help=f"Published data set: {', '.join(DOWNLOADS)}.",
            autocompletion=complete_names(DOWNLOADS),
        ),
    ],
    to: Annotated[Path, typer.Option(help="Folder of the file.")] = Path("data"),
    quiet: options.Quiet = False,
) -> None:
    """Download a published data set and check its SHA-256.

    An interrupted download resumes when the same command runs again.
    """
    from kd_tf.data.sources import download as downloader

    path = downloader.download(name, to, make_progress(quiet))
    make_console(soft_wrap=True).print(path)
