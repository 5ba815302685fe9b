"""What the check of a .tflite file lets through, and that nothing else reaches the interpreter."""

from __future__ import annotations

import copy
import faulthandler
import os
import signal
import struct
from collections.abc import Callable

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from kd_tf.errors import UserError
from kd_tf.runtime.flatbuffer_check import Field, FlatBuffer, StructureError
from kd_tf.runtime.model import TFLiteModel
from kd_tf.runtime.model_check import check_model
from kd_tf.runtime.operator_check import OPERATORS, TYPES
from kd_tf.runtime.operator_versions import FIRST_RELEASES
from kd_tf.tflite.passes.flatbuffer import get_builtin_code


def test_the_operators_are_those_that_exports_may_have():
    codes = vars(schema.BuiltinOperator)
    assert {codes[name]: name for name in FIRST_RELEASES} == OPERATORS
    assert TYPES.keys() == FIRST_RELEASES.keys()


def test_the_parsed_model_is_what_tensorflows_own_reader_reads(tflite):
    actual, expected = check_model(tflite), schema.ModelT.InitFromPackedBuf(bytearray(tflite))
    assert [bytes(one["data"]) for one in actual["buffers"]] == [
        b"" if one.data is None else bytes(one.data) for one in expected.buffers
    ]
    for mine, theirs in zip(actual["subgraphs"], expected.subgraphs, strict=True):
        assert mine["inputs"] == list(theirs.inputs)
        assert mine["outputs"] == list(theirs.outputs)
        assert [(one["shape"], one["type"], one["buffer"]) for one in mine["tensors"]] == [
            ([] if one.shape is None else list(one.shape), one.type, one.buffer)
            for one in theirs.tensors
        ]
        assert [(one["inputs"], one["opcode_index"]) for one in mine["operators"]] == [
            (list(one.inputs), one.opcodeIndex) for one in theirs.operators
        ]


def pack(model: schema.ModelT) -> bytes:
    """Writes a model as it is, without any of the passes' care."""
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def set_first_tensor(**values: object) -> Callable[[schema.ModelT], None]:
    def change(model: schema.ModelT) -> None:
        for name, value in values.items():
            setattr(model.subgraphs[0].tensors[0], name, value)

    return change


def find_operator(model: schema.ModelT, name: str) -> tuple[schema.SubGraphT, schema.OperatorT]:
    code = vars(schema.BuiltinOperator)[name]
    return next(
        (graph, operator)
        for graph in model.subgraphs
        for operator in graph.operators
        if get_builtin_code(model.operatorCodes[operator.opcodeIndex]) == code
    )


def change_top_k_to_gather(model: schema.ModelT) -> None:
    find_operator(model, "TOPK_V2")[1].opcodeIndex = find_operator(model, "GATHER")[1].opcodeIndex


def sum_over_nine_axes(model: schema.ModelT) -> None:
    graph, operator = find_operator(model, "SUM")
    tensor = graph.tensors[operator.inputs[1]]
    tensor.shape = [9]
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.frombuffer(np.ones(9, np.int32).tobytes(), np.uint8)
    tensor.buffer = len(model.buffers) - 1


CHANGES: dict[str, Callable[[schema.ModelT], object]] = {
    "a type that is not exported": set_first_tensor(type=schema.TensorType.STRING),
    "a shape below zero": set_first_tensor(shape=[1, -7]),
    "a shape beyond 32 bits": set_first_tensor(shape=[2**16, 2**16]),
    "a shape of seven axes": set_first_tensor(shape=[1] * 7),
    "a buffer that is not there": set_first_tensor(buffer=10_000),
    "a variable": set_first_tensor(isVariable=True),
    "an input of the graph that is not there": lambda m: m.subgraphs[0].inputs.__setitem__(0, 9999),
    "an output that is not there": lambda m: m.subgraphs[0].outputs.__setitem__(0, 9999),
    "an operator's input that is not there": lambda m: (
        m.subgraphs[0].operators[0].inputs.__setitem__(0, 9999)
    ),
    "an operator's output below zero": lambda m: (
        m.subgraphs[0].operators[0].outputs.__setitem__(0, -1)
    ),
    "an operator that writes to its input": lambda m: (
        m.subgraphs[0].operators[0].outputs.__setitem__(0, int(m.subgraphs[0].inputs[0]))
    ),
    "operators in another order": lambda m: m.subgraphs[0].operators.reverse(),
    "an operator without a code": lambda m: setattr(m.subgraphs[0].operators[0], "opcodeIndex", 99),
    "an operator that is not exported": lambda m: (
        setattr(m.operatorCodes[0], "builtinCode", schema.BuiltinOperator.WHILE),
        setattr(m.operatorCodes[0], "deprecatedBuiltinCode", schema.BuiltinOperator.WHILE),
    ),
    "an operator of other types": change_top_k_to_gather,
    "nine axes to sum over": sum_over_nine_axes,
    "a signature without a graph": lambda m: setattr(m.signatureDefs[0], "subgraphIndex", 77),
    "a signature's tensor that is not there": lambda m: setattr(
        m.signatureDefs[0].inputs[0], "tensorIndex", 9999
    ),
    "two signatures of one name": lambda m: setattr(
        m.signatureDefs[0], "signatureKey", m.signatureDefs[1].signatureKey
    ),
    "a signature whose name is no word": lambda m: setattr(
        m.signatureDefs[0], "signatureKey", b"re\0commend"
    ),
    "metadata that is not there": lambda m: setattr(m.metadata[0], "buffer", 9999),
    "another version": lambda m: setattr(m, "version", 4),
    "a buffer outside the file": lambda m: setattr(m.buffers[2], "offset", 12345),
    "a buffer of another size": lambda m: setattr(
        max(m.buffers, key=lambda b: 0 if b.data is None else len(b.data)),
        "data",
        np.zeros(64, np.uint8),
    ),
}


@pytest.fixture(scope="module")
def parsed(tflite: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromPackedBuf(bytearray(tflite))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_model_that_would_be_trusted_wrongly_is_refused(parsed, change):
    model = copy.deepcopy(parsed)
    assert check_model(pack(model))
    change(model)
    with pytest.raises(StructureError):
        check_model(pack(model))


@pytest.mark.parametrize("version", [0, -1, 99, 2**31 - 1])
def test_a_version_of_an_operator_that_no_runtime_has_is_refused(parsed, version, tmp_path):
    model = copy.deepcopy(parsed)
    model.operatorCodes[0].version = version
    (tmp_path / "model.tflite").write_bytes(pack(model))
    for source in (pack(model), tmp_path / "model.tflite"):
        with pytest.raises(UserError, match="which no runtime has"):
            TFLiteModel(source)


@pytest.mark.parametrize("scale", [0.0, float("nan"), float("inf"), -1.0, 1e-40, 1e12])
def test_a_scale_that_kernels_cannot_divide_by_is_refused(parsed, scale):
    model = copy.deepcopy(parsed)
    graph, operator = find_operator(model, "TOPK_V2")
    tensor = graph.tensors[operator.inputs[0]]
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
    with pytest.raises(StructureError, match="a scale out of range"):
        check_model(pack(model))


def make_operator(name: str, *scales: list[float], beta: float = 1.0) -> bytes:
    """Writes a model of one operator over int8 matrices: the scales of its inputs and its result.

    The last of several inputs is constant.
    """
    graph, operator = schema.SubGraphT(), schema.OperatorT()
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [schema.OperatorCodeT()]
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.arange(36, dtype=np.uint8)
    code = vars(schema.BuiltinOperator)[name]
    model.operatorCodes[0].builtinCode = code
    model.operatorCodes[0].deprecatedBuiltinCode = min(code, 127)
    model.operatorCodes[0].version = 2
    graph.tensors = [schema.TensorT() for _ in scales]
    for tensor, tensor_scales in zip(graph.tensors, scales, strict=True):
        tensor.shape, tensor.type = [6, 6], schema.TensorType.INT8
        if tensor_scales:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = tensor_scales
            tensor.quantization.zeroPoint = [0] * len(tensor_scales)
    numbers = list(range(len(scales)))
    if name in ("EQUAL", "GREATER"):
        graph.tensors[-1].type, graph.tensors[-1].quantization = schema.TensorType.BOOL, None
    if len(scales) > 2:
        graph.tensors[-2].buffer = 1
    graph.inputs, graph.outputs, graph.operators = [0], numbers[-1:], [operator]
    operator.inputs, operator.outputs = numbers[:-1], numbers[-1:]
    options = {"ADD": "Add", "SUB": "Sub", "BATCH_MATMUL": "BatchMatMul", "SOFTMAX": "Softmax"}
    options["FULLY_CONNECTED"] = "FullyConnected"
    if name in options:
        operator.builtinOptionsType = vars(schema.BuiltinOptions)[f"{options[name]}Options"]
        operator.builtinOptions = vars(schema)[f"{options[name]}OptionsT"]()
    if name == "SOFTMAX":
        operator.builtinOptions.beta = beta
        graph.tensors[-1].quantization.zeroPoint = [-128]
    if name == "FULLY_CONNECTED":
        operator.inputs.append(-1)
    return pack(model)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("ADD", ([0.1], [0.1], [0.1]), ([0.1], [0.1] * 6, [0.1])),
        ("ADD", ([0.1], [1e-30], [0.1]), ([0.1], [0.0], [0.1])),
        ("ADD", ([0.1], [0.1], [0.1]), ([0.1], [], [0.1])),
        ("ADD", ([0.1], [2.0**14], [2.0**-4]), ([0.1], [2.0**15], [2.0**-4])),
        ("SUB", ([2.0**14], [0.1], [2.0**-4]), ([2.0**15], [0.1], [2.0**-4])),
        ("EQUAL", ([0.5], [2.0], []), ([1.0], [2.0], [])),
        ("GREATER", ([0.5], [0.5], []), ([0.5], [0.5] * 6, [])),
    ],
)
def test_scales_for_which_kernels_end_the_process_are_refused(name, good, bad):
    assert check_model(make_operator(name, *good))
    assert run_operator_in_child(make_operator(name, *good)) == "answers"
    with pytest.raises(StructureError, match=f"{name} of int8 numbers"):
        check_model(make_operator(name, *bad))
    # Where LiteRT returns an error instead, the check of this operator can go.
    assert run_operator_in_child(make_operator(name, *bad)) == "SIGABRT"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("BATCH_MATMUL", ([0.5], [2.0**9], [4.0]), ([0.5], [2.0**10], [2.0])),
        ("QUANTIZE", ([0.5], [0.5]), ([0.5] * 6, [0.5])),
        ("FULLY_CONNECTED", ([0.1], [0.1, 0.2, 0.0, 0.3, 0.4, 0.5], [0.1]), ([], [0.1], [0.1])),
    ],
)
def test_scales_that_kernels_do_not_expect_are_refused(name, good, bad):
    assert check_model(make_operator(name, *good))
    with pytest.raises(StructureError, match=f"{name} of int8 numbers"):
        check_model(make_operator(name, *bad))


def test_a_constant_scale_that_is_no_normal_number_is_refused():
    with pytest.raises(StructureError, match="a scale out of range"):
        check_model(make_operator("ADD", [0.1], [1e-40], [0.1]))


@pytest.mark.parametrize("beta", [0.0, 2.0**-20, float("nan"), -1.0])
def test_a_softmax_that_the_reference_kernel_cannot_scale_is_refused(beta):
    good, bad = (make_operator("SOFTMAX", [2.0**-6], [2.0**-8], beta=b) for b in (2.0**-19, beta))
    assert check_model(good)
    with pytest.raises(StructureError, match="SOFTMAX of int8 numbers"):
        check_model(bad)
    assert run_operator_in_child(good, OpResolverType.BUILTIN_REF) == "answers"
    assert run_operator_in_child(bad, OpResolverType.BUILTIN_REF) == "SIGABRT"


def run_operator_in_child(content: bytes, kernels: OpResolverType = OpResolverType.AUTO) -> str:
    """Runs a model without its check in a process of its own; returns how that ended."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            faulthandler.disable()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            interpreter = Interpreter(
                model_content=content, experimental_op_resolver_type=kernels, num_threads=1
            )
            interpreter.allocate_tensors()
            interpreter.invoke()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return "answers" if os.waitstatus_to_exitcode(status) == 0 else "raises"


def test_every_prefix_of_a_file_is_refused_or_whole(tflite):
    for length in range(0, len(tflite), 37):
        with pytest.raises(StructureError):
            check_model(tflite[:length])


def make_table(*fields: bytes) -> bytes:
    """A flatbuffer of one table whose fields take four bytes each."""
    offsets = [4 + 4 * number for number in range(len(fields))]
    vtable = struct.pack(f"<{2 + len(fields)}H", 4 + 2 * len(fields), 4 + 4 * len(fields), *offsets)
    vtable += b"\0" * (-len(vtable) % 4)
    return (
        struct.pack("<I", 4 + len(vtable))
        + vtable
        + struct.pack("<i", len(vtable))
        + b"".join(fields)
    )


def test_a_hand_made_table_is_read_and_its_bounds_are_kept():
    fields = {"T": (Field("a", "int32"), Field("b", "[int32]"), Field("c", "uint32", 7))}

    def parse(content: bytes) -> dict[str, object]:
        return FlatBuffer(content, fields, {}).parse("T")

    vector = struct.pack("<I", 2) + struct.pack("<ii", 5, -6)
    good = make_table(struct.pack("<i", -3), struct.pack("<I", 4)) + vector
    assert parse(good) == {"a": -3, "b": [5, -6], "c": 7}
    for position in range(len(good)):
        for value in (0, 1, 127, 128, 255):
            changed = bytearray(good)
            changed[position] = value
            try:
                parse(bytes(changed))
            except StructureError:
                continue
    longer = (
        make_table(struct.pack("<i", -3), struct.pack("<I", 4)) + struct.pack("<I", 3) + vector[4:]
    )
    with pytest.raises(StructureError, match="leaves the file"):
        parse(longer)


def run_in_child(content: bytes) -> str:
    """Loads and runs a model in a process of its own; returns how that ended."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            model = TFLiteModel(content)
            for _ in range(2):
                model.recommend(np.arange(model.max_length, dtype=np.int32) - 2)
                model.explain(np.arange(model.max_length, dtype=np.int32), 3)
                model.score(np.zeros(model.max_length, np.int32), np.arange(9, dtype=np.int32))
            code = 0
        except UserError:
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return "answers or refuses" if os.waitstatus_to_exitcode(status) == 0 else "raises"


@pytest.mark.slow
def test_no_file_with_one_changed_number_ends_the_process(tflite):
    """Fuzzing in small; ``scripts/fuzz_models.py`` does it for hours."""
    random = np.random.default_rng(0)
    outcomes = set()
    for _ in range(150):
        mutant = bytearray(tflite)
        word = int(random.integers(len(mutant) // 4)) * 4
        value = int(random.choice([0, 1, 2, 255, 65_535, 2**31 - 1, 2**31, 2**32 - 1]))
        struct.pack_into("<I", mutant, word, value)
        outcomes.add(run_in_child(bytes(mutant)))
    assert outcomes == {"answers or refuses"}
