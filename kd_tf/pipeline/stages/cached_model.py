"""A trained model as a stage of a run: kept in a folder, found again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kd_tf import atomic
from kd_tf.models.base import HistoryModel
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.report.results import CandidateResult
from kd_tf.training import checkpoint
from kd_tf.training.trainer import TrainingResult

TRAINING_FILE = "training.json"


@dataclass(frozen=True)
class TrainedModel:
    """A model of a run and how it came about.

    Attributes:
        name: In tables.
        kind: The architecture.
        model: Loaded from the stage.
        seconds: Wall time of the fit, validation included.
        validation: NDCG@10 of the readers who choose.
        tried: What it was chosen among.
    """

    name: str
    architecture: str
    model: HistoryModel
    seconds: float
    validation_ndcg: float = 0.0
    candidate_students: list[CandidateResult] = field(default_factory=list)


def load_or_train(
    context: RunContext,
    name: str,
    folder: Path,
    key: dict[str, Any],
    train: Callable[[Path], tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]],
) -> TrainedModel:
    """Makes a model unless the stage in `folder` was made from the same inputs.

    Args:
        context: Of the run.
        name: Of the model.
        folder: Of the stage.
        key: All that the model depends on.
        make: Gives the model, its kind, how its training went, and what it was chosen among.
    """

    def write(unfinished: Path) -> None:
        model, kind, training, tried = train(unfinished)
        checkpoint.save(model, unfinished / "model")
        atomic.write_json(
            unfinished / TRAINING_FILE,
            {**asdict(training), "kind": kind, "tried": [asdict(one) for one in tried]},
        )

    context.run_cached(folder, key, write)
    stored = json.loads((folder / TRAINING_FILE).read_text("utf-8"))
    epochs = f" in epoch {stored['best_epoch']} of {stored['epochs']}" if stored["epochs"] else ""
    context.progress.info(
        f"{folder.relative_to(context.folder).as_posix()}: {stored['kind']}, validation NDCG@10 "
        f"{stored['best']:.4f}{epochs}, {stored['seconds']:.0f} s"
    )
    return TrainedModel(
        name,
        stored["kind"],
        checkpoint.load(folder / "model"),
        float(stored["seconds"]),
        float(stored["best"]),
        [CandidateResult(**one) for one in stored["tried"]],
    )
