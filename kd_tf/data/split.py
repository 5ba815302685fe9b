"""Train, validation and test split: its users and their held-out items."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.data.catalog import Catalog
from kd_tf.data.features.content import ContentFeatures
from kd_tf.data.histories import Histories, from_lists
from kd_tf.errors import UserError
from kd_tf.npz import read_npz, write_npz

_VERSION = 4


@dataclass(frozen=True)
class HeldOutSet:
    """Users to evaluate on: their input histories and held-out target items.

    Attributes:
        histories: Input histories of the model; a history may be empty.
        targets: The held-out items of the same users, at least one each.
        users: int32 [n], user indices as in `Interactions`.
        seen_items: Items to mask: seen by the user, but neither input nor target. For example
            the validation items during the test, where a protocol does not show them to the
            model. None where there are none.
        cold_items: int32 [c], the items of the targets that have no training interaction by the
            protocol, ascending; None under protocols that hide none.
        candidate_items: int32 [c], the only items that are ranked; None to rank all.
        train: The training set of the split, which some metrics need; set by `Split`.

    Example:
        >>> import numpy as np
        >>> from kd_tf.data.histories import from_lists
        >>> held_out = HeldOutSet(
        ...     from_lists([[1, 2], [3]]), targets=from_lists([[4], [1]]), users=np.array([5, 7])
        ... )
        >>> held_out.histories.users.tolist()
        [5, 7]
    """

    histories: Histories
    targets: Histories
    users: np.ndarray
    seen_items: Histories | None = None
    cold_items: np.ndarray | None = None
    candidate_items: np.ndarray | None = None
    train: TrainingSet | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "histories", replace(self.histories, users=self.users))

    def select_cold_items(self) -> HeldOutSet:
        """Returns the users with cold targets, whose cold targets are ranked among cold items.

        Their other targets become the end of their histories: nothing asks for them here.

        Raises:
            UserError: The protocol hides no items.
        """
        if self.cold_items is None:
            raise UserError(
                "there are no cold items to rank",
                hint="Candidates cold need the protocol cold-items.",
            )
        is_cold = np.isin(self.targets.items, self.cold_items)
        targets = self.targets.keep(is_cold)
        histories = self.histories.join(self.targets.keep(~is_cold))
        rows = np.flatnonzero(targets.lengths)
        return replace(
            self,
            histories=histories.take(rows),
            targets=targets.take(rows),
            users=self.users[rows],
            seen_items=None if self.seen_items is None else self.seen_items.take(rows),
            candidate_items=self.cold_items,
        )

    @classmethod
    def empty(cls) -> HeldOutSet:
        """Returns a set without users."""
        return cls(from_lists([]), from_lists([]), np.empty(0, np.int32))


@dataclass(frozen=True, repr=False)
class TrainingSet(Histories):
    """Histories to train on, with what every model needs to know of them: ``split.train``.

    Attributes:
        num_items: V.
        seed: Seed of the split; whatever a model draws at random is drawn by it.
        chronological: Whether the histories are in the order of reading. Otherwise a model
            learns nothing from their order.
        low_rated: Items that the training users rated below the limit, or None. They show which
            items occur together, and are never a target.
        catalog: The items, for models that use their metadata; None where unknown.
        content: What the items are about, for models that recommend new ones; None where unknown.
        friendships: int32 [m, 2], pairs of user indices, those of held-out users included, the
            lower first, each pair once; None where unknown.

    Example:
        >>> import kd_tf as kd
        >>> split = kd.split(kd.data.bookshop(items=60, users=80, seed=1), seed=1)
        >>> split.train.num_items, split.train.chronological
        (60, True)
    """

    num_items: int = 0
    seed: int = 0
    chronological: bool = False
    low_rated: Histories | None = None
    catalog: Catalog | None = None
    content: ContentFeatures | None = None
    friendships: np.ndarray | None = None

    def __repr__(self) -> str:
        return f"<TrainingSet: {len(self):,} users, {self.num_items:,} items>"

    def popularity(self) -> np.ndarray:
        """Counts the training interactions of each item: int64 [V + 1]; index 0 is padding."""
        return np.bincount(self.items, minlength=self.num_items + 1)


def to_training_set(histories: Histories, num_items: int) -> TrainingSet:
    """Returns histories as a `TrainingSet`; those that are one already are returned as they are.

    Raises:
        ValueError: They are a training set of another number of items, or hold an id above V.
    """
    if isinstance(histories, TrainingSet):
        if histories.num_items != num_items:
            raise ValueError(
                f"the histories have {histories.num_items} items, the model has {num_items}: use "
                "the split that the model was made for"
            )
        return histories
    if len(histories.items) and int(histories.items.max()) > num_items:
        raise ValueError(
            f"the histories hold item {int(histories.items.max())}, the model has {num_items} items"
        )
    return TrainingSet(
        histories.items,
        histories.offsets,
        histories.weights,
        histories.users,
        num_items=num_items,
    )


@dataclass(frozen=True, repr=False)
class Split:
    """A data set, split into training, validation and test.

    Attributes:
        train: Histories to train on, as a `TrainingSet`.
        train_users: int32 [n], user indices as in `Interactions`.
        validation: Held-out users or items for early stopping and model selection.
        test: Held-out users or items for the final metrics only.
        protocol: Name of the split protocol, for tables.
        seed: Seed that drew the users and the held-out items.
        num_items: V.
        notes: Notes for the user about the split, one sentence each.
        low_rated: Items that the training users rated below the limit, or None. They show which
            items occur together, and are never a target.
        chronological: Whether the interactions have timestamps, so that histories are in the
            order of reading.
        catalog: The items; not saved with the split.
        content: What the items are about; not saved with the split.
        friendships: Who is a friend of whom, as in `TrainingSet`; None where unknown.

    Example:
        >>> from kd_tf.data.splits.unseen_users import split_unseen_users
        >>> from kd_tf.data.synthetic.bookshop import generate_bookshop
        >>> dataset = generate_bookshop(num_items=100, num_users=50)
        >>> split = split_unseen_users(dataset.interactions, test_users=10, validation_users=5)
        >>> len(split.train), len(split.validation.histories), len(split.test.histories)
        (35, 5, 10)
        >>> split.protocol
        'unseen-users'
    """

    train: Histories
    train_users: np.ndarray
    validation: HeldOutSet
    test: HeldOutSet
    protocol: str
    seed: int
    num_items: int
    notes: tuple[str, ...] = ()
    low_rated: Histories | None = None
    chronological: bool = False
    catalog: Catalog | None = None
    content: ContentFeatures | None = None
    friendships: np.ndarray | None = None

    def __post_init__(self) -> None:
        train = TrainingSet(
            self.train.items,
            self.train.offsets,
            self.train.weights,
            self.train_users,
            num_items=self.num_items,
            seed=self.seed,
            chronological=self.chronological,
            low_rated=self.low_rated,
            catalog=self.catalog,
            content=self.content,
            friendships=self.friendships,
        )
        object.__setattr__(self, "train", train)
        for name in ("validation", "test"):
            held_out = replace(getattr(self, name), train=train)
            object.__setattr__(self, name, held_out)

    def __repr__(self) -> str:
        return (
            f"<Split {self.protocol!r}: {len(self.train):,} training users, "
            f"{len(self.validation.users):,} validation, {len(self.test.users):,} test, "
            f"{self.num_items:,} items>"
        )

    def popularity(self) -> np.ndarray:
        """Counts the training interactions of each item: int64 [V + 1]; index 0 is padding."""
        return to_training_set(self.train, self.num_items).popularity()

    def renumber_items(self, new_ids: np.ndarray) -> Split:
        """Returns the same split with new item ids.

        Args:
            new_ids: int32 [V + 1], the new id of each item; 0 stays 0.
        """

        def renumber(histories: Histories) -> Histories:
            return replace(histories, items=new_ids[histories.items])

        def renumber_optional(histories: Histories | None) -> Histories | None:
            return None if histories is None else renumber(histories)

        def renumber_ids(ids: np.ndarray | None) -> np.ndarray | None:
            return None if ids is None else np.sort(new_ids[ids])

        def renumber_held_out(held_out: HeldOutSet) -> HeldOutSet:
            return replace(
                held_out,
                histories=renumber(held_out.histories),
                targets=renumber(held_out.targets),
                seen_items=renumber_optional(held_out.seen_items),
                cold_items=renumber_ids(held_out.cold_items),
                candidate_items=renumber_ids(held_out.candidate_items),
            )

        return replace(
            self,
            train=renumber(self.train),
            validation=renumber_held_out(self.validation),
            test=renumber_held_out(self.test),
            low_rated=renumber_optional(self.low_rated),
            # Their rows are in the old order.
            catalog=None,
            content=None,
        )

    def fingerprint(self) -> str:
        """Returns the SHA-256 of all data that metrics depend on; equal splits have equal ones."""
        digest = hashlib.sha256(json.dumps(self._to_metadata(), sort_keys=True).encode())
        for name, array in self._to_arrays().items():
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Writes the split to one .npz file, atomically."""
        metadata = {**self._to_metadata(), "version": _VERSION, "sha256": self.fingerprint()}
        text = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
        write_npz(path, {"metadata": text, **self._to_arrays()}, compress=True)

    def _to_metadata(self) -> dict[str, Any]:
        """Returns the scalar fields, for JSON."""
        return {
            "protocol": self.protocol,
            "seed": self.seed,
            "num_items": self.num_items,
            "chronological": self.chronological,
            "notes": list(self.notes),
        }

    def _to_arrays(self) -> dict[str, np.ndarray]:
        """Returns all arrays by the names that they have in the file."""
        arrays = {"train_users": self.train_users}
        if self.friendships is not None:
            arrays["friendships"] = self.friendships
        parts = {"train": self.train}
        if self.low_rated is not None:
            parts["train_low_rated"] = self.low_rated
        for name, held_out in (("validation", self.validation), ("test", self.test)):
            arrays[f"{name}_users"] = held_out.users
            parts[f"{name}_histories"] = held_out.histories
            parts[f"{name}_targets"] = held_out.targets
            if held_out.seen_items is not None:
                parts[f"{name}_seen_items"] = held_out.seen_items
            for role in ("cold_items", "candidate_items"):
                ids = getattr(held_out, role)
                if ids is not None:
                    arrays[f"{name}_{role}_ids"] = ids
        for name, histories in parts.items():
            arrays[f"{name}_items"], arrays[f"{name}_offsets"] = histories.items, histories.offsets
            if histories.weights is not None:
                arrays[f"{name}_weights"] = histories.weights
        return arrays


def load(path: Path) -> Split:
    """Reads a split that `Split.save` wrote.

    Raises:
        UserError: The file is missing or damaged, or has another format or version.
    """
    try:
        arrays = read_npz(path)
        metadata = json.loads(arrays.pop("metadata").tobytes())
        if metadata["version"] != _VERSION:
            raise UserError(
                f"the split has version {metadata['version']}, but this program reads {_VERSION}",
                where=str(path),
                hint="Create the split again.",
            )
        split = _build_split(metadata, arrays)
    except FileNotFoundError as error:
        raise UserError("the file does not exist", where=str(path)) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"the file is not a saved split, or it is damaged ({error})",
            where=str(path),
            hint="Create the split again.",
        ) from error
    if split.fingerprint() != metadata["sha256"]:
        raise UserError(
            "the split file was changed after it was saved",
            where=str(path),
            hint="Create the split again.",
        )
    return split


def _build_split(metadata: dict[str, Any], arrays: dict[str, np.ndarray]) -> Split:
    """Rebuilds a split from the metadata and arrays of its file."""

    def histories(name: str) -> Histories:
        return Histories(
            arrays[f"{name}_items"], arrays[f"{name}_offsets"], arrays.get(f"{name}_weights")
        )

    def held_out(name: str) -> HeldOutSet:
        seen_items = f"{name}_seen_items"
        return HeldOutSet(
            histories(f"{name}_histories"),
            histories(f"{name}_targets"),
            arrays[f"{name}_users"],
            histories(seen_items) if f"{seen_items}_items" in arrays else None,
            arrays.get(f"{name}_cold_items_ids"),
            arrays.get(f"{name}_candidate_items_ids"),
        )

    return Split(
        train=histories("train"),
        train_users=arrays["train_users"],
        validation=held_out("validation"),
        test=held_out("test"),
        protocol=metadata["protocol"],
        seed=metadata["seed"],
        num_items=metadata["num_items"],
        chronological=metadata["chronological"],
        notes=tuple(metadata["notes"]),
        low_rated=histories("train_low_rated") if "train_low_rated_items" in arrays else None,
        friendships=arrays.get("friendships"),
    )
