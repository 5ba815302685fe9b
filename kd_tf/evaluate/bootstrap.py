"""How far a mean over readers could be off: bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

_MAX_COUNTS_IN_MEMORY = 8_000_000


def bootstrap_intervals(
    per_user: Mapping[str, np.ndarray],
    *,
    level: float = 0.95,
    num_samples: int = 1000,
    seed: int = 42,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap intervals of the mean over readers.

    `samples` times as many readers as there are get drawn with replacement, the same ones for
    all metrics; the interval holds the middle `level` of the means.
    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Args:
        per_reader: float64 [n] by name, at least one reader.
        level: Share of the means within the interval.
        samples: How many times readers are drawn.
        seed: Draws them.

    Returns:
        Lower and upper end by name.

    Raises:
        ValueError: There are no readers, the lengths differ, or `level` is not in (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1, not {level}")
    lengths = {len(values) for values in per_user.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"every metric needs the same number of readers, at least 1: {lengths}")
    figures = np.stack(list(per_user.values()), axis=1)
    users = len(figures)
    random = np.random.default_rng(seed)
    means = np.empty((num_samples, figures.shape[1]))
    rows = max(_MAX_COUNTS_IN_MEMORY // users, 1)
    for start in range(0, num_samples, rows):
        part = min(rows, num_samples - start)
        drawn = random.integers(0, users, (part, users), dtype=np.uint32)
        # How often each reader was drawn: the means of all metrics are one matrix product.
        keys = drawn + np.arange(part, dtype=np.int64)[:, None] * users
        counts = np.bincount(keys.ravel(), minlength=part * users).reshape(part, users)
        means[start : start + part] = counts.astype(np.float64) @ figures / users
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return {name: (float(low[at]), float(high[at])) for at, name in enumerate(per_user)}
