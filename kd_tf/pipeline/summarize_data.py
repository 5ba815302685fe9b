"""What a data set holds, and what cleaning leaves of it, step by step."""

from __future__ import annotations

import numpy as np

from kd_tf.config import Config
from kd_tf.data.interactions import Dataset, Interactions
from kd_tf.pipeline.stages.prepare import clean_interactions, load_dataset
from kd_tf.progress import NullProgress, Progress
from kd_tf.report.results import DataSummary

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


def summarize_data(
    settings: Config, progress: Progress | None = None, *, dataset: Dataset | None = None
) -> DataSummary:
    """Reads and cleans a data set, and counts.

    Args:
        settings: Data and cleaning; the rest is not looked at.
        progress: Where to report; nothing by default.
        dataset: Data that is already in memory; by default what ``settings.data`` names is read.

    Raises:
        UserError: The data or a setting cannot be used.
    """
    progress = progress or NullProgress()
    if dataset is None:
        progress.info(f"reading {settings.data.dataset}")
        dataset = load_dataset(settings)
    interactions, steps = clean_interactions(settings, dataset)
    counts = interactions.count()
    return DataSummary(
        name=dataset.name,
        raw_counts=dataset.interactions.count(),
        cleaning_steps=steps,
        clean_counts=counts,
        catalog_items=len(dataset.catalog),
        density=counts.interactions / (counts.users * counts.items),
        items_per_user=_compute_quantiles(np.bincount(interactions.user)),
        users_per_item=_compute_quantiles(np.bincount(interactions.item)),
        columns=_list_columns(dataset, interactions),
        notes=list(dataset.notes),
    )


def _compute_quantiles(counts: np.ndarray) -> dict[str, float]:
    there = counts[counts > 0]
    return {f"{share:g}": float(np.quantile(there, share)) for share in QUANTILES}


def _list_columns(dataset: Dataset, interactions: Interactions) -> list[str]:
    optional = {
        "rating": interactions.rating,
        "timestamp": interactions.timestamp,
        "part": dataset.split_labels,
        "friendships": dataset.friendships,
    }
    return [name for name, values in optional.items() if values is not None] + [
        column for column in dataset.catalog.frame.columns if column != "item_id"
    ]
