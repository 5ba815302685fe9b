"""Opens image encoders by name."""

from __future__ import annotations

from pathlib import Path

from kd_tf.encoders.images.base import ImageEncoder
from kd_tf.encoders.images.statistics import StatisticsEncoder
from kd_tf.errors import UserError
from kd_tf.extras import require_modules

STATISTICS = "statistics"
"""The encoder that needs no weights."""


def open_image_encoder(name: str) -> ImageEncoder:
    """Opens an encoder of images.

    Args:
        name: ``statistics``, or a network of `keras.applications` and the file of its weights, as
            ``MobileNetV2:weights.h5``.

    Raises:
        UserError: There is no such encoder or file. Nothing is ever downloaded.
        MissingExtraError: A package of the extra image is not installed.

    Example:
        >>> open_image_encoder("statistics").name
        'statistics'
    """
    require_modules("PIL")
    if name == STATISTICS:
        return StatisticsEncoder()
    application, separator, path = name.partition(":")
    if not separator or not path.strip():
        raise UserError(
            f"there is no image encoder {name!r}",
            hint=f"Choose {STATISTICS}, or name a network of keras.applications and the file of "
            "its weights, for example MobileNetV2:weights.h5.",
        )
    # It needs TensorFlow; statistics do not.
    from kd_tf.encoders.images.applications import ApplicationEncoder

    return ApplicationEncoder(application.strip(), Path(path.strip()).expanduser())
