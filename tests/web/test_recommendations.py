"""The page answers as Python does, on the same bundle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kd_tf.preview.server import PreviewServer
from kd_tf.preview.site import Site, make_site
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.model import pad_history
from kd_tf.runtime.recommender import Recommender
from kd_tf.tflite.quantization import Quantization

pytestmark = pytest.mark.browser

SHELVES = 50
CALLS = 12_000
"""So many leave 8 MB behind where tensors are not deleted."""

V, L = 10_000, 50
EXACT = 1e-4
"""Of the largest score: floating point sums in another order."""

ROUNDED = 0.02
"""Of the largest score, where a file rounds on the fly: what stands on the border between two steps
goes up on one processor and down on another."""


@pytest.fixture(scope="module")
def shelves() -> list[list[int]]:
    """Empty, full, longer than the model sees, nearly all books; and the rest at random."""
    random = np.random.default_rng(2)
    lengths = [0, 1, 2, L - 1, L, L + 1, 3 * L, V - 10, V]
    lengths += random.integers(1, L + 1, SHELVES - len(lengths)).tolist()
    return [(random.permutation(V)[:length] + 1).tolist() for length in lengths]


@pytest.fixture(scope="module")
def strange() -> list[list[int]]:
    """Ids that no book has, and a book over and over."""
    return [[0], [-1, 5], [V + 1, V + 2, 7], [2**31 - 1, -(2**31), 9], [4] * L, [3, 3, 0, 3, 8]]


@pytest.mark.parametrize(
    "form", [Quantization.INT8, Quantization.FLOAT32, Quantization.DYNAMIC_INT8]
)
def test_ids_and_scores_are_those_of_python(
    form: Quantization,
    bundle: Callable[[Quantization], Bundle],
    shelves: list[list[int]],
    strange: list[list[int]],
    serve: Callable[[Site], PreviewServer],
    run_browser: Callable[..., Any],
) -> None:
    opened = bundle(form)
    python = Recommender.load(opened.folder)
    items = [1, 2, V // 2, V - 1, V]
    explained = [[shelf, item] for shelf in shelves[1:7] for item in items[:2]]
    answer = run_browser(
        "recommendations.mjs",
        address=serve(make_site(opened, print)).url,
        histories=[*shelves, *strange],
        books=items,
        explained=explained,
        calls=CALLS if form is Quantization.INT8 else 0,
    )
    assert answer["wrong"] == []
    assert answer["grown"] == 0
    item_ids = [item.item_id for item in opened.items]
    recommended = [
        [(one.item.id, one.score) for one in python.recommend([item_ids[id - 1] for id in shelf])]
        for shelf in shelves
    ]
    for history in strange:
        ids, scores = python.model.recommend(pad_history(history, L))
        pairs = zip(ids.tolist(), scores.tolist(), strict=True)
        recommended.append([(id, score) for id, score in pairs if id and id not in history])
    hold_alike(answer["recommended"], recommended, form)
    similar = [
        [(one.item.id, one.score) for one in python.similar(item_ids[item - 1])] for item in items
    ]
    hold_alike(answer["similar"], similar, form)
    for found, (shelf, item) in zip(answer["explained"], explained, strict=True):
        reasons = python.explain([item_ids[id - 1] for id in shelf], item_ids[item - 1], 3)
        assert [one["id"] for one in found] == [one.item.id for one in reasons]


def hold_alike(
    found: list[list[dict[str, Any]]],
    expected: list[list[tuple[int, float]]],
    form: Quantization,
) -> None:
    largest = max(abs(score) for row in expected for _, score in row)
    bound = ROUNDED if form is Quantization.DYNAMIC_INT8 else EXACT
    others = 0
    for row, wanted in zip(found, expected, strict=True):
        assert len(row) == len(wanted)
        others += [one["id"] for one in row] != [id for id, _ in wanted]
        for one, (_, score) in zip(row, wanted, strict=True):
            assert abs(one["score"] - score) <= bound * largest
    # Two books whose scores lie closer than the rounding may change places.
    assert others <= (len(expected) // 10 if form is Quantization.DYNAMIC_INT8 else 0)
