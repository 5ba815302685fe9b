"""A recommender from a table of items alone: books are recommended for what they are about."""

from __future__ import annotations

from pathlib import Path

from kd_tf import config
from kd_tf.compress.storage import snap_to_quantization_grid
from kd_tf.config import Config
from kd_tf.data.catalog import Catalog
from kd_tf.data.formats.files import get_single_table
from kd_tf.data.formats.tables import open_table
from kd_tf.data.sources.csv_files import find_item_columns
from kd_tf.data.sources.item_rows import read_items
from kd_tf.data.sources.item_tables import join_columns
from kd_tf.data.sources.table_options import make_dialect, make_rules
from kd_tf.errors import UserError
from kd_tf.models.content.zero_shot import build_zero_shot_student
from kd_tf.pipeline.run_folder import check_run_folder, reserve_run_folder
from kd_tf.pipeline.stages.content import encode_chosen_content
from kd_tf.pipeline.stages.export_bundle import export_bundle
from kd_tf.pipeline.stages.prepare import MAX_LENGTH_RANGE
from kd_tf.pipeline.stages.select_student import get_default_max_bytes
from kd_tf.progress import NullProgress, Progress
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.bundle_files import BUNDLE_FOLDER

NOTE = (
    "Made of content alone: there were no interactions, so nothing about its quality was measured, "
    "and it does not know which books people like."
)
"""What the model card and the command say."""


def run_zero_shot(settings: Config, folder: str | Path, progress: Progress | None = None) -> Bundle:
    """Encodes a catalog and writes a bundle that recommends books with like content.

    Args:
        settings: ``data.items`` is the catalog; ``content`` says what is encoded, by default all
            texts by counted words; ``student.max_bytes`` and ``export`` hold as for a run.
        folder: A new or empty folder, or that of an earlier run. Gets config.toml and bundle/.
        progress: Where to report; by default nowhere.

    Raises:
        UserError: The table cannot be read, no item has any text, or the budget is too small.
        ParityError: The file does not answer like the student.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "books.csv"
        >>> rows = [f"{n},The {w} Dragon {n % 3}" for n, w in enumerate("abcdefghij")]
        >>> _ = path.write_text("id,title\\n" + "\\n".join(rows))
        >>> settings = config.from_values({"data": {"dataset": "csv", "items": str(path)}})
        >>> run_zero_shot(settings, path.parent / "run").config.num_items
        10
    """
    progress = progress or NullProgress()
    check_run_folder(Path(folder))
    catalog, notes = _read_catalog(settings)
    content, image_notes = encode_chosen_content(settings, catalog, progress)
    for note in (*notes, *image_notes, NOTE):
        progress.warn(note)
    max_bytes = settings.student.max_bytes or get_default_max_bytes(len(catalog))
    student = build_zero_shot_student(
        content,
        max_length=settings.export.max_length or MAX_LENGTH_RANGE[0],
        max_bytes=max_bytes,
        progress=progress,
    )
    with reserve_run_folder(Path(folder)):
        config.write(settings, Path(folder) / "config.toml")
        quantization = settings.export.bundle_quantization
        return export_bundle(
            snap_to_quantization_grid(student),
            Path(folder) / BUNDLE_FOLDER,
            catalog=catalog,
            quantization="dynamic-int8" if quantization == "auto" else quantization,
            recommendations=settings.export.recommendations,
            candidates=settings.export.candidates,
            name=settings.name,
            dataset={"name": settings.name, "items": len(catalog), "protocol": "zero-shot"},
            notes=[NOTE, f"Content: {content.describe()}."],
        )


def _read_catalog(settings: Config) -> tuple[Catalog, tuple[str, ...]]:
    """Reads the items; columns that are not named are found by their usual names."""
    data = settings.data
    if data.items is None:
        raise UserError("there is no table of items", hint="Give it with --items.")
    rules = make_rules(
        normalize_ids=data.normalize_ids,
        null_values=data.null_values,
        on_bad_rows=data.on_bad_rows,
    )
    table = open_table(get_single_table(data.items), make_dialect(**data.item_format.model_dump()))
    default_names = config.ItemColumns().model_dump()
    changed_names = {
        role: name
        for role, name in data.item_columns.model_dump().items()
        if name != default_names[role]
    }
    columns = find_item_columns(table, data.columns.item, changed_names)
    frame, notes = read_items(table, columns, on_bad_rows=rules.on_bad_rows, values=rules.values)
    catalog = Catalog(frame)
    for item_table in data.item_tables:
        catalog, table_notes = join_columns(
            catalog, item_table.path, item_table.id, on_bad_rows=data.on_bad_rows
        )
        notes += table_notes
    return catalog, notes
