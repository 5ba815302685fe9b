"""Judging a model on held-out books: every book of the catalogue is ranked, and nothing is believed
before it is checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOut, Split
from kd_tf.evaluate import metrics
from kd_tf.progress import Progress, Silent

Ranker = Callable[[Histories, int], np.ndarray]
"""``rank(histories, k)``: int32 [n, k], ids 1..V best first, never a book of the history and never
a book twice; where fewer than k books can be named the row ends in zeros."""


@dataclass(frozen=True)
class Evaluation:
    """The figures of one model on one set of readers.

    Attributes:
        per_reader: float64 [n] by name (``"ndcg@10"``), in the order of the held-out readers:
            what two models are compared on (`kd_tf.evaluate.comparison`).
        overall: One number by name: the means of `per_reader`, and coverage, diversity, novelty.
    """

    per_reader: dict[str, np.ndarray]
    overall: dict[str, float]


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
    rank: Ranker,
    held_out: HeldOut,
    training: TrainingStatistics,
    *,
    ks: Sequence[int] = (10, 20),
    batch: int = 512,
    progress: Progress | None = None,
) -> Evaluation:
    """Ranks the whole catalogue for every held-out reader and measures the lists.

    Args:
        rank: The model.
        held_out: The readers, what the model is shown of them and what it should find.
        training: ``TrainingStatistics.from_split(split)``, made once for all models.
        ks: Cut-offs; `rank` is asked for ``max(ks)`` books.
        batch: How many readers `rank` gets at once.
        progress: Told of every batch.

    Raises:
        ValueError: `rank` broke the promise of `Ranker`, or `held_out` has ids that `training`
            does not know; the message names the reader's row.
    """
    readers = len(held_out.histories)
    if not readers:
        raise ValueError("there are no held-out readers to judge on")
    check_ids(held_out.histories, training.books)
    check_ids(held_out.targets, training.books)
    k = max(ks)
    ranked = np.empty((readers, k), np.int32)
    with (progress or Silent()).task("evaluating", readers) as advance:
        for start in range(0, readers, batch):
            rows = np.arange(start, min(start + batch, readers))
            histories = held_out.histories.take(rows)
            answer = rank(histories, k)
            _check_answer(answer, histories, k, training.books, start)
            ranked[rows] = answer
            advance(len(rows))

    measured = metrics.per_reader(ranked, held_out.targets, ks)
    overall = {}
    for cut in ks:
        for name in metrics.PER_READER:
            overall[f"{name}@{cut}"] = float(measured[f"{name}@{cut}"].mean())
        lists = ranked[:, :cut]
        overall[f"coverage@{cut}"] = metrics.coverage(lists, training.books)
        overall[f"diversity@{cut}"] = metrics.diversity(lists, training.readers_of_book)
        overall[f"novelty@{cut}"] = metrics.novelty(lists, training.popularity, training.readers)
    return Evaluation(measured, overall)


def top_k_excluding(scores: np.ndarray, histories: Histories, k: int) -> np.ndarray:
    """The k best-scored books of each reader, without those of the history.

    Exact, also where scores tie: the lower id comes first. A book scored -inf is never
    recommended.

    Args:
        scores: float32 [b, V + 1], higher is better; column 0 is padding and not looked at but
            for NaN. Left unchanged.
        histories: What the b readers have read.
        k: How many ids a row, at least 1; may be more than V.

    Returns:
        int32 [b, k], best first, ending in zeros where fewer than k books are left.

    Raises:
        ValueError: Shapes do not fit, a history holds an id outside 1..V, or a score is NaN.
    """
    if scores.ndim != 2 or len(scores) != len(histories):
        raise ValueError(f"scores {list(scores.shape)} do not fit {len(histories)} histories")
    if not np.issubdtype(scores.dtype, np.floating):
        raise ValueError(f"scores must be float32, not {scores.dtype}")
    if k < 1:
        raise ValueError(f"k must be 1 or more, not {k}")
    rows, columns = scores.shape
    is_nan = np.isnan(scores)
    if is_nan.any():
        row, book = (int(index[0]) for index in np.nonzero(is_nan))
        raise ValueError(f"the score of book {book} in reader row {row} is NaN")
    check_ids(histories, columns - 1)

    left = scores.copy()
    left[:, 0] = -np.inf
    left[np.repeat(np.arange(rows), histories.lengths), histories.items] = -np.inf
    best = np.zeros((rows, k), np.int32)
    width = min(k, columns - 1)
    if not rows or not width:
        return best
    # The partition gives the k-th best score but breaks ties as it likes, so it only serves as
    # a threshold: all above it are in, and those equal to it fill up from the lowest id.
    threshold = np.partition(left, columns - width, axis=1)[:, columns - width, None]
    chosen = left >= threshold
    crowded = np.flatnonzero(chosen.sum(axis=1) > width)
    above = left[crowded] > threshold[crowded]
    equal = left[crowded] == threshold[crowded]
    room = width - above.sum(axis=1, keepdims=True)
    chosen[crowded] = above | (equal & (np.cumsum(equal, axis=1) <= room))

    ids = np.nonzero(chosen)[1].reshape(rows, width)  # ascending in each row
    score = np.take_along_axis(left, ids, axis=1)
    order = np.argsort(-score, axis=1, kind="stable")
    ids, score = np.take_along_axis(ids, order, axis=1), np.take_along_axis(score, order, axis=1)
    best[:, :width] = np.where(score == -np.inf, 0, ids)
    return best


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
    refuse(metrics.has_duplicate(answer)[:, None], "the same book twice")
    reader = np.arange(len(histories), dtype=np.int64)
    read = np.repeat(reader, histories.lengths) * (books + 1) + histories.items
    recommended = reader[:, None] * (books + 1) + answer
    refuse(np.isin(recommended, read), "a book of its own history")


def check_ids(histories: Histories, books: int) -> None:
    """Raises ValueError, with the reader's row in it, where an id is outside 1..`books`."""
    outside = (histories.items < 1) | (histories.items > books)
    if outside.any():
        position = int(outside.argmax())
        row = int(np.searchsorted(histories.offsets, position, side="right")) - 1
        raise ValueError(
            f"reader row {row} holds the id {histories.items[position]}, outside 1..{books}"
        )
