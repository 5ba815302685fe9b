"""The command `kd-tf add-ranker`: adds a model of the ranking task to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kd_tf.cli import options
from kd_tf.cli.console import make_console
from kd_tf.native_stderr import suppress_native_stderr


def add_ranker(
    bundle: options.Bundle,
    ranker: Annotated[
        Path,
        typer.Argument(
            help="Folder of a bundle of the ranking task, or of its run, e.g. runs/clicks."
        ),
    ],
    item_columns: Annotated[
        Path | None,
        typer.Option(
            "--items",
            help="Table with columns of the books, called as in the table of the ranker.",
            metavar="FILE",
            show_default="what the run of the ranker wrote",
        ),
    ] = None,
    item_columns_id: Annotated[
        str | None,
        typer.Option(
            "--item-id",
            help="Its column with the ids of the books.",
            metavar="COLUMN",
            show_default="as the ranker calls it",
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="Where a device finds a column, if its name does not say it: hour, weekday, time "
            "(UTC), local-time, language or missing. Repeat it for more.",
            metavar="COLUMN=SOURCE",
            show_default="by name",
        ),
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(
            help="A value that a column always has on a device. Repeat it for more.",
            metavar="COLUMN=VALUE",
            show_default="none",
        ),
    ] = None,
) -> None:
    """Add a model of the ranking task to a bundle, so that it sorts what the bundle recommends.

    kd-tf recommend --rerank, the page and the app then sort their lists by hour, weekday, language
    and whatever else the model knows.
    """
    from kd_tf.pipeline.ranking.add_ranker import add_ranker as add_ranker_to_bundle

    with suppress_native_stderr():
        result = add_ranker_to_bundle(
            bundle,
            ranker,
            items=item_columns,
            item_id=item_columns_id,
            sources=options.parse_pairs(source, "--source"),
            values=options.parse_pairs(value, "--value"),
        )
    console = make_console(soft_wrap=True)
    for line in result.describe():
        console.print(line)
    console.print(f"Bundle: {result.bundle.folder}")
