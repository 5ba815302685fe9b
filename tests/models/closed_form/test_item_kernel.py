"""The kernel's gradient against finite differences and TensorFlow; fits against their rows."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.layers.fake_quantize import fake_quantize
from kd_tf.models.closed_form import item_kernel as module
from kd_tf.models.closed_form.item_kernel import (
    ItemKernel,
    compute_gradient,
    fit_item_kernel,
)
from kd_tf.progress import NullProgress

V, d, K = 9, 4, 3


@pytest.fixture
def case():
    """Rows of one to three targets."""
    random = np.random.default_rng(0)
    sources = np.array([2, 9, 3, 1])
    ids = np.array([[3, 5, 6], [8, 0, 0], [6, 2, 0], [8, 0, 5]], np.int32)
    share = random.uniform(0.2, 1, ids.shape) * (ids > 0)
    return {
        "table": random.normal(0, 0.7, (V + 1, d)),
        "bias": random.normal(0, 0.7, V + 1),
        "items": sources,
        "targets": ids,
        "target_probs": share / share.sum(axis=1, keepdims=True),
    }


def whole(case):
    """The loss's sum, and its gradients by all vectors and all biases."""
    loss, by_source, by_column, by_bias = compute_gradient(**case)
    table = by_column.copy()
    np.add.at(table, case["items"], by_source)
    return loss * len(case["items"]), table, by_bias


def cross_entropy(case, table, bias):
    """The sum over the rows in TensorFlow, by masks of [n, V + 1]: no index is translated."""
    sources, share = case["items"], case["target_probs"]
    target = np.zeros((len(sources), V + 1))
    for row, ids in enumerate(case["targets"]):
        target[row, ids[ids > 0]] = share[row, ids > 0]
    allowed = np.tile(np.arange(V + 1) > 0, (len(sources), 1))
    allowed[np.arange(len(sources)), sources] = False
    logits = tf.linalg.matmul(tf.gather(table, sources), table, transpose_b=True) + bias
    masked = tf.where(allowed, logits, tf.constant(-1e9, tf.float64))
    return tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(target, masked))


def test_the_loss_and_its_gradient_are_tensorflows(case):
    table, bias = tf.constant(case["table"]), tf.constant(case["bias"])
    with tf.GradientTape() as tape:
        tape.watch((table, bias))
        loss = cross_entropy(case, table, bias)
    by_table, by_bias = tape.gradient(loss, (table, bias))
    actual = whole(case)
    assert actual[0] == pytest.approx(float(loss), rel=1e-6)
    np.testing.assert_allclose(actual[1], tf.convert_to_tensor(by_table), atol=1e-7)
    np.testing.assert_allclose(actual[2], by_bias, atol=1e-7)


@pytest.mark.parametrize("name", ["table", "bias"])
def test_the_gradient_is_the_slope_of_the_loss(case, name):
    loss_and = dict(zip(("loss", "table", "bias"), whole(case), strict=True))
    batch = 1e-5
    slope = np.zeros_like(case[name])
    for place in np.ndindex(slope.shape):
        for sign in (1, -1):
            moved = case[name].copy()
            moved[place] += sign * batch
            slope[place] += sign * whole(case | {name: moved})[0] / (2 * batch)
    np.testing.assert_allclose(loss_and[name], slope, atol=1e-7)


def test_the_gradient_comes_row_by_row_and_column_by_column(case):
    _, by_source, by_column, by_bias = compute_gradient(**case)
    assert by_source.shape == (4, d)
    assert by_column.shape == (V + 1, d)
    assert by_bias.shape == (V + 1,)
    for row in range(4):
        alone = {name: case[name][[row]] for name in ("items", "targets", "target_probs")}
        np.testing.assert_allclose(
            compute_gradient(**case | alone)[1][0], by_source[row], atol=1e-12
        )


def test_the_padding_and_a_row_s_own_item_are_no_candidates(case):
    before, _, by_column, by_bias = compute_gradient(**case)
    assert not by_column[0].any()
    assert by_bias[0] == 0
    moved = case["bias"].copy()
    moved[0] += 3
    assert compute_gradient(**case | {"bias": moved})[0] == before
    alone = {name: case[name][[0]] for name in ("items", "targets", "target_probs")}
    assert compute_gradient(**case | alone)[3][case["items"][0]] == 0


# Fits.


def fit(
    dense, *, targets=V, embedding_dim=8, steps=150, bits=8, seed=0, progress=None
) -> ItemKernel:
    return fit_item_kernel(
        sparse.csr_array(np.asarray(dense, np.float32)),
        embedding_dim=embedding_dim,
        num_targets=targets,
        steps=steps,
        bits=bits,
        seed=seed,
        progress=progress or NullProgress(),
    )


def spoken(kernel):
    """float64 [V + 1, V + 1]: what the kernel lets item h add to the score of i."""
    table = kernel.table.astype(np.float64)
    return np.exp(
        table @ table.T + kernel.target_bias + kernel.history_bias.astype(np.float64)[:, None]
    )


def groups(items, size):
    """Rows in which items of one group speak for each other, and everybody a little for some."""
    random = np.random.default_rng(7)
    group = np.append(-1, random.permutation(items) % (items // size))
    rows = np.where(group == group[:, None], random.uniform(0.6, 1, (items + 1,) * 2), 0)
    rows += random.uniform(0, 0.1, rows.shape) * (random.random(rows.shape) < 0.3)
    rows *= random.uniform(0.2, 5, (items + 1, 1))
    np.fill_diagonal(rows, 0)
    rows[0], rows[:, 0] = 0, 0
    return rows, group


def recovers(kernel, group):
    actual = spoken(kernel)
    np.fill_diagonal(actual, 0)
    np.testing.assert_array_equal(group[actual.argmax(axis=1)][1:], group[1:])


def kept_mass(rows, targets):
    return np.sort(np.maximum(rows, 0), axis=1)[:, ::-1][:, :targets].sum(axis=1)


def keeps_its_mass(kernel, rows, targets):
    actual = spoken(kernel)
    assert (actual[:, 0] == 0).all()  # the padding is never spoken for
    np.fill_diagonal(actual, 0)
    mass = kept_mass(rows, targets)
    np.testing.assert_allclose(actual.sum(axis=1)[mass > 0], mass[mass > 0], rtol=1e-3)
    np.testing.assert_array_equal(kernel.history_bias[mass == 0], np.float32(-1e4))


def test_items_that_go_together_are_found_and_every_row_keeps_its_mass():
    rows, group = groups(24, 3)
    kernel = fit(rows, targets=6)
    recovers(kernel, group)
    keeps_its_mass(kernel, rows, 6)


def watch(monkeypatch, messages):
    """Has every call of `gradient` during a fit told first."""

    def watched(*arguments):
        messages(*arguments)
        return compute_gradient(*arguments)

    monkeypatch.setattr(module, "compute_gradient", watched)


def test_every_epoch_visits_each_item_with_targets_once(monkeypatch):
    calls = []
    watch(monkeypatch, lambda table, bias, sources, *rest: calls.extend(sources.tolist()))
    monkeypatch.setattr(module, "BATCH_SIZE", 7)
    rows, _ = groups(24, 3)
    rows[5] = 0
    fit(rows, steps=8)  # 23 rows are four steps
    first, second = calls[:23], calls[23:]
    assert sorted(first) == sorted(second) == [one for one in range(1, 25) if one != 5]
    assert first != second


def test_with_dimensions_enough_the_kernel_is_the_rows_themselves():
    # Up to a factor of each row and of each column, what two items say of each other is alike.
    random = np.random.default_rng(1)
    rows = random.normal(0, 1, (V + 1, V + 1))
    rows = np.exp((rows + rows.T) / 2 + random.normal(0, 1, V + 1))
    rows /= rows.sum(axis=1, keepdims=True) * random.uniform(0.2, 1, (V + 1, 1))
    np.fill_diagonal(rows, 0)
    rows[0], rows[:, 0] = 0, 0
    actual = spoken(fit(rows, embedding_dim=24, steps=400))
    np.fill_diagonal(actual, 0)
    np.testing.assert_allclose(actual, rows, rtol=1e-3)


def test_a_fit_ends_where_no_vector_and_no_bias_can_lower_the_loss():
    # So few dimensions that the rows cannot be met: an item as a row and as a target must agree.
    rows, _ = groups(V, 3)
    kernel = fit(rows, embedding_dim=2, steps=1500)
    case = {
        "table": kernel.table.astype(np.float64),
        "bias": kernel.target_bias.astype(np.float64),
        "items": np.arange(1, V + 1),
        "targets": np.tile(np.arange(V + 1), (V, 1)),
        "target_probs": rows[1:] / rows[1:].sum(axis=1, keepdims=True),
    }
    as_row = np.abs(compute_gradient(**case)[1]).max()
    assert as_row > 0.01
    _, table, bias = whole(case)
    assert np.abs(table).max() < 0.01 * as_row
    assert np.abs(bias).max() < 0.01 * as_row


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 14), st.integers(0, 2))
def test_every_row_keeps_the_mass_of_its_targets_after_any_number_of_steps(
    seed, items, targets, steps
):
    random = np.random.default_rng(seed)
    rows = random.normal(0, 1, (items + 1, items + 1)) * 10 ** random.uniform(-3, 3, (items + 1, 1))
    rows *= random.random((items + 1, 1)) < 0.8
    np.fill_diagonal(rows, 0)
    rows[0], rows[:, 0] = 0, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH_SIZE", 5)
        kernel = fit(rows, targets=targets, steps=steps)
    keeps_its_mass(kernel, rows, targets)
    assert kernel.table.shape == (items + 1, 8)
    assert kernel.target_bias.shape == kernel.history_bias.shape == (items + 1,)
    for one in (kernel.table, kernel.target_bias, kernel.history_bias):
        assert one.dtype == np.float32
        assert np.isfinite(one).all()


def test_rows_without_targets_score_0():
    kernel = fit(np.zeros((6, 6)))
    np.testing.assert_array_equal(kernel.history_bias, np.float32(-1e4))
    assert not spoken(kernel).any()
    against = np.zeros((6, 6))
    against[2, 3] = -1  # only positive weights are learned from
    np.testing.assert_array_equal(fit(against).history_bias, np.float32(-1e4))


def test_the_seed_decides_everything(monkeypatch):
    monkeypatch.setattr(module, "BATCH_SIZE", 7)
    rows, _ = groups(24, 3)
    one, again, other = (fit(rows, steps=4, seed=seed) for seed in (5, 5, 6))
    for name in ("table", "target_bias", "history_bias"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
        assert (getattr(one, name) != getattr(other, name)).any()


def test_progress_counts_every_epoch():
    steps, notes = [], []

    class Told(NullProgress):
        @contextlib.contextmanager
        def task(self, label, total):
            steps.append(-total)

            def advance(done=1, note=""):
                steps.append(done)
                notes.append(float(note.removeprefix("loss ")))

            yield advance

    fit(groups(24, 3)[0], steps=60, progress=Told())
    assert steps == [-60] + [1] * 60
    assert notes[-1] < notes[0]


def test_rows_taken_in_pieces_learn_what_they_learn_together(monkeypatch):
    rows, _ = groups(24, 3)
    together = fit(rows, steps=5)
    monkeypatch.setattr(module, "MAX_SCORES_PER_CHUNK", 60)
    apart = fit(rows, steps=5)
    for name in ("table", "target_bias", "history_bias"):
        np.testing.assert_allclose(getattr(apart, name), getattr(together, name), atol=2e-4)


@pytest.mark.slow
def test_vectors_of_four_bits_lie_on_their_steps_and_make_up_for_it():
    rows, _ = groups(200, 5)
    exact = fit(rows, targets=10, steps=1500)
    aware = fit(rows, targets=10, steps=1500, bits=4)
    np.testing.assert_allclose(aware.table, fake_quantize(aware.table, 4, per_row=True), atol=1e-6)
    keeps_its_mass(aware, rows, 10)

    def loss(table, bias):
        ids = np.argsort(-rows, axis=1)[1:, :10]
        share = np.take_along_axis(rows[1:], ids, axis=1)
        share /= share.sum(axis=1, keepdims=True)
        return compute_gradient(table, bias, np.arange(1, 201), ids, share)[0]

    afterwards = loss(fake_quantize(exact.table, 4, per_row=True), exact.target_bias)
    assert loss(exact.table, exact.target_bias) < loss(aware.table, aware.target_bias) < afterwards
