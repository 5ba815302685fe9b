"""The command `kd-tf compare`: compares distillation methods."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from kd_tf.cli.data_options import add_data_options, set_value
from kd_tf.cli.output import JsonFile, Quiet, make_progress, write_json


@add_data_options()
def compare(
    values: dict[str, Any],
    methods: Annotated[
        str | None,
        typer.Option(
            help="Methods, separated by commas, combined with + [all].",
        ),
    ] = None,
    student: Annotated[str | None, typer.Option(help="Student architecture [mlp].")] = None,
    teacher: Annotated[str | None, typer.Option(help="Teacher architecture [ensemble].")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings per method.")] = 3,
    candidates: Annotated[
        str | None, typer.Option(help="full, or sampled:N: rank among N sampled books.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results [runs/compare-NAME].")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Trainings at once [number of cores].")
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(min=0, help="GB of memory for all trainings [80 % of the machine]."),
    ] = None,
    json: JsonFile = None,
    quiet: Quiet = False,
) -> None:
    """Compare distillation methods, and no distillation, over several seeds.

    For matrix factorization as in papers: --student matrix-factorization --teacher
    matrix-factorization --protocol leave-one-out --set
    student.embedding_dim=20 --set teacher.embedding_dim=200
    """
    from kd_tf import config

    set_value(values, ("evaluation", "candidates"), candidates)
    set_value(
        values,
        ("student", "architecture"),
        student or values.get("student", {}).get("architecture") or "mlp",
    )
    set_value(values, ("teacher", "architecture"), teacher)
    settings = config.from_values(values)
    progress = make_progress(quiet)
    progress.info("starting TensorFlow")
    from kd_tf.pipeline.compare import compare as run_comparison
    from kd_tf.pipeline.process_pool import ProcessPool
    from kd_tf.report import console_tables, method_chart

    names = None
    if methods not in (None, "all"):
        names = [name.strip() for name in (methods or "").split(",")]
    folder = out or Path("runs") / f"compare-{values['name']}"
    default_memory = 0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    pool = ProcessPool(jobs or os.cpu_count() or 1, int(memory * 1e9 if memory else default_memory))
    result = run_comparison(settings, folder, progress, methods=names, seeds=seeds, pool=pool)
    write_json(json, result.to_json())
    method_chart.write(result, folder / "methods.svg")
    console_tables.print_models(result, Console(highlight=False))
    progress.info(f"chart: {folder / 'methods.svg'}")
