"""Judging a model on held-out books: nothing is believed before it is checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOut, Split
from kd_tf.evaluate.candidates import SampledCandidates, only_candidates
from kd_tf.evaluate.intervals import bootstrap
from kd_tf.evaluate.metrics import lists
from kd_tf.evaluate.metrics.binary import accuracy_per_reader
from kd_tf.evaluate.metrics.ranked import has_duplicate, per_reader
from kd_tf.evaluate.metrics.scored import auc
from kd_tf.evaluate.metrics.serendipity import serendipity
from kd_tf.evaluate.slices import slices
from kd_tf.evaluate.top_k import check_ids, top_k_excluding
from kd_tf.progress import Progress, Silent

Scorer = Callable[[Histories], np.ndarray]
"""``score(histories)``: float32 [n, V + 1], higher is better, -inf for books that the model never
recommends; column 0 is padding."""

Ranker = Callable[[Histories, int], np.ndarray]
"""``rank(histories, k)``: int32 [n, k], ids 1..V best first, never a book of the history and never
a book twice; where fewer than k books can be named the row ends in zeros."""

SCORES_AT_ONCE = 8_000_000
"""How many scores are held at a time and thread: 32 MB of float32."""


@dataclass(frozen=True)
class SliceFigures:
    """The figures of one model on a part of the readers or of the held-out books.

    Attributes:
        readers: How many readers the means are over.
        metrics: Means by name.
    """

    readers: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """The figures of one model on one set of readers.

    Attributes:
        per_reader: float64 [n] by name (``"ndcg@10"``), in the order of the held-out readers:
            what two models are compared on (`kd_tf.evaluate.comparison`).
        overall: One number by name: the means of `per_reader`, and the figures of
            `kd_tf.evaluate.metrics.lists`.
        slices: Figures by the slice's name (`kd_tf.evaluate.slices`).
    """

    per_reader: dict[str, np.ndarray]
    overall: dict[str, float]
    slices: dict[str, SliceFigures]

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % bootstrap confidence intervals of the means of `per_reader`, by name."""
        return bootstrap(self.per_reader)


@dataclass(frozen=True)
class TrainingStatistics:
    """What the metrics need to know of the training histories, counted once for all models.

    Attributes:
        books: V.
        readers: How many training readers there are.
        popularity: int64 [V + 1], how many training readers have each book; index 0 is 0.
        readers_of_book: float64 CSR [V + 1, readers], 1 where the reader has the book.
    """

    books: int
    readers: int
    popularity: np.ndarray
    readers_of_book: sparse.csr_array

    @classmethod
    def from_split(cls, split: Split) -> TrainingStatistics:
        """Counts the training part of `split`; the other parts are not looked at."""
        reader = np.repeat(np.arange(len(split.train)), split.train.lengths)
        readers_of_book = sparse.csr_array(
            (np.ones(len(reader)), (split.train.items, reader)),
            shape=(split.books + 1, len(split.train)),
        )
        readers_of_book.data[:] = 1  # a book that stands twice in a history is one reader
        return cls(
            books=split.books,
            readers=len(split.train),
            popularity=np.diff(readers_of_book.indptr).astype(np.int64),
            readers_of_book=readers_of_book,
        )


def evaluate(
    score: Scorer,
    held_out: HeldOut,
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
    readers = _checked(held_out, training)
    negatives = None if candidates is None else candidates.draw(held_out, training.books)
    # Sampled candidates are a task of two classes: for its accuracy all held-out books count.
    depth = max(ks) if negatives is None else max(*ks, int(held_out.targets.lengths.max()))
    ranked = np.empty((readers, depth), np.int32)
    area = np.empty(readers)
    size = int(np.clip(SCORES_AT_ONCE // (training.books + 1), 1, 512))

    def measure(rows: np.ndarray, scores: np.ndarray) -> int:
        targets, excluded = held_out.targets.take(rows), _excluded(held_out, rows)
        ranks = scores
        if negatives is not None:
            scores = only_candidates(scores, targets, negatives[rows])
            ranks = np.where(np.isnan(scores), -np.inf, scores)
        ranked[rows] = top_k_excluding(ranks, excluded, depth)
        area[rows] = auc(scores, targets, excluded)
        return len(rows)

    waiting: list[Future[int]] = []
    threads = os.cpu_count() or 1
    with (
        (progress or Silent()).task("evaluating", readers) as advance,
        # NumPy lets other threads run: while one batch is ranked the next is being scored.
        ThreadPoolExecutor(threads) as pool,
    ):
        for start in range(0, readers, size):
            rows = np.arange(start, min(start + size, readers))
            scores = score(held_out.histories.take(rows))
            _check_scores(scores, rows, training.books)
            waiting.append(pool.submit(measure, rows, scores))
            if len(waiting) > threads:
                advance(waiting.pop(0).result())
        for future in waiting:
            advance(future.result())

    more = {"auc": area}
    if negatives is not None:
        drawn = np.count_nonzero(negatives, axis=1) + held_out.targets.lengths
        more["accuracy"] = accuracy_per_reader(ranked, held_out.targets, drawn)
    return _figures(ranked[:, : max(ks)], held_out, training, ks, more)


def evaluate_lists(
    rank: Ranker,
    held_out: HeldOut,
    training: TrainingStatistics,
    *,
    ks: Sequence[int] = (10, 20),
    batch: int = 512,
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
    readers = _checked(held_out, training)
    k = max(ks)
    also_read = held_out.also_read
    asked = k if also_read is None else k + int(also_read.lengths.max())
    ranked = np.empty((readers, k), np.int32)
    with (progress or Silent()).task("evaluating", readers) as advance:
        for start in range(0, readers, batch):
            rows = np.arange(start, min(start + batch, readers))
            histories = held_out.histories.take(rows)
            answer = rank(histories, asked)
            _check_answer(answer, histories, asked, training.books, start)
            if also_read is not None:
                answer = _without(answer, also_read.take(rows), training.books)
            ranked[rows] = answer[:, :k]
            advance(len(rows))
    return _figures(ranked, held_out, training, ks, {})


def merged(folds: Sequence[Evaluation]) -> Evaluation:
    """One evaluation of several, on different readers each or on different books of theirs.

    What is measured reader by reader is the mean over the readers of all folds; figures over all
    lists, such as the coverage, are the mean of the folds.
    """
    if len(folds) == 1:
        return folds[0]
    measured = {
        name: np.concatenate([fold.per_reader[name] for fold in folds])
        for name in folds[0].per_reader
    }
    overall = {
        name: float(
            measured[name].mean()
            if name in measured
            else np.mean([fold.overall[name] for fold in folds])
        )
        for name in folds[0].overall
    }
    parts: dict[str, SliceFigures] = {}
    for name in dict.fromkeys(name for fold in folds for name in fold.slices):
        some = [fold.slices[name] for fold in folds if name in fold.slices]
        readers = [one.readers for one in some]
        parts[name] = SliceFigures(
            sum(readers),
            {
                metric: float(np.average([one.metrics[metric] for one in some], weights=readers))
                for metric in some[0].metrics
            },
        )
    return Evaluation(measured, overall, parts)


def _figures(
    ranked: np.ndarray,
    held_out: HeldOut,
    training: TrainingStatistics,
    ks: Sequence[int],
    more: Mapping[str, np.ndarray],
) -> Evaluation:
    """Everything that can be told of the lists int32 [n, max(ks)]."""
    measured = per_reader(ranked, held_out.targets, ks)
    order = np.argsort(-training.popularity[1:], kind="stable").astype(np.int32) + 1
    for k in ks:
        measured[f"serendipity@{k}"] = serendipity(
            ranked[:, :k], held_out.targets, held_out.histories, order
        )
    measured.update(more)
    overall = {name: float(values.mean()) for name, values in measured.items()}
    for k in ks:
        shown = ranked[:, :k]
        overall[f"coverage@{k}"] = lists.coverage(shown, training.books)
        overall[f"gini@{k}"] = lists.gini(shown, training.books)
        overall[f"diversity@{k}"] = lists.diversity(shown, training.readers_of_book)
        overall[f"novelty@{k}"] = lists.novelty(shown, training.popularity, training.readers)
    parts = {}
    for part in slices(held_out, training.popularity):
        figures = per_reader(ranked[part.rows], part.targets, ks)
        parts[part.name] = SliceFigures(
            len(part.rows), {name: float(values.mean()) for name, values in figures.items()}
        )
    return Evaluation(measured, overall, parts)


def _checked(held_out: HeldOut, training: TrainingStatistics) -> int:
    """The number of readers, all of whose ids are books."""
    readers = len(held_out.histories)
    if not readers:
        raise ValueError("there are no held-out readers to judge on")
    for histories in (held_out.histories, held_out.targets, held_out.also_read):
        if histories is not None:
            check_ids(histories, training.books)
    return readers


def _excluded(held_out: HeldOut, rows: np.ndarray) -> Histories:
    """What the readers read beside the held-out books: no list may hold it."""
    histories = held_out.histories.take(rows)
    if held_out.also_read is None:
        return histories
    also_read = held_out.also_read.take(rows)
    reader = np.concatenate(
        [np.repeat(np.arange(len(rows)), some.lengths) for some in (histories, also_read)]
    )
    items = np.concatenate([histories.items, also_read.items])
    offsets = histories.offsets + also_read.offsets
    return Histories(items[np.argsort(reader, kind="stable")], offsets)


def _without(ranked: np.ndarray, struck: Histories, books: int) -> np.ndarray:
    """The lists without some books; what is behind them moves up."""
    reader = np.arange(len(ranked), dtype=np.int64)
    keys = np.repeat(reader, struck.lengths) * (books + 1) + struck.items
    left = ~np.isin(reader[:, None] * (books + 1) + ranked, keys) & (ranked > 0)
    moved = np.argsort(~left, axis=1, kind="stable")
    return np.where(
        np.take_along_axis(left, moved, axis=1), np.take_along_axis(ranked, moved, axis=1), 0
    )


def _check_scores(scores: np.ndarray, rows: np.ndarray, books: int) -> None:
    if not isinstance(scores, np.ndarray):
        raise ValueError(f"the scorer must give a NumPy array, not {type(scores).__name__}")
    if scores.shape != (len(rows), books + 1) or scores.dtype != np.float32:
        raise ValueError(
            f"the scorer must give float32 [{len(rows)}, {books + 1}] for reader rows "
            f"{rows[0]}..{rows[-1]}, not {scores.dtype} {list(scores.shape)}"
        )


def _check_answer(
    answer: np.ndarray, histories: Histories, k: int, books: int, first_row: int
) -> None:
    """Raises ValueError where `answer` is not what `Ranker` promises."""
    last_row = first_row + len(histories) - 1
    if not isinstance(answer, np.ndarray):
        raise ValueError(f"the ranker must give a NumPy array, not {type(answer).__name__}")
    if answer.shape != (len(histories), k) or answer.dtype != np.int32:
        raise ValueError(
            f"the ranker must give int32 [{len(histories)}, {k}] for reader rows "
            f"{first_row}..{last_row}, not {answer.dtype} {list(answer.shape)}"
        )

    def refuse(wrong: np.ndarray, what: str) -> None:
        rows = wrong.any(axis=1)
        if rows.any():
            row = int(rows.argmax())
            raise ValueError(
                f"the ranker gave reader row {first_row + row} {what}: {answer[row].tolist()}"
            )

    refuse((answer < 0) | (answer > books), f"an id outside 0..{books}")
    refuse((answer[:, :-1] == 0) & (answer[:, 1:] != 0), "a book after the padding")
    refuse(has_duplicate(answer)[:, None], "the same book twice")
    reader = np.arange(len(histories), dtype=np.int64)
    read = np.repeat(reader, histories.lengths) * (books + 1) + histories.items
    recommended = reader[:, None] * (books + 1) + answer
    refuse(np.isin(recommended, read), "a book of its own history")
