"""What the teacher says about every training example, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_tf import atomic
from kd_tf.data.examples import Examples
from kd_tf.keras import tf
from kd_tf.models.base import HistoryModel
from kd_tf.models.checkpoint import fingerprint
from kd_tf.models.losses import MASKED, mask_history
from kd_tf.models.ranking import rows_at_once
from kd_tf.progress import Progress

IDS_FILE = "ids.npy"
LOGITS_FILE = "logits.npy"
KEY_FILE = "key.json"


@dataclass(frozen=True)
class TeacherTargets:
    """A teacher's best books for each training example, memory-mapped.

    Attributes:
        ids: int32 [passes, readers, K], best first, none of the example's history; ends in 0
            where fewer than K are left.
        logits: float32 [passes, readers, K]; 0 where the id is 0.
    """

    ids: np.ndarray
    logits: np.ndarray

    def labels(self) -> dict[str, np.ndarray]:
        """The arrays by the names that `Knowledge.loss` reads."""
        return {"teacher_ids": self.ids, "teacher_logits": self.logits}


def teacher_targets(
    teacher: HistoryModel, examples: Examples, *, top: int, folder: Path, progress: Progress
) -> TeacherTargets:
    """Reads the cache in `folder`, or asks the teacher and writes it.

    The cache is keyed by the teacher's weights, the examples and `top`: whatever changes, the
    answers are asked for again. It is written in one step, so a killed run leaves none or all.

    Args:
        teacher: The trained teacher.
        examples: What the student will learn from.
        top: K; at most V are kept.
        folder: Where the cache lies.
        progress: Where to report.
    """
    top = min(top, teacher.books)
    key = {
        "teacher": fingerprint(teacher),
        "examples": hashlib.sha256(np.ascontiguousarray(examples.history).data).hexdigest(),
        "shape": list(examples.history.shape),
        "top": top,
    }
    if _key_of(folder) != key:
        _write(teacher, examples, top, key, folder, progress)
    return TeacherTargets(
        np.load(folder / IDS_FILE, mmap_mode="r", allow_pickle=False),
        np.load(folder / LOGITS_FILE, mmap_mode="r", allow_pickle=False),
    )


def _key_of(folder: Path) -> dict[str, object] | None:
    try:
        key = json.loads((folder / KEY_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return key if isinstance(key, dict) else None


def _write(
    teacher: HistoryModel,
    examples: Examples,
    top: int,
    key: dict[str, object],
    folder: Path,
    progress: Progress,
) -> None:
    passes, readers, length = examples.history.shape

    # Not the teacher's own length: a teacher may see more than the student's examples hold.
    @tf.function(input_signature=[tf.TensorSpec([None, length], tf.int32)])
    def best(history: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = mask_history(teacher(history, training=False), history)
        values, ids = tf.math.top_k(logits, top)
        there = values > MASKED / 2
        return tf.where(there, ids, 0), tf.where(there, values, 0.0)

    shape = (passes, readers, top)
    rows = examples.history.reshape(-1, length)
    with atomic.directory(folder) as unfinished:
        ids = np.lib.format.open_memmap(unfinished / IDS_FILE, "w+", np.int32, shape)
        logits = np.lib.format.open_memmap(unfinished / LOGITS_FILE, "w+", np.float32, shape)
        flat_ids, flat_logits = ids.reshape(-1, top), logits.reshape(-1, top)
        with progress.task("asking the teacher", len(rows)) as advance:
            batch = rows_at_once(teacher)
            for start in range(0, len(rows), batch):
                part = slice(start, start + batch)
                found = best(tf.constant(rows[part]))
                flat_ids[part], flat_logits[part] = found[0].numpy(), found[1].numpy()
                advance(len(rows[part]))
        ids.flush()
        logits.flush()
        # The key goes in last: a folder without it is no cache.
        atomic.write_json(unfinished / KEY_FILE, key)
