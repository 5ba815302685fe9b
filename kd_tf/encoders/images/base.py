"""The interface of image encoders."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from kd_tf.encoders.base import Encoder, normalize_rows
from kd_tf.encoders.images.image_files import ImageFile, UnusableImageError, read_pixels


class ImageEncoder(Encoder[ImageFile]):
    """Turns images into vectors of length 1; those that cannot be decoded become zero.

    A subclass implements `encode_pixels` and `fingerprint`.

    Attributes:
        width: Pixels of a row to which all images are scaled.
        height: Rows.
    """

    width: int
    height: int
    batch_size = 64

    def hash_input(self, value: ImageFile) -> bytes:
        """Returns the SHA-256 of the file's content."""
        return value.digest

    @abstractmethod
    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Encodes decoded images.

        Args:
            pixels: uint8 [n, height, width, 3], RGB.

        Returns:
            float32 [n, d], of any length.
        """

    def encode(self, values: Sequence[ImageFile]) -> np.ndarray:
        """Decodes and encodes images.

        Returns:
            float32 [n, d], rows of length 1; zero for images that cannot be decoded, of which
            `read_pixels` says why.

        Raises:
            MissingExtraError: Pillow is not installed.
        """
        pixels = np.full((len(values), self.height, self.width, 3), 255, np.uint8)
        is_unusable = np.zeros(len(values), bool)
        for row, image in enumerate(values):
            try:
                pixels[row] = read_pixels(image, self.width, self.height)
            except UnusableImageError:
                is_unusable[row] = True
        vectors = np.asarray(normalize_rows(self.encode_pixels(pixels)))
        vectors[is_unusable] = 0
        return vectors
