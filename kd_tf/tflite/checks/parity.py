"""Checks parity: a .tflite file must answer like the Keras student that it was converted from.

Converters can yield wrong numbers without an error: because of a wrong option, a runtime that
interprets weights in another way, or a pass over the flatbuffer that confuses two tensors. Every
exported file is therefore run beside its student on the same histories: real ones, ones of every
length that the file takes, and edge cases.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from kd_tf.backend import tf
from kd_tf.data.examples.joined_histories import draw_histories_of_every_length
from kd_tf.data.histories import from_padded
from kd_tf.errors import ParityError, UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import compute_scores, get_scoring_batch_size
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.checks.contract import check_answers, is_item
from kd_tf.tflite.checks.numpy_reference import make_numpy_score_fn
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.two_stage_search import TwoStageStudent

TOP_K = 10
"""Length of the lists that are compared."""

MAX_SIMILAR_ITEMS = 200
"""Maximum number of items for ``similar``, spread evenly over the catalog."""

MAX_SINGLE_ITEMS = 100
"""Maximum number of histories with a single item, spread evenly over the catalog."""

NUM_DRAWN_HISTORIES = 128
"""Number of histories of every length from 0 to L."""

NUM_LENGTH_BANDS = 4
"""The histories of every length are compared in so many groups of similar length, because a file
may be right for short histories and wrong for long ones."""

LENGTH_BAND_FACTOR = 0.9
"""Factor on the minimum overlap of each group: 32 histories are few, and the mean varies."""

MAX_SCORED_HISTORIES = 100
"""Maximum number of real histories for ``score``, each with as many candidates as it takes. Those
of every length are scored as well."""

_SCORE_BATCH_SIZE = 4
"""Histories per batch for the student's scores of candidates."""

MAX_EXPLAINED_HISTORIES = 25
"""Maximum number of real histories for ``explain``: the student needs a forward pass per item."""

EXPLAINED_STEP = 5
"""Every so many of the histories of every length are explained."""

MAX_REPEATED_HISTORIES = 50
"""Number of histories that are run twice: equal inputs must give equal answers."""

TIE_TOLERANCE = 1e-5
"""Keras scores that differ by less than this share of the largest score count as equal. Summing in
float32 in another order changes scores by more than the gap between two such items."""

MIN_SCALE_SHARE = 0.5
"""A history whose scores are all smaller than this share of the usual one, the median of all
histories' largest scores, is measured by this share. Otherwise no error would be allowed where all
scores are nearly 0, such as those of an empty history."""

LENGTH_SEED = 20_000
"""Seed of the histories of every length; no calibration has it."""


@dataclass(frozen=True)
class Tolerance:
    """How far a file may differ from its student.

    Attributes:
        min_top10_overlap: Minimum mean share of the student's top 10 in the file's top 10.
        max_score_error: Maximum difference of a score, as a share of the largest score of the same
            history (see `MIN_SCALE_SHARE`). It holds for ``recommend`` and ``score`` against the
            student, and between the two for the same history and items.
    """

    min_top10_overlap: float
    max_score_error: float


TOLERANCES: dict[Quantization, Tolerance] = {
    Quantization.FLOAT32: Tolerance(min_top10_overlap=0.999, max_score_error=1e-4),
    Quantization.FLOAT16: Tolerance(min_top10_overlap=0.98, max_score_error=5e-3),
    # Wide for scores that are small sums of weights in four bits (`neighbours`), and for those that
    # solve an equation for the user (`fold-in`). A network is below .02.
    Quantization.DYNAMIC_INT8: Tolerance(min_top10_overlap=0.90, max_score_error=0.2),
    Quantization.INT4: Tolerance(min_top10_overlap=0.75, max_score_error=0.3),
    # Activations beyond those of the calibration are cut off, so a few users get a larger error.
    Quantization.INT8: Tolerance(min_top10_overlap=0.90, max_score_error=0.2),
}
"""Tolerance of each quantization. With an int8 overlap below .90, a file is not a compressed
student but another model; all measured files are above .95."""

TWO_STAGE_FACTOR = 0.9
"""Factor on the minimum overlap of files with two-stage search, which are compared with the exact
lists."""


@dataclass(frozen=True)
class Parity:
    """How close a file is to its student.

    Attributes:
        histories: Number of real histories that were compared.
        top10_overlap: Mean share of the student's top 10 in the file's top 10, over these.
        max_score_error: Largest difference between the file's and the student's score of a
            recommended item, over these.
        max_score_error_share: Largest difference over these and over histories of every length, as
            a share of the history's largest score: what `Tolerance.max_score_error` limits.
        numpy_overlap: Like `top10_overlap`, against a NumPy evaluation of the weights in the file;
            None if the student has none.
    """

    histories: int
    top10_overlap: float
    max_score_error: float
    max_score_error_share: float
    numpy_overlap: float | None = None


def get_tolerance(student: HistoryModel, quantization: Quantization) -> Tolerance:
    """Returns the tolerance for a file of a student.

    Args:
        student: The student.
        quantization: Quantization of the file.

    Returns:
        The tolerance.
    """
    tolerance = TOLERANCES[quantization]
    if isinstance(student, TwoStageStudent):
        min_overlap = TWO_STAGE_FACTOR * tolerance.min_top10_overlap
        return replace(tolerance, min_top10_overlap=min_overlap)
    return tolerance


def check_parity(
    content: bytes,
    student: HistoryModel,
    histories: np.ndarray,
    *,
    quantization: Quantization,
    quantized_student: HistoryModel | None = None,
) -> Parity:
    """Runs a file and its student side by side and raises an error if they differ.

    The file must agree with the student within `TOLERANCES`, in recommendations, similar items,
    scores of candidates and contributions. In every quantization, all its answers must also keep
    contract version 1 (`kd_tf.tflite.checks.contract`) and repeat on every call. Besides the given
    histories, the check covers histories of every length from 0 to L, which are joined from the
    given ones (`kd_tf.data.examples.joined_histories`), and edge cases: single items, one item
    repeated, unknown ids.

    Args:
        content: The .tflite file.
        student: The student that it was converted from.
        histories: int32 [n, L], n at least 1, padded with 0 at the end.
        quantization: Quantization of the file, which determines the tolerance.
        quantized_student: The student with the weights that the file holds. If it can be
            evaluated in plain NumPy, the file is compared with that as well, independently of
            TensorFlow.

    Returns:
        The measurements over `histories`.

    Raises:
        ParityError: The file cannot be run, breaks the contract, or differs by more than the
            tolerance.
        ValueError: `histories` is empty or has a wrong shape or dtype.
    """
    L = student.max_length
    if histories.dtype != np.int32 or histories.ndim != 2 or histories.shape[1] != L:
        raise ValueError(
            f"histories must be int32 [n, {L}], not {histories.dtype} {list(histories.shape)}"
        )
    if not len(histories):
        raise ValueError("parity needs at least one history")
    model = _load_model(content, student)
    real_items = np.where(is_item(histories, student.num_items), histories, 0)
    drawn_histories = draw_histories_of_every_length(
        from_padded(real_items),
        max_length=L,
        num_items=student.num_items,
        count=NUM_DRAWN_HISTORIES,
        seed=LENGTH_SEED,
    ).pad(L)

    _check_stateless(model, histories[:MAX_REPEATED_HISTORIES])
    agreement = _compare_recommendations(model, student, histories)
    length_agreement = _compare_recommendations(model, student, drawn_histories)
    scales = np.concatenate([agreement.scales, length_agreement.scales])
    limits = _Limits(
        get_tolerance(student, quantization), MIN_SCALE_SHARE * float(np.median(scales))
    )
    where = f"recommend ({quantization.value}) "
    if quantization is Quantization.INT8:
        where += "(calibrate with histories of every length) "
    _require_agreement(agreement, limits, f"{where}over {len(histories)} histories")
    _check_every_length(length_agreement, drawn_histories, limits, where)
    _check_edge_case_histories(model, student, limits, where)
    _check_similar(model, student, limits, quantization)
    n, rows = len(histories), np.concatenate([histories, drawn_histories])
    scored_rows = np.r_[: min(n, MAX_SCORED_HISTORIES), n : len(rows)]
    _check_scores(model, student, rows[scored_rows], scales[scored_rows], limits)
    _check_equal_scales(model, rows[scored_rows], scales[scored_rows], limits)
    explained_rows = np.r_[: min(n, MAX_EXPLAINED_HISTORIES), n : len(rows) : EXPLAINED_STEP]
    _check_explanations(model, student, rows[explained_rows], scales[explained_rows], limits)
    numpy_agreement = _compare_with_numpy(model, quantized_student, histories)
    if numpy_agreement is not None:
        _require_agreement(numpy_agreement, limits, f"{where}against plain NumPy")
    return Parity(
        len(histories),
        agreement.overlap,
        float(agreement.errors.max()),
        max(
            float(limits.compute_error_shares(part.errors, part.scales).max())
            for part in (agreement, length_agreement)
        ),
        None if numpy_agreement is None else numpy_agreement.overlap,
    )


def _load_model(content: bytes, student: HistoryModel) -> TFLiteModel:
    """Loads a file and checks its signatures and its history length."""
    try:
        model = TFLiteModel(content)
    except UserError as error:
        raise ParityError(f"the converted file cannot be used: {error.what}") from error
    for signature in ("similar", "score", "explain"):
        if signature not in model.signatures:
            raise ParityError(f"the converted file has no signature {signature}")
    if model.max_length != student.max_length:
        raise ParityError(
            f"the converted file takes histories of {model.max_length} items, the student of "
            f"{student.max_length}"
        )
    return model


def _check_stateless(model: TFLiteModel, histories: np.ndarray) -> None:
    """Checks that equal inputs give equal answers."""
    with _raise_as_parity_error("recommend"):
        answers = model.recommend_all(histories)
        # In reverse order, so that state left by a call meets another history.
        repeated_answers = model.recommend_all(histories[::-1])
    # Two NaNs count as equal here: the contract check reports them with a better message.
    if not all(
        np.array_equal(values, repeated_values[::-1], equal_nan=True)
        for values, repeated_values in zip(answers, repeated_answers, strict=True)
    ):
        raise ParityError("recommend gives different answers for the same input")


@dataclass(frozen=True)
class _Agreement:
    """How far the answers of a file agree with the expected scores of each history.

    Attributes:
        overlaps: float64 [n], share of the expected top 10 in the file's top 10.
        errors: float64 [n], largest absolute difference of a score.
        scales: float64 [n], largest absolute expected score of any item.
    """

    overlaps: np.ndarray
    errors: np.ndarray
    scales: np.ndarray

    @property
    def overlap(self) -> float:
        """Mean of `overlaps`."""
        return float(self.overlaps.mean())

    def take(self, rows: np.ndarray) -> _Agreement:
        """Returns the agreement of these rows."""
        return _Agreement(self.overlaps[rows], self.errors[rows], self.scales[rows])


@dataclass(frozen=True)
class _Limits:
    """How far a file may differ, and what its errors are divided by.

    Attributes:
        tolerance: The tolerance of the file.
        min_scale: Scores below this count as this large (see `MIN_SCALE_SHARE`).
    """

    tolerance: Tolerance
    min_scale: float

    def compute_error_shares(self, errors: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """Divides errors by the largest score of their history: float64 [n]."""
        min_scale = max(self.min_scale, float(np.finfo(np.float32).tiny))
        return np.asarray(errors / np.maximum(scales, min_scale))


def _compare_recommendations(
    model: TFLiteModel, student: HistoryModel, histories: np.ndarray
) -> _Agreement:
    """Compares ``recommend`` with the student."""
    comparisons = []
    for batch in _split_into_batches(histories, student):
        with _raise_as_parity_error("recommend"):
            ids, scores = model.recommend_all(batch)
        check_answers("recommend", ids, scores, batch, student.num_items)
        comparisons.append(_compare_batch(ids, scores, compute_scores(student, batch), batch))
    return _merge_agreements(comparisons)


def _compare_with_numpy(
    model: TFLiteModel, quantized_student: HistoryModel | None, histories: np.ndarray
) -> _Agreement | None:
    """Compares ``recommend`` with a NumPy evaluation of the student, if there is one."""
    if quantized_student is None:
        return None
    score_fn = make_numpy_score_fn(quantized_student)
    if score_fn is None:
        return None
    comparisons = []
    for batch in _split_into_batches(histories, quantized_student):
        ids, scores = model.recommend_all(batch)
        comparisons.append(_compare_batch(ids, scores, score_fn(batch), batch))
    return _merge_agreements(comparisons)


def _compare_similar(model: TFLiteModel, student: HistoryModel, items: np.ndarray) -> _Agreement:
    """Compares ``similar`` with the student."""
    comparisons = []
    for batch in _split_into_batches(items, student):
        ids, scores = _call_similar(model, batch)
        check_answers("similar", ids, scores, batch[:, np.newaxis], student.num_items)
        student_scores = student.similar(tf.constant(batch)).numpy()
        comparisons.append(_compare_batch(ids, scores, student_scores, batch[:, np.newaxis]))
    return _merge_agreements(comparisons)


def _split_into_batches(rows: np.ndarray, student: HistoryModel) -> Iterator[np.ndarray]:
    """Yields batches of `rows` for which the scores of all items fit into memory."""
    size = get_scoring_batch_size(student)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _compare_batch(
    ids: np.ndarray, scores: np.ndarray, student_scores: np.ndarray, excluded_ids: np.ndarray
) -> _Agreement:
    """Compares the file's lists with the expected scores.

    Args:
        ids: int32 [n, K], the items that the file recommends.
        scores: float32 [n, K], the file's scores of these items.
        student_scores: float32 [n, V + 1], the expected scores of all items.
        excluded_ids: int32 [n, L], items that must not be recommended; unknown ids are ignored.
    """
    num_items = student_scores.shape[1] - 1
    is_filled = ids > 0
    expected_scores = np.take_along_axis(student_scores, ids, axis=1)
    scales = np.abs(student_scores[:, 1:]).max(axis=1).astype(np.float64)
    errors = np.where(is_filled, np.abs(scores - expected_scores), 0).max(axis=1)

    allowed_scores = student_scores.copy()
    allowed_scores[:, 0] = -np.inf
    rows = np.arange(len(ids))[:, np.newaxis]
    allowed_scores[rows, np.where(is_item(excluded_ids, num_items), excluded_ids, 0)] = -np.inf
    k = min(TOP_K, ids.shape[1], num_items)
    kth_score = np.partition(allowed_scores, -k, axis=1)[:, -k]
    # If fewer than k items are allowed, all of them are expected.
    kth_score = np.where(np.isneginf(kth_score), np.finfo(np.float32).min, kth_score)
    num_expected = np.minimum(k, np.isfinite(allowed_scores).sum(axis=1))
    # Any item that scores as high as the k-th counts as a hit: ties have no order.
    tie_width = TIE_TOLERANCE * np.maximum(scales, MIN_SCALE_SHARE * np.median(scales))
    threshold = (kth_score - tie_width)[:, np.newaxis]
    is_hit = (expected_scores[:, :k] >= threshold) & is_filled[:, :k]
    overlaps = np.where(num_expected > 0, is_hit.sum(axis=1) / np.maximum(num_expected, 1), 1.0)
    return _Agreement(overlaps, errors.astype(np.float64), scales)


def _merge_agreements(agreements: list[_Agreement]) -> _Agreement:
    """Joins the results of `_compare_batch` for all batches."""
    return _Agreement(
        np.concatenate([agreement.overlaps for agreement in agreements]),
        np.concatenate([agreement.errors for agreement in agreements]),
        np.concatenate([agreement.scales for agreement in agreements]),
    )


def _require_agreement(agreement: _Agreement, limits: _Limits, where: str) -> None:
    """Raises a ParityError if the overlap or a score is out of tolerance."""
    min_overlap = limits.tolerance.min_top10_overlap
    if not agreement.overlap >= min_overlap:
        raise ParityError(
            f"{where}: top-10 overlap with the Keras student is {agreement.overlap:.4f}, below "
            f"{min_overlap:.4g}"
        )
    _require_small_errors(
        agreement.errors,
        agreement.scales,
        limits,
        f"{where}: a score differs from the Keras student's",
    )


def _make_unknown_ids(num_items: int) -> np.ndarray:
    """Returns ids that belong to no item: int32 [n]."""
    limits = np.iinfo(np.int32)
    return np.array([0, -1, num_items + 1, limits.max, limits.min], np.int32)


def _check_every_length(
    agreement: _Agreement, histories: np.ndarray, limits: _Limits, where: str
) -> None:
    """Checks the agreement over histories of every length, in groups of similar length.

    Args:
        agreement: The agreement of ``recommend`` for `histories`.
        histories: int32 [n, L], from short to long.
        limits: How far the file may differ.
        where: Beginning of the error message.
    """
    lengths = (histories > 0).sum(axis=1)
    min_overlap = LENGTH_BAND_FACTOR * limits.tolerance.min_top10_overlap
    tolerance = replace(limits.tolerance, min_top10_overlap=min_overlap)
    for rows in np.array_split(np.arange(len(histories)), NUM_LENGTH_BANDS):
        group = f"for histories of {lengths[rows[0]]} to {lengths[rows[-1]]} items"
        _require_agreement(
            agreement.take(rows), replace(limits, tolerance=tolerance), where + group
        )


def _check_edge_case_histories(
    model: TFLiteModel, student: HistoryModel, limits: _Limits, where: str
) -> None:
    """Checks ``recommend`` for histories that are very short, repetitive or unknown."""
    unknown, L = _make_unknown_ids(student.num_items), student.max_length
    only_unknown = np.concatenate([np.repeat(unknown, L), np.resize(unknown, L)]).reshape(-1, L)
    with _raise_as_parity_error("recommend"):
        ids, scores = model.recommend_all(only_unknown)
    check_answers("recommend", ids, scores, only_unknown, student.num_items)
    _require_equal_rows("recommend", ids, scores)

    items = _sample_evenly(student.num_items, MAX_SINGLE_ITEMS)
    single_item = np.zeros((len(items), L), np.int32)
    single_item[:, 0] = items
    # Every second history is filled up with unknown ids.
    single_item[::2, 1:] = np.resize(unknown, L - 1)
    repeated_item = np.tile(_sample_evenly(student.num_items, 4)[:, np.newaxis], (1, L))
    edge_cases = np.concatenate([single_item, np.zeros((1, L), np.int32), repeated_item])
    _require_agreement(
        _compare_recommendations(model, student, edge_cases),
        limits,
        f"{where}for histories that are empty, or have a single item, one item repeated, or "
        "unknown ids",
    )


def _check_similar(
    model: TFLiteModel, student: HistoryModel, limits: _Limits, quantization: Quantization
) -> None:
    """Checks ``similar`` for items of the catalog and for unknown ids."""
    items = _sample_evenly(student.num_items, MAX_SIMILAR_ITEMS)
    agreement = _compare_similar(model, student, items)
    # Scores of `similar` have a scale of their own.
    similar_limits = replace(limits, min_scale=float(agreement.scales.max()))
    _require_agreement(
        agreement, similar_limits, f"similar ({quantization.value}) for {len(items)} items"
    )
    unknown = _make_unknown_ids(student.num_items)
    ids, scores = _call_similar(model, unknown)
    check_answers("similar", ids, scores, unknown[:, np.newaxis], student.num_items)
    _require_equal_rows("similar", ids, scores)


def _require_equal_rows(signature: str, ids: np.ndarray, scores: np.ndarray) -> None:
    """Raises a ParityError unless all answers are equal."""
    if (ids != ids[0]).any() or (scores != scores[0]).any():
        raise ParityError(f"{signature} does not treat unknown ids as padding")


def _check_scores(
    model: TFLiteModel,
    student: HistoryModel,
    histories: np.ndarray,
    scales: np.ndarray,
    limits: _Limits,
) -> None:
    """Checks that ``score`` agrees with the student and gives 0 to unknown ids.

    Args:
        model: The file.
        student: The student.
        histories: int32 [n, L].
        scales: float64 [n], largest absolute score of each history.
        limits: How far the file may differ.
    """
    C, unknown = model.candidates, _make_unknown_ids(student.num_items)
    items = _sample_evenly(student.num_items, C * len(histories))
    candidates = np.resize(items, (len(histories), C))
    # Replace one candidate of each history, at varying positions, by an unknown id.
    rows = np.arange(len(histories))
    candidates[rows, rows % C] = np.resize(unknown, len(histories))
    with _raise_as_parity_error("score"):
        scores = np.stack(
            [model.score(row, items) for row, items in zip(histories, candidates, strict=True)]
        )
    _require_valid_values("score", "score", scores, is_item(candidates, student.num_items))
    # In small batches: a student may compare each weight of a history with each candidate.
    batches = np.array_split(rows, -(-len(rows) // _SCORE_BATCH_SIZE))
    student_scores = np.concatenate(
        [
            student.score(tf.constant(histories[batch]), tf.constant(candidates[batch])).numpy()
            for batch in batches
        ]
    )
    errors = np.abs(scores - student_scores).max(axis=1)
    _require_small_errors(errors, scales, limits, "score differs from the Keras student")


def _check_equal_scales(
    model: TFLiteModel, histories: np.ndarray, scales: np.ndarray, limits: _Limits
) -> None:
    """Checks that ``score`` gives the items of a list the scores that ``recommend`` gave them.

    An app compares both: it may score the user's own pick beside the list.

    Args:
        model: The file.
        histories: int32 [n, L].
        scales: float64 [n], largest absolute score of each history.
        limits: How far the scores may differ.
    """
    with _raise_as_parity_error("score"):
        ids, listed_scores = model.recommend_all(histories)
        # One call for each history.
        ids, listed_scores = ids[:, : model.candidates], listed_scores[:, : model.candidates]
        scores = np.stack(
            [model.score(row, items) for row, items in zip(histories, ids, strict=True)]
        )
    errors = np.where(ids > 0, np.abs(scores - listed_scores), 0).max(axis=1)
    _require_small_errors(errors, scales, limits, "score differs from recommend")


def _check_explanations(
    model: TFLiteModel,
    student: HistoryModel,
    histories: np.ndarray,
    scales: np.ndarray,
    limits: _Limits,
) -> None:
    """Checks that the contributions of ``explain`` agree with the student's."""
    # Explain the best recommendation of each history, as an app does.
    with _raise_as_parity_error("explain"):
        items = model.recommend_all(histories)[0][:, 0]
        contributions = np.stack(
            [model.explain(row, int(item)) for row, item in zip(histories, items, strict=True)]
        )
    _require_valid_values(
        "explain", "contribution", contributions, is_item(histories, student.num_items)
    )
    student_scores = student.contributions(tf.constant(histories), tf.constant(items)).numpy()
    errors = np.abs(contributions - student_scores).max(axis=1)
    _require_small_errors(errors, scales, limits, "explain differs from the Keras student")


def _require_valid_values(
    signature: str, name: str, values: np.ndarray, is_known: np.ndarray
) -> None:
    """Raises a ParityError if a value is not finite, or not 0 for an unknown id."""
    if not np.isfinite(values).all():
        raise ParityError(f"{signature} gives a {name} that is not finite")
    if values[~is_known].any():
        raise ParityError(f"{signature} does not give 0 to unknown ids")


def _require_small_errors(
    errors: np.ndarray, scales: np.ndarray, limits: _Limits, what: str
) -> None:
    """Raises a ParityError if the error of a history is out of tolerance.

    Args:
        errors: float64 [n], largest error of each history.
        scales: float64 [n], largest absolute score of each history.
        limits: How far the file may differ.
        what: Beginning of the error message.
    """
    shares = limits.compute_error_shares(errors, scales)
    worst, bound = int(shares.argmax()), limits.tolerance.max_score_error  # the first NaN, if any
    if not shares[worst] <= bound:  # also for NaN
        raise ParityError(
            f"{what} by {errors[worst]:.3g}, {shares[worst]:.3g} of the largest score of the "
            f"history; at most {bound:.3g} of it is allowed"
        )


def _sample_evenly(num_items: int, max_count: int) -> np.ndarray:
    """Returns at most `max_count` item ids, evenly spaced from 1 to V: int32."""
    return np.unique(np.linspace(1, num_items, min(num_items, max_count)).astype(np.int32))


def _call_similar(model: TFLiteModel, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Calls ``similar`` for each item and returns ids and scores [n, K]."""
    with _raise_as_parity_error("similar"):
        answers = [model.similar(int(item)) for item in items]
    return np.stack([ids for ids, _ in answers]), np.stack([scores for _, scores in answers])


@contextlib.contextmanager
def _raise_as_parity_error(signature: str) -> Iterator[None]:
    """Turns errors of the interpreter into a ParityError."""
    try:
        yield
    except (RuntimeError, UserError, ValueError) as error:
        raise ParityError(f"{signature} fails in the interpreter: {error}") from error
