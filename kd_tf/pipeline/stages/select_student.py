"""Selects the student with the best validation NDCG@10 within a byte budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kd_tf import rng
from kd_tf.compress.storage import compute_quantized_size, snap_to_quantization_grid
from kd_tf.distill.warm_start import WARM_STARTS, TeacherItemScores, WarmStartFamily
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.training_data import TrainingData
from kd_tf.pipeline.stages.distillation import DistillationPlan
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.train_student import train_from_scratch
from kd_tf.pipeline.stages.training import is_quick_to_train
from kd_tf.report.results import CandidateResult

DEFAULT_MAX_BYTES = 1_000_000
BYTES_PER_ITEM = 40
"""The student's default budget is the larger of 1 MB and 40 bytes per item."""


def select_student_within_budget(
    context: RunContext,
    name: str,
    architecture: str,
    plan: DistillationPlan | None,
    key: dict[str, Any],
) -> tuple[HistoryModel, list[CandidateResult]]:
    """Selects the student with the best validation NDCG@10 within the byte budget.

    Args:
        context: The run, whose budget `check_max_bytes` has checked.
        name: What the progress report calls the student.
        architecture: One of `WARM_STARTS`, or ``auto`` for all of them.
        plan: The distillation whose teacher initializes the candidates; None to initialize them
            from the interactions only.
        key: Everything that the result depends on.

    Returns:
        The student, and all candidates.
    """
    rng.set_seed(context.settings.seed)
    data = TrainingData.create(
        context.split.train,
        context.split.num_items,
        context.max_length,
        context.validation_metric,
        context.progress,
    )
    source = TeacherItemScores(data, plan.teacher if plan else None, context.item_mixtures)
    max_bytes = get_max_bytes(context)
    candidates: list[CandidateResult] = []
    best: tuple[HistoryModel, CandidateResult] | None = None

    def evaluate_candidate(model: HistoryModel, architecture: str, description: str) -> None:
        nonlocal best
        candidate = CandidateResult(
            architecture,
            description,
            compute_quantized_size(model),
            context.validation_metric(make_score_fn(snap_to_quantization_grid(model))),
        )
        context.progress.info(
            f"student {name}: {architecture} ({description}), {candidate.bytes:,} bytes, "
            f"validation NDCG@10 {candidate.validation_ndcg:.4f}"
        )
        candidates.append(candidate)
        if best is None or candidate.validation_ndcg > best[1].validation_ndcg:
            best = model, candidate
            source.best_validation_ndcg = candidate.validation_ndcg

    for warm_start_architecture, family in _get_families(architecture).items():
        for start in family.generate(source, max_bytes):
            evaluate_candidate(start.model, warm_start_architecture, start.description)
    if architecture == "auto" and is_quick_to_train(context.split):
        embedding_dim = choose_mlp_embedding_dim(context)
        if embedding_dim:
            model, _ = train_from_scratch(context, name, "mlp", embedding_dim, plan, key)
            evaluate_candidate(model, "mlp", f"d={embedding_dim}, trained")
    assert best is not None, "check_max_bytes has found a family that fits"
    model, best_candidate = best
    return model, [
        replace(candidate, is_chosen=candidate is best_candidate) for candidate in candidates
    ]


def check_max_bytes(context: RunContext) -> None:
    """Checks, before any training, that a student fits into the byte budget.

    Raises:
        UserError: None does.
    """
    architecture, num_items = context.settings.student.architecture, context.split.num_items
    families = _get_families(architecture)
    max_bytes = get_max_bytes(context)
    if not families or any(family.has_room(num_items, max_bytes) for family in families.values()):
        return
    sizes = [family.compute_min_bytes(num_items) for family in families.values()]
    min_bytes = min((size for size in sizes if size is not None), default=None)
    of_architecture = "" if architecture == "auto" else f" {architecture}"
    if min_bytes is None:
        raise UserError(
            f"no{of_architecture} student can hold {num_items:,} items",
            where="student.architecture",
            hint="Choose another architecture; auto takes the best one.",
        )
    raise UserError(
        f"no{of_architecture} student for {num_items:,} items fits into {max_bytes:,} bytes",
        where="student.max_bytes",
        hint=f"Allow at least {min_bytes:,} bytes: the smallest one takes as many.",
    )


def _get_families(architecture: str) -> dict[str, WarmStartFamily]:
    """Returns the families that a search looks at; none for a student that is trained alone."""
    return {name: family for name, family in WARM_STARTS.items() if architecture in ("auto", name)}


def get_max_bytes(context: RunContext) -> int:
    """Returns the budget in bytes for the student's int8 weights."""
    return context.settings.student.max_bytes or get_default_max_bytes(context.split.num_items)


def get_default_max_bytes(num_items: int) -> int:
    """Returns the budget in bytes for a catalog of this size."""
    return max(DEFAULT_MAX_BYTES, BYTES_PER_ITEM * num_items)


def choose_mlp_embedding_dim(context: RunContext) -> int:
    """Returns the largest multiple of 8 up to 64 that fits the budget; 0 if 8 is too large."""
    # The table has a byte per number; two layers of 64 with biases and the recency weights of L
    # positions are float32.
    fixed_bytes = 4 * (64 + context.max_length)
    largest = (get_max_bytes(context) - fixed_bytes) // (
        context.split.num_items + 1 + 4 * (2 * 64 + 1)
    )
    return int(max(min(largest, 64) // 8 * 8, 0))
