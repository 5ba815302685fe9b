"""Evaluates models on held-out items, and checks their outputs first."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.evaluation.bootstrap import bootstrap_intervals
from kd_tf.evaluation.candidates import SampledCandidates, mask_non_candidates, mask_other_items
from kd_tf.evaluation.metrics import beyond_accuracy
from kd_tf.evaluation.metrics.accuracy import compute_accuracy
from kd_tf.evaluation.metrics.auc import compute_auc
from kd_tf.evaluation.metrics.ranking import compute_ranking_metrics, has_duplicates
from kd_tf.evaluation.metrics.serendipity import compute_serendipity
from kd_tf.evaluation.slices import slice_held_out
from kd_tf.evaluation.top_k import check_ids, select_unseen_top_k
from kd_tf.progress import NullProgress, Progress

ScoreFn = Callable[[Histories], np.ndarray]
"""``score(histories)``: float32 [n, V + 1], higher is better, -inf for items that the model never
recommends; column 0 is padding."""

RankFn = Callable[[Histories, int], np.ndarray]
"""``rank(histories, k)``: int32 [n, k], ids 1..V, best first, without items of the history and
without duplicates; padded with 0 at the end where there are fewer than k items."""

MAX_SCORES_IN_MEMORY = 8_000_000
"""Maximum number of scores in memory per thread: 32 MB of float32."""


@dataclass(frozen=True)
class SliceMetrics:
    """The metrics of one model on a slice of the users or of the held-out items.

    Attributes:
        num_users: Number of users in the slice.
        metrics: Means over these users, by name.
    """

    num_users: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one model on one set of held-out users.

    Attributes:
        per_user: float64 [n] by metric name (``"ndcg@10"``), in the order of the held-out users,
            for paired comparisons (`kd_tf.evaluation.significance`).
        overall: One number by metric name: the means of `per_user`, and the metrics of
            `kd_tf.evaluation.metrics.beyond_accuracy`.
        slices: Metrics by slice name (`kd_tf.evaluation.slices`).

    Example:
        >>> import numpy as np
        >>> from kd_tf.data.splits.unseen_users import split_unseen_users
        >>> from kd_tf.data.synthetic.bookshop import generate_bookshop
        >>> dataset = generate_bookshop(num_items=100, num_users=50)
        >>> split = split_unseen_users(dataset.interactions, test_users=10, validation_users=5)
        >>> popularity = split.popularity().astype(np.float32)
        >>> evaluation = evaluate(
        ...     lambda histories: np.tile(popularity, (len(histories), 1)),
        ...     split.test,
        ...     TrainingStatistics.from_split(split),
        ... )
        >>> len(evaluation.per_user["ndcg@10"])
        10
        >>> 0 < evaluation.overall["ndcg@10"] < 1
        True
    """

    per_user: dict[str, np.ndarray]
    overall: dict[str, float]
    slices: dict[str, SliceMetrics]

    @property
    def num_users(self) -> int:
        """Number of users that the metrics are means over."""
        return max((len(values) for values in self.per_user.values()), default=0)

    def compute_intervals(self) -> dict[str, tuple[float, float]]:
        """Computes 95 % bootstrap confidence intervals of the means of `per_user`, by name.

        A single user has none: every sample would be that user, and the interval a point.
        """
        return bootstrap_intervals(self.per_user) if self.num_users > 1 else {}

    def describe_slices(self) -> dict[str, dict[str, Any]]:
        """Returns the slices as results.json has them: ``num_users`` and ``metrics``, by name."""
        return {name: asdict(metrics) for name, metrics in self.slices.items()}


@dataclass(frozen=True)
class TrainingStatistics:
    """Statistics of the training histories that metrics need, counted once for all models.

    Attributes:
        num_items: V.
        num_users: Number of training users.
        popularity: int64 [V + 1], number of training users of each item; index 0 is 0.
        item_user_matrix: float64 CSR [V + 1, num_users], 1 where the user has the item.
    """

    num_items: int
    num_users: int
    popularity: np.ndarray
    item_user_matrix: sparse.csr_array

    @classmethod
    def from_split(cls, split: Split) -> TrainingStatistics:
        """Counts the training part of a split; the other parts are not used."""
        return cls.from_histories(split.train, split.num_items)

    @classmethod
    def from_histories(cls, train: Histories, num_items: int) -> TrainingStatistics:
        """Counts training histories.

        Args:
            train: The training histories.
            num_items: V.
        """
        user = np.repeat(np.arange(len(train)), train.lengths)
        item_user_matrix = sparse.csr_array(
            (np.ones(len(user)), (train.items, user)), shape=(num_items + 1, len(train))
        )
        item_user_matrix.data[:] = 1  # an item twice in a history is one user
        return cls(
            num_items=num_items,
            num_users=len(train),
            popularity=np.diff(item_user_matrix.indptr).astype(np.int64),
            item_user_matrix=item_user_matrix,
        )


def evaluate(
    score: ScoreFn,
    held_out: HeldOutSet,
    training: TrainingStatistics,
    *,
    ks: Sequence[int] = (10, 20),
    candidates: SampledCandidates | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Scores the catalog for every held-out user and computes all metrics.

    Equal scores are ranked by id, the lower one first; the AUC counts them half. Apart from lists
    and metrics, memory does not grow with the number of users.

    Args:
        score: Score function of the model.
        held_out: Held-out users, with input histories and targets.
        training: ``TrainingStatistics.from_split(split)``, computed once for all models.
        ks: Cut-offs of the lists.
        candidates: Sampled candidates to rank the held-out items among; None for all items.
        progress: Reports progress per batch.

    Returns:
        The metrics; none at all without users.

    Raises:
        ValueError: `score` returned another shape or type or a NaN, or `held_out` has ids that
            `training` does not have.
    """
    num_users = _check_held_out(held_out, training)
    if not num_users:
        return Evaluation({}, {}, {})
    negatives = None if candidates is None else candidates.draw(held_out, training.num_items)
    # The accuracy of sampled candidates needs as many ranks as a user has held-out items.
    depth = max(ks) if negatives is None else max(*ks, int(held_out.targets.lengths.max()))
    ranked_items = np.empty((num_users, depth), np.int32)
    auc = np.empty(num_users)
    size = int(np.clip(MAX_SCORES_IN_MEMORY // (training.num_items + 1), 1, 512))

    def measure(rows: np.ndarray, scores: np.ndarray) -> int:
        targets, seen_items = held_out.targets.take(rows), _collect_seen_items(held_out, rows)
        candidate_scores = scores
        if negatives is not None:
            scores = mask_non_candidates(scores, targets, negatives[rows])
        elif held_out.candidate_items is not None:
            scores = mask_other_items(scores, held_out.candidate_items)
        if scores is not candidate_scores:
            candidate_scores = np.where(np.isnan(scores), -np.inf, scores)
        ranked_items[rows] = select_unseen_top_k(candidate_scores, seen_items, depth)
        auc[rows] = compute_auc(scores, targets, seen_items)
        return len(rows)

    pending: list[Future[int]] = []
    threads = os.cpu_count() or 1
    with (
        (progress or NullProgress()).task("evaluating", num_users) as advance,
        # NumPy releases the GIL, so that a batch is ranked while the next one is scored.
        ThreadPoolExecutor(threads) as pool,
    ):
        for start in range(0, num_users, size):
            rows = np.arange(start, min(start + size, num_users))
            scores = score(held_out.histories.take(rows))
            _check_scores(scores, rows, training.num_items)
            pending.append(pool.submit(measure, rows, scores))
            if len(pending) > threads:
                advance(pending.pop(0).result())
        for future in pending:
            advance(future.result())

    extra_metrics = {"auc": auc}
    if negatives is not None:
        num_candidates = np.count_nonzero(negatives, axis=1) + held_out.targets.lengths
        extra_metrics["accuracy"] = compute_accuracy(ranked_items, held_out.targets, num_candidates)
    return _compute_metrics(ranked_items[:, : max(ks)], held_out, training, ks, extra_metrics)


def evaluate_lists(
    rank: RankFn,
    held_out: HeldOutSet,
    training: TrainingStatistics,
    *,
    ks: Sequence[int] = (10, 20),
    batch_size: int = 512,
    progress: Progress | None = None,
) -> Evaluation:
    """Computes all metrics but AUC for a model that returns lists, such as an exported file.

    Args:
        rank: Rank function of the model. It has to rank enough items to fill the longest list
            after `held_out.seen_items` are removed, and no other items than
            `held_out.candidate_items` where these are given.
        held_out: Held-out users, with input histories and targets.
        training: ``TrainingStatistics.from_split(split)``, computed once for all models.
        ks: Cut-offs of the lists.
        batch_size: Number of users per call of `rank`.
        progress: Reports progress per batch.

    Returns:
        The metrics; none at all without users.

    Raises:
        ValueError: `rank` returned something that `RankFn` does not allow, or `held_out` has ids
            that `training` does not have; the message names the user row.
    """
    num_users = _check_held_out(held_out, training)
    if not num_users:
        return Evaluation({}, {}, {})
    k = max(ks)
    seen_items = held_out.seen_items
    depth = k if seen_items is None else k + int(seen_items.lengths.max())
    ranked_items = np.empty((num_users, k), np.int32)
    with (progress or NullProgress()).task("evaluating", num_users) as advance:
        for start in range(0, num_users, batch_size):
            rows = np.arange(start, min(start + batch_size, num_users))
            histories = held_out.histories.take(rows)
            ranking = rank(histories, depth)
            _check_ranking(ranking, histories, depth, training.num_items, start)
            if held_out.candidate_items is not None:
                _check_candidates(ranking, held_out.candidate_items)
            if seen_items is not None:
                ranking = _remove_items(ranking, seen_items.take(rows), training.num_items)
            ranked_items[rows] = ranking[:, :k]
            advance(len(rows))
    return _compute_metrics(ranked_items, held_out, training, ks, {})


def merge_folds(folds: Sequence[Evaluation]) -> Evaluation:
    """Merges the evaluations of the folds of a cross-validation.

    Metrics per user are averaged over the users of all folds; metrics of all lists, such as
    coverage, over the folds. Folds without users do not count.
    """
    folds = [fold for fold in folds if fold.num_users] or folds[:1]
    if len(folds) == 1:
        return folds[0]
    per_user = {
        name: np.concatenate([fold.per_user[name] for fold in folds]) for name in folds[0].per_user
    }
    overall = {
        name: float(
            per_user[name].mean()
            if name in per_user
            else np.mean([fold.overall[name] for fold in folds])
        )
        for name in folds[0].overall
    }
    slices: dict[str, SliceMetrics] = {}
    for name in dict.fromkeys(name for fold in folds for name in fold.slices):
        parts = [fold.slices[name] for fold in folds if name in fold.slices]
        counts = [part.num_users for part in parts]
        slices[name] = SliceMetrics(
            sum(counts),
            {
                metric: float(np.average([part.metrics[metric] for part in parts], weights=counts))
                for metric in parts[0].metrics
            },
        )
    return Evaluation(per_user, overall, slices)


def _compute_metrics(
    ranked_items: np.ndarray,
    held_out: HeldOutSet,
    training: TrainingStatistics,
    ks: Sequence[int],
    extra_metrics: Mapping[str, np.ndarray],
) -> Evaluation:
    """Computes all metrics of the lists int32 [n, max(ks)]."""
    per_user = compute_ranking_metrics(ranked_items, held_out.targets, ks)
    by_popularity = np.argsort(-training.popularity[1:], kind="stable").astype(np.int32) + 1
    for k in ks:
        per_user[f"serendipity@{k}"] = compute_serendipity(
            ranked_items[:, :k], held_out.targets, held_out.histories, by_popularity
        )
    per_user.update(extra_metrics)
    overall = {name: float(values.mean()) for name, values in per_user.items()}
    for k in ks:
        top = ranked_items[:, :k]
        overall[f"coverage@{k}"] = beyond_accuracy.compute_coverage(top, training.num_items)
        overall[f"gini@{k}"] = beyond_accuracy.compute_gini(top, training.num_items)
        overall[f"diversity@{k}"] = beyond_accuracy.compute_diversity(
            top, training.item_user_matrix
        )
        overall[f"novelty@{k}"] = beyond_accuracy.compute_novelty(
            top, training.popularity, training.num_users
        )
    slices = {}
    for part in slice_held_out(held_out, training.popularity):
        metrics = compute_ranking_metrics(ranked_items[part.rows], part.targets, ks)
        slices[part.name] = SliceMetrics(
            len(part.rows), {name: float(values.mean()) for name, values in metrics.items()}
        )
    return Evaluation(per_user, overall, slices)


def _check_held_out(held_out: HeldOutSet, training: TrainingStatistics) -> int:
    """Checks all ids of the held-out users and returns the number of users."""
    for histories in (held_out.histories, held_out.targets, held_out.seen_items):
        if histories is not None:
            check_ids(histories, training.num_items)
    return len(held_out.histories)


def _collect_seen_items(held_out: HeldOutSet, rows: np.ndarray) -> Histories:
    """Joins histories and seen items of some users: the items that no list may contain."""
    histories = held_out.histories.take(rows)
    if held_out.seen_items is None:
        return histories
    return histories.join(held_out.seen_items.take(rows))


def _remove_items(ranked_items: np.ndarray, removed_items: Histories, num_items: int) -> np.ndarray:
    """Removes items from the lists; the items behind them move up, and 0 fills the end."""
    user = np.arange(len(ranked_items), dtype=np.int64)
    keys = np.repeat(user, removed_items.lengths) * (num_items + 1) + removed_items.items
    mask = ~np.isin(user[:, None] * (num_items + 1) + ranked_items, keys) & (ranked_items > 0)
    order = np.argsort(~mask, axis=1, kind="stable")
    return np.where(
        np.take_along_axis(mask, order, axis=1), np.take_along_axis(ranked_items, order, axis=1), 0
    )


def _check_scores(scores: np.ndarray, rows: np.ndarray, num_items: int) -> None:
    """Raises ValueError where `scores` is not what `ScoreFn` has to return."""
    if not isinstance(scores, np.ndarray):
        raise ValueError(
            f"the score function must return a NumPy array, not {type(scores).__name__}"
        )
    if scores.shape != (len(rows), num_items + 1) or scores.dtype != np.float32:
        raise ValueError(
            f"the score function must return float32 [{len(rows)}, {num_items + 1}] for user "
            f"rows {rows[0]}..{rows[-1]}, not {scores.dtype} {list(scores.shape)}"
        )


def _check_ranking(
    ranking: np.ndarray, histories: Histories, k: int, num_items: int, first_row: int
) -> None:
    """Raises ValueError where `ranking` is not what `RankFn` has to return."""
    last_row = first_row + len(histories) - 1
    if not isinstance(ranking, np.ndarray):
        raise ValueError(
            f"the rank function must return a NumPy array, not {type(ranking).__name__}"
        )
    if ranking.shape != (len(histories), k) or ranking.dtype != np.int32:
        raise ValueError(
            f"the rank function must return int32 [{len(histories)}, {k}] for user rows "
            f"{first_row}..{last_row}, not {ranking.dtype} {list(ranking.shape)}"
        )

    def raise_where(is_wrong: np.ndarray, problem: str) -> None:
        rows = is_wrong.any(axis=1)
        if rows.any():
            row = int(rows.argmax())
            raise ValueError(
                f"the rank function returned {problem} for user row {first_row + row}: "
                f"{ranking[row].tolist()}"
            )

    raise_where((ranking < 0) | (ranking > num_items), f"an id outside 0..{num_items}")
    raise_where((ranking[:, :-1] == 0) & (ranking[:, 1:] != 0), "an item after the padding")
    raise_where(has_duplicates(ranking)[:, None], "an item twice")
    user = np.arange(len(histories), dtype=np.int64)
    seen_keys = np.repeat(user, histories.lengths) * (num_items + 1) + histories.items
    ranked_keys = user[:, None] * (num_items + 1) + ranking
    raise_where(np.isin(ranked_keys, seen_keys), "an item of the history")


def _check_candidates(ranking: np.ndarray, candidate_items: np.ndarray) -> None:
    """Raises ValueError where a list has an item that is no candidate."""
    is_wrong = (ranking > 0) & ~np.isin(ranking, candidate_items)
    if is_wrong.any():
        raise ValueError(
            f"the rank function returned item {int(ranking[is_wrong][0])}, which is no candidate"
        )
