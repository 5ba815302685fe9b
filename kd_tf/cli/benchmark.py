"""The command `kd-tf benchmark`: measures size, latency and memory against other runtimes."""

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
from kd_tf.errors import UserError

COMPETITORS = list_choices(choices.CompetitorName)


def benchmark(
    target: Annotated[
        Path | None, typer.Argument(help="A bundle, a run's folder or a .tflite file.")
    ] = None,
    synthetic_items: Annotated[
        int | None,
        typer.Option(
            min=1, help="Instead of a file: measure a synthetic student with this many items."
        ),
    ] = None,
    embedding_dim: Annotated[
        int, typer.Option(min=1, help="Embedding dimension of the synthetic student.")
    ] = 32,
    max_length: Annotated[
        int, typer.Option(min=1, help="History length of the synthetic student.")
    ] = 50,
    competitors: Annotated[
        str | None,
        typer.Option(
            help=f"What to compare with, separated by commas: {', '.join(COMPETITORS)}; '' for "
            "nothing.",
            metavar="NAME,NAME,...",
            autocompletion=complete_names(COMPETITORS),
            show_default="all that can be built here",
        ),
    ] = None,
    threads: Annotated[
        str,
        typer.Option(
            help="Numbers of threads, separated by commas; everything is measured with each.",
            metavar="N,N,...",
        ),
    ] = "1",
    runs: Annotated[int, typer.Option(min=1000, help="Timed calls per model.")] = 1000,
    seed: options.Seed = None,
    json: options.Json = None,
    quiet: options.Quiet = False,
) -> None:
    """Measure size, latency and memory of a file, and of the same model in other runtimes.

    All models answer the same histories in turns, each in a process of its own.
    """
    if (target is None) == (synthetic_items is None):
        raise UserError(
            "give either a file or --synthetic-items",
            hint="kd-tf benchmark runs/mine, or kd-tf benchmark --synthetic-items 100000",
        )
    counts = options.parse_counts(threads, "--threads", "1,2")
    from kd_tf.report.console_tables import print_benchmark
    from kd_tf.tflite.benchmark.benchmark import benchmark as run

    result = run(
        target,
        synthetic=None if synthetic_items is None else (synthetic_items, embedding_dim, max_length),
        competitors=[] if competitors == "" else options.split_names(competitors),
        threads=counts,
        runs=runs,
        seed=options.DEFAULT_SEED if seed is None else seed,
        progress=make_progress(quiet),
    )
    if not write_json(json, result):
        print_benchmark(result, make_console())
