import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from kd_tf.backend import tf
from kd_tf.losses.softmax import MASKED_LOGIT, compute_multinomial_loss, mask_history


def ints(rows: list[list[int]]) -> tf.Tensor:
    return tf.constant(rows, tf.int32)


def loss_of(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    return compute_multinomial_loss(logits, targets, tf.reduce_logsumexp(logits, axis=1))


@st.composite
def problems(draw):
    """Logits [B, V + 1], a history [B, L] and targets [B, M] that may overlap it."""
    B, V, L, M = (draw(st.integers(1, top)) for top in (3, 8, 4, 4))
    finite = st.floats(-20, 20, width=32)
    return (
        draw(hnp.arrays(np.float32, (B, V + 1), elements=finite)),
        draw(hnp.arrays(np.int32, (B, L), elements=st.integers(0, V))),
        draw(hnp.arrays(np.int32, (B, M), elements=st.integers(0, V))),
    )


def test_masking_by_hand():
    logits = tf.constant([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    masked = mask_history(logits, ints([[2, 0, 2], [0, 0, 0]])).numpy()
    assert masked.tolist() == [
        [MASKED_LOGIT, 2.0, MASKED_LOGIT, 4.0],
        [MASKED_LOGIT, 6.0, 7.0, 8.0],
    ]


@given(problems())
def test_exactly_padding_and_the_history_are_masked(problem):
    logits, history, _ = problem
    masked = mask_history(tf.constant(logits), tf.constant(history)).numpy()
    for row in range(len(logits)):
        for item in range(logits.shape[1]):
            gone = item == 0 or item in history[row]
            assert masked[row, item] == (np.float32(MASKED_LOGIT) if gone else logits[row, item])


def test_the_loss_by_hand():
    # softmax over (1, 2, 4, 1) / 8 without id 0; targets with shares 1/4 and 1/2.
    logits = tf.math.log([[9.0, 1.0, 2.0, 4.0, 1.0]])
    masked = mask_history(logits, ints([[0]]))
    expected = -(np.log(2 / 8) + np.log(4 / 8)) / 2
    assert loss_of(masked, ints([[2, 3, 0]])).numpy() == pytest.approx([expected])
    # Item 3 is read already: what is left is (1, 2, 1) / 4.
    masked = mask_history(logits, ints([[3]]))
    assert loss_of(masked, ints([[2, 0, 0]])).numpy() == pytest.approx([-np.log(2 / 4)])


@given(problems())
def test_the_loss_is_the_mean_negative_log_softmax_of_the_targets_that_are_left(problem):
    logits, history, targets = problem
    actual = loss_of(
        mask_history(tf.constant(logits), tf.constant(history)), tf.constant(targets)
    ).numpy()
    for row in range(len(logits)):
        remaining = np.setdiff1d(np.arange(1, logits.shape[1]), history[row])
        chosen = [item for item in targets[row] if item in remaining]
        if not chosen:
            assert actual[row] == 0
            continue
        likelihood = special.log_softmax(logits[row, remaining].astype(np.float64))
        expected = -np.mean([likelihood[np.searchsorted(remaining, item)] for item in chosen])
        assert actual[row] == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.slow
@given(problems())
def test_masked_ids_get_no_gradient_and_all_others_do(problem):
    logits, history, targets = problem
    variable = tf.Variable(np.clip(logits, -3, 3))
    with tf.GradientTape() as tape:
        loss = loss_of(mask_history(variable, tf.constant(history)), tf.constant(targets))
    gradient = tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()
    assert np.isfinite(gradient).all()
    for row in range(len(logits)):
        gone = np.union1d([0], history[row])
        assert (gradient[row, gone] == 0).all()
        remaining = np.setdiff1d(np.arange(logits.shape[1]), gone)
        chosen = np.intersect1d(targets[row], remaining)
        if len(chosen) and len(remaining) > len(chosen):
            others = np.setdiff1d(remaining, chosen)
            assert (gradient[row, others] > 0).all()


def test_a_row_without_targets_gives_zero_loss_and_zero_gradient():
    variable = tf.Variable([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    with tf.GradientTape() as tape:
        loss = loss_of(mask_history(variable, ints([[0], [0]])), ints([[0, 0], [1, 0]]))
    gradient = tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()
    assert loss.numpy()[0] == 0
    assert (gradient[0] == 0).all()
    assert loss.numpy()[1] > 0
    assert np.abs(gradient[1]).sum() > 0


def test_a_masked_target_is_left_out_and_does_not_drown_the_others():
    logits = tf.constant([[0.0, 1.0, 2.0, 3.0]])
    masked = mask_history(logits, ints([[1]]))
    both, alone = loss_of(masked, ints([[1, 2]])), loss_of(masked, ints([[2]]))
    assert both.numpy() == pytest.approx(alone.numpy())
    assert loss_of(masked, ints([[1]])).numpy() == [0]
