"""Augments training examples with synthetic histories for a teacher to label."""

from __future__ import annotations

import numpy as np

from kd_tf.data.examples.sequences import Examples

ITEM_DROPOUT_RATE = 0.3
"""Share of the items that `augment` removes from a history."""


def augment(
    examples: Examples,
    *,
    dropout_share: float = 0.0,
    mixup_share: float = 0.0,
    seed: int,
) -> Examples:
    """Appends synthetic histories without targets to every pass.

    A teacher can score any history, so a student can learn from more histories than there are
    users. A synthetic history has no targets: its student loss is 0, and only the distillation
    loss counts. The rows are added to every pass, not as passes of their own, so that every batch
    holds some: an epoch of synthetic histories alone would pull the student away from the real
    users and back. The mean student loss of a batch falls with the share of its rows without
    targets; the weight of the student loss has to make up for that.

    Args:
        examples: Examples whose histories hold item ids. Examples that hold user ids
            (`draw_user_id_examples`) cannot be augmented.
        dropout_share: Number of histories with item dropout to add, as a share of the users, 0
            to 1. Each pass draws its own.
        mixup_share: Number of mixed histories to add, as a share of the users, 0 to 1.
        seed: Seed of all draws.

    Returns:
        Examples [passes, users + added, ...]; the original rows come first.

    Raises:
        ValueError: A share is out of range.
    """
    for name, share in (("dropout_share", dropout_share), ("mixup_share", mixup_share)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} must be from 0 to 1, not {share}")
    parts = [examples]
    if dropout_share:
        parts.append(
            _sample_rows(apply_item_dropout(examples, ITEM_DROPOUT_RATE, seed), dropout_share, seed)
        )
    if mixup_share:
        parts.append(_sample_rows(apply_mixup(examples, seed), mixup_share, seed))
    history = np.concatenate([part.history for part in parts], axis=1)
    users = examples.users
    if users is not None:
        users = np.pad(users, (0, history.shape[1] - len(users)), constant_values=-1)
    return Examples(history, np.concatenate([part.targets for part in parts], axis=1), users)


def apply_item_dropout(examples: Examples, rate: float, seed: int) -> Examples:
    """Removes random items from every history and drops the targets.

    Like item mask and crop in Xie et al., "Contrastive Learning for Sequential Recommendation"
    (CL4SRec, ICDE 2022), but the remaining items move together, so a removed item leaves no gap.

    Args:
        examples: Examples to change.
        rate: Probability with which an item is removed, 0 to below 1. At least one item stays;
            empty histories stay empty.
        seed: Seed of the draws.

    Returns:
        Examples of the same shape, in the same order, with all targets 0.

    Raises:
        ValueError: `rate` is out of range.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"rate must be from 0 to below 1, not {rate}")
    random = np.random.default_rng(seed)
    return _drop_targets(
        examples,
        [_pack_rows(rows, _sample_item_mask(rows, rate, random)) for rows in examples.history],
    )


def apply_mixup(examples: Examples, seed: int) -> Examples:
    """Mixes pairs of histories, about half of the items of each, and drops the targets.

    Mixup for sequences, after Zhang, Cisse, Dauphin & Lopez-Paz, "mixup: Beyond Empirical Risk
    Minimization" (ICLR 2018). Histories cannot be averaged, so items are sampled from both, and
    the label is what the teacher scores for the mixture.

    The items of each user keep their order. Both histories are merged by relative position, so
    that the newest items of either user come near the end. Of more than L items the newest L are
    kept, and an item of both users occurs once. Within a pass every user is the second partner of
    exactly one mixture, with another user unless there is only one.

    Args:
        examples: Examples to mix.
        seed: Seed of partners and items.

    Returns:
        Examples of the same shape, in the same order, with all targets 0.
    """
    random = np.random.default_rng(seed)
    return _drop_targets(examples, [_mix_pairs(rows, random) for rows in examples.history])


def _mix_pairs(rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Mixes each row of int32 [users, L] with a random partner."""
    order = random.permutation(len(rows))
    partner = np.empty_like(order)
    partner[order] = np.roll(order, 1)
    both = np.concatenate([rows, rows[partner]], axis=1)
    mask = np.concatenate(
        [_sample_item_mask(rows, 0.5, random), _sample_item_mask(rows[partner], 0.5, random)],
        axis=1,
    )
    mask &= _mark_first_occurrences(np.where(mask, both, 0))
    # Relative position of an item in its own history, from 0 (oldest) to 1 (newest).
    place = (np.arange(rows.shape[1]) + 0.5) / np.maximum((rows > 0).sum(axis=1, keepdims=True), 1)
    merged_order = np.argsort(
        np.concatenate([place, place[partner]], axis=1), axis=1, kind="stable"
    )
    both, mask = (
        np.take_along_axis(both, merged_order, axis=1),
        np.take_along_axis(mask, merged_order, axis=1),
    )
    mask &= np.cumsum(mask[:, ::-1], axis=1)[:, ::-1] <= rows.shape[1]
    return _pack_rows(both, mask)[:, : rows.shape[1]]


def _sample_item_mask(rows: np.ndarray, rate: float, random: np.random.Generator) -> np.ndarray:
    """Returns a bool mask like `rows` of the items that stay; at least one a row does."""
    draws = np.where(rows > 0, random.random(rows.shape, np.float32), -1)
    is_highest = draws == draws.max(axis=1, keepdims=True)
    return np.asarray((rows > 0) & ((draws >= rate) | is_highest))


def _mark_first_occurrences(rows: np.ndarray) -> np.ndarray:
    """Returns a bool mask like `rows`: true where an id occurs for the first time in its row."""
    order = np.argsort(rows, axis=1, kind="stable")
    ordered_rows = np.take_along_axis(rows, order, axis=1)
    first = np.empty(rows.shape, bool)
    is_new = np.diff(ordered_rows, axis=1, prepend=-1) != 0
    np.put_along_axis(first, order, is_new, axis=1)
    return first


def _pack_rows(rows: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Moves the masked items of each row to the front, in order, and pads with 0."""
    order = np.argsort(~mask, axis=1, kind="stable")
    return np.take_along_axis(np.where(mask, rows, 0), order, axis=1)


def _sample_rows(examples: Examples, share: float, seed: int) -> Examples:
    """Samples a share of the rows of every pass, without replacement."""
    count = round(share * examples.examples_per_pass)
    draws = np.random.default_rng([seed, count]).random(
        (examples.num_passes, examples.examples_per_pass)
    )
    rows = np.argsort(draws, axis=1)[:, :count, np.newaxis]
    return Examples(
        np.take_along_axis(examples.history, rows, axis=1),
        np.take_along_axis(examples.targets, rows, axis=1),
    )


def _drop_targets(examples: Examples, passes: list[np.ndarray]) -> Examples:
    """Builds examples of these histories with all targets 0."""
    return Examples(np.stack(passes), np.zeros_like(examples.targets))
