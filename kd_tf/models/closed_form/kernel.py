"""Fits an exponential kernel of book vectors to rows of a teacher: a softmax regression a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kd_tf.models.closed_form.pruning import strongest_targets
from kd_tf.progress import Progress

ROWS_AT_ONCE = 500
LEARNING_RATE = 0.03
EPOCHS = 30

FULL_SOFTMAX_UP_TO = 30_000
"""Books beyond which a row is told from a sample of the others: the time grows as their square."""

SAMPLED_BOOKS = 6_000
"""How many other books a row is told from in a larger catalogue."""

_NEVER = np.float32(-1e4)


@dataclass(frozen=True)
class Kernel:
    """``exp(<table_h, table_i> + target_bias_i + history_bias_h)``.

    Attributes:
        table: float32 [V + 1, d].
        target_bias: float32 [V + 1].
        history_bias: float32 [V + 1], -1e4 for books that nothing is known of.
    """

    table: np.ndarray
    target_bias: np.ndarray
    history_bias: np.ndarray


def fit_kernel(
    rows: sparse.csr_array,
    *,
    dimensions: int,
    targets: int,
    epochs: int = EPOCHS,
    seed: int,
    progress: Progress,
) -> Kernel:
    """Learns vectors of books from what each book alone makes a teacher recommend.

    For every book h the teacher's `targets` largest weights become a distribution; the softmax
    of <table_h, table_i> + target_bias_i over all other books i is fitted to it by cross-entropy
    (Adam, warm-up and cosine decay). The bias of h then restores the row's own mass. How many
    targets a row keeps matters much, and differs between data sets: choose it by validation.

    Args:
        rows: float32 CSR [V + 1, V + 1], what book h adds to the score of i; only positive
            weights are learnt from.
        dimensions: d.
        targets: At most so many weights a row.
        epochs: Passes over the books.
        seed: Draws the first vectors and the order.
        progress: Told of the epochs.
    """
    ids, weights = strongest_targets(rows, min(targets, max(rows.shape[0] - 2, 1)))
    weights = np.maximum(weights, 0)
    ids = np.where(weights > 0, ids, 0)
    mass = weights.sum(axis=1)
    share = weights / np.maximum(mass, 1e-12)[:, None]
    learnt = _Learner(len(mass), dimensions, np.random.default_rng(seed))
    sources = np.flatnonzero(mass > 0)
    steps = max(epochs * -(-len(sources) // ROWS_AT_ONCE), 1)
    done = 0
    with progress.task(f"item kernel d={dimensions}", epochs) as advance:
        for _ in range(epochs):
            order = learnt.random.permutation(sources)
            loss = 0.0
            for start in range(0, len(order), ROWS_AT_ONCE):
                some = order[start : start + ROWS_AT_ONCE]
                done += 1
                rate = LEARNING_RATE * min(1.0, done / max(steps / 20, 1))
                rate *= 0.5 * (1 + np.cos(np.pi * done / steps)) + 0.003
                loss += learnt.step(some, ids[some], share[some], rate) * len(some)
            advance(1, f"loss {loss / max(len(order), 1):.3f}")
    return learnt.kernel(mass)


def gradient(
    table: np.ndarray,
    bias: np.ndarray,
    sources: np.ndarray,
    columns: np.ndarray,
    ids: np.ndarray,
    share: np.ndarray,
    offsets: np.ndarray | None = None,
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Cross-entropy of some rows and its gradient.

    Args:
        table: float32 [V + 1, d].
        bias: float32 [V + 1].
        sources: [n], the rows' books.
        columns: [m], the books that the softmax runs over; all ids are among them.
        ids: [n, K], a row's targets, 0 is none.
        share: float32 [n, K], their shares, 0 where there is none.
        offsets: float32 [m], added to the logits of columns that are no target of the row: the
            logarithm of how many books a drawn one stands for, and minus infinity, nearly, for
            one that was not drawn and is there as a target of another row.

    Returns:
        The mean loss, and the gradients of its sum by the rows' vectors [n, d], by the columns'
        vectors [m, d] and by the columns' biases [m].
    """
    place = np.full(len(table), -1, np.int32)
    place[columns] = np.arange(len(columns), dtype=np.int32)
    logits = table[sources] @ table[columns].T
    logits += bias[columns]
    row = np.arange(len(sources))
    at = place[ids]
    real = (ids > 0) & (share > 0)
    owner = np.broadcast_to(row[:, None], ids.shape)[real]
    target = at[real]
    if offsets is not None:
        own = logits[owner, target]
        logits += offsets
        logits[owner, target] = own
    itself = place[sources]
    inside = itself >= 0
    logits[row[inside], itself[inside]] = _NEVER
    if columns[0] == 0:
        logits[:, 0] = _NEVER
    logits -= logits.max(axis=1, keepdims=True)
    chosen = logits[owner, target]
    np.exp(logits, out=logits)
    total = logits.sum(axis=1, keepdims=True)
    loss = -float((share[real] * (chosen - np.log(total[owner, 0]))).sum()) / max(len(row), 1)
    logits /= total
    # A row may name a book once only, so plain subtraction is enough.
    logits[owner, target] -= share[real]
    return loss, logits @ table[columns], logits.T @ table[sources], logits.sum(axis=0)


class _Adam:
    """Adam (Kingma & Ba, 2015) that leaves untouched rows and their moments alone."""

    def __init__(self, value: np.ndarray) -> None:
        self.first, self.second = np.zeros_like(value), np.zeros_like(value)
        self.steps = 0

    def step(
        self, value: np.ndarray, by: np.ndarray, rate: float, touched: np.ndarray | slice
    ) -> None:
        self.steps += 1
        by = by[touched]
        self.first[touched] = first = 0.9 * self.first[touched] + 0.1 * by
        self.second[touched] = second = 0.98 * self.second[touched] + 0.02 * by * by
        size = np.sqrt(second / (1 - 0.98**self.steps)) + 1e-7
        value[touched] -= np.float32(rate / (1 - 0.9**self.steps)) * first / size


class _Learner:
    """Vectors, biases and Adam's moments."""

    def __init__(self, rows: int, dimensions: int, random: np.random.Generator) -> None:
        self.random = random
        self.table = random.normal(0, 0.3, (rows, dimensions)).astype(np.float32)
        self.bias = np.zeros(rows, np.float32)
        self._table_moments, self._bias_moments = _Adam(self.table), _Adam(self.bias)

    def step(self, sources: np.ndarray, ids: np.ndarray, share: np.ndarray, rate: float) -> float:
        rows = len(self.table)
        if rows <= FULL_SOFTMAX_UP_TO:
            columns, offsets = np.arange(rows), None
        else:
            drawn = np.sort(self.random.choice(rows - 1, SAMPLED_BOOKS, replace=False) + 1)
            columns = np.union1d(drawn, ids[ids > 0])
            stands_for = np.float32(np.log((rows - 1) / SAMPLED_BOOKS))
            offsets = np.where(np.isin(columns, drawn), stands_for, _NEVER).astype(np.float32)
        loss, by_source, by_column, by_bias = gradient(
            self.table, self.bias, sources, columns, ids, share, offsets
        )
        by_table = np.zeros((rows, self.table.shape[1]), np.float32)
        by_table[columns] = by_column
        np.add.at(by_table, sources, by_source)
        touched = np.union1d(columns, sources) if offsets is not None else slice(None)
        scale = np.float32(20 / len(sources))
        whole = np.zeros(rows, np.float32)
        whole[columns] = by_bias
        self._table_moments.step(self.table, by_table * scale, rate, touched)
        self._bias_moments.step(self.bias, whole * scale, rate, touched)
        return loss

    def kernel(self, mass: np.ndarray) -> Kernel:
        """With the biases of the rows that give each its own mass."""
        self.bias[0] = _NEVER
        history = np.full(len(self.table), _NEVER, np.float32)
        for start in range(0, len(self.table), ROWS_AT_ONCE):
            logits = self.table[start : start + ROWS_AT_ONCE] @ self.table.T
            logits += self.bias
            row = np.arange(len(logits))
            logits[row, start + row] = _NEVER
            highest = logits.max(axis=1)
            np.exp(logits - highest[:, None], out=logits)
            some = mass[start : start + ROWS_AT_ONCE]
            with np.errstate(divide="ignore"):
                found = np.log(some) - highest - np.log(logits.sum(axis=1))
            history[start : start + ROWS_AT_ONCE] = np.where(some > 0, found, _NEVER)
        return Kernel(self.table, self.bias, np.maximum(history, _NEVER).astype(np.float32))
