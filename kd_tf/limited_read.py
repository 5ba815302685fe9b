"""Reads files that may be anybody's, up to the size that they can have."""

from __future__ import annotations

from pathlib import Path


def read_limited(path: Path, max_bytes: int) -> bytes:
    """Reads a whole file, unless it is larger than such a file can be.

    Raises:
        OSError: The file cannot be read.
        ValueError: It has more than `max_bytes` bytes.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "key.json"
        >>> path.write_bytes(b"{}")
        2
        >>> read_limited(path, 2)
        b'{}'
    """
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"{path.name} has more than {max_bytes:,} bytes")
    return content
