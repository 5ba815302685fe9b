from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from kd_tf.backend import keras, tf
from kd_tf.data.examples.sequences import Examples
from kd_tf.data.histories import from_lists
from kd_tf.data.split import HeldOutSet
from kd_tf.distill.teacher_targets import compute_teacher_targets
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.by_user_id.matrix_factorization import MatrixFactorization
from kd_tf.models.teachers.mixture import TeacherMixture, compute_validation_weights
from kd_tf.progress import NullProgress
from kd_tf.training import checkpoint

V, L = 12, 5
UNKNOWN = [-(2**31), -1, V + 1, 2**31 - 1]


@keras.saving.register_keras_serializable(package="test_panel")
class Says(HistoryModel):
    """Scores an item by the sum of what the items of the history say of it."""

    def __init__(self, *, num_items=V, max_length=L, scale=1.0, shift=0.0, seed=0, **kwargs):
        super().__init__(num_items=num_items, max_length=max_length, **kwargs)
        self.settings = {"scale": scale, "shift": shift, "seed": seed}
        self.says = self.add_weight(name="says", shape=(num_items + 1, num_items + 1))
        samples = np.random.default_rng(seed).normal(0, 1, (num_items + 1, num_items + 1))
        self.says.assign(scale * samples + shift)

    def call(self, inputs, training=False):
        return tf.reduce_sum(tf.gather(self.says, self.mask_unknown_ids(inputs)), axis=1)

    def get_config(self):
        return {**super().get_config(), **self.settings}


def padded(*items: int, length: int = L) -> list[int]:
    return [*items] + [0] * (length - len(items))


some_id = st.one_of(st.integers(1, V), st.sampled_from([0, *UNKNOWN]))
some_rows = st.lists(st.lists(some_id, min_size=L, max_size=L), min_size=1, max_size=4)
ROWS = tf.constant([padded(3, 1, 4), padded(), padded(9, 8, 7, 6, 5), padded(2)])


def distribution(scores: np.ndarray, unread: np.ndarray, temperature: float) -> np.ndarray:
    """NumPy's, of one user over the unread items; 0 elsewhere."""
    expected_scores = scores[unread].astype(np.float64)
    actual = np.zeros(len(scores))
    actual[unread] = special.softmax(
        (expected_scores - expected_scores.mean()) / expected_scores.std() / temperature
    )
    return actual


def unread_of(row) -> np.ndarray:
    return np.setdiff1d(np.arange(1, V + 1), row)


def spread(sharpness: float) -> TeacherMixture:
    """One member alone, as sharp as told."""
    return TeacherMixture(members=[Says(seed=1)], temperatures=[1 / sharpness])


@settings(max_examples=15)
@given(some_rows)
def test_it_is_the_log_of_the_weighted_mean_of_distributions_over_unread_items(rows):
    members = [Says(seed=1), Says(seed=2, scale=30.0), Says(seed=3, scale=1e-4, shift=5.0)]
    weights, temperatures = [1.0, 0.5, 2.5], [1.0, 0.5, 2.0]
    panel = TeacherMixture(members=members, weights=weights, temperatures=temperatures)
    actual = panel(tf.constant(rows, tf.int32)).numpy()
    for number, row in enumerate(rows):
        unread = unread_of(row)
        mean = sum(
            weight
            / 4
            * distribution(member(tf.constant([row])).numpy()[0], unread, temperature)[unread]
            for member, weight, temperature in zip(members, weights, temperatures, strict=True)
        )
        np.testing.assert_allclose(np.exp(actual[number, unread]), mean, rtol=5e-3, atol=1e-6)
        assert np.exp(actual[number, unread]).sum() == pytest.approx(1, rel=1e-5)


def test_the_average_by_hand():
    class Given(HistoryModel):
        def __init__(self, scores):
            super().__init__(num_items=3, max_length=1)
            self.scores = tf.constant([scores], tf.float32)

        def call(self, inputs, training=False):
            return tf.repeat(self.scores, tf.shape(inputs)[0], axis=0)

    # Item 3 is read: of the others one lies a deviation above the mean, the other one below.
    one, other = Given([9, 4, 2, -70]), Given([9, 0.1, 0.3, 1000])
    panel = TeacherMixture(members=[one, other], weights=[3, 1])
    high, low = np.e / (np.e + 1 / np.e), 1 / np.e / (np.e + 1 / np.e)
    expected = [(3 * high + low) / 4, (3 * low + high) / 4]
    actual = panel(tf.constant([[3]])).numpy()[0, 1:3]
    np.testing.assert_allclose(np.exp(actual), expected, rtol=1e-5)


@pytest.mark.parametrize("by_confidence", [False, True])
def test_a_mixture_of_one_ranks_as_its_member_whatever_the_scale_of_its_scores(by_confidence):
    alone = Says(seed=4)
    actual = TeacherMixture(members=[alone], weights=[7.0], by_confidence=by_confidence)(
        ROWS
    ).numpy()
    large = TeacherMixture(members=[Says(seed=4, scale=1000.0, shift=7.0)])(ROWS)
    np.testing.assert_allclose(actual[:, 1:], large[:, 1:], rtol=1e-3, atol=1e-3)
    for number, row in enumerate(ROWS.numpy()):
        unread = unread_of(row)
        scores = alone(ROWS).numpy()[number]
        expected = np.log(distribution(scores, unread, 1.0)[unread])
        np.testing.assert_allclose(actual[number, unread], expected, rtol=1e-4)
        # Read items are scored like any others, on the same scale.
        np.testing.assert_array_equal(np.argsort(actual[number, 1:]), np.argsort(scores[1:]))


@pytest.mark.parametrize("by_confidence", [False, True])
def test_a_mixture_of_equal_teachers_is_one_of_them(by_confidence):
    several = TeacherMixture(
        members=[Says(seed=4), Says(seed=4), Says(seed=4)],
        weights=[1.0, 5.0, 0.1],
        by_confidence=by_confidence,
    )
    np.testing.assert_allclose(
        several(ROWS)[:, 1:], TeacherMixture(members=[Says(seed=4)])(ROWS)[:, 1:], atol=1e-4
    )


@pytest.mark.parametrize("by_confidence", [False, True])
def test_the_order_of_members_and_the_scale_of_weights_are_of_no_matter(by_confidence):
    def panel(order, scale):
        return TeacherMixture(
            members=[Says(seed=one) for one in order],
            weights=[scale * (1 + one) for one in order],
            temperatures=[0.5 + one for one in order],
            by_confidence=by_confidence,
        )

    np.testing.assert_allclose(
        panel([0, 1, 2], 1.0)(ROWS)[:, 1:], panel([2, 0, 1], 40.0)(ROWS)[:, 1:], atol=1e-4
    )


def test_a_member_of_weight_0_does_not_count():
    for by_confidence in (False, True):
        panel = TeacherMixture(
            members=[Says(seed=1), Says(seed=2)], weights=[1, 0], by_confidence=by_confidence
        )
        one = TeacherMixture(members=[Says(seed=1)])
        np.testing.assert_allclose(panel(ROWS)[:, 1:], one(ROWS)[:, 1:], atol=1e-4)


def test_by_confidence_the_more_confident_member_weighs_more_as_in_the_paper():
    members, temperatures = [Says(seed=1), Says(seed=2), Says(seed=3)], [0.2, 1.0, 5.0]
    weights = [1.0, 2.0, 1.0]
    panel = TeacherMixture(
        members=members, weights=weights, temperatures=temperatures, by_confidence=True
    )
    row = np.array(padded(3, 1, 4))
    unread = unread_of(row)
    each = [
        distribution(member(row[None]).numpy()[0], unread, temperature)[unread]
        for member, temperature in zip(members, temperatures, strict=True)
    ]
    entropy = np.array([-(one * np.log(one)).sum() for one in each])
    confidence = (1 - np.exp(entropy) / np.exp(entropy).sum()) / 2
    assert confidence[0] > confidence[1] > confidence[2]
    share = confidence * weights / (confidence * weights).sum()
    actual = panel(tf.constant([row], tf.int32)).numpy()[0, unread]
    np.testing.assert_allclose(np.exp(actual), share @ np.array(each), rtol=1e-4, atol=1e-7)


def test_an_item_that_one_member_is_certain_of_stays_in_the_mixture():
    sure, doubtful = spread(10.0), spread(0.1)
    both = TeacherMixture(members=[Says(seed=1), Says(seed=1, scale=-1.0)], temperatures=[0.1, 0.1])
    best = int(tf.argmax(sure(ROWS)[0, 1:])) + 1
    assert sure(ROWS)[0, best] > doubtful(ROWS)[0, best] + 1
    # The other says that this item is the last of all.
    alone = float(sure(ROWS)[0, best])
    assert float(both(ROWS)[0, best]) == pytest.approx(alone - np.log(2), abs=0.01)


def test_members_of_shorter_histories_see_the_newest_items_and_read_ones_stay_read():
    short, long = Says(seed=1, max_length=2), Says(seed=2, max_length=6)
    panel = TeacherMixture(members=[short, long])
    assert panel.max_length == 6
    rows = tf.constant([padded(3, 1, 4, 9, length=6), padded(5, length=6), [7, 0, 8, 7, -3, 2]])
    newest = [padded(4, 9, length=2), padded(5, length=2), [8, 2]]
    actual = panel(rows).numpy()
    for number, row in enumerate(rows.numpy()):
        unread = unread_of(row)
        mean = (
            distribution(short(tf.constant([newest[number]])).numpy()[0], unread, 1.0)
            + distribution(long(rows).numpy()[number], unread, 1.0)
        ) / 2
        np.testing.assert_allclose(np.exp(actual[number, unread]), mean[unread], rtol=1e-4)


def test_a_member_with_equal_scores_gives_an_even_share():
    flat = TeacherMixture(members=[Says(seed=1, scale=0.0, shift=3.0)])
    actual = flat(ROWS).numpy()
    for number, row in enumerate(ROWS.numpy()):
        unread = unread_of(row)
        np.testing.assert_allclose(actual[number, unread], -np.log(len(unread)), rtol=1e-5)


def test_a_user_of_every_item_is_answered_with_finite_numbers():
    panel = TeacherMixture(
        members=[Says(max_length=V), Says(max_length=V, seed=1)], by_confidence=True
    )
    assert np.isfinite(panel(tf.constant([list(range(1, V + 1))]))).all()


def test_it_gives_outputs_as_any_teacher(tmp_path):
    panel = TeacherMixture(members=[Says(seed=1), Says(seed=2, max_length=3)])
    history = np.array([[padded(3, 1, 4), padded(9, 8, 7, 6, 5)]], np.int32)
    examples = Examples(history, np.zeros((1, 2, 1), np.int32))
    actual = compute_teacher_targets(
        panel, examples, top_k=V, folder=tmp_path / "one", progress=NullProgress()
    )
    np.testing.assert_allclose(actual["teacher_total"], 0, atol=1e-5)
    logits = panel(tf.constant(history[0])).numpy()
    for row, ids, messages in zip(
        range(2), actual["teacher_ids"][0], actual["teacher_logits"][0], strict=True
    ):
        unread = unread_of(history[0, row])
        best = unread[np.argsort(-logits[row, unread])]
        np.testing.assert_array_equal(ids[: len(best)], best)
        np.testing.assert_allclose(messages[: len(best)], logits[row, best], rtol=1e-5)


def panel_of(**settings) -> TeacherMixture:
    return TeacherMixture(members=[Says(seed=1), Says(seed=2, max_length=3)], **settings)


ANSWERS = [{}, {"weights": [1, 2]}, {"temperatures": [1, 2]}, {"by_confidence": True}]


@pytest.mark.parametrize("rule", ANSWERS, ids=str)
def test_a_saved_mixture_scores_alike_when_it_is_loaded(rule, tmp_path):
    panel = panel_of(**rule)
    checkpoint.save(panel, tmp_path / "panel")
    loaded = checkpoint.load(tmp_path / "panel")
    assert isinstance(loaded, TeacherMixture)
    assert checkpoint.compute_fingerprint(loaded) == checkpoint.compute_fingerprint(panel)
    np.testing.assert_array_equal(loaded(ROWS), panel(ROWS))


def test_mixtures_with_different_scores_have_different_fingerprints():
    panels = [panel_of(**rule) for rule in ANSWERS]
    answers = [one(ROWS).numpy().tobytes() for one in panels]
    assert len(set(answers)) == len({checkpoint.compute_fingerprint(one) for one in panels}) == 4


def chooser(users: int, temperature: float, member: HistoryModel) -> ValidationMetric:
    """Users who choose items by what a member says, as surely as the temperature makes them."""
    random = np.random.default_rng(0)
    rows = [random.permutation(V)[:3] + 1 for _ in range(users)]
    scores = make_score_fn(member)(from_lists(rows))
    chosen = [
        [random.choice(V + 1, p=distribution(one, unread_of(row), temperature))]
        for one, row in zip(scores, rows, strict=True)
    ]
    return ValidationMetric(HeldOutSet(from_lists(rows), from_lists(chosen), np.arange(users)), V)


@pytest.mark.parametrize("true", [0.3, 2.0])
def test_calibration_finds_the_temperature_of_a_member_whatever_the_scale_of_its_scores(true):
    members = [Says(seed=5), Says(seed=5, scale=1e-3, shift=0.2)]
    actual = TeacherMixture.calibrate(members, chooser(3000, true, members[0]), NullProgress())
    config = actual.get_config()
    np.testing.assert_allclose(config["temperatures"], true, rtol=0.12)
    assert config["weights"] == [1, 1]
    assert not config["by_confidence"]


def test_a_member_that_knows_nothing_of_the_users_becomes_unsure():
    members = [Says(seed=5), Says(seed=6)]
    actual = TeacherMixture.calibrate(
        members, chooser(2000, 0.3, members[0]), NullProgress(), weights=[1, 3], by_confidence=True
    ).get_config()
    assert actual["temperatures"][1] > 5 * actual["temperatures"][0]
    assert (actual["weights"], actual["by_confidence"]) == ([1, 3], True)


def test_without_validation_users_temperatures_are_1():
    nobody = ValidationMetric(HeldOutSet(from_lists([[]]), from_lists([[1]]), np.arange(1)), V)
    actual = TeacherMixture.calibrate([Says()], nobody, NullProgress())
    assert actual.get_config()["temperatures"] == [1.0]


def test_weights_of_figures_by_hand():
    assert compute_validation_weights([0.2, 0.1], sharpness=2 * np.log(3)) == pytest.approx(
        [0.75, 0.25]
    )
    # A tenth worse weighs exp(-1) of the best.
    best, worse = compute_validation_weights([0.5, 0.45])
    assert worse / best == pytest.approx(np.exp(-1))
    assert best + worse == pytest.approx(1)
    assert compute_validation_weights([0.3, 0.3, 0.3]) == pytest.approx([1 / 3] * 3)
    assert compute_validation_weights([0.3, 0.1], sharpness=0.0) == pytest.approx([0.5, 0.5])


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=5), st.floats(0.1, 100))
def test_weights_rise_with_the_figures_and_do_not_see_their_scale(figures, scale):
    weights = compute_validation_weights(figures)
    assert weights == pytest.approx(compute_validation_weights([scale * one for one in figures]))
    assert sum(weights) == pytest.approx(1)
    order = np.argsort(figures)
    assert (np.diff(np.array(weights)[order]) >= 0).all()


@pytest.mark.parametrize("figures", [[], [0.0, 0.0], [0.1, float("nan")], [-1.0]])
def test_invalid_metrics_are_refused(figures):
    with pytest.raises(ValueError, match="metrics must be finite, the best above 0"):
        compute_validation_weights(figures)
    with pytest.raises(ValueError, match="sharpness must be 0 or above, not -1"):
        compute_validation_weights([0.5], sharpness=-1)


@pytest.mark.parametrize(
    ("members", "given", "message"),
    [
        ([], {}, "one catalog, not of nothing"),
        ([Says(), Says(num_items=V + 1)], {}, r"one catalog, not of \[12, 13\]"),
        ([Says()], {"weights": [1, 2]}, r"weights must be 1 finite numbers .*\[1.0, 2.0\]"),
        ([Says()], {"weights": [-1]}, r"weights must be .* at least 0, not \[-1.0\]"),
        ([Says()], {"weights": [0]}, "at least one weight and all temperatures must be above 0"),
        ([Says()], {"weights": [float("nan")]}, "weights must be 1 finite"),
        (
            [Says()],
            {"temperatures": [0]},
            "at least one weight and all temperatures must be above 0",
        ),
        ([Says()], {"temperatures": []}, "temperatures must be 1 finite"),
    ],
)
def test_members_and_numbers_that_do_not_fit_are_refused(members, given, message):
    with pytest.raises(ValueError, match=message):
        TeacherMixture(members=members, **given)


def test_a_model_of_numbered_users_is_refused():
    numbered = MatrixFactorization(num_items=V, num_users=3, max_seen_items=2, embedding_dim=2)
    with pytest.raises(ValueError, match="not of user ids"):
        TeacherMixture(members=[numbered])


def test_a_mixture_needs_the_memory_of_all_its_members():
    members = [Says(), Says(max_length=3)]
    assert TeacherMixture(members=members).peak_score_rows > sum(
        one.peak_score_rows for one in members
    )
