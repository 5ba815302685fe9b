"""A single new item: the same regression as for all of them, of the nearest items."""

from __future__ import annotations

import numpy as np
import pytest

import kd_tf as kd
from kd_tf.data.features.content import ContentFeatures, FeatureBlock
from kd_tf.models.content.item_mixtures import fit_item_mixtures
from kd_tf.models.content.new_item import NewItemMixer

CONTENT = kd.data.encode_items(kd.data.bookshop(items=120, users=60, seed=3)).content
assert CONTENT is not None
NEW_ITEMS = (4, 77, 120)


def make_popularity() -> np.ndarray:
    popularity = np.append(0, np.full(120, 3))
    popularity[list(NEW_ITEMS)] = 0
    return popularity


@pytest.mark.parametrize("item", NEW_ITEMS)
def test_with_all_reference_items_it_is_the_whole_regression(item: int) -> None:
    together = fit_item_mixtures(CONTENT, make_popularity())
    assert together is not None
    alone = NewItemMixer(CONTENT, make_popularity(), num_nearest=120).mix(item)
    row = np.flatnonzero(together.items == item)
    np.testing.assert_allclose(alone.weights.toarray(), together.weights[row].toarray(), atol=1e-5)


def test_the_nearest_items_hold_most_of_a_mixture() -> None:
    whole, near = (
        NewItemMixer(CONTENT, make_popularity(), num_nearest=number).mix(77).weights.toarray()[0]
        for number in (120, 30)
    )
    assert np.count_nonzero(near) <= 30
    assert whole @ near / np.linalg.norm(whole) / np.linalg.norm(near) > 0.9


def test_an_item_with_readers_is_made_of_others() -> None:
    assert NewItemMixer(CONTENT, make_popularity()).mix(5).weights.toarray()[0, 5] == 0


def test_nothing_to_mix_of_is_refused() -> None:
    content = ContentFeatures((FeatureBlock("title", np.zeros((3, 2), np.float32)),))
    with pytest.raises(ValueError, match="no item with training users has any content"):
        NewItemMixer(content, np.array([0, 1, 1, 1]))
