"""Decodes text files in any encoding that Python has, and proposes one where the given is wrong."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from kd_tf.data.formats.files import ByteStream, SourceFile
from kd_tf.errors import UserError

PLAIN_ENCODINGS = ("utf-8", "latin-1")
"""Encodings whose lines can be cut between any two bytes."""

_SAMPLE_BYTES = 1 << 16
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def check_encoding(name: str) -> str:
    """Returns Python's name of a text encoding.

    Raises:
        UserError: There is no such encoding.

    Example:
        >>> check_encoding("UTF8"), check_encoding("windows-1252")
        ('utf-8', 'cp1252')
    """
    try:
        encoding = codecs.lookup(name)
        if not getattr(encoding, "_is_text_encoding", True):
            raise LookupError
        "".encode(encoding.name)
    except (LookupError, UnicodeError, ValueError) as error:
        raise UserError(
            f"there is no encoding {name!r}",
            hint="Usual ones are utf-8, utf-16, cp1252, gb18030, shift_jis, euc_kr and koi8-r.",
        ) from error
    return "latin-1" if encoding.name == "iso8859-1" else encoding.name


def convert_to_utf8(
    stream: ByteStream, source: SourceFile, encoding: str, size: int
) -> Iterator[bytes]:
    """Reads a file in another encoding as blocks of UTF-8.

    Args:
        stream: The opened file.
        source: The file, for errors.
        encoding: Its encoding.
        size: Bytes to read at once.

    Raises:
        UserError: Bytes cannot be decoded; the message names the line.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    while True:
        block = stream.read(size)
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeError as error:
            # UTF-16 without its mark raises an error without a place.
            start = getattr(error, "start", 0)
            line += block[:start].count(b"\n")
            raise make_encoding_error(
                source, line, encoding, block[start : start + 1], block
            ) from error
        line += text.count("\n")
        if text or not block:
            yield text.encode()
        if not block:
            return


def make_encoding_error(
    source: SourceFile, line: int, encoding: str, byte: bytes, sample: bytes
) -> UserError:
    """Makes the error about a byte that cannot be decoded, with the encoding that fits best."""
    what = f"the file is not {encoding.upper()}"
    proposal = guess_encoding(sample)
    hint = "Give its encoding: --encoding NAME (for example cp1252, gb18030 or shift_jis)."
    if proposal is not None:
        name, excerpt = proposal
        hint = (
            f"It may be {name}; then it has {excerpt!r}. If that is right: --encoding {name} (of "
            f"the item table: --set data.item_format.encoding={name})."
        )
    return UserError(
        what + (f": the line has the byte 0x{byte.hex()}" if byte else ""),
        where=f"{source}:{line}",
        hint=hint,
    )


def guess_encoding(sample: bytes) -> tuple[str, str] | None:
    """Guesses the encoding of a text for a message; nothing is decoded by a guess.

    Returns:
        Its name, and words with letters beyond ASCII as it decodes them; None without a guess.
    """
    from charset_normalizer import from_bytes

    best = from_bytes(sample[:_SAMPLE_BYTES]).best()
    if best is None:
        return None
    words = [word for word in str(best).split() if not word.isascii()]
    return best.encoding.replace("_", "-"), " ".join(words[:5])


def check_byte_order_mark(source: SourceFile, beginning: bytes, encoding: str) -> None:
    """Checks that a file that says it is UTF-16 is read as that."""
    if beginning.startswith(_UTF16_MARKS) and not encoding.startswith("utf-16"):
        raise UserError(
            f"the file is UTF-16, not {encoding.upper()}",
            where=str(source),
            hint="Say so: --encoding utf-16.",
        )
