"""The teacher that knows the friends of a user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras
from kd_tf.data.dataset import Dataset
from kd_tf.data.examples.sequences import draw_sequence_examples
from kd_tf.data.histories import Histories, from_lists, from_padded
from kd_tf.data.prepare import split as split_data
from kd_tf.data.split import Split
from kd_tf.data.synthetic.bookshop import generate_bookshop
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses import SoftTargets
from kd_tf.distill.teacher_targets import compute_teacher_targets
from kd_tf.errors import UserError
from kd_tf.evaluation.evaluate import TrainingStatistics, evaluate
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.by_user_id.history_lookup import UserHistoryLookup
from kd_tf.models.fold_in import FoldInModel
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.teachers.cnn import CNNTeacher
from kd_tf.models.teachers.friends import FriendsTeacher
from kd_tf.models.teachers.mixture import TeacherMixture
from kd_tf.models.weighted_ensemble import WeightedEnsemble
from kd_tf.progress import NullProgress

V, L = 40, 8
NEAR_ITEMS, FAR_ITEMS = 1, 3
SETTING = {"embedding_dim": 8, "alpha": 20.0, "regularization": 20.0}


def make_teacher(
    friendships: list[list[int]],
    train: dict[int, list[int]],
    mixture: dict[int, tuple[float, float]],
    *,
    num_users: int = 6,
    max_length: int = L,
) -> FriendsTeacher:
    """A teacher without factors, which scores by the items of friends alone."""
    histories = from_lists(list(train.values()))
    teacher = FriendsTeacher(
        V,
        max_length=max_length,
        num_users=num_users,
        num_friendships=len(friendships),
        num_train_users=len(train),
        num_train_items=len(histories.items),
        **SETTING,
    )
    teacher.create_weights()
    teacher.friendships.assign(friendships)
    teacher.train_users.assign(list(train))
    teacher.train_starts.assign(histories.offsets)
    teacher.train_items.assign(histories.items)
    weights = np.zeros((5, 2))
    weights[0, 0] = 1
    for part, weight_and_exponent in mixture.items():
        weights[part] = weight_and_exponent
    teacher.mixture.assign(weights)
    return teacher


def make_histories(rows: list[list[int]], users: list[int]) -> Histories:
    return replace(from_lists(rows), users=np.array(users, np.int32))


@pytest.fixture(scope="module")
def shop() -> Dataset:
    return generate_bookshop(num_items=V + 20, num_users=200, seed=3, has_friends=True)


@pytest.fixture(scope="module")
def split(shop: Dataset) -> Split:
    return split_data(shop, "cold-users", seed=5)


def fit(split: Split, **settings) -> FriendsTeacher:
    teacher = FriendsTeacher(split.num_items, max_length=15, **SETTING, **settings)
    teacher.fit(split.train, validation_data=split.validation)
    return teacher


@pytest.fixture(scope="module")
def teacher(split: Split) -> FriendsTeacher:
    return fit(split)


def test_scores_are_those_of_a_calculation_by_hand() -> None:
    teacher = make_teacher(
        [[0, 1], [0, 2], [1, 3], [0, 4]],
        # User 4 has no training history. User 0 as the own friend of a friend does not count.
        {1: [1, 2, 3, 4], 2: [1], 3: [5], 0: [9]},
        {NEAR_ITEMS: (1.0, 0.0), FAR_ITEMS: (2.0, 1.0)},
    )
    scores = teacher.numpy_scores(make_histories([[7, 8, 7, 6], []], [0, 0]))
    expected = np.zeros(V + 1)
    # Two friends have histories, of four items and of one.
    expected[1] = (1 / 2 + 1) / np.sqrt(2)
    expected[2:5] = (1 / 2) / np.sqrt(2)
    # One path leads to user 3, over user 1, who has two friends. Three items, so three times two.
    expected[5] = 2 * 3 * (1 / 2) / np.sqrt(1 / 2)
    np.testing.assert_allclose(scores[0], expected, atol=1e-6)
    expected[5] /= 3  # an empty history counts as one item
    np.testing.assert_allclose(scores[1], expected, atol=1e-6)


def test_training_histories_of_nobody_else_matter() -> None:
    def compute_scores(strangers_items: list[int]) -> np.ndarray:
        teacher = make_teacher(
            [[0, 1], [2, 3]],
            {1: [1, 2], 3: strangers_items},
            {NEAR_ITEMS: (1, 0), FAR_ITEMS: (1, 0)},
        )
        return teacher.numpy_scores(make_histories([[5]], [0]))

    np.testing.assert_array_equal(compute_scores([3, 4]), compute_scores([9, 10]))


def test_hidden_items_of_test_users_change_no_score(shop: Dataset, split: Split) -> None:
    data = shop.interactions
    is_test = np.isin(data.user, split.test.users)
    assert data.num_users == 200  # cleaning keeps all users, so their numbers are the same
    item = data.item.copy()
    item[is_test] = split.num_items + 1 - item[is_test]
    changed = split_data(replace(shop, interactions=replace(data, item=item)), "cold-users", seed=5)
    np.testing.assert_array_equal(changed.test.users, split.test.users)
    assert (changed.test.targets.items != split.test.targets.items).any()
    # Some test users are friends of each other.
    assert np.isin(split.friendships, split.test.users).all(axis=1).any()
    before = fit(split).numpy_scores(split.test.histories)
    after = fit(changed).numpy_scores(split.test.histories)
    np.testing.assert_array_equal(after, before)


def test_other_numbers_of_the_users_change_no_score(split: Split, teacher: FriendsTeacher) -> None:
    count = 200
    number = np.random.default_rng(1).permutation(count).astype(np.int32)
    assert split.friendships is not None
    renumbered = replace(
        split,
        train_users=number[split.train_users],
        friendships=np.sort(number[split.friendships], axis=1),
        validation=replace(split.validation, users=number[split.validation.users]),
    )
    histories = replace(split.test.histories, users=number[split.test.users])
    np.testing.assert_allclose(
        fit(renumbered).numpy_scores(histories),
        teacher.numpy_scores(split.test.histories),
        atol=1e-5,
    )


@pytest.mark.slow
def test_friends_help_where_a_user_has_few_items() -> None:
    shop = generate_bookshop(num_items=300, num_users=600, seed=1, has_friends=True)
    split = split_data(shop, "cold-users", seed=1)
    teacher = FriendsTeacher(split.num_items, max_length=60, alpha=20.0, regularization=20.0)
    teacher.fit(split.train, validation_data=split.validation)
    statistics = TrainingStatistics.from_split(split)

    def measure(score: Callable[[Histories], np.ndarray]) -> float:
        return evaluate(score, split.test, statistics).overall["recall@20"]

    alone = measure(lambda histories: FoldInModel.numpy_scores(teacher, histories))
    assert measure(make_score_fn(teacher)) > 1.05 * alone


def test_an_unknown_user_gets_the_scores_of_the_history(
    split: Split, teacher: FriendsTeacher
) -> None:
    histories = split.test.histories
    expected = FoldInModel.numpy_scores(teacher, histories)
    for users in (None, np.full(len(histories), -1), np.full(len(histories), 10**6)):
        scores = teacher.numpy_scores(replace(histories, users=users))
        np.testing.assert_array_equal(scores, expected)


def test_scores_outside_tensorflow_are_those_of_the_call(
    split: Split, teacher: FriendsTeacher
) -> None:
    histories = split.test.histories
    inputs = teacher.to_inputs(histories)
    expected = teacher.numpy_scores(histories)
    np.testing.assert_allclose(teacher(inputs).numpy()[:, 1:], expected[:, 1:], atol=2e-3)
    candidates = np.tile(np.array([[3, 1, 0, V]], np.int32), (len(inputs), 1))
    scores = teacher.score(inputs, candidates).numpy()
    np.testing.assert_allclose(scores[:, [0, 1, 3]], expected[:, [3, 1, V]], atol=2e-3)
    assert not scores[:, 2].any()
    decoded = teacher.from_inputs(inputs)
    np.testing.assert_array_equal(decoded.items, histories.items)
    np.testing.assert_array_equal(decoded.users, histories.users)


LONG_AND_SHORT = [[3, 4, 5, 6, 7, 8, 9, 10], [11]]


def test_members_of_an_ensemble_beside_it_see_no_user(tiny: Callable[..., HistoryModel]) -> None:
    friends = make_teacher([[0, 1]], {1: [1, 2]}, {NEAR_ITEMS: (1.0, 0.0)})
    network = tiny(CNNTeacher)
    ensemble = WeightedEnsemble(members=[network, friends], weights=[1.0, 3.0])
    assert ensemble.quantizations == ()  # it is no model for an app
    histories = make_histories(LONG_AND_SHORT, [0, 2])
    friend_scores = friends.numpy_scores(histories)
    assert friend_scores[0, 1] > 0.5
    expected = make_score_fn(network)(histories) + 3 * friend_scores
    scores = make_score_fn(ensemble)(histories)
    np.testing.assert_allclose(scores[:, 1:], expected[:, 1:], atol=1e-4)


def test_a_mixture_tells_its_members_the_user(tiny: Callable[..., HistoryModel]) -> None:
    friends = make_teacher([[0, 1]], {1: [1, 2]}, {NEAR_ITEMS: (1.0, 0.0)}, max_length=5)
    mixture = TeacherMixture(members=[tiny(CNNTeacher), friends])
    score = make_score_fn(mixture)
    lonely = score(make_histories(LONG_AND_SHORT, [2, 2]))
    with_friends = score(make_histories(LONG_AND_SHORT, [0, 2]))
    assert (with_friends[0, 1:3] > lonely[0, 1:3] + 0.1).all()
    assert (with_friends[0, 12:] < lonely[0, 12:]).all()
    np.testing.assert_array_equal(with_friends[1], lonely[1])


def test_a_student_learns_its_scores_of_the_training_users(
    tmp_path, split: Split, teacher: FriendsTeacher
) -> None:
    examples = draw_sequence_examples(
        split.train, num_passes=1, max_length=10, num_targets=4, chronological=True, seed=1
    )
    targets = compute_teacher_targets(
        teacher, examples, top_k=5, folder=tmp_path / "targets", progress=NullProgress()
    )
    histories = replace(from_padded(examples.history[0]), users=examples.users)
    scores = teacher.numpy_scores(histories)
    best = targets["teacher_ids"][0]
    rows = np.arange(len(best))[:, None]
    np.testing.assert_allclose(targets["teacher_logits"][0], scores[rows, best], atol=1e-4)
    # Without users the teacher knows less.
    plain = compute_teacher_targets(
        teacher,
        replace(examples, users=None),
        top_k=5,
        folder=tmp_path / "plain",
        progress=NullProgress(),
    )
    assert (plain["teacher_ids"][0] != best).mean() > 0.1


def test_with_and_without_a_cache_a_student_learns_the_same(
    tmp_path, split: Split, teacher: FriendsTeacher
) -> None:
    losses = []
    for cache_dir in (None, tmp_path):
        rng.set_seed(1)
        student = MLPStudent(split.num_items, max_length=15, embedding_dim=4)
        distiller = Distiller(
            teacher, student, distillation_losses=SoftTargets(), cache_dir=cache_dir
        )
        distiller.compile(optimizer=keras.optimizers.Adam(0.01))
        history = distiller.fit(split.train, epochs=1, num_passes=1, verbose=0)
        losses.append(history.history["distillation_loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_students_of_user_ids_learn_from_friends_too() -> None:
    teacher = make_teacher([[0, 1], [1, 2]], {1: [1, 2], 0: [3]}, {NEAR_ITEMS: (1.0, 0.0)})
    train = make_histories([[3], [1, 2]], [0, 1])
    lookup = UserHistoryLookup.from_histories(teacher, train)
    expected = teacher.numpy_scores(train)
    np.testing.assert_allclose(lookup.numpy_scores(train), expected, atol=1e-5)
    np.testing.assert_allclose(
        lookup(lookup.to_inputs(train)).numpy()[:, 1:], expected[:, 1:], atol=1e-4
    )


def test_data_without_friends_are_refused(split: Split) -> None:
    with pytest.raises(UserError, match="needs friends") as caught:
        fit(replace(split, friendships=None))
    assert "--friends" in (caught.value.hint or "")
