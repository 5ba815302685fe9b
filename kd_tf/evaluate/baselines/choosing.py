"""How good a setting of a baseline is for the readers who choose."""

from __future__ import annotations

import numpy as np

from kd_tf.data.split import HeldOut
from kd_tf.evaluate.metrics.ranked import per_reader
from kd_tf.evaluate.protocol import Scorer
from kd_tf.evaluate.top_k import top_k_excluding

READERS = 1000
"""More would not choose better, only slower."""

_AT_ONCE = 256


def ndcg_of(score: Scorer, validation: HeldOut) -> float:
    """Mean NDCG@10 of the first `READERS` validation readers, at least one.

    Readers without a history are passed over: no setting makes a difference to them.
    """
    rows = np.flatnonzero(validation.histories.lengths > 0)[:READERS]
    found = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        histories = validation.histories.take(part)
        ranked = top_k_excluding(score(histories), histories, 10)
        found.append(per_reader(ranked, validation.targets.take(part), [10])["ndcg@10"])
    return float(np.concatenate(found).mean()) if found else 0.0
