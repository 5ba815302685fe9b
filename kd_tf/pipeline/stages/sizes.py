"""Fits the sizes that depend on the catalog: lists, candidates and cutoffs of few items."""

from __future__ import annotations

from kd_tf.config import Config, Export
from kd_tf.errors import UserError
from kd_tf.evaluation.candidates import SampledCandidates

DEFAULT_RECOMMENDATIONS = 50
"""Default of K, the length of a recommendation list."""

DEFAULT_CANDIDATES = 100
"""Default of C, the number of items that one call of ``score`` takes."""

TABLE_KS = (10, 20)
"""Cutoffs that tables show. They are measured in catalogs of any size, because metrics are known
by these names: a list of few items is shorter than its cutoff."""


def fit_to_catalog(size: int | None, default: int, num_items: int, name: str) -> int:
    """Returns a size that is at most the number of items.

    Args:
        size: The size that somebody set; None takes the default.
        default: The default, which is lowered where the catalog has fewer items.
        num_items: V.
        name: The setting, for the error message.

    Raises:
        UserError: The size was set, and is larger than the catalog.

    Example:
        >>> fit_to_catalog(None, 50, 12, "export.recommendations")
        12
        >>> fit_to_catalog(60, 50, 12, "export.recommendations")
        Traceback (most recent call last):
        ...
        kd_tf.errors.UserError: export.recommendations is 60, but the catalog has only 12 items
          Set it to 12 or less, or leave it out.
    """
    if size is None:
        return min(default, num_items)
    if size > num_items:
        raise UserError(
            f"{name} is {size}, but the catalog has only {num_items} items",
            hint=f"Set it to {num_items} or less, or leave it out.",
        )
    return size


def choose_export_sizes(export: Export, num_items: int) -> tuple[int, int]:
    """Returns K and C of the exported files.

    Raises:
        UserError: One of them was set, and is larger than the catalog.
    """
    return (
        fit_to_catalog(
            export.recommendations, DEFAULT_RECOMMENDATIONS, num_items, "export.recommendations"
        ),
        fit_to_catalog(export.candidates, DEFAULT_CANDIDATES, num_items, "export.candidates"),
    )


def describe_export_sizes(export: Export, num_items: int) -> list[str]:
    """Returns notes on the sizes that were lowered to the number of items.

    Raises:
        UserError: One of them was set, and is larger than the catalog.
    """
    recommendations, _ = choose_export_sizes(export, num_items)
    if export.recommendations is not None or recommendations == DEFAULT_RECOMMENDATIONS:
        return []
    return [
        f"a recommendation list has {recommendations} items, not {DEFAULT_RECOMMENDATIONS}: the "
        "catalog has no more"
    ]


def check_evaluation_sizes(
    settings: Config, candidates: SampledCandidates | None, num_items: int
) -> list[str]:
    """Checks the sizes of the metrics before any work.

    Args:
        settings: The cutoffs, ``evaluation.ks``.
        candidates: The sampled candidates of the metrics; None for a full ranking.
        num_items: V.

    Returns:
        Notes for the user on what the metrics of a small catalog mean.

    Raises:
        UserError: A size was set, and is larger than the catalog.
    """
    for k in settings.evaluation.ks:
        if k not in TABLE_KS:
            fit_to_catalog(k, k, num_items, "a cutoff of evaluation.ks")
    if candidates is not None and candidates.num_negatives >= num_items:
        raise UserError(
            f"evaluation.candidates is {candidates}, but the catalog has only {num_items} items",
            hint="Set it to full, which ranks all of them.",
        )
    k = max(TABLE_KS)
    if num_items >= k:
        return []
    return [
        f"the catalog has {num_items} items: a list of {k} holds all of them, so that recall@{k} "
        "is 1 for every model that ranks all items"
    ]
