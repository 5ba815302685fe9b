"""The command `kd-tf baselines`: evaluates baselines."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from kd_tf.cli.data_options import add_data_options, set_value
from kd_tf.cli.output import JsonFile, Quiet, make_progress, write_json
from kd_tf.errors import UserError


@add_data_options()
def baselines(
    values: dict[str, Any],
    models: Annotated[
        str | None, typer.Option(help="Baselines, separated by commas [all].")
    ] = None,
    candidates: Annotated[
        str | None, typer.Option(help="full, or sampled:N: rank among N sampled books.")
    ] = None,
    k: Annotated[str | None, typer.Option("-k", "--k", help="Cutoffs of metrics: 10,20.")] = None,
    folds: Annotated[int | None, typer.Option(help="Folds of a cross-validation.")] = None,
    json: JsonFile = None,
    quiet: Quiet = False,
) -> None:
    """Evaluate popularity, neighbourhood, factorization, content and linear baselines."""
    from kd_tf import config
    from kd_tf.pipeline.baselines import evaluate_baselines
    from kd_tf.report import console_tables

    set_value(values, ("evaluation", "candidates"), candidates)
    set_value(values, ("evaluation", "ks"), None if k is None else _parse_lengths(k))
    set_value(values, ("split", "num_folds"), folds)
    names = None if models is None else [name.strip() for name in models.split(",")]
    result = evaluate_baselines(config.from_values(values), make_progress(quiet), models=names)
    write_json(json, result.to_json())
    console_tables.print_models(result, Console(highlight=False))


def _parse_lengths(text: str) -> list[int]:
    """Parses comma-separated cutoffs."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(
            f"--k {text!r} is not a list of numbers", hint="For example 10,20."
        ) from error
