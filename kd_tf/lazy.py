"""Attributes of packages that are imported when they are first used (PEP 562)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from kd_tf.extras import convert_import_errors


def make_lazy_attributes(
    package: str, sources: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Returns a package's ``__getattr__``, ``__dir__`` and ``__all__``.

    Args:
        package: Name of the package.
        sources: For each public name ``"module:attribute"``, or ``"module"`` for a module itself.

    Example:
        >>> get_attribute, list_names, names = make_lazy_attributes("a", {"sqrt": "math:sqrt"})
        >>> get_attribute("sqrt")(9.0), names
        (3.0, ['sqrt'])
    """

    def get_attribute(name: str) -> Any:
        if name not in sources:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = sources[name].partition(":")
        with convert_import_errors():
            namespace = importlib.import_module(module)
        return getattr(namespace, attribute) if attribute else namespace

    names = sorted(sources)
    return get_attribute, lambda: names, names
