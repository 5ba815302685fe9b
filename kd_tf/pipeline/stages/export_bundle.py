"""Exports a student as a bundle that an app opens: ``kd.export``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.data.catalog import Catalog
from kd_tf.data.histories import Histories
from kd_tf.models.base import HistoryModel
from kd_tf.pipeline.stages.catalog_rows import make_catalog_rows
from kd_tf.pipeline.stages.examples import draw_calibration_histories, draw_rounding_histories
from kd_tf.pipeline.stages.sizes import (
    DEFAULT_CANDIDATES,
    DEFAULT_RECOMMENDATIONS,
    fit_to_catalog,
)
from kd_tf.report import model_card
from kd_tf.runtime.bundle import Bundle, BundleConfig, write_bundle
from kd_tf.runtime.bundle_files import check_bundle_folder
from kd_tf.runtime.model import TFLiteModel
from kd_tf.runtime.recommender import Recommender
from kd_tf.tflite.checks.compatibility import check_runtime, compute_min_runtime_version
from kd_tf.tflite.checks.parity import Parity, check_parity
from kd_tf.tflite.convert import convert_quantized, quantize_student
from kd_tf.tflite.quantization import Quantization

NUM_RANDOM_HISTORIES = 1000
"""Random histories of a parity check without real ones."""


def export_bundle(
    student: HistoryModel,
    folder: str | Path,
    *,
    catalog: Catalog,
    quantization: str = "dynamic-int8",
    histories: Histories | None = None,
    recommendations: int | None = None,
    candidates: int | None = None,
    runtime: str | None = None,
    name: str | None = None,
    metrics: Mapping[str, float] | None = None,
    dataset: Mapping[str, Any] | None = None,
    popularity: np.ndarray | None = None,
    notes: Sequence[str] = (),
) -> Bundle:
    """Converts a student, compares the file with it, and writes the bundle.

    Args:
        student: The trained student.
        folder: The bundle's folder: new, empty, or an earlier bundle, which is replaced as a whole,
            and only if everything succeeds.
        catalog: The V items, ``data.catalog``.
        quantization: ``float32``, ``float16``, ``dynamic-int8``, ``int8`` or ``int4``, as far as
            the student supports it.
        histories: Real histories, such as ``split.train``: they calibrate int8 and int4, lower
            the rounding error of dynamic-int8, and are what the file is checked on. Without them
            random ones are used.
        recommendations: K, the number of items in a list, at most V; by default 50, or V if that
            is less.
        candidates: C, the number of items that ``score`` takes at once, at most V; by default 100,
            or V if that is less.
        runtime: Oldest TensorFlow Lite version that must run the file, such as ``2.14``.
        name: Display name of the model; by default the student's.
        metrics: Metrics for config.json, such as those of `kd_tf.evaluate`.
        dataset: Description of the data for config.json.
        popularity: ``split.popularity()``, the training interactions of each item: items without
            any are marked as new in the catalog.
        notes: What the model card says besides, one paragraph each.

    Returns:
        The bundle, opened and verified.

    Raises:
        ParityError: The file does not answer like the student.
        UserError: The runtime is too old for the file, the folder has other files, or K or C is
            larger than the catalog.
        ValueError: Student and catalog do not fit, the student does not support the quantization,
            or it needs histories.

    Example:
        >>> import tempfile
        >>> import kd_tf as kd
        >>> data = kd.data.bookshop(items=60, users=80, seed=1)
        >>> split = kd.split(data, seed=1)
        >>> student = kd.models.NeighboursStudent(split.num_items, max_length=20)
        >>> history = student.fit(split.train)
        >>> popularity = split.popularity()
        >>> popularity[5] = 0  # as if nobody had read the item with the id 5
        >>> folder = tempfile.mkdtemp() + "/bundle"
        >>> bundle = kd.export(student, folder, catalog=data.catalog, popularity=popularity)
        >>> bundle.config.quantization, bundle.config.num_items
        ('dynamic-int8', 60)
        >>> [item.id for item in bundle.items if item.new]
        [5]
    """
    check_bundle_folder(Path(folder))
    if not isinstance(catalog, Catalog):
        raise TypeError(f"catalog must be a Catalog (data.catalog), not a {type(catalog).__name__}")
    if len(catalog) != student.num_items:
        raise ValueError(
            f"the catalog has {len(catalog)} items, the student {student.num_items}: they do not "
            "belong together"
        )
    if quantization not in student.quantizations:
        raise ValueError(
            f"{type(student).__name__} has no quantization {quantization!r}; choose from "
            f"{', '.join(student.quantizations)}"
        )
    recommendations = fit_to_catalog(
        recommendations, DEFAULT_RECOMMENDATIONS, student.num_items, "recommendations"
    )
    candidates = fit_to_catalog(candidates, DEFAULT_CANDIDATES, student.num_items, "candidates")
    form = Quantization(quantization)
    if histories is None and form in (Quantization.INT8, Quantization.INT4):
        raise ValueError(f"{quantization} needs histories to calibrate: histories=split.train")
    rounding_histories = calibration = None
    if histories is not None:
        L, V = student.max_length, student.num_items
        rounding_histories = draw_rounding_histories(histories, L, seed=0)
        if form is Quantization.INT8:
            calibration = draw_calibration_histories(histories, L, num_items=V, seed=0)
    quantized_student = quantize_student(student, form, rounding_histories)
    content = convert_quantized(
        quantized_student,
        form,
        recommendations=recommendations,
        candidates=candidates,
        calibration=calibration,
    )
    if runtime is not None:
        check_runtime(content, runtime)
    inputs = rounding_histories if rounding_histories is not None else _sample_random(student)
    parity = check_parity(
        content, student, inputs, quantization=form, quantized_student=quantized_student
    )
    model = TFLiteModel(content)
    config = BundleConfig(
        name=name or student.name,
        num_items=student.num_items,
        max_length=student.max_length,
        recommendations=recommendations,
        candidates=candidates,
        signatures=tuple(model.signatures),
        min_runtime_version=compute_min_runtime_version(content),
        quantization=form.value,
        metrics=dict(metrics or {}),
        dataset=dict(dataset or {}),
    )
    return write_bundle(
        Path(folder),
        model=content,
        catalog=make_catalog_rows(catalog, popularity),
        config=config,
        model_card=_describe(config, len(content), parity, notes),
        check=Recommender.from_bundle,
    )


def _sample_random(student: HistoryModel) -> np.ndarray:
    """Samples histories of all lengths without repeated items: int32 [n, L]."""
    random = np.random.default_rng(0)
    rows = np.zeros((NUM_RANDOM_HISTORIES, student.max_length), np.int32)
    for row in rows:
        length = random.integers(0, min(student.max_length, student.num_items) + 1)
        row[:length] = 1 + random.permutation(student.num_items)[:length]
    return rows


def _describe(config: BundleConfig, num_bytes: int, parity: Parity, notes: Sequence[str]) -> str:
    """Writes the model card of a student that was exported without a run."""
    lines = [
        f"# Recommender: {model_card.escape(config.name)}",
        "",
        f"`model.tflite`: {config.quantization}, {num_bytes:,} bytes, {config.num_items:,} items, "
        f"signatures {', '.join(config.signatures)}; needs TensorFlow Lite "
        f"{config.min_runtime_version} or later.",
        "",
        f"Compared with the Keras student on {parity.histories:,} histories: "
        f"{parity.top10_overlap:.4f} of the top 10 items are the same, scores differ by at most "
        f"{parity.max_score_error:.2g}.",
    ]
    for note in notes:
        lines += ["", note]
    if config.metrics:
        lines += ["", "| metric | value |", "|---|---:|"]
        lines += [
            f"| {model_card.escape(name)} | {value:.4f} |" for name, value in config.metrics.items()
        ]
    return "\n".join(lines) + "\n"
