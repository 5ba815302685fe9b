"""Recognizes files that are no text tables, by how they begin."""

from __future__ import annotations

from kd_tf.data.formats.files import SourceFile
from kd_tf.errors import UserError

_BINARY = (
    (b"\x1f\x8b", "compressed with gzip", "Its name must end in .gz."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "Save it as .xlsx or as CSV UTF-8."),
    (b"SQLite format 3", "a SQLite database", "Export the table as CSV, for example with sqlite3."),
    (b"%PDF", "a PDF document", "Export the table as CSV."),
    (b"PAR1", "a Parquet file", "Its name must end in .parquet."),
    (b"BZh", "compressed with bzip2", "Unpack it."),
    (b"\xfd7zXZ", "compressed with xz", "Unpack it."),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "Unpack it."),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it."),
    (b"Rar!", "a RAR archive", "Unpack it."),
)


def refuse_binary(source: SourceFile, beginning: bytes) -> None:
    """Raises a UserError that says what a binary file is.

    Args:
        source: The file.
        beginning: Its first bytes, with a NUL byte somewhere or a known beginning.
    """
    what, hint = "a binary file", "Export the table as CSV in UTF-8."
    for magic, name, advice in _BINARY:
        if beginning.startswith(magic):
            what, hint = name, advice
    if beginning.startswith(b"PK"):
        what, hint = "a zip archive", "Its name must end in .zip."
        if b"xl/" in beginning or b"[Content_Types].xml" in beginning[:200]:
            what, hint = "an Excel workbook", "Its name must end in .xlsx; or save it as CSV UTF-8."
        elif b"opendocument.spreadsheet" in beginning[:200]:
            what, hint = "an OpenDocument spreadsheet", "Save it as CSV in UTF-8."
    raise UserError(
        f"this is {what}, not a text table",
        where=str(source),
        hint=hint,
    )


def has_binary_beginning(beginning: bytes) -> bool:
    """Says whether a file begins as no text table does."""
    return beginning.startswith((b"PK\x03\x04", *(magic for magic, _, _ in _BINARY)))


def refuse_markup(source: SourceFile, beginning: str) -> None:
    """Checks that a text is not a web page, XML or JSON.

    Raises:
        UserError: It is; the message says which.
    """
    text = beginning.lstrip("\ufeff \t\r\n").lower()
    if text.startswith(("<!doctype html", "<html", "<head", "<body", "<table")):
        what, hint = "a web page (HTML)", "Download the file again: it may be the page of an error."
    elif text.startswith("<?xml"):
        what, hint = "an XML file", "Export the table as CSV."
    elif text.startswith(('{"', "[{", "{\n", "[\n", '{ "')) or text in ("{}", "[]"):
        what, hint = (
            "a JSON file",
            "Write it as CSV, for example with pandas.read_json(...).to_csv.",
        )
    elif text.startswith("version https://git-lfs"):
        what, hint = "a pointer of Git LFS", "Get the file itself: git lfs pull."
    else:
        return
    raise UserError(f"this is {what}, not a table", where=str(source), hint=hint)
