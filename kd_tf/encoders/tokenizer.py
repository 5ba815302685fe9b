"""Splits texts into the token numbers of a pretrained model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kd_tf.errors import UserError
from kd_tf.extras import require_modules

MAX_TOKENIZER_BYTES = 64 * 2**20
"""Largest tokenizer file that is read; those of models with 250,000 tokens take 17 MB."""

MAX_CHARACTERS_PER_TOKEN = 64
"""A text is cut to so many characters for each token that the model takes, before it is split:
splitting the rest of an enormous text would be work for nothing."""


class Tokenizer:
    """The tokenizer of a ``tokenizer.json`` file, the format of the package tokenizers.

    Args:
        path: The file.
        max_tokens: Tokens of a text that count; the rest is cut off.
        adds_special_tokens: Whether the model expects the tokens that mark begin and end.

    Raises:
        UserError: The file is no tokenizer.
        MissingExtraError: The package is not installed.
    """

    def __init__(self, path: Path, *, max_tokens: int, adds_special_tokens: bool) -> None:
        require_modules("tokenizers")
        from tokenizers import Tokenizer as PretrainedTokenizer

        self._adds_special_tokens = adds_special_tokens
        self._max_characters = MAX_CHARACTERS_PER_TOKEN * max_tokens
        try:
            if path.stat().st_size > MAX_TOKENIZER_BYTES:
                raise ValueError(f"it has more than {MAX_TOKENIZER_BYTES:,} bytes")
            self._tokenizer = PretrainedTokenizer.from_file(str(path))
        # The package raises its own errors of Rust as plain exceptions.
        except Exception as error:
            raise UserError(
                f"this file is no tokenizer: {error}",
                where=str(path),
                hint="Give the folder of a model with its tokenizer.json.",
            ) from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def split(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the token numbers of each text."""
        shortened_texts = [text[: self._max_characters] for text in texts]
        encodings = self._tokenizer.encode_batch(
            shortened_texts, add_special_tokens=self._adds_special_tokens
        )
        return [encoding.ids for encoding in encodings]
