"""The gate that every .tflite passes: does the file answer like the Keras student it came from?

Converters return wrong numbers without a word: a wrong option, a runtime that reads weights in
another way, a pass over the flatbuffer that mixes up two tensors. So nothing is believed of a file
before it was run beside the student on the same histories.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from kd_tf.backend import tf
from kd_tf.errors import ParityError, UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import compute_scores, get_scoring_batch_size
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.checks.contract import check_answers, is_item
from kd_tf.tflite.checks.numpy_reference import make_numpy_score_fn
from kd_tf.tflite.convert import Quantization
from kd_tf.tflite.two_stage_search import TwoStageStudent

TOP_K = 10
"""How many of the best books are compared."""

MAX_SIMILAR_ITEMS = 200
"""At most so many books are asked about with ``similar``, spread evenly over the catalogue."""

MAX_SINGLE_ITEMS = 100
"""At most so many books are tried as the only one of a history, spread as evenly."""

MAX_SCORED_HISTORIES = 200
"""At most so many histories are asked with ``score``, each for as many books as it takes."""

_SCORE_BATCH_SIZE = 4

MAX_EXPLAINED_HISTORIES = 50
"""At most so many are asked with ``explain``: the student needs a forward pass for every book."""

MAX_REPEATED_HISTORIES = 50
"""So many histories are asked twice: the same input must give the same answer."""

TIE_TOLERANCE = 1e-5
"""Keras scores that differ by less than this share of the largest count as equal: float32 sums in
another order differ by more than the gap between two such books."""


@dataclass(frozen=True)
class Tolerance:
    """How far a file may be from its student.

    Attributes:
        top10_overlap: At least this share of the ten best books is the same.
        score_error: No score differs by more than this share of the largest score, or by more
            than this number where all scores are below 1.
    """

    min_top10_overlap: float
    max_score_error: float


TOLERANCES: dict[Quantization, Tolerance] = {
    Quantization.FLOAT32: Tolerance(min_top10_overlap=0.999, max_score_error=1e-4),
    Quantization.FLOAT16: Tolerance(min_top10_overlap=0.98, max_score_error=5e-3),
    Quantization.DYNAMIC_INT8: Tolerance(min_top10_overlap=0.90, max_score_error=0.1),
    # Wide in scores: a history unlike all that the ranges were calibrated with is cut off there.
    Quantization.INT4: Tolerance(min_top10_overlap=0.75, max_score_error=0.3),
    Quantization.INT8: Tolerance(min_top10_overlap=0.90, max_score_error=0.5),
}
"""What each form is held to. A file below an overlap of .90 is not a compressed student but another
model; those that were measured are above .95."""


TWO_STAGE_FACTOR = 0.9
"""A file that is searched in two stages is held to this share of its form's overlap: the list that
it is compared with is the exact one."""


@dataclass(frozen=True)
class Parity:
    """How close a file is to its student.

    Attributes:
        histories: How many histories were compared.
        top10_overlap: Mean share of the student's ten best books that the file names too.
        max_score_error: Largest difference between the file's score of a book that it
            recommends and the student's score of that book.
        numpy_overlap: As `top10_overlap`, with a NumPy evaluation of the weights in the file; None
            where there is none.
    """

    histories: int
    top10_overlap: float
    max_score_error: float
    numpy_overlap: float | None = None


def get_tolerance(student: HistoryModel, quantization: Quantization) -> Tolerance:
    """What a file of this form of a student is held to."""
    bound = TOLERANCES[quantization]
    if isinstance(student, TwoStageStudent):
        return replace(bound, min_top10_overlap=TWO_STAGE_FACTOR * bound.min_top10_overlap)
    return bound


def check_parity(
    content: bytes,
    student: HistoryModel,
    histories: np.ndarray,
    *,
    quantization: Quantization,
    quantized_student: HistoryModel | None = None,
) -> Parity:
    """Runs a file and its student side by side and refuses the file where they differ.

    Besides agreeing within `BOUNDS`, every answer must keep contract version 1, whatever the
    form: K books of 1..V, none twice, none of the history, zeros only at the end and only where
    no book is left; finite scores, best first; the same answer on every call. Scores of candidates
    and the contributions of a history's books must be the student's too. Histories that no
    app should send are tried as well: empty ones, one book over and over, ids that no book has.

    Args:
        content: The file.
        student: What it was converted from.
        histories: int32 [n, L], at least one, padded with 0 at the end. Take short and long
            ones: a file may be right for the one and wrong for the other.
        quantization: The file's form, which says how close it must be.
        stored: The student with the very weights that the file holds. Where it can be evaluated in
            plain NumPy the file is compared with that too, so that what TensorFlow computes need
            not be believed either.

    Returns:
        The figures over `histories`.

    Raises:
        ParityError: The file cannot be run, breaks the contract, or is not close enough.
        ValueError: `histories` is empty or has another shape or type.
    """
    L = student.max_length
    if histories.dtype != np.int32 or histories.ndim != 2 or histories.shape[1] != L:
        raise ValueError(
            f"histories must be int32 [n, {L}], not {histories.dtype} {list(histories.shape)}"
        )
    if not len(histories):
        raise ValueError("parity needs at least one history")
    model = _load_model(content, student)
    bound = get_tolerance(student, quantization)

    _check_stateless(model, histories[:MAX_REPEATED_HISTORIES])
    agreement = _compare_recommendations(model, student, histories)
    _require_agreement(
        agreement, bound, f"recommend ({quantization.value}) over {len(histories)} histories"
    )
    _check_edge_case_histories(model, student, bound, quantization)
    _check_similar(model, student, bound, quantization)
    # In an int8 file these two are those of a dynamic-int8 one.
    exact = TOLERANCES[Quantization.DYNAMIC_INT8] if quantization is Quantization.INT8 else bound
    _check_scores(model, student, histories[:MAX_SCORED_HISTORIES], exact, agreement.max_score)
    _check_explanations(
        model, student, histories[:MAX_EXPLAINED_HISTORIES], exact, agreement.max_score
    )
    in_numpy = _compare_with_numpy(model, quantized_student, histories)
    if in_numpy is not None:
        _require_agreement(in_numpy, bound, f"recommend ({quantization.value}) beside plain NumPy")
    return Parity(
        len(histories),
        agreement.overlap,
        agreement.max_error,
        None if in_numpy is None else in_numpy.overlap,
    )


def _load_model(content: bytes, student: HistoryModel) -> TFLiteModel:
    try:
        model = TFLiteModel(content)
    except UserError as error:
        raise ParityError(f"the converted file cannot be used: {error.what}") from error
    for signature in ("similar", "score", "explain"):
        if signature not in model.signatures:
            raise ParityError(f"the converted file has no signature {signature}")
    if model.max_length != student.max_length:
        raise ParityError(
            f"the converted file takes {model.max_length} books of a history, the student "
            f"{student.max_length}"
        )
    return model


def _check_stateless(model: TFLiteModel, histories: np.ndarray) -> None:
    with _raise_as_parity_error("recommend"):
        first = model.recommend_all(histories)
        # In another order, so that whatever a call leaves behind meets another history.
        again = model.recommend_all(histories[::-1])
    # A NaN is the same answer here; the contract's check says better what is wrong with it.
    if not all(
        np.array_equal(a, b[::-1], equal_nan=True) for a, b in zip(first, again, strict=True)
    ):
        raise ParityError("recommend gives another answer when it is asked the same again")


@dataclass(frozen=True)
class _Agreement:
    overlap: float
    max_error: float
    max_score: float
    """The largest absolute score that the student gives a recommended book."""


def _compare_recommendations(
    model: TFLiteModel, student: HistoryModel, histories: np.ndarray
) -> _Agreement:
    parts = []
    for part in _split_into_batches(histories, student):
        with _raise_as_parity_error("recommend"):
            ids, scores = model.recommend_all(part)
        check_answers("recommend", ids, scores, part, student.num_items)
        parts.append(_compare_batch(ids, scores, compute_scores(student, part), part))
    return _aggregate(parts)


def _compare_with_numpy(
    model: TFLiteModel, stored: HistoryModel | None, histories: np.ndarray
) -> _Agreement | None:
    expected = None if stored is None else make_numpy_score_fn(stored)
    if stored is None or expected is None:
        return None
    parts = []
    for part in _split_into_batches(histories, stored):
        ids, scores = model.recommend_all(part)
        parts.append(_compare_batch(ids, scores, expected(part), part))
    return _aggregate(parts)


def _compare_similar(model: TFLiteModel, student: HistoryModel, items: np.ndarray) -> _Agreement:
    parts = []
    for part in _split_into_batches(items, student):
        ids, scores = _call_similar(model, part)
        check_answers("similar", ids, scores, part[:, np.newaxis], student.num_items)
        expected = student.similar(tf.constant(part)).numpy()
        parts.append(_compare_batch(ids, scores, expected, part[:, np.newaxis]))
    return _aggregate(parts)


def _split_into_batches(rows: np.ndarray, student: HistoryModel) -> Iterator[np.ndarray]:
    """`rows` in parts for which all scores fit into memory."""
    size = get_scoring_batch_size(student)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _compare_batch(
    ids: np.ndarray, scores: np.ndarray, expected: np.ndarray, excluded: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """One part of the rows: the overlap of each [n], the largest error, the largest score.

    Args:
        ids: int32 [n, K], what the file recommends.
        scores: float32 [n, K], how it scores them.
        expected: float32 [n, V + 1], how the student scores every book.
        excluded: int32 [n, L], what must not be recommended; unknown ids mean nothing.
    """
    items = expected.shape[1] - 1
    given = ids > 0
    own = np.take_along_axis(expected, ids, axis=1)
    largest = float(np.abs(own[given]).max(initial=0))
    error = float(np.abs(scores - own)[given].max(initial=0))

    left = expected.copy()
    left[:, 0] = -np.inf
    rows = np.arange(len(ids))[:, np.newaxis]
    left[rows, np.where(is_item(excluded, items), excluded, 0)] = -np.inf
    width = min(TOP_K, ids.shape[1], items)
    last = np.partition(left, -width, axis=1)[:, -width]
    # Where fewer are left than that, all of them are expected.
    last = np.where(np.isneginf(last), np.finfo(np.float32).min, last)
    wanted = np.minimum(width, np.isfinite(left).sum(axis=1))
    # As good as the last of the best is among the best: equal scores have no order.
    hits = own[:, :width] >= last[:, np.newaxis] - TIE_TOLERANCE * max(largest, 1.0)
    hits &= given[:, :width]
    return np.where(wanted > 0, hits.sum(axis=1) / np.maximum(wanted, 1), 1.0), error, largest


def _aggregate(parts: list[tuple[np.ndarray, float, float]]) -> _Agreement:
    overlaps, errors, largest = zip(*parts, strict=True)
    # np.max hands a NaN on, which max() may lose.
    return _Agreement(
        float(np.concatenate(overlaps).mean()), float(np.max(errors)), float(np.max(largest))
    )


def _require_agreement(agreement: _Agreement, bound: Tolerance, where: str) -> None:
    _require_overlap(agreement, bound, where)
    allowed = bound.max_score_error * max(agreement.max_score, 1.0)
    if not agreement.max_error <= allowed:  # also for NaN
        raise ParityError(
            f"{where}: a score differs from the Keras student's by {agreement.max_error:.3g}, more "
            f"than {allowed:.3g} (the largest score is {agreement.max_score:.3g})"
        )


def _require_overlap(agreement: _Agreement, bound: Tolerance, where: str) -> None:
    if not agreement.overlap >= bound.min_top10_overlap:
        raise ParityError(
            f"{where}: top-10 overlap with the Keras student is {agreement.overlap:.4f}, below "
            f"{bound.min_top10_overlap}"
        )


def _make_unknown_ids(num_items: int) -> np.ndarray:
    """int32 [n]: ids that no book has."""
    limits = np.iinfo(np.int32)
    return np.array([0, -1, num_items + 1, limits.max, limits.min], np.int32)


def _check_edge_case_histories(
    model: TFLiteModel, student: HistoryModel, bound: Tolerance, quantization: Quantization
) -> None:
    unknown, L = _make_unknown_ids(student.num_items), student.max_length
    only_unknown = np.concatenate([np.repeat(unknown, L), np.resize(unknown, L)]).reshape(-1, L)
    with _raise_as_parity_error("recommend"):
        ids, scores = model.recommend_all(only_unknown)
    check_answers("recommend", ids, scores, only_unknown, student.num_items)
    _require_equal_rows("recommend", ids, scores)

    some = _sample_evenly(student.num_items, MAX_SINGLE_ITEMS)
    short = np.zeros((len(some), L), np.int32)
    short[:, 0] = some
    # Every other one between ids that mean nothing.
    short[::2, 1:] = np.resize(unknown, L - 1)
    strange = np.concatenate(
        [
            short,
            np.zeros((1, L), np.int32),
            # A longer vector than any real history gives: int8 cuts it off, so only a few of them.
            np.tile(_sample_evenly(student.num_items, 4)[:, np.newaxis], (1, L)),
        ]
    )
    where = (
        f"recommend ({quantization.value}) for histories that are empty, or have a single book, "
        "one book over and over, or unknown ids"
    )
    if quantization is Quantization.INT8:
        where += " (calibrate with short histories as well as with long ones)"
    _require_overlap(_compare_recommendations(model, student, strange), bound, where)


def _check_similar(
    model: TFLiteModel, student: HistoryModel, bound: Tolerance, quantization: Quantization
) -> None:
    items = _sample_evenly(student.num_items, MAX_SIMILAR_ITEMS)
    agreement = _compare_similar(model, student, items)
    _require_agreement(agreement, bound, f"similar ({quantization.value}) for {len(items)} books")
    unknown = _make_unknown_ids(student.num_items)
    ids, scores = _call_similar(model, unknown)
    check_answers("similar", ids, scores, unknown[:, np.newaxis], student.num_items)
    _require_equal_rows("similar", ids, scores)


def _require_equal_rows(signature: str, ids: np.ndarray, scores: np.ndarray) -> None:
    if (ids != ids[0]).any() or (scores != scores[0]).any():
        raise ParityError(f"{signature} does not take ids that no book has for padding")


def _check_scores(
    model: TFLiteModel,
    student: HistoryModel,
    histories: np.ndarray,
    bound: Tolerance,
    largest: float,
) -> None:
    """Scores of candidates are the student's, and 0 for ids that no book has.

    Args:
        largest: The largest score of a recommended book.
    """
    C, unknown = model.candidates, _make_unknown_ids(student.num_items)
    asked = np.resize(_sample_evenly(student.num_items, C * len(histories)), (len(histories), C))
    # Among the books, in another place every time, one id that none has.
    rows = np.arange(len(histories))
    asked[rows, rows % C] = np.resize(unknown, len(histories))
    with _raise_as_parity_error("score"):
        found = np.stack(
            [model.score(row, some) for row, some in zip(histories, asked, strict=True)]
        )
    _require_valid_values("score", "score", found, is_item(asked, student.num_items))
    # A few at a time: a student may compare every weight of a history with every candidate.
    expected = np.concatenate(
        [
            student.score(tf.constant(histories[some]), tf.constant(asked[some])).numpy()
            for some in np.array_split(rows, -(-len(rows) // _SCORE_BATCH_SIZE))
        ]
    )
    largest = max(largest, float(np.abs(expected).max()))
    _require_small_error("score", np.abs(found - expected), bound, largest)


def _check_explanations(
    model: TFLiteModel,
    student: HistoryModel,
    histories: np.ndarray,
    bound: Tolerance,
    largest: float,
) -> None:
    """What books of a history add to a score is what they add in the student."""
    # A book that such a reader is recommended, which is what people will ask about.
    with _raise_as_parity_error("explain"):
        items = model.recommend_all(histories)[0][:, 0]
        found = np.stack(
            [model.explain(row, int(one)) for row, one in zip(histories, items, strict=True)]
        )
    _require_valid_values("explain", "contribution", found, is_item(histories, student.num_items))
    expected = student.contributions(tf.constant(histories), tf.constant(items)).numpy()
    _require_small_error("explain", np.abs(found - expected), bound, largest)


def _require_valid_values(signature: str, what: str, found: np.ndarray, known: np.ndarray) -> None:
    if not np.isfinite(found).all():
        raise ParityError(f"{signature} gives a {what} that is not finite")
    if found[~known].any():
        raise ParityError(f"{signature} does not give 0 to an id that no book has")


def _require_small_error(
    signature: str, errors: np.ndarray, bound: Tolerance, largest: float
) -> None:
    error, allowed = float(errors.max(initial=0)), bound.max_score_error * max(largest, 1.0)
    if not error <= allowed:
        raise ParityError(
            f"{signature} differs from the Keras student by {error:.3g}, more than {allowed:.3g} "
            f"(the largest score is {largest:.3g})"
        )


def _sample_evenly(num_items: int, most: int) -> np.ndarray:
    """int32, at most `most` ids from 1 to V, evenly spread."""
    return np.unique(np.linspace(1, num_items, min(num_items, most)).astype(np.int32))


def _call_similar(model: TFLiteModel, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with _raise_as_parity_error("similar"):
        answers = [model.similar(int(item)) for item in items]
    return np.stack([ids for ids, _ in answers]), np.stack([scores for _, scores in answers])


@contextlib.contextmanager
def _raise_as_parity_error(signature: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise ParityError(f"{signature} fails in the interpreter: {error}") from error
