"""Summarizes a data set before and after cleaning."""

from __future__ import annotations

import numpy as np

from kd_tf.config import Config
from kd_tf.data.dataset import Dataset
from kd_tf.data.interactions import Interactions
from kd_tf.pipeline.stages.load import load_dataset
from kd_tf.pipeline.stages.prepare import clean_interactions
from kd_tf.progress import NullProgress, Progress
from kd_tf.report.results import DataSummary

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


def summarize_data(
    settings: Config, progress: Progress | None = None, *, dataset: Dataset | None = None
) -> DataSummary:
    """Reads and cleans a data set, and counts users, items and interactions at every step.

    Args:
        settings: Data and cleaning; other sections are ignored.
        progress: Where to report; by default nowhere.
        dataset: A data set in memory; by default the one that ``settings.data`` names is read.

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
        notes=[*dataset.notes, *(step.note for step in steps if step.note)],
        id_match=dataset.id_match,
    )


def _compute_quantiles(counts: np.ndarray) -> dict[str, float]:
    """Returns the quantiles of the positive counts, by share."""
    positive = counts[counts > 0]
    return {f"{share:g}": float(np.quantile(positive, share)) for share in QUANTILES}


def _list_columns(dataset: Dataset, interactions: Interactions) -> list[str]:
    """Returns the optional columns that the data set has."""
    optional = {
        "rating": interactions.rating,
        "timestamp": interactions.timestamp,
        "split": dataset.split_labels,
        "friendships": dataset.friendships,
    }
    return [name for name, values in optional.items() if values is not None] + [
        column for column in dataset.catalog.frame.columns if column != "item_id"
    ]
