"""Fits an exponential kernel of item embeddings to a teacher's item-item scores.

Every row of the teacher's matrix is one softmax regression.
"""

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
"""Rows of the teacher's matrix in a training step."""

LEARNING_RATE = 0.03
STEPS = 600
"""Enough for 20 dimensions; 64 need a third of it. With 10,000 items this is 30 epochs."""

QUANTIZATION_START = 0.4
"""Share of the steps after which the embeddings are fake-quantized."""

MAX_SCORES_PER_CHUNK = 500_000
"""Scores that one thread computes together: 2 MB stay in the CPU cache during all passes."""

_MASKED_BIAS = np.float32(-1e4)


@dataclass(frozen=True)
class ItemKernel:
    """The kernel ``exp(<table_h, table_i> + target_bias_i + history_bias_h)``.

    Attributes:
        table: float32 [V + 1, d], the item embeddings.
        target_bias: float32 [V + 1], biases of the scored items.
        history_bias: float32 [V + 1], biases of the items in the history; -1e4 for items that the
            teacher has no scores for.
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
    """Fits item embeddings to what a teacher recommends for each single item.

    For every item h the teacher's `num_targets` largest weights become a distribution. The softmax
    of <table_h, table_i> + target_bias_i over all other items i is fitted to it by cross-entropy
    (Adam with warm-up and cosine decay). The bias of h then restores the sum of the row. The best
    number of targets differs much between data sets: choose it on validation users.

    Args:
        item_scores: float32 CSR [V + 1, V + 1], what item h adds to the score of item i; weights
            of 0 or below are ignored.
        embedding_dim: d.
        num_targets: Maximum number of weights used from a row.
        steps: Training steps of `BATCH_SIZE` rows each.
        bits: Bits of a stored embedding value. Below 8 the embeddings are fake-quantized row by
            row during most of the training, as in Jacob et al., "Quantization and Training of
            Neural Networks" (2018), and lie on the quantization grid at the end. 8 bits lose too
            little to need it.
        seed: Seed of the initial embeddings and of the order of the rows.
        progress: Reports progress per step.

    Returns:
        The fitted kernel.
    """
    targets, weights = select_top_targets(
        item_scores, min(num_targets, max(item_scores.shape[0] - 2, 1))
    )
    weights = np.maximum(weights, 0)
    targets = np.where(weights > 0, targets, 0)
    row_sums = weights.sum(axis=1)
    target_probs = weights / np.maximum(row_sums, 1e-12)[:, None]
    trainable_items = np.flatnonzero(row_sums > 0)
    rng = np.random.default_rng(seed)
    with (
        progress.task(f"item kernel d={embedding_dim}", steps) as advance,
        # The chunks run in threads already: more threads in BLAS would only slow them down.
        threadpool_limits(1, "blas"),
        ThreadPoolExecutor(count_threads()) as pool,
    ):
        trainer = _KernelTrainer(len(row_sums), embedding_dim, rng, pool)
        remaining = trainable_items[:0]
        for step in range(steps if len(trainable_items) else 0):
            if bits < 8 and step >= QUANTIZATION_START * steps:
                trainer.quantize = partial(fake_quantize, bits=bits, per_row=True)
            if not len(remaining):
                remaining = rng.permutation(trainable_items)
            batch, remaining = remaining[:BATCH_SIZE], remaining[BATCH_SIZE:]
            learning_rate = LEARNING_RATE * min(1.0, (step + 1) / max(steps / 20, 1))
            learning_rate *= 0.5 * (1 + np.cos(np.pi * (step + 1) / steps)) + 0.003
            loss = trainer.train_step(batch, targets[batch], target_probs[batch], learning_rate)
            advance(1, f"loss {loss:.3f}")
        return trainer.build_kernel(row_sums)


def compute_gradient(
    table: np.ndarray,
    bias: np.ndarray,
    items: np.ndarray,
    targets: np.ndarray,
    target_probs: np.ndarray,
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Computes the cross-entropy of some rows and its gradient.

    Args:
        table: float32 [V + 1, d].
        bias: float32 [V + 1].
        items: [n], the item of each row, without duplicates.
        targets: [n, K], the target ids of each row, 0 is padding.
        target_probs: float32 [n, K], the target distribution, 0 for padding.

    Returns:
        The mean loss, and the gradients of the summed loss with respect to the embeddings of the
        rows [n, d], the embeddings of the targets [V + 1, d] and the biases [V + 1].
    """
    logits = table[items] @ table.T
    logits += bias
    row = np.arange(len(items))
    is_target = (targets > 0) & (target_probs > 0)
    target_row = np.broadcast_to(row[:, None], targets.shape)[is_target]
    target = targets[is_target]
    probs = target_probs[is_target]
    logits[row, items] = _MASKED_BIAS
    logits[:, 0] = _MASKED_BIAS
    logits -= logits.max(axis=1, keepdims=True)
    target_logits = logits[target_row, target]
    np.exp(logits, out=logits)
    total = logits.sum(axis=1)
    loss = -float((probs * (target_logits - np.log(total[target_row]))).sum()) / max(len(row), 1)
    # (softmax - target distribution) times the row total, which the two small products below
    # divide out: dividing here would be one more pass over the largest array. This relies on a row
    # naming each target only once.
    logits[target_row, target] -= probs * total[target_row]
    inverse_total = (1 / total)[:, None]
    return (
        loss,
        (logits @ table) * inverse_total,
        logits.T @ (table[items] * inverse_total),
        (logits.T @ inverse_total)[:, 0],
    )


class _Adam:
    """The moments of Adam (Kingma & Ba, 2015) for one array."""

    def __init__(self, value: np.ndarray) -> None:
        self.first_moment, self.second_moment = np.zeros_like(value), np.zeros_like(value)
        self.steps = 0

    def update(self, value: np.ndarray, gradient: np.ndarray, learning_rate: float) -> None:
        """Updates `value` in place."""
        self.steps += 1
        self.first_moment = 0.9 * self.first_moment + 0.1 * gradient
        self.second_moment = 0.98 * self.second_moment + 0.02 * gradient * gradient
        size = np.sqrt(self.second_moment / (1 - 0.98**self.steps)) + 1e-7
        value -= np.float32(learning_rate / (1 - 0.9**self.steps)) * self.first_moment / size


class _KernelTrainer:
    """Trains the embeddings and target biases of a kernel with Adam.

    Attributes:
        quantize: Fake quantization of the embeddings in the forward pass, None for exact ones. The
            gradient is applied to the exact embeddings (straight-through estimator).
    """

    def __init__(
        self,
        num_rows: int,
        embedding_dim: int,
        rng: np.random.Generator,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._pool = pool
        self.quantize: Callable[[np.ndarray], np.ndarray] | None = None
        self.table = rng.normal(0, 0.3, (num_rows, embedding_dim)).astype(np.float32)
        self.bias = np.zeros(num_rows, np.float32)
        self._table_adam, self._bias_adam = _Adam(self.table), _Adam(self.bias)

    def train_step(
        self, items: np.ndarray, targets: np.ndarray, target_probs: np.ndarray, learning_rate: float
    ) -> float:
        """Trains on a batch of rows, as in `compute_gradient`, and returns the mean loss."""
        table = self.table if self.quantize is None else self.quantize(self.table)

        def compute_chunk(chunk: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
            return compute_gradient(
                table, self.bias, items[chunk], targets[chunk], target_probs[chunk]
            )

        num_chunks = -(-len(items) * len(self.table) // MAX_SCORES_PER_CHUNK)
        chunks = np.array_split(np.arange(len(items)), min(num_chunks, len(items)))
        loss = 0.0
        table_gradient, bias_gradient = np.zeros_like(self.table), np.zeros_like(self.bias)
        for chunk, (chunk_loss, by_row, by_target, by_bias) in zip(
            chunks, self._pool.map(compute_chunk, chunks), strict=True
        ):
            loss += chunk_loss * len(chunk) / len(items)
            table_gradient[items[chunk]] += by_row  # safe: an item has one row only
            table_gradient += by_target
            bias_gradient += by_bias
        scale = np.float32(20 / len(items))
        self._table_adam.update(self.table, table_gradient * scale, learning_rate)
        self._bias_adam.update(self.bias, bias_gradient * scale, learning_rate)
        return loss

    def build_kernel(self, row_sums: np.ndarray) -> ItemKernel:
        """Builds the kernel, with the history biases that give each row its own sum.

        Args:
            row_sums: float32 [V + 1], the sum of each row of the teacher's weights.
        """
        if self.quantize is not None:
            self.table = self.quantize(self.table)
        self.bias[0] = _MASKED_BIAS
        history_bias = np.full(len(self.table), _MASKED_BIAS, np.float32)
        for start in range(0, len(self.table), BATCH_SIZE):
            logits = self.table[start : start + BATCH_SIZE] @ self.table.T
            logits += self.bias
            row = np.arange(len(logits))
            logits[row, start + row] = _MASKED_BIAS
            highest = logits.max(axis=1)
            np.exp(logits - highest[:, None], out=logits)
            sums = row_sums[start : start + BATCH_SIZE]
            with np.errstate(divide="ignore"):
                bias = np.log(sums) - highest - np.log(logits.sum(axis=1))
            history_bias[start : start + BATCH_SIZE] = np.where(sums > 0, bias, _MASKED_BIAS)
        return ItemKernel(
            self.table, self.bias, np.maximum(history_bias, _MASKED_BIAS).astype(np.float32)
        )
