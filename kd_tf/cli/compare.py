"""`kd-tf compare`: which distillation method helps."""

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
            help="Some of them, separated by commas, combined by +; all by default.",
        ),
    ] = None,
    student: Annotated[str | None, typer.Option(help="Its kind [mlp].")] = None,
    teacher: Annotated[str | None, typer.Option(help="Its kind [ensemble].")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings a figure is the mean of.")] = 3,
    candidates: Annotated[
        str | None, typer.Option(help="full, or sampled:N: among N books that were not read.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for what is finished [runs/compare-NAME].")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Trainings at once [as many as cores].")
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(min=0, help="GB that all of them may take [80 % of the machine's]."),
    ] = None,
    json: JsonFile = None,
    quiet: Quiet = False,
) -> None:
    """Train a student alone and with every distillation method, over several seeds.

    For matrix factorisation as papers have it: --student matrix-factorization --teacher
    matrix-factorization --protocol leave-one-out --set student.dimensions=20 --set
    teacher.dimensions=200
    """
    from kd_tf import config

    set_value(values, ("evaluation", "candidates"), candidates)
    set_value(
        values, ("student", "kind"), student or values.get("student", {}).get("kind") or "mlp"
    )
    set_value(values, ("teacher", "kind"), teacher)
    settings = config.from_values(values)
    progress = make_progress(quiet)
    progress.info("starting TensorFlow")
    from kd_tf.pipeline.compare import compare as measure
    from kd_tf.pipeline.process_pool import ProcessPool
    from kd_tf.report import console_tables, method_chart

    names = None
    if methods not in (None, "all"):
        names = [name.strip() for name in (methods or "").split(",")]
    folder = out or Path("runs") / f"compare-{values['name']}"
    bytes_allowed = 0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    workers = ProcessPool(
        jobs or os.cpu_count() or 1, int(memory * 1e9 if memory else bytes_allowed)
    )
    found = measure(settings, folder, progress, methods=names, seeds=seeds, pool=workers)
    write_json(json, found.to_json())
    method_chart.write(found, folder / "methods.svg")
    console_tables.print_models(found, Console(highlight=False))
    progress.info(f"drawn in {folder / 'methods.svg'}")
