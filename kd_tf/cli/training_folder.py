"""Prepares the folder of a run or a comparison before TensorFlow is imported."""

from __future__ import annotations

from pathlib import Path

from kd_tf.cli.output import make_progress
from kd_tf.progress import Progress


def prepare_training_folder(name: str, out: Path | None, quiet: bool) -> tuple[Path, Progress]:
    """Checks the folder before TensorFlow is imported, which takes seconds.

    Args:
        name: Name of the folder in ``runs`` unless `out` is given.
        out: The folder of the results.
        quiet: Whether to show no progress.

    Returns:
        The folder, and where to report.

    Raises:
        UserError: The folder is not that of a run.
    """
    from kd_tf.pipeline.run_folder import check_run_folder

    folder = out or Path("runs") / name
    check_run_folder(folder)
    progress = make_progress(quiet)
    progress.info("starting TensorFlow")
    return folder, progress
