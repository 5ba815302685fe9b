"""What the teacher says about every training example, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kd_tf import atomic
from kd_tf.backend import tf
from kd_tf.data.examples.sequences import Examples
from kd_tf.losses.softmax import MASKED_LOGIT, mask_history
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import get_scoring_batch_size
from kd_tf.progress import Progress
from kd_tf.training.checkpoint import compute_fingerprint

KEY_FILE = "key.json"

EXTRA_OUTPUTS: dict[str, Callable[[HistoryModel, tf.Tensor], tf.Tensor]] = {
    "teacher_reader": lambda teacher, history: teacher.user_embeddings(history),
}
"""What methods may need beyond the best books: by the name of the label, float32 [B, ...] of the
teacher and histories. Stored in half precision."""


def compute_teacher_targets(
    teacher: HistoryModel,
    examples: Examples,
    *,
    top_k: int,
    teacher_outputs: Sequence[str] = (),
    folder: Path,
    progress: Progress,
) -> dict[str, np.ndarray]:
    """Reads the cache in `folder`, or asks the teacher and writes it.

    The cache is keyed by the teacher's weights, the examples and what is asked for: whatever
    changes, the answers are asked for again. It is written in one step, so a killed run leaves
    none or all.

    Args:
        teacher: The trained teacher.
        examples: What the student will learn from.
        top: K; at most V are kept.
        needs: Names of `EXTRA`.
        folder: Where the cache lies.
        progress: Where to report.

    Returns:
        Memory-mapped arrays by the names that a `kd_tf.distill.losses.base.Step` has them.
        ``teacher_ids`` int32 [passes, readers, K] are the teacher's best books, best first, none
        of the example's history, and end in 0 where fewer than K are left; ``teacher_logits``
        float32, of the same shape, is 0 there; ``teacher_total`` float32 [passes, readers] is the
        logarithm of the sum of exp over all its logits; then float16 [passes, readers, ...] of
        each of `needs`.

    Raises:
        ValueError: A name of `needs` is unknown, or the teacher has no such thing.
    """
    unknown = sorted(set(teacher_outputs) - set(EXTRA_OUTPUTS))
    if unknown:
        raise ValueError(
            f"no teacher is asked for {unknown[0]!r}; there are {sorted(EXTRA_OUTPUTS)}"
        )
    top_k = min(top_k, teacher.num_items)
    extra = sorted(set(teacher_outputs))
    key = {
        **_make_cache_key(examples, top_k),
        "teacher": compute_fingerprint(teacher),
        "extra": extra,
    }
    if _read_cache_key(folder) != key:
        _write_cache(teacher, examples, top_k, extra, key, folder, progress)
    return _load_arrays(folder, ["teacher_ids", "teacher_logits", "teacher_total", *extra])


def compute_curriculum_targets(
    teachers: Sequence[HistoryModel],
    examples: Examples,
    *,
    top_k: int,
    folder: Path,
    progress: Progress,
) -> dict[str, np.ndarray]:
    """The best books of several teachers, for `HeterogeneousStages`: asked once, kept on disk.

    Args:
        stages: Trained teachers of one catalogue from easy to hard, at least one.
        examples: What the student will learn from.
        top: K; at most V are kept.
        folder: Where the cache lies, keyed and written as that of `teacher_targets`.
        progress: Where to report.

    Returns:
        ``stage_ids``, memory-mapped int32 [passes, readers, S, K]: the ``teacher_ids`` of every
        stage.

    Raises:
        ValueError: There is no stage, or they belong to different catalogues.
    """
    catalogues = {stage.num_items for stage in teachers}
    if len(catalogues) != 1:
        raise ValueError(
            f"stages must be models of one catalogue, not of {sorted(catalogues) or 'nothing'}"
        )
    top_k = min(top_k, catalogues.pop())
    key = {
        **_make_cache_key(examples, top_k),
        "stages": [compute_fingerprint(stage) for stage in teachers],
    }
    if _read_cache_key(folder) != key:
        passes, users, _ = examples.history.shape
        with atomic.replace_directory(folder) as unfinished:
            stacked = np.lib.format.open_memmap(
                unfinished / "stage_ids.npy",
                "w+",
                np.int32,
                (passes, users, len(teachers), top_k),
            )
            for number, stage in enumerate(teachers):
                own = unfinished / "stage"
                found = compute_teacher_targets(
                    stage, examples, top_k=top_k, folder=own, progress=progress
                )
                stacked[:, :, number] = found["teacher_ids"]
                del found  # some systems keep a file that is still mapped
                shutil.rmtree(own)
            stacked.flush()
            atomic.write_json(unfinished / KEY_FILE, key)
    return _load_arrays(folder, ["stage_ids"])


def _make_cache_key(examples: Examples, top: int) -> dict[str, object]:
    """What a cache depends on besides its teachers."""
    return {
        "examples": hashlib.sha256(np.ascontiguousarray(examples.history).data).hexdigest(),
        "shape": list(examples.history.shape),
        "top": top,
    }


def _load_arrays(folder: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    return {
        name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names
    }


def _read_cache_key(folder: Path) -> dict[str, object] | None:
    try:
        key = json.loads((folder / KEY_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return key if isinstance(key, dict) else None


def _write_cache(
    teacher: HistoryModel,
    examples: Examples,
    top: int,
    extra: Sequence[str],
    key: dict[str, object],
    folder: Path,
    progress: Progress,
) -> None:
    passes, users, length = examples.history.shape

    # Not the teacher's own length: a teacher may see more than the student's examples hold.
    row = tf.TensorSpec([None, length], tf.int32)

    @tf.function(input_signature=[row])
    def forward(history: tf.Tensor) -> tf.Tensor:
        return teacher(history, training=False)

    @tf.function(input_signature=[row, tf.TensorSpec([None, teacher.num_items + 1], tf.float32)])
    def best_of(history: tf.Tensor, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = mask_history(logits, teacher.seen_items(history))
        values, ids = tf.math.top_k(logits, top)
        there = values > MASKED_LOGIT / 2
        return {
            "teacher_ids": tf.where(there, ids, 0),
            "teacher_logits": tf.where(there, values, 0.0),
            "teacher_total": tf.reduce_logsumexp(logits, axis=1),
            **{name: tf.cast(EXTRA_OUTPUTS[name](teacher, history), tf.float16) for name in extra},
        }

    # Whoever is asked for twice (a reader's number in every pass) is answered once.
    rows, asked = np.unique(examples.history.reshape(-1, length), axis=0, return_inverse=True)
    places = np.argsort(asked, kind="stable")
    first = np.append(np.searchsorted(asked[places], np.arange(len(rows))), len(asked))
    quick = teacher.numpy_scores(teacher.from_inputs(rows[:1])) is not None

    def answers(some: np.ndarray) -> dict[str, tf.Tensor]:
        history = tf.constant(some)
        logits = teacher.numpy_scores(teacher.from_inputs(some)) if quick else forward(history)
        return best_of(history, tf.convert_to_tensor(logits))

    shapes = {name: (one.shape[1:], one.dtype) for name, one in answers(rows[:1]).items()}
    with atomic.replace_directory(folder) as unfinished:
        arrays = {
            name: np.lib.format.open_memmap(
                unfinished / f"{name}.npy",
                "w+",
                kind.as_numpy_dtype,
                (passes, users, *shape),
            )
            for name, (shape, kind) in shapes.items()
        }
        flat = {name: one.reshape(len(asked), *one.shape[2:]) for name, one in arrays.items()}
        with progress.task("asking the teacher", len(asked)) as advance:
            batch = get_scoring_batch_size(teacher, in_numpy=quick)
            for start in range(0, len(rows), batch):
                end = min(start + batch, len(rows))
                whose = places[first[start] : first[end]]
                for name, found in answers(rows[start:end]).items():
                    flat[name][whose] = found.numpy()[asked[whose] - start]
                advance(len(whose))
        for one in arrays.values():
            one.flush()
        # The key goes in last: a folder without it is no cache.
        atomic.write_json(unfinished / KEY_FILE, key)
