"""The keywords of the readers of the ranking task."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from kd_tf.data.ranking.fit_schema import FeatureOptions
from kd_tf.data.ranking.read_table import TableSource
from kd_tf.data.sources.table_options import TableOptions


class RankingOptions(TableOptions, total=False):
    """The keywords of `kd_tf.data.ranking.read_ranking.read_ranking_split`.

    Attributes:
        label: The column with the label: of two values a click, of more a rating. None where all
            rows are positives, for which `negatives` are drawn.
        features: Which columns features are made of, and how.
        train: Training table of a published split, which has `test` too.
        validation: Its validation table; without it, training rows are drawn.
        test: Its test table.
        threshold: Makes a click of a label of numbers: those not below it.
        positive: Makes a click of any label: this value.
        negatives: Number of negatives that are drawn for each row of a table without a label; see
            `draw_negatives` and `find_item_columns`.
        user: Column with the users, for metrics per user, splits by user and negatives; by default
            ``user``, ``user_id``, ``userid`` or ``uid``.
        item: Column with the items; by default ``item``, ``item_id``, ``itemid`` or ``iid``.
        time: Column with the times, for temporal splits; by default ``timestamp``, ``time``,
            ``datetime``, ``date`` or ``ts``.
        users: Table with columns of the users, which are joined.
        user_id: Its column with the users; by default called as in the interactions.
        items: Table with columns of the items, which are joined.
        item_id: Its column with the items; by default called as in the interactions.
        name: Name of the data set; by default the file's.
        progress: Gets the number of rows read so far.
    """

    label: str | None
    features: FeatureOptions | None
    train: TableSource | None
    validation: TableSource | None
    test: TableSource | None
    threshold: float | None
    positive: str | None
    negatives: int
    user: str | None
    item: str | None
    time: str | None
    users: TableSource | None
    user_id: str | None
    items: TableSource | None
    item_id: str | None
    name: str | None
    progress: Callable[[int], None] | None


def select_table_options(options: RankingOptions) -> TableOptions:
    """Selects the options that say how tables are written and which rows are taken.

    Raises:
        TypeError: An option does not exist.
    """
    unknown = sorted(set(options) - set(RankingOptions.__annotations__))
    if unknown:
        raise TypeError(
            f"there is no option {unknown[0]!r}; the options are "
            f"{', '.join(RankingOptions.__annotations__)}"
        )
    names = TableOptions.__annotations__
    return cast("TableOptions", {name: options[name] for name in names if name in options})  # type: ignore[literal-required]
