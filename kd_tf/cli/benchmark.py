"""`kd-tf benchmark`: bytes, time and memory of a file beside what other tools make."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kd_tf.cli.output import JsonFile, Quiet, make_progress, write_json
from kd_tf.errors import UserError


def benchmark(
    target: Annotated[
        Path | None, typer.Argument(help="A bundle, a run's folder, or a .tflite.")
    ] = None,
    synthetic_items: Annotated[
        int | None,
        typer.Option(min=1, help="Instead: an invented student of so many books, in all forms."),
    ] = None,
    embedding_dim: Annotated[int, typer.Option(min=1, help="Its width.")] = 32,
    max_length: Annotated[int, typer.Option(min=1, help="Books of a history that it sees.")] = 50,
    competitors: Annotated[
        str, typer.Option(help="numpy, onnxruntime, naive, separated by commas, or '' for none.")
    ] = "numpy,onnxruntime,naive",
    threads: Annotated[str, typer.Option(help="Numbers of threads, separated by commas.")] = "1",
    runs: Annotated[int, typer.Option(min=1000, help="Answers that are timed.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the histories and the invented student.")] = 0,
    json: JsonFile = None,
    quiet: Quiet = False,
) -> None:
    """Time a file beside its peers: one run, turn by turn, a fresh process each."""
    if (target is None) == (synthetic_items is None):
        raise UserError(
            "give either a file or --synthetic-books",
            hint="kd-tf benchmark runs/mine, or kd-tf benchmark --synthetic-books 100000",
        )
    counts = _parse_thread_counts(threads)
    from kd_tf.report.console_tables import print_benchmark
    from kd_tf.tflite.benchmark.benchmark import benchmark as run

    found = run(
        target,
        synthetic=None if synthetic_items is None else (synthetic_items, embedding_dim, max_length),
        competitors=[name.strip() for name in competitors.split(",") if name.strip()],
        threads=counts,
        runs=runs,
        seed=seed,
        progress=make_progress(quiet),
    )
    write_json(json, found)
    print_benchmark(found, Console(highlight=False))


def _parse_thread_counts(threads: str) -> list[int]:
    parts = [part.strip() for part in threads.split(",")]
    if not parts or not all(part.isdigit() and int(part) >= 1 for part in parts):
        raise UserError(
            f"--threads takes numbers from 1 on, not {threads!r}", hint="For example 1,2."
        )
    return [int(part) for part in parts]
