"""Train, validation and test: which readers, and which books of theirs are held out."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import atomic
from kd_tf.data.histories import Histories
from kd_tf.errors import UserError

_VERSION = 1


@dataclass(frozen=True)
class HeldOutSet:
    """Readers to be judged on: what a model is shown and what it should find.

    Attributes:
        histories: What the model sees; a history may be empty.
        targets: The held-out books of the same readers, at least one each.
        readers: int32 [n], the readers' numbers in `Interactions`.
        also_read: Books that the readers are known to have read beside their histories and
            that are not asked about, so that no list may hold them: the validation books when
            the test is measured, where a protocol does not show them. None where there are none.
    """

    histories: Histories
    targets: Histories
    users: np.ndarray
    seen_items: Histories | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "histories", replace(self.histories, users=self.users))


@dataclass(frozen=True)
class Split:
    """A data set divided for training, choosing and judging.

    Attributes:
        train: Histories that models learn from.
        train_readers: int32 [n], the readers' numbers in `Interactions`.
        validation: Readers, or books of readers, that choose (when to stop, which settings).
        test: Those that only the final figures are measured on.
        protocol: The name of the protocol, for tables.
        seed: What drew the readers and the held-out books.
        books: V.
        notes: What a person should know of the division, one sentence each.
        also_read: What the training readers read beside `train` without its counting (ratings
            below the limit), or None: it tells which books go together, and is never a target.
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "train", replace(self.train, users=self.train_users))

    def popularity(self) -> np.ndarray:
        """int64 [V + 1], in how many training histories each id stands; index 0 is padding."""
        return np.bincount(self.train.items, minlength=self.num_items + 1)

    def renumber_items(self, numbers: np.ndarray) -> Split:
        """The same readers and books with other ids.

        Args:
            numbers: int32 [V + 1], the new id of each; 0 stays 0.
        """

        def histories(old: Histories) -> Histories:
            return replace(old, items=numbers[old.items])

        def optional(old: Histories | None) -> Histories | None:
            return None if old is None else histories(old)

        def held_out(old: HeldOutSet) -> HeldOutSet:
            return replace(
                old,
                histories=histories(old.histories),
                targets=histories(old.targets),
                seen_items=optional(old.seen_items),
            )

        return replace(
            self,
            train=histories(self.train),
            validation=held_out(self.validation),
            test=held_out(self.test),
            low_rated=optional(self.low_rated),
        )

    def fingerprint(self) -> str:
        """SHA-256 of everything that a figure depends on: two equal splits have the same."""
        digest = hashlib.sha256(json.dumps(self._to_metadata(), sort_keys=True).encode())
        for name, array in self._to_arrays().items():
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Writes the split into one .npz file, as a whole or not at all."""
        described = {**self._to_metadata(), "version": _VERSION, "sha256": self.fingerprint()}
        text = np.frombuffer(json.dumps(described).encode(), np.uint8)
        stream = io.BytesIO()
        # mypy takes the arrays for the option allow_pickle as well.
        np.savez_compressed(stream, described=text, **self._to_arrays())  # type: ignore[arg-type]
        atomic.write_bytes(path, stream.getvalue())

    def _to_metadata(self) -> dict[str, Any]:
        return {
            "protocol": self.protocol,
            "seed": self.seed,
            "books": self.num_items,
            "notes": list(self.notes),
        }

    def _to_arrays(self) -> dict[str, np.ndarray]:
        arrays = {"train_readers": self.train_users}
        parts = {"train": self.train}
        if self.low_rated is not None:
            parts["train_also_read"] = self.low_rated
        for name, held_out in (("validation", self.validation), ("test", self.test)):
            arrays[f"{name}_readers"] = held_out.users
            parts[f"{name}_histories"] = held_out.histories
            parts[f"{name}_targets"] = held_out.targets
            if held_out.seen_items is not None:
                parts[f"{name}_also_read"] = held_out.seen_items
        for name, histories in parts.items():
            arrays[f"{name}_items"], arrays[f"{name}_offsets"] = histories.items, histories.offsets
            if histories.weights is not None:
                arrays[f"{name}_weights"] = histories.weights
        return arrays


def load(path: Path) -> Split:
    """Reads what `Split.save` wrote.

    Raises:
        UserError: The file is missing, damaged, or of another kind or version.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        described = json.loads(arrays.pop("described").tobytes())
        if described["version"] != _VERSION:
            raise UserError(
                f"the split has version {described['version']}, this program reads {_VERSION}",
                where=str(path),
                hint="Make it anew.",
            )
        split = _build_split(described, arrays)
    except FileNotFoundError as error:
        raise UserError("there is no such file", where=str(path)) from error
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(
            f"this is no saved split, or a damaged one ({error})",
            where=str(path),
            hint="Make it anew.",
        ) from error
    if split.fingerprint() != described["sha256"]:
        raise UserError(
            "the contents of the split are not those that were saved",
            where=str(path),
            hint="Make it anew.",
        )
    return split


def _build_split(metadata: dict[str, Any], arrays: dict[str, np.ndarray]) -> Split:
    def histories(name: str) -> Histories:
        return Histories(
            arrays[f"{name}_items"], arrays[f"{name}_offsets"], arrays.get(f"{name}_weights")
        )

    def held_out(name: str) -> HeldOutSet:
        also_read = f"{name}_also_read"
        return HeldOutSet(
            histories(f"{name}_histories"),
            histories(f"{name}_targets"),
            arrays[f"{name}_readers"],
            histories(also_read) if f"{also_read}_items" in arrays else None,
        )

    return Split(
        train=histories("train"),
        train_users=arrays["train_readers"],
        validation=held_out("validation"),
        test=held_out("test"),
        protocol=metadata["protocol"],
        seed=metadata["seed"],
        num_items=metadata["books"],
        notes=tuple(metadata["notes"]),
        low_rated=histories("train_also_read") if "train_also_read_items" in arrays else None,
    )
