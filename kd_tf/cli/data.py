"""The commands `kd-tf data` and `kd-tf download`: summarize and download data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kd_tf import choices
from kd_tf.choices import list_choices
from kd_tf.cli import options
from kd_tf.cli.completion import complete_names
from kd_tf.cli.console import make_console
from kd_tf.cli.output import make_progress, write_json
from kd_tf.cli.settings import collect_settings

DOWNLOADS = list_choices(choices.DownloadName)


def summarize_data(
    context: typer.Context,
    dataset: Annotated[
        choices.DatasetName,
        typer.Argument(help=options.DATASET_HELP, metavar="NAME"),
    ],
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
    config: options.Config = None,
    name: options.Name = None,
    seed: options.Seed = None,
    settings: options.Settings = None,
    json: options.Json = None,
    quiet: options.Quiet = False,
) -> None:
    """Read and clean a data set, and count users, items and interactions at every step."""
    values = collect_settings(context.params)
    from kd_tf.config import from_values
    from kd_tf.pipeline import summarize_data as pipeline
    from kd_tf.report import console_tables

    summary = pipeline.summarize_data(from_values(values), make_progress(quiet))
    if not write_json(json, summary.to_json()):
        console_tables.print_data(summary, make_console())


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
