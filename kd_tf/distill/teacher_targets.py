"""Computes the teacher's outputs for every training example and caches them on disk."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kd_tf.backend import tf
from kd_tf.data.examples.sequences import Examples
from kd_tf.keyed_folder import fill_folder
from kd_tf.losses.softmax import MASKED_LOGIT, mask_history
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import get_scoring_batch_size
from kd_tf.models.user_marks import append_user_marks
from kd_tf.progress import Progress
from kd_tf.stage_files import create_array, map_array
from kd_tf.training.checkpoint import compute_fingerprint

EXTRA_OUTPUTS: dict[str, Callable[[HistoryModel, tf.Tensor], tf.Tensor]] = {
    "teacher_user_embeddings": lambda teacher, history: teacher.user_embeddings(history),
}
"""Teacher outputs beyond the top-K items that a distillation loss may require, by label name.

Each function returns float32 [B, ...] for a teacher and histories; the cache stores float16."""


def compute_teacher_targets(
    teacher: HistoryModel,
    examples: Examples,
    *,
    top_k: int,
    teacher_outputs: Sequence[str] = (),
    folder: Path,
    progress: Progress,
) -> dict[str, np.ndarray]:
    """Loads the teacher's outputs from the cache in `folder`, or computes and writes them.

    The cache key covers the teacher's weights, the examples and the requested outputs, so any
    change recomputes the outputs. The cache is written atomically: a killed run leaves either no
    cache or a complete one.

    Args:
        teacher: The trained teacher.
        examples: The student's training examples; a teacher that looks up users learns whose they
            are, which the student does not.
        top_k: K, the number of top items to store; at most V are stored.
        teacher_outputs: Names in `EXTRA_OUTPUTS`.
        folder: Folder of the cache.
        progress: Reports progress per example.

    Returns:
        Memory-mapped arrays by the label names of a `DistillationBatch`:

        - ``teacher_ids`` int32 [passes, users, K]: the teacher's top items, best first, without
          items of the example's history, padded with 0 where fewer than K remain.
        - ``teacher_logits`` float32 [passes, users, K]: their logits, 0 at padding.
        - ``teacher_total`` float32 [passes, users]: the log-sum-exp of all the teacher's logits.
        - each of `teacher_outputs`, float16 [passes, users, ...].

    Raises:
        ValueError: A name in `teacher_outputs` is unknown, or the teacher does not provide it.
    """
    unknown = sorted(set(teacher_outputs) - set(EXTRA_OUTPUTS))
    if unknown:
        raise ValueError(
            f"unknown teacher output {unknown[0]!r}; choose from {sorted(EXTRA_OUTPUTS)}"
        )
    top_k = min(top_k, teacher.num_items)
    if teacher.looks_up_users and examples.users is not None:
        inputs = append_user_marks(examples.history, examples.users, teacher.num_items)
        examples = replace(examples, history=inputs)
    extra = sorted(set(teacher_outputs))
    key = {
        **_make_cache_key(examples, top_k),
        "teacher": compute_fingerprint(teacher),
        "extra": extra,
    }
    fill_folder(
        folder,
        key,
        lambda new_folder: _write_targets(teacher, examples, top_k, extra, new_folder, progress),
    )
    return _load_arrays(folder, ["teacher_ids", "teacher_logits", "teacher_total", *extra])


def select_teacher_outputs(
    teacher: HistoryModel,
    history: tf.Tensor,
    logits: tf.Tensor,
    *,
    top_k: int,
    teacher_outputs: Sequence[str] = (),
) -> dict[str, tf.Tensor]:
    """Selects from a teacher's logits what distillation losses read.

    Args:
        teacher: The trained teacher.
        history: int32 [B, L].
        logits: float32 [B, V + 1], the teacher's for these histories.
        top_k: K, the number of top items.
        teacher_outputs: Names in `EXTRA_OUTPUTS`.

    Returns:
        The tensors of one batch that `compute_teacher_targets` caches, by label name.
    """
    logits = mask_history(logits, teacher.seen_items(history))
    values, ids = tf.math.top_k(logits, min(top_k, teacher.num_items))
    is_item = values > MASKED_LOGIT / 2
    return {
        "teacher_ids": tf.where(is_item, ids, 0),
        "teacher_logits": tf.where(is_item, values, 0.0),
        "teacher_total": tf.reduce_logsumexp(logits, axis=1),
        **{
            name: tf.cast(EXTRA_OUTPUTS[name](teacher, history), tf.float16)
            for name in teacher_outputs
        },
    }


def compute_curriculum_targets(
    teachers: Sequence[HistoryModel],
    examples: Examples,
    *,
    top_k: int,
    folder: Path,
    progress: Progress,
) -> dict[str, np.ndarray]:
    """Computes and caches the top items of a curriculum of teachers, for `HeterogeneousStages`.

    Args:
        teachers: Trained teachers with one catalog, from easy to hard; at least one.
        examples: The student's training examples.
        top_k: K, the number of top items to store; at most V are stored.
        folder: Folder of the cache, which is keyed and written as in `compute_teacher_targets`.
        progress: Reports progress per example.

    Returns:
        ``stage_ids``, memory-mapped int32 [passes, users, S, K]: the ``teacher_ids`` of each of
        the S teachers.

    Raises:
        ValueError: There are no teachers, or they have different catalogs.
    """
    catalog_sizes = {teacher.num_items for teacher in teachers}
    if len(catalog_sizes) != 1:
        raise ValueError(
            "the teachers of a curriculum must have the same number of items, not "
            f"{sorted(catalog_sizes) or 'none'}"
        )
    top_k = min(top_k, catalog_sizes.pop())
    key = {
        **_make_cache_key(examples, top_k),
        "stages": [compute_fingerprint(teacher) for teacher in teachers],
    }

    def write_stages(new_folder: Path) -> None:
        passes, users, _ = examples.history.shape
        stage_ids = create_array(
            new_folder / "stage_ids.npy", np.int32, (passes, users, len(teachers), top_k)
        )
        for index, teacher in enumerate(teachers):
            stage_folder = new_folder / "stage"
            targets = compute_teacher_targets(
                teacher, examples, top_k=top_k, folder=stage_folder, progress=progress
            )
            stage_ids[:, :, index] = targets["teacher_ids"]
            # Windows cannot delete a file that is still memory-mapped.
            del targets
            shutil.rmtree(stage_folder)
        stage_ids.flush()

    fill_folder(folder, key, write_stages)
    return _load_arrays(folder, ["stage_ids"])


def _make_cache_key(examples: Examples, top_k: int) -> dict[str, object]:
    """Returns the part of the cache key that does not depend on the teachers."""
    return {
        "examples": hashlib.sha256(np.ascontiguousarray(examples.history).data).hexdigest(),
        "shape": list(examples.history.shape),
        "top": top_k,
    }


def _load_arrays(folder: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: map_array(folder / f"{name}.npy") for name in names}


def _write_targets(
    teacher: HistoryModel,
    examples: Examples,
    top_k: int,
    extra: Sequence[str],
    folder: Path,
    progress: Progress,
) -> None:
    passes, users, length = examples.history.shape

    # The length of the examples, not the teacher's `max_length`, which may be larger.
    history_spec = tf.TensorSpec([None, length], tf.int32)

    @tf.function(input_signature=[history_spec])
    def compute_logits(history: tf.Tensor) -> tf.Tensor:
        return teacher(history, training=False)

    @tf.function(
        input_signature=[history_spec, tf.TensorSpec([None, teacher.num_items + 1], tf.float32)]
    )
    def select_outputs(history: tf.Tensor, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        return select_teacher_outputs(teacher, history, logits, top_k=top_k, teacher_outputs=extra)

    # Repeated histories (for example a user id, equal in every pass) are computed once.
    rows, row_of_example = np.unique(
        examples.history.reshape(-1, length), axis=0, return_inverse=True
    )
    num_examples = len(row_of_example)
    examples_by_row = np.argsort(row_of_example, kind="stable")
    row_starts = np.searchsorted(row_of_example[examples_by_row], np.arange(len(rows)))
    row_starts = np.append(row_starts, num_examples)
    use_numpy = teacher.numpy_scores(teacher.from_inputs(rows[:1])) is not None

    def compute_outputs(batch: np.ndarray) -> dict[str, tf.Tensor]:
        history = tf.constant(batch)
        logits = (
            teacher.numpy_scores(teacher.from_inputs(batch))
            if use_numpy
            else compute_logits(history)
        )
        outputs: dict[str, tf.Tensor] = select_outputs(history, tf.convert_to_tensor(logits))
        return outputs

    specs = {
        name: (output.shape[1:], output.dtype) for name, output in compute_outputs(rows[:1]).items()
    }
    arrays = {
        name: create_array(folder / f"{name}.npy", dtype.as_numpy_dtype, (passes, users, *shape))
        for name, (shape, dtype) in specs.items()
    }
    flat_arrays = {
        name: array.reshape(num_examples, *array.shape[2:]) for name, array in arrays.items()
    }
    with progress.task("computing teacher outputs", num_examples) as advance:
        batch_size = get_scoring_batch_size(teacher, in_numpy=use_numpy)
        for start in range(0, len(rows), batch_size):
            end = min(start + batch_size, len(rows))
            indices = examples_by_row[row_starts[start] : row_starts[end]]
            for name, output in compute_outputs(rows[start:end]).items():
                flat_arrays[name][indices] = output.numpy()[row_of_example[indices] - start]
            advance(len(indices))
    for array in arrays.values():
        array.flush()
