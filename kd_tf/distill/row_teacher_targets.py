"""Computes the teachers' outputs for all rows of the ranking task and caches them on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_tf.backend import tf
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.distill.losses.row.hint import TEACHER_REPRESENTATIONS
from kd_tf.keyed_folder import fill_folder
from kd_tf.models.ranking.base import PREDICTION_BATCH_SIZE, RankingModel, collect_inputs
from kd_tf.progress import Progress
from kd_tf.stage_files import create_array, map_array
from kd_tf.training.checkpoint import compute_fingerprint

TEACHER_LOGITS = "teacher_logits"


def compute_teacher_rows(
    teachers: Sequence[RankingModel], inputs: dict[str, tf.Tensor], extra: Sequence[str]
) -> dict[str, tf.Tensor]:
    """Runs teachers on rows.

    Args:
        teachers: Trained teachers.
        inputs: The features of the rows.
        extra: Names of outputs beside the logits: ``teacher_representations`` of the first teacher.

    Returns:
        ``teacher_logits`` float32 [B, T] and the outputs in `extra`.
    """
    unknown = sorted(set(extra) - {TEACHER_REPRESENTATIONS})
    if unknown:
        raise ValueError(f"unknown teacher output {unknown[0]!r}")
    logits = [tf.cast(teacher(inputs, training=False), tf.float32) for teacher in teachers]
    outputs = {TEACHER_LOGITS: tf.stack(logits, axis=1)}
    if extra:
        vectors = teachers[0].representation(inputs)
        # Without the limit, numbers that are too large for half precision would become infinite.
        limit = tf.float16.max
        outputs[TEACHER_REPRESENTATIONS] = tf.cast(
            tf.clip_by_value(vectors, -limit, limit), tf.float16
        )
    return outputs


def compute_row_targets(
    teachers: Sequence[RankingModel],
    examples: RankingExamples,
    *,
    teacher_outputs: Sequence[str] = (),
    folder: Path,
    progress: Progress,
) -> dict[str, np.ndarray]:
    """Loads the teachers' outputs from the cache in `folder`, or computes and writes them.

    The cache key covers the teachers' weights, the rows and the requested outputs. The cache is
    written atomically: a killed run leaves either no cache or a complete one.

    Args:
        teachers: Trained teachers, in the order of their logits.
        examples: The rows.
        teacher_outputs: Names of outputs beside the logits; see `compute_teacher_rows`.
        folder: Folder of the cache.
        progress: Reports progress per row.

    Returns:
        Memory-mapped arrays by the label names of a `DistillationBatch`: ``teacher_logits`` float32
        [n, T], and each of `teacher_outputs` float16 [n, d].
    """
    extra = sorted(set(teacher_outputs))
    inputs = collect_inputs(teachers, examples)
    key = {
        "rows": _hash_rows(inputs),
        "teachers": [compute_fingerprint(teacher) for teacher in teachers],
        "extra": extra,
    }

    def write_targets(new_folder: Path) -> None:
        @tf.function(reduce_retracing=True)
        def compute_outputs(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return compute_teacher_rows(teachers, inputs, extra)

        arrays: dict[str, np.memmap] = {}
        with progress.task("computing teacher outputs", len(examples)) as advance:
            for begin in range(0, len(examples), PREDICTION_BATCH_SIZE):
                rows = slice(begin, begin + PREDICTION_BATCH_SIZE)
                batch = {name: tf.constant(array[rows]) for name, array in inputs.items()}
                for name, output in compute_outputs(batch).items():
                    if name not in arrays:
                        shape = (len(examples), *output.shape[1:])
                        dtype = output.dtype.as_numpy_dtype
                        arrays[name] = create_array(new_folder / f"{name}.npy", dtype, shape)
                    arrays[name][rows] = output.numpy()
                advance(len(next(iter(batch.values()))))
        for array in arrays.values():
            array.flush()

    fill_folder(folder, key, write_targets)
    return {name: map_array(folder / f"{name}.npy") for name in (TEACHER_LOGITS, *extra)}


def _hash_rows(inputs: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in inputs.items():
        digest.update(str((name, array.shape, array.dtype)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
