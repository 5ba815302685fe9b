"""Recommends items of a bundle in Python, on a server, a laptop or a Raspberry Pi."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.errors import UserError
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.bundle_files import CONFIG_FILE
from kd_tf.runtime.catalog import Item
from kd_tf.runtime.diversity import rerank_mmr
from kd_tf.runtime.isolated_model import IsolatedModel
from kd_tf.runtime.item_values import ItemValues
from kd_tf.runtime.model import TFLiteModel, pad_history
from kd_tf.runtime.operator_versions import parse_version
from kd_tf.runtime.ranker import Ranker
from kd_tf.runtime.row_sources import RowSources
from kd_tf.runtime.shared_traits import find_shared_authors, find_shared_words, is_same_series
from kd_tf.runtime.titles import NearTitleWarning, TitleIndex

DEFAULT_SHORTLIST = 20
"""Number of recommendations that are re-ranked: few enough that all of them suit the user."""


@dataclass(frozen=True, repr=False)
class Recommendation:
    """A recommended item and its score.

    Attributes:
        item: The item.
        score: The model's score; higher is better.
    """

    item: Item
    score: float

    def __repr__(self) -> str:
        return f"<Recommendation {self.item.label!r}, score {self.score:.3f}>"


@dataclass(frozen=True, repr=False)
class RerankedRecommendation(Recommendation):
    """A recommended item with its score, and what the bundle's ranker predicts for it.

    Attributes:
        prediction: The probability of a click, or the rating in the units of its table.
    """

    prediction: float

    def __repr__(self) -> str:
        return (
            f"<RerankedRecommendation {self.item.label!r}, score {self.score:.3f}, "
            f"prediction {self.prediction:.3f}>"
        )


@dataclass(frozen=True)
class Reason:
    """An item of the history, its contribution to the score of another item, what both share.

    Attributes:
        item: The item of the history.
        contribution: How much it adds to the score.
        shared_authors: Authors of both items.
        same_series: Whether both are of the same series.
        shared_words: What both are about: at most three words, strongest first. Empty if a catalog
            has no texts, or was written before kd_tf chose such words.

    Example:
        >>> whale = Item(2, "b2", title="The Whale", authors="A. Moss", words="sea whale")
        >>> reef = Item(3, "b3", title="The Reef", authors="A. Moss", words="sea coral")
        >>> Reason.between(reef, whale, contribution=0.5).shared_words
        ('sea',)
    """

    item: Item
    contribution: float
    shared_authors: tuple[str, ...] = ()
    same_series: bool = False
    shared_words: tuple[str, ...] = ()

    @classmethod
    def between(cls, recommendation: Item, item: Item, contribution: float) -> Reason:
        """Returns an item of the history as a reason for a recommended one."""
        return cls(
            item,
            contribution,
            find_shared_authors(recommendation.authors, item.authors),
            is_same_series(recommendation.series, item.series),
            find_shared_words(recommendation.words, item.words),
        )


class Recommender:
    """Recommends items of a bundle, by titles or ids. Safe to share between threads.

    A title that is not one of the catalog but nearly so is taken for it with a `NearTitleWarning`,
    or refused; see `TitleIndex`. ``recommender.titles.resolve(name)`` says what a name matches.

    Attributes:
        bundle: The bundle.
        model: The bundle's model.
        titles: Finds items by name.
        ranker: The bundle's second model, which `rerank` asks; None if it has none.

    Example:
        >>> import tempfile
        >>> import kd_tf as kd
        >>> data = kd.data.bookshop(items=60, users=80, seed=1)
        >>> student = kd.models.NeighboursStudent(60, max_length=20)
        >>> history = student.fit(kd.split(data, seed=1).train)
        >>> bundle = kd.export(student, tempfile.mkdtemp() + "/bundle", catalog=data.catalog)
        >>> recommender = Recommender.load(bundle.folder)
        >>> title = bundle.items[0].title
        >>> len(recommender.recommend([title], k=3))
        3
        >>> title in [suggestion.item.title for suggestion in recommender.recommend([title])]
        False
        >>> best = recommender.recommend([title])[0].item
        >>> reason = recommender.explain([title], best.item_id)[0]
        >>> reason.shared_authors, reason.same_series, reason.shared_words
        (('Zawadi Dlomo',), True, ('sea', 'adventure', 'faring'))
    """

    def __init__(
        self,
        bundle: Bundle,
        model: TFLiteModel | IsolatedModel,
        ranker: Ranker | None = None,
    ) -> None:
        self.bundle = bundle
        self.model = model
        self.ranker = ranker
        self.titles = TitleIndex(bundle.items)

    @classmethod
    def load(cls, folder: str | Path, threads: int = 1, *, isolated: bool = False) -> Recommender:
        """Opens a bundle and loads its model.

        Args:
            folder: The bundle's folder, or the folder of a run that has one.
            threads: Number of threads for one answer.
            isolated: Whether the model runs in a process of its own, for a bundle that nobody
                vouches for: a model that crashes or hangs is then an error here; see
                `kd_tf.runtime.isolated_model`. A ranker is then not loaded.

        Returns:
            The recommender.

        Raises:
            UserError: The bundle or its model is invalid; see `Bundle.open` and `TFLiteModel`.
        """
        return cls.from_bundle(Bundle.open(folder), threads, isolated=isolated)

    @classmethod
    def from_bundle(
        cls, bundle: Bundle, threads: int = 1, *, isolated: bool = False
    ) -> Recommender:
        """Loads the model of a bundle that is open already, and runs each of its signatures once.

        Args:
            bundle: The bundle.
            threads: Number of threads for one answer.
            isolated: As in `load`.

        Returns:
            The recommender.

        Raises:
            UserError: The model is invalid or is not the one that config.json describes.
        """
        model_class = IsolatedModel if isolated else TFLiteModel
        model = model_class(bundle.model, threads, name=str(bundle.model_path))
        config = bundle.config
        config_sizes = (
            config.max_length,
            config.recommendations,
            config.candidates,
            tuple(sorted(config.signatures)),
        )
        model_sizes = (model.max_length, model.k, model.candidates, model.signatures)
        if config_sizes != model_sizes:
            raise UserError(
                f"{CONFIG_FILE} has L, K, C and signatures {config_sizes}, but the model has "
                f"{model_sizes}",
                where=str(bundle.folder / CONFIG_FILE),
                hint="Export the bundle again.",
            )
        _check_description(bundle, model)
        if bundle.ranker is None or isolated:
            return cls(bundle, model)
        return cls(bundle, model, Ranker.from_bundle(bundle.ranker, threads))

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
        """Recommends items for a user.

        Args:
            history: Items of the user, oldest first: your own item ids, or titles. The model sees
                the newest L of them. None of them is recommended, however old. Empty for a new
                user, who gets what the model recommends to anybody.
            k: Maximum number of recommendations; None for the model's K.
            exclude: Items not to recommend, such as those out of stock.
            only: If given, recommend only these items, ranked by the signature ``score``; any
                number of them.
            min_score: If given, leave out items with a lower score.
            diversity: From 0 (order by score) to 1 (as dissimilar as possible); see
                `kd_tf.runtime.diversity`.

        Returns:
            Recommendations, best first. There are fewer than `k` if the model's K or the items of
            `only` do not suffice.

        Raises:
            TypeError: `history`, `exclude` or `only` is a string instead of a list.
            UserError: A name is unknown or ambiguous, `k` is larger than the model's K,
                `diversity` is not in 0..1, `min_score` is not a number, or the model has no
                signature ``score``.
        """
        _check_lists(history=history, exclude=exclude, only=only)
        if not 0 <= diversity <= 1:
            raise UserError(
                f"diversity must be from 0 to 1, not {diversity}",
                hint="Use 0 for the order of scores, or try 0.3 for more variety.",
            )
        if min_score is not None and np.isnan(min_score):
            raise UserError("min_score is nan, not a number", hint="Leave it out for all scores.")
        k = self._check_k(k)
        recommendations = self._find_candidates(
            self._resolve(history),
            self._resolve(exclude),
            None if only is None else self._resolve(only),
        )
        if min_score is not None:
            recommendations = [
                recommendation
                for recommendation in recommendations
                if recommendation.score >= min_score
            ]
        if diversity:
            recommendations = recommendations[: self.model.k]
            order = rerank_mmr(
                self.model,
                np.array([recommendation.item.id for recommendation in recommendations], np.int32),
                np.array([recommendation.score for recommendation in recommendations], np.float32),
                diversity,
                k,
            )
            recommendations = [recommendations[index] for index in order]
        return recommendations[:k]

    def rerank(
        self,
        history: Sequence[str | int],
        k: int | None = None,
        *,
        context: Mapping[str, Any] | None = None,
        shortlist: Sequence[str | int] | None = None,
        num_candidates: int | None = None,
        exclude: Sequence[str | int] = (),
    ) -> list[RerankedRecommendation]:
        """Recommends items for a user, sorted by the bundle's second model.

        `recommend` chooses the candidates; the ranker (`kd_tf.add_ranker`) predicts for each how
        likely a click is, or its rating, from columns of the item, of the history and of the
        context. Its file is called once for each batch of candidates, of 64 by default.

        Args:
            history: As for `recommend`.
            k: Maximum number of recommendations; None for all candidates.
            context: What is known of the moment, by the columns of the ranker: ``{"hour": 21}``.
                A column that nothing is known of is missing, and a value that training has not
                seen counts as unknown. ``bundle.ranker.sources.make_context`` makes what a device
                knows.
            shortlist: If given, the candidates are these items, any number of them, without those
                of the history.
            num_candidates: Number of candidates of `recommend`; None for `k`, but at least
                `DEFAULT_SHORTLIST`, and at most the model's K.
            exclude: Items not to recommend.

        Returns:
            Candidates, best prediction first. Those with equal predictions are in the order of
            `recommend`.

        Raises:
            TypeError: A list of items is a string.
            UserError: The bundle has no ranker, the context has a column that the ranker does not
                have or a value that is not of its column, `k` is less than 1, or as for
                `recommend`.
        """
        ranker, row_sources, items = self._require_ranker()
        if k is not None and k < 1:
            raise UserError(f"k must be at least 1, not {k}")
        if shortlist is not None and num_candidates is not None:
            raise UserError(
                "num_candidates has no effect on a shortlist", hint="Leave one of them out."
            )
        _check_lists(history=history, exclude=exclude, shortlist=shortlist)
        history_ids = self._resolve(history)
        candidates = self._find_candidates(
            history_ids,
            self._resolve(exclude),
            None if shortlist is None else self._resolve(shortlist),
        )
        if shortlist is None:
            default = min(max(k or 0, DEFAULT_SHORTLIST), self.model.k)
            candidates = candidates[
                : self._check_k(default if num_candidates is None else num_candidates)
            ]
        rows = row_sources.make_rows(
            items,
            [candidate.item.item_id for candidate in candidates],
            [self.bundle.items[item_id - 1].item_id for item_id in history_ids],
            context or {},
        )
        predictions = ranker.predict_all(rows)
        order = np.argsort(-predictions, kind="stable").tolist()
        return [
            RerankedRecommendation(
                candidates[place].item, candidates[place].score, float(predictions[place])
            )
            for place in order[:k]
        ]

    def score(
        self, history: Sequence[str | int], items: Sequence[str | int]
    ) -> list[Recommendation]:
        """Scores items for a user, in the given order.

        Args:
            history: Items of the user, as for `recommend`.
            items: Any number of ids or titles, in the history or not.

        Returns:
            The items with their scores.

        Raises:
            UserError: A name is unknown or ambiguous, or the model has no signature ``score``.
        """
        ids = self._resolve(items)
        row = pad_history(self._resolve(history), self.model.max_length)
        scores = self.model.score(row, np.array(ids, np.int32)).tolist()
        return [
            Recommendation(self.bundle.items[item_id - 1], score)
            for item_id, score in zip(ids, scores, strict=True)
        ]

    def explain(
        self, history: Sequence[str | int], item: str | int, k: int | None = None
    ) -> list[Reason]:
        """Explains a score by the items of the history that raise it.

        Args:
            history: Items of the user, as for `recommend`.
            item: Id or title of the item whose score is explained.
            k: Maximum number of reasons; None for all.

        Returns:
            Items of the history and what each has in common with the item, largest contribution
            first, without those that contribute nothing or lower the score.

        Raises:
            UserError: A name is unknown or ambiguous, or the model has no signature ``explain``.
        """
        row = pad_history(self._resolve(history), self.model.max_length)
        explained_id = self._resolve([item])[0]
        contributions = self.model.explain(row, explained_id)
        pairs = zip(row.tolist(), contributions.tolist(), strict=True)
        positive = [pair for pair in pairs if pair[0] and pair[1] > 0]
        largest = sorted(positive, key=lambda pair: -pair[1])[:k]
        items = self.bundle.items
        return [
            Reason.between(items[explained_id - 1], items[item_id - 1], contribution)
            for item_id, contribution in largest
        ]

    def similar(self, item: str | int, k: int | None = None) -> list[Recommendation]:
        """Finds items similar to an item.

        Args:
            item: Your own item id, or a title.
            k: Maximum number of items; None for the model's K.

        Returns:
            Similar items, most similar first, without the item itself.

        Raises:
            UserError: The name is unknown or ambiguous, `k` is larger than the model's K, or the
                model has no signature ``similar``.
        """
        k = self._check_k(k)
        item_id = self._resolve([item])[0]
        ids, scores = self.model.similar(item_id)
        return self._make_recommendations(ids, scores, {item_id}, k)

    def _require_ranker(self) -> tuple[Ranker, RowSources, ItemValues]:
        """Returns the ranker and what makes rows for it."""
        if self.ranker is None:
            if self.bundle.ranker is not None:
                raise UserError(
                    "the ranker is not loaded, because the model runs in a process of its own",
                    where=str(self.bundle.folder),
                    hint="Load the bundle without isolated.",
                )
            raise UserError(
                "the bundle has no ranker, so that it cannot re-rank",
                where=str(self.bundle.folder),
                hint="Add one: kd-tf add-ranker BUNDLE RANKER_BUNDLE.",
            )
        ranker_bundle = self.ranker.bundle
        assert ranker_bundle.sources is not None  # `Bundle.open` checks it
        assert ranker_bundle.items is not None
        return self.ranker, ranker_bundle.sources, ranker_bundle.items

    def _resolve(self, names: Sequence[str | int]) -> list[int]:
        """Finds model ids. Only public methods call it: the warning names their caller."""
        ids = []
        for name in names:
            match = self.titles.resolve(name)
            if not match.is_exact:
                warnings.warn(match.note, NearTitleWarning, stacklevel=3)
            ids.append(match.item.id)
        return ids

    def _find_candidates(
        self,
        history_ids: Sequence[int],
        excluded_ids: Sequence[int],
        only_ids: Sequence[int] | None,
    ) -> list[Recommendation]:
        """Finds what may be recommended, best first: the model's list, or all of `only_ids`."""
        row = pad_history(history_ids, self.model.max_length)
        if only_ids is None:
            ids, scores = self.model.recommend(row)
        else:
            ids = np.unique(np.array(only_ids, np.int32))
            scores = self.model.score(row, ids)
            best = np.lexsort((ids, -scores))
            ids, scores = ids[best], scores[best]
        return self._make_recommendations(ids, scores, {*history_ids, *excluded_ids}, len(ids))

    def _check_k(self, k: int | None) -> int:
        if k is None:
            return self.model.k
        if not 1 <= k <= self.model.k:
            raise UserError(
                f"k must be from 1 to {self.model.k} for this model, not {k}",
                hint="For longer lists, export the model with a larger export.recommendations.",
            )
        return k

    def _make_recommendations(
        self, ids: np.ndarray, scores: np.ndarray, hidden_ids: Collection[int], k: int
    ) -> list[Recommendation]:
        # The model fills up a list with 0 if no other items remain, and does not know items of
        # the history that are older than the newest L.
        recommendations = [
            Recommendation(self.bundle.items[item_id - 1], score)
            for item_id, score in zip(ids.tolist(), scores.tolist(), strict=True)
            if 1 <= item_id <= len(self.bundle.items) and item_id not in hidden_ids
        ]
        return recommendations[:k]


def _check_lists(**lists: Sequence[str | int] | None) -> None:
    """Checks that lists of items are not strings, which are sequences too."""
    for name, names in lists.items():
        if isinstance(names, str):
            raise TypeError(f"{name} must be a list of ids or titles, not a string")


FOREIGN_TYPES = {
    "float32": {"float16", "int8", "int4"},
    "float16": {"int8", "int4"},
    "dynamic-int8": {"float16"},
    "int8": {"float16"},
    "int4": {"float16"},
}
"""Types of weights that a quantization does not have."""


def _check_description(bundle: Bundle, model: TFLiteModel | IsolatedModel) -> None:
    """Checks that config.json says of the model what is true of it."""
    config = bundle.config
    foreign_types = model.weight_types & FOREIGN_TYPES.get(config.quantization, set())
    faults = []
    if config.quantization not in FOREIGN_TYPES or foreign_types:
        types = ", ".join(sorted(model.weight_types))
        faults.append(f"quantization {config.quantization}, but the model has weights of {types}")
    try:
        is_too_low = parse_version(config.min_runtime_version) < parse_version(
            model.min_runtime_version
        )
    except ValueError:
        is_too_low = True
    if is_too_low:
        faults.append(
            f"min_runtime_version {config.min_runtime_version!r}, but the model needs "
            f"{model.min_runtime_version}"
        )
    if faults:
        raise UserError(
            f"{CONFIG_FILE} has {' and '.join(faults)}",
            where=str(bundle.folder / CONFIG_FILE),
            hint="Export the bundle again.",
        )
