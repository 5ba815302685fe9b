"""Hashes texts to 32 bits, in the same way in every language: FNV-1a over UTF-8.

Fowler, Noll and Vo, http://www.isthe.com/chongo/tech/comp/fnv/. Start with 2166136261; for each
byte, exclusive or with the byte, then multiply by 16777619, modulo 2 ** 32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_OFFSET, _PRIME = 2166136261, 16777619
_MASK = 0xFFFFFFFF
_FEW_TEXTS = 32
_COMMON_BYTES = 64
"""Longer texts are rare: the rest of them is hashed byte by byte."""


def hash_text(text: str) -> int:
    """Returns the hash of a text.

    Example:
        >>> hash_text(""), hash_text("a"), hash_text("foobar")
        (2166136261, 3826002220, 3214735720)
    """
    return _hash_bytes(_OFFSET, text.encode())


def hash_texts(texts: Sequence[str]) -> np.ndarray:
    """Returns the hashes of texts: uint32 [n].

    Example:
        >>> hash_texts(["a", "foobar"]).tolist()
        [3826002220, 3214735720]
    """
    if len(texts) <= _FEW_TEXTS:
        return np.array([hash_text(text) for text in texts], np.uint32)
    encoded_texts = [text.encode() for text in texts]
    lengths = np.fromiter(map(len, encoded_texts), np.int64, len(encoded_texts))
    starts = np.cumsum(lengths) - lengths
    data = np.frombuffer(b"".join(encoded_texts), np.uint8)
    order = np.argsort(-lengths, kind="stable")
    starts, descending = starts[order], -lengths[order]
    hashes = np.full(len(texts), _OFFSET, np.uint32)
    for place in range(min(int(-descending[0]), _COMMON_BYTES)):
        count = int(np.searchsorted(descending, -place))
        hashes[:count] = (hashes[:count] ^ data[starts[:count] + place]) * np.uint32(_PRIME)
    for row in range(int(np.searchsorted(descending, -_COMMON_BYTES))):
        rest = encoded_texts[order[row]][_COMMON_BYTES:]
        hashes[row] = _hash_bytes(int(hashes[row]), rest)
    result = np.empty_like(hashes)
    result[order] = hashes
    return result


def _hash_bytes(state: int, content: bytes) -> int:
    for byte in content:
        state = ((state ^ byte) * _PRIME) & _MASK
    return state
