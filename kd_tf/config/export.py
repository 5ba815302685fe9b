"""Settings of the .tflite files and the bundle."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from kd_tf.choices import CatalogSearch, QuantizationName, RuntimeName
from kd_tf.config.section import PositiveInt, Section


class Export(Section):
    """The .tflite files to export and the one to bundle."""

    max_length: PositiveInt | None = Field(
        None,
        description="L, the number of newest items a model sees; default: enough for 95 % of the "
        "training users, 50 to 200",
    )
    recommendations: PositiveInt | None = Field(
        None,
        description="K, the length of a recommendation list; default: 50, or the number of items "
        "if that is less",
    )
    candidates: PositiveInt | None = Field(
        None,
        description="C, the number of items that one call of score takes; default: 100, or the "
        "number of items if that is less",
    )
    quantizations: tuple[QuantizationName, ...] | None = Field(
        None,
        description="default: all that the student supports; int8 and int4 only if parity holds",
    )
    catalog_search: CatalogSearch = Field(
        "auto",
        description="two-stage: scores only a few clusters of similar items, for students with one "
        "tied table; auto: two-stage from 200,000 items if its recall is at least .95",
    )
    runtime: RuntimeName = Field(
        "any",
        description="where the files must run: android-2.16 (the newest TensorFlow Lite on Maven "
        "Central), litert, or both (any)",
    )
    bundle_quantization: Literal["auto", QuantizationName] = Field(
        "auto",
        description="of the bundled file; auto: the smallest with validation NDCG@10 within 1 % "
        "of the best",
    )

    @model_validator(mode="after")
    def _check_quantizations(self) -> Export:
        if self.quantizations is None:
            return self
        if not self.quantizations:
            raise ValueError("quantizations needs at least one entry")
        if self.bundle_quantization not in ("auto", *self.quantizations):
            raise ValueError(
                f"bundle_quantization is {self.bundle_quantization}, which is not among "
                f"quantizations {self.quantizations}"
            )
        return self
