"""Exports the trained student of a run to one .tflite, and checks the file against it.

    python export/export_tflite.py runs/goodbooks --out model.tflite --quantization dynamic-int8

A run's folder knows its data, so the int8 ranges come from its own training users and the file
is compared with the student on its users. Of a run of the ranking task the table is read again, as
its config.toml says.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from kd_tf import atomic, config
from kd_tf.choices import RankingQuantization, list_choices
from kd_tf.cli.console import make_console
from kd_tf.cli.streams import wrap_standard_streams
from kd_tf.cli.tasks import choose_task
from kd_tf.errors import ParityError, UserError

CONFIG = "config.toml"
"""The settings in a run's folder."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the script; returns 0, 2 for a user error, or 1 if the file differs from the student."""
    options = _parse_options(arguments)
    wrap_standard_streams()
    errors = make_console(stderr=True, soft_wrap=True)
    try:
        export = EXPORTS[choose_task({"config": options.run / CONFIG})]
        export(options, make_console(soft_wrap=True))
    except UserError as error:
        errors.print(error)
        return 2
    except ParityError as error:
        errors.print(f"the file does not answer like the student: {error}")
        return 1
    return 0


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Exports the student of a run to one .tflite.")
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder, e.g. runs/demo")
    parser.add_argument("--out", type=Path, required=True, help="the .tflite to write")
    parser.add_argument(
        "--quantization",
        choices=["float32", "float16", "dynamic-int8", "int8", "int4"],
        default="dynamic-int8",
    )
    parser.add_argument(
        "--student",
        choices=["distilled", "alone"],
        default="distilled",
        help="the student with or without distillation",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        help="B, the rows of a call of predict_batch, of the ranking task (default: the run's)",
    )
    parser.add_argument(
        "--recommendations",
        type=int,
        help="K, the number of recommended items (default: the run's)",
    )
    parser.add_argument(
        "--runtime",
        choices=["any", "android-2.16", "litert"],
        help="runtime that must be able to run the file (default: the run's)",
    )
    parser.add_argument(
        "--candidates", type=int, help="C, the number of items scored per call (default: the run's)"
    )
    parser.add_argument(
        "--catalog-search",
        choices=["exact", "two-stage", "auto"],
        help="two-stage reorders the items and writes their order beside the file (default: the "
        "run's)",
    )
    return parser.parse_args(arguments)


def _export_retrieval(options: argparse.Namespace, console: Console) -> None:
    """Exports a student that recommends items."""
    _refuse(options, "retrieval", ("batch_size",))
    atomic.check_file(options.out)
    # Nothing is distilled here, so that no loss of the configuration is imported.
    settings = config.read(options.run / CONFIG, allow_code=True)
    # TensorFlow is imported late, so that a wrong path is reported at once.
    from kd_tf.data.split import load as load_split
    from kd_tf.pipeline.run import SPLIT_FILE
    from kd_tf.pipeline.stages.examples import draw_calibration_histories, draw_rounding_histories
    from kd_tf.pipeline.stages.item_order import choose_item_order
    from kd_tf.pipeline.stages.sizes import choose_export_sizes
    from kd_tf.tflite.artifact import MIN_HISTORIES, collect_histories
    from kd_tf.tflite.checks.compatibility import check_runtime, compute_min_runtime_version
    from kd_tf.tflite.checks.parity import check_parity
    from kd_tf.tflite.convert import convert_quantized, quantize_student
    from kd_tf.tflite.quantization import Quantization
    from kd_tf.training import checkpoint

    student = checkpoint.load(options.run / "student" / options.student / "model")
    K, C = choose_export_sizes(settings.export, student.num_items)
    K, C = options.recommendations or K, options.candidates or C
    if not 1 <= K <= student.num_items:
        raise UserError(f"--recommendations must be in 1..{student.num_items}, not {K}")
    split = load_split(options.run / SPLIT_FILE)
    item_order = choose_item_order(
        student,
        split,
        options.catalog_search or settings.export.catalog_search,
        seed=settings.seed,
    )
    quantization = Quantization(options.quantization)
    if quantization.value not in item_order.student.quantizations:
        raise UserError(
            f"{quantization.value} is not a quantization of this student",
            where="--quantization",
            hint=f"There are: {', '.join(item_order.student.quantizations)}.",
        )
    train, L, seed = split.train, student.max_length, settings.seed
    rounding_histories = item_order.to_file_ids(draw_rounding_histories(train, L, seed=seed))
    calibration = None
    if quantization is Quantization.INT8:
        calibration = item_order.to_file_ids(
            draw_calibration_histories(train, L, num_items=split.num_items, seed=seed)
        )
    quantized_student = quantize_student(item_order.student, quantization, rounding_histories)
    content = convert_quantized(
        quantized_student,
        quantization,
        recommendations=K,
        candidates=C,
        calibration=calibration,
    )
    parity = check_parity(
        content,
        item_order.student,
        collect_histories(MIN_HISTORIES, item_order.split, student.max_length),
        quantization=quantization,
        quantized_student=quantized_student,
    )
    check_runtime(content, options.runtime or settings.export.runtime)
    if item_order.order is not None:
        # Written before the model, so that a model is never without its order.
        order_path = options.out.with_suffix(".order.npy")
        stream = io.BytesIO()
        np.save(stream, item_order.order)
        atomic.write_bytes(order_path, stream.getvalue())
        console.print(f"{order_path}: the item of the catalog at each position of the file")
    atomic.write_bytes(options.out, content)
    console.print(f"{options.out}: {len(content):,} bytes, {quantization.value}")
    console.print(
        f"top-10 overlap with the student: {parity.top10_overlap:.4f} over "
        f"{parity.histories:,} histories, largest score error {parity.max_score_error:.2g}"
    )
    console.print(f"requires TensorFlow Lite {compute_min_runtime_version(content)} or newer")


def _export_ranking(options: argparse.Namespace, console: Console) -> None:
    """Exports a student that predicts a label."""
    _refuse(options, "ranking", ("recommendations", "candidates", "catalog_search"))
    if options.quantization not in list_choices(RankingQuantization):
        raise UserError(
            f"{options.quantization} is not a quantization of this student",
            where="--quantization",
            hint=f"There are: {', '.join(list_choices(RankingQuantization))}.",
        )
    atomic.check_file(options.out)
    path = options.run / CONFIG
    settings = config.from_values(config.read_values(path), config.RankingConfig, where=str(path))
    batch_size = settings.export.batch_size
    if options.batch_size is not None:
        batch_size = options.batch_size
    if batch_size < 1:
        raise UserError(f"--batch-size must be at least 1, not {batch_size}")
    from kd_tf.pipeline.ranking.export_file import export_ranking_file
    from kd_tf.pipeline.ranking.load import load_ranking_split
    from kd_tf.progress import NullProgress
    from kd_tf.tflite.checks.compatibility import check_runtime, compute_min_runtime_version
    from kd_tf.tflite.quantization import Quantization
    from kd_tf.training import checkpoint

    student = checkpoint.load(options.run / "student" / options.student / "model")
    split = load_ranking_split(settings, NullProgress())
    content, parity = export_ranking_file(
        student,
        Quantization(options.quantization),
        train=split.train,
        test=split.test,
        batch_size=batch_size,
        seed=settings.seed,
    )
    if options.runtime is not None:
        check_runtime(content, options.runtime)
    atomic.write_bytes(options.out, content)
    console.print(f"{options.out}: {len(content):,} bytes, {options.quantization}")
    console.print(
        f"differs from the student by at most {parity.max_error:.2g} on {parity.rows:,} rows, "
        f"{parity.mean_error:.2g} on average"
    )
    console.print(f"requires TensorFlow Lite {compute_min_runtime_version(content)} or newer")


def _refuse(options: argparse.Namespace, task: str, names: Sequence[str]) -> None:
    """Refuses options of another task.

    Raises:
        UserError: One is given.
    """
    for name in names:
        if getattr(options, name) is not None:
            raise UserError(
                f"--{name.replace('_', '-')} has no effect with the task {task}",
                hint="Leave it out.",
            )


EXPORTS = {"retrieval": _export_retrieval, "ranking": _export_ranking}
"""How the student of each task is exported."""


if __name__ == "__main__":
    sys.exit(main())
