"""Recommendations from a bundle, for Python on a server, a laptop or a Raspberry Pi."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_tf.errors import UserError
from kd_tf.runtime.bundle import CONFIG_FILE, Bundle, Item
from kd_tf.runtime.diversity import rerank_mmr
from kd_tf.runtime.model import TFLiteModel, pad_history
from kd_tf.runtime.titles import TitleIndex


@dataclass(frozen=True)
class Recommendation:
    """A book to read next and the model's score for it; a higher score is a better fit."""

    item: Item
    score: float


@dataclass(frozen=True)
class Reason:
    """A book that was read, and how much it adds to the score of one that is recommended."""

    item: Item
    contribution: float


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
        self.titles = TitleIndex(bundle.items)

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
        model = TFLiteModel(bundle.model_path, threads)
        config = bundle.config
        said = (
            config.max_length,
            config.recommendations,
            config.candidates,
            tuple(sorted(config.signatures)),
        )
        if said != (model.max_length, model.k, model.candidates, model.signatures):
            raise UserError(
                f"the bundle says L, K, C and signatures {said}, its model has "
                f"{(model.max_length, model.k, model.candidates, model.signatures)}",
                where=str(bundle.folder / CONFIG_FILE),
                hint="Export the bundle again.",
            )
        return cls(bundle, model)

    def recommend(
        self,
        history: Sequence[str | int],
        k: int | None = None,
        *,
        exclude: Sequence[str | int] = (),
        only: Sequence[str | int] | None = None,
        min_score: float | None = None,
        diversity: float = 0.0,
    ) -> list[Recommendation]:
        """What a reader may like next.

        Args:
            history: What was read, oldest first: the caller's own item ids, or titles. The model
                sees the newest L; none of them, however old, is recommended.
            k: How many at most; None for as many as the model gives.
            exclude: Books that are not recommended, such as those that are not in stock.
            only: Nothing but these is recommended, ranked by the signature ``score``; there may
                be any number of them.
            min_score: Books that score less are left out.
            diversity: From 0, best first, to 1, each as unlike those before as can be; see
                `kd_tf.runtime.diversity`.

        Returns:
            Best first. Fewer than `k` when the model's K, or the books of `only`, are used up.

        Raises:
            UserError: A name is not found or stands for several books, the model cannot give
                `k` books, `diversity` is not in 0..1, or the model lacks the signature ``score``.
        """
        for name, given in (("history", history), ("exclude", exclude), ("only", only)):
            if isinstance(given, str):
                raise TypeError(f"{name} is a list of books, not one text")
        if not 0 <= diversity <= 1:
            raise UserError(
                f"diversity is from 0 to 1, not {diversity}",
                hint="0 is best first; try 0.3 for lists of several kinds.",
            )
        k = self._check_k(k)
        read, without = self._resolve(history), self._resolve(exclude)
        row = pad_history(read, self.model.max_length)
        if only is None:
            ids, scores = self.model.recommend(row)
        else:
            ids = np.unique(np.array(self._resolve(only), np.int32))
            scores = self.model.score(row, ids)
            best = np.lexsort((ids, -scores))
            ids, scores = ids[best], scores[best]
        found = self._make_recommendations(ids, scores, {*read, *without}, len(ids))
        if min_score is not None:
            found = [one for one in found if one.score >= min_score]
        if diversity:
            found = found[: self.model.k]
            chosen = rerank_mmr(
                self.model,
                np.array([one.item.id for one in found], np.int32),
                np.array([one.score for one in found], np.float32),
                diversity,
                k,
            )
            found = [found[place] for place in chosen]
        return found[:k]

    def score(
        self, history: Sequence[str | int], items: Sequence[str | int]
    ) -> list[Recommendation]:
        """How well some books suit a reader, in the order in which they are given.

        Args:
            history: As for `recommend`.
            books: Any number of them, read or not.

        Raises:
            UserError: As for `recommend`, or the model has no signature ``score``.
        """
        asked = self._resolve(items)
        row = pad_history(self._resolve(history), self.model.max_length)
        scores = self.model.score(row, np.array(asked, np.int32)).tolist()
        return [
            Recommendation(self.bundle.items[number - 1], score)
            for number, score in zip(asked, scores, strict=True)
        ]

    def explain(
        self, history: Sequence[str | int], item: str | int, k: int | None = None
    ) -> list[Reason]:
        """Because of which books of the history the model scores a book as it does.

        Args:
            history: As for `recommend`.
            book: Whose score.
            k: How many at most; None for all.

        Returns:
            What adds most first; books that add nothing, or lower the score, are left out.

        Raises:
            UserError: As for `recommend`, or the model has no signature ``explain``.
        """
        read = self._resolve(history)
        row = pad_history(read, self.model.max_length)
        added = self.model.explain(row, self.titles.resolve(item).item.id)
        reasons = [
            Reason(self.bundle.items[number - 1], contribution)
            for number, contribution in zip(row.tolist(), added.tolist(), strict=True)
            if number and contribution > 0
        ]
        return sorted(reasons, key=lambda one: -one.contribution)[:k]

    def similar(self, item: str | int, k: int | None = None) -> list[Recommendation]:
        """Books like this one.

        Args:
            book: The caller's own item id, or a title.
            k: As for `recommend`.

        Returns:
            Most alike first, never the book itself.

        Raises:
            UserError: As for `recommend`, or the model has no signature ``similar``.
        """
        k = self._check_k(k)
        one = self.titles.resolve(item).item.id
        ids, scores = self.model.similar(one)
        return self._make_recommendations(ids, scores, {one}, k)

    def _resolve(self, names: Sequence[str | int]) -> list[int]:
        return [self.titles.resolve(name).item.id for name in names]

    def _check_k(self, k: int | None) -> int:
        if k is None:
            return self.model.k
        if not 1 <= k <= self.model.k:
            raise UserError(
                f"this model gives 1 to {self.model.k} books, not {k}",
                hint="For longer lists export the model with a larger K.",
            )
        return k

    def _make_recommendations(
        self, ids: np.ndarray, scores: np.ndarray, but: Collection[int], k: int
    ) -> list[Recommendation]:
        # The model fills a list with 0 or books of the history when no others are left.
        kept = [
            Recommendation(self.bundle.items[number - 1], score)
            for number, score in zip(ids.tolist(), scores.tolist(), strict=True)
            if 1 <= number <= len(self.bundle.items) and number not in but
        ]
        return kept[:k]
