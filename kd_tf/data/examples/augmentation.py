"""More histories to ask a teacher about than readers have: thinned and blended ones."""

from __future__ import annotations

import numpy as np

from kd_tf.data.examples.sequences import Examples

ITEM_DROPOUT_RATE = 0.3
"""Share of the books that `augmented` takes out of a thinned history."""


def augment(
    examples: Examples,
    *,
    dropout_share: float = 0.0,
    mixup_share: float = 0.0,
    seed: int,
) -> Examples:
    """The same examples, and behind them in every pass histories that nobody has.

    A teacher can say what would follow from any history, so a student may learn from more of
    them than there are readers. What was added has no targets: the loss of the readers' own books
    is 0 there, and only what the teacher says is learnt. Rows are added to every pass, and not as
    passes of their own, so that every batch holds some: an epoch of nothing but such histories
    would pull the student away from the readers and back. The mean hard loss of a batch falls
    with the share of its rows that have none; alpha has to make up for that.

    Args:
        examples: Of histories of books; numbers of readers cannot be thinned or blended.
        thinned_share: From 0 to 1: how many thinned histories to add, as a share of the readers;
            which ones is drawn for every pass.
        blended_share: The same of blended ones.
        seed: Draws everything.

    Returns:
        [passes, readers + added, ...]; the given examples stand first.

    Raises:
        ValueError: A share is out of range.
    """
    for name, share in (("thinned_share", dropout_share), ("blended_share", mixup_share)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} must be from 0 to 1, not {share}")
    every = [examples]
    if dropout_share:
        every.append(
            _sample_rows(apply_item_dropout(examples, ITEM_DROPOUT_RATE, seed), dropout_share, seed)
        )
    if mixup_share:
        every.append(_sample_rows(apply_mixup(examples, seed), mixup_share, seed))
    return Examples(
        np.concatenate([one.history for one in every], axis=1),
        np.concatenate([one.targets for one in every], axis=1),
    )


def apply_item_dropout(examples: Examples, rate: float, seed: int) -> Examples:
    """Histories with some books left out, without targets.

    As the item mask and crop of Xie et al., "Contrastive Learning for Sequential Recommendation"
    (CL4SRec, ICDE 2022), but what is left moves together: a missing book leaves no trace.

    Args:
        examples: What to thin.
        share: From 0 to below 1: with which probability a book is left out. One is always kept;
            empty histories stay empty.
        seed: Draws them.

    Returns:
        One history for each, in the same order.

    Raises:
        ValueError: The share is out of range.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"share must be from 0 to below 1, not {rate}")
    random = np.random.default_rng(seed)
    return _drop_targets(
        examples,
        [_pack_rows(rows, _sample_item_mask(rows, rate, random)) for rows in examples.history],
    )


def apply_mixup(examples: Examples, seed: int) -> Examples:
    """Histories of two readers in one, about half of the books of each, without targets.

    What mixup does with images and labels: Zhang, Cisse, Dauphin & Lopez-Paz, "mixup: Beyond
    Empirical Risk Minimization" (ICLR 2018). A history cannot be averaged, so its books are
    drawn, and the label is what the teacher says of the blend.

    Each reader's books keep their order; those of both are merged by their place in their own
    history, so that what was newest to either stands near the end. Of more than L books the
    newest L are kept, and a book of both stands once. Within a pass every reader is the second of
    exactly one blend, another reader's unless there is one reader only.

    Args:
        examples: What to blend.
        seed: Draws partners and books.

    Returns:
        One blend for each, in the same order.
    """
    random = np.random.default_rng(seed)
    return _drop_targets(examples, [_mix_pairs(rows, random) for rows in examples.history])


def _mix_pairs(rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
    order = random.permutation(len(rows))
    partner = np.empty_like(order)
    partner[order] = np.roll(order, 1)
    both = np.concatenate([rows, rows[partner]], axis=1)
    kept = np.concatenate(
        [_sample_item_mask(rows, 0.5, random), _sample_item_mask(rows[partner], 0.5, random)],
        axis=1,
    )
    kept &= _mark_first_occurrences(np.where(kept, both, 0))
    # Where in its own history a book stands, from 0 (oldest) to 1 (newest).
    place = (np.arange(rows.shape[1]) + 0.5) / np.maximum((rows > 0).sum(axis=1, keepdims=True), 1)
    merged = np.argsort(np.concatenate([place, place[partner]], axis=1), axis=1, kind="stable")
    both, kept = np.take_along_axis(both, merged, axis=1), np.take_along_axis(kept, merged, axis=1)
    kept &= np.cumsum(kept[:, ::-1], axis=1)[:, ::-1] <= rows.shape[1]
    return _pack_rows(both, kept)[:, : rows.shape[1]]


def _sample_item_mask(rows: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """bool like `rows`: books that stay when each goes with probability `share`, at least one."""
    luck = np.where(rows > 0, random.random(rows.shape, np.float32), -1)
    return (rows > 0) & ((luck >= share) | (luck == luck.max(axis=1, keepdims=True)))


def _mark_first_occurrences(rows: np.ndarray) -> np.ndarray:
    """bool like `rows`: where a book stands for the first time in its row."""
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    first = np.empty(rows.shape, bool)
    new = np.diff(ordered, axis=1, prepend=-1) != 0
    np.put_along_axis(first, order, new, axis=1)
    return first


def _pack_rows(rows: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`rows` with only what is `kept`, in order, padded with 0 at the end."""
    order = np.argsort(~mask, axis=1, kind="stable")
    return np.take_along_axis(np.where(mask, rows, 0), order, axis=1)


def _sample_rows(examples: Examples, share: float, seed: int) -> Examples:
    """A share of the rows of every pass, drawn."""
    count = round(share * examples.examples_per_pass)
    luck = np.random.default_rng([seed, count]).random(
        (examples.num_passes, examples.examples_per_pass)
    )
    rows = np.argsort(luck, axis=1)[:, :count, np.newaxis]
    return Examples(
        np.take_along_axis(examples.history, rows, axis=1),
        np.take_along_axis(examples.targets, rows, axis=1),
    )


def _drop_targets(examples: Examples, passes: list[np.ndarray]) -> Examples:
    return Examples(np.stack(passes), np.zeros_like(examples.targets))
