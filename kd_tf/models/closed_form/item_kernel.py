"""Fits an exponential kernel of book vectors to rows of a teacher: a softmax regression a row."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from kd_tf.layers.fake_quantize import fake_quantize
from kd_tf.models.closed_form.parallel import count_threads
from kd_tf.models.closed_form.sparsify import select_top_targets
from kd_tf.progress import Progress

BATCH_SIZE = 500
LEARNING_RATE = 0.03
STEPS = 600
"""What 20 dimensions need; 64 are learnt in a third of it. With 10,000 books 30 epochs."""

QUANTIZATION_START = 0.4
"""Of the steps before the vectors are rounded."""

MAX_SCORES_PER_CHUNK = 500_000
"""Of some rows, 2 MB: a processor's cache holds them through all passes over them."""

_MASKED_BIAS = np.float32(-1e4)


@dataclass(frozen=True)
class ItemKernel:
    """``exp(<table_h, table_i> + target_bias_i + history_bias_h)``.

    Attributes:
        table: float32 [V + 1, d].
        target_bias: float32 [V + 1].
        history_bias: float32 [V + 1], -1e4 for books that nothing is known of.
    """

    table: np.ndarray
    target_bias: np.ndarray
    history_bias: np.ndarray


def fit_item_kernel(
    item_scores: sparse.csr_array,
    *,
    embedding_dim: int,
    num_targets: int,
    steps: int = STEPS,
    bits: int = 8,
    seed: int,
    progress: Progress,
) -> ItemKernel:
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
        steps: Of the training, `ROWS_AT_ONCE` rows each.
        bits: Of a number of the vectors. Below 8 the vectors are rounded row by row in most of
            the training, as in Jacob et al., "Quantization and Training of Neural Networks"
            (2018), and lie on their steps at the end; 8 bits lose nothing that is worth it.
        seed: Draws the first vectors and the order.
        progress: Told of the steps.
    """
    ids, weights = select_top_targets(
        item_scores, min(num_targets, max(item_scores.shape[0] - 2, 1))
    )
    weights = np.maximum(weights, 0)
    ids = np.where(weights > 0, ids, 0)
    mass = weights.sum(axis=1)
    share = weights / np.maximum(mass, 1e-12)[:, None]
    sources = np.flatnonzero(mass > 0)
    random = np.random.default_rng(seed)
    with (
        progress.task(f"item kernel d={embedding_dim}", steps) as advance,
        # The rows are shared among threads; those of BLAS would only get in their way.
        threadpool_limits(1, "blas"),
        ThreadPoolExecutor(count_threads()) as pool,
    ):
        learnt = _KernelTrainer(len(mass), embedding_dim, random, pool)
        left = sources[:0]
        for step in range(steps if len(sources) else 0):
            if bits < 8 and step >= QUANTIZATION_START * steps:
                learnt.quantize = partial(fake_quantize, bits=bits, per_row=True)
            if not len(left):
                left = random.permutation(sources)
            some, left = left[:BATCH_SIZE], left[BATCH_SIZE:]
            rate = LEARNING_RATE * min(1.0, (step + 1) / max(steps / 20, 1))
            rate *= 0.5 * (1 + np.cos(np.pi * (step + 1) / steps)) + 0.003
            loss = learnt.train_step(some, ids[some], share[some], rate)
            advance(1, f"loss {loss:.3f}")
        return learnt.build_kernel(mass)


def compute_gradient(
    table: np.ndarray,
    bias: np.ndarray,
    items: np.ndarray,
    targets: np.ndarray,
    target_probs: np.ndarray,
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Cross-entropy of some rows and its gradient.

    Args:
        table: float32 [V + 1, d].
        bias: float32 [V + 1].
        sources: [n], the rows' books.
        ids: [n, K], a row's targets, 0 is none.
        share: float32 [n, K], their shares, 0 where there is none.

    Returns:
        The mean loss, and the gradients of its sum by the rows' vectors [n, d], by the candidates'
        vectors [V + 1, d] and by their biases [V + 1].
    """
    logits = table[items] @ table.T
    logits += bias
    row = np.arange(len(items))
    real = (targets > 0) & (target_probs > 0)
    owner = np.broadcast_to(row[:, None], targets.shape)[real]
    target = targets[real]
    logits[row, items] = _MASKED_BIAS
    logits[:, 0] = _MASKED_BIAS
    logits -= logits.max(axis=1, keepdims=True)
    chosen = logits[owner, target]
    np.exp(logits, out=logits)
    total = logits.sum(axis=1)
    loss = -float((target_probs[real] * (chosen - np.log(total[owner]))).sum()) / max(len(row), 1)
    # Softmax minus shares, each row times its total, which two small products take out again: a
    # division would be one more pass over the largest array. A row names a book once only.
    logits[owner, target] -= target_probs[real] * total[owner]
    by_row = (1 / total)[:, None]
    return (
        loss,
        (logits @ table) * by_row,
        logits.T @ (table[items] * by_row),
        (logits.T @ by_row)[:, 0],
    )


class _Adam:
    """Adam (Kingma & Ba, 2015)."""

    def __init__(self, value: np.ndarray) -> None:
        self.first_moment, self.second_moment = np.zeros_like(value), np.zeros_like(value)
        self.steps = 0

    def update(self, value: np.ndarray, gradient: np.ndarray, learning_rate: float) -> None:
        self.steps += 1
        self.first_moment = 0.9 * self.first_moment + 0.1 * gradient
        self.second_moment = 0.98 * self.second_moment + 0.02 * gradient * gradient
        size = np.sqrt(self.second_moment / (1 - 0.98**self.steps)) + 1e-7
        value -= np.float32(learning_rate / (1 - 0.9**self.steps)) * self.first_moment / size


class _KernelTrainer:
    """Vectors, biases and Adam's moments.

    Attributes:
        round: What the vectors go through before they are used; the step that makes up for it
            changes the vectors themselves.
    """

    def __init__(
        self,
        num_rows: int,
        embedding_dim: int,
        random: np.random.Generator,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._pool = pool
        self.quantize: Callable[[np.ndarray], np.ndarray] | None = None
        self.table = random.normal(0, 0.3, (num_rows, embedding_dim)).astype(np.float32)
        self.bias = np.zeros(num_rows, np.float32)
        self._table_moments, self._bias_moments = _Adam(self.table), _Adam(self.bias)

    def train_step(
        self, items: np.ndarray, targets: np.ndarray, target_probs: np.ndarray, learning_rate: float
    ) -> float:
        seen = self.table if self.quantize is None else self.quantize(self.table)

        def part(some: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
            return compute_gradient(seen, self.bias, items[some], targets[some], target_probs[some])

        pieces = -(-len(items) * len(self.table) // MAX_SCORES_PER_CHUNK)
        split = np.array_split(np.arange(len(items)), min(pieces, len(items)))
        loss = 0.0
        by_table, by_bias = np.zeros_like(self.table), np.zeros_like(self.bias)
        for some, found in zip(split, self._pool.map(part, split), strict=True):
            loss += found[0] * len(some) / len(items)
            by_table[items[some]] += found[1]  # a book is one row only
            by_table += found[2]
            by_bias += found[3]
        scale = np.float32(20 / len(items))
        self._table_moments.update(self.table, by_table * scale, learning_rate)
        self._bias_moments.update(self.bias, by_bias * scale, learning_rate)
        return loss

    def build_kernel(self, mass: np.ndarray) -> ItemKernel:
        """With the biases of the rows that give each its own mass."""
        if self.quantize is not None:
            self.table = self.quantize(self.table)
        self.bias[0] = _MASKED_BIAS
        history = np.full(len(self.table), _MASKED_BIAS, np.float32)
        for start in range(0, len(self.table), BATCH_SIZE):
            logits = self.table[start : start + BATCH_SIZE] @ self.table.T
            logits += self.bias
            row = np.arange(len(logits))
            logits[row, start + row] = _MASKED_BIAS
            highest = logits.max(axis=1)
            np.exp(logits - highest[:, None], out=logits)
            some = mass[start : start + BATCH_SIZE]
            with np.errstate(divide="ignore"):
                found = np.log(some) - highest - np.log(logits.sum(axis=1))
            history[start : start + BATCH_SIZE] = np.where(some > 0, found, _MASKED_BIAS)
        return ItemKernel(
            self.table, self.bias, np.maximum(history, _MASKED_BIAS).astype(np.float32)
        )
