"""Tables of four bits: once in the file, and read by products as by rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.compress.storage import compute_quantized_size, snap_to_quantization_grid
from kd_tf.errors import ParityError
from kd_tf.layers.quantized_embedding import QuantizedEmbedding, pack_nibbles
from kd_tf.models.base import HistoryModel
from kd_tf.models.students import STUDENTS
from kd_tf.models.students.fold_in import FoldInStudent
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.weighted_ensemble import WeightedEnsemble
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.runtime.model import TFLiteModel
from kd_tf.runtime.operator_versions import parse_version
from kd_tf.tflite import convert as convert_module
from kd_tf.tflite.checks.compatibility import compute_min_runtime_version
from kd_tf.tflite.checks.parity import check_parity
from kd_tf.tflite.checks.stored_weights import check_stored_weights
from kd_tf.tflite.convert import convert
from kd_tf.tflite.passes.flatbuffer import get_builtin_code
from kd_tf.tflite.passes.int4_table import share_int4_tables, unpack_int4
from kd_tf.tflite.passes.share_table import list_table_sizes
from kd_tf.tflite.quantization import Quantization

V, L, d, K = 300, 12, 16, 20
TABLE = (V + 1) * d // 2
"""Bytes of a packed table."""

KINDS = ("fold-in", "item-kernel")

RUNTIMES = {
    f"{name}-{threads}": (resolver, threads)
    for name, resolver in (
        ("delegates", OpResolverType.AUTO),
        ("builtin", OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
    )
    for threads in (1, 4)
}
"""Kernels and threads that an app may meet."""


def made(kind: str, *, bits: int = 4, items: int = V, embedding_dim: int = d) -> HistoryModel:
    """A student of random weights: as in learnt ones books of a genre are alike, not equal."""
    random = np.random.default_rng(0)
    genres = random.normal(0, 1, (25, embedding_dim))
    table = genres[random.integers(0, 25, items + 1)]
    table += random.normal(0, 0.5, (items + 1, embedding_dim))
    table *= random.lognormal(0, 0.2, (items + 1, 1))
    sizes = {
        "num_items": items,
        "max_length": L,
        "embedding_dim": embedding_dim,
        "bits": bits,
    }
    model: HistoryModel
    if kind == "fold-in":
        model = FoldInStudent(alpha=20.0, regularization=100.0, **sizes)
        model.create_weights()
        model.assign(table.astype(np.float32))
    else:
        model = ItemKernelStudent(**sizes)
        model.create_weights()
        target, history = random.normal([[-1], [-2]], 0.3, (2, items + 1)).astype(np.float32)
        model.assign((table / embedding_dim**0.5).astype(np.float32), target, history)
    model.prior.assign(random.normal(0, 0.01, items + 1).astype(np.float32))
    return model


def table_of(model: HistoryModel) -> QuantizedEmbedding:
    """The table of a compact student."""
    return model.factors if isinstance(model, FoldInStudent) else model.table


@pytest.fixture(scope="module")
def four_bit_student() -> Callable[..., HistoryModel]:
    """``four_bit_student(kind)``: settled, as it would be shipped."""
    ready: dict[str, HistoryModel] = {}

    def make(kind: str) -> HistoryModel:
        if kind not in ready:
            ready[kind] = snap_to_quantization_grid(made(kind))
        return ready[kind]

    return make


@pytest.fixture(scope="module")
def converted(four_bit_student) -> Callable[..., tuple[bytes, bytes]]:
    """``converted(kind, form)``: what the pass was given, and the file."""
    ready: dict[tuple[str, Quantization], tuple[bytes, bytes]] = {}

    def make(kind: str, form: Quantization = Quantization.DYNAMIC_INT8) -> tuple[bytes, bytes]:
        if (kind, form) not in ready:
            ready[kind, form] = before_and_after(four_bit_student(kind), form)
        return ready[kind, form]

    return make


def before_and_after(student: HistoryModel, form: Quantization) -> tuple[bytes, bytes]:
    """What `convert` gives to the pass, and the file that it makes of it."""
    given_to_pass = []

    def watch(content: bytes, rows: int) -> bytes:
        given_to_pass.append(content)
        return share_int4_tables(content, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert_module, "share_int4_tables", watch)
        content = convert(student, form, recommendations=K)
    (before,) = given_to_pass
    return before, content


@pytest.fixture(scope="module")
def some_histories() -> np.ndarray:
    """int32 [60, L], of every length."""
    random = np.random.default_rng(1)
    rows = np.stack([random.permutation(V)[:L] + 1 for _ in range(60)])
    rows[np.arange(L) >= (np.arange(60) % L + 1)[:, None]] = 0
    return rows.astype(np.int32)


def opened(content: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromPackedBuf(bytearray(content))


def sizes(model: schema.ModelT) -> list[int]:
    """Bytes of every constant."""
    return [len(one.data) for one in model.buffers if one.data is not None and len(one.data)]


def users(model: schema.ModelT, kind: int, place: int) -> list[tuple[schema.TensorT, int]]:
    """For each operator of a kind the tensor in one place of its inputs, and its version."""
    return [
        (graph.tensors[operator.inputs[place]], model.operatorCodes[operator.opcodeIndex].version)
        for graph in model.subgraphs
        for operator in graph.operators
        if get_builtin_code(model.operatorCodes[operator.opcodeIndex]) == kind
    ]


def products(model: schema.ModelT) -> list[tuple[schema.TensorT, int]]:
    """Weights and version of each FULLY_CONNECTED over a table of V + 1 rows."""
    found = users(model, schema.BuiltinOperator.FULLY_CONNECTED, 1)
    return [(weights, version) for weights, version in found if weights.shape[0] == V + 1]


def gathered(model: schema.ModelT) -> list[schema.TensorT]:
    """The matrices of bytes that GATHER reads."""
    found = [tensor for tensor, _ in users(model, schema.BuiltinOperator.GATHER, 0)]
    matrices = [one for one in found if len(one.shape) == 2 and one.shape[0] == V + 1]
    return [one for one in matrices if one.type == schema.TensorType.UINT8]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_converter_stores_the_numbers_twice_and_the_pass_once(converted, kind):
    before, after = converted(kind)
    # When this fails the converter has learnt to share them: the pass can go.
    assert sorted(set(list_table_sizes(before, V + 1))) == [TABLE, 2 * TABLE]
    assert list_table_sizes(after, V + 1) == [TABLE]
    large = [size for size in sizes(opened(after)) if size >= TABLE]
    assert large == [TABLE]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_one_buffer_holds_the_nibbles_of_the_student_at_a_multiple_of_16(
    converted, four_bit_student, kind
):
    _, content = converted(kind)
    wanted = table_of(four_bit_student(kind).pack()).nibbles.numpy().tobytes()
    assert len(wanted) == TABLE
    assert content.count(wanted) == 1
    assert content.find(wanted) % 16 == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_all_signatures_read_the_same_buffer_as_rows_or_as_weights(converted, kind):
    model = opened(converted(kind)[1])
    assert sorted(one.signatureKey for one in model.signatureDefs) == [
        b"explain",
        b"recommend",
        b"score",
        b"similar",
    ]
    rows, weights = gathered(model), [one for one, _ in products(model)]
    assert len(weights) == 2
    assert len({tensor.buffer for tensor in rows + weights}) == 1
    for signature in model.signatureDefs:
        graph = model.subgraphs[signature.subgraphIndex]
        used = {int(place) for operator in graph.operators for place in operator.inputs}
        types = {
            graph.tensors[place].type
            for place in used
            if place >= 0 and graph.tensors[place].buffer == rows[0].buffer
        }
        ranks = signature.signatureKey in (b"recommend", b"similar")
        weights_too = {schema.TensorType.INT4} if ranks else set()
        assert types == {schema.TensorType.UINT8} | weights_too


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_products_have_int4_weights_of_whole_numbers_and_the_version_for_them(converted, kind):
    for weights, version in products(opened(converted(kind)[1])):
        assert weights.type == schema.TensorType.INT4
        assert weights.shape.tolist() == [V + 1, d]
        assert weights.quantization.scale == pytest.approx([1], rel=1e-6)
        assert not np.any(weights.quantization.zeroPoint)
        assert version == 11


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_runtimes_from_before_int4_products_refuse_the_file_and_those_on_android_do_not(
    converted, kind
):
    assert compute_min_runtime_version(converted(kind)[1]) == "2.15.0"
    assert parse_version(compute_min_runtime_version(converted(kind)[0])) < parse_version("2.15.0")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_only_the_weights_and_their_products_are_changed(converted, kind):
    given_to_pass, _ = converted(kind)
    before, after = opened(given_to_pass), opened(share_int4_tables(given_to_pass, V + 1))
    for graph, changed in zip(before.subgraphs, after.subgraphs, strict=True):
        for old, new in zip(graph.operators, changed.operators, strict=True):
            assert old.inputs.tolist() == new.inputs.tolist()
            assert old.outputs.tolist() == new.outputs.tolist()
            old_code = before.operatorCodes[old.opcodeIndex]
            new_code = after.operatorCodes[new.opcodeIndex]
            assert get_builtin_code(old_code) == get_builtin_code(new_code)
            table = len(new.inputs) > 1 and (
                changed.tensors[new.inputs[1]].type == schema.TensorType.INT4
            )
            assert old_code.version == new_code.version or (table and new_code.version == 11)
        types = [tensor.type for tensor in graph.tensors]
        moved = [
            (one, tensor.type)
            for one, tensor in zip(types, changed.tensors, strict=True)
            if one != tensor.type
        ]
        # Only what ranks the whole catalogue multiplies with the table.
        ranks = any(
            get_builtin_code(before.operatorCodes[one.opcodeIndex])
            == schema.BuiltinOperator.TOPK_V2
            for one in graph.operators
        )
        assert moved == [(schema.TensorType.INT8, schema.TensorType.INT4)] * ranks


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_four_bits_agrees_with_the_student(
    converted, four_bit_student, some_histories, kind
):
    parity = check_parity(
        converted(kind)[1],
        four_bit_student(kind),
        some_histories,
        quantization=Quantization.DYNAMIC_INT8,
    )
    assert parity.top10_overlap > 0.97


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_pass_changes_answers_by_no_more_than_int8_did(
    converted, four_bit_student, some_histories, kind
):
    # The bytes of the products before the pass are the same numbers, but rounded.
    student = four_bit_student(kind)
    expected = student(some_histories).numpy()
    largest = np.abs(expected).max()
    errors = []
    for content in converted(kind):
        ids, scores = TFLiteModel(content).recommend_all(some_histories)
        errors.append(np.abs(scores - np.take_along_axis(expected, ids, axis=1)).mean() / largest)
    assert errors[1] <= 1.05 * errors[0] < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kernel_answers_like_the_student(
    converted, four_bit_student, some_histories, kind, runtime
):
    student = four_bit_student(kind)
    interpreter = interpreter_of(converted(kind)[1], runtime)
    recommend = interpreter.get_signature_runner("recommend")
    expected = student(some_histories[:24]).numpy()
    answers = [recommend(history=row[None]) for row in some_histories[:24]]
    assert_like(answers, expected, some_histories[:24])
    similar = interpreter.get_signature_runner("similar")
    items = np.arange(1, V + 1, 13, dtype=np.int32)
    expected = student.similar(tf.constant(items)).numpy()
    answers = [similar(book=item) for item in items[:, None]]
    assert_like(answers, expected, items[:, None])


def assert_like(
    answers: list[dict[str, np.ndarray]], expected: np.ndarray, excluded: np.ndarray
) -> None:
    """The right books first, with scores within 2 % of the largest."""
    ids = np.concatenate([one["ids"] for one in answers])
    scores = np.concatenate([one["scores"] for one in answers])
    own = np.take_along_axis(expected, ids, axis=1)
    assert np.abs(scores - own).max() < 0.02 * np.abs(own).max()
    left = expected.copy()
    left[:, 0] = -np.inf
    np.put_along_axis(left, excluded, -np.inf, axis=1)
    best = np.argsort(-left, axis=1)[:, :10]
    hits = [len(set(a) & set(b)) for a, b in zip(ids[:, :10].tolist(), best.tolist(), strict=True)]
    assert np.mean(hits) > 9.6


def interpreter_of(content: bytes, runtime: str) -> Interpreter:
    resolver, threads = RUNTIMES[runtime]
    with suppress_native_stderr():
        interpreter = Interpreter(
            model_content=content, num_threads=threads, experimental_op_resolver_type=resolver
        )
        interpreter.allocate_tensors()
    return interpreter


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_four_bits_are_smaller_than_eight_which_are_given_back_byte_for_byte(kind):
    wide = {bits: made(kind, bits=bits, embedding_dim=64) for bits in (4, 8)}
    before, eight = before_and_after(wide[8], Quantization.DYNAMIC_INT8)
    assert share_int4_tables(before, V + 1) is before
    assert {weights.type for weights, _ in products(opened(eight))} == {schema.TensorType.INT8}
    assert not gathered(opened(eight))
    _, four = before_and_after(wide[4], Quantization.DYNAMIC_INT8)
    # Half the table, less the scales and, in each signature, the operators that take bytes apart.
    assert len(eight) - len(four) > (V + 1) * (64 // 2 - 1) - 6000


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_constants_of_the_file_are_the_stored_bytes_and_little_more(
    converted, four_bit_student, kind
):
    student = four_bit_student(kind)
    # A scale with one number that says what its bytes mean, priors and biases with two.
    scale, other = (V + 1) + 4, (V + 1) + 8
    wanted = TABLE + scale + (other + d * d if kind == "fold-in" else 3 * other)
    assert compute_quantized_size(student) == wanted
    assert wanted <= sum(sizes(opened(converted(kind)[1]))) < wanted + 2500


@pytest.mark.parametrize("kind", KINDS)
def test_packing_a_settled_student_changes_nothing_more(four_bit_student, some_histories, kind):
    student = four_bit_student(kind)
    assert not table_of(student).is_int4
    compact = student.pack()
    np.testing.assert_allclose(table_of(compact).numpy(), table_of(student).numpy(), rtol=1e-5)
    again = snap_to_quantization_grid(student).pack()
    np.testing.assert_array_equal(table_of(again).nibbles, table_of(compact).nibbles)
    found, wanted = compact(some_histories).numpy(), student(some_histories).numpy()
    np.testing.assert_allclose(found[:, 1:], wanted[:, 1:], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_settling_has_rounded_to_15_values_a_row(four_bit_student, kind):
    table = table_of(four_bit_student(kind)).numpy()
    for row in table[1:]:
        steps = row / (np.abs(row).max() / 7)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_float_form_has_no_nibbles_and_loses_nothing(
    converted, four_bit_student, some_histories, kind
):
    before, content = converted(kind, form=Quantization.FLOAT32)
    assert share_int4_tables(before, V + 1) is before
    model = opened(content)
    types = {tensor.type for graph in model.subgraphs for tensor in graph.tensors}
    assert not types & {schema.TensorType.INT4, schema.TensorType.UINT8, schema.TensorType.INT8}
    assert list_table_sizes(content, V + 1) == [4 * (V + 1) * d]
    check_parity(content, four_bit_student(kind), some_histories, quantization=Quantization.FLOAT32)


@pytest.mark.slow
def test_a_model_that_knows_nothing_of_packed_tables_is_given_back_byte_for_byte():
    rng.set_seed(0)
    model = STUDENTS["mlp"](num_items=V, max_length=L, embedding_dim=8)
    model.create_weights()
    before, _ = before_and_after(model, Quantization.DYNAMIC_INT8)
    assert share_int4_tables(before, V + 1) is before


@pytest.mark.slow
def test_a_blend_of_packed_tables_has_each_of_them_once(four_bit_student, some_histories):
    blend = WeightedEnsemble(
        members=[four_bit_student(kind) for kind in KINDS], weights=[0.5, 0.5], exponents=[1.0, 1.0]
    )
    blend.create_weights()
    blend = snap_to_quantization_grid(blend)
    content = convert(blend, Quantization.DYNAMIC_INT8, recommendations=K)
    assert list_table_sizes(content, V + 1) == [TABLE, TABLE]
    check_parity(content, blend, some_histories, quantization=Quantization.DYNAMIC_INT8)


@settings(max_examples=60)
@given(
    hnp.arrays(
        np.int8,
        st.tuples(st.integers(1, 9), st.integers(1, 6).map(lambda pairs: 2 * pairs)),
        elements=st.integers(-8, 7),
    )
)
def test_unpacking_undoes_packing(steps):
    found = unpack_int4(pack_nibbles(steps))
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, steps)


def test_bytes_are_unpacked_by_hand_the_lower_half_first():
    found = unpack_int4(np.array([[0x21, 0x7F], [0x08, 0x99]], np.uint8))
    np.testing.assert_array_equal(found, [[1, 2, -1, 7], [-8, 0, -7, -7]])


@pytest.mark.slow
@settings(max_examples=30)
@given(place=st.integers(0, TABLE - 1), flipped=st.integers(1, 255))
def test_bytes_that_hold_other_numbers_than_the_products_are_refused(
    converted, four_bit_student, place, flipped
):
    before, _ = converted("item-kernel")
    table = table_of(four_bit_student("item-kernel").pack()).nibbles.numpy().tobytes()
    assert before.count(table) == 1
    corrupt = bytearray(before)
    corrupt[before.find(table) + place] ^= flipped
    with pytest.raises(NotImplementedError, match="int4_table"):
        share_int4_tables(bytes(corrupt), V + 1)


@pytest.mark.slow
@settings(max_examples=20)
@given(place=st.integers(0, 2 * TABLE - 1), value=st.integers(-127, 127))
def test_products_with_other_numbers_than_the_bytes_are_refused(
    converted, four_bit_student, place, value
):
    before, _ = converted("item-kernel")
    steps = table_of(four_bit_student("item-kernel").pack()).int_values.numpy()
    weights = np.round(steps * (127 / 7)).astype(np.int8)
    assert before.count(weights.tobytes()) == 1
    start = before.find(weights.tobytes())
    # A step of four bits is 18 of eight; one of them is rounding.
    if abs(int(weights.flat[place]) - value) < 2:
        value = int(weights.flat[place]) % 100 + 5
    corrupt = bytearray(before)
    corrupt[start + place] = value % 256
    with pytest.raises(NotImplementedError, match="int4_table"):
        share_int4_tables(bytes(corrupt), V + 1)


class TableAlone(tf.Module):
    """Nothing but a packed table: its rows, its products, and `more`, which a test may add."""

    def __init__(
        self,
        items: int,
        embedding_dim: int,
        batch: int,
        more: Callable[[QuantizedEmbedding, tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.model = HistoryModel(num_items=items, max_length=2)
        self.table = QuantizedEmbedding(self.model, "table", embedding_dim, int4=True)
        random = np.random.default_rng(items + embedding_dim)
        values = random.normal(size=(items + 1, embedding_dim))
        values *= random.lognormal(0, 0.5, (items + 1, 1))
        self.table.assign(values.astype(np.float32))

        def ask(vectors: tf.Tensor, ids: tf.Tensor) -> dict[str, tf.Tensor]:
            answer = {
                "rows": self.table.gather(ids),
                "products": self.table.dot_products(vectors, ids),
            }
            return {**answer, "more": more(self.table, vectors, ids)} if more else answer

        vectors = tf.TensorSpec([batch, embedding_dim], tf.float32, name="vectors")
        ids = tf.TensorSpec([batch], tf.int32, name="ids")
        self.ask = tf.function(ask, input_signature=[vectors, ids])

    def converted(self) -> bytes:
        """As `kd_tf.tflite.convert` does it."""
        with tempfile.TemporaryDirectory() as folder, suppress_native_stderr():
            tf.saved_model.save(self, folder, signatures={"ask": self.ask})
            converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["ask"])
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
            return bytes(converter.convert())


def product_of_tanh(table: QuantizedEmbedding, vectors: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    return table.dot_products(tf.tanh(vectors), ids)


def asked(module: TableAlone, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Random vectors and ids for a table."""
    rows, embedding_dim = module.table.numpy().shape
    random = np.random.default_rng(5)
    vectors = random.normal(size=(batch, embedding_dim)).astype(np.float32)
    return vectors, random.integers(0, rows, batch).astype(np.int32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("items", "embedding_dim", "batch"), [(300, 6, 12), (303, 10, 5), (300, 34, 3), (301, 128, 1)]
)
def test_every_kernel_reads_rows_to_the_bit_and_rounds_only_the_vector_of_a_product(
    items, embedding_dim, batch
):
    module = TableAlone(items, embedding_dim, batch)
    content = share_int4_tables(module.converted(), items + 1)
    packed = (items + 1) * embedding_dim // 2
    assert sizes(opened(content)).count(packed) == 1
    assert not {2 * packed, 8 * packed} & set(sizes(opened(content)))
    vectors, ids = asked(module, batch)
    table = module.table.numpy()
    # Vectors are rounded to 255 levels between their least and their largest, the weights not.
    step = np.maximum(vectors.max(axis=1), 0) - np.minimum(vectors.min(axis=1), 0)
    allowed = step[:, None] / 255 * np.abs(table).sum(axis=1) * 0.75 + 1e-5
    for runtime in RUNTIMES:
        ask = interpreter_of(content, runtime).get_signature_runner("ask")
        answer = ask(vectors=vectors, ids=ids)
        np.testing.assert_array_equal(answer["rows"], table[ids])
        assert (np.abs(answer["products"] - vectors @ table.T) <= allowed).all()


def test_a_table_that_no_product_reads_is_refused():
    module = TableAlone(V, d, 1)
    module.ask = tf.function(
        lambda ids: {"rows": module.table.gather(ids)},
        input_signature=[tf.TensorSpec([1], tf.int32, name="ids")],
    )
    with pytest.raises(NotImplementedError, match="no product reads it"):
        share_int4_tables(module.converted(), V + 1)


@pytest.mark.slow
def test_two_products_in_one_graph_read_one_table():
    module = TableAlone(V, d, 3, product_of_tanh)
    content = share_int4_tables(module.converted(), V + 1)
    assert list_table_sizes(content, V + 1) == [TABLE]
    vectors, ids = asked(module, 3)
    answer = interpreter_of(content, "delegates-1").get_signature_runner("ask")(
        vectors=vectors, ids=ids
    )
    wanted = np.tanh(vectors) @ module.table.numpy().T
    assert np.abs(answer["more"] - wanted).max() < 0.01 * np.abs(wanted).max()


@pytest.mark.slow
def test_every_product_in_one_graph_gets_the_version():
    module = TableAlone(V, d, 3, product_of_tanh)
    content = share_int4_tables(module.converted(), V + 1)
    found = products(opened(content))
    assert len(found) == 2
    assert {version for _, version in found} == {11}


@pytest.mark.slow
def test_another_reader_of_the_weights_is_refused_and_never_gets_nibbles():
    module = TableAlone(V, d, 3, lambda table, vectors, ids: tf.gather(table.int_values, ids))
    gather = schema.BuiltinOperator.GATHER
    with pytest.raises(NotImplementedError, match=rf"\b{gather}\b.* only FULLY_CONNECTED"):
        share_int4_tables(module.converted(), V + 1)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [V - 200, V + 2])
def test_bytes_of_another_number_of_rows_are_no_table(rows):
    others = np.random.default_rng(6).integers(0, 256, (rows, d // 2)).astype(np.uint8)
    module = TableAlone(
        V, d, 3, lambda table, vectors, ids: tf.cast(tf.gather(others, ids % 100), tf.float32)
    )
    content = share_int4_tables(module.converted(), V + 1)
    vectors, ids = asked(module, 3)
    ask = interpreter_of(content, "delegates-1").get_signature_runner("ask")
    answer = ask(vectors=vectors, ids=ids)
    np.testing.assert_array_equal(answer["more"], others[ids % 100])
    np.testing.assert_array_equal(answer["rows"], module.table.numpy()[ids])
    assert {weights.type for weights, _ in products(opened(content))} == {schema.TensorType.INT4}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_catalogue_so_small_that_products_stay_in_float_loses_nothing(kind):
    student = snap_to_quantization_grid(made(kind, items=40, embedding_dim=8))
    before, content = before_and_after(student, Quantization.DYNAMIC_INT8)
    random = np.random.default_rng(7)
    rows = np.stack([random.permutation(40)[:L] + 1 for _ in range(20)]).astype(np.int32)
    rows[::2, 3:] = 0
    # Held to what a float file is held to, since nothing in it is rounded further.
    check_parity(content, student, rows, quantization=Quantization.FLOAT32)
    table = table_of(student.pack()).nibbles.numpy().tobytes()
    assert before.count(table) == content.count(table) == 1
    corrupt = bytearray(before)
    corrupt[before.find(table) + 11] ^= 1
    with pytest.raises(NotImplementedError, match="int4_table"):
        share_int4_tables(bytes(corrupt), 41)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_wide_copy_that_the_pass_removes_would_be_refused(converted, four_bit_student, kind):
    before, after = converted(kind)
    compact = four_bit_student(kind).pack()
    check_stored_weights(after, compact)
    with pytest.raises(ParityError, match="more item tables than the student has"):
        check_stored_weights(before, compact)
