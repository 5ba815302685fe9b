"""The command `kd-tf benchmark`: measures size, latency and memory against other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kd_tf.cli.output import JsonFile, Quiet, make_progress, write_json
from kd_tf.errors import UserError


def benchmark(
    target: Annotated[
        Path | None, typer.Argument(help="A bundle, a run's folder, or a .tflite file.")
    ] = None,
    synthetic_items: Annotated[
        int | None,
        typer.Option(min=1, help="Instead: a synthetic student of this many items."),
    ] = None,
    embedding_dim: Annotated[int, typer.Option(min=1, help="Its embedding dimension.")] = 32,
    max_length: Annotated[int, typer.Option(min=1, help="Its history length.")] = 50,
    competitors: Annotated[
        str, typer.Option(help="numpy, onnxruntime, naive, separated by commas; '' for none.")
    ] = "numpy,onnxruntime,naive",
    threads: Annotated[str, typer.Option(help="Numbers of threads, separated by commas.")] = "1",
    runs: Annotated[int, typer.Option(min=1000, help="Timed calls per model.")] = 1000,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    json: JsonFile = None,
    quiet: Quiet = False,
) -> None:
    """Measure a file against other runtimes, interleaved, each in its own process."""
    if (target is None) == (synthetic_items is None):
        raise UserError(
            "give either a file or --synthetic-items",
            hint="kd-tf benchmark runs/mine, or kd-tf benchmark --synthetic-items 100000",
        )
    counts = _parse_thread_counts(threads)
    from kd_tf.report.console_tables import print_benchmark
    from kd_tf.tflite.benchmark.benchmark import benchmark as run

    result = run(
        target,
        synthetic=None if synthetic_items is None else (synthetic_items, embedding_dim, max_length),
        competitors=[name.strip() for name in competitors.split(",") if name.strip()],
        threads=counts,
        runs=runs,
        seed=seed,
        progress=make_progress(quiet),
    )
    write_json(json, result)
    print_benchmark(result, Console(highlight=False))


def _parse_thread_counts(threads: str) -> list[int]:
    """Parses comma-separated numbers of threads."""
    parts = [part.strip() for part in threads.split(",")]
    if not parts or not all(part.isdigit() and int(part) >= 1 for part in parts):
        raise UserError(
            f"--threads needs positive numbers, not {threads!r}", hint="For example 1,2."
        )
    return [int(part) for part in parts]
