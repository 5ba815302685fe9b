"""Two things about a 64-bit ELF library that patchelf does not do.

elf.py unversion LIBRARY         drops the demand for versions of symbols that only bionic has
elf.py same-code BEFORE AFTER    fails unless every section of code and constants is unchanged
"""

from __future__ import annotations

import hashlib
import struct
import sys
from pathlib import Path

PT_DYNAMIC = 2
VERSION_TAGS = {
    0x6FFFFFF0: "DT_VERSYM",
    0x6FFFFFFC: "DT_VERDEF",
    0x6FFFFFFD: "DT_VERDEFNUM",
    0x6FFFFFFE: "DT_VERNEED",
    0x6FFFFFFF: "DT_VERNEEDNUM",
}
IGNORED_TAG = 0x6FFF4242
"""A tag that no loader knows, and all pass over."""

SHT_PROGBITS, SHT_INIT_ARRAY, SHT_FINI_ARRAY = 1, 14, 15


def unversion(library: Path) -> None:
    content = bytearray(library.read_bytes())
    start, count, size = _program_headers(content)
    for place in range(start, start + count * size, size):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", content, place)
        if kind != PT_DYNAMIC:
            continue
        for entry in range(offset, offset + length, 16):
            (tag,) = struct.unpack_from("<q", content, entry)
            if tag in VERSION_TAGS:
                struct.pack_into("<q", content, entry, IGNORED_TAG)
    library.write_bytes(content)


def same_code(before: Path, after: Path) -> None:
    old, new = _sections(before), _sections(after)
    changed = [name for name, section in old.items() if new.get(name) != section]
    if changed or ".text" not in old:
        sys.exit(f"{after}: not the code of {before}: {', '.join(changed) or 'no .text'}")


def _program_headers(content: bytes | bytearray) -> tuple[int, int, int]:
    (start,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    return start, count, size


def _sections(library: Path) -> dict[str, tuple[int, str]]:
    """Address and SHA-256 by name of every section with code or constants."""
    content = library.read_bytes()
    (start,) = struct.unpack_from("<Q", content, 40)
    size, count, names = struct.unpack_from("<HHH", content, 58)
    headers = [struct.unpack_from("<IIQQQQ", content, start + i * size) for i in range(count)]
    table = headers[names][4]
    sections = {}
    for name, kind, _, address, offset, length in headers:
        if kind in (SHT_PROGBITS, SHT_INIT_ARRAY, SHT_FINI_ARRAY):
            end = content.index(b"\0", table + name)
            digest = hashlib.sha256(content[offset : offset + length]).hexdigest()
            sections[content[table + name : end].decode()] = (address, digest)
    return sections


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["unversion", library]:
            unversion(Path(library))
        case ["same-code", before, after]:
            same_code(Path(before), Path(after))
        case _:
            sys.exit(__doc__)
