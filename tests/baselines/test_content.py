"""TF-IDF of catalog texts by hand and against dense algebra."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from kd_tf.baselines import content
from kd_tf.data.catalog import COLUMNS, Catalog
from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import Split
from kd_tf.errors import UserError

SplitOf = Callable[..., Split]


def catalog_of(**columns: list[str | None]) -> Catalog:
    items = len(next(iter(columns.values())))
    ids = [f"b{number}" for number in range(items)]
    return Catalog(
        pl.DataFrame({"item_id": ids, **columns}, schema={"item_id": pl.String, **_types(columns)})
    )


def _types(columns: dict[str, list[str | None]]) -> dict[str, pl.DataType]:
    return {name: COLUMNS[name] for name in columns}


@pytest.fixture
def fit(split_of: SplitOf) -> Callable[[Catalog], content.Content]:
    return lambda catalog: content.fit(split_of([[1]], len(catalog)), catalog)


Fit = Callable[[Catalog], content.ContentSimilarity]


def test_scores_by_hand(fit: Fit) -> None:
    catalog = catalog_of(title=["red sea", "red sand", "sea sand sand", None, "lonely"])
    model = fit(catalog)
    # "red", "sea" and "sand" stand in 2 of 5 texts each, so one idf for all, which the cosine
    # divides away; "lonely" stands in one and goes. Twice counts 1 + ln 2.
    twice = 1 + math.log(2)
    third = math.sqrt(1 + twice**2)
    expected = [1, 1 / 2, 1 / (math.sqrt(2) * third)]
    scores = model.score(from_lists([[1]]))
    np.testing.assert_allclose(scores[0, 1:4], expected, rtol=1e-6)
    assert scores[0, [0, 4, 5]].tolist() == [-np.inf] * 3


def test_scores_agree_with_dense_algebra(fit: Fit) -> None:
    random = np.random.default_rng(8)
    words = ["sea", "SEA", "Été", "été", "Ёлка", "ёлка", "zz9", "wind", "a", "rain", "snow"]
    texts = [" ".join(random.choice(words, random.integers(1, 9))) for _ in range(40)]
    tokens = [re.findall(r"\w\w+", text.lower()) for text in texts]
    terms = sorted({token for row in tokens for token in row})
    counts = np.array([[row.count(term) for term in terms] for row in tokens], float)
    counts = counts[:, (counts > 0).sum(axis=0) >= 2]
    idf = np.log(41 / (1 + (counts > 0).sum(axis=0))) + 1
    weighted = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * idf
    length = np.linalg.norm(weighted, axis=1, keepdims=True)
    vectors = weighted / np.where(length == 0, 1, length)

    lists = from_lists([random.permutation(40)[:size] + 1 for size in (1, 4, 12)])
    weights = random.uniform(0.5, 3, len(lists.items)).astype(np.float32)
    model = fit(catalog_of(title=texts))
    for histories in (lists, Histories(lists.items, lists.offsets, weights)):
        means = histories.to_csr_matrix(40).toarray()[:, 1:].astype(float) @ vectors
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        cosine = means @ vectors.T
        actual = model.score(histories)[:, 1:]
        np.testing.assert_allclose(np.where(cosine > 0, cosine, -np.inf), actual, rtol=1e-5)
        assert actual.max() <= 1 + 1e-6


def test_tags_and_entities_of_html_are_no_words(fit: Fit) -> None:
    model = fit(
        catalog_of(title=["<em>red</em> sea &amp; sand", "<em>blue</em> sea &amp;", "sand"])
    )
    scores = model.score(from_lists([[3]]))[0]
    assert scores[1] > 0
    assert scores[2] == -np.inf


def test_every_text_column_is_read_and_nothing_else(fit: Fit) -> None:
    for column in ("title", "authors", "series", "genre", "text"):
        scores = fit(catalog_of(**{column: ["storm", "storm"]})).score(from_lists([[1]]))
        assert scores[0, 2] == pytest.approx(1)
    model = fit(catalog_of(title=["storm", "storm", "calm"], cover=["same"] * 3))
    assert model.score(from_lists([[1]]))[0, 3] == -np.inf


def test_words_of_one_column_do_not_run_into_the_next(fit: Fit) -> None:
    model = fit(catalog_of(title=["blue", "blue"], authors=["bird", "bird"]))
    assert model.item_vectors.shape[1] == 2


def test_an_item_without_text_is_not_recommended_and_adds_nothing(fit: Fit) -> None:
    model = fit(catalog_of(title=["storm", "storm", None, "", "  "]))
    scores = model.score(from_lists([[1], [3, 4, 5], [3, 1]]))
    assert (scores[:, 3:] == -np.inf).all()
    assert (scores[1] == -np.inf).all()
    np.testing.assert_array_equal(scores[0], scores[2])


def test_only_the_catalog_matters(split_of: SplitOf) -> None:
    catalog = catalog_of(title=["red sea", "red sand", "sea sand"])
    one = content.fit(split_of([[1, 2]], 3), catalog)
    other = content.fit(split_of([[3], [3, 1]], 3, validation=([[1]], [[2]])), catalog)
    np.testing.assert_array_equal(one.item_vectors.toarray(), other.item_vectors.toarray())


def test_size_is_what_is_stored(fit: Fit) -> None:
    model = fit(catalog_of(title=["storm", "storm", "calm"]))
    assert (model.name, model.num_parameters, model.num_bytes) == ("content", 2, 2 * 8 + 5 * 4)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"cover": ["a.jpg", "b.jpg"]}, "ids but no text"),
        ({"title": [None, None]}, "ids but no text"),
        ({"title": ["storm", "calm"]}, "no two items of the catalog have a word"),
        ({"title": ["...", " "]}, "no two items of the catalog have a word"),
    ],
)
def test_a_catalog_without_text_raises(
    fit: Fit, columns: dict[str, list[str | None]], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        fit(catalog_of(**columns))
    assert caught.value.hint


def test_a_catalog_of_other_items_is_refused(split_of: SplitOf) -> None:
    with pytest.raises(ValueError, match="the catalog has 2 items, the split 3"):
        content.fit(split_of([[1]], 3), catalog_of(title=["storm", "storm"]))
