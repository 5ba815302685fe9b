"""Evaluates predictions of rows of items that training has not, apart from all others."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.data.ranking.examples import RankingSplit
from kd_tf.data.splits.cold_items import COLD_ITEMS
from kd_tf.evaluation.evaluate_predictions import compute_prediction_metrics


def evaluate_cold_items(
    predictions: np.ndarray, split: RankingSplit, threshold: float
) -> dict[str, dict[str, Any]]:
    """Computes the metrics of test rows whose item no training row has.

    Args:
        predictions: float32 [n], of the test rows.
        split: The rows.
        threshold: Threshold of a click.

    Returns:
        ``{"cold-items": {"num_rows": ..., "metrics": ...}}``; empty where items are not known or
        none is new.
    """
    is_cold = split.is_cold
    if is_cold is None or not is_cold.any():
        return {}
    rows = np.flatnonzero(is_cold)
    metrics = compute_prediction_metrics(
        predictions[rows], split.test.take(rows), split.label, threshold=threshold
    )
    return {COLD_ITEMS: {"num_rows": len(rows), "metrics": metrics}}
