"""Bootstrap confidence intervals of the mean over users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

_MAX_COUNTS_IN_MEMORY = 8_000_000


def bootstrap_intervals(
    per_user: Mapping[str, np.ndarray],
    *,
    level: float = 0.95,
    num_samples: int = 1000,
    seed: int = 42,
) -> dict[str, tuple[float, float]]:
    """Computes percentile bootstrap intervals of the mean over users.

    Draws `num_samples` samples of all users with replacement, the same ones for all metrics; the
    interval holds the middle `level` of the sample means.
    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Args:
        per_user: float64 [n] by metric name, at least one user.
        level: Confidence level, above 0 and below 1.
        num_samples: Number of bootstrap samples.
        seed: Seed of the samples.

    Returns:
        Lower and upper bound by metric name.

    Raises:
        ValueError: There are no users, the lengths differ, or `level` is not in (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1, not {level}")
    lengths = {len(metric) for metric in per_user.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"all metrics need the same number of users, at least 1, not {lengths}")
    values = np.stack(list(per_user.values()), axis=1)
    means = [
        counts.astype(np.float64) @ values / len(values)
        for counts in draw_counts(len(values), num_samples=num_samples, seed=seed)
    ]
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail], axis=0)
    return {name: (float(low[index]), float(high[index])) for index, name in enumerate(per_user)}


def draw_counts(num_users: int, *, num_samples: int = 1000, seed: int = 42) -> Iterator[np.ndarray]:
    """Draws bootstrap samples of users with replacement, as the count of each user in each sample.

    With counts, the sums of any metrics over a sample are one matrix product.

    Args:
        num_users: n, at least 1.
        num_samples: Number of bootstrap samples.
        seed: Seed of the samples.

    Yields:
        int64 [b, n], blocks of samples, each row with the sum n.
    """
    random = np.random.default_rng(seed)
    rows = max(_MAX_COUNTS_IN_MEMORY // num_users, 1)
    for start in range(0, num_samples, rows):
        size = min(rows, num_samples - start)
        indices = random.integers(0, num_users, (size, num_users), dtype=np.uint32)
        keys = indices + np.arange(size, dtype=np.int64)[:, None] * num_users
        yield np.bincount(keys.ravel(), minlength=size * num_users).reshape(size, num_users)
