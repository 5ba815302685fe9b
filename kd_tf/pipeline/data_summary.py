"""What a data set holds, and what cleaning leaves of it, step by step."""

from __future__ import annotations

import numpy as np

from kd_tf.config import Config
from kd_tf.data.interactions import Dataset, Interactions
from kd_tf.pipeline.sources import clean_up, read
from kd_tf.progress import Progress, Silent
from kd_tf.report.results import DataSummary

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


def data_summary(
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
    progress = progress or Silent()
    if dataset is None:
        progress.say(f"reading {settings.data.dataset}")
        dataset = read(settings)
    interactions, steps = clean_up(settings, dataset)
    counts = interactions.counts()
    return DataSummary(
        name=dataset.name,
        read=dataset.interactions.counts(),
        steps=steps,
        cleaned=counts,
        catalogue=len(dataset.catalog),
        density=counts.interactions / (counts.users * counts.items),
        books_per_reader=_quantiles(np.bincount(interactions.user)),
        readers_per_book=_quantiles(np.bincount(interactions.item)),
        columns=_columns(dataset, interactions),
        notes=list(dataset.notes),
    )


def _quantiles(counts: np.ndarray) -> dict[str, float]:
    there = counts[counts > 0]
    return {f"{share:g}": float(np.quantile(there, share)) for share in QUANTILES}


def _columns(dataset: Dataset, interactions: Interactions) -> list[str]:
    optional = {
        "rating": interactions.rating,
        "timestamp": interactions.timestamp,
        "part": dataset.part,
        "friendships": dataset.friendships,
    }
    return [name for name, values in optional.items() if values is not None] + [
        column for column in dataset.catalog.frame.columns if column != "item_id"
    ]
