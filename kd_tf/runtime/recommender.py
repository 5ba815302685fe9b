"""Recommendations from a bundle, for Python on a server, a laptop or a Raspberry Pi."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_tf.errors import UserError
from kd_tf.runtime.bundle import CONFIG_FILE, Book, Bundle
from kd_tf.runtime.model import TFLiteModel, pad_history
from kd_tf.runtime.titles import TitleIndex


@dataclass(frozen=True)
class Recommendation:
    """A book to read next and the model's score for it; a higher score is a better fit."""

    book: Book
    score: float


class Recommender:
    """A loaded bundle: titles or ids in, books out. Safe to share between threads.

    Attributes:
        bundle: Where it came from.
        model: The interpreter.
        titles: How names become books.

    Example:
        >>> recommender = Recommender.load("bundle")  # doctest: +SKIP
        >>> recommender.recommend(["The Hobbit", "Dune"], k=3)
    """

    def __init__(self, bundle: Bundle, model: TFLiteModel) -> None:
        self.bundle = bundle
        self.model = model
        self.titles = TitleIndex(bundle.books)

    @classmethod
    def load(cls, folder: str | Path, threads: int = 1) -> Recommender:
        """Opens a bundle.

        Args:
            folder: The bundle's folder.
            threads: Threads for one answer.

        Raises:
            UserError: The bundle or its model is refused; see `Bundle.open` and `TFLiteModel`.
        """
        bundle = Bundle.open(folder)
        model = TFLiteModel(bundle.model, threads)
        config = bundle.config
        said = (config.history_length, config.recommendations, tuple(sorted(config.signatures)))
        if said != (model.history_length, model.k, model.signatures):
            raise UserError(
                f"the bundle says L, K and signatures {said}, its model has "
                f"{(model.history_length, model.k, model.signatures)}",
                where=str(bundle.folder / CONFIG_FILE),
                hint="Export the bundle again.",
            )
        return cls(bundle, model)

    def recommend(self, history: Sequence[str | int], k: int | None = None) -> list[Recommendation]:
        """What a reader may like next.

        Args:
            history: What was read, oldest first: the caller's own item ids, or titles. The model
                sees the newest L; none of them, however old, is recommended.
            k: How many at most; None for as many as the model gives.

        Returns:
            Best first. Fewer than `k` when the model's K are used up.

        Raises:
            UserError: A name is not found or stands for several books, or the model cannot give
                `k` books.
        """
        if isinstance(history, str):
            raise TypeError("history is a list of books, not one text")
        k = self._checked(k)
        read = [self.titles.resolve(name).book.id for name in history]
        ids, scores = self.model.recommend(pad_history(read, self.model.history_length))
        return self._books(ids, scores, set(read), k)

    def similar(self, book: str | int, k: int | None = None) -> list[Recommendation]:
        """Books like this one.

        Args:
            book: The caller's own item id, or a title.
            k: As for `recommend`.

        Returns:
            Most alike first, never the book itself.

        Raises:
            UserError: As for `recommend`, or the model has no signature ``similar``.
        """
        k = self._checked(k)
        one = self.titles.resolve(book).book.id
        ids, scores = self.model.similar(one)
        return self._books(ids, scores, {one}, k)

    def _checked(self, k: int | None) -> int:
        if k is None:
            return self.model.k
        if not 1 <= k <= self.model.k:
            raise UserError(
                f"this model gives 1 to {self.model.k} books, not {k}",
                hint="For longer lists export the model with a larger K.",
            )
        return k

    def _books(
        self, ids: np.ndarray, scores: np.ndarray, but: Collection[int], k: int
    ) -> list[Recommendation]:
        # The model fills a list with 0 or books of the history when no others are left.
        kept = [
            Recommendation(self.bundle.books[number - 1], score)
            for number, score in zip(ids.tolist(), scores.tolist(), strict=True)
            if 1 <= number <= len(self.bundle.books) and number not in but
        ]
        return kept[:k]
