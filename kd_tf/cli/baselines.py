"""The command `kd-tf baselines`: evaluates baselines."""

from __future__ import annotations

from typing import Annotated

import typer

from kd_tf import choices
from kd_tf.choices import list_choices
from kd_tf.cli import options
from kd_tf.cli.completion import complete_names
from kd_tf.cli.console import make_console
from kd_tf.cli.output import make_progress, write_json
from kd_tf.cli.settings import collect_settings

BASELINES = list_choices(choices.BaselineName)


def evaluate_baselines(
    context: typer.Context,
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
    folds: Annotated[
        int | None,
        typer.Option(
            min=3,
            help="Number of folds of a cross-validation, for the protocols unseen-users and "
            "random.",
            rich_help_panel=options.EVALUATION,
            show_default="none",
        ),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            help=f"Baselines, separated by commas: {', '.join(BASELINES)}.",
            metavar="NAME,NAME,...",
            autocompletion=complete_names(BASELINES),
            show_default="all",
        ),
    ] = None,
    config: options.Config = None,
    name: options.Name = None,
    seed: options.Seed = None,
    settings: options.Settings = None,
    json: options.Json = None,
    quiet: options.Quiet = False,
) -> None:
    """Fit and evaluate baselines: what a model has to beat on your data."""
    values = collect_settings(context.params)
    from kd_tf.config import from_values
    from kd_tf.pipeline import baselines as pipeline
    from kd_tf.report import console_tables

    result = pipeline.evaluate_baselines(
        from_values(values), make_progress(quiet), models=options.split_names(models)
    )
    if not write_json(json, result.to_json()):
        console_tables.print_models(result, make_console())
