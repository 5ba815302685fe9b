"""Decodes text files in any encoding that Python has, and proposes one where the given is wrong."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from kd_tf.data.formats.files import ByteStream, SourceFile
from kd_tf.errors import UserError

PLAIN_ENCODINGS = ("utf-8", "latin-1")
"""Encodings whose lines can be cut between any two bytes."""

_SAMPLE_BYTES = 1 << 16
_MAX_PROPOSALS = 5
_COMMON_ENCODINGS = (
    *("cp1252", "cp1250", "cp1251", "koi8-r", "gb18030", "big5", "cp932", "cp949", "mac-roman"),
    "cp850",
)
_WESTERN_SIGNS = set(
    "äöüßéèêëàâáãåæçíìîïñóòôõøœúùûÿÄÖÜÉÈÊËÀÂÁÃÅÆÇÍÌÎÏÑÓÒÔÕØŒÚÙÛ’‘“”„«»–—…°ºª§¿¡€£、。「」・！？　"
)
"""Letters and signs of the languages that use cp1252."""

_MARKS = {
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}
"""Encodings by the bytes that a file in them begins with; the longer ones first."""


_HALF_WIDTH = re.compile("[\uff61-\uff9f]")
"""Japanese letters that single bytes of cp932 stand for, and that texts rarely have."""


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
    proposals = guess_encodings(sample)
    hint = "Give its encoding: --encoding NAME (for example cp1252, gb18030 or shift_jis)."
    if proposals:
        readings = [f"{name} ({excerpt!r})" if excerpt else name for name, excerpt in proposals]
        first_name = proposals[0][0]
        hint = (
            f"It may be {' or '.join(readings)}. Choose what reads right: --encoding {first_name} "
            f"(of the item table: --set data.item_format.encoding={first_name})."
        )
    return UserError(
        what + (f": the line has the byte 0x{byte.hex()}" if byte else ""),
        where=f"{source}:{line}",
        hint=hint,
    )


def guess_encodings(sample: bytes) -> list[tuple[str, str]]:
    """Guesses encodings of a text for a message; nothing is decoded by a guess.

    Several fit a short text, and only its reader can tell which is right.

    Returns:
        At most `_MAX_PROPOSALS` names, the likeliest first, each with words beyond ASCII as it
        decodes them.
    """
    from charset_normalizer import from_bytes

    telling_lines, size = [], 0
    for line in sample.splitlines():
        if not line.isascii() and size < _SAMPLE_BYTES:
            telling_lines.append(line)
            size += len(line)
    telling_sample = b"\n".join(telling_lines)[:_SAMPLE_BYTES]
    if not telling_lines:
        return [("utf-8", "")]
    names = [match.encoding.replace("_", "-") for match in from_bytes(telling_sample)]
    names = [name for name in names if not name.startswith(("utf-16", "utf-32"))][:1]
    place = 0 if _is_western(telling_sample.decode("cp1252", "replace")) else 1
    texts: dict[str, str] = {}
    for name in ["utf-8", *names[:place], *_COMMON_ENCODINGS, *names[place:]]:
        try:
            text = telling_sample.decode(name)
        except UnicodeError:
            continue
        if _is_readable(text):
            texts.setdefault(text, name)
    proposals = []
    for text, name in list(texts.items())[:_MAX_PROPOSALS]:
        words = [word for word in text.split() if not word.isascii()]
        proposals.append((name, " ".join(words[:3])))
    return proposals


def _is_western(text: str) -> bool:
    """Says whether a text has the letters of Western Europe, here and there among ASCII ones."""
    others = [sign for sign in text if not sign.isascii()]
    num_letters = sum(map(str.isalpha, text))
    return set(others) <= _WESTERN_SIGNS and 2 * len(others) < num_letters


def _is_readable(text: str) -> bool:
    """Says whether what is beyond ASCII are letters, as in names and titles."""
    others = {sign for sign in text if not sign.isascii()} - _WESTERN_SIGNS
    return all(sign.isalpha() and not _HALF_WIDTH.match(sign) for sign in others)


def check_byte_order_mark(source: SourceFile, beginning: bytes, encoding: str) -> None:
    """Checks that a file in UTF-16 or UTF-32 is read as that, with or without its mark.

    Raises:
        UserError: It is not.
    """
    name = next((name for name, marks in _MARKS.items() if beginning.startswith(marks)), None)
    pairs = beginning[:1000]
    if name is None and len(pairs) > 1 and not encoding.startswith(("utf-16", "utf-32")):
        # In a table most signs are ASCII: every other byte is 0.
        shares = [pairs[start::2].count(0) / len(pairs[start::2]) for start in (0, 1)]
        if max(shares) > 0.6 and min(shares) < 0.1:
            name = "utf-16-le" if shares[1] > shares[0] else "utf-16-be"
    if name is not None and not encoding.startswith(name[:6]):
        raise UserError(
            f"the file is {name[:6].upper()}, not {encoding.upper()}",
            where=str(source),
            hint=f"Say so: --encoding {name} (of the item table: --set "
            f"data.item_format.encoding={name}).",
        )
