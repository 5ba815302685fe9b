"""The commands `kd-tf data` and `kd-tf download`: summarize and download data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from kd_tf.cli.data_options import add_data_options
from kd_tf.cli.output import JsonFile, Quiet, make_progress, write_json


@add_data_options(exclude=("dataset",))
def data(values: dict[str, Any], json: JsonFile = None, quiet: Quiet = False) -> None:
    """Read and clean a data set, and show counts before and after each step."""
    from kd_tf import config
    from kd_tf.pipeline.summarize_data import summarize_data
    from kd_tf.report import console_tables

    summary = summarize_data(config.from_values(values), make_progress(quiet))
    write_json(json, summary.to_json())
    console_tables.print_data(summary, Console(highlight=False))


def download(
    name: Annotated[str, typer.Argument(help="A published data set; see docs/data.md.")],
    to: Annotated[Path, typer.Option(help="Folder for the file.")] = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Download a published data set, verify its SHA-256, and resume interrupted downloads."""
    from kd_tf.data.sources import download as downloader

    path = downloader.download(name, to, make_progress(quiet))
    typer.echo(str(path))
