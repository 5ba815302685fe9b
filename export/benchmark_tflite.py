"""Measures a .tflite recommender: latency, peak memory, size.

    python export/benchmark_tflite.py MODEL_OR_BUNDLE [--histories FILE.json] [--json FILE]

It needs only numpy, ai-edge-litert and kd_tf, as on a Raspberry Pi; no TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console

from kd_tf import atomic
from kd_tf.cli.console import make_console
from kd_tf.cli.streams import wrap_standard_streams
from kd_tf.errors import UserError
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.measure.latency import MIN_RUNS, measure_latency, measure_peak_memory
from kd_tf.runtime.model import TFLiteModel, pad_history

SEED = 0


def main(arguments: list[str] | None = None) -> int:
    """Runs the script; returns 0, or 2 for a user error."""
    options = _parse_options(arguments)
    wrap_standard_streams()
    try:
        _measure(options, make_console(soft_wrap=True))
    except UserError as error:
        make_console(stderr=True, soft_wrap=True).print(error)
        return 2
    return 0


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures a .tflite recommender.")
    parser.add_argument("path", type=Path, metavar="MODEL_OR_BUNDLE")
    parser.add_argument(
        "--histories",
        type=Path,
        help="JSON list of histories, each a list of model ids, oldest first (default: random)",
    )
    parser.add_argument("--runs", type=int, default=MIN_RUNS, help=f"at least {MIN_RUNS}")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args(arguments)
    if options.runs < MIN_RUNS:
        parser.error(f"--runs must be at least {MIN_RUNS}")
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    return options


def _measure(options: argparse.Namespace, console: Console) -> None:
    if options.json:
        atomic.check_file(options.json)
    bundle = Bundle.open(options.path) if options.path.is_dir() else None
    path = bundle.model_path if bundle else options.path
    model = TFLiteModel(path, options.threads)
    if options.histories:
        histories = _read_histories(options.histories, model.max_length)
        origin = f"{len(histories)} from {options.histories}"
    else:
        # A bare file does not say how many items it has; K beside a full history are certain.
        items = bundle.config.num_items if bundle else model.max_length + model.k
        histories = _make_random_histories(options.runs, model.max_length, items)
        origin = f"{len(histories)} random ones of items 1..{items}, seed {SEED}"
    latency = measure_latency(model, histories, runs=options.runs)
    memory = measure_peak_memory(path)
    size = path.stat().st_size
    rows = [
        ("model", str(path)),
        ("histories", origin),
        ("runs, threads", f"{latency.runs}, {latency.threads}"),
        ("latency p50", f"{latency.p50:.1f} us"),
        ("latency p90", f"{latency.p90:.1f} us"),
        ("latency p99", f"{latency.p99:.1f} us"),
        ("peak memory", f"{memory / 2**20:.1f} MiB"),
        ("size", f"{size / 2**20:.3f} MiB"),
    ]
    for name, value in rows:
        console.print(f"{name:<14} {value}")
    if options.json:
        atomic.write_json(
            options.json,
            {
                "model": str(path),
                "histories": origin,
                "bytes": size,
                "latency_us": asdict(latency),
                "peak_memory_bytes": memory,
            },
        )


def _make_random_histories(count: int, length: int, items: int) -> np.ndarray:
    """Makes int32 [count, length]: histories of 1 to `length` items, each at most once."""
    random = np.random.default_rng(SEED)
    max_items = min(length, items)
    return np.stack(
        [
            pad_history(
                random.choice(items, random.integers(1, max_items + 1), replace=False) + 1, length
            )
            for _ in range(count)
        ]
    )


def _read_histories(path: Path, length: int) -> np.ndarray:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"is not valid JSON: {error}", where=str(path)) from error
    hint = "Give a list of histories, each a list of model ids: [[17, 4], [3]]"
    if not isinstance(rows, list) or not rows:
        raise UserError("holds no histories", where=str(path), hint=hint)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or not all(
            type(item) is int and 1 <= item < 2**31 for item in row
        ):
            raise UserError(
                "is not a list of model ids", where=f"{path}, history {number}", hint=hint
            )
    return np.stack([pad_history(row, length) for row in rows])


if __name__ == "__main__":
    sys.exit(main())
