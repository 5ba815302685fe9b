"""Judging a model on held-out books: nothing is believed before it is checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.evaluate.bootstrap import bootstrap_intervals
from kd_tf.evaluate.candidates import SampledCandidates, mask_non_candidates
from kd_tf.evaluate.metrics import beyond_accuracy
from kd_tf.evaluate.metrics.accuracy import compute_accuracy
from kd_tf.evaluate.metrics.auc import compute_auc
from kd_tf.evaluate.metrics.ranking import compute_ranking_metrics, has_duplicates
from kd_tf.evaluate.metrics.serendipity import compute_serendipity
from kd_tf.evaluate.slices import slice_held_out
from kd_tf.evaluate.top_k import check_ids, select_unseen_top_k
from kd_tf.progress import NullProgress, Progress

ScoreFn = Callable[[Histories], np.ndarray]
"""``score(histories)``: float32 [n, V + 1], higher is better, -inf for books that the model never
recommends; column 0 is padding."""

RankFn = Callable[[Histories, int], np.ndarray]
"""``rank(histories, k)``: int32 [n, k], ids 1..V best first, never a book of the history and never
a book twice; where fewer than k books can be named the row ends in zeros."""

MAX_SCORES_IN_MEMORY = 8_000_000
"""How many scores are held at a time and thread: 32 MB of float32."""


@dataclass(frozen=True)
class SliceMetrics:
    """The figures of one model on a part of the readers or of the held-out books.

    Attributes:
        readers: How many readers the means are over.
        metrics: Means by name.
    """

    num_users: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """The figures of one model on one set of readers.

    Attributes:
        per_reader: float64 [n] by name (``"ndcg@10"``), in the order of the held-out readers:
            what two models are compared on (`kd_tf.evaluate.significance`).
        overall: One number by name: the means of `per_reader`, and the figures of
            `kd_tf.evaluate.metrics.beyond_accuracy`.
        slices: Figures by the slice's name (`kd_tf.evaluate.slices`).
    """

    per_user: dict[str, np.ndarray]
    overall: dict[str, float]
    slices: dict[str, SliceMetrics]

    def compute_intervals(self) -> dict[str, tuple[float, float]]:
        """95 % bootstrap confidence intervals of the means of `per_reader`, by name."""
        return bootstrap_intervals(self.per_user)


@dataclass(frozen=True)
class TrainingStatistics:
    """What the metrics need to know of the training histories, counted once for all models.

    Attributes:
        books: V.
        readers: How many training readers there are.
        popularity: int64 [V + 1], how many training readers have each book; index 0 is 0.
        readers_of_book: float64 CSR [V + 1, readers], 1 where the reader has the book.
    """

    num_items: int
    num_users: int
    popularity: np.ndarray
    item_user_matrix: sparse.csr_array

    @classmethod
    def from_split(cls, split: Split) -> TrainingStatistics:
        """Counts the training part of `split`; the other parts are not looked at."""
        user = np.repeat(np.arange(len(split.train)), split.train.lengths)
        users_of_item = sparse.csr_array(
            (np.ones(len(user)), (split.train.items, user)),
            shape=(split.num_items + 1, len(split.train)),
        )
        users_of_item.data[:] = 1  # a book that stands twice in a history is one reader
        return cls(
            num_items=split.num_items,
            num_users=len(split.train),
            popularity=np.diff(users_of_item.indptr).astype(np.int64),
            item_user_matrix=users_of_item,
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
    """Scores the whole catalogue for every held-out reader, ranks it and measures the lists.

    Equal scores are ranked by id, the lower one first; the AUC counts them half. What is in
    memory does not grow with the number of readers, but for their lists and figures.

    Args:
        score: The model.
        held_out: The readers, what the model is shown of them and what it should find.
        training: ``TrainingStatistics.from_split(split)``, made once for all models.
        ks: Cut-offs of the lists.
        candidates: A sample to rank the held-out books among; None ranks all books.
        progress: Told of every batch.

    Raises:
        ValueError: `score` gave another shape or a NaN, or `held_out` has ids that `training`
            does not know.
    """
    users = _check_held_out(held_out, training)
    negatives = None if candidates is None else candidates.draw(held_out, training.num_items)
    # Sampled candidates are a task of two classes: for its accuracy all held-out books count.
    depth = max(ks) if negatives is None else max(*ks, int(held_out.targets.lengths.max()))
    ranked = np.empty((users, depth), np.int32)
    area = np.empty(users)
    size = int(np.clip(MAX_SCORES_IN_MEMORY // (training.num_items + 1), 1, 512))

    def measure(rows: np.ndarray, scores: np.ndarray) -> int:
        targets, excluded = held_out.targets.take(rows), _collect_seen_items(held_out, rows)
        ranks = scores
        if negatives is not None:
            scores = mask_non_candidates(scores, targets, negatives[rows])
            ranks = np.where(np.isnan(scores), -np.inf, scores)
        ranked[rows] = select_unseen_top_k(ranks, excluded, depth)
        area[rows] = compute_auc(scores, targets, excluded)
        return len(rows)

    waiting: list[Future[int]] = []
    threads = os.cpu_count() or 1
    with (
        (progress or NullProgress()).task("evaluating", users) as advance,
        # NumPy lets other threads run: while one batch is ranked the next is being scored.
        ThreadPoolExecutor(threads) as pool,
    ):
        for start in range(0, users, size):
            rows = np.arange(start, min(start + size, users))
            scores = score(held_out.histories.take(rows))
            _check_scores(scores, rows, training.num_items)
            waiting.append(pool.submit(measure, rows, scores))
            if len(waiting) > threads:
                advance(waiting.pop(0).result())
        for future in waiting:
            advance(future.result())

    more = {"auc": area}
    if negatives is not None:
        drawn = np.count_nonzero(negatives, axis=1) + held_out.targets.lengths
        more["accuracy"] = compute_accuracy(ranked, held_out.targets, drawn)
    return _compute_metrics(ranked[:, : max(ks)], held_out, training, ks, more)


def evaluate_lists(
    rank: RankFn,
    held_out: HeldOutSet,
    training: TrainingStatistics,
    *,
    ks: Sequence[int] = (10, 20),
    batch_size: int = 512,
    progress: Progress | None = None,
) -> Evaluation:
    """Measures a model that gives lists and no scores, as an exported file does: no AUC.

    Args:
        rank: The model; it is asked for as many books as the longest list needs after the books
            of `held_out.also_read` are struck out.
        held_out: The readers, what the model is shown of them and what it should find.
        training: ``TrainingStatistics.from_split(split)``, made once for all models.
        ks: Cut-offs.
        batch: How many readers `rank` gets at once.
        progress: Told of every batch.

    Raises:
        ValueError: `rank` broke the promise of `Ranker`, or `held_out` has ids that `training`
            does not know; the message names the reader's row.
    """
    users = _check_held_out(held_out, training)
    k = max(ks)
    also_read = held_out.seen_items
    asked = k if also_read is None else k + int(also_read.lengths.max())
    ranked = np.empty((users, k), np.int32)
    with (progress or NullProgress()).task("evaluating", users) as advance:
        for start in range(0, users, batch_size):
            rows = np.arange(start, min(start + batch_size, users))
            histories = held_out.histories.take(rows)
            answer = rank(histories, asked)
            _check_ranking(answer, histories, asked, training.num_items, start)
            if also_read is not None:
                answer = _remove_items(answer, also_read.take(rows), training.num_items)
            ranked[rows] = answer[:, :k]
            advance(len(rows))
    return _compute_metrics(ranked, held_out, training, ks, {})


def merge_folds(folds: Sequence[Evaluation]) -> Evaluation:
    """One evaluation of several, on different readers each or on different books of theirs.

    What is measured reader by reader is the mean over the readers of all folds; figures over all
    lists, such as the coverage, are the mean of the folds.
    """
    if len(folds) == 1:
        return folds[0]
    measured = {
        name: np.concatenate([fold.per_user[name] for fold in folds]) for name in folds[0].per_user
    }
    overall = {
        name: float(
            measured[name].mean()
            if name in measured
            else np.mean([fold.overall[name] for fold in folds])
        )
        for name in folds[0].overall
    }
    parts: dict[str, SliceMetrics] = {}
    for name in dict.fromkeys(name for fold in folds for name in fold.slices):
        some = [fold.slices[name] for fold in folds if name in fold.slices]
        users = [one.num_users for one in some]
        parts[name] = SliceMetrics(
            sum(users),
            {
                metric: float(np.average([one.metrics[metric] for one in some], weights=users))
                for metric in some[0].metrics
            },
        )
    return Evaluation(measured, overall, parts)


def _compute_metrics(
    ranked: np.ndarray,
    held_out: HeldOutSet,
    training: TrainingStatistics,
    ks: Sequence[int],
    extra_metrics: Mapping[str, np.ndarray],
) -> Evaluation:
    """Everything that can be told of the lists int32 [n, max(ks)]."""
    measured = compute_ranking_metrics(ranked, held_out.targets, ks)
    order = np.argsort(-training.popularity[1:], kind="stable").astype(np.int32) + 1
    for k in ks:
        measured[f"serendipity@{k}"] = compute_serendipity(
            ranked[:, :k], held_out.targets, held_out.histories, order
        )
    measured.update(extra_metrics)
    overall = {name: float(values.mean()) for name, values in measured.items()}
    for k in ks:
        shown = ranked[:, :k]
        overall[f"coverage@{k}"] = beyond_accuracy.compute_coverage(shown, training.num_items)
        overall[f"gini@{k}"] = beyond_accuracy.compute_gini(shown, training.num_items)
        overall[f"diversity@{k}"] = beyond_accuracy.compute_diversity(
            shown, training.item_user_matrix
        )
        overall[f"novelty@{k}"] = beyond_accuracy.compute_novelty(
            shown, training.popularity, training.num_users
        )
    parts = {}
    for part in slice_held_out(held_out, training.popularity):
        figures = compute_ranking_metrics(ranked[part.rows], part.targets, ks)
        parts[part.name] = SliceMetrics(
            len(part.rows), {name: float(values.mean()) for name, values in figures.items()}
        )
    return Evaluation(measured, overall, parts)


def _check_held_out(held_out: HeldOutSet, training: TrainingStatistics) -> int:
    """The number of readers, all of whose ids are books."""
    users = len(held_out.histories)
    if not users:
        raise ValueError("there are no held-out readers to judge on")
    for histories in (held_out.histories, held_out.targets, held_out.seen_items):
        if histories is not None:
            check_ids(histories, training.num_items)
    return users


def _collect_seen_items(held_out: HeldOutSet, rows: np.ndarray) -> Histories:
    """What the readers read beside the held-out books: no list may hold it."""
    histories = held_out.histories.take(rows)
    if held_out.seen_items is None:
        return histories
    also_read = held_out.seen_items.take(rows)
    user = np.concatenate(
        [np.repeat(np.arange(len(rows)), some.lengths) for some in (histories, also_read)]
    )
    items = np.concatenate([histories.items, also_read.items])
    offsets = histories.offsets + also_read.offsets
    return Histories(items[np.argsort(user, kind="stable")], offsets)


def _remove_items(ranked: np.ndarray, removed_items: Histories, num_items: int) -> np.ndarray:
    """The lists without some books; what is behind them moves up."""
    user = np.arange(len(ranked), dtype=np.int64)
    keys = np.repeat(user, removed_items.lengths) * (num_items + 1) + removed_items.items
    left = ~np.isin(user[:, None] * (num_items + 1) + ranked, keys) & (ranked > 0)
    moved = np.argsort(~left, axis=1, kind="stable")
    return np.where(
        np.take_along_axis(left, moved, axis=1), np.take_along_axis(ranked, moved, axis=1), 0
    )


def _check_scores(scores: np.ndarray, rows: np.ndarray, num_items: int) -> None:
    if not isinstance(scores, np.ndarray):
        raise ValueError(f"the scorer must give a NumPy array, not {type(scores).__name__}")
    if scores.shape != (len(rows), num_items + 1) or scores.dtype != np.float32:
        raise ValueError(
            f"the scorer must give float32 [{len(rows)}, {num_items + 1}] for reader rows "
            f"{rows[0]}..{rows[-1]}, not {scores.dtype} {list(scores.shape)}"
        )


def _check_ranking(
    ranking: np.ndarray, histories: Histories, k: int, num_items: int, first_row: int
) -> None:
    """Raises ValueError where `answer` is not what `Ranker` promises."""
    last_row = first_row + len(histories) - 1
    if not isinstance(ranking, np.ndarray):
        raise ValueError(f"the ranker must give a NumPy array, not {type(ranking).__name__}")
    if ranking.shape != (len(histories), k) or ranking.dtype != np.int32:
        raise ValueError(
            f"the ranker must give int32 [{len(histories)}, {k}] for reader rows "
            f"{first_row}..{last_row}, not {ranking.dtype} {list(ranking.shape)}"
        )

    def refuse(wrong: np.ndarray, what: str) -> None:
        rows = wrong.any(axis=1)
        if rows.any():
            row = int(rows.argmax())
            raise ValueError(
                f"the ranker gave reader row {first_row + row} {what}: {ranking[row].tolist()}"
            )

    refuse((ranking < 0) | (ranking > num_items), f"an id outside 0..{num_items}")
    refuse((ranking[:, :-1] == 0) & (ranking[:, 1:] != 0), "a book after the padding")
    refuse(has_duplicates(ranking)[:, None], "the same book twice")
    user = np.arange(len(histories), dtype=np.int64)
    read = np.repeat(user, histories.lengths) * (num_items + 1) + histories.items
    recommended = user[:, None] * (num_items + 1) + ranking
    refuse(np.isin(recommended, read), "a book of its own history")
