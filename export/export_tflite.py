"""Exports the trained student of a run to one .tflite, and checks the file against it.

    python export/export_tflite.py runs/goodbooks --out model.tflite --quantization dynamic-int8

A run's folder knows its data, so the int8 ranges come from its own training readers and the file
is compared with the student on its validation readers.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np

from kd_tf import atomic, config
from kd_tf.errors import ParityError, UserError


def main(arguments: list[str] | None = None) -> int:
    """Runs the script; 0 when all went well, 2 when the caller can put it right, 1 otherwise."""
    options = _options(arguments)
    try:
        _export(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except ParityError as error:
        print(f"the file does not answer like the student: {error}", file=sys.stderr)
        return 1
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Exports the student of a run to one .tflite.")
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder, e.g. runs/demo")
    parser.add_argument("--out", type=Path, required=True, help="the .tflite to write")
    parser.add_argument(
        "--quantization",
        choices=["float32", "float16", "dynamic-int8", "int8", "int4"],
        default="dynamic-int8",
    )
    parser.add_argument(
        "--student", choices=["distilled", "alone"], default="distilled", help="which of the two"
    )
    parser.add_argument(
        "--recommendations", type=int, help="K, how many books an answer has (default: the run's)"
    )
    parser.add_argument(
        "--runtime",
        choices=["any", "android-2.16", "litert"],
        help="what the file must run on (default: the run's)",
    )
    parser.add_argument(
        "--candidates", type=int, help="C, how many books are scored at once (default: the run's)"
    )
    parser.add_argument(
        "--catalogue-search",
        choices=["exact", "two-stage", "auto"],
        help="two-stage numbers the books anew and writes their order beside the file (default: "
        "the run's)",
    )
    return parser.parse_args(arguments)


def _export(options: argparse.Namespace) -> None:
    settings = config.read(options.run / "config.toml")
    K = options.recommendations or settings.export.recommendations
    # TensorFlow starts late, so that a wrong path is answered at once.
    from kd_tf.data.split import load as load_split
    from kd_tf.pipeline.run import SPLIT_FILE
    from kd_tf.pipeline.stages import prepare
    from kd_tf.pipeline.stages.item_order import choose_item_order
    from kd_tf.tflite.checks.compatibility import check_runtime, compute_min_runtime_version
    from kd_tf.tflite.checks.parity import check_parity
    from kd_tf.tflite.convert import Quantization, convert_quantized, quantize_student
    from kd_tf.training import checkpoint

    student = checkpoint.load(options.run / "student" / options.student / "model")
    if not 1 <= K <= student.num_items:
        raise UserError(f"--recommendations must be in 1..{student.num_items}, not {K}")
    split = load_split(options.run / SPLIT_FILE)
    layout = choose_item_order(
        student,
        split,
        options.catalogue_search or settings.export.catalog_search,
        seed=settings.seed,
    )
    quantization = Quantization(options.quantization)
    if quantization.value not in layout.student.quantizations:
        raise UserError(
            f"{quantization.value} is not a form of this student",
            where="--quantization",
            hint=f"There are: {', '.join(layout.student.quantizations)}.",
        )
    calibration = layout.to_file_ids(prepare.draw_calibration_histories(settings, split))
    stored = quantize_student(layout.student, quantization, calibration)
    content = convert_quantized(
        stored,
        quantization,
        recommendations=K,
        candidates=options.candidates or settings.export.candidates,
        calibration=calibration,
    )
    parity = check_parity(
        content,
        layout.student,
        layout.split.validation.histories.pad(student.max_length),
        quantization=quantization,
        quantized_student=stored,
    )
    check_runtime(content, options.runtime or settings.export.runtime)
    if layout.order is not None:
        # Before the file: whoever finds the file finds its order as well.
        order = options.out.with_suffix(".order.npy")
        content_of_order = io.BytesIO()
        np.save(content_of_order, layout.order)
        atomic.write_bytes(order, content_of_order.getvalue())
        print(f"{order}: the book of the catalogue at each place of the file")
    atomic.write_bytes(options.out, content)
    print(f"{options.out}: {len(content):,} bytes, {quantization.value}")
    print(
        f"same ten best books as the student: {parity.top10_overlap:.4f} of them over "
        f"{parity.histories:,} histories, largest score error {parity.max_score_error:.2g}"
    )
    print(f"needs TensorFlow Lite {compute_min_runtime_version(content)} or newer")


if __name__ == "__main__":
    sys.exit(main())
