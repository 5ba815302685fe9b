"""The content tower: what is learnt of content from who read what, here and for other catalogs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from kd_tf.data.features.content import ContentFeatures, FeatureBlock
from kd_tf.data.histories import from_lists
from kd_tf.data.split import TrainingSet
from kd_tf.encoders.base import normalize_rows
from kd_tf.errors import UserError
from kd_tf.models.teachers.content_tower import ContentTowerTeacher
from kd_tf.training import checkpoint

NUM_GROUPS = 4
NUM_ITEMS = 80
WIDTH = 24


def make_vectors(seed: int) -> np.ndarray:
    """Returns vectors in which the group, item mod 4, is one part in six of what can be seen.

    The other part, which no reader cares about, is an item's place in the catalog mod 10.
    """
    directions = np.random.default_rng(0).normal(size=(14, WIDTH))
    items = np.arange(NUM_ITEMS)
    noise = np.random.default_rng(seed).normal(size=(NUM_ITEMS, WIDTH))
    vectors = directions[items % NUM_GROUPS] + 2.2 * directions[4 + items // 8] + 0.1 * noise
    return np.asarray(normalize_rows(vectors.astype(np.float32)))


def make_training_set(lists: list[np.ndarray], content: ContentFeatures) -> TrainingSet:
    histories = from_lists(lists)
    return TrainingSet(histories.items, histories.offsets, num_items=NUM_ITEMS, content=content)


def draw_histories(num_known: int) -> list[np.ndarray]:
    """Draws users who read items of one group, and only of the first `num_known`."""
    random = np.random.default_rng(1)
    return [
        random.choice(np.arange(user % NUM_GROUPS, num_known, NUM_GROUPS), 6, replace=False) + 1
        for user in range(200)
    ]


def measure_groups(vectors: np.ndarray, items: np.ndarray) -> float:
    """Returns how many of the five nearest items of some are of their group."""
    similarities = vectors[items] @ vectors.T
    similarities[np.arange(len(items)), items] = -np.inf
    nearest = np.argsort(-similarities, axis=1)[:, :5]
    return float((nearest % NUM_GROUPS == items[:, None] % NUM_GROUPS).mean())


def fit(content: ContentFeatures, num_known: int = NUM_ITEMS) -> ContentTowerTeacher:
    teacher = ContentTowerTeacher(NUM_ITEMS, max_length=10, embedding_dim=8)
    teacher.fit(make_training_set(draw_histories(num_known), content))
    return teacher


@pytest.fixture(scope="module")
def teacher() -> ContentTowerTeacher:
    return fit(ContentFeatures((FeatureBlock("title (x)", make_vectors(1), "x"),)), num_known=60)


def test_items_without_readers_lie_with_what_their_readers_would_read(
    teacher: ContentTowerTeacher,
) -> None:
    new_items = np.arange(60, NUM_ITEMS)
    assert measure_groups(make_vectors(1), new_items) < 0.3
    assert measure_groups(teacher.item_embeddings().numpy()[1:], new_items) > 0.55


def test_scores_are_sums_over_the_history(teacher: ContentTowerTeacher) -> None:
    embeddings = teacher.item_embeddings().numpy()
    history = np.array([[3, 7, 3] + 7 * [0]])
    user = embeddings[3] + embeddings[7]
    np.testing.assert_allclose(teacher.user_embeddings(history)[0], user, atol=1e-6)
    np.testing.assert_allclose(teacher(history)[0], user @ embeddings.T, atol=1e-3)


def test_what_was_learnt_holds_for_another_catalog(teacher: ContentTowerTeacher) -> None:
    vectors = make_vectors(seed=99)
    words = FeatureBlock("title (tfidf)", sparse.csr_array(np.eye(NUM_ITEMS, dtype=np.float32)))
    content = ContentFeatures((words, FeatureBlock("titles (x)", vectors, "x")))
    transferred = teacher.transfer_to(content)
    assert transferred.blocks[:2] == content.blocks
    items = np.arange(NUM_ITEMS)
    assert measure_groups(vectors, items) < 0.4
    assert measure_groups(np.asarray(transferred.blocks[2].vectors), items) > 0.85


def test_a_block_is_mapped_by_the_head_of_its_own_kind() -> None:
    # The same numbers mean the group in one block, and nothing in the other.
    noise = np.random.default_rng(5).permutation(make_vectors(1))
    teacher = fit(
        ContentFeatures(
            (FeatureBlock("text (x)", noise, "x"), FeatureBlock("title (x)", make_vectors(1), "x"))
        )
    )
    block = FeatureBlock("title (x)", make_vectors(2), "x")
    embedded = teacher.transfer_to(ContentFeatures((block,))).blocks[1].vectors
    heads = [getattr(teacher, f"head_{place}").numpy() for place in (0, 1)]
    centred = normalize_rows(block.vectors - block.vectors.mean(axis=0))
    np.testing.assert_allclose(embedded, normalize_rows(centred @ heads[1]), atol=1e-5)


def test_items_without_content_have_no_embedding(teacher: ContentTowerTeacher) -> None:
    vectors = make_vectors(3)
    vectors[5] = 0
    content = ContentFeatures((FeatureBlock("title (x)", vectors, "x"),))
    embedded = np.asarray(teacher.transfer_to(content).blocks[1].vectors)
    lengths = np.linalg.norm(embedded, axis=1)
    assert lengths[5] == 0
    np.testing.assert_allclose(np.delete(lengths, 5), 1, atol=1e-5)


@pytest.mark.parametrize("space", ["", "another encoder"])
def test_other_encoders_are_refused(teacher: ContentTowerTeacher, space: str) -> None:
    content = ContentFeatures((FeatureBlock("title (y)", make_vectors(1), space),))
    with pytest.raises(UserError, match=r"share no pretrained encoder.*there title \(x\).*\(y\)"):
        teacher.transfer_to(content)


def test_a_saved_teacher_scores_and_transfers_alike(
    teacher: ContentTowerTeacher, tmp_path: Path
) -> None:
    checkpoint.save(teacher, tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model")
    assert isinstance(loaded, ContentTowerTeacher)
    content = ContentFeatures((FeatureBlock("title (x)", make_vectors(4), "x"),))
    np.testing.assert_array_equal(
        loaded.transfer_to(content).blocks[1].vectors,
        teacher.transfer_to(content).blocks[1].vectors,
    )
    np.testing.assert_array_equal(loaded.item_embeddings(), teacher.item_embeddings())


def test_histories_of_one_item_teach_nothing() -> None:
    content = ContentFeatures((FeatureBlock("title (x)", make_vectors(1), "x"),))
    train = make_training_set([np.array([user % NUM_ITEMS + 1]) for user in range(200)], content)
    with pytest.raises(UserError, match="no user has read two items"):
        ContentTowerTeacher(NUM_ITEMS, max_length=10, embedding_dim=8).fit(train)
